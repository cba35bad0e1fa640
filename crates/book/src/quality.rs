//! Whether a call's media flow as they should: one-way audio, packets that latching rejects, silence on both sides.

use std::net::IpAddr;
use std::time::Duration;

use sidetone_call::{Direction, MediaKind, Side, StreamPlan};
use sidetone_rtp::one_way::{End, Flow, Heard, OneWayDetector};

use sidetone_relay::StreamReport;

/// How long a side may be silent before the call counts as one-way: comfort noise and hold music pause less.
const ONE_WAY_AFTER: Duration = Duration::from_secs(5);

/// A change in how a call's media flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// This side sends nothing though it may, while the other side sends.
    OneWay { silent: Side, for_: Duration },
    /// The side sends again.
    Restored { silent: Side, for_: Duration },
    /// Nothing has come from either side for longer than allowed. Repeated each time that this period has passed, with
    /// `again` if nothing has come since the last report.
    TimedOut { for_: Duration, again: bool },
    /// Packets come again after that.
    Flows { for_: Duration },
    /// All packets from this side are rejected; `from` is the source of the newest.
    Rejected { side: Side, from: Option<IpAddr>, for_: Duration },
    /// A packet from this side is let in again.
    Admitted { side: Side, for_: Duration },
}

/// The packets that had come from one side when one was last let in, and what has become of later ones.
#[derive(Debug, Clone, Copy, Default)]
struct Arrived {
    packets: u64,
    rejected: u64,
    /// Since when all packets were rejected.
    since: Option<Duration>,
    told: bool,
}

/// This many packets make a stream, and not a stray: a second of audio.
const STREAM: u64 = 50;

/// Watches one call.
#[derive(Debug)]
pub(crate) struct Watch {
    one_way: OneWayDetector,
    may_send: [Option<Duration>; 2],
    silent: Option<(Side, Duration)>,
    active: Duration,
    /// Since when nothing comes from either side, once that was reported.
    quiet: Option<Duration>,
    trunk: Arrived,
    pbx: Arrived,
}

impl Watch {
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            one_way: OneWayDetector::new(ONE_WAY_AFTER),
            may_send: [None; 2],
            silent: None,
            active: now,
            quiet: None,
            trunk: Arrived::default(),
            pbx: Arrived::default(),
        }
    }

    /// SDP has agreed on something, or the call was answered or held: this changes which side may send.
    pub(crate) fn plan(&mut self, now: Duration, plan: &StreamPlan, answered: bool) {
        if plan.kind != MediaKind::Audio {
            return;
        }
        let open = |end: &sidetone_call::EndPlan, sends: bool| match end.direction {
            Direction::SendRecv => true,
            Direction::SendOnly => sends,
            Direction::RecvOnly => !sends,
            Direction::Inactive => false,
        };
        let both_there = plan.trunk.is_there() && plan.pbx.is_there();
        let may = |sender, receiver| answered && both_there && open(sender, true) && open(receiver, false);
        for (since, may) in
            self.may_send.iter_mut().zip([may(&plan.trunk, &plan.pbx), may(&plan.pbx, &plan.trunk)])
        {
            *since = may.then(|| since.unwrap_or(now));
        }
        // A hold, or its end, starts the clock anew.
        self.active = self.active.max(now);
    }

    /// Whether nothing has come on any of the call's streams for too long. `newest` is the newest packet of them all;
    /// time on hold doesn't count.
    pub(crate) fn timed_out(
        &mut self,
        now: Duration,
        newest: Option<Duration>,
        held: bool,
        timeout: Duration,
    ) -> Option<Change> {
        let newest = newest.unwrap_or_default();
        if let Some(since) = self.quiet.filter(|since| newest > *since) {
            self.quiet = None;
            self.active = self.active.max(newest);
            return Some(Change::Flows { for_: newest.saturating_sub(since) });
        }
        self.active = self.active.max(newest);
        if held || timeout.is_zero() {
            self.active = now;
        }
        let silent_for = now.saturating_sub(self.active);
        if silent_for < timeout || timeout.is_zero() {
            return None;
        }
        let again = self.quiet.is_some();
        let since = *self.quiet.get_or_insert(self.active);
        self.active = now;
        Some(Change::TimedOut { for_: now.saturating_sub(since), again })
    }

    /// Since when nothing has come from either side, if that was reported and still holds.
    pub(crate) fn quiet(&self) -> Option<Duration> {
        self.quiet
    }

    /// Whether all packets from a side are rejected for their source. Called once a second, for the conversation's
    /// stream.
    pub(crate) fn rejected(&mut self, now: Duration, report: &StreamReport) -> Option<Change> {
        for (side, end, arrived) in
            [(Side::Trunk, &report.trunk, &mut self.trunk), (Side::Pbx, &report.pbx, &mut self.pbx)]
        {
            if end.packets > arrived.packets {
                let told = arrived.since.filter(|_| arrived.told);
                *arrived = Arrived { packets: end.packets, rejected: end.rejected, ..Arrived::default() };
                if let Some(since) = told {
                    return Some(Change::Admitted { side, for_: now.saturating_sub(since) });
                }
            } else if end.rejected > arrived.rejected {
                let since = *arrived.since.get_or_insert(now);
                let for_ = now.saturating_sub(since);
                if !arrived.told && for_ >= ONE_WAY_AFTER && end.rejected - arrived.rejected >= STREAM {
                    arrived.told = true;
                    return Some(Change::Rejected { side, from: end.rejected_from, for_ });
                }
            }
        }
        None
    }

    /// Whether the conversation's stream flows one way only. Called once a second.
    pub(crate) fn one_way(&mut self, now: Duration, report: &StreamReport) -> Option<Change> {
        let [trunk_since, pbx_since] = self.may_send;
        let heard = |last, may_send_since| Heard { last, may_send_since };
        let flow = self.one_way.observe(
            now,
            heard(report.trunk.last_heard, trunk_since),
            heard(report.pbx.last_heard, pbx_since),
        )?;
        match flow {
            Flow::OneWay { silent } => {
                let (side, last, since, arrived) = match silent {
                    End::A => (Side::Trunk, report.trunk.last_heard, trunk_since, self.trunk),
                    End::B => (Side::Pbx, report.pbx.last_heard, pbx_since, self.pbx),
                };
                // The side sends, and is rejected: a report of its own says so.
                if arrived.since.is_some() {
                    return None;
                }
                let from = last.max(since).unwrap_or(now);
                self.silent = Some((side, from));
                Some(Change::OneWay { silent: side, for_: now.saturating_sub(from) })
            }
            Flow::Sound => self
                .silent
                .take()
                .map(|(silent, from)| Change::Restored { silent, for_: now.saturating_sub(from) }),
            Flow::Quiet => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sidetone_call::{DtlsPlan, EndPlan, IcePlan, Protection};

    use super::*;
    use sidetone_relay::EndReport;

    const TIMEOUT: Duration = Duration::from_secs(60);

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn plan(trunk: Direction, pbx: Direction) -> StreamPlan {
        let end = |direction| EndPlan {
            remote_rtp: Some("192.0.2.1:4000".parse().unwrap()),
            direction,
            ..EndPlan::default()
        };
        StreamPlan {
            kind: MediaKind::Audio,
            trunk: end(trunk),
            pbx: end(pbx),
            tappable: Ok(()),
            answered: true,
        }
    }

    fn report(trunk: Option<u64>, pbx: Option<u64>) -> StreamReport {
        let end = |last: Option<u64>| EndReport { last_heard: last.map(s), ..EndReport::default() };
        StreamReport { stream: 0, trunk: end(trunk), pbx: end(pbx) }
    }

    /// A browser's description names no address: ICE finds it.
    #[test]
    fn a_party_that_ice_finds_is_there() {
        let mut plan = plan(Direction::SendRecv, Direction::SendRecv);
        plan.trunk.remote_rtp = None;
        let one_way = |plan: &StreamPlan| {
            let mut watch = Watch::new(s(0));
            watch.plan(s(0), plan, true);
            watch.one_way(s(6), &report(None, Some(6))).is_some()
        };
        assert!(!one_way(&plan), "it wants none");
        let ice = IcePlan {
            our_fragment: "ours".to_owned(),
            our_password: Arc::default(),
            their_fragment: "theirs".to_owned(),
        };
        let dtls = DtlsPlan { active: false, fingerprints: Vec::new(), ice: Some(ice) };
        plan.trunk.protection = Protection::Dtls(Box::new(dtls));
        assert!(one_way(&plan));
    }

    #[test]
    fn one_way_audio_is_told_once_and_its_end_too() {
        let mut watch = Watch::new(s(0));
        watch.plan(s(0), &plan(Direction::SendRecv, Direction::SendRecv), true);
        assert_eq!(watch.one_way(s(1), &report(Some(1), None)), None);
        assert_eq!(
            watch.one_way(s(6), &report(Some(6), None)),
            Some(Change::OneWay { silent: Side::Pbx, for_: s(6) })
        );
        assert_eq!(watch.one_way(s(7), &report(Some(7), None)), None);
        assert_eq!(
            watch.one_way(s(9), &report(Some(9), Some(9))),
            Some(Change::Restored { silent: Side::Pbx, for_: s(9) })
        );
    }

    #[test]
    fn a_listener_need_not_speak() {
        let mut watch = Watch::new(s(0));
        watch.plan(s(0), &plan(Direction::SendOnly, Direction::RecvOnly), true);
        for now in 1..50 {
            assert_eq!(watch.one_way(s(now), &report(Some(now), None)), None);
        }
    }

    #[test]
    fn silence_times_out_but_not_on_hold() {
        let mut watch = Watch::new(s(0));
        for now in 1..100 {
            assert_eq!(watch.timed_out(s(now), None, true, TIMEOUT), None);
        }
        for now in 100..159 {
            assert_eq!(watch.timed_out(s(now), Some(s(70)), false, TIMEOUT), None, "{now}");
        }
        assert_eq!(
            watch.timed_out(s(159), None, false, TIMEOUT),
            Some(Change::TimedOut { for_: s(60), again: false })
        );
    }

    /// Each report leads to the parties being asked again; the end is reported once, when a packet comes.
    #[test]
    fn silence_that_goes_on_is_told_again_and_its_end_once() {
        let mut watch = Watch::new(s(0));
        let mut at = |now, newest| watch.timed_out(s(now), newest, false, TIMEOUT);
        assert_eq!(at(10, Some(s(10))), None);
        assert_eq!(at(70, Some(s(10))), Some(Change::TimedOut { for_: s(60), again: false }));
        assert_eq!(at(129, Some(s(10))), None);
        assert_eq!(at(130, Some(s(10))), Some(Change::TimedOut { for_: s(120), again: true }));
        assert_eq!(at(140, Some(s(140))), Some(Change::Flows { for_: s(130) }));
        assert_eq!(at(141, Some(s(141))), None);
        assert_eq!(at(201, Some(s(141))), Some(Change::TimedOut { for_: s(60), again: false }));
    }

    fn rejected(count: u64, packets: u64) -> StreamReport {
        let from = Some("198.51.100.9".parse().unwrap());
        let trunk = EndReport { rejected: count, packets, rejected_from: from, ..EndReport::default() };
        let pbx = EndReport { last_heard: Some(s(count / 50)), packets: count, ..EndReport::default() };
        StreamReport { stream: 0, trunk, pbx }
    }

    #[test]
    fn a_stream_that_is_rejected_is_told_once_with_its_source_and_is_not_called_silent() {
        let mut watch = Watch::new(s(0));
        watch.plan(s(0), &plan(Direction::SendRecv, Direction::SendRecv), true);
        let mut told = Vec::new();
        for now in 1..60 {
            let report = rejected(50 * now, 0);
            told.extend(watch.rejected(s(now), &report));
            told.extend(watch.one_way(s(now), &report));
        }
        let from = Some("198.51.100.9".parse().unwrap());
        assert_eq!(told, [Change::Rejected { side: Side::Trunk, from, for_: s(5) }]);
        let admitted = Some(Change::Admitted { side: Side::Trunk, for_: s(59) });
        assert_eq!(watch.rejected(s(60), &rejected(3_000, 1)), admitted);
    }

    #[test]
    fn a_few_strays_are_no_stream() {
        let mut watch = Watch::new(s(0));
        for now in 1..40 {
            assert_eq!(watch.rejected(s(now), &rejected(now, 0)), None);
        }
    }
}
