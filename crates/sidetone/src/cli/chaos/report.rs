//! What a drill has shown, from the counters before, during and after it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use sidetone_drill::Fault;

/// Counters that rise when something is amiss with what listens, tells or keeps; a part of their path.
const TROUBLE: [&str; 15] = [
    "task_panics",
    "log_lines_dropped",
    "media.tap_dropped",
    "media.reports_dropped",
    "media.notices_lost",
    "analysis.shed",
    "analysis.failed",
    "analysis.panics",
    "analysis.abandoned",
    "language.failed",
    "language.shed",
    "receipt_failures",
    "journal.failures",
    "spool.failures",
    "store.failures",
];
/// The same of each sink and link.
const TROUBLE_OF_EACH: [&str; 5] = ["dropped", "failed", "retries", "disconnects", "lost"];
/// What a packet was lost by here.
const HARM: [&str; 3] = ["media.dropped.send_error", "media.dropped.undeliverable", "media.orders_lost"];
/// Looks in a row without new trouble, until all counts as well again.
const CALM_LOOKS: u32 = 4;

/// Why a fault would show nothing.
pub(super) fn nothing_to_break(fault: Fault, stats: &Value) -> Option<&'static str> {
    let absent = |key: &str| stats.get(key).is_none_or(Value::is_null);
    let none_in = |key: &str| stats.get(key).and_then(Value::as_array).is_none_or(Vec::is_empty);
    let webhooks = || {
        let sinks = stats.get("sinks").and_then(Value::as_array).into_iter().flatten();
        sinks.filter_map(|sink| sink.get("name")?.as_str()).any(|name| name.starts_with("webhook"))
    };
    let workers = || number(stats, "analysis.workers").unwrap_or(0) == 0;
    match fault {
        Fault::ModelFrozen | Fault::ModelSlow | Fault::ModelPanics | Fault::ModelNan | Fault::HearPanics
            if workers() =>
        {
            Some("nobody is listened to here")
        }
        Fault::WordsFrozen if absent("language") => Some("no words are recognised here"),
        Fault::DiskFull if ["spool", "journal", "receipts", "store"].into_iter().all(absent) => {
            Some("neither spool, journal, receipts nor store are kept here")
        }
        Fault::Receipts if absent("receipts") => Some("no receipts are kept here"),
        Fault::Store if absent("store") => Some("no store is kept here"),
        Fault::Webhook if !webhooks() => Some("no webhook is told of events here"),
        Fault::Pbx if none_in("links") => Some("no PBX is linked here"),
        _ => None,
    }
}

fn number(stats: &Value, path: &str) -> Option<u64> {
    path.split('.').try_fold(stats, |value, key| value.get(key))?.as_u64()
}

/// All counters of trouble.
fn troubles(stats: &Value) -> BTreeMap<String, u64> {
    let mut found: BTreeMap<String, u64> = TROUBLE
        .into_iter()
        .chain(HARM)
        .filter_map(|path| Some((path.to_owned(), number(stats, path)?)))
        .collect();
    for (list, name) in [("sinks", "name"), ("links", "pbx")] {
        for each in stats.get(list).and_then(Value::as_array).into_iter().flatten() {
            let name = each.get(name).and_then(Value::as_str).unwrap_or("-");
            for counter in TROUBLE_OF_EACH {
                if let Some(count) = each.get(counter).and_then(Value::as_u64) {
                    found.insert(format!("{name}.{counter}"), count);
                }
            }
        }
    }
    found
}

/// What is missed, as readiness would tell it.
fn missed(stats: &Value) -> Vec<String> {
    let mut missed: Vec<String> = stats
        .get("threads_missed")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    if stats.pointer("/store/up").and_then(Value::as_bool) == Some(false) {
        missed.push("the store".to_owned());
    }
    for link in stats.get("links").and_then(Value::as_array).into_iter().flatten() {
        if link.get("connected").and_then(Value::as_bool) == Some(false) {
            let name = |key| link.get(key).and_then(Value::as_str).unwrap_or("-");
            missed.push(format!("the link to {} ({})", name("pbx"), name("kind")));
        }
    }
    missed
}

/// Watches a drill by its counters.
#[derive(Debug)]
pub(super) struct Watch {
    fault: Fault,
    seconds: u64,
    before: Value,
    last: Value,
    /// The most of each counter: the reader of a drill goes with it.
    most: BTreeMap<String, u64>,
    /// Packets when the look before was taken, and the looks during which calls had media and none was forwarded.
    packets: u64,
    still: u64,
    /// The most calls that were up.
    calls: u64,
    missed: Vec<String>,
    calm: u32,
    recovered: Option<Duration>,
}

impl Watch {
    /// Before it begins.
    pub(super) fn new(fault: Fault, seconds: u64, before: Value) -> Self {
        let (packets, calls) = (number(&before, "media.packets").unwrap_or(0), number(&before, "calls"));
        Self {
            fault,
            seconds,
            last: before.clone(),
            most: BTreeMap::new(),
            packets,
            still: 0,
            calls: calls.unwrap_or(0),
            missed: Vec::new(),
            calm: 0,
            recovered: None,
            before,
        }
    }

    /// A look while it lasts.
    pub(super) fn during(&mut self, stats: Value) {
        let packets = number(&stats, "media.packets").unwrap_or(0);
        self.still += u64::from(packets == self.packets);
        self.packets = packets;
        self.calls = self.calls.max(number(&stats, "calls").unwrap_or(0));
        for missed in missed(&stats) {
            if !self.missed.contains(&missed) {
                self.missed.push(missed);
            }
        }
        self.look(stats);
    }

    fn look(&mut self, stats: Value) {
        for (name, count) in troubles(&stats) {
            let most = self.most.entry(name).or_default();
            *most = count.max(*most);
        }
        self.last = stats;
    }

    /// A look after its end; whether all is well again.
    pub(super) fn after(&mut self, since: Duration, stats: Value) -> bool {
        let missed_before = missed(&self.before);
        let well = troubles(&stats) == troubles(&self.last)
            && missed(&stats).iter().all(|missed| missed_before.contains(missed));
        self.look(stats);
        if well {
            self.recovered.get_or_insert(since);
            self.calm += 1;
        } else {
            (self.calm, self.recovered) = (0, None);
        }
        self.calm >= CALM_LOOKS
    }

    /// What it has shown.
    pub(super) fn report(self) -> Report {
        let before = troubles(&self.before);
        let mut rose: BTreeMap<String, u64> = self
            .most
            .into_iter()
            .map(|(name, count)| {
                let first = before.get(&name).copied().unwrap_or(0);
                (name, count.saturating_sub(first))
            })
            .filter(|(_, rose)| *rose > 0)
            .collect();
        let harmed =
            HARM.into_iter().filter_map(|name| Some((name.to_owned(), rose.remove(name)?))).collect();
        let forwarded = self.packets.saturating_sub(number(&self.before, "media.packets").unwrap_or(0));
        Report {
            fault: self.fault,
            seconds: self.seconds,
            calls: self.calls,
            packets_forwarded: forwarded,
            packets_harmed: harmed,
            looks_without_a_packet: self.still,
            missed: self.missed,
            rose,
            recovered_after_s: self
                .recovered
                .filter(|_| self.calm >= CALM_LOOKS)
                .map(|after| after.as_secs_f64()),
        }
    }
}

/// What a drill has shown.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    fault: Fault,
    seconds: u64,
    /// The most calls that were up.
    calls: u64,
    /// Packets forwarded while it lasted.
    packets_forwarded: u64,
    /// Packets and orders lost here meanwhile, by reason.
    packets_harmed: BTreeMap<String, u64>,
    /// Half seconds in which no packet was forwarded: of calls, of which none has any, or of media that stood still.
    looks_without_a_packet: u64,
    /// What was missed.
    missed: Vec<String>,
    /// By how much counters of trouble rose.
    rose: BTreeMap<String, u64>,
    /// When all was well again after the end, in seconds; absent if it was not.
    recovered_after_s: Option<f64>,
}

impl Report {
    /// Whether calls had no harm, and all was well again.
    pub(super) fn is_fine(&self) -> bool {
        self.packets_harmed.is_empty() && self.recovered_after_s.is_some()
    }

    /// For people.
    pub(super) fn lines(&self) -> Vec<String> {
        let Self { fault, seconds, calls, packets_forwarded, .. } = self;
        let mut lines = vec![format!("{fault}: {}, for {seconds} s with {calls} calls up", fault.what())];
        let list = |all: &BTreeMap<String, u64>| {
            let all: Vec<String> = all.iter().map(|(name, count)| format!("{name} +{count}")).collect();
            all.join(", ")
        };
        let media = if self.packets_harmed.is_empty() {
            format!("{packets_forwarded} packets forwarded, none lost here")
        } else {
            format!("{packets_forwarded} packets forwarded; LOST: {}", list(&self.packets_harmed))
        };
        lines.push(format!("  media      {media}"));
        if self.packets_forwarded == 0 {
            lines.push("             nobody sent any: of media this shows nothing".to_owned());
        }
        if !self.missed.is_empty() {
            lines.push(format!("  missed     {}", self.missed.join("; ")));
        }
        let nothing = "nothing: no call asked for what was broken";
        let rose = if self.rose.is_empty() { nothing.to_owned() } else { list(&self.rose) };
        if !self.rose.is_empty() || self.missed.is_empty() {
            lines.push(format!("  counted    {rose}"));
        }
        lines.push(match self.recovered_after_s {
            Some(after) => format!("  recovered  {after:.1} s after the end"),
            None => "  recovered  NOT within a minute: see `sidetone stats` and the log".to_owned(),
        });
        lines
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stats(packets: u64, shed: u64, connected: bool) -> Value {
        json!({
            "calls": 2, "threads_missed": [], "media": { "packets": packets, "orders_lost": 0,
            "dropped": { "send_error": 0, "undeliverable": 0 } }, "analysis": { "workers": 1, "shed": shed },
            "links": [{ "pbx": "main", "kind": "ami", "connected": connected, "failed": 0 }],
        })
    }

    #[test]
    fn it_tells_what_was_missed_and_when_all_was_well_again() {
        let mut watch = Watch::new(Fault::Pbx, 20, stats(100, 0, true));
        watch.during(stats(200, 3, false));
        assert!(!watch.after(Duration::from_secs(1), stats(300, 4, false)));
        for look in 2..5 {
            assert!(!watch.after(Duration::from_secs(look), stats(300, 4, true)), "{look}");
        }
        assert!(watch.after(Duration::from_secs(5), stats(400, 4, true)));
        let report = watch.report();
        assert!(report.is_fine());
        assert_eq!(report.packets_forwarded, 100);
        assert_eq!(report.missed, ["the link to main (ami)"]);
        assert_eq!(report.rose, BTreeMap::from([("analysis.shed".to_owned(), 4)]));
        assert_eq!(report.recovered_after_s, Some(2.0));
    }

    #[test]
    fn what_is_lost_here_and_what_does_not_recover_is_not_fine() {
        let mut watch = Watch::new(Fault::Pbx, 20, stats(100, 0, true));
        let mut lossy = stats(200, 0, true);
        lossy["media"]["dropped"]["send_error"] = json!(1);
        watch.during(lossy.clone());
        for _ in 0..CALM_LOOKS {
            watch.after(Duration::from_secs(1), lossy.clone());
        }
        assert!(!watch.report().is_fine());
        let mut watch = Watch::new(Fault::Pbx, 20, stats(100, 0, true));
        watch.after(Duration::from_secs(1), stats(100, 0, false));
        let report = watch.report();
        assert!(!report.is_fine());
        assert!(
            report.lines().iter().any(|line| line.contains("NOT within a minute")),
            "{:?}",
            report.lines()
        );
    }

    #[test]
    fn what_is_not_there_can_not_be_broken() {
        let there = stats(0, 0, true);
        assert_eq!(nothing_to_break(Fault::Pbx, &there), None);
        assert_eq!(nothing_to_break(Fault::ModelSlow, &there), None);
        for absent in [Fault::Store, Fault::Receipts, Fault::Webhook, Fault::WordsFrozen, Fault::DiskFull] {
            assert!(nothing_to_break(absent, &there).is_some(), "{absent}");
        }
    }
}
