//! Long pauses in a capture, in which nobody sends anything: a forgotten dialog, or two calls taken for one. Each tenth
//! of a second of a call is gone through, so without a bound a capture of two packets takes as long as lies between
//! them.

use std::time::Duration;

/// A pause up to this length is part of any call.
const SHORT: Duration = Duration::from_secs(1);
/// The longest pause that is gone through.
const LONGEST: Duration = Duration::from_secs(600);
/// The pauses of a call that are gone through, in all; beyond it each is as long as [`SHORT`].
const IN_ALL: Duration = Duration::from_secs(4 * 3_600);

/// The time of a call, without its longest pauses.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    /// The time of the last packet in the capture.
    last: Duration,
    gone_through: Duration,
    passed_over: Duration,
    times: u32,
}

impl Pauses {
    /// The call's time when something stands at `at` in the capture, in order.
    pub(super) fn time(&mut self, at: Duration) -> Duration {
        let pause = at.saturating_sub(self.last);
        self.last = self.last.max(at);
        if pause > SHORT {
            let most = IN_ALL.saturating_sub(self.gone_through).clamp(SHORT, LONGEST);
            let kept = pause.min(most);
            self.gone_through += kept;
            if kept < pause {
                self.passed_over = self.passed_over.saturating_add(pause - kept);
                self.times = self.times.saturating_add(1);
            }
        }
        at.saturating_sub(self.passed_over)
    }

    /// What to say of pauses that were passed over.
    pub(super) fn note(&self) -> Option<String> {
        let minutes = self.passed_over.as_secs().div_ceil(60);
        let long = match (minutes / 1_440, minutes / 60 % 24, minutes % 60) {
            (0, 0, minutes) => format!("{minutes} min"),
            (0, hours, minutes) => format!("{hours} h {minutes} min"),
            (days, hours, _) => format!("{days} d {hours} h"),
        };
        (self.times > 0).then(|| {
            format!(
                "nothing was sent for very long ({} ×): {long} of it are passed over, and times behind are earlier by that",
                self.times
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn pauses_of_a_call_are_kept() {
        let mut pauses = Pauses::default();
        for at in [0, 1, 2, 300, 300, 899] {
            assert_eq!(pauses.time(seconds(at)), seconds(at));
        }
        assert_eq!(pauses.note(), None);
    }

    #[test]
    fn days_between_packets_are_minutes() {
        let mut pauses = Pauses::default();
        assert_eq!(pauses.time(seconds(10)), seconds(10));
        assert_eq!(pauses.time(seconds(3 * 86_400 + 10)), seconds(610));
        assert_eq!(pauses.time(seconds(3 * 86_400 + 11)), seconds(611));
        assert!(pauses.note().unwrap().contains("(1 ×): 2 d 23 h"), "{:?}", pauses.note());
    }

    #[test]
    fn a_packet_a_day_for_ever_is_bounded_too() {
        let mut pauses = Pauses::default();
        let end = (0..10_000).map(|day| pauses.time(seconds(day * 86_400))).last().unwrap();
        assert!(end < IN_ALL + SHORT * 10_000 + LONGEST, "{end:?}");
    }
}
