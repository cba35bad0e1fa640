//! How long a hole is waited for.

use std::time::Duration;

/// How long a missing packet is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delay {
    /// Always that long.
    Fixed(Duration),
    /// Longer after packets came late, shorter again while none do.
    Adaptive {
        /// Never shorter.
        min: Duration,
        /// Never longer.
        max: Duration,
    },
}

impl Default for Delay {
    /// 20 to 200 ms.
    fn default() -> Self {
        Delay::Adaptive { min: Duration::from_millis(20), max: Duration::from_millis(200) }
    }
}

/// Numbers that were given up at the same time.
#[derive(Debug, Clone, Copy)]
struct Loss {
    from: u64,
    until: u64,
    at: Duration,
    waited: Duration,
}

/// Follows how much longer late packets would have needed.
#[derive(Debug)]
pub(super) struct Estimator {
    delay: Delay,
    current: Duration,
    last_loss: Option<Loss>,
    /// Packets since the delay last changed.
    calm: u32,
}

/// After so many packets without a late one the delay shrinks by a step: 5 ms in 5 s at 20 ms.
const CALM: u32 = 250;
const SHRINK: Duration = Duration::from_millis(5);

/// Growth when a packet is late that isn't one of the last loss, so that its need is unknown.
const GROW: Duration = Duration::from_millis(20);

impl Estimator {
    pub(super) fn new(delay: Delay) -> Self {
        let current = match delay {
            Delay::Fixed(fixed) => fixed,
            Delay::Adaptive { min, .. } => min,
        };
        Self { delay, current, last_loss: None, calm: 0 }
    }

    pub(super) fn current(&self) -> Duration {
        self.current
    }

    /// Numbers `from` up to but without `until` were given up at `at`, having been `waited` for.
    pub(super) fn gave_up(&mut self, at: Duration, waited: Duration, from: u64, until: u64) {
        self.last_loss = Some(Loss { from, until, at, waited });
    }

    /// A number came after it had been given up.
    pub(super) fn late(&mut self, now: Duration, number: u64) {
        let needed = match self.last_loss {
            Some(loss) if (loss.from..loss.until).contains(&number) => {
                let needed = loss.waited.saturating_add(now.saturating_sub(loss.at));
                needed.saturating_add(needed / 4)
            }
            _ => self.current.saturating_add(GROW),
        };
        self.calm = 0;
        self.change(self.current.max(needed));
    }

    /// A packet came out in time.
    pub(super) fn in_time(&mut self) {
        self.calm += 1;
        if self.calm >= CALM {
            self.calm = 0;
            self.change(self.current.saturating_sub(SHRINK));
        }
    }

    /// Numbers mean something else from now on.
    pub(super) fn forget_losses(&mut self) {
        self.last_loss = None;
    }

    fn change(&mut self, to: Duration) {
        if let Delay::Adaptive { min, max } = self.delay {
            self.current = to.min(max).max(min);
        }
    }
}
