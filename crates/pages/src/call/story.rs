//! What happened in a call, in words: the list whose numbers stand in the timeline.

use maud::{Markup, html};
use sidetone_store::{CallDetails, Happened};

use crate::format::{clean, count, length, shown, spoken};
use crate::layout::Shell;
use crate::text::{Texts, fill};
use crate::vocabulary;

/// Most lines of the list.
const MOST: usize = 60;

/// Labels that a PBX tells so shortly after each other are one line.
const TOLD_TOGETHER_MS: u64 = 10_000;

/// One line: when, and what.
pub(super) struct Line {
    pub(super) at_ms: u64,
    /// For its sign in the timeline.
    pub(super) kind: &'static str,
    pub(super) said: Markup,
}

/// The lines of a call, in order; how both talk is told elsewhere, and erased inferences are told once.
pub(super) fn lines(texts: &Texts, details: &CallDetails) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut erased = 0;
    // The line of the labels that were told last, and when: a PBX tells of a call in several pieces.
    let mut labelled: Option<(usize, u64)> = None;
    for event in &details.events {
        if event.kind == "erased" {
            erased += 1;
        } else if event.kind == "call.labelled"
            && let Some((place, last)) = labelled
            && event.at_ms.saturating_sub(last) <= TOLD_TOGETHER_MS
            && let Some(line) = lines.get_mut(place)
            && let Some((_, said)) = self::line(texts, event)
        {
            // Each event holds all labels as they are then, so the newest says it all.
            (line.said, labelled) = (said, Some((place, event.at_ms)));
        } else if lines.len() < MOST
            && let Some((kind, said)) = line(texts, event)
        {
            if event.kind == "call.labelled" {
                labelled = Some((lines.len(), event.at_ms));
            }
            lines.push(Line { at_ms: event.at_ms, kind, said });
        }
    }
    // Beside the objection that erased them; the store keeps the place of each, and their contents are gone.
    let objected =
        |event: &&Happened| event.data.get("erased").and_then(serde_json::Value::as_bool) == Some(true);
    if erased > 0
        && let Some(event) = details.events.iter().rev().find(objected)
    {
        let said = html! { (fill(texts.erased_events, &[&count(texts, erased)])) };
        lines.push(Line { at_ms: event.at_ms, kind: "consent", said });
    }
    lines.sort_by_key(|line| line.at_ms);
    lines
}

/// The list.
pub(super) fn story(shell: &Shell<'_>, details: &CallDetails) -> Markup {
    let texts = shell.texts();
    let lines = lines(texts, details);
    html! {
        section {
            h2 { (texts.what_happened) }
            @if lines.is_empty() {
                p { (texts.timeline_gone) }
            } @else {
                ol.story {
                    @for line in &lines {
                        li.(line.kind) { span.at { (length(line.at_ms)) } " " span { (line.said) } }
                    }
                }
            }
        }
    }
}

fn line(texts: &Texts, event: &Happened) -> Option<(&'static str, Markup)> {
    let word = |name: &str| event.data.get(name).and_then(serde_json::Value::as_str).unwrap_or("–");
    let ms = |name: &str| event.data.get(name).and_then(serde_json::Value::as_u64).unwrap_or_default();
    let line = match event.kind.as_str() {
        "call.started" => ("call", html! { (texts.ev_started) }),
        "call.labelled" => {
            let told = ["queue", "tier", "agent", "team", "call_type", "language"];
            let told = told.iter().filter_map(|name| event.data.get(name)?.as_str());
            let told = told.map(clean).collect::<Vec<_>>().join(", ");
            ("call", html! { bdi { (fill(texts.ev_labelled, &[&told])) } })
        }
        "call.answered" => ("call", html! { (fill(texts.ev_answered, &[&length(ms("waited_ms"))])) }),
        "call.held" => ("hold", html! { (texts.ev_held) " (" (vocabulary::party(texts, word("by"))) ")" }),
        "call.resumed" => ("hold", html! { (fill(texts.ev_resumed, &[&length(ms("held_ms"))])) }),
        "consent.changed" => (
            "consent",
            html! {
                (texts.consent) ": " (vocabulary::consent(texts, word("state")))
                " (" (vocabulary::consent_by(texts, word("by"))) ")"
                @if event.data.get("erased").and_then(serde_json::Value::as_bool) == Some(true) {
                    ". " (texts.ev_erased)
                }
            },
        ),
        "announcement" => {
            let phase = match word("phase") {
                "started" => texts.ev_announcement_started,
                "finished" => texts.ev_announcement_finished,
                "interrupted" => texts.ev_announcement_interrupted,
                _ => texts.ev_announcement_failed,
            };
            ("consent", html! { (phase) " (" (vocabulary::party(texts, word("toward"))) ")" })
        }
        "affect.alert" => {
            let rising = word("phase") == "rising";
            let phase = if rising { texts.ev_alert_rose } else { texts.ev_alert_calmed };
            let by_words = event.data.get("stands_on").and_then(serde_json::Value::as_array);
            let by_words = by_words.is_some_and(|bases| bases.iter().any(|basis| basis == "words"));
            let alert = html! {
                (phase) ": " (vocabulary::alert(texts, word("alert")))
                @if rising && by_words { " (" (texts.by_words) ")" }
            };
            ("alert", alert)
        }
        "call.untappable" | "call.media" => {
            let restored = word("state") == "restored";
            let told = if restored { texts.ev_media_back } else { texts.ev_media_lost };
            let why = if event.kind == "call.media" { word("problem") } else { word("reason") };
            ("media", html! { (told) " (" (shown(why)) ")" })
        }
        "call.secured" => {
            let keys = super::technical::protection(&event.data);
            (
                "media",
                html! { (texts.ev_secured) " (" (vocabulary::party(texts, word("leg"))) "): " (shown(&keys)) },
            )
        }
        "words.final" => {
            ("words", html! { (vocabulary::party(texts, word("leg"))) ": " q { (spoken(word("text"))) } })
        }
        "words.topic" => {
            let phrase = shown(word("phrase"));
            ("words", html! { (vocabulary::topic(texts, word("topic"))) ": " q { (phrase) } })
        }
        "cue.shown" => ("coach", html! { (texts.desk_cue) ": " (spoken(word("line"))) }),
        "call.ended" => ("call", html! { (texts.ev_ended) ": " (vocabulary::cause(texts, word("cause"))) }),
        "conduct" | "affect.update" => return None,
        other => ("call", shown(other)),
    };
    Some(line)
}
