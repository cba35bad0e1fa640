//! The lock around the SIP core, with a histogram of the times that it is held.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Upper bounds of the histogram's buckets.
const BOUNDS: [Duration; 12] = [
    Duration::from_micros(10),
    Duration::from_micros(25),
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(250),
];

/// The core behind its lock. Users with bytes, a due timer or a question take it, and none of them waits under it.
#[derive(Debug)]
pub(super) struct CoreLock<T> {
    core: Mutex<T>,
    times: Times,
}

#[derive(Debug, Default)]
struct Times {
    /// Counts by bucket; the last one is beyond all bounds.
    counts: [AtomicU64; BOUNDS.len() + 1],
    /// Sum of the times, in nanoseconds.
    sum: AtomicU64,
}

/// Histogram of the times that the lock was held.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HeldTimes {
    /// Upper bound of each bucket, and how many times lie at or below it.
    pub buckets: Vec<(Duration, u64)>,
    /// Number of times.
    pub count: u64,
    /// Sum of the times.
    pub sum: Duration,
}

/// Access to the core while the lock is held.
#[derive(Debug)]
pub struct Held<'a, T> {
    core: MutexGuard<'a, T>,
    times: &'a Times,
    since: Instant,
}

impl<T> CoreLock<T> {
    pub(super) fn new(core: T) -> Self {
        Self { core: Mutex::new(core), times: Times::default() }
    }

    pub(super) fn hold(&self) -> Held<'_, T> {
        // A panic elsewhere must not take the calls down: the core's tables are consistent between messages.
        let core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        Held { core, times: &self.times, since: Instant::now() }
    }

    pub(super) fn times(&self) -> HeldTimes {
        let mut count = 0;
        let buckets = BOUNDS.into_iter().zip(&self.times.counts).map(|(bound, times)| {
            count += times.load(Relaxed);
            (bound, count)
        });
        let buckets = buckets.collect();
        let longer = self.times.counts.last().map_or(0, |times| times.load(Relaxed));
        let sum = Duration::from_nanos(self.times.sum.load(Relaxed));
        HeldTimes { buckets, count: count + longer, sum }
    }
}

impl Times {
    fn add(&self, held: Duration) {
        let bucket = BOUNDS.iter().position(|bound| held <= *bound).unwrap_or(BOUNDS.len());
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Relaxed);
        }
        self.sum.fetch_add(u64::try_from(held.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.core
    }
}

impl<T> DerefMut for Held<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.core
    }
}

impl<T> Drop for Held<'_, T> {
    fn drop(&mut self) {
        self.times.add(self.since.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_counted_in_its_bucket_and_in_all_above() {
        let times = Times::default();
        for micros in [1, 10, 11, 600, 10_000_000] {
            times.add(Duration::from_micros(micros));
        }
        let lock = CoreLock { core: Mutex::new(()), times };
        let told = lock.times();
        let at = |bound| told.buckets.iter().find(|(of, _)| *of == bound).unwrap().1;
        assert_eq!(at(Duration::from_micros(10)), 2);
        assert_eq!(at(Duration::from_micros(25)), 3);
        assert_eq!(at(Duration::from_millis(1)), 4);
        assert_eq!((told.count, told.sum), (5, Duration::from_micros(10_000_622)));
    }

    #[test]
    fn holding_it_is_counted_when_it_is_over() {
        let lock = CoreLock::new(1);
        let mut held = lock.hold();
        *held += 1;
        assert_eq!(lock.times().count, 0);
        drop(held);
        assert_eq!((lock.times().count, *lock.hold()), (1, 2));
    }
}
