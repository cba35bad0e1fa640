//! The ladder: carrier, Sidetone and PBX as columns, a message an arrow.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use crate::cli::story::{self, Tone, Upsets};
use crate::cli::view::{Paint, cut};

/// Columns before the first lane: seconds since the first message, and a call's number where there are several.
const CLOCK: usize = 10;
/// The narrowest and the widest drawing.
const WIDTHS: (usize, usize) = (48, 110);
/// Most messages that are remembered to recognise repetitions; a trace may run for days.
const MOST_KNOWN: usize = 10_000;

/// Draws a trace line by line.
pub(super) struct Ladder {
    width: usize,
    paint: Paint,
    /// Whether several calls are shown.
    many: bool,
    /// Whether messages are printed whole.
    whole: bool,
    headed: bool,
    /// When the first message came, in microseconds since 1970.
    origin: Option<u64>,
    calls: BTreeMap<u64, Lanes>,
    known: HashSet<String>,
    upsets: Upsets,
}

/// The state of one call.
#[derive(Default)]
struct Lanes {
    /// The latest address of each side.
    remote: BTreeMap<&'static str, String>,
    /// The side that the last message came from, for addresses that belong to no peer.
    from: Option<&'static str>,
    mood: String,
}

impl Ladder {
    pub(super) fn new(width: usize, paint: Paint, many: bool, whole: bool) -> Self {
        let (calls, known, upsets) = (BTreeMap::new(), HashSet::new(), Upsets::default());
        let width = width.clamp(WIDTHS.0, WIDTHS.1);
        Self { width, paint, many, whole, headed: false, origin: None, calls, known, upsets }
    }

    /// The drawn lines for one line of the trace.
    pub(super) fn take(&mut self, line: &Value) -> Vec<String> {
        match text(line, "trace") {
            "waiting" => {
                let calls = line.get("calls").and_then(Value::as_u64).unwrap_or(1);
                let what =
                    if calls == 1 { "the next call".to_owned() } else { format!("the next {calls} calls") };
                vec![self.paint.dim(format!("waiting for {what}; Ctrl-C ends"))]
            }
            "call" => self.opening(line),
            "message" => self.message(line),
            "event" => self.event(line),
            "ended" if self.many => vec![self.note(line, &self.paint.dim("over"), 4)],
            _ => Vec::new(),
        }
    }

    /// The state of a call that was up before.
    fn opening(&mut self, line: &Value) -> Vec<String> {
        let (id, sip) = (text(line, "id"), text(line, "sip_call_id"));
        let age = line.get("age_ms").and_then(Value::as_u64).unwrap_or(0) / 1000;
        let state = format!(
            "{} by {} to {}, {}, up for {}:{:02}",
            text(line, "direction"),
            text(line, "trunk"),
            text(line, "pbx"),
            text(line, "phase"),
            age / 60,
            age % 60,
        );
        let mut lines = vec![
            format!("call {id}"),
            format!("Call-ID {sip}"),
            state,
            "what came before was not watched".to_owned(),
        ];
        lines.iter_mut().for_each(|line| *line = self.paint.dim(cut(line, self.width)));
        lines
    }

    /// Columns in front of the first lane.
    fn left(&self) -> usize {
        CLOCK + if self.many { 5 } else { 0 }
    }

    /// Columns of the three lanes.
    fn lanes(&self) -> [usize; 3] {
        let left = self.left();
        let half = (self.width - left - 1) / 2;
        [left, left + half, left + 2 * half]
    }

    /// Seconds since the first message, and the call's number.
    fn front(&mut self, line: &Value, at: Option<u64>) -> String {
        let origin = *self.origin.get_or_insert(at.unwrap_or(0));
        let clock = match at {
            Some(at) => format!("{:>8.3}", at.saturating_sub(origin) as f64 / 1e6),
            None => " ".repeat(8),
        };
        let number = line.get("call").and_then(Value::as_u64).unwrap_or(1);
        let call = if self.many { format!("{:<5}", format!("#{number}")) } else { String::new() };
        format!("{}  {call}", self.paint.dim(clock))
    }

    fn heading(&mut self, line: &Value) -> Vec<String> {
        if std::mem::replace(&mut self.headed, true) {
            return Vec::new();
        }
        let [left, middle, right] = self.lanes();
        let mut row = vec![' '; self.width + 1];
        put(&mut row, left, "carrier");
        put(&mut row, middle.saturating_sub(4), "sidetone");
        put(&mut row, right.saturating_sub(3), "PBX");
        let row: String = row.into_iter().collect();
        let time = text(line, "time").get(..19).unwrap_or_default().replace('T', " ");
        vec![self.paint.dim(format!("{time} UTC")), self.paint.bold(row.trim_end())]
    }

    fn message(&mut self, line: &Value) -> Vec<String> {
        let mut lines = self.heading(line);
        let at = line.get("unix_us").and_then(Value::as_u64);
        let incoming = text(line, "way") == "in";
        let call = line.get("call").and_then(Value::as_u64).unwrap_or(1);
        let again = self.is_known(line);
        if let Some(lost) = line.get("lost_before").and_then(Value::as_u64) {
            lines.push(self.note(line, &self.paint.red(format!("{lost} messages were not shown")), 4));
        }
        let lanes = self.calls.entry(call).or_default();
        let side = match (line.get("side").and_then(Value::as_str), incoming) {
            (Some("trunk"), _) => "trunk",
            (Some(_), _) => "pbx",
            // An address from a Contact or a Route: it lies opposite the last incoming message.
            (None, false) if lanes.from == Some("trunk") => "pbx",
            (None, false) => "trunk",
            (None, true) => "trunk",
        };
        if incoming {
            lanes.from = Some(side);
        }
        let remote = format!("{} {}", text(line, "transport"), text(line, "remote"));
        let moved = lanes.remote.insert(side, remote.clone()).is_none_or(|before| before != remote);
        let label = label(line, again);
        let front = self.front(line, at);
        let row = self.arrow(side, incoming, &label);
        let painted = match line.get("status").and_then(Value::as_u64) {
            Some(status) if status >= 400 && !matches!(status, 401 | 407 | 487) => self.paint.red(row),
            Some(200..300) => self.paint.green(row),
            _ if again => self.paint.dim(row),
            _ => row,
        };
        lines.push(format!("{front}{painted}"));
        if self.whole {
            lines.extend(text(line, "text").lines().map(|line| self.paint.dim(format!("    {line}"))));
        } else if let Some(sdp) = line.get("sdp").and_then(Value::as_str)
            && !again
        {
            for stream in sdp.split("; ") {
                lines.push(self.detail(stream));
            }
        }
        if moved {
            let peer = line.get("peer").and_then(Value::as_str).unwrap_or("no known peer");
            let way = if incoming { "from" } else { "to" };
            lines.push(self.detail(&format!("{way} {peer}, {remote}")));
        }
        lines
    }

    /// Whether the same message went the same way before: a retransmission.
    fn is_known(&mut self, line: &Value) -> bool {
        if self.known.len() >= MOST_KNOWN {
            self.known.clear();
        }
        let parts = ["call", "way", "remote", "branch", "cseq", "method", "status", "sdp"];
        let key: Vec<String> =
            parts.iter().map(|part| line.get(*part).map(Value::to_string).unwrap_or_default()).collect();
        !self.known.insert(key.join("\n"))
    }

    fn arrow(&self, side: &str, incoming: bool, label: &str) -> String {
        let [left, middle, right] = self.lanes();
        let mut row = vec![' '; right - left + 1];
        for lane in [0, middle - left, right - left] {
            put(&mut row, lane, "│");
        }
        let (from, to) = if side == "trunk" { (0, middle - left) } else { (middle - left, right - left) };
        let rightward = (side == "trunk") == incoming;
        let inside = to - from - 1;
        let label = cut(label, inside.saturating_sub(4));
        let rest = inside.saturating_sub(label.chars().count() + 3);
        let shaft = if rightward {
            format!("─ {label} {}>", "─".repeat(rest.saturating_sub(1)))
        } else {
            format!("<{} {label} ─", "─".repeat(rest.saturating_sub(1)))
        };
        put(&mut row, from + 1, &cut(&shaft, inside));
        row.into_iter().collect()
    }

    /// A line that continues the one above.
    fn detail(&self, words: &str) -> String {
        let indent = self.left() + 2;
        self.paint.dim(format!("{}{}", " ".repeat(indent), cut(words, self.width.saturating_sub(indent))))
    }

    fn note(&self, line: &Value, words: &str, indent: usize) -> String {
        let number = line.get("call").and_then(Value::as_u64).unwrap_or(1);
        let call = if self.many { format!("{:<5}", format!("#{number}")) } else { String::new() };
        format!("{}{call}{words}", " ".repeat(CLOCK.saturating_sub(indent) + indent))
    }

    fn event(&mut self, line: &Value) -> Vec<String> {
        let Some(event) = line.get("event") else { return Vec::new() };
        let call = line.get("call").and_then(Value::as_u64).unwrap_or(1);
        let kind = text(event, "kind");
        if kind == "conduct" {
            return Vec::new();
        }
        let by_words = event.get("data").is_some_and(|data| text(data, "modality") == "words");
        if kind == "affect.update" && by_words {
            return Vec::new();
        }
        if kind == "affect.update" {
            // A ladder shows changes only; `tail` shows every estimate.
            let state = event.get("data").map_or("", |data| text(data, "state")).to_owned();
            let lanes = self.calls.entry(call).or_default();
            if std::mem::replace(&mut lanes.mood, state.clone()) == state {
                return Vec::new();
            }
        }
        let (tone, words) = story::words(event, &mut self.upsets);
        let words = if kind == "call.started" {
            format!("{words}, {}", event.get("call").map_or("-", |call| text(call, "id")))
        } else {
            words
        };
        let told = line.get("unix_us").and_then(Value::as_u64);
        let at = told.or_else(|| millis(text(event, "time")).map(|at| at * 1_000));
        let front = self.front(line, at);
        let words = cut(&format!("* {words}"), self.width.saturating_sub(self.left()));
        let painted = match tone {
            Tone::Bad => self.paint.red(words),
            Tone::Good => self.paint.green(words),
            Tone::Quiet => self.paint.dim(words),
            Tone::Plain => self.paint.yellow(words),
        };
        vec![format!("{front}{painted}")]
    }
}

/// Milliseconds since 1970.
fn millis(time: &str) -> Option<u64> {
    time.parse::<sidetone_events::Timestamp>().ok().map(sidetone_events::Timestamp::unix_millis)
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or("-")
}

/// The text on an arrow.
fn label(line: &Value, again: bool) -> String {
    let cseq = line.get("cseq").and_then(Value::as_str).and_then(|cseq| cseq.split_once(' '));
    let mut label =
        match (line.get("method").and_then(Value::as_str), line.get("status").and_then(Value::as_u64)) {
            (Some(method), _) => method.to_owned(),
            (None, Some(status)) => {
                let mut label =
                    format!("{status} {}", text(line, "reason").trim_matches('-')).trim_end().to_owned();
                // INVITE is the usual method, so only others are named.
                if let Some((_, method)) = cseq.filter(|(_, method)| *method != "INVITE") {
                    label.push_str(&format!(" ({method})"));
                }
                label
            }
            _ => "?".to_owned(),
        };
    if again {
        label.push_str(" again");
    }
    label
}

/// Writes text into a row, up to the row's end.
fn put(row: &mut [char], at: usize, text: &str) {
    for (cell, c) in row.iter_mut().skip(at).zip(text.chars()) {
        *cell = c;
    }
}

#[cfg(test)]
mod tests;
