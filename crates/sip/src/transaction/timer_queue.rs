//! When each transaction wants to be woken, in order.

use std::time::Duration;

/// A heap of deadlines, at most one for each id, ordered by time and then by when it was set, so that a run can be
/// repeated exactly. Moving or removing a deadline leaves nothing behind: memory is bounded by the ids in use.
#[derive(Debug, Default)]
pub(crate) struct TimerQueue {
    heap: Vec<Entry>,
    /// By id: its place in `heap`, or [`ABSENT`].
    places: Vec<u32>,
    sequence: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    at: Duration,
    sequence: u64,
    id: u32,
}

const ABSENT: u32 = u32::MAX;
/// Four children a node: a shallower heap whose siblings share a cache line or two.
const ARITY: usize = 4;

impl Entry {
    fn before(&self, other: &Self) -> bool {
        (self.at, self.sequence) < (other.at, other.sequence)
    }
}

impl TimerQueue {
    /// Sets, moves or removes the deadline of `id`.
    pub(crate) fn set(&mut self, id: u32, at: Option<Duration>) {
        let place = self.place(id);
        match (place, at) {
            (None, None) => {}
            (Some(place), None) => self.remove(place),
            (Some(place), Some(at)) => {
                if self.heap.get(place).is_some_and(|e| e.at == at) {
                    return;
                }
                let sequence = self.advance();
                if let Some(entry) = self.heap.get_mut(place) {
                    *entry = Entry { at, sequence, id };
                }
                self.settle(place);
            }
            (None, Some(at)) => {
                let sequence = self.advance();
                self.heap.push(Entry { at, sequence, id });
                self.settle(self.heap.len() - 1);
            }
        }
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.heap.first().map(|e| e.at)
    }

    /// Takes out the earliest deadline if it has come.
    pub(crate) fn pop_due(&mut self, now: Duration) -> Option<u32> {
        let first = *self.heap.first().filter(|e| e.at <= now)?;
        self.remove(0);
        Some(first.id)
    }

    /// How many deadlines are set.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    fn advance(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    fn place(&self, id: u32) -> Option<usize> {
        self.places.get(id as usize).copied().filter(|&p| p != ABSENT).map(|p| p as usize)
    }

    fn note(&mut self, id: u32, place: usize) {
        let index = id as usize;
        if index >= self.places.len() {
            self.places.resize(index + 1, ABSENT);
        }
        if let Some(slot) = self.places.get_mut(index) {
            // There are never more entries than 32-bit ids.
            *slot = u32::try_from(place).unwrap_or(ABSENT);
        }
    }

    fn remove(&mut self, place: usize) {
        let Some(last) = self.heap.pop() else { return };
        let gone = match self.heap.get_mut(place) {
            Some(entry) => std::mem::replace(entry, last),
            None => last,
        };
        self.note(gone.id, ABSENT as usize);
        if place < self.heap.len() {
            self.settle(place);
        }
    }

    /// Moves the entry at `place` up or down to where it belongs, and notes where.
    fn settle(&mut self, mut place: usize) {
        let Some(&entry) = self.heap.get(place) else { return };
        while let Some(parent) = place.checked_sub(1).map(|p| p / ARITY) {
            match self.heap.get(parent) {
                Some(&above) if entry.before(&above) => self.put(place, above),
                _ => break,
            }
            place = parent;
        }
        loop {
            let first = place * ARITY + 1;
            let children = self.heap.get(first..(first + ARITY).min(self.heap.len())).unwrap_or_default();
            let least = children.iter().enumerate().reduce(|a, b| if b.1.before(a.1) { b } else { a });
            match least {
                Some((offset, &below)) if below.before(&entry) => {
                    self.put(place, below);
                    place = first + offset;
                }
                _ => break,
            }
        }
        self.put(place, entry);
    }

    fn put(&mut self, place: usize, entry: Entry) {
        if let Some(slot) = self.heap.get_mut(place) {
            *slot = entry;
        }
        self.note(entry.id, place);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_times_come_in_the_order_they_were_set() {
        let mut queue = TimerQueue::default();
        for id in [5, 3, 9] {
            queue.set(id, Some(Duration::from_secs(1)));
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop_due(Duration::from_secs(1))).collect();
        assert_eq!(order, [5, 3, 9]);
        assert_eq!(queue.len(), 0);
    }

    proptest! {
        /// Against a sorted map: the same deadlines come out in the same order, whatever was set, moved, removed.
        #[test]
        fn agrees_with_a_sorted_map(steps in proptest::collection::vec((0u32..40, proptest::option::of(0u64..50)), 0..300)) {
            let mut queue = TimerQueue::default();
            let mut model: BTreeMap<u32, (Duration, usize)> = BTreeMap::new();
            for (step, (id, at)) in steps.into_iter().enumerate() {
                let at = at.map(Duration::from_secs);
                queue.set(id, at);
                match at {
                    Some(at) if model.get(&id).is_some_and(|(old, _)| *old == at) => {}
                    Some(at) => { model.insert(id, (at, step)); }
                    None => { model.remove(&id); }
                }
                prop_assert_eq!(queue.len(), model.len());
                prop_assert_eq!(queue.next(), model.values().map(|(at, _)| *at).min());
            }
            let mut expected: Vec<_> = model.into_iter().map(|(id, key)| (key, id)).collect();
            expected.sort_unstable();
            for (_, id) in expected {
                prop_assert_eq!(queue.pop_due(Duration::MAX), Some(id));
            }
            prop_assert_eq!(queue.pop_due(Duration::MAX), None);
        }
    }
}
