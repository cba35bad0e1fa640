//! Small arithmetic on times and shares that every result passes through.

use std::time::Duration;

/// Whole milliseconds of `duration`: the grain of everything that is told, so that what is written reads back equal.
pub(crate) fn whole(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// `value` to three decimals; what is not finite is 0.
pub(crate) fn round3(value: f32) -> f32 {
    if value.is_finite() { (value * 1000.0).round() / 1000.0 + 0.0 } else { 0.0 }
}

/// `part / all` in `[0, 1]`, to three decimals; `None` of nothing.
pub(crate) fn share(part: Duration, all: Duration) -> Option<f32> {
    (!all.is_zero()).then(|| round3((part.as_secs_f64() / all.as_secs_f64()).clamp(0.0, 1.0) as f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_finite_and_short() {
        assert_eq!(round3(0.123_456), 0.123);
        assert_eq!(round3(f32::NAN), 0.0);
        assert_eq!(round3(-0.0001).to_string(), "0", "no minus zero");
        assert_eq!(share(Duration::ZERO, Duration::ZERO), None);
        assert_eq!(share(Duration::from_secs(9), Duration::from_secs(3)), Some(1.0));
    }
}
