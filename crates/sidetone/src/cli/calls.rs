//! `sidetone calls` and `sidetone call ID`: the calls that are up, for people in the width of their terminal, for
//! programs as JSON.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use sidetone_serve::control::Request;

use super::control::Running;
use super::story::mood;
use super::view::{Paint, clock, cut, width, wrap};
use crate::cli::output::{Output, say, say_json};

/// Columns of a subject's name on a call's page.
const NAMES: usize = 10;
/// Utterances that a call's page shows.
const LATELY: usize = 5;
/// Width of the gap between two columns of a table.
const GAP: usize = 2;
/// The narrowest column in which a route is readable.
const SHORTEST_ROUTE: usize = 10;

#[derive(Debug, Args)]
pub(super) struct Calls {
    #[command(flatten)]
    running: Running,
}

impl Calls {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let answer = self.running.ask_once(&Request::Calls)?;
        let calls = answer.as_array().map(Vec::as_slice).unwrap_or_default();
        if output.json {
            calls.iter().try_for_each(say_json)?;
        } else if calls.is_empty() {
            say("no calls are up");
        } else {
            // Output for programs is not cut.
            let columns = if std::io::stdout().is_terminal() { width() } else { usize::MAX };
            table(calls, columns).into_iter().for_each(say);
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub(super) struct Call {
    /// Sidetone's id of the call, the last letters of it (six or more), or its SIP Call-ID.
    id: String,
    #[command(flatten)]
    running: Running,
}

impl Call {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let call = self.running.ask_once(&Request::Call { id: self.id.clone() })?;
        if output.json {
            say_json(&call)?;
        } else {
            page(&call, width(), Paint::detect()).into_iter().for_each(say);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    told(value, key).unwrap_or("-")
}

fn told<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str)
}

fn number(value: &Value, key: &str) -> Option<f64> {
    value.get(key).and_then(Value::as_f64)
}

fn age(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_u64).map(|millis| clock(Duration::from_millis(millis)))
}

fn seconds(value: &Value, key: &str) -> Option<String> {
    number(value, key).map(|millis| format!("{:.1} s", millis / 1000.0))
}

/// The call's direction and its parties.
fn route(call: &Value) -> String {
    let (trunk, pbx) = (text(call, "trunk"), text(call, "pbx"));
    match text(call, "direction") {
        "inbound" => format!("{trunk} > {pbx}"),
        "outbound" => format!("{pbx} > {trunk}"),
        _ => format!("{trunk} - {pbx}"),
    }
}

/// The calls in the given width. Where they do not fit, the route is cut, then left out, then valence, then the phase;
/// the id is never cut, since the other commands need it.
fn table(calls: &[Value], columns: usize) -> Vec<String> {
    let rows: Vec<[String; 6]> =
        std::iter::once(["CALL", "AGE", "PHASE", "SOUNDS", "VALENCE", "ROUTE"].map(str::to_owned))
            .chain(calls.iter().map(|call| {
                let affect = call.get("affect").unwrap_or(&Value::Null);
                let valence = number(affect, "valence").map(|valence| format!("{valence:+.2}"));
                [
                    text(call, "id").to_owned(),
                    age(call, "age_ms").unwrap_or_default(),
                    text(call, "phase").to_owned(),
                    told(affect, "state").map_or("-", mood).to_owned(),
                    valence.unwrap_or_else(|| "-".to_owned()),
                    route(call),
                ]
            }))
            .collect();
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let [.., whole_route] = widths;
    let beside = widths.iter().take(5).map(|width| width + GAP).sum::<usize>();
    let [_, _, phase, _, valence, route] = &mut widths;
    *route = whole_route.min(columns.saturating_sub(beside));
    if *route < SHORTEST_ROUTE.min(whole_route) {
        *route = 0;
        let mut over = (beside - GAP).saturating_sub(columns);
        for column in [valence, phase] {
            if over > 0 {
                over = over.saturating_sub(*column + GAP);
                *column = 0;
            }
        }
    }
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(widths).enumerate().filter(|(_, (_, width))| *width > 0);
        let cells = cells.map(|(column, (cell, width))| match column {
            // Numbers are right-aligned, words left-aligned.
            1 | 4 => format!("{cell:>width$}"),
            _ => format!("{:<width$}", cut(cell, width)),
        });
        cells.collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// One call, a line for each subject, with units.
fn page(call: &Value, columns: usize, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    lines.push(format!("{} {}", paint.bold(text(call, "id")), text(call, "phase")));
    let mut tell = |name: &str, facts: Vec<String>| {
        for (row, line) in
            wrap(&facts.join(", "), columns.saturating_sub(NAMES).max(20), 20).iter().enumerate()
        {
            let name = if row == 0 { name } else { "" };
            lines.push(format!("{}{line}", paint.dim(format!("{name:<NAMES$}"))));
        }
    };
    let up = age(call, "age_ms").map(|up| format!("up for {up}"));
    tell(
        "time",
        up.into_iter().chain(age(call, "talking_ms").map(|talk| format!("talking for {talk}"))).collect(),
    );
    tell("Call-ID", vec![text(call, "sip_call_id").to_owned()]);
    tell("route", vec![text(call, "direction").to_owned(), route(call)]);
    for leg in ["customer", "agent"] {
        let how = call.get("signalling").and_then(|both| both.get(leg)).map(super::story::signalling);
        tell("SIP", how.into_iter().flatten().map(|how| format!("{leg} by {how}")).collect());
    }
    let parties = ["caller", "callee"].map(|party| told(call, party).map(|hash| format!("{party} {hash}")));
    tell("numbers", parties.into_iter().flatten().collect());
    let named = |key: &str, word: &str| told(call, key).map(|name| format!("{word} {name}"));
    let pbx = [
        named("queue", "queue"),
        named("tier", "tier"),
        named("agent", "agent"),
        named("team", "team"),
        named("call_type", "call type"),
        named("language", "language"),
        named("party", ""),
    ];
    tell("labels", pbx.into_iter().flatten().map(|fact| fact.trim().to_owned()).collect());
    let listened =
        if call.get("analysed") == Some(&Value::Bool(true)) { "listened to" } else { "not listened to" };
    tell(
        "consent",
        vec![
            text(call, "consent").to_owned(),
            format!("policy {}", text(call, "policy")),
            listened.to_owned(),
        ],
    );
    if let Some(affect) = call.get("affect").filter(|affect| affect.is_object()) {
        tell("sounds", sounds(affect));
    }
    if let Some(alert) = call.get("alert").filter(|alert| alert.is_object()) {
        let score = number(alert, "score").map_or_else(String::new, |score| format!(", score {score:.2}"));
        tell("alert", vec![paint.red(format!("{} {}{score}", text(alert, "alert"), text(alert, "phase")))]);
    }
    if let Some(words) = call.get("words").filter(|words| words.is_object()) {
        let topics = words.get("topics").and_then(Value::as_array).into_iter().flatten();
        tell("topics", topics.map(|topic| text(topic, "topic").replace('_', " ")).collect());
        let said = words.get("said").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for (place, said) in said.iter().skip(said.len().saturating_sub(LATELY)).enumerate() {
            let name = if place == 0 { "said" } else { "" };
            let at = age(said, "from_ms").unwrap_or_default();
            tell(name, vec![format!("{at} {}", text(said, "text"))]);
        }
        if let Some(so_far) = told(words, "so_far") {
            tell("", vec![format!("{so_far} …")]);
        }
    }
    if let Some(conduct) = call.get("conduct").filter(|conduct| conduct.is_object()) {
        tell("talk", talk(conduct));
    }
    for stream in call.get("streams").and_then(Value::as_array).into_iter().flatten() {
        let name = text(stream, "kind");
        tell(
            name,
            told(stream, "untappable").map(|why| format!("can't be heard: {why}")).into_iter().collect(),
        );
        for leg in ["customer", "agent"] {
            let mut facts = sent(stream.get(leg).unwrap_or(&Value::Null));
            if let Some(first) = facts.first_mut() {
                *first = format!("from the {leg}: {first}");
            }
            tell(name, facts);
        }
    }
    lines
}

fn sounds(affect: &Value) -> Vec<String> {
    let mut facts = vec![mood(text(affect, "state")).to_owned(), text(affect, "trend").to_owned()];
    for (key, name) in [("valence", "valence"), ("arousal", "arousal")] {
        facts.extend(number(affect, key).map(|value| format!("{name} {value:+.2}")));
    }
    facts.extend(number(affect, "distress").map(|value| format!("upset {value:.2}")));
    facts.extend(number(affect, "confidence").map(|value| format!("confidence {:.0} %", value * 100.0)));
    facts.extend(seconds(affect, "speech_ms").map(|speech| format!("{speech} of speech judged")));
    facts
}

fn talk(conduct: &Value) -> Vec<String> {
    let mut facts = Vec::new();
    for leg in ["customer", "agent"] {
        let part = conduct.get(leg).unwrap_or(&Value::Null);
        if let Some(share) = number(part, "talk_share") {
            let talk = seconds(part, "talk_ms").unwrap_or_default();
            facts.push(format!("{leg} {:.0} % ({talk})", share * 100.0));
        }
    }
    for (key, name) in
        [("overlap_ms", "overlap"), ("longest_silence_ms", "longest silence"), ("hold_ms", "on hold")]
    {
        let some = number(conduct, key).is_some_and(|millis| millis > 0.0);
        facts.extend(seconds(conduct, key).filter(|_| some).map(|time| format!("{name} {time}")));
    }
    facts
}

/// One party's packets and their fate; zero counts are left out.
fn sent(leg: &Value) -> Vec<String> {
    let count = |key: &str| leg.get(key).and_then(Value::as_u64).unwrap_or(0);
    if ["packets", "rejected", "unauthentic", "replayed"].iter().all(|key| count(key) == 0) {
        return vec!["nothing has come".to_owned()];
    }
    let mut facts = vec![format!("{} packets", count("packets"))];
    facts.extend(told(leg, "codec").map(str::to_owned));
    facts.extend(told(leg, "security").map(|security| match security {
        "none" => "not encrypted".to_owned(),
        "awaited" => "keys are awaited".to_owned(),
        other => format!("encrypted by {other}"),
    }));
    facts.extend(number(leg, "jitter_ms").map(|jitter| format!("jitter {jitter:.1} ms")));
    for (key, words) in [
        ("lost", "lost before they came"),
        ("duplicates", "came twice"),
        ("reordered", "out of order"),
        ("rejected", "rejected, from another address"),
        ("unauthentic", "did not open with the keys agreed on"),
        ("replayed", "had come before"),
        ("undeliverable", "undeliverable"),
        ("unheard", "not heard, analysis was too slow"),
        ("by_kernel", "forwarded by the kernel"),
    ] {
        if count(key) > 0 {
            facts.push(format!("{} {words}", count(key)));
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "01JN8X0Q3GZP5T7W9Y1B2C4D6E";

    fn call() -> Value {
        let leg = json!({
            "codec": "pcmu", "security": "DTLS-SRTP", "packets": 1_500, "octets": 258_000, "lost": 2, "duplicates": 0, "reordered": 0,
            "jitter_ms": 0.273_437_5, "rtcp_packets": 5, "rejected": 0, "undeliverable": 0, "payload_type": 0, "unheard": 0
        });
        json!({
            "id": ID, "sip_call_id": "a84b4c76e66710@pc33.carrier.example", "direction": "inbound", "trunk": "carrier-south",
            "pbx": "asterisk-2", "caller": "0123456789abcdef01234567", "callee": "89abcdef0123456789abcdef",
            "phase": "talking", "age_ms": 3_723_400, "talking_ms": 3_700_000, "analysed": true, "consent": "given",
            "policy": "notice", "queue": "billing", "agent": "2001", "team": "north", "tier": null,
            "call_type": null, "language": null, "party": null,
            "signalling": {
                "customer": { "transport": "wss", "tls": { "version": "1.3", "cipher": "TLS_AES_256_GCM_SHA384" } },
                "agent": { "transport": "udp", "tls": null }
            },
            "affect": {
                "leg": "customer", "valence": -0.312_345, "arousal": 0.5, "distress": 0.25, "confidence": 0.625, "state": "frustrated",
                "trend": "worsening", "relative": null, "classes": {}, "speech_ms": 12_345, "estimates": 3, "abstained": 0
            },
            "alert": { "leg": "customer", "alert": "frustration", "phase": "rising", "score": 0.8125, "lasted_ms": null },
            "conduct": {
                "customer": { "talk_ms": 6_100, "talk_share": 0.61 }, "agent": { "talk_ms": 3_900, "talk_share": 0.39 },
                "overlap_ms": 1_250, "longest_silence_ms": 0, "hold_ms": 0
            },
            "streams": [{ "index": 0, "kind": "audio", "untappable": null, "customer": leg, "agent": { "packets": 0 } }]
        })
    }

    #[test]
    fn the_table_fits_narrow_terminals_and_keeps_the_id() {
        let quiet = json!({ "id": ID, "direction": "outbound", "trunk": "t", "pbx": "p", "phase": "calling", "age_ms": 900 });
        for columns in [45, 60, 80, 100] {
            let lines = table(&[call(), quiet.clone()], columns);
            assert_eq!(lines.len(), 3);
            assert!(lines.iter().all(|line| line.chars().count() <= columns), "{columns}: {lines:#?}");
            assert!(lines.iter().skip(1).all(|line| line.starts_with(ID)), "{lines:#?}");
            assert!(lines[1].contains("62:03"), "{columns}: {lines:#?}");
        }
        let wide = table(&[call(), quiet], usize::MAX);
        assert!(wide[1].contains("frustrated") && wide[1].contains("-0.31"), "{wide:#?}");
        assert!(wide[1].ends_with("carrier-south > asterisk-2") && wide[2].ends_with("p > t"), "{wide:#?}");
    }

    #[test]
    fn a_calls_page_has_units_and_no_more_digits_than_mean_something() {
        for columns in [60, 80] {
            let lines = page(&call(), columns, Paint(false));
            assert!(lines.iter().all(|line| line.chars().count() <= columns), "{columns}: {lines:#?}");
            let text = lines.iter().flat_map(|line| line.split_whitespace()).collect::<Vec<_>>().join(" ");
            for said in [
                "time up for 62:03, talking for 61:40",
                "route inbound, carrier-south > asterisk-2",
                "SIP customer by wss, TLS 1.3, TLS_AES_256_GCM_SHA384 SIP agent by udp",
                "queue billing, agent 2001, team north",
                "consent given, policy notice, listened to",
                "frustrated, worsening, valence -0.31",
                "confidence 62 %, 12.3 s of speech",
                "alert frustration rising, score 0.81",
                "customer 61 % (6.1 s)",
                "overlap 1.2 s",
                "from the customer: 1500 packets, pcmu, encrypted by DTLS-SRTP, jitter 0.3 ms, 2 lost",
                "from the agent: nothing has come",
            ] {
                assert!(text.contains(said), "no `{said}` in\n{}", lines.join("\n"));
            }
            assert!(!text.contains("_ms") && !text.contains("0.2734"), "{text}");
        }
        assert!(
            !page(&json!({}), 80, Paint(false)).is_empty(),
            "an older process is shown as far as it goes"
        );
    }
}
