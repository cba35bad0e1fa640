//! Days since 1970 and the Gregorian calendar, in UTC.

/// Milliseconds of a day.
pub(crate) const DAY_MS: u64 = 86_400_000;
/// The last day that is written: 31 December 9999. Later ones are shown as this one.
const LAST: u64 = 2_932_896;

/// A date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Date {
    pub(crate) year: u64,
    /// 1 to 12.
    pub(crate) month: u64,
    /// 1 to 31.
    pub(crate) day: u64,
}

impl Date {
    /// The date of a day since 1970, by Howard Hinnant's `civil_from_days`, for days from 1970 on.
    pub(crate) fn of_day(day: u64) -> Self {
        let shifted = day.min(LAST) + 719_468;
        let (era, of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        Self { year: year_of_era + era * 400 + u64::from(month <= 2), month, day }
    }

    /// The day since 1970; `None` before it, after 9999 and for a date that there is not.
    pub(crate) fn to_day(self) -> Option<u64> {
        if !(1970..=9999).contains(&self.year) || !(1..=12).contains(&self.month) || self.day == 0 {
            return None;
        }
        let year = self.year - u64::from(self.month <= 2);
        let (era, year_of_era) = (year / 400, year % 400);
        let march_month = (self.month + 9) % 12;
        let of_year = (153 * march_month + 2) / 5 + self.day - 1;
        let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
        let day = (era * 146_097 + of_era).checked_sub(719_468)?;
        (Self::of_day(day) == self).then_some(day)
    }

    /// Reads `YYYY-MM-DD`, as a date field sends it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() != 10 {
            return None;
        }
        let mut parts = text.split('-');
        let mut part = |length: usize| {
            let part = parts.next()?;
            let digits = part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
            if digits { part.parse().ok() } else { None }
        };
        let date = Self { year: part(4)?, month: part(2)?, day: part(2)? };
        date.to_day().map(|_| date)
    }

    /// `YYYY-MM-DD`.
    pub(crate) fn iso(self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_a_leap_cycle_survives_the_round() {
        for day in 0..146_097 {
            let date = Date::of_day(day);
            assert_eq!(date.to_day(), Some(day));
            assert_eq!(Date::parse(&date.iso()), Some(date));
        }
        assert_eq!(Date::of_day(0), Date { year: 1970, month: 1, day: 1 });
        assert_eq!(Date::of_day(20_786).iso(), "2026-11-29");
        assert_eq!(Date::of_day(u64::MAX).iso(), "9999-12-31");
    }

    #[test]
    fn a_date_that_there_is_not_is_refused() {
        for text in [
            "2026-02-29",
            "2026-13-01",
            "2026-00-10",
            "1969-12-31",
            "2026-1-01",
            "",
            "2026-11-2é",
            "+026-11-29",
        ] {
            assert_eq!(Date::parse(text), None, "{text}");
        }
    }
}
