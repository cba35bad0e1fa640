//! When a failed request is tried again, and when it is given up.

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::config::WebhookConfig;
use crate::time::Timestamp;

/// The result of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The endpoint answered.
    Answered {
        /// The status.
        status: u16,
        /// The Retry-After that the endpoint asked for.
        retry_after: Option<Duration>,
    },
    /// No answer within the time allowed.
    TimedOut,
    /// No connection, or a broken one. The text says why, without the request's content.
    Broken(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { status: status @ 300..=399, .. } => {
                write!(f, "status {status}: redirects are not followed, configure the address they lead to")
            }
            Self::Answered { status, .. } => write!(f, "status {status}"),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Broken(why) => f.write_str(why),
        }
    }
}

/// The decision after a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Done: the request was delivered.
    Delivered,
    /// Try again after this time.
    Again(Duration),
    /// Count it as failed.
    GiveUp,
}

/// The tries of one request: exponential backoff with equal jitter (between half of the wait and the whole), never
/// above the configured bound, until the time to give up.
#[derive(Debug, Clone)]
pub(crate) struct Retry {
    next: Duration,
    at_most: Duration,
    give_up_after: Duration,
    random: u64,
}

impl Retry {
    pub(crate) fn new(config: &WebhookConfig, seed: u64) -> Self {
        // A floor, or a dead endpoint would be retried as fast as it refuses.
        let least = Duration::from_millis(10);
        let at_most = config.retry_at_most.0.max(least);
        Self {
            next: config.retry_after.0.clamp(least, at_most),
            at_most,
            give_up_after: config.give_up_after.0,
            random: seed,
        }
    }

    /// The decision after `outcome`, `elapsed` after the first try began.
    pub(crate) fn after(&mut self, outcome: &Outcome, elapsed: Duration) -> Verdict {
        let asked = match outcome {
            Outcome::Answered { status: 200..=299, .. } => return Verdict::Delivered,
            // The receiver is busy, restarting or overloaded; any other refusal would only be repeated.
            Outcome::Answered { status: 408 | 425 | 429 | 500..=599, retry_after } => *retry_after,
            Outcome::Answered { .. } => return Verdict::GiveUp,
            Outcome::TimedOut | Outcome::Broken(_) => None,
        };
        let backoff = self.jittered();
        let wait = asked.map_or(backoff, |asked| asked.max(backoff).min(self.at_most));
        if elapsed.saturating_add(wait) > self.give_up_after { Verdict::GiveUp } else { Verdict::Again(wait) }
    }

    fn jittered(&mut self) -> Duration {
        let half = self.next / 2;
        self.next = self.next.saturating_mul(2).min(self.at_most);
        half + half.mul_f64(self.random())
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014), `[0, 1)`.
    fn random(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Parses a Retry-After (RFC 9110 §10.2.3): seconds, or a date.
pub(crate) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|digit| digit.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let since = date.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(since.saturating_sub(Duration::from_millis(now.unix_millis())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sidetone_insight::Period;

    fn config() -> WebhookConfig {
        toml::from_str("url = \"https://x.example/\"\nsecret = \"0123456789abcdef\"\n").unwrap()
    }

    fn status(status: u16) -> Outcome {
        Outcome::Answered { status, retry_after: None }
    }

    #[test]
    fn what_would_be_said_again_is_not_asked_again() {
        for gone in [301, 302, 304, 307, 308, 400, 401, 403, 404, 410, 413, 422] {
            assert_eq!(
                Retry::new(&config(), 1).after(&status(gone), Duration::ZERO),
                Verdict::GiveUp,
                "{gone}"
            );
        }
        for busy in [408, 425, 429, 500, 502, 503, 504] {
            assert!(
                matches!(Retry::new(&config(), 1).after(&status(busy), Duration::ZERO), Verdict::Again(_)),
                "{busy}"
            );
        }
        for fine in [200, 202, 204] {
            assert_eq!(Retry::new(&config(), 1).after(&status(fine), Duration::ZERO), Verdict::Delivered);
        }
    }

    #[test]
    fn retry_after_is_honoured_up_to_the_bound() {
        let asked =
            |seconds| Outcome::Answered { status: 429, retry_after: Some(Duration::from_secs(seconds)) };
        let after = |seconds| Retry::new(&config(), 1).after(&asked(seconds), Duration::ZERO);
        assert_eq!(after(30), Verdict::Again(Duration::from_secs(30)));
        assert_eq!(after(86_400), Verdict::Again(Duration::from_secs(60)), "no longer than retry_at_most");
        let Verdict::Again(wait) = after(0) else { panic!() };
        assert!(wait >= Duration::from_millis(500), "but never sooner than the backoff");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Timestamp::from_unix_millis(784_111_777_000);
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:50:37 GMT", now), Some(Duration::from_secs(60)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:40:37 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("99999999999999999999999", now), Some(Duration::from_secs(u64::MAX)));
        for wrong in ["", "-1", "soon", "1.5", "Sun, 99 Nov 1994 08:50:37 GMT"] {
            assert_eq!(retry_after(wrong, now), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn waits_double_within_their_bounds_and_end(seed: u64, first in 1u64..5_000, most in 1u64..60_000, give_up in 0u64..600_000) {
            let config = WebhookConfig {
                retry_after: Period::from_millis(first),
                retry_at_most: Period::from_millis(most),
                give_up_after: Period::from_millis(give_up),
                ..config()
            };
            let mut retry = Retry::new(&config, seed);
            let (mut elapsed, mut tries) = (Duration::ZERO, 0u32);
            while let Verdict::Again(wait) = retry.after(&Outcome::TimedOut, elapsed) {
                let whole = Duration::from_millis(first.max(10)) * 2u32.pow(tries.min(16));
                let whole = whole.min(Duration::from_millis(most.max(10)));
                prop_assert!(wait >= whole / 2 && wait <= whole, "{:?} of {:?}", wait, whole);
                elapsed += wait;
                tries += 1;
                prop_assert!(elapsed <= config.give_up_after.0 && tries <= 120_000);
            }
        }
    }
}
