//! The agent's page: one call at a glance, and the cue that helps with it.

use std::collections::BTreeMap;

use maud::{Markup, PreEscaped, html};
use serde::Serialize;
use utoipa::ToSchema;

use crate::format::{clean, lasting, number, percent, shown, spoken};
use crate::layout::{Head, Section, Shell, headline, page};
use crate::practice::PRACTICE;
use crate::text::{Language, fill};
use crate::vocabulary;
use crate::wall::sign;
use crate::written::WRITTEN;

/// The agent's call as it is now. Words are those of events.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DeskCall {
    /// Sidetone's id of the call.
    pub id: String,
    /// When it was answered, or came in, in milliseconds since 1970.
    pub since: u64,
    /// `inbound`, `outbound` or `unknown`.
    pub direction: String,
    /// Whether it has been answered.
    pub answered: bool,
    /// Whether a party is on hold.
    pub held: bool,
    /// The queue, as the PBX names it.
    pub queue: Option<String>,
    /// Whether the customer may be listened to: the state of their consent.
    pub consent: String,
    /// The customer's state, trend and confidence, if anything was judged.
    pub customer: Option<DeskCustomer>,
    /// The alert that is up.
    pub alert: Option<String>,
    /// What the customer said last, redacted, where words are recognised; it may go on.
    pub said: Option<String>,
    /// What they have named, oldest first; words of events.
    pub topics: Vec<String>,
    /// The agent's words a minute lately.
    pub pace: Option<f64>,
    /// The agent's share of talk, `[0, 1]`.
    pub share: Option<f64>,
    /// The cue that is shown.
    pub cue: Option<DeskCue>,
}

/// How the customer seems.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DeskCustomer {
    /// In one word.
    pub state: String,
    /// Where it is going.
    pub trend: String,
    /// Unpleasant to pleasant, `[-1, 1]`.
    pub valence: f64,
    /// `[0, 1]`.
    pub confidence: f64,
}

/// A cue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DeskCue {
    /// Its number in its call.
    pub number: u32,
    /// What the agent reads.
    pub line: String,
    /// Why it helps.
    pub reason: Option<String>,
    /// The language of both.
    pub language: String,
    /// Whether the agent has acknowledged it.
    pub acknowledged: bool,
    /// Line and reason in other languages, by tag.
    pub others: BTreeMap<String, (String, Option<String>)>,
}

impl DeskCue {
    /// The line, the reason and their language as a reader of this language has them.
    fn read_in(&self, language: Language) -> (&str, Option<&str>, &str) {
        match self.others.get_key_value(language.code()) {
            Some((tag, (line, reason))) => (line, reason.as_deref(), tag),
            None => (&self.line, self.reason.as_deref(), &self.language),
        }
    }
}

/// Where the desk's part that changes, and its stream, are: behind the base.
#[derive(Debug, Clone, Copy)]
pub struct DeskPaths<'a> {
    /// The stream, each message of which is that part anew.
    pub stream: &'a str,
    /// The part by itself.
    pub part: &'a str,
    /// Where an answer to a cue is posted.
    pub answer: &'a str,
}

/// The agent's page. Without a call that is up it waits for one. `practice` tells whether there are recorded calls to
/// practise with.
#[must_use]
pub fn desk(
    shell: &Shell<'_>,
    call: Option<&DeskCall>,
    agent: &str,
    paths: DeskPaths<'_>,
    practice: bool,
) -> String {
    let texts = shell.texts();
    let content = html! {
        (headline(&html! { (texts.desk) }, &html! { (fill(texts.desk_below, &[&clean(agent)])) }))
        p #live-state .notice hidden { (texts.wall_stale) }
        p #live-said .hidden role="status" {}
        div #live .desk tabindex="-1" data-fragment=(shell.path(paths.part)) data-stream=(shell.path(paths.stream)) {
            (PreEscaped(desk_fragment(shell, call, paths)))
        }
        p.pages {
            a #to-written href=(shell.path(WRITTEN)) { (shell.language.coaching().written) }
            @if practice { " " a #to-practice href=(shell.path(PRACTICE)) { (shell.language.coaching().practice) } }
        }
    };
    page(shell, &Head { title: texts.desk, section: Some(Section::Desk), again: Some(5) }, content)
}

/// The part of the desk that changes.
#[must_use]
pub fn desk_fragment(shell: &Shell<'_>, call: Option<&DeskCall>, paths: DeskPaths<'_>) -> String {
    let texts = shell.texts();
    let Some(call) = call else {
        let waiting = html! {
            div.empty {
                h2 { (texts.desk_empty) }
                p { (texts.desk_empty_how) }
                p { a #desk-last href=(shell.path("/desk/last")) { (texts.desk_last) } }
            }
        };
        return waiting.into_string();
    };
    let markup = html! {
        (cue(shell, call, paths))
        section.glance-desk {
            div.how { (customer(shell, call)) (words(shell, call)) }
            dl.glance {
                div { dt { (texts.length) } dd { (lasting(shell, call.since)) } }
                div {
                    dt { (texts.desk_pace) }
                    dd {
                        @match call.pace {
                            Some(pace) => (fill(texts.desk_words, &[&number(texts, pace, 0)])),
                            None => span.soft { (texts.not_yet) },
                        }
                    }
                }
                div {
                    dt { (texts.desk_share) }
                    dd {
                        @match call.share {
                            Some(share) => {
                                (percent(texts, share, 0))
                                meter min="0" max="1" value=(format!("{share:.2}")) aria-hidden="true" {}
                            },
                            None => span.soft { (texts.not_yet) },
                        }
                    }
                }
                div { dt { (texts.consent) } dd { (vocabulary::consent(texts, &call.consent)) } }
            }
        }
        p.facts {
            span { (vocabulary::direction(texts, &call.direction)) } " "
            @if let Some(queue) = &call.queue { span { (texts.queue) ": " (shown(queue)) } " " }
            @if !call.answered { span { (texts.ringing) } " " }
            @if call.held { span.held { (texts.on_hold) } }
        }
    };
    markup.into_string()
}

/// The cue that is shown, with what the agent can do with it. Its place stays, so that nothing jumps.
fn cue(shell: &Shell<'_>, call: &DeskCall, paths: DeskPaths<'_>) -> Markup {
    let texts = shell.texts();
    let Some(cue) = &call.cue else {
        return html! { section.cue.none data-say="" { p.soft { (texts.desk_no_cue) } } };
    };
    let answer = |word: &str, label: &str, quiet: bool| {
        html! {
            form method="post" action=(shell.path(paths.answer)) {
                (shell.csrf_field())
                input type="hidden" name="call" value=(call.id);
                input type="hidden" name="number" value=(cue.number);
                button.quiet[quiet] #{ "cue-" (word) } type="submit" name="answer" value=(word) { (label) }
            }
        }
    };
    let (line, reason, language) = cue.read_in(shell.language);
    html! {
        section.cue.seen[cue.acknowledged] data-say=(line) {
            h2.hidden { (texts.desk_cue) }
            p.line lang=(language) { (line) }
            @if let Some(reason) = reason {
                details { summary #cue-why { (texts.desk_why) } p lang=(language) { (reason) } }
            }
            div.act {
                @if cue.acknowledged { span.soft { (texts.desk_seen) } }
                @else { (answer("acknowledged", texts.desk_acknowledge, false)) }
                (answer("dismissed", texts.desk_dismiss, true))
            }
        }
    }
}

/// How the customer seems: a word, a sign, and a scale on which nothing flashes.
fn customer(shell: &Shell<'_>, call: &DeskCall) -> Markup {
    let texts = shell.texts();
    let Some(customer) = &call.customer else {
        let why = if call.consent == "given" { texts.nothing_heard } else { texts.not_listened };
        return html! { p.mood.soft { (why) } };
    };
    // From −1 to +1 in a hundred steps: the line calms what a bare number would excite.
    let place = 12.0 + ((customer.valence.clamp(-1.0, 1.0) + 1.0) * 50.0).round() * 3.76;
    html! {
        p.mood {
            @if let Some(alert) = &call.alert { span.badge { (sign()) (vocabulary::alert(texts, alert)) } " " }
            span {
                strong { (vocabulary::state(texts, &customer.state)) } ", " (vocabulary::trend(texts, &customer.trend))
                span.soft { " (" (vocabulary::sureness(texts, customer.confidence)) ")" }
            }
        }
        svg class={ "scale " (vocabulary::tone(customer.valence)) } viewBox="0 0 400 20" role="img"
            aria-label=(fill(texts.desk_scale, &[&number(texts, customer.valence, 1)])) {
            path d="M12 10H388M200 5V15" {}
            circle cx=(format!("{place:.0}")) cy="10" r="7" {}
        }
        p.hint { span { (texts.unpleasant) } span { (texts.pleasant) } }
    }
}

/// What the customer said that matters.
fn words(shell: &Shell<'_>, call: &DeskCall) -> Markup {
    let texts = shell.texts();
    html! {
        @if !call.topics.is_empty() {
            p.facts {
                span.soft { (texts.heard_topics) ":" } " "
                @for topic in &call.topics { span.badge { (vocabulary::topic(texts, topic)) } " " }
            }
        }
        @if let Some(said) = &call.said {
            p.hint { span.soft { (texts.heard_last) ":" } " " q { (spoken(said)) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: DeskPaths<'_> =
        DeskPaths { stream: "/desk/stream", part: "/desk/call", answer: "/desk/answer" };

    fn shell() -> Shell<'static> {
        let language = Language::En;
        Shell {
            language,
            here: "/desk",
            base: "",
            name: None,
            role: None,
            sections: &[],
            csrf: "c5rf",
            now: 60_000,
        }
    }

    fn call() -> DeskCall {
        DeskCall {
            id: "01KJMBQDHX04HMASW9NF6YY093".to_owned(),
            since: 0,
            direction: "inbound".to_owned(),
            answered: true,
            held: false,
            queue: Some("<b>billing</b>".to_owned()),
            consent: "given".to_owned(),
            customer: Some(DeskCustomer {
                state: "frustrated".to_owned(),
                trend: "worsening".to_owned(),
                valence: -0.5,
                confidence: 0.6,
            }),
            alert: Some("frustration".to_owned()),
            said: Some("I want to cancel".to_owned()),
            topics: vec!["cancel".to_owned()],
            pace: Some(182.0),
            share: Some(0.62),
            cue: Some(DeskCue {
                number: 2,
                line: "Acknowledge first.".to_owned(),
                reason: Some("The caller sounds upset.".to_owned()),
                language: "en".to_owned(),
                acknowledged: false,
                others: [("de".to_owned(), ("Erst Verständnis zeigen.".to_owned(), None))].into(),
            }),
        }
    }

    #[test]
    fn one_glance_tells_the_cue_the_customer_and_my_own_talk() {
        let page = desk_fragment(&shell(), Some(&call()), PATHS);
        for part in [
            "Acknowledge first.",
            "The caller sounds upset.",
            "Seems frustrated",
            "getting worse",
            "182 words a minute",
            "62%",
            "value=\"c5rf\"",
            "name=\"number\" value=\"2\"",
            "value=\"acknowledged\"",
            "value=\"dismissed\"",
            "&lt;b&gt;billing",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(!page.contains("<b>billing"));
        let german = desk_fragment(&Shell { language: Language::De, ..shell() }, Some(&call()), PATHS);
        assert!(german.contains("Erst Verständnis zeigen.") && !german.contains("Acknowledge first."));
        let mut seen = call();
        seen.cue.as_mut().unwrap().acknowledged = true;
        let page = desk_fragment(&shell(), Some(&seen), PATHS);
        assert!(!page.contains("value=\"acknowledged\"") && page.contains("value=\"dismissed\""));
    }

    #[test]
    fn what_is_not_known_is_not_shown_as_calm() {
        let mut quiet = call();
        (quiet.customer, quiet.alert, quiet.cue, quiet.pace) = (None, None, None, None);
        let page = desk_fragment(&shell(), Some(&quiet), PATHS);
        assert!(page.contains("No estimate yet") && !page.contains("Seems"));
        "declined".clone_into(&mut quiet.consent);
        let page = desk_fragment(&shell(), Some(&quiet), PATHS);
        assert!(page.contains("Not listened to"));
        let none = desk(&shell(), None, "2001", PATHS, true);
        assert!(none.contains("No call with you") && none.contains("data-stream=\"/desk/stream\""));
    }
}
