//! Whether a new call is taken: room, rate, drain.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// A caller may repeat an INVITE within this time, as it does after 401, 407 or 422, without taking up the rate again.
const REPEATED_WITHIN: Duration = Duration::from_secs(32);
/// How often.
const REPEATS: u8 = 2;
/// Calls remembered for that, twice over.
const MOST_RECENT: usize = 10_000;

/// The limits in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Calls at once.
    pub calls: usize,
    /// New calls a second; the burst is one second's worth.
    pub calls_per_second: u32,
    /// What a refused caller is told to wait.
    pub retry_after: Duration,
}

/// Why a call was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// As many calls as allowed are up.
    Full,
    /// Calls come faster than allowed.
    TooFast,
    /// Sidetone is being drained.
    Draining,
}

impl Refused {
    /// The reason phrase of the 503.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Full => "Call Limit Reached",
            Self::TooFast => "Call Rate Limit Reached",
            Self::Draining => "Draining",
        }
    }
}

/// A token bucket and a drain switch.
#[derive(Debug)]
pub struct Admission {
    limits: Limits,
    draining: bool,
    /// Thousandths of a call.
    tokens: u64,
    refilled: Duration,
    recent: Recent,
}

/// Calls admitted a short time ago, by a keyed hash of their names.
#[derive(Debug, Default)]
struct Recent {
    keys: RandomState,
    /// How often each may still be repeated.
    newer: HashMap<u64, u8>,
    older: HashMap<u64, u8>,
    turned: Duration,
}

impl Recent {
    /// Whether this call was admitted and may be repeated; counts the repetition.
    fn repeats(&mut self, now: Duration, call: u64) -> bool {
        // Whatever is in the older half when the halves turn was there for at least the time.
        if now.saturating_sub(self.turned) >= REPEATED_WITHIN {
            self.older = std::mem::take(&mut self.newer);
            self.turned = now;
        }
        let left = match self.newer.get_mut(&call) {
            Some(left) => left,
            None => match self.older.get_mut(&call) {
                Some(left) => left,
                None => return false,
            },
        };
        let allowed = *left > 0;
        *left = left.saturating_sub(1);
        allowed
    }

    fn remember(&mut self, call: u64) {
        if self.newer.len() < MOST_RECENT {
            self.newer.insert(call, REPEATS);
        }
    }
}

impl Admission {
    /// Full bucket, not draining.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            draining: false,
            tokens: u64::from(limits.calls_per_second) * 1_000,
            refilled: Duration::ZERO,
            recent: Recent::default(),
        }
    }

    /// Changes the limits; calls that are up stay up.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// What a refused caller is told to wait.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        self.limits.retry_after
    }

    /// Starts or ends the drain.
    pub fn drain(&mut self, draining: bool) {
        self.draining = draining;
    }

    /// Whether a drain is on.
    #[must_use]
    pub fn draining(&self) -> bool {
        self.draining
    }

    /// Takes a new call, with `up` calls already there. `call` names it: Call-ID and From's tag.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn admit(&mut self, now: Duration, up: usize, call: (&str, &str)) -> Result<(), Refused> {
        if self.draining {
            return Err(Refused::Draining);
        }
        if up >= self.limits.calls {
            return Err(Refused::Full);
        }
        let call = self.recent.keys.hash_one(call);
        if self.recent.repeats(now, call) {
            return Ok(());
        }
        let rate = u64::from(self.limits.calls_per_second);
        let passed = now.saturating_sub(self.refilled);
        let earned = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX).saturating_mul(rate);
        if earned > 0 {
            self.tokens = self.tokens.saturating_add(earned).min(rate * 1_000);
            self.refilled = now;
        }
        self.tokens = self.tokens.checked_sub(1_000).ok_or(Refused::TooFast)?;
        self.recent.remember(call);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(calls: usize, calls_per_second: u32) -> Admission {
        Admission::new(Limits { calls, calls_per_second, retry_after: Duration::from_secs(1) })
    }

    /// A new call each time.
    fn admit(admission: &mut Admission, now: Duration, up: usize) -> Result<(), Refused> {
        let call = crate::random::number().to_string();
        admission.admit(now, up, (&call, "tag"))
    }

    #[test]
    fn no_more_calls_than_allowed() {
        let mut admission = admission(2, 100);
        assert_eq!(admit(&mut admission, Duration::ZERO, 1), Ok(()));
        assert_eq!(admit(&mut admission, Duration::ZERO, 2), Err(Refused::Full));
    }

    #[test]
    fn the_rate_holds_over_any_second() {
        let mut admission = admission(1_000_000, 10);
        let taken =
            (0..5_000).filter(|ms| admit(&mut admission, Duration::from_millis(*ms), 0).is_ok()).count();
        // The sixtieth is due at five seconds sharp, the next a tenth of a second later.
        assert_eq!(taken, 59);
        assert_eq!(admit(&mut admission, Duration::from_millis(5_000), 0), Ok(()));
        assert_eq!(admit(&mut admission, Duration::from_millis(5_099), 0), Err(Refused::TooFast));
        assert_eq!(admit(&mut admission, Duration::from_millis(5_100), 0), Ok(()));
    }

    #[test]
    fn a_drain_takes_nothing_until_it_is_over() {
        let mut admission = admission(10, 10);
        admission.drain(true);
        assert_eq!(admit(&mut admission, Duration::ZERO, 0), Err(Refused::Draining));
        admission.drain(false);
        assert_eq!(admit(&mut admission, Duration::ZERO, 0), Ok(()));
    }

    #[test]
    fn an_invite_repeated_with_credentials_is_the_same_call_but_not_for_ever() {
        let mut admission = admission(10, 1);
        let call = ("call", "tag");
        assert_eq!(admission.admit(Duration::ZERO, 0, call), Ok(()));
        assert_eq!(admission.admit(Duration::ZERO, 0, call), Ok(()));
        assert_eq!(admission.admit(Duration::ZERO, 0, ("call", "other")), Err(Refused::TooFast));
        assert_eq!(admission.admit(Duration::ZERO, 0, call), Ok(()));
        assert_eq!(admission.admit(Duration::ZERO, 0, call), Err(Refused::TooFast));
    }

    #[test]
    fn a_call_is_forgotten_after_a_while() {
        let mut admission = admission(10, 1);
        let (first, second) = (("call", "tag"), ("next", "tag"));
        assert_eq!(admission.admit(Duration::ZERO, 0, first), Ok(()));
        for _ in 0..2 {
            let at = Duration::from_secs(70);
            assert_eq!(admission.admit(at, 0, second), Ok(()));
        }
        assert_eq!(admission.admit(Duration::from_secs(140), 0, ("third", "tag")), Ok(()));
        assert_eq!(admission.admit(Duration::from_secs(140), 0, first), Err(Refused::TooFast));
    }
}
