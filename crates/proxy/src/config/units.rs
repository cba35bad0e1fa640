//! Values that are written as text.

use std::str::FromStr;

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
    fn port_ranges_hold_at_least_one_stream() {
        assert_eq!("30000-30003".parse(), Ok(PortRange { first: 30_000, last: 30_003 }));
        for wrong in ["30000", "30003-30000", "80-90", "30000-30002", "x-y"] {
            assert!(wrong.parse::<PortRange>().is_err(), "{wrong}");
        }
    }
}
