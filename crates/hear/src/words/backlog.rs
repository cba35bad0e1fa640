//! Pieces of speech that wait for a recogniser: what comes next, and what goes when there is too much. Pure.
//!
//! Whole utterances come before provisional ones, the more important caller's before the other's, the older before the
//! newer. When more sound waits than allowed, provisional pieces go first, then the oldest of the least important
//! caller: the newest speech is what helps an agent.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// How much a caller matters: 1 comes first. Callers without a tier are in the middle.
pub type Rank = u8;

/// What the backlog has to know of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slip {
    /// Who speaks.
    pub(super) party: u64,
    pub(super) rank: Rank,
    pub(super) whole: bool,
    /// Length of the sound.
    pub(super) length: Duration,
}

/// The pieces that wait, oldest first.
#[derive(Debug)]
pub(super) struct Backlog<T> {
    waiting: VecDeque<(Slip, T)>,
    /// Parties of whom a piece is being recognised: their next one waits, so that each party's come in order.
    busy: BTreeSet<u64>,
    /// Most sound that waits.
    most: Duration,
    held: Duration,
}

impl<T> Backlog<T> {
    pub(super) fn new(most: Duration) -> Self {
        Self { waiting: VecDeque::new(), busy: BTreeSet::new(), most, held: Duration::ZERO }
    }

    /// Puts a piece in; returns how many whole and how many provisional ones were dropped for want of time. A newer
    /// piece of an utterance replaces a provisional one, which is not counted. `drop` gets each that is.
    pub(super) fn put(&mut self, slip: Slip, piece: T, mut drop: impl FnMut(&T)) -> Dropped {
        self.remove(|waiting| waiting.party == slip.party && !waiting.whole);
        self.held += slip.length;
        self.waiting.push_back((slip, piece));
        let mut dropped = Dropped::default();
        while self.held > self.most && self.waiting.len() > 1 {
            // Among equals the first, which is the oldest.
            let goes = (0..self.waiting.len())
                .rev()
                .max_by_key(|place| self.waiting.get(*place).map(|(slip, _)| (!slip.whole, slip.rank)));
            let Some((slip, piece)) = goes.and_then(|place| self.waiting.remove(place)) else { break };
            drop(&piece);
            self.held = self.held.saturating_sub(slip.length);
            if slip.whole {
                dropped.whole += 1;
            } else {
                dropped.provisional += 1;
            }
        }
        dropped
    }

    /// The next piece to recognise; its party is busy until [`done`](Self::done).
    pub(super) fn take(&mut self) -> Option<(Slip, T)> {
        let free = |place: &usize| {
            self.waiting.get(*place).is_some_and(|(slip, _)| !self.busy.contains(&slip.party))
        };
        let next = (0..self.waiting.len())
            .filter(free)
            .min_by_key(|place| self.waiting.get(*place).map(|(slip, _)| (!slip.whole, slip.rank)))?;
        let (slip, piece) = self.waiting.remove(next)?;
        self.held = self.held.saturating_sub(slip.length);
        self.busy.insert(slip.party);
        Some((slip, piece))
    }

    /// A piece of the party has been recognised.
    pub(super) fn done(&mut self, party: u64) {
        self.busy.remove(&party);
    }

    /// The party has gone: what waits of it goes too.
    pub(super) fn forget(&mut self, party: u64) {
        self.remove(|slip| slip.party == party);
    }

    /// Whole pieces that wait.
    pub(super) fn wholes(&self) -> usize {
        self.waiting.iter().filter(|(slip, _)| slip.whole).count()
    }

    /// Sound that waits.
    pub(super) fn held(&self) -> Duration {
        self.held
    }

    fn remove(&mut self, goes: impl Fn(&Slip) -> bool) {
        let held = &mut self.held;
        self.waiting.retain(|(slip, _)| {
            let goes = goes(slip);
            if goes {
                *held = held.saturating_sub(slip.length);
            }
            !goes
        });
    }
}

/// How many pieces were dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Dropped {
    pub(super) whole: u64,
    pub(super) provisional: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slip(party: u64, rank: Rank, whole: bool) -> Slip {
        Slip { party, rank, whole, length: Duration::from_secs(4) }
    }

    fn order(backlog: &mut Backlog<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| {
            let (slip, name) = backlog.take()?;
            backlog.done(slip.party);
            Some(name)
        })
        .collect()
    }

    #[test]
    fn whole_ones_then_important_ones_then_old_ones() {
        let mut backlog = Backlog::new(Duration::from_secs(60));
        backlog.put(slip(1, 3, false), "provisional", |_| {});
        backlog.put(slip(2, 3, true), "first", |_| {});
        backlog.put(slip(3, 1, true), "important", |_| {});
        backlog.put(slip(4, 3, true), "second", |_| {});
        assert_eq!(order(&mut backlog), ["important", "first", "second", "provisional"]);
        assert_eq!(backlog.held(), Duration::ZERO);
    }

    #[test]
    fn when_there_is_too_much_the_least_important_and_oldest_goes() {
        let mut backlog = Backlog::new(Duration::from_secs(12));
        assert_eq!(backlog.put(slip(1, 1, true), "important", |_| {}), Dropped::default());
        backlog.put(slip(2, 3, true), "old", |_| {});
        backlog.put(slip(3, 1, false), "provisional", |_| {});
        assert_eq!(backlog.put(slip(4, 3, true), "new", |_| {}), Dropped { whole: 0, provisional: 1 });
        assert_eq!(backlog.put(slip(5, 3, true), "newer", |_| {}), Dropped { whole: 1, provisional: 0 });
        assert_eq!(order(&mut backlog), ["important", "new", "newer"]);
    }

    #[test]
    fn a_partys_pieces_come_one_after_the_other() {
        let mut backlog = Backlog::new(Duration::from_secs(60));
        backlog.put(slip(1, 1, true), "one", |_| {});
        backlog.put(slip(1, 1, true), "two", |_| {});
        backlog.put(slip(2, 3, true), "other", |_| {});
        assert_eq!(backlog.take().unwrap().1, "one");
        assert_eq!(backlog.take().unwrap().1, "other");
        assert!(backlog.take().is_none());
        backlog.done(1);
        assert_eq!(backlog.take().unwrap().1, "two");
    }

    #[test]
    fn the_whole_replaces_what_was_provisional() {
        let mut backlog = Backlog::new(Duration::from_secs(60));
        backlog.put(slip(1, 1, false), "I would", |_| {});
        backlog.put(slip(1, 1, false), "I would like", |_| {});
        backlog.put(slip(1, 1, true), "I would like to cancel", |_| {});
        assert_eq!(order(&mut backlog), ["I would like to cancel"]);
    }

    proptest! {
        #[test]
        fn no_more_waits_than_allowed_and_no_sound_is_miscounted(
            steps in prop::collection::vec((0u64..5, 1u8..6, any::<bool>(), 1u64..13, 0u8..4), 0..200)
        ) {
            let mut backlog = Backlog::new(Duration::from_secs(30));
            for (party, rank, whole, length, act) in steps {
                let length = Duration::from_secs(length);
                match act {
                    0 => { backlog.take(); }
                    1 => backlog.done(party),
                    2 => backlog.forget(party),
                    _ => { backlog.put(Slip { party, rank, whole, length }, (), |()| {}); }
                }
                let sum: Duration = backlog.waiting.iter().map(|(slip, ())| slip.length).sum();
                prop_assert_eq!(sum, backlog.held());
                prop_assert!(sum <= Duration::from_secs(30));
            }
        }
    }
}
