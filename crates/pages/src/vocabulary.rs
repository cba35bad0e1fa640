//! The words of events, as people say them. A word that is not known yet is shown as it is.

use maud::{Markup, html};
use sidetone_store::{Call, NoteKind};

use crate::format::shown;
use crate::text::Texts;

/// A valence beyond this, of `[-1, 1]`, is drawn in the colour of its side.
const NOTABLE: f64 = 0.1;

/// The class of a valence or a shift, for its colour. Words or signs always stand beside the colour.
pub(crate) fn tone(valence: f64) -> &'static str {
    if valence > NOTABLE {
        "pleasant"
    } else if valence < -NOTABLE {
        "unpleasant"
    } else {
        "even"
    }
}

/// The class of a call's state, so that a line has the colour of the word beside it.
pub(crate) fn state_tone(call: &Call) -> &'static str {
    match call.state.as_deref() {
        Some("positive") => "pleasant",
        Some("negative" | "frustrated" | "distressed") => "unpleasant",
        _ => "even",
    }
}

fn known(word: &str, text: Option<&'static str>) -> Markup {
    match text {
        Some(text) => html! { (text) },
        None => shown(word),
    }
}

pub(crate) fn direction(texts: &Texts, word: &str) -> Markup {
    known(word, direction_word(texts, word))
}

pub(crate) fn direction_word(texts: &Texts, word: &str) -> Option<&'static str> {
    match word {
        "inbound" => Some(texts.inbound),
        "outbound" => Some(texts.outbound),
        "unknown" => Some(texts.direction_unknown),
        _ => None,
    }
}

/// What a note is about.
pub(crate) fn note_kind(texts: &Texts, kind: NoteKind) -> &'static str {
    match kind {
        NoteKind::Coaching => texts.kind_coaching,
        NoteKind::Empathy => texts.kind_empathy,
        NoteKind::Note => texts.kind_note,
    }
}

/// What the customer named.
pub(crate) fn topic(texts: &Texts, word: &str) -> Markup {
    known(word, topic_word(texts, word))
}

pub(crate) fn topic_word(texts: &Texts, word: &str) -> Option<&'static str> {
    match word {
        "cancel" => Some(texts.topic_cancel),
        "refund" => Some(texts.topic_refund),
        "complaint" => Some(texts.topic_complaint),
        "legal" => Some(texts.topic_legal),
        "supervisor" => Some(texts.topic_supervisor),
        "repeat_contact" => Some(texts.topic_repeat_contact),
        "urgent" => Some(texts.topic_urgent),
        "bereavement" => Some(texts.topic_bereavement),
        "hardship" => Some(texts.topic_hardship),
        "thanks" => Some(texts.topic_thanks),
        _ => None,
    }
}

pub(crate) fn state(texts: &Texts, word: &str) -> Markup {
    let text = match word {
        "neutral" => Some(texts.state_neutral),
        "positive" => Some(texts.state_positive),
        "negative" => Some(texts.state_negative),
        "frustrated" => Some(texts.state_frustrated),
        "distressed" => Some(texts.state_distressed),
        _ => None,
    };
    known(word, text)
}

pub(crate) fn trend(texts: &Texts, word: &str) -> Markup {
    let text = match word {
        "improving" => Some(texts.trend_improving),
        "steady" => Some(texts.trend_steady),
        "worsening" => Some(texts.trend_worsening),
        _ => None,
    };
    known(word, text)
}

pub(crate) fn alert(texts: &Texts, word: &str) -> Markup {
    let text = match word {
        "frustration" => Some(texts.alert_frustration),
        "distress" => Some(texts.alert_distress),
        _ => None,
    };
    known(word, text)
}

pub(crate) fn alert_meaning(texts: &Texts, word: &str) -> Option<&'static str> {
    match word {
        "frustration" => Some(texts.alert_frustration_means),
        "distress" => Some(texts.alert_distress_means),
        _ => None,
    }
}

pub(crate) fn consent(texts: &Texts, word: &str) -> Markup {
    let text = match word {
        "pending" => Some(texts.consent_pending),
        "announcing" => Some(texts.consent_announcing),
        "asked" => Some(texts.consent_asked),
        "given" => Some(texts.consent_given),
        "declined" => Some(texts.consent_declined),
        "opted-out" => Some(texts.consent_opted_out),
        "excluded" => Some(texts.consent_excluded),
        "failed" => Some(texts.consent_failed),
        _ => None,
    };
    known(word, text)
}

pub(crate) fn consent_by(texts: &Texts, word: &str) -> Markup {
    let text = match word {
        "policy" => Some(texts.by_policy),
        "list" => Some(texts.by_list),
        "digit" | "digit-in-band" | "digit-info" => Some(texts.by_key),
        "trunk-header" => Some(texts.by_the_trunk),
        "pbx-header" | "ami" | "ari" | "esl" => Some(texts.by_pbx),
        "api" | "cli" => Some(texts.by_operator),
        _ => None,
    };
    known(word, text)
}

pub(crate) fn party(texts: &Texts, word: &str) -> Markup {
    let text = match word {
        "customer" => Some(texts.customer),
        "agent" => Some(texts.agent),
        _ => None,
    };
    known(word, text)
}

pub(crate) fn cause(texts: &Texts, word: &str) -> Markup {
    let text = match word {
        "hangup" => Some(texts.cause_hangup),
        "cancelled" => Some(texts.cause_cancelled),
        "rejected" => Some(texts.cause_rejected),
        "no-answer" => Some(texts.cause_no_answer),
        "media-timeout" => Some(texts.cause_media_timeout),
        "terminated" => Some(texts.cause_terminated),
        "failed" => Some(texts.cause_failed),
        _ => None,
    };
    known(word, text)
}

pub(crate) fn abstained(texts: &Texts, word: &str) -> Markup {
    let text = match word {
        "too-little-speech" => Some(texts.why_too_little),
        "too-quiet" => Some(texts.why_too_quiet),
        "too-noisy" => Some(texts.why_too_noisy),
        "too-much-loss" => Some(texts.why_loss),
        "overlap" => Some(texts.why_overlap),
        "music" => Some(texts.why_music),
        "announcement" => Some(texts.why_announcement),
        "hold" => Some(texts.why_hold),
        "unsure" => Some(texts.why_unsure),
        "fault" => Some(texts.why_fault),
        _ => None,
    };
    known(word, text)
}

/// How sure the model says it is: in words, for a number alone claims too much.
pub(crate) fn sureness(texts: &Texts, confidence: f64) -> &'static str {
    if confidence >= 0.8 {
        texts.sure_fairly
    } else if confidence >= 0.6 {
        texts.sure_little
    } else {
        texts.sure_hardly
    }
}

/// How the customer seems, in one line, or why nothing is said of it.
pub(crate) fn mood(texts: &Texts, call: &Call) -> Markup {
    match (&call.state, call.valence) {
        (Some(word), Some(_)) => html! {
            (state(texts, word))
            @if let Some(word) = call.trend.as_deref().filter(|trend| *trend != "steady") {
                ", " (trend(texts, word))
            }
        },
        _ if call.erased => html! { (texts.erased_short) },
        _ if call.consent.as_deref() == Some("given") => html! { (texts.nothing_heard) },
        _ => html! { (texts.not_listened) },
    }
}
