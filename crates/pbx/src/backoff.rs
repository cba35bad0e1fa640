//! The wait before the next attempt to connect.

use std::time::Duration;

/// Waits that double from one second to one minute, each shortened by a random part of up to half, so that links that
/// broke together don't reconnect together.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    next: Duration,
    random: u64,
}

impl Backoff {
    pub(crate) const LEAST: Duration = Duration::from_secs(1);
    pub(crate) const MOST: Duration = Duration::from_mins(1);
    /// A connection that lasted this long resets the wait.
    pub(crate) const GOOD: Duration = Duration::from_secs(20);

    pub(crate) fn new(seed: u64) -> Self {
        Self { next: Self::LEAST, random: seed | 1 }
    }

    /// The wait after a connection that was logged in for `lasted`.
    pub(crate) fn after(&mut self, lasted: Duration) -> Duration {
        if lasted >= Self::GOOD {
            self.next = Self::LEAST;
        }
        let whole = self.next;
        self.next = (whole * 2).min(Self::MOST);
        // xorshift64: predicting it brings no gain.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let part = (self.random >> 33) as f64 / f64::from(u32::MAX >> 1);
        (whole - whole.mul_f64(part.clamp(0.0, 1.0) / 2.0)).max(Self::LEAST / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn waits_double_within_their_bounds_until_a_good_connection(seed: u64) {
            let mut backoff = Backoff::new(seed);
            let mut whole = Backoff::LEAST;
            for _ in 0..12 {
                let wait = backoff.after(Duration::from_secs(1));
                prop_assert!(wait >= whole / 2 && wait <= whole, "{:?} of {:?}", wait, whole);
                whole = (whole * 2).min(Backoff::MOST);
            }
            prop_assert!(backoff.after(Backoff::GOOD) <= Backoff::LEAST);
        }
    }
}
