//! Limits on how often one may ask: token buckets, by key, in tables of bounded size. The time is an input.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

/// Most keys of a table. Beyond it those share one bucket that were not known before.
const MOST: usize = 10_000;
/// The least time between two looks for buckets that are full again: each look goes through the table.
const SWEPT_EVERY: Duration = Duration::from_secs(1);

/// How often one may ask.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    /// So often at once.
    pub(super) burst: u32,
    /// And once more after each such time.
    pub(super) each: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// When the bucket is full, if nothing more is taken from it. Each taking moves it by [`Rate::each`].
    full_at: Instant,
}

impl Bucket {
    /// Takes once, or ahead of time if that time comes within `patience`; gives the time until then.
    fn reserve(&mut self, rate: Rate, now: Instant, patience: Duration) -> Result<Duration, Duration> {
        let full_at = self.full_at.max(now) + rate.each;
        let wait = full_at.saturating_duration_since(now + rate.each * rate.burst);
        if wait > patience {
            return Err(wait);
        }
        self.full_at = full_at;
        Ok(wait)
    }
}

/// A table of buckets.
#[derive(Debug)]
pub(super) struct Buckets<K> {
    rate: Rate,
    held: HashMap<K, Bucket>,
    others: Option<Bucket>,
    swept: Option<Instant>,
}

impl<K: Hash + Eq> Buckets<K> {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, held: HashMap::new(), others: None, swept: None }
    }

    /// Takes once from a key's bucket.
    ///
    /// # Errors
    /// The time after which there is something to take again.
    pub(super) fn take(&mut self, key: K, now: Instant) -> Result<(), Duration> {
        self.reserve(key, now, Duration::ZERO).map(|_| ())
    }

    /// Takes once from a key's bucket, ahead of time if nothing is left in it: the time to wait until then.
    ///
    /// # Errors
    /// That time where it is longer than `patience`; nothing was taken.
    pub(super) fn reserve(&mut self, key: K, now: Instant, patience: Duration) -> Result<Duration, Duration> {
        let rate = self.rate;
        let fresh = Bucket { full_at: now };
        if let Some(bucket) = self.held.get_mut(&key) {
            return bucket.reserve(rate, now, patience);
        }
        let is_due = self.swept.is_none_or(|swept| now.duration_since(swept) >= SWEPT_EVERY);
        if self.held.len() >= MOST && is_due {
            self.swept = Some(now);
            // A full bucket says no more than none.
            self.held.retain(|_, bucket| bucket.full_at > now);
        }
        if self.held.len() >= MOST {
            return self.others.get_or_insert(fresh).reserve(rate, now, patience);
        }
        self.held.entry(key).or_insert(fresh).reserve(rate, now, patience)
    }

    /// Gives back what was taken once: it was no attempt to be limited.
    pub(super) fn give_back(&mut self, key: &K) {
        let each = self.rate.each;
        if let Some(bucket) = self.held.get_mut(key) {
            bucket.full_at = bucket.full_at.checked_sub(each).unwrap_or(bucket.full_at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 3, each: Duration::from_secs(10) };

    #[test]
    fn a_burst_is_let_through_and_then_one_at_a_time() {
        let (mut buckets, start) = (Buckets::new(RATE), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for _ in 0..3 {
            assert_eq!(buckets.take("a", start), Ok(()));
        }
        assert_eq!(buckets.take("a", start), Err(Duration::from_secs(10)));
        assert_eq!(buckets.take("a", at(4)), Err(Duration::from_secs(6)), "to try in vain costs nothing");
        assert_eq!(buckets.take("b", at(4)), Ok(()), "another is not held up");
        assert_eq!(buckets.take("a", at(10)), Ok(()));
        assert!(buckets.take("a", at(10)).is_err());
        for _ in 0..3 {
            assert_eq!(buckets.take("a", at(1_000)), Ok(()), "never more than a burst");
        }
        assert!(buckets.take("a", at(1_000)).is_err());
        buckets.give_back(&"a");
        assert_eq!(buckets.take("a", at(1_000)), Ok(()));
    }

    #[test]
    fn whoever_has_patience_waits_for_their_turn() {
        let (mut buckets, start) = (Buckets::new(RATE), Instant::now());
        let mut reserve =
            |key| buckets.reserve(key, start, Duration::from_secs(25)).map(|wait| wait.as_secs());
        let waits: Vec<_> = (0..6).map(|_| reserve("a")).collect();
        let longer = Err(Duration::from_secs(30));
        assert_eq!(waits, [Ok(0), Ok(0), Ok(0), Ok(10), Ok(20), longer]);
        assert_eq!(reserve("a"), longer, "one refused took no turn");
        assert_eq!(reserve("b"), Ok(0));
    }

    #[test]
    fn a_table_is_bounded_and_those_beyond_it_share_a_bucket() {
        let (mut buckets, start) = (Buckets::new(RATE), Instant::now());
        for key in 0..MOST {
            buckets.take(key, start).unwrap();
        }
        let through = (MOST..MOST + 100).filter(|key| buckets.take(*key, start).is_ok()).count();
        assert_eq!((through, buckets.held.len()), (3, MOST));
        // Those that have rested make room.
        let later = start + Duration::from_secs(60);
        assert_eq!(buckets.take(MOST, later), Ok(()));
        assert_eq!(buckets.held.len(), 1);
    }
}
