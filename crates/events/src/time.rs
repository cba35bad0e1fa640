//! A point in time as events write it.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The last millisecond that RFC 3339 can write: the end of the year 9999.
const LAST: u64 = 253_402_300_799_999;

/// A point in UTC, to the millisecond; written as RFC 3339 with three decimals, `2026-03-01T09:30:00.125Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    unix_millis: u64,
}

impl Timestamp {
    /// Now, by the system's clock.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::from_unix_millis(u64::try_from(since.as_millis()).unwrap_or(LAST))
    }

    /// The time this many milliseconds after the start of 1970; later than 9999 becomes the end of 9999.
    #[must_use]
    pub fn from_unix_millis(unix_millis: u64) -> Self {
        Self { unix_millis: unix_millis.min(LAST) }
    }

    /// Milliseconds since the start of 1970.
    #[must_use]
    pub fn unix_millis(self) -> u64 {
        self.unix_millis
    }

    /// Whole seconds since the start of 1970.
    #[must_use]
    pub fn unix_seconds(self) -> u64 {
        self.unix_millis / 1000
    }

    /// The time this much later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self::from_unix_millis(self.unix_millis.saturating_add(millis))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(self.unix_millis)).fmt(f)
    }
}

impl FromStr for Timestamp {
    type Err = humantime::TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let time = humantime::parse_rfc3339(text)?;
        let since = time.duration_since(UNIX_EPOCH).map_err(|_| humantime::TimestampError::OutOfRange)?;
        Ok(Self::from_unix_millis(u64::try_from(since.as_millis()).unwrap_or(LAST)))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_with_three_decimals_and_reads_back() {
        let time = Timestamp::from_unix_millis(1_772_357_400_125);
        assert_eq!(time.to_string(), "2026-03-01T09:30:00.125Z");
        assert_eq!("2026-03-01T09:30:00.125Z".parse(), Ok(time));
        assert_eq!(Timestamp::from_unix_millis(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::from_unix_millis(u64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(time.after(Duration::MAX), Timestamp::from_unix_millis(u64::MAX));
        for wrong in ["", "now", "2026-03-01", "2026-03-01T09:30:00.125", "1969-12-31T23:59:59Z"] {
            assert!(wrong.parse::<Timestamp>().is_err(), "{wrong}");
        }
    }
}
