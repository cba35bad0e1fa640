//! Matching of calls with rules.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Facts, Rule};
use crate::numbering;

impl Rule {
    pub(super) fn matches(&self, facts: &Facts) -> bool {
        named(self.trunk.as_deref(), Some(&facts.trunk))
            && named(self.queue.as_deref(), facts.queue.as_deref())
            && named(self.tier.as_deref(), facts.tier.as_deref())
            && named(self.call_type.as_deref(), facts.call_type.as_deref())
            && self.dialled.as_ref().is_none_or(|dialled| dialled.matches(&facts.dialled))
    }

    pub(super) fn has_condition(&self) -> bool {
        self.trunk.is_some()
            || self.dialled.is_some()
            || self.queue.is_some()
            || self.tier.is_some()
            || self.call_type.is_some()
    }
}

fn named(wanted: Option<&str>, is: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| is.is_some_and(|is| same_name(wanted, is)))
}

pub(super) fn same_name(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

/// A dialled number, or a prefix of one: `+4930123456`, `+49*`, `service`.
///
/// Numbers are compared without separators and without the sign of the international format (`+` or `00`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialled {
    written: String,
    wanted: String,
    beginning: bool,
}

impl Dialled {
    /// Whether `dialled` (a user part, or a SIP or tel URI) matches.
    #[must_use]
    pub fn matches(&self, dialled: &str) -> bool {
        let dialled = numbering::bare(dialled);
        if self.beginning { dialled.starts_with(&self.wanted) } else { dialled == self.wanted }
    }
}

/// Text that is no dialled number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a dialled number is written as +49301234567, or as +49* for all that begin so; a star stands at the end"
)]
pub struct NotDialled;

impl FromStr for Dialled {
    type Err = NotDialled;

    fn from_str(text: &str) -> Result<Self, NotDialled> {
        let text = text.trim();
        let (number, beginning) = match text.strip_suffix('*') {
            // `*` by itself is a prefix; `*98` and `30*` are too; `**` would be a star code's prefix.
            Some(beginning) => (beginning, true),
            None => (text, false),
        };
        let wanted = numbering::bare(number);
        // Within a number nobody dials a star; star codes begin with one.
        let is_code = number.starts_with(['*', '#']);
        if wanted.is_empty() && !beginning || number.contains('*') && !is_code {
            return Err(NotDialled);
        }
        Ok(Self { written: text.to_owned(), wanted, beginning })
    }
}

impl fmt::Display for Dialled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl Serialize for Dialled {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Dialled {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Dialled;

    #[test]
    fn a_star_stands_at_the_end_or_begins_a_code() {
        for good in ["+49301234567", "+49*", "*", "*98", "*21*5551234", "30*"] {
            assert!(good.parse::<Dialled>().is_ok(), "{good}");
        }
        for bad in ["", "+49*1", "0049*1", "30*1*"] {
            assert!(bad.parse::<Dialled>().is_err(), "{bad}");
        }
    }
}
