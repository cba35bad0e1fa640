//! The days that figures are of, and as many before them to compare with.

use serde::Deserialize;
use sidetone_store::Grouping;

use crate::calls::{QueryFault, day, query};
use crate::civil::{DAY_MS, Date};

/// Days without another choice, today included.
const USUAL: u64 = 28;
/// Most days of a range.
const MOST: u64 = 366;

/// The query of the figures, as it stands in its address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct FiguresQuery {
    /// The first day, `YYYY-MM-DD`, UTC.
    pub from: String,
    /// The last day, included.
    pub until: String,
    /// What the table's rows are, and what `label` names: `trunk`, `queue`, `team` or `tier`.
    pub by: String,
    /// One trunk's, queue's, team's or tier's calls only.
    pub label: String,
    /// `inbound` or `outbound` calls only.
    pub direction: String,
}

/// Days since 1970, each included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first day.
    pub first: u64,
    /// The last day.
    pub last: u64,
    /// The first day of the range before, which is as long: what the store is asked from.
    pub before_first: u64,
}

impl FiguresQuery {
    /// The days that are asked for: the last 28 unless others are named, and no more than 366.
    ///
    /// # Errors
    /// A day that is none, or a last day before the first.
    pub fn range(&self, now: u64) -> Result<Range, QueryFault> {
        let until = day(&self.until)?;
        let from = day(&self.from)?;
        let last = until.unwrap_or(now / DAY_MS);
        let first = from.unwrap_or((last + 1).saturating_sub(USUAL));
        if first > last {
            return Err(QueryFault::Order);
        }
        Ok(Range::of(first, last))
    }

    /// What the calls are grouped by: by trunk, unless another grouping is named.
    #[must_use]
    pub fn grouping(&self) -> Grouping {
        Grouping::ALL.into_iter().find(|by| by.name() == self.by).unwrap_or_default()
    }

    pub(super) fn to_query(&self) -> String {
        query(&[
            ("from", &self.from),
            ("until", &self.until),
            ("by", &self.by),
            ("label", &self.label),
            ("direction", &self.direction),
        ])
    }

    /// The same choice of calls over the last so many days.
    pub(super) fn last_days(&self, now: u64, days: u64) -> Self {
        let today = now / DAY_MS;
        let written = |day| Date::of_day(day).iso();
        let from = written((today + 1).saturating_sub(days));
        Self { from, until: written(today), ..self.clone() }
    }
}

impl Range {
    fn of(first: u64, last: u64) -> Self {
        let first = first.max((last + 1).saturating_sub(MOST));
        Self { first, last, before_first: first.saturating_sub(last - first + 1) }
    }

    /// The usual range, where a query asks for none that there could be.
    #[must_use]
    pub fn usual(now: u64) -> Self {
        let last = now / DAY_MS;
        Self::of((last + 1).saturating_sub(USUAL), last)
    }

    pub(super) fn days(self) -> u64 {
        self.last - self.first + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 20_786 * DAY_MS + 1;

    fn range(from: &str, until: &str) -> Result<(u64, u64, u64), QueryFault> {
        let query = FiguresQuery { from: from.into(), until: until.into(), ..Default::default() };
        query.range(NOW).map(|range| (range.before_first, range.first, range.last))
    }

    #[test]
    fn a_range_is_compared_with_as_many_days_before_it() {
        assert_eq!(range("", ""), Ok((20_731, 20_759, 20_786)));
        assert_eq!(range("2026-11-23", "2026-11-29"), Ok((20_773, 20_780, 20_786)));
        assert_eq!(range("1970-01-01", "1970-01-01"), Ok((0, 0, 0)));
    }

    #[test]
    fn a_range_is_bounded_and_in_order() {
        let (before, first, last) = range("1970-01-01", "9999-12-31").unwrap();
        assert_eq!((last - first + 1, first - before), (MOST, MOST));
        assert_eq!(range("2026-11-29", "2026-11-28"), Err(QueryFault::Order));
        assert_eq!(range("2030-01-01", ""), Err(QueryFault::Order));
        assert_eq!(range("x", ""), Err(QueryFault::Day));
    }
}
