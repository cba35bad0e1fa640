//! Values that are written as text: periods of time, ranges of ports.

use std::str::FromStr;
use std::time::Duration;

/// Serde through `Display` and `FromStr`.
macro_rules! serde_by_text {
    ($type:ty) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
    };
}
pub(super) use serde_by_text;

/// A period of time: `250ms`, `4s`, `2m`, `1h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

impl Period {
    pub(super) const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
    pub(super) const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }
}

impl From<Period> for Duration {
    fn from(period: Period) -> Self {
        period.0
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a period; write it as 250ms, 4s, 2m or 1h");
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(wrong()),
        };
        number.checked_mul(millis).map(|millis| Self(Duration::from_millis(millis))).ok_or_else(wrong)
    }
}

impl std::fmt::Display for Period {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let millis = self.0.as_millis();
        if millis % 1_000 == 0 { write!(f, "{}s", millis / 1_000) } else { write!(f, "{millis}ms") }
    }
}

serde_by_text!(Period);

/// UDP ports, `FIRST-LAST`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    /// Lowest port.
    pub first: u16,
    /// Highest port.
    pub last: u16,
}

impl FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a range of ports; write FIRST-LAST, as in 30000-39999");
        let (first, last) = text.split_once('-').ok_or_else(wrong)?;
        let first: u16 = first.trim().parse().map_err(|_| wrong())?;
        let last: u16 = last.trim().parse().map_err(|_| wrong())?;
        if first < 1024 || last < first || last - first < 3 {
            return Err(format!("{text}: a range holds at least four ports, none below 1024"));
        }
        Ok(Self { first, last })
    }
}

impl std::fmt::Display for PortRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

serde_by_text!(PortRange);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read_and_written() {
        for (text, millis) in [("250ms", 250), ("4s", 4_000), ("2m", 120_000), ("1h", 3_600_000), ("0s", 0)] {
            assert_eq!(text.parse::<Period>(), Ok(Period::from_millis(millis)));
        }
        assert_eq!(Period::from_millis(1_500).to_string(), "1500ms");
        for wrong in ["", "4", "s", "4 s", "-1s", "1.5s", "99999999999999999999s", "18446744073709551615h"] {
            assert!(wrong.parse::<Period>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn port_ranges_hold_at_least_one_stream() {
        assert_eq!("30000-30003".parse(), Ok(PortRange { first: 30_000, last: 30_003 }));
        for wrong in ["30000", "30003-30000", "80-90", "30000-30002", "x-y"] {
            assert!(wrong.parse::<PortRange>().is_err(), "{wrong}");
        }
    }
}
