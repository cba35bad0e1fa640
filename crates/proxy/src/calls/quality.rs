//! Whether a call's media flow as they should: one-way audio, and silence on both sides.

use std::time::Duration;

use sidetone_rtp::one_way::{End, Flow, Heard, OneWayDetector};
use sidetone_sip::Face;
use sidetone_sip::anchor::{Direction, MediaKind, StreamPlan};

use crate::media::StreamReport;

/// How long a side may be silent before the call counts as one-way: comfort noise and hold music pause less.
const ONE_WAY_AFTER: Duration = Duration::from_secs(5);

/// A change in how a call's media flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// This side sends nothing though it may, while the other does.
    OneWay { silent: Face, for_: Duration },
    /// It sends again.
    Restored { silent: Face, for_: Duration },
    /// Nothing has come from either side for longer than allowed.
    TimedOut { for_: Duration },
}

/// Watches one call.
#[derive(Debug)]
pub(super) struct Watch {
    one_way: OneWayDetector,
    may_send: [Option<Duration>; 2],
    silent: Option<(Face, Duration)>,
    active: Duration,
}

impl Watch {
    pub(super) fn new(now: Duration) -> Self {
        Self { one_way: OneWayDetector::new(ONE_WAY_AFTER), may_send: [None; 2], silent: None, active: now }
    }

    /// SDP has agreed on something, or the call was answered or held: who may send from now on?
    pub(super) fn plan(&mut self, now: Duration, plan: &StreamPlan, answered: bool) {
        if plan.kind != MediaKind::Audio {
            return;
        }
        let open = |end: &sidetone_sip::anchor::EndPlan, sends: bool| match end.direction {
            Direction::SendRecv => true,
            Direction::SendOnly => sends,
            Direction::RecvOnly => !sends,
            Direction::Inactive => false,
        };
        let both_there = plan.trunk.remote_rtp.is_some() && plan.pbx.remote_rtp.is_some();
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
    pub(super) fn timed_out(
        &mut self,
        now: Duration,
        newest: Option<Duration>,
        held: bool,
        timeout: Duration,
    ) -> Option<Change> {
        self.active = self.active.max(newest.unwrap_or_default());
        if held || timeout.is_zero() {
            self.active = now;
        }
        let silent_for = now.saturating_sub(self.active);
        if silent_for < timeout || timeout.is_zero() {
            return None;
        }
        self.active = now;
        Some(Change::TimedOut { for_: silent_for })
    }

    /// Whether the conversation's stream flows one way only; to be asked once a second.
    pub(super) fn one_way(&mut self, now: Duration, report: &StreamReport) -> Option<Change> {
        let [trunk_since, pbx_since] = self.may_send;
        let heard = |last, may_send_since| Heard { last, may_send_since };
        let flow = self.one_way.observe(
            now,
            heard(report.trunk.last_heard, trunk_since),
            heard(report.pbx.last_heard, pbx_since),
        )?;
        match flow {
            Flow::OneWay { silent } => {
                let (face, last, since) = match silent {
                    End::A => (Face::Trunk, report.trunk.last_heard, trunk_since),
                    End::B => (Face::Pbx, report.pbx.last_heard, pbx_since),
                };
                let from = last.max(since).unwrap_or(now);
                self.silent = Some((face, from));
                Some(Change::OneWay { silent: face, for_: now.saturating_sub(from) })
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
    use sidetone_sip::anchor::EndPlan;

    use super::*;
    use crate::media::EndReport;

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

    #[test]
    fn one_way_audio_is_told_once_and_its_end_too() {
        let mut watch = Watch::new(s(0));
        watch.plan(s(0), &plan(Direction::SendRecv, Direction::SendRecv), true);
        assert_eq!(watch.one_way(s(1), &report(Some(1), None)), None);
        assert_eq!(
            watch.one_way(s(6), &report(Some(6), None)),
            Some(Change::OneWay { silent: Face::Pbx, for_: s(6) })
        );
        assert_eq!(watch.one_way(s(7), &report(Some(7), None)), None);
        assert_eq!(
            watch.one_way(s(9), &report(Some(9), Some(9))),
            Some(Change::Restored { silent: Face::Pbx, for_: s(9) })
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
        assert_eq!(watch.timed_out(s(159), None, false, TIMEOUT), Some(Change::TimedOut { for_: s(60) }));
    }
}
