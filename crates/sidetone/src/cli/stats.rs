//! `sidetone stats`: the counters of the running process, for people by subject and with units, for programs as JSON.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use sidetone_serve::control::Request;

use super::control::Running;
use super::view::{Paint, width, wrap};
use crate::cli::output::{Output, say, say_json};

/// Columns of a subject's name.
const NAMES: usize = 10;

#[derive(Debug, Args)]
pub(super) struct Stats {
    #[command(flatten)]
    running: Running,
}

impl Stats {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let stats = self.running.ask_once(&Request::Stats)?;
        if output.json {
            say_json(&stats)?;
        } else {
            page(&stats, width(), Paint::detect()).into_iter().for_each(say);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A subject's facts; zero counts are left out where zero is good news.
struct Subject<'v> {
    value: &'v Value,
    facts: Vec<String>,
}

impl<'v> Subject<'v> {
    fn of(value: &'v Value, key: &str) -> Self {
        Self { value: value.get(key).unwrap_or(&Value::Null), facts: Vec::new() }
    }

    fn number(&self, key: &str) -> u64 {
        self.value.get(key).and_then(Value::as_u64).unwrap_or(0)
    }

    /// A number that is always shown. `words` holds singular and plural, as in `worker/workers`.
    fn always(mut self, key: &str, words: &str) -> Self {
        let number = self.number(key);
        self.facts.push(format!("{} {}", grouped(number), worded(number, words)));
        self
    }

    /// A number that is shown unless it is zero.
    fn unless_none(self, key: &str, words: &str) -> Self {
        if self.number(key) > 0 { self.always(key, words) } else { self }
    }

    /// Every number of an inner table that is not zero; `words` makes the text from its name.
    fn each(mut self, key: &str, words: impl Fn(&str) -> String) -> Self {
        for (name, value) in self.value.get(key).and_then(Value::as_object).into_iter().flatten() {
            if let Some(number) = value.as_u64().filter(|number| *number > 0) {
                let words = words(&name.replace('_', " "));
                self.facts.push(format!("{} {}", grouped(number), worded(number, &words)));
            }
        }
        self
    }
}

/// The page, in the given width.
fn page(stats: &Value, width: usize, paint: Paint) -> Vec<String> {
    // Long: the page, subject by subject.
    let mut lines = Vec::new();
    let uptime = stats.get("uptime_s").and_then(Value::as_u64).unwrap_or(0);
    let version = stats.get("version").and_then(Value::as_str).unwrap_or("?");
    let draining = stats.get("draining") == Some(&Value::Bool(true));
    let state = if draining { paint.yellow("draining: no new calls") } else { paint.green("taking calls") };
    lines.push(format!("{}, up for {}, {state}", paint.bold(format!("sidetone {version}")), lasted(uptime)));
    let mut tell = |name: &str, facts: Vec<String>| {
        if facts.is_empty() {
            return;
        }
        for (number, line) in
            wrap(&facts.join(", "), width.saturating_sub(NAMES).max(20), 20).iter().enumerate()
        {
            let name = if number == 0 { name } else { "" };
            lines.push(format!("{}{line}", paint.dim(format!("{name:<NAMES$}"))));
        }
    };
    let up = stats.get("calls").and_then(Value::as_u64).unwrap_or(0);
    let mut calls = Subject::of(stats, "totals").always("started", "started").always("answered", "answered");
    calls.facts.insert(0, format!("{} up", grouped(up)));
    let calls = calls
        .unless_none("hung_up", "hung up")
        .unless_none("unanswered", "never answered")
        .unless_none("media_timeouts", "ended for want of media")
        .unless_none("ended_otherwise", "ended otherwise")
        .unless_none("one_way", "with one-way audio")
        .unless_none("untappable", "stream/streams that can't be heard")
        .unless_none("closed_overdue", "closed without their summary");
    tell("calls", calls.facts);
    tell("refused", Subject { value: stats, facts: Vec::new() }.each("refused", refusal).facts);
    tell("consent", consent(stats));
    tell("journal", journal(stats));
    tell("spool", spool(stats));
    tell("store", store(stats));
    let sip = Subject::of(stats, "sip")
        .always("transactions", "transaction/transactions now")
        .unless_none("dialogs", "dialog/dialogs held")
        .unless_none("connections", "connection/connections")
        .each("requests", |name| format!("{name} received"))
        .each("responses_in", |class| format!("{class} received"))
        .each("responses_out", |class| format!("{class} sent"))
        .unless_none("retransmissions_in", "retransmission/retransmissions received")
        .unless_none("retransmissions_out", "retransmission/retransmissions sent")
        .unless_none("failovers", "failover/failovers")
        .unless_none("timeouts", "timeout/timeouts")
        .unless_none("subscriptions", "subscription/subscriptions")
        .unless_none("info_legs", "dialog/dialogs with INFO")
        .each("rejected", rejected);
    tell("SIP", sip.facts);
    tell("TLS, SRTP", encryption(stats));
    tell("media", media(stats));
    tell("analysis", analysis(stats));
    tell("words", words(stats));
    tell("events", events(stats));
    tell("links", list(stats, "links", link));
    tell(
        "hosts",
        list(stats, "hosts", |host| {
            let up = if host.get("up") == Some(&Value::Bool(true)) { "up" } else { "DOWN" };
            format!("{} {} {up}", text(host, "peer"), text(host, "host"))
        }),
    );
    if let Some(panics) = stats.get("task_panics").and_then(Value::as_u64).filter(|panics| *panics > 0) {
        let tasks = worded(panics, "task/tasks");
        lines.push(paint.red(format!("{panics} {tasks} panicked: see the log, and report it")));
    }
    lines
}

fn refusal(reason: &str) -> String {
    match reason {
        "stranger" => "request/requests or connection/connections of strangers".to_owned(),
        "full" => "call/calls beyond limits.calls".to_owned(),
        "share" => "call/calls beyond a peer's share".to_owned(),
        "unanswered" => "call/calls that no host answered".to_owned(),
        "no dialog" => "request/requests in dialogs that are not held".to_owned(),
        "no relay" => "request/requests to hosts of no peer".to_owned(),
        "flow_failed" => "request/requests for clients whose connection was closed".to_owned(),
        "merged" => "request/requests that came twice, by two ways".to_owned(),
        "rate" => "call/calls beyond limits.calls_per_second".to_owned(),
        "draining" => "call/calls while draining".to_owned(),
        "unroutable" => "request/requests without a host to go to".to_owned(),
        "no ports" => "call/calls without media ports".to_owned(),
        "bad sdp" => "call/calls with unreadable SDP".to_owned(),
        "media address" => "call/calls with media aimed where it must not go".to_owned(),
        other => format!("for {other}"),
    }
}

fn rejected(reason: &str) -> String {
    match reason {
        "malformed dropped" => "malformed and dropped".to_owned(),
        "malformed answered" => "malformed and refused".to_owned(),
        "refused" => "request/requests refused".to_owned(),
        "loop" => "request/requests that went in a circle".to_owned(),
        "overloaded" => "request/requests refused for want of room".to_owned(),
        "answer withheld" => "answer/answers withheld".to_owned(),
        other => match other.rsplit_once(' ') {
            Some((front, last)) => format!("{front} {last}/{last}s"),
            None => format!("{other}/{other}s"),
        },
    }
}

fn consent(stats: &Value) -> Vec<String> {
    let totals = Subject::of(stats, "totals")
        .unless_none("consents", "time/times given")
        .unless_none("opted_out", "opted out")
        .unless_none("declined", "not agreed")
        .unless_none("announcements", "announcement/announcements")
        .unless_none("announcement_failures", "announcement/announcements that failed")
        .unless_none("tellings_unknown", "telling/tellings without a meaning")
        .unless_none("tellings_unplaced", "telling/tellings of no one call")
        .unless_none("receipts_lost", "receipt/receipts lost");
    let mut facts = totals.facts;
    if let Some(receipts) = stats.get("receipts").and_then(Value::as_u64) {
        facts.push(format!("{} {} written", grouped(receipts), worded(receipts, "receipt/receipts")));
    }
    let waiting = stats.get("receipts_waiting").and_then(Value::as_u64).filter(|waiting| *waiting > 0);
    facts.extend(waiting.map(|waiting| {
        format!("{} {} waiting for the disk", grouped(waiting), worded(waiting, "receipt/receipts"))
    }));
    facts
}

/// Nothing where calls are not written down.
fn journal(stats: &Value) -> Vec<String> {
    if stats.get("journal").is_none_or(Value::is_null) {
        return Vec::new();
    }
    Subject::of(stats, "journal")
        .always("calls", "call/calls written down")
        .unless_none("waiting", "change/changes waiting for the disk")
        .unless_none("failures", "time/times that it could not be written")
        .unless_none("carried_on", "call/calls of the process before carried on")
        .unless_none("given_up", "call/calls of the process before closed")
        .facts
}

/// Nothing where no spool is kept.
fn spool(stats: &Value) -> Vec<String> {
    let Some(readers) = stats.pointer("/spool/readers").and_then(Value::as_array) else { return Vec::new() };
    let spool = Subject::of(stats, "spool");
    let size = spool.number("bytes");
    let mut facts = spool
        .always("written", "event/events written")
        .unless_none("waiting", "event/events waiting for the disk")
        .unless_none("lost", "event/events lost")
        .unless_none("unread", "event/events deleted unread")
        .unless_none("failures", "time/times that it could not be written")
        .unless_none("erasures_owed", "call/calls still to be erased")
        .facts;
    facts.push(bytes(size));
    let behind = readers.iter().filter_map(|reader| {
        let name = reader.get("name")?.as_str()?;
        let behind = reader.get("behind")?.as_u64().filter(|behind| *behind > 0)?;
        Some(format!("reader {name} is {} behind", grouped(behind)))
    });
    facts.extend(behind);
    facts
}

/// Nothing where no store is kept.
fn store(stats: &Value) -> Vec<String> {
    let Some(kept) = stats.get("store").filter(|store| store.is_object()) else { return Vec::new() };
    let mut facts = Subject::of(stats, "store")
        .always("written", "event/events written")
        .unless_none("behind", "event/events to come")
        .unless_none("lost", "event/events lost on the way")
        .unless_none("skipped", "event/events not understood")
        .unless_none("failures", "time/times that it could not be written")
        .unless_none("expired", "call/calls deleted for their age")
        .facts;
    facts.extend(kept.get("trouble").and_then(Value::as_str).map(|trouble| format!("now: {trouble}")));
    facts
}

fn media(stats: &Value) -> Vec<String> {
    let media = Subject::of(stats, "media");
    let octets = media.number("octets");
    let mut media = media
        .always("streams", "stream/streams now")
        .always("ports", "port/ports taken")
        .always("packets", "packet/packets forwarded");
    media.facts.push(bytes(octets));
    let media = media
        .unless_none("by_kernel", "of them by the kernel")
        .unless_none("kernel_ways", "way/ways in the kernel now")
        .unless_none("untold", "packet/packets of the kernel's that were not told of")
        .unless_none("lost", "lost before they came")
        .each("dropped", |reason| format!("packet/packets dropped ({reason})"))
        .unless_none("ports_exhausted", "time/times without a free port")
        .unless_none("announced", "announcement packet/packets")
        .unless_none("held", "packet/packets held back by announcements")
        .unless_none("tap_dropped", "copy/copies that analysis was too slow for")
        .unless_none("one_way_streams", "one-way stream/streams")
        .unless_none("unwatched_sockets", "socket/sockets that can't be watched")
        .unless_none("reports_dropped", "report/reports dropped")
        .unless_none("notices_lost", "notice/notices lost");
    let unled = Subject { value: stats, facts: Vec::new() };
    let unled = unled.each("unled", |reason| format!("SDP body/bodies not led ({reason})"));
    media.facts.into_iter().chain(unled.facts).collect()
}

/// Handshakes and their failures, by reason; nothing where nothing is encrypted.
fn encryption(stats: &Value) -> Vec<String> {
    let handshakes = stats.pointer("/sip/handshakes").unwrap_or(&Value::Null);
    let rows = |key: &str| handshakes.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let count = |row: &Value, at: usize| row.get(at).and_then(Value::as_u64).unwrap_or(0);
    let word =
        |row: &Value, at: usize| row.get(at).and_then(Value::as_str).unwrap_or_default().replace('_', " ");
    let mut facts = Vec::new();
    let connected: u64 = rows("tls").iter().map(|row| count(row, 2)).sum();
    if connected > 0 {
        facts.push(format!("{} {}", grouped(connected), worded(connected, "TLS handshake/handshakes")));
    }
    for row in rows("tls_failed").iter().filter(|row| count(row, 2) > 0) {
        let of = if word(row, 0) == "client" { "to hosts" } else { "of clients" };
        facts.push(format!("{} TLS {of} failed ({})", grouped(count(row, 2)), word(row, 1)));
    }
    for row in rows("websocket").iter().filter(|row| count(row, 1) > 0) {
        let outcome = word(row, 0);
        let outcome = if outcome == "opened" { outcome } else { format!("not opened ({outcome})") };
        facts.push(format!("{} WebSocket {outcome}", grouped(count(row, 1))));
    }
    if let Some(left) = handshakes.get("certificate_left_s").and_then(Value::as_i64) {
        facts.push(match left.div_euclid(86_400) {
            ..0 => "the certificate has ended".to_owned(),
            days => format!("the certificate ends in {days} days"),
        });
    }
    let legs = Subject::of(stats, "media")
        .each("handshakes", |outcome| format!("DTLS handshake/handshakes {outcome}"));
    let totals = Subject::of(stats, "totals")
        .unless_none("insecure", "answer/answers without the protection that is demanded");
    facts.into_iter().chain(legs.facts).chain(totals.facts).collect()
}

fn analysis(stats: &Value) -> Vec<String> {
    let analysis = Subject::of(stats, "analysis");
    let seconds = |millis: u64| format!("{:.1} s", millis as f64 / 1000.0);
    let (heard, busy) = (analysis.number("model_ms"), analysis.number("busy_us") / 1000);
    let mut analysis = analysis
        .always("workers", "worker/workers")
        .always("calls", "call/calls listened to")
        .unless_none("packets", "packet/packets heard")
        .unless_none("shed", "packet/packets shed")
        .unless_none("estimates", "estimate/estimates");
    if heard > 0 {
        analysis.facts.push(format!("{} of customers' audio listened to", seconds(heard)));
        analysis.facts.push(format!("{} of CPU", seconds(busy)));
    }
    let totals = Subject::of(stats, "totals")
        .unless_none("alerts_raised", "alert/alerts raised")
        .unless_none("alerts_calmed", "calmed")
        .unless_none("affect_updates", "update/updates told");
    analysis.facts.extend(totals.facts);
    analysis
        .unless_none("panics", "call/calls whose analysis broke")
        .unless_none("abandoned", "call/calls given up for want of time")
        .facts
}

/// Nothing where no words are recognised.
fn words(stats: &Value) -> Vec<String> {
    if !stats.get("language").is_some_and(Value::is_object) {
        return Vec::new();
    }
    let language = Subject::of(stats, "language");
    let (waited, busy) = (language.number("waited_us"), language.number("busy_us"));
    let (waiting, told) = (language.number("waiting_ms"), language.number("utterances"));
    let seconds = |seconds: f64| format!("{seconds:.1} s");
    let mut language = language
        .always("parties", "party/parties recognised now")
        .always("utterances", "utterance/utterances recognised")
        .unless_none("shed", "shed for want of time")
        .unless_none("beyond", "of calls beyond language.calls")
        .unless_none("doubted", "doubted and dropped")
        .unless_none("abandoned", "given up with their call or consent")
        .unless_none("failed", "that the recogniser failed on")
        .unless_none("provisional", "provisional piece/pieces recognised")
        .unless_none("shed_provisional", "provisional piece/pieces shed");
    if waiting > 0 {
        language.facts.push(format!("{} of speech waiting", seconds(waiting as f64 / 1e3)));
    }
    if told > 0 {
        let behind = seconds(waited as f64 / 1e6 / told as f64);
        language.facts.push(format!("{behind} behind on average"));
    }
    if busy > 0 {
        language.facts.push(format!("{} of CPU", seconds(busy as f64 / 1e6)));
    }
    language.facts
}

fn events(stats: &Value) -> Vec<String> {
    let mut facts =
        vec![format!("{} told", grouped(stats.get("events").and_then(Value::as_u64).unwrap_or(0)))];
    facts.extend(list(stats, "sinks", |sink| {
        let number = |key: &str| sink.get(key).and_then(Value::as_u64).unwrap_or(0);
        let mut words = format!("{}: {} delivered", text(sink, "name"), grouped(number("delivered")));
        for (key, what) in [("queued", "waiting"), ("dropped", "dropped"), ("failed", "failed")] {
            if number(key) > 0 {
                words.push_str(&format!(" {} {what}", grouped(number(key))));
            }
        }
        words
    }));
    facts
}

fn link(link: &Value) -> String {
    let number = |key: &str| link.get(key).and_then(Value::as_u64).unwrap_or(0);
    let up = if link.get("connected") == Some(&Value::Bool(true)) { "up" } else { "DOWN" };
    let mut words =
        format!("{} {} {up} {} sent", text(link, "pbx"), text(link, "kind"), grouped(number("sent")));
    for (key, what) in [("failed", "failed"), ("dropped", "dropped")] {
        if number(key) > 0 {
            words.push_str(&format!(" {} {what}", grouped(number(key))));
        }
    }
    words
}

fn list(stats: &Value, key: &str, words: impl Fn(&Value) -> String) -> Vec<String> {
    stats.get(key).and_then(Value::as_array).into_iter().flatten().map(words).collect()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or("-")
}

/// The form in `worker/workers …` that fits the number.
fn worded(number: u64, words: &str) -> String {
    let suits = |word: &str| match word.split_once('/') {
        Some((one, _)) if number == 1 => one.to_owned(),
        Some((_, many)) => many.to_owned(),
        None => word.to_owned(),
    };
    words.split(' ').map(suits).collect::<Vec<_>>().join(" ")
}

/// A number with thousands separators.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Bytes in a fitting unit.
fn bytes(number: u64) -> String {
    let mut value = number as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 {
            return if unit == "B" { format!("{number} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

/// A duration, in its two largest units.
fn lasted(seconds: u64) -> String {
    let duration = Duration::from_secs(seconds).as_secs();
    let (days, hours, minutes) = (duration / 86_400, duration / 3_600 % 24, duration / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", duration % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_have_units_and_zeros_that_one_hopes_for_are_left_out() {
        let stats = json!({
            "version": "0.1.0", "uptime_s": 7_384, "task_panics": 0, "draining": false, "calls": 3, "calls_in_book": 3,
            "totals": { "started": 12_345, "answered": 12_000, "hung_up": 11_900, "one_way": 0, "opted_out": 4 },
            "refused": { "stranger": 7, "full": 0, "media_address": 1 },
            "sip": {
                "transactions": 9, "connections": 0, "requests": { "INVITE": 13_000, "MESSAGE": 0 },
                "responses_in": { "2xx": 12_000 }, "responses_out": {}, "rejected": {},
                "handshakes": {
                    "tls": [["server", "1.2", 0], ["server", "1.3", 41]],
                    "tls_failed": [["server", "no_certificate", 3], ["client", "unknown_authority", 1], ["client", "slow", 0]],
                    "websocket": [["opened", 7], ["origin", 2], ["version", 0]],
                    "certificate_left_s": 864_010
                }
            },
            "media": { "streams": 3, "ports": 12, "packets": 1_234_567, "octets": 212_345_678, "dropped": { "rejected_source": 2 } },
            "analysis": { "workers": 1, "calls": 2, "model_ms": 65_000, "busy_us": 1_500_000 },
            "language": {
                "parties": 2, "waiting_ms": 1_500, "utterances": 40, "shed": 3, "doubted": 0, "waited_us": 20_000_000,
                "busy_us": 9_000_000
            },
            "events": 99, "sinks": [{ "name": "file", "delivered": 99, "queued": 0, "dropped": 0, "failed": 0 }],
            "links": [], "hosts": [{ "side": "pbx", "peer": "asterisk", "host": "udp:10.0.0.5:5060", "up": false }]
        });
        for columns in [60, 80] {
            let lines = page(&stats, columns, Paint(false));
            assert!(lines.iter().all(|line| line.chars().count() <= columns), "{lines:#?}");
            // Line breaks depend on the width.
            let text = lines.iter().flat_map(|line| line.split_whitespace()).collect::<Vec<_>>().join(" ");
            for said in [
                "sidetone 0.1.0, up for 2 h 3 min, taking calls",
                "calls 3 up, 12,345 started, 12,000 answered",
                "refused 1 call with media aimed where it must not go, 7 requests or connections of strangers",
                "TLS, SRTP 41 TLS handshakes, 3 TLS of clients failed (no certificate), 1 TLS to hosts failed (unknown authority)",
                "7 WebSocket opened, 2 WebSocket not opened (origin), the certificate ends in 10 days",
                "analysis 1 worker, 2 calls listened to",
                "2 packets dropped (rejected source)",
                "4 opted out",
                "1,234,567 packets",
                "212.3 MB",
                "65.0 s of customers' audio",
                "words 2 parties recognised now, 40 utterances recognised, 3 shed for want of time",
                "1.5 s of speech waiting, 0.5 s behind on average, 9.0 s of CPU",
                "asterisk udp:10.0.0.5:5060 DOWN",
            ] {
                assert!(text.contains(said), "no `{said}` in\n{text}");
            }
            assert!(
                !text.contains("doubted") && !text.contains("MESSAGE") && !text.contains("one-way"),
                "{text}"
            );
        }
    }

    #[test]
    fn an_older_or_newer_process_is_shown_as_far_as_it_goes() {
        assert!(!page(&json!({}), 80, Paint(false)).is_empty());
    }

    #[test]
    fn numbers_are_legible() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([12, 12_345, 5_000_000_000_000].map(bytes), ["12 B", "12.3 kB", "5.0 TB"]);
        assert_eq!([5, 65, 3_700, 90_000].map(lasted), ["5 s", "1 min 5 s", "1 h 1 min", "1 d 1 h"]);
    }
}
