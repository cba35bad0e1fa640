//! A clock that goes on from one process to the next, as long as the machine does not start anew.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// Which start of the machine it is.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Names this start of the machine; `None` if the system does not tell.
pub(crate) fn boot() -> Option<String> {
    let id = std::fs::read_to_string(BOOT_ID).ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty())
}

/// The system's monotonic clock, which [`Instant`] reads too.
fn monotonic() -> Option<Duration> {
    clock_gettime(ClockId::CLOCK_MONOTONIC).ok().map(Duration::from)
}

/// The system's clock at an instant.
pub(crate) fn at(instant: Instant) -> Option<Duration> {
    let since = Instant::now().checked_duration_since(instant)?;
    monotonic()?.checked_sub(since)
}

/// The instant at which the system's clock stood there; `None` for one that has not come yet.
pub(crate) fn instant(at: Duration) -> Option<Instant> {
    Instant::now().checked_sub(monotonic()?.checked_sub(at)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_found_again() {
        let then = Instant::now() - Duration::from_millis(1_234);
        let again = instant(at(then).unwrap()).unwrap();
        let apart = again.max(then) - again.min(then);
        assert!(apart < Duration::from_secs(60), "{apart:?}");
        assert_eq!(instant(monotonic().unwrap() + Duration::from_secs(1_000)), None);
    }
}
