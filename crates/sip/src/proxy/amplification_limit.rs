//! The limit on answers to a UDP source whose address may be forged: Sidetone must not amplify a flood.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// Stateless answers a second to one address; a burst may be as many.
const A_SECOND: u64 = 100;
/// Addresses watched at once. Admitted sources are few; beyond, the table begins anew.
const MOST: usize = 4_096;
/// An answer may have so many times the bytes of the request.
const FACTOR: usize = 2;

/// Token buckets by address, in thousandths of an answer.
#[derive(Debug, Default)]
pub(super) struct AmplificationLimit {
    buckets: HashMap<IpAddr, Bucket>,
}

#[derive(Debug)]
struct Bucket {
    thousandths: u64,
    filled: Duration,
}

impl AmplificationLimit {
    /// Whether an answer of that size is small enough for a request of that one.
    pub(super) const fn fits(request: usize, answer: usize) -> bool {
        answer <= request.saturating_mul(FACTOR)
    }

    /// Takes one answer to that address; false if it has had enough for now.
    pub(super) fn take(&mut self, now: Duration, to: IpAddr) -> bool {
        if self.buckets.len() >= MOST && !self.buckets.contains_key(&to) {
            self.buckets.clear();
        }
        let full = A_SECOND * 1_000;
        let bucket = self.buckets.entry(to).or_insert(Bucket { thousandths: full, filled: now });
        let passed = u64::try_from(now.saturating_sub(bucket.filled).as_millis()).unwrap_or(u64::MAX);
        if passed > 0 {
            bucket.thousandths = bucket.thousandths.saturating_add(passed.saturating_mul(A_SECOND)).min(full);
            bucket.filled = now;
        }
        match bucket.thousandths.checked_sub(1_000) {
            Some(left) => bucket.thousandths = left,
            None => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_so_many_a_second_and_each_address_for_itself() {
        let (one, two) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let mut amplification_limit = AmplificationLimit::default();
        let mut taken =
            |ms, to| (0..1_000).filter(|_| amplification_limit.take(Duration::from_millis(ms), to)).count();
        assert_eq!(taken(0, one), 100);
        assert_eq!(taken(0, two), 100);
        assert_eq!(taken(500, one), 50);
        assert_eq!(taken(60_000, one), 100);
    }
}
