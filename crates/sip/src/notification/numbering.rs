//! CSeq numbers in one direction of a dialog into which requests of our own are slipped.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Numbers must stay below 2^31 (RFC 3261 §8.1.1.5). From here on none is slipped in, so that those that come after
/// still fit.
const LAST: u32 = (1 << 31) - (1 << 16);
/// The highest number that may be used.
const HIGHEST: u32 = (1 << 31) - 1;
/// Steps that are remembered. Each lies between two of the peer's requests; what is older is long answered.
const MOST_STEPS: usize = 64;

/// How the peer's numbers are to be changed so that, with ours between, each request of the direction is numbered
/// higher than the one before (RFC 3261 §12.2.1.1).
///
/// Until something has been slipped in, nothing is changed. What is added to a number that has been used never changes
/// afterwards, so a retransmission, an ACK and a RAck mean the same request on either side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbering {
    /// The peer's highest so far, as it came.
    seen: Option<u32>,
    /// The highest that was sent on, ours included.
    sent: Option<u32>,
    /// The number that is added before the first step.
    base: u32,
    /// Rising, by the number from which each holds on either side.
    steps: VecDeque<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Step {
    /// From this number of the peer's on …
    from: u32,
    /// … so much is added.
    add: u32,
}

impl Numbering {
    /// A direction in which the peer has sent nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A request of the peer's passes, with this number: gives the one to send it on with.
    pub fn pass(&mut self, number: u32) -> u32 {
        let is_new = self.seen.is_none_or(|seen| number > seen);
        let leaps = self.sent.is_none_or(|sent| number > sent);
        // The peer has leapt to a number that with what is added would be too high: from here on nothing need be added,
        // since the number is above all that were sent.
        if is_new && leaps && self.unbounded(number) > HIGHEST {
            self.step(number, 0);
        }
        let sent = self.sent_as(number);
        self.seen = self.seen.max(Some(number));
        self.sent = self.sent.max(Some(sent));
        sent
    }

    /// A number for a request of our own; `None` when they run out. Every number that the peer has not used yet moves
    /// up, so that none of its requests, however late, can get this one.
    pub fn take(&mut self) -> Option<u32> {
        let number = self.sent.map_or(1, |sent| sent.saturating_add(1));
        if number >= LAST {
            return None;
        }
        self.sent = Some(number);
        let from = self.seen.map_or(0, |seen| seen.saturating_add(1));
        self.step(from, (number + 1).saturating_sub(from));
        Some(number)
    }

    /// From that number of the peer's on, so much is added.
    fn step(&mut self, from: u32, add: u32) {
        match self.steps.back_mut().filter(|step| step.from == from) {
            Some(step) => step.add = add,
            None => self.steps.push_back(Step { from, add }),
        }
        if self.steps.len() > MOST_STEPS {
            self.base = self.steps.pop_front().map_or(self.base, |step| step.add);
        }
    }

    /// The highest number that was sent on, ours included.
    #[must_use]
    pub const fn latest(&self) -> Option<u32> {
        self.sent
    }

    /// The number by which our side of the peer's request `number` is known. A peer that counts one by one to the top
    /// runs out of numbers earlier for what was slipped in; the last of its requests share the highest number, which
    /// the PBX takes: it refuses lower ones only (RFC 3261 §12.2.2).
    #[must_use]
    pub fn sent_as(&self, number: u32) -> u32 {
        // Beyond it the peer breaks the rule by itself, and is left to.
        self.unbounded(number).min(HIGHEST.max(number))
    }

    fn unbounded(&self, number: u32) -> u32 {
        let step = self.steps.iter().rfind(|step| step.from <= number);
        number.saturating_add(step.map_or(self.base, |step| step.add))
    }

    /// The number by which the peer knows the request that was sent on as `number`.
    #[must_use]
    pub fn came_as(&self, number: u32) -> u32 {
        let step = self.steps.iter().rfind(|step| step.from.saturating_add(step.add) <= number);
        number.saturating_sub(step.map_or(self.base, |step| step.add))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_changes_until_something_is_slipped_in() {
        let mut numbers = Numbering::new();
        assert_eq!([1, 2, 7, 2].map(|number| numbers.pass(number)), [1, 2, 7, 2]);
        assert_eq!(numbers.take(), Some(8));
        assert_eq!(numbers.take(), Some(9));
        assert_eq!(numbers.pass(7), 7, "an ACK for what came before");
        assert_eq!(numbers.pass(8), 10);
        assert_eq!(numbers.pass(30), 32);
        assert_eq!(numbers.came_as(10), 8);
        assert_eq!(numbers.came_as(7), 7);
    }

    #[test]
    fn the_peer_begins_after_us_at_any_number() {
        for (first, sent) in [(0, 2), (1, 3), (4_711, 4_713)] {
            let mut numbers = Numbering::new();
            assert_eq!(numbers.take(), Some(1));
            assert_eq!(numbers.pass(first), sent);
            assert_eq!(numbers.came_as(sent), first);
        }
    }

    #[test]
    fn numbers_run_out() {
        let mut numbers = Numbering::new();
        numbers.pass(u32::MAX);
        assert_eq!(numbers.take(), None);
        let mut numbers = Numbering::new();
        numbers.pass(LAST - 2);
        assert_eq!(numbers.take(), Some(LAST - 1));
        assert_eq!(numbers.take(), None);
        assert_eq!(numbers.pass(LAST - 1), LAST);
    }

    #[test]
    fn a_leap_to_the_highest_numbers_stays_below_two_to_the_31() {
        let mut numbers = Numbering::new();
        numbers.pass(1);
        for sent in 2..8 {
            assert_eq!(numbers.take(), Some(sent));
        }
        assert_eq!(numbers.pass(2), 8);
        for number in [HIGHEST - 1, HIGHEST] {
            assert_eq!(numbers.pass(number), number);
            assert_eq!((numbers.sent_as(number), numbers.came_as(number)), (number, number));
        }
        assert_eq!((numbers.sent_as(2), numbers.came_as(8)), (8, 2), "what came before means what it meant");
        assert_eq!(numbers.take(), None);
        let mut numbers = Numbering::new();
        numbers.pass(LAST - 2);
        assert_eq!(numbers.take(), Some(LAST - 1));
        assert_eq!(numbers.pass(HIGHEST), HIGHEST);
    }

    #[test]
    fn a_peer_that_counts_one_by_one_to_the_top_never_gets_beyond_it() {
        let mut numbers = Numbering::new();
        numbers.pass(LAST - 4);
        assert_eq!((numbers.take(), numbers.take()), (Some(LAST - 3), Some(LAST - 2)));
        let mut last = LAST - 2;
        for number in LAST - 3..=HIGHEST {
            let sent = numbers.pass(number);
            assert!(sent >= last && sent <= HIGHEST, "{number}: {sent} after {last}");
            assert_eq!(numbers.sent_as(number), sent);
            last = sent;
        }
        assert_eq!(last, HIGHEST);
        assert_eq!(numbers.came_as(HIGHEST - 1), HIGHEST - 3);
    }

    #[test]
    fn what_is_late_gets_a_number_of_its_own() {
        let mut numbers = Numbering::new();
        numbers.pass(7);
        assert_eq!(numbers.take(), Some(8));
        assert_eq!(numbers.pass(9), 10);
        assert_eq!(numbers.pass(8), 9, "below the last, so the PBX refuses it, as it would have anyway");
        assert_eq!(numbers.take(), Some(11));
    }

    #[derive(Debug, Clone)]
    enum Act {
        /// The peer sends a new request, so much above its last.
        New(u32),
        /// One of its earlier requests is mentioned or comes again.
        Again(prop::sample::Index),
        Slip,
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (1_u32..4).prop_map(Act::New),
            any::<prop::sample::Index>().prop_map(Act::Again),
            Just(Act::Slip),
        ]
    }

    proptest! {
        /// The PBX sees rising numbers, each once; and any of the last sixty mentions means the same on both sides.
        #[test]
        fn both_sides_see_one_dialog(first in 0_u32..50, acts in prop::collection::vec(act(), 0..300)) {
            let mut numbers = Numbering::new();
            let mut passed: Vec<(u32, u32)> = Vec::new();
            let mut last = None;
            for act in acts {
                match act {
                    Act::New(jump) => {
                        let number = passed.last().map_or(first, |(number, _)| number + jump);
                        let sent = numbers.pass(number);
                        prop_assert!(last.is_none_or(|last| sent > last), "{sent} after {last:?}");
                        passed.push((number, sent));
                        last = Some(sent);
                    }
                    Act::Slip => {
                        let sent = numbers.take().unwrap();
                        prop_assert!(last.is_none_or(|last| sent == last + 1));
                        last = Some(sent);
                    }
                    Act::Again(index) if !passed.is_empty() => {
                        let recent = &passed[passed.len().saturating_sub(60)..];
                        let (number, sent) = *index.get(recent);
                        prop_assert_eq!(numbers.pass(number), sent);
                        prop_assert_eq!(numbers.sent_as(number), sent);
                        prop_assert_eq!(numbers.came_as(sent), number);
                    }
                    Act::Again(_) => {}
                }
            }
        }
    }
}
