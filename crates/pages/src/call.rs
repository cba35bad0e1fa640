//! One call: its timeline, why its alerts rose, how both talked, and what was judged and what not.

mod added;
mod cues;
mod story;
mod technical;
mod timeline;

use maud::{Markup, html};
use sidetone_store::{Alert, Call, CallDetails, Role};

use crate::calls::{lasted, share_judged, shift, title};
use crate::format::{capital, count, counted, length, moment, number, percent, shown, signed};
use crate::layout::{Head, Section, Shell, headline, page};
use crate::text::fill;
use crate::vocabulary;
use crate::wall::sign;
pub use added::{NoteFault, NoteForm, Own, Refused, SelfNoteForm};

/// Most alerts that are told one by one.
const MOST_ALERTS: usize = 20;

/// The page of one call.
#[must_use]
pub fn call(shell: &Shell<'_>, details: &CallDetails, own: &Own<'_>) -> String {
    let (texts, call) = (shell.texts(), &details.call);
    let title = title(shell, call);
    let content = html! {
        nav.back aria-label=(texts.back) { a href=(shell.path("/calls")) { "← " (texts.calls) } }
        (headline(&html! { (texts.call) ", " (moment(shell, call.started)) }, &html! {
            (shown(&call.trunk)) " · " (vocabulary::direction(texts, &call.direction)) " · " (lasted(texts, call))
            @if let Some(cause) = &call.cause { " · " (vocabulary::cause(texts, cause)) }
        }))
        (labels(shell, call))
        @if call.erased { (erased(shell, call)) }
        (glance(shell, call))
        @if !call.erased || !details.affect.is_empty() {
            (timeline::timeline(shell, details))
            (alerts(shell, details))
            div.columns {
                (talk(shell, call))
                (judged(shell, details))
            }
        }
        (added::after(shell, details))
        (added::notes(shell, details, own))
        (cues::own(shell, details))
        (story::story(shell, details))
        (join_in(shell, call))
        (technical::technical(shell, details))
    };
    page(shell, &Head { title: &title, section: Some(Section::Calls), again: None }, content)
}

/// What the PBX has told of the call.
fn labels(shell: &Shell<'_>, call: &Call) -> Markup {
    let texts = shell.texts();
    let labels = [
        (texts.queue.to_owned(), &call.queue),
        (texts.tier.to_owned(), &call.tier),
        (capital(texts.agent), &call.agent),
        (texts.team.to_owned(), &call.team),
        (texts.call_type.to_owned(), &call.call_type),
        (texts.language.to_owned(), &call.language),
    ];
    let told: Vec<_> = labels.iter().filter_map(|(name, label)| Some((name, label.as_ref()?))).collect();
    html! {
        @if !told.is_empty() {
            dl.glance { @for (name, label) in told { div { dt { (name) } dd { (shown(label)) } } } }
        }
    }
}

fn erased(shell: &Shell<'_>, call: &Call) -> Markup {
    let texts = shell.texts();
    html! {
        div.notice role="note" {
            strong { (texts.erased) } " " (texts.erased_what)
            @if call.valence.is_some() { " " (texts.erased_again) }
        }
    }
}

/// The call in five facts.
fn glance(shell: &Shell<'_>, call: &Call) -> Markup {
    let texts = shell.texts();
    html! {
        dl.glance {
            div {
                dt { @if call.ended.is_some() { (texts.at_the_end) } @else { (texts.customer_seems) } }
                dd { (vocabulary::mood(texts, call)) }
            }
            div { dt { (texts.mood_over_call) } dd { (shift(texts, call)) } }
            div {
                dt { (texts.alerts) }
                dd {
                    @if call.erased && call.alerts == 0 { (texts.erased_short) } @else { (count(texts, call.alerts)) }
                    @if call.alerts > 0 { ", " (count(texts, call.calmed)) " " (texts.of_them_calmed) }
                }
            }
            div {
                dt { (texts.consent) }
                dd { @if let Some(consent) = &call.consent { (vocabulary::consent(texts, consent)) } @else { "–" } }
            }
            div { dt { (texts.share_judged) } dd { (share_judged(texts, call)) } }
        }
    }
}

fn alerts(shell: &Shell<'_>, details: &CallDetails) -> Markup {
    let texts = shell.texts();
    html! {
        section {
            h2 { (texts.why_alerts) }
            @if details.alerts.is_empty() {
                p { (texts.no_alert_rose) }
            } @else {
                ol.reasons { @for alert in details.alerts.iter().take(MOST_ALERTS) { li { (reason(shell, details, alert)) } } }
                @if details.alerts.len() > MOST_ALERTS {
                    p { (fill(texts.more_alerts, &[&count(texts, (details.alerts.len() - MOST_ALERTS) as u64)])) }
                }
            }
            p.caution { (texts.caution) }
        }
    }
}

/// Why an alert rose, when, and for how long.
fn reason(shell: &Shell<'_>, details: &CallDetails, alert: &Alert) -> Markup {
    let texts = shell.texts();
    let event = details.events.iter().find(|event| {
        let word = |name: &str| event.data.get(name).and_then(serde_json::Value::as_str);
        event.kind == "affect.alert"
            && event.at_ms == alert.from_ms
            && word("phase") == Some("rising")
            && word("alert") == Some(&alert.alert)
    });
    let value = |name: &str| event.and_then(|event| event.data.get(name)).and_then(serde_json::Value::as_f64);
    html! {
        h3 { (sign()) (vocabulary::alert(texts, &alert.alert)) span.soft { " " (texts.at) " " (length(alert.from_ms)) } }
        p {
            @if let Some(meaning) = vocabulary::alert_meaning(texts, &alert.alert) { (meaning) " " }
            @if let Some(score) = alert.score { (fill(texts.evidence, &[&percent(texts, score, 0)])) " " }
            @match alert.to_ms {
                Some(to) => (fill(texts.calmed_after, &[&length(to.saturating_sub(alert.from_ms))])),
                None if details.call.ended.is_some() => (texts.never_calmed),
                None => (texts.still_raised),
            }
        }
        @if let (Some(valence), Some(arousal)) = (value("valence"), value("arousal")) {
            p.soft {
                (fill(texts.alert_values, &[&signed(texts, valence, 2), &signed(texts, arousal, 2)]))
                @if let Some(confidence) = value("confidence") {
                    " " (fill(texts.model_said_sure, &[&percent(texts, confidence, 0)]))
                }
            }
        }
        // What the customer said, where the alert stands on words and these are kept.
        @if let Some(phrase) = event.and_then(|event| event.data.get("phrase")).and_then(serde_json::Value::as_str) {
            p.soft { (capital(texts.by_words)) ": " q { (shown(phrase)) } }
        }
    }
}

/// How the time was shared out, as a bar and as a list.
fn talk(shell: &Shell<'_>, call: &Call) -> Markup {
    let texts = shell.texts();
    let overlap = call.overlap_ms.unwrap_or_default();
    let alone = |talk: Option<u64>| talk.unwrap_or_default().saturating_sub(overlap);
    let parts = [
        ("customer", texts.customer_alone, alone(call.customer_talk_ms)),
        ("agent", texts.agent_alone, alone(call.agent_talk_ms)),
        ("both", texts.both_at_once, overlap),
        ("silence", texts.silence, call.silence_ms.unwrap_or_default()),
        ("hold", texts.on_hold, call.hold_ms.unwrap_or_default()),
    ];
    let sum: u64 = parts.iter().fold(0, |sum, (_, _, ms)| sum.saturating_add(*ms));
    let mut end = 0.0;
    let bars: Vec<_> = parts
        .iter()
        .map(|(class, _, ms)| {
            let (start, width) = (end, *ms as f64 * 100.0 / sum.max(1) as f64);
            end += width;
            (*class, format!("{start:.2}"), format!("{width:.2}"))
        })
        .collect();
    html! {
        section {
            h2 { (texts.talk) }
            @if sum == 0 {
                p { (texts.no_talk) }
            } @else {
                svg.shares viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
                    @for (class, start, width) in &bars { rect.(class) x=(start) y="0" width=(width) height="6" {} }
                }
                dl.key {
                    @for (class, name, ms) in &parts {
                        div {
                            dt { span.swatch.(class) aria-hidden="true" {} (name) }
                            dd { (length(*ms)) " " span.soft { (percent(texts, *ms as f64 / sum as f64, 0)) } }
                        }
                    }
                }
                @if let Some(holds) = call.holds.filter(|holds| *holds > 0) {
                    p.soft { (counted(texts, holds, texts.held_times)) }
                }
            }
        }
    }
}

/// Of what the estimates are, and what they leave out.
fn judged(shell: &Shell<'_>, details: &CallDetails) -> Markup {
    let (texts, call) = (shell.texts(), &details.call);
    let analysis = details.events.iter().rev().find(|event| event.kind == "call.ended");
    let analysis = analysis.and_then(|event| event.data.pointer("/summary/analysis"));
    let reasons = analysis.and_then(|it| it.get("reasons")).and_then(serde_json::Value::as_object);
    let mut reasons: Vec<(&str, u64)> = reasons
        .into_iter()
        .flatten()
        .filter_map(|(reason, times)| Some((reason.as_str(), times.as_u64()?)))
        .collect();
    reasons.sort_by(|(name, times), (other, others)| others.cmp(times).then(name.cmp(other)));
    html! {
        section {
            h2 { (texts.judged_title) }
            @match (call.judged_ms, call.speech_ms) {
                (Some(judged), Some(speech)) => {
                    p { (fill(texts.judged_of, &[&length(judged), &length(speech)])) }
                    @if !reasons.is_empty() {
                        p { (texts.left_out) }
                        dl.key {
                            @for (reason, times) in reasons.into_iter().take(12) {
                                div { dt { (vocabulary::abstained(texts, reason)) } dd { (count(texts, times)) "×" } }
                            }
                        }
                    }
                }
                _ if call.ended.is_none() => p { (texts.judged_at_end) },
                _ => p { (texts.nothing_judged) },
            }
            @if let (Some(start), Some(end)) = (call.valence_start, call.valence_end) {
                p { (fill(texts.from_to, &[&signed(texts, start, 2), &signed(texts, end, 2)])) " " (texts.shift_weak) }
            }
            @if let Some(confidence) = call.confidence {
                p { (fill(texts.last_confidence, &[&number(texts, confidence, 2)])) " " (texts.confidence_high) }
            }
        }
    }
}

/// How a supervisor joins a call that is up: by the PBX's own means.
fn join_in(shell: &Shell<'_>, call: &Call) -> Markup {
    let texts = shell.texts();
    // Only a plain label is a channel's name that can be copied.
    let plain =
        |label: &&String| label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let agent = call.agent.as_ref().filter(plain).map_or("EXTENSION", String::as_str);
    html! {
        @if call.ended.is_none() && shell.role == Some(Role::Supervisor) {
            details.technical {
                summary { (texts.join_in) }
                p { (texts.join_in_how) }
                p { code { "ChanSpy(PJSIP/" (agent) ",qE)" } }
                p.soft { (texts.join_in_more) }
            }
        }
    }
}
