//! The conditions of the alert rules in `deploy/prometheus/sidetone.rules.yml`, evaluated here for those who look at a
//! page instead of Prometheus.
//!
//! A rule that speaks of a rate needs earlier values: some are kept, one each [`EVERY`], for the longest span that a
//! rule looks back. The time is an input.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use sidetone_pages::Alarm;

use crate::Stats;

/// The least time between two values that are kept.
pub(crate) const EVERY: Duration = Duration::from_secs(15);
/// The spans that rules look back.
const SHORT: Duration = Duration::from_secs(5 * 60);
const LONG: Duration = Duration::from_secs(15 * 60);
/// Refusals that are calls that were to be carried, as SidetoneRefusesCalls lists them.
const REFUSALS: [&str; 10] = [
    "full",
    "share",
    "rate",
    "lookup",
    "unroutable",
    "unanswered",
    "no_ports",
    "bad_sdp",
    "media_address",
    "media_security",
];
/// A certificate that ends within these seconds has to be renewed.
const CERTIFICATE: i64 = 7 * 86_400;
/// More events than these in the spool and not in the store are many.
const FAR_BEHIND: u64 = 10_000;

/// The counters that rules look at the rates of.
#[derive(Debug, Clone, Default)]
struct Counted {
    one_way: u64,
    answered: u64,
    ports_exhausted: u64,
    refused: BTreeMap<&'static str, u64>,
    tls_failed: BTreeMap<&'static str, u64>,
    insecure_answers: u64,
    tap_dropped: u64,
    shed: u64,
    panics: u64,
    analysis_panics: u64,
    spool_lost: u64,
    spool_failures: u64,
}

impl Counted {
    fn of(stats: &Stats) -> Self {
        let refused =
            REFUSALS.iter().map(|reason| (*reason, stats.refused.get(reason).copied().unwrap_or(0)));
        let of_ours = stats.sip.handshakes.tls_failed.iter().filter(|(role, ..)| *role == "client");
        Self {
            one_way: stats.totals.one_way,
            answered: stats.totals.answered,
            ports_exhausted: stats.media.ports_exhausted,
            refused: refused.collect(),
            tls_failed: of_ours.map(|(_, why, count)| (*why, *count)).collect(),
            insecure_answers: stats.totals.insecure,
            tap_dropped: stats.media.tap_dropped,
            shed: stats.analysis.shed,
            panics: stats.task_panics,
            analysis_panics: stats.analysis.panics,
            spool_lost: stats.spool.as_ref().map_or(0, |spool| spool.lost + spool.unread),
            spool_failures: stats.spool.as_ref().map_or(0, |spool| spool.failures),
        }
    }
}

/// Earlier values of the counters.
#[derive(Debug, Default)]
pub(crate) struct Earlier {
    /// With their time since the start, oldest first.
    kept: VecDeque<(Duration, Counted)>,
}

impl Earlier {
    /// Keeps the counters of this moment, unless others were kept a moment before.
    pub(crate) fn note(&mut self, now: Duration, stats: &Stats) {
        if self.kept.back().is_some_and(|(last, _)| now.saturating_sub(*last) < EVERY) {
            return;
        }
        self.kept.push_back((now, Counted::of(stats)));
        // One beyond the span stays: it is what the span's first value is compared with.
        while self.kept.get(1).is_some_and(|(at, _)| now.saturating_sub(*at) >= LONG) {
            self.kept.pop_front();
        }
    }

    /// The counters so long ago, or the oldest that are kept; those of a start, which are all 0, where none are.
    fn before(&self, now: Duration, span: Duration) -> Counted {
        let ago = self.kept.iter().rev().find(|(at, _)| now.saturating_sub(*at) >= span);
        match ago {
            Some((_, counted)) => counted.clone(),
            // Everything since the start lies within the span.
            None => Counted::default(),
        }
    }

    /// The alarms whose condition holds, each with the things that it is about.
    pub(crate) fn alarms(&self, now: Duration, stats: &Stats) -> Vec<(Alarm, String)> {
        let (count, short, long) = (Counted::of(stats), self.before(now, SHORT), self.before(now, LONG));
        let grew = |value: fn(&Counted) -> u64, before: &Counted| value(&count) > value(before);
        let down = |side: Option<&str>| {
            let hosts =
                stats.hosts.iter().filter(|host| !host.up && side.is_none_or(|side| host.side == side));
            hosts.map(|host| format!("{} ({})", host.peer, host.host)).collect::<Vec<_>>().join(", ")
        };
        let dead = |side: &&str| {
            let mut hosts = stats.hosts.iter().filter(|host| host.side == *side).peekable();
            hosts.peek().is_some() && hosts.all(|host| !host.up)
        };
        let dead_sides: Vec<&str> = ["trunk", "pbx"].into_iter().filter(|side| dead(side)).collect();
        let refused = |of: &Counted, reason: &str| of.refused.get(reason).copied().unwrap_or(0);
        let refusals: Vec<&str> =
            REFUSALS.into_iter().filter(|reason| refused(&count, reason) > refused(&short, reason)).collect();
        let failed = |of: &Counted, why: &str| of.tls_failed.get(why).copied().unwrap_or(0);
        let failures: Vec<&str> = count.tls_failed.keys().copied().collect();
        let failures: Vec<&str> =
            failures.into_iter().filter(|why| failed(&count, why) > failed(&short, why)).collect();
        let left = stats.sip.handshakes.certificate_left_s;
        let answered = count.answered.saturating_sub(short.answered);
        let one_way = count.one_way.saturating_sub(short.one_way);
        let waiting = stats.spool.as_ref().map_or(0, |spool| spool.waiting);
        let store = stats.store.as_ref();
        let holds = |alarm| match alarm {
            Alarm::SideDown => (!dead_sides.is_empty(), dead_sides.join(", ")),
            Alarm::PeerDown => (stats.hosts.iter().any(|host| !host.up), down(None)),
            // 0.05 answered calls a second, over five minutes.
            Alarm::OneWayAudio => (answered > 15 && one_way * 50 > answered, String::new()),
            Alarm::PortsExhausted => (grew(|it| it.ports_exhausted, &short), String::new()),
            Alarm::RefusesCalls => (!refusals.is_empty(), refusals.join(", ")),
            Alarm::CertificateEnds => (left.is_some_and(|left| left < CERTIFICATE), String::new()),
            Alarm::TlsFails => (!failures.is_empty(), failures.join(", ")),
            Alarm::InsecureAnswers => (grew(|it| it.insecure_answers, &short), String::new()),
            Alarm::HearsTooSlowly => (grew(|it| it.tap_dropped, &short), String::new()),
            Alarm::AnalysisBehind => (grew(|it| it.shed, &short), String::new()),
            Alarm::TaskPanicked => (grew(|it| it.panics, &long), String::new()),
            Alarm::ThreadMissed => (!stats.threads_missed.is_empty(), stats.threads_missed.join(", ")),
            Alarm::ModelMissing => (stats.model_missing, String::new()),
            Alarm::AnalysisBroke => (grew(|it| it.analysis_panics, &long), String::new()),
            Alarm::ReceiptsWait => {
                let waiting = stats.receipts_waiting.unwrap_or_default();
                (waiting > 0, waiting.to_string())
            }
            Alarm::SpoolLosesEvents => (grew(|it| it.spool_lost, &long), String::new()),
            Alarm::SpoolWaits => (waiting > 0 && grew(|it| it.spool_failures, &short), waiting.to_string()),
            Alarm::StoreDown => (store.is_some_and(|store| !store.up), String::new()),
            Alarm::StoreBehind => {
                let behind = store.map_or(0, |store| store.behind);
                (behind > FAR_BEHIND, behind.to_string())
            }
        };
        Alarm::ALL
            .iter()
            .filter_map(|alarm| {
                let (on, about) = holds(*alarm);
                on.then_some((*alarm, about))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::HostStats;

    const RULES: &str = include_str!("../../../deploy/prometheus/sidetone.rules.yml");

    fn at(minutes: u64) -> Duration {
        Duration::from_secs(minutes * 60)
    }

    fn alarms(earlier: &Earlier, minutes: u64, stats: &Stats) -> Vec<Alarm> {
        earlier.alarms(at(minutes), stats).into_iter().map(|(alarm, _)| alarm).collect()
    }

    #[test]
    fn every_rule_has_its_condition_and_no_other() {
        let mut rules: Vec<&str> =
            RULES.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
        // A process can't tell that it is gone.
        rules.retain(|rule| *rule != "SidetoneDown");
        let mut known: Vec<&str> = Alarm::ALL.iter().map(|alarm| alarm.rule()).collect();
        rules.sort_unstable();
        known.sort_unstable();
        assert_eq!(rules, known);
        assert!(RULES.contains(&format!("reason=~\"{}\"", REFUSALS.join("|"))));
        assert!(RULES.contains(&format!("sidetone_store_behind > {FAR_BEHIND}")));
    }

    #[test]
    fn an_idle_start_has_no_alarm() {
        assert_eq!(alarms(&Earlier::default(), 0, &Stats::default()), []);
    }

    #[test]
    fn what_grew_is_an_alarm_until_it_lies_beyond_its_span() {
        let (mut earlier, mut stats) = (Earlier::default(), Stats::default());
        earlier.note(at(0), &stats);
        stats.refused.insert("full", 1);
        stats.refused.insert("stranger", 9);
        stats.task_panics = 1;
        for minute in 1..=20 {
            earlier.note(at(minute), &stats);
            let held = alarms(&earlier, minute, &stats);
            assert_eq!(held.contains(&Alarm::RefusesCalls), minute <= 5, "{minute}: {held:?}");
            assert_eq!(held.contains(&Alarm::TaskPanicked), minute <= 15, "{minute}: {held:?}");
        }
        assert!(earlier.kept.len() <= 17, "bounded: {}", earlier.kept.len());
    }

    #[test]
    fn a_host_that_is_down_is_named_and_a_side_without_any_is_told() {
        let host = |side, up| HostStats {
            side,
            peer: "carrier".into(),
            host: "udp:192.0.2.1:5060".into(),
            up,
            heard: up,
        };
        let mut stats = Stats { hosts: vec![host("trunk", false), host("trunk", true)], ..Stats::default() };
        let told = Earlier::default().alarms(at(1), &stats);
        assert_eq!(told, [(Alarm::PeerDown, "carrier (udp:192.0.2.1:5060)".to_owned())]);
        stats.hosts.retain(|host| !host.up);
        assert_eq!(alarms(&Earlier::default(), 1, &stats), [Alarm::SideDown, Alarm::PeerDown]);
    }

    #[test]
    fn few_calls_one_way_among_many_are_no_alarm() {
        let mut stats = Stats::default();
        stats.totals.answered = 100;
        stats.totals.one_way = 2;
        assert_eq!(alarms(&Earlier::default(), 1, &stats), []);
        stats.totals.one_way = 3;
        assert_eq!(alarms(&Earlier::default(), 1, &stats), [Alarm::OneWayAudio]);
        stats.totals.answered = 10;
        assert_eq!(alarms(&Earlier::default(), 1, &stats), [], "too few to tell");
    }
}
