//! A bounded set of stretches of time, in order and apart.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Stretches of time not yet counted, `[from, to)`, in order, none touching another.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Spans {
    held: VecDeque<(Duration, Duration)>,
}

impl Spans {
    /// Adds a stretch, merging it with those it touches. Returns how much time it adds to what was held.
    pub(crate) fn insert(&mut self, from: Duration, to: Duration) -> Duration {
        if to <= from {
            return Duration::ZERO;
        }
        let (mut from_all, mut to_all, mut covered) = (from, to, Duration::ZERO);
        let first = self.held.partition_point(|(_, end)| *end < from);
        let mut after = first;
        while let Some((start, end)) = self.held.get(after).copied().filter(|(start, _)| *start <= to) {
            covered += end.min(to).saturating_sub(start.max(from));
            from_all = from_all.min(start);
            to_all = to_all.max(end);
            after += 1;
        }
        self.held.drain(first..after);
        self.held.insert(first, (from_all, to_all));
        (to - from).saturating_sub(covered)
    }

    /// Whether `at` lies within a stretch.
    pub(crate) fn covers(&self, at: Duration) -> bool {
        self.held.front().is_some_and(|(from, to)| *from <= at && at < *to)
    }

    /// The next time after `at` at which a stretch begins or ends.
    pub(crate) fn edge_after(&self, at: Duration) -> Option<Duration> {
        self.held.iter().take(2).flat_map(|(from, to)| [*from, *to]).find(|edge| *edge > at)
    }

    /// Forgets what lies before `at`.
    pub(crate) fn forget_before(&mut self, at: Duration) {
        while self.held.front().is_some_and(|(_, to)| *to <= at) {
            self.held.pop_front();
        }
    }

    /// Where the oldest stretch ends.
    pub(crate) fn oldest_end(&self) -> Option<Duration> {
        self.held.front().map(|(_, to)| *to)
    }

    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn holds_exactly_the_union(stretches in proptest::collection::vec((0u64..60, 0u64..12), 0..40)) {
            let mut spans = Spans::default();
            let mut union = [false; 80];
            for (from, length) in stretches {
                let mut added = 0;
                for slot in &mut union[from as usize..(from + length) as usize] {
                    added += u64::from(!*slot);
                    *slot = true;
                }
                let new = spans.insert(Duration::from_secs(from), Duration::from_secs(from + length));
                prop_assert_eq!(new, Duration::from_secs(added));
            }
            let held: Vec<_> = spans.held.iter().copied().collect();
            prop_assert!(held.windows(2).all(|pair| pair[0].1 < pair[1].0), "in order and apart: {:?}", held);
            let total: Duration = held.iter().map(|(from, to)| *to - *from).sum();
            prop_assert_eq!(total.as_secs(), union.iter().filter(|slot| **slot).count() as u64);
        }
    }
}
