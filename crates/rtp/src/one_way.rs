//! One-way audio: one end is heard, the other should be and isn't.

use std::time::Duration;

/// One of the two ends of a call's media; which is which is the caller's affair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// The first.
    A,
    /// The second.
    B,
}

/// The state of one end at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// When its newest RTP packet came.
    pub last: Option<Duration>,
    /// Since when it may send without interruption: its SDP and the peer's say so and the call is
    /// answered. `None` while it may not (hold, `recvonly`, ringing).
    pub may_send_since: Option<Duration>,
}

/// How the audio flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flow {
    /// No party was heard lately.
    Quiet,
    /// Everyone who should be heard is.
    Sound,
    /// This end is silent although it may send, while the other one is heard.
    OneWay {
        /// The end that isn't heard.
        silent: End,
    },
}

/// Watches both ends of a call and tells each change once.
#[derive(Debug, Clone)]
pub struct OneWayDetector {
    after: Duration,
    flow: Flow,
}

impl OneWayDetector {
    /// A detector that calls an end silent `after` so long without a packet. Senders with silence
    /// suppression may legitimately pause, so think of 5 s rather than of 1 s.
    #[must_use]
    pub fn new(after: Duration) -> Self {
        Self { after, flow: Flow::Quiet }
    }

    /// How the audio flowed at the last look.
    #[must_use]
    pub fn flow(&self) -> Flow {
        self.flow
    }

    /// Looks at both ends, about once a second; the new flow if it has changed.
    pub fn observe(&mut self, now: Duration, a: Heard, b: Heard) -> Option<Flow> {
        let flow = match (self.is_heard(now, a), self.is_heard(now, b)) {
            (false, false) => Flow::Quiet,
            (true, false) if self.is_missed(now, b) => Flow::OneWay { silent: End::B },
            (false, true) if self.is_missed(now, a) => Flow::OneWay { silent: End::A },
            _ => Flow::Sound,
        };
        let changed = flow != self.flow;
        self.flow = flow;
        changed.then_some(flow)
    }

    fn is_heard(&self, now: Duration, end: Heard) -> bool {
        end.last.is_some_and(|last| now.saturating_sub(last) < self.after)
    }

    fn is_missed(&self, now: Duration, end: Heard) -> bool {
        end.may_send_since.is_some_and(|since| now.saturating_sub(since) >= self.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn heard(last: Option<u64>, since: Option<u64>) -> Heard {
        Heard { last: last.map(s), may_send_since: since.map(s) }
    }

    #[test]
    fn an_end_that_never_sends_is_found_once() {
        let mut detector = OneWayDetector::new(s(5));
        let silent = heard(None, Some(0));
        assert_eq!(detector.observe(s(1), heard(Some(1), Some(0)), silent), Some(Flow::Sound));
        assert_eq!(
            detector.observe(s(6), heard(Some(6), Some(0)), silent),
            Some(Flow::OneWay { silent: End::B })
        );
        assert_eq!(detector.observe(s(7), heard(Some(7), Some(0)), silent), None);
        assert_eq!(
            detector.observe(s(8), heard(Some(8), Some(0)), heard(Some(8), Some(0))),
            Some(Flow::Sound)
        );
    }

    #[test]
    fn hold_and_silence_of_both_are_not_one_way() {
        let mut detector = OneWayDetector::new(s(5));
        assert_eq!(
            detector.observe(s(20), heard(Some(20), Some(0)), heard(Some(3), None)),
            Some(Flow::Sound)
        );
        assert_eq!(
            detector.observe(s(40), heard(Some(20), Some(0)), heard(None, Some(0))),
            Some(Flow::Quiet)
        );
        assert_eq!(
            detector.observe(s(41), heard(Some(20), Some(30)), heard(Some(41), Some(30))),
            Some(Flow::OneWay { silent: End::A })
        );
    }

    #[test]
    fn after_a_resume_the_end_gets_its_time() {
        let mut detector = OneWayDetector::new(s(5));
        detector.observe(s(20), heard(Some(20), Some(0)), heard(Some(3), None));
        assert_eq!(detector.observe(s(22), heard(Some(22), Some(0)), heard(Some(3), Some(21))), None);
        assert_eq!(
            detector.observe(s(26), heard(Some(26), Some(0)), heard(Some(3), Some(21))),
            Some(Flow::OneWay { silent: End::B })
        );
    }
}
