//! A point in time as receipts write it.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The last millisecond that RFC 3339 can write: the end of the year 9999.
const LAST: u64 = 253_402_300_799_999;
const DAY: u64 = 86_400_000;

/// A point in UTC, to the millisecond; written as RFC 3339 with three decimals, `2026-03-01T09:30:00.125Z`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// The time this many milliseconds after the start of 1970; later than 9999 becomes the end of 9999.
    #[must_use]
    pub fn from_unix_millis(millis: u64) -> Self {
        Self(millis.min(LAST))
    }

    /// Milliseconds since the start of 1970.
    #[must_use]
    pub fn unix_millis(self) -> u64 {
        self.0
    }

    /// This many milliseconds later.
    #[must_use]
    pub fn after_millis(self, millis: u64) -> Self {
        Self::from_unix_millis(self.0.saturating_add(millis))
    }

    /// This many days earlier.
    #[must_use]
    pub fn days_before(self, days: u32) -> Self {
        Self(self.0.saturating_sub(u64::from(days) * DAY))
    }

    /// The day in UTC, `2026-03-01`.
    #[must_use]
    pub fn day(self) -> String {
        self.to_string().chars().take(10).collect()
    }

    /// The last millisecond of the same day in UTC.
    #[must_use]
    pub fn end_of_day(self) -> Self {
        Self::from_unix_millis(self.0 - self.0 % DAY + (DAY - 1))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(self.0)).fmt(f)
    }
}

impl FromStr for Moment {
    type Err = humantime::TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let time = humantime::parse_rfc3339(text)?;
        let since = time.duration_since(UNIX_EPOCH).map_err(|_| humantime::TimestampError::OutOfRange)?;
        Ok(Self::from_unix_millis(u64::try_from(since.as_millis()).unwrap_or(LAST)))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_midnight_in_utc() {
        let moment: Moment = "2026-03-01T23:59:59.999Z".parse().unwrap();
        assert_eq!(moment.day(), "2026-03-01");
        assert_eq!(moment.end_of_day(), moment);
        assert_eq!(moment.after_millis(1).day(), "2026-03-02");
        assert_eq!(moment.days_before(1).to_string(), "2026-02-28T23:59:59.999Z");
        assert_eq!(Moment::from_unix_millis(u64::MAX).after_millis(1).day(), "9999-12-31");
    }
}
