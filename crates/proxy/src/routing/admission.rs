//! Whether a new call is taken: room, rate, drain.

use std::time::Duration;

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

    /// Takes a new call, with `up` calls already there.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn admit(&mut self, now: Duration, up: usize) -> Result<(), Refused> {
        if self.draining {
            return Err(Refused::Draining);
        }
        if up >= self.limits.calls {
            return Err(Refused::Full);
        }
        let rate = u64::from(self.limits.calls_per_second);
        let passed = now.saturating_sub(self.refilled);
        let earned = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX).saturating_mul(rate);
        if earned > 0 {
            self.tokens = self.tokens.saturating_add(earned).min(rate * 1_000);
            self.refilled = now;
        }
        self.tokens = self.tokens.checked_sub(1_000).ok_or(Refused::TooFast)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(calls: usize, calls_per_second: u32) -> Admission {
        Admission::new(Limits { calls, calls_per_second, retry_after: Duration::from_secs(1) })
    }

    #[test]
    fn no_more_calls_than_allowed() {
        let mut admission = admission(2, 100);
        assert_eq!(admission.admit(Duration::ZERO, 1), Ok(()));
        assert_eq!(admission.admit(Duration::ZERO, 2), Err(Refused::Full));
    }

    #[test]
    fn the_rate_holds_over_any_second() {
        let mut admission = admission(1_000_000, 10);
        let taken = (0..5_000).filter(|ms| admission.admit(Duration::from_millis(*ms), 0).is_ok()).count();
        // The sixtieth is due at five seconds sharp, the next a tenth of a second later.
        assert_eq!(taken, 59);
        assert_eq!(admission.admit(Duration::from_millis(5_000), 0), Ok(()));
        assert_eq!(admission.admit(Duration::from_millis(5_099), 0), Err(Refused::TooFast));
        assert_eq!(admission.admit(Duration::from_millis(5_100), 0), Ok(()));
    }

    #[test]
    fn a_drain_takes_nothing_until_it_is_over() {
        let mut admission = admission(10, 10);
        admission.drain(true);
        assert_eq!(admission.admit(Duration::ZERO, 0), Err(Refused::Draining));
        admission.drain(false);
        assert_eq!(admission.admit(Duration::ZERO, 0), Ok(()));
    }
}
