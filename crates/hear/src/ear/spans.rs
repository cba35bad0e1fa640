//! The history of a state, queried by the arrival time of packets, not by the time of decoding.

use std::collections::VecDeque;
use std::time::Duration;

/// Most changes kept. Packets from before older ones have long been decoded.
const MOST: usize = 16;

/// A state that changes now and then: whether a call is on hold.
#[derive(Debug, Default)]
pub(super) struct Spans {
    /// In order of time; the state is false before the first.
    changes: VecDeque<(Duration, bool)>,
}

impl Spans {
    /// Sets the state from `at` on.
    pub(super) fn change(&mut self, at: Duration, state: bool) {
        if self.changes.back().is_none_or(|(_, now)| *now == state) && !(self.changes.is_empty() && state) {
            return;
        }
        // A change reported late holds from the newest change on.
        let at = self.changes.back().map_or(at, |(before, _)| at.max(*before));
        if self.changes.len() == MOST {
            self.changes.pop_front();
        }
        self.changes.push_back((at, state));
    }

    /// The state at that time.
    pub(super) fn at(&self, at: Duration) -> bool {
        match self.changes.iter().rev().find(|(since, _)| *since <= at) {
            Some((_, state)) => *state,
            // From before the first change that is kept.
            None => self.changes.front().is_some_and(|(_, state)| !state),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ear::testing::ms;

    #[test]
    fn a_packet_is_judged_by_its_own_time() {
        let mut held = Spans::default();
        held.change(ms(10), false);
        held.change(ms(100), true);
        held.change(ms(150), true);
        held.change(ms(200), false);
        for (at, state) in [(0, false), (99, false), (100, true), (199, true), (200, false), (900, false)] {
            assert_eq!(held.at(ms(at)), state, "{at}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_newest() {
        let mut held = Spans::default();
        for n in 1..=1_000 {
            held.change(ms(n * 10), n % 2 == 1);
        }
        assert_eq!(held.changes.len(), MOST);
        assert!(!held.at(ms(10_000)) && held.at(ms(9_995)));
    }
}
