//! Events in words, for people at a terminal: `tail` and `trace`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::IsTerminal;

use serde_json::Value;

use super::view::{Paint, width, wrap};

/// The importance of an event to a person who watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// The usual course.
    Plain,
    /// A measurement among many.
    Quiet,
    /// An operator should look.
    Bad,
    /// All is well again.
    Good,
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or("-")
}

fn seconds(value: &Value, key: &str) -> Option<String> {
    let millis = value.get(key)?.as_f64()?;
    Some(format!("{:.1} s", millis / 1000.0))
}

/// The style of events for people.
#[derive(Debug)]
pub(super) struct Page {
    width: usize,
    /// Whether the output is a terminal; output for programs is neither shortened nor wrapped.
    terminal: bool,
    paint: Paint,
    upsets: Upsets,
}

/// Most calls whose alerts are remembered; beyond it the words for their alerts are less exact.
const MOST_UPSETS: usize = 10_000;

/// The alerts that are up, by call. If one kind ends while the other is up, the caller has not calmed down.
#[derive(Debug, Default)]
pub(super) struct Upsets(HashMap<String, Vec<String>>);

impl Upsets {
    /// Takes an event; if an alert ends, returns the call's other alert that stays up.
    fn note(&mut self, event: &Value) -> Option<String> {
        let data = event.get("data")?;
        let id = text(event.get("call")?, "id");
        match (text(event, "kind"), text(data, "phase")) {
            ("call.ended", _) => _ = self.0.remove(id),
            ("affect.alert", "rising") => {
                if self.0.len() >= MOST_UPSETS {
                    self.0.clear();
                }
                self.0.entry(id.to_owned()).or_default().push(text(data, "alert").to_owned());
            }
            ("affect.alert", _) => {
                let up = self.0.get_mut(id)?;
                up.retain(|kind| kind != text(data, "alert"));
                return up.last().cloned();
            }
            _ => {}
        }
        None
    }
}

/// Letters of an id's end that name a call.
const SHORT_ID: usize = 6;

impl Page {
    /// Detects the style for standard output.
    pub(super) fn detect() -> Self {
        Self {
            width: width(),
            terminal: std::io::stdout().is_terminal(),
            paint: Paint::detect(),
            upsets: Upsets::default(),
        }
    }

    /// An event: the time, the end of the call's id, and the event's words; wrapped where the terminal is narrow.
    pub(super) fn lines(&mut self, event: &Value) -> Vec<String> {
        let (tone, words) = words(event, &mut self.upsets);
        let id = event.get("call").map_or("-", |call| text(call, "id"));
        let paint = |words: &str| match tone {
            Tone::Plain => words.to_owned(),
            Tone::Quiet => self.paint.dim(words),
            Tone::Bad => self.paint.red(words),
            Tone::Good => self.paint.green(words),
        };
        let time = text(event, "time");
        if !self.terminal {
            return vec![format!("{time} {id} {:<15} {words}", text(event, "kind"))];
        }
        let time = time.get(11..19).unwrap_or(time);
        let short = id.len().checked_sub(SHORT_ID).and_then(|at| id.get(at..)).unwrap_or(id);
        // The whole id appears once a call, so that it can be copied for other commands.
        let words = if text(event, "kind") == "call.started" { format!("{words}, {id}") } else { words };
        let margin = time.len() + short.len() + 4;
        let mut lines = Vec::new();
        for (number, words) in wrap(&words, self.width.saturating_sub(margin).max(20), 3).iter().enumerate() {
            let front = if number == 0 { format!("{time}  {short}") } else { " ".repeat(margin - 2) };
            lines.push(format!("{}  {}", self.paint.dim(front), paint(words)));
        }
        lines
    }
}

/// An event in words, on one line without time and call.
pub(super) fn words(event: &Value, upsets: &mut Upsets) -> (Tone, String) {
    let still_up = upsets.note(event);
    let data = event.get("data").unwrap_or(&Value::Null);
    let call = event.get("call").unwrap_or(&Value::Null);
    match text(event, "kind") {
        "call.started" => {
            let way = match text(call, "direction") {
                "outbound" => "out to",
                _ => "in from",
            };
            (Tone::Plain, format!("call {way} {}", text(call, "trunk")))
        }
        "call.labelled" => {
            let named = |key: &str, word: &str| data.get(key)?.as_str().map(|name| format!("{word} {name}"));
            let labels = [
                named("queue", "queue"),
                named("tier", "tier"),
                named("agent", "agent"),
                named("team", "team"),
                named("call_type", "call type"),
                named("language", "language"),
            ];
            let labels: Vec<String> = labels.into_iter().flatten().collect();
            (Tone::Plain, format!("labels: {}", labels.join(", ")))
        }
        "call.answered" => {
            let by = after(" by ", data.get("signalling").and_then(signalling));
            (Tone::Plain, format!("answered{}{by}", after(" after ", seconds(data, "waited_ms"))))
        }
        "call.held" => (Tone::Plain, format!("held by {}", text(data, "by"))),
        "call.resumed" => {
            let held = after(" after ", seconds(data, "held_ms"));
            (Tone::Plain, format!("resumed by {}{held}", text(data, "by")))
        }
        "call.untappable" if text(data, "state") == "restored" => (
            Tone::Good,
            format!("{} can be heard again, was: {}", whose_voice(data), untappable(text(data, "reason"))),
        ),
        "call.untappable" => {
            (Tone::Bad, format!("{} can't be heard: {}", whose_voice(data), untappable(text(data, "reason"))))
        }
        "call.secured" => secured(data),
        "call.media" => media(data),
        "consent.changed" => {
            let erased = if data.get("erased") == Some(&Value::Bool(true)) { "; erased" } else { "" };
            let (state, policy, by) = (text(data, "state"), text(data, "policy"), text(data, "by"));
            (Tone::Plain, format!("consent {state} (policy {policy}, by {by}){erased}"))
        }
        "announcement" => announcement(data),
        "affect.update" if text(data, "modality") == "words" => {
            (Tone::Quiet, format!("by words: {}", affect(data).1))
        }
        "affect.update" => affect(data),
        "words.final" => {
            let who = if text(data, "leg") == "agent" { "agent" } else { "customer" };
            (Tone::Plain, format!("{who}: {}", text(data, "text")))
        }
        "words.topic" => (
            Tone::Plain,
            format!("topic {}: {}", text(data, "topic").replace('_', " "), text(data, "phrase")),
        ),
        "affect.alert" => alert(data, still_up.as_deref()),
        "conduct" => conduct(data),
        "cue.shown" => (Tone::Plain, format!("cue {}: {}", text(data, "cue"), text(data, "line"))),
        "cue.cleared" => {
            let shown = after(" after ", seconds(data, "shown_ms"));
            (Tone::Quiet, format!("cue {} cleared: {}{shown}", text(data, "cue"), text(data, "why")))
        }
        "cue.acknowledged" => (Tone::Quiet, format!("cue {} acknowledged", text(data, "cue"))),
        "cue.dismissed" => (Tone::Quiet, format!("cue {} dismissed", text(data, "cue"))),
        "call.ended" => ended(data),
        kind => (Tone::Plain, format!("{kind}{}", scalars(data))),
    }
}

/// The display word for a state, the same in every command.
pub(super) fn mood(state: &str) -> &str {
    match state {
        "positive" => "pleased",
        "negative" => "displeased",
        other => other,
    }
}

fn after(before: &str, what: Option<String>) -> String {
    what.map_or_else(String::new, |what| format!("{before}{what}"))
}

fn whose_voice(data: &Value) -> String {
    data.get("leg")
        .and_then(Value::as_str)
        .map_or_else(|| "the stream".to_owned(), |leg| format!("the {leg}"))
}

/// The party of the audio, where one leg is concerned.
fn whose(data: &Value) -> String {
    data.get("leg")
        .and_then(Value::as_str)
        .map_or_else(|| "either party".to_owned(), |leg| format!("the {leg}"))
}

/// How SIP travels on a leg, with what TLS has agreed on; `None` of something else.
pub(super) fn signalling(how: &Value) -> Option<String> {
    let transport = how.get("transport")?.as_str()?;
    let tls = how.get("tls").filter(|tls| tls.is_object());
    let tls = tls.map(|tls| format!(", TLS {}, {}", text(tls, "version"), text(tls, "cipher")));
    Some(format!("{transport}{}", tls.unwrap_or_default()))
}

/// How a leg is protected.
fn secured(data: &Value) -> (Tone, String) {
    let leg = text(data, "leg");
    let keys = match text(data, "security") {
        "none" => return (Tone::Plain, format!("{leg} leg is plain RTP by now")),
        "dtls" => "DTLS-SRTP",
        _ => "SRTP",
    };
    (Tone::Plain, format!("{leg} leg by {keys}, {}", text(data, "suite")))
}

fn media(data: &Value) -> (Tone, String) {
    let leg = whose(data);
    let silent = after(" for ", seconds(data, "silent_ms"));
    match (text(data, "problem"), text(data, "state")) {
        ("one-way" | "timeout", "restored") => {
            (Tone::Good, format!("audio from {leg} again, missing{silent}"))
        }
        ("one-way", _) => (Tone::Bad, format!("no audio from {leg}{silent}")),
        ("rejected", "restored") => (Tone::Good, format!("audio from {leg} is taken again, was not{silent}")),
        ("rejected", _) => {
            (Tone::Bad, format!("no audio of {leg} is taken{silent}: wrong source (media.latching)"))
        }
        ("timeout", "kept") => (Tone::Plain, format!("silent{silent}; both still have the call, it goes on")),
        ("timeout", _) => (Tone::Bad, format!("no audio from {leg}{silent}; both are asked")),
        (problem, state) => (Tone::Bad, format!("media of {leg}: {problem} {state}{silent}")),
    }
}

/// Why a stream can't be heard, in words.
fn untappable(reason: &str) -> &str {
    match reason {
        "srtp" => "encrypted (SRTP)",
        "dtls" => "encrypted (DTLS)",
        "fax" => "a fax (T.38)",
        "not-audio" => "not audio",
        other => other,
    }
}

fn announcement(data: &Value) -> (Tone, String) {
    let (phase, name, language) = (text(data, "phase"), text(data, "name"), text(data, "language"));
    let tone = if phase == "failed" { Tone::Bad } else { Tone::Plain };
    let played = match phase {
        "started" => String::new(),
        _ => after(" after ", seconds(data, "played_ms")),
    };
    (tone, format!("announcement {name} ({language}) to the {} {phase}{played}", text(data, "toward")))
}

fn affect(data: &Value) -> (Tone, String) {
    let number = |key: &str| data.get(key).and_then(Value::as_f64).unwrap_or(0.0);
    let mut words = format!(
        "{:<10} valence {:+.2} arousal {:+.2} upset {:.2}",
        mood(text(data, "state")),
        number("valence"),
        number("arousal"),
        number("distress"),
    );
    let _ = write!(words, " sure {:.0} %", number("confidence") * 100.0);
    (Tone::Quiet, words)
}

fn alert(data: &Value, still_up: Option<&str>) -> (Tone, String) {
    let kind = text(data, "alert");
    let lasted = after(" after ", seconds(data, "lasted_ms"));
    match (text(data, "phase"), still_up) {
        ("rising", _) => (Tone::Bad, format!("ALERT {kind} rising{}", bases(data))),
        (_, Some(other)) => (Tone::Bad, format!("{kind} has become {other}{lasted}")),
        (_, None) => (Tone::Good, format!("{kind} calmed{lasted}")),
    }
}

/// What an alert stands on, where it is not the voice alone.
fn bases(data: &Value) -> String {
    let bases = data.get("stands_on").and_then(Value::as_array);
    let Some(bases) = bases else { return String::new() };
    let words: Vec<&str> = bases.iter().filter_map(Value::as_str).collect();
    let phrase = match text(data, "phrase") {
        "-" | "" => String::new(),
        phrase => format!(": {phrase}"),
    };
    format!(", by {}{phrase}", words.join(" and "))
}

fn conduct(data: &Value) -> (Tone, String) {
    let share = |leg: &str| data.get(leg).and_then(|leg| leg.get("talk_share")).and_then(Value::as_f64);
    let mut words = "talk".to_owned();
    match share("customer") {
        Some(share) => {
            _ = write!(words, " caller {:.0} % agent {:.0} %", share * 100.0, (1.0 - share) * 100.0);
        }
        None => words.push_str(" none yet"),
    }
    words.push_str(&after(", overlap ", seconds(data, "overlap_ms")));
    (Tone::Quiet, words)
}

fn ended(data: &Value) -> (Tone, String) {
    let cause = text(data, "cause");
    let mut words = format!("ended: {cause}");
    if let Some(by) = data.get("by").and_then(Value::as_str) {
        let _ = write!(words, " by {by}");
    }
    if let Some(status) = data.get("sip_status").and_then(Value::as_u64) {
        let _ = write!(words, ", SIP {status}");
    }
    let tone = if matches!(cause, "hangup" | "cancelled") { Tone::Plain } else { Tone::Bad };
    (tone, words)
}

/// The fields of an event whose kind this build does not know.
fn scalars(data: &Value) -> String {
    let mut words = String::new();
    for (key, value) in data.as_object().into_iter().flatten() {
        match value {
            Value::String(value) => _ = write!(words, " {key}={value}"),
            Value::Number(value) => _ = write!(words, " {key}={value}"),
            Value::Bool(value) => _ = write!(words, " {key}={value}"),
            Value::Null | Value::Array(_) | Value::Object(_) => {}
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_wraps_where_people_watch_and_is_whole_where_programs_read() {
        let event = json!({
            "kind": "announcement", "time": "2026-03-01T09:30:00.125Z", "call": { "id": "01JN8X0Q3GZP5T7W9Y1B2C4D6E" },
            "data": { "phase": "finished", "toward": "customer", "name": "notice", "language": "en", "played_ms": 4200 }
        });
        let page = |width, terminal| Page { width, terminal, paint: Paint(false), upsets: Upsets::default() };
        let narrow = page(60, true).lines(&event);
        assert_eq!(narrow[0], "09:30:00  2C4D6E  announcement notice (en) to the customer");
        assert_eq!(narrow[1], "                  finished after 4.2 s");
        let piped = page(60, false).lines(&event);
        assert_eq!(
            piped,
            [
                "2026-03-01T09:30:00.125Z 01JN8X0Q3GZP5T7W9Y1B2C4D6E announcement    announcement notice (en) to the customer finished after 4.2 s"
            ]
        );
    }

    #[test]
    fn every_kind_has_words_that_fit_a_narrow_terminal() {
        let call = json!({ "id": "x", "trunk": "carrier", "direction": "inbound" });
        for (kind, data, said) in [
            ("call.started", json!({ "analysed": true }), "call in from carrier"),
            ("call.answered", json!({ "waited_ms": 1500 }), "answered after 1.5 s"),
            ("call.held", json!({ "by": "agent" }), "held by agent"),
            (
                "call.labelled",
                json!({ "queue": "billing", "agent": "2001", "team": null, "tier": "vip", "call_type": null, "language": null }),
                "labels: queue billing, tier vip, agent 2001",
            ),
            ("call.resumed", json!({ "by": "agent", "held_ms": 2000 }), "resumed by agent after 2.0 s"),
            (
                "call.untappable",
                json!({ "stream": 0, "reason": "srtp", "leg": null }),
                "the stream can't be heard: encrypted (SRTP)",
            ),
            (
                "call.untappable",
                json!({ "stream": 0, "reason": "red", "leg": "customer", "state": "restored" }),
                "the customer can be heard again, was: red",
            ),
            (
                "call.media",
                json!({ "problem": "rejected", "state": "lost", "leg": "customer", "silent_ms": 5000 }),
                "no audio of the customer is taken for 5.0 s: wrong source (media.latching)",
            ),
            (
                "call.media",
                json!({ "problem": "rejected", "state": "restored", "leg": "customer", "silent_ms": 5000 }),
                "audio from the customer is taken again, was not for 5.0 s",
            ),
            (
                "call.media",
                json!({ "problem": "timeout", "state": "lost", "leg": null, "silent_ms": 60000 }),
                "no audio from either party for 60.0 s; both are asked",
            ),
            (
                "call.media",
                json!({ "problem": "timeout", "state": "kept", "leg": null, "silent_ms": 60000 }),
                "silent for 60.0 s; both still have the call, it goes on",
            ),
            (
                "call.media",
                json!({ "problem": "timeout", "state": "restored", "leg": null, "silent_ms": 60000 }),
                "audio from either party again, missing for 60.0 s",
            ),
            (
                "call.media",
                json!({ "problem": "one-way", "state": "lost", "leg": "agent", "silent_ms": 3000 }),
                "no audio from the agent for 3.0 s",
            ),
            (
                "consent.changed",
                json!({ "state": "opted-out", "policy": "notice", "by": "key", "erased": true }),
                "consent opted-out (policy notice, by key); erased",
            ),
            (
                "announcement",
                json!({ "phase": "finished", "toward": "customer", "name": "notice", "language": "en", "played_ms": 4200 }),
                "announcement notice (en) to the customer finished after 4.2 s",
            ),
            (
                "affect.alert",
                json!({ "alert": "frustration", "phase": "rising" }),
                "ALERT frustration rising",
            ),
            (
                "call.ended",
                json!({ "cause": "rejected", "by": "agent", "sip_status": 486 }),
                "ended: rejected by agent, SIP 486",
            ),
            (
                "conduct",
                json!({ "customer": { "talk_share": 0.55 }, "overlap_ms": 800 }),
                "talk caller 55 % agent 45 %, overlap 0.8 s",
            ),
        ] {
            let (_, words) =
                words(&json!({ "kind": kind, "call": call, "data": data }), &mut Upsets::default());
            assert_eq!(words, said);
        }
        let affect = json!({ "state": "frustrated", "valence": -0.5, "arousal": 0.5, "distress": 0.9, "confidence": 0.8 });
        let event = json!({ "kind": "affect.update", "call": call, "data": affect });
        let (tone, words) = words(&event, &mut Upsets::default());
        assert_eq!(tone, Tone::Quiet);
        assert!(words.len() <= 60, "{words}");
    }

    #[test]
    fn a_caller_who_is_still_upset_is_not_told_to_be_calm() {
        let mut upsets = Upsets::default();
        let mut told = |id: &str, alert: &str, phase: &str| {
            let data = json!({ "alert": alert, "phase": phase });
            words(&json!({ "kind": "affect.alert", "call": { "id": id }, "data": data }), &mut upsets).1
        };
        told("a", "distress", "rising");
        told("a", "frustration", "rising");
        assert_eq!(told("b", "distress", "calmed"), "distress calmed");
        assert_eq!(told("a", "distress", "calmed"), "distress has become frustration");
        assert_eq!(told("a", "frustration", "calmed"), "frustration calmed");
    }
}
