//! The report on analysed calls for people: a few lines for each call, and a table of many.

use sidetone_events::{CallRef, Event, Happening, HashedNumber};
use sidetone_insight::{Alert, Basis, Summary};

use super::super::view::{clock, kind_word};
use super::replay::{Heard, Roles};
use crate::cli::output::say;

/// Digits of a hashed number that are shown: enough to distinguish the parties of one report.
const SHOWN: usize = 8;

/// When a call began, to the second, in UTC.
fn began(call: &Heard) -> String {
    call.began.to_string().get(..19).unwrap_or_default().replace('T', " ")
}

/// A number's hash, cut short.
fn short(number: Option<&HashedNumber>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string().chars().take(SHOWN).collect())
}

/// The call's time, parties, and name in other systems.
fn name(call: &Heard) -> String {
    let CallRef { caller, callee, sip_call_id, .. } = &call.call;
    let began = began(call);
    match &call.ends {
        Some((from, to)) if caller.is_none() && callee.is_none() => format!("{began} UTC, {from} to {to}"),
        _ if call.is_signalled => format!(
            "{began} UTC, from {} to {} (hashed), Call-ID {sip_call_id}",
            short(caller.as_ref()),
            short(callee.as_ref())
        ),
        _ => format!("{began} UTC"),
    }
}

/// Prints one call.
pub(super) fn call(heading: &str, call: &Heard) {
    say(heading);
    say(format_args!("  {}", name(call)));
    let Summary { duration, sentiment, conduct, analysis, .. } = &call.summary;
    let length = clock(*duration);
    match &call.roles {
        Roles::Unknown { doubt, .. } => {
            say(format_args!("  {length} of call, nobody judged: it isn't known who the customer is"));
            if let Some(doubt) = doubt {
                say(format_args!("  who placed the call is no answer: {doubt}"));
            }
        }
        Roles::Known(customer) => {
            say(format_args!(
                "  {length} of call, {:.0} s of the customer's speech judged, {} estimates, {} declined",
                analysis.judged.as_secs_f32(),
                analysis.estimates,
                analysis.abstained
            ));
            say(format_args!("  customer: {customer}"));
            match sentiment {
                Some(sentiment) => say(format_args!(
                    "  sounds {:+.2} at the start, {:+.2} at the end (shift {:+.2}); lowest {:+.2} at {}",
                    sentiment.start,
                    sentiment.end,
                    sentiment.shift,
                    sentiment.lowest.valence,
                    clock(sentiment.lowest.at)
                )),
                None => say("  too little speech to say how the customer sounds"),
            }
        }
    }
    call.events.iter().filter_map(alert).for_each(say);
    let (one, other) = match &call.roles {
        Roles::Known(_) => ("customer", "agent"),
        Roles::Unknown { one, other, .. } => (one.as_str(), other.as_str()),
    };
    if call.one_sided {
        let talk = conduct.customer.talk.max(conduct.agent.talk);
        say(format_args!("  talk: {:.0} s; the other party isn't in this recording", talk.as_secs_f32()));
    } else if let Some(share) = conduct.customer.talk_share {
        say(format_args!(
            "  talk: {one} {:.0} %, {other} {:.0} %; overlap {:.1} s, longest silence {:.1} s, on hold {:.0} s",
            share * 100.0,
            (1.0 - share) * 100.0,
            conduct.overlap.as_secs_f32(),
            conduct.longest_silence.as_secs_f32(),
            conduct.hold.as_secs_f32()
        ));
    }
    call.events.iter().filter_map(words).for_each(say);
    for note in &call.notes {
        say(format_args!("  {note}"));
    }
    let speed = duration.as_secs_f64() / call.took.as_secs_f64().max(1e-6);
    say(format_args!("  heard in {:.2} s: {speed:.0} times faster than real time", call.took.as_secs_f64()));
}

fn alert(event: &Event) -> Option<String> {
    match &event.happening {
        Happening::AffectAlert(alert) => Some(
            format!(
                "  {}  {} {:?}, score {:.2}{}",
                clock(event.at),
                kind_word(alert.alert),
                alert.phase,
                alert.score,
                bases(alert)
            )
            .to_lowercase(),
        ),
        _ => None,
    }
}

/// What an alert stands on, where it is not the voice alone.
fn bases(alert: &Alert) -> String {
    if alert.stands_on == [Basis::Voice] {
        return String::new();
    }
    let words: Vec<&str> = alert.stands_on.iter().map(|basis| basis.word()).collect();
    format!(", by {}", words.join(" and "))
}

/// What the customer said, and what it is about.
fn words(event: &Event) -> Option<String> {
    match &event.happening {
        Happening::WordsFinal(words) => {
            Some(format!("  {}  \u{201c}{}\u{201d}", clock(words.from), words.text))
        }
        Happening::WordsTopic(topic) => Some(format!(
            "        {}, {:.0} %: {}",
            topic.topic.name().replace('_', " "),
            topic.probability * 100.0,
            topic.phrase
        )),
        _ => None,
    }
}

/// A line of the table.
#[derive(Debug)]
pub(super) struct Row([String; 9]);

impl Row {
    /// The column headings.
    fn heading() -> Self {
        Self(
            ["began (UTC)", "length", "talk", "start", "end", "lowest", "alerts", "from", "recording"]
                .map(str::to_owned),
        )
    }

    pub(super) fn of(recording: &str, call: &Heard) -> Self {
        let Summary { duration, sentiment, conduct, alerts, .. } = &call.summary;
        let judged = matches!(call.roles, Roles::Known(_));
        let valence =
            |value: Option<f32>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:+.2}"));
        let share = conduct.customer.talk_share.filter(|_| judged);
        Self([
            began(call),
            clock(*duration),
            share.map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", share * 100.0)),
            valence(sentiment.map(|sentiment| sentiment.start)),
            valence(sentiment.map(|sentiment| sentiment.end)),
            valence(sentiment.map(|sentiment| sentiment.lowest.valence)),
            if judged { (alerts.frustration + alerts.distress).to_string() } else { "-".to_owned() },
            short(call.call.caller.as_ref()),
            recording.to_owned(),
        ])
    }
}

/// The table, with columns as wide as their content.
pub(super) fn table(rows: Vec<Row>) -> Vec<String> {
    let rows: Vec<Row> = std::iter::once(Row::heading()).chain(rows).collect();
    let mut widths = [0; 9];
    for Row(cells) in &rows {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |Row(cells): &Row| {
        let cells = cells.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
            // Numbers are right-aligned, words left-aligned.
            1..=6 => format!("{cell:>width$}"),
            _ => format!("{cell:<width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let row = |last: &str| {
            Row(["a", "00:10", "5 %", "-", "+0.10", "-1.00", "12", "0a1b2c3d", last].map(str::to_owned))
        };
        let lines = table(vec![row("x.wav"), row("a longer name.pcap")]);
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("began (UTC)  length  talk"));
        let column = |line: &str, word: &str| line.find(word).unwrap();
        assert_eq!(column(&lines[0], "recording"), column(&lines[1], "x.wav"));
        assert_eq!(column(&lines[1], "x.wav"), column(&lines[2], "a longer"));
        assert!(lines[1].contains(" 00:10   5 %"), "{}", lines[1]);
    }
}
