//! The times at which a drill may be held: a mistyped command on a busy afternoon must break nothing.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MINUTES_OF_A_DAY: u32 = 24 * 60;
const MINUTES_OF_A_WEEK: u32 = 7 * MINUTES_OF_A_DAY;
/// The first of January 1970 was a Thursday.
const EPOCH: u32 = 3 * MINUTES_OF_A_DAY;

/// A time of the week, in UTC: `Sun 02:00-04:00`, or `daily 02:00-04:00`. It may go on beyond midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Window {
    /// From Monday, 0; every day without one.
    day: Option<u32>,
    /// Minutes of the day.
    from: u32,
    to: u32,
}

/// A text that is no time of the week.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no time of the week: write a day or `daily`, and two times in UTC, as in `Sun 02:00-04:00`"
)]
pub struct NotAWindow(String);

impl FromStr for Window {
    type Err = NotAWindow;

    fn from_str(text: &str) -> Result<Self, NotAWindow> {
        let wrong = || NotAWindow(text.to_owned());
        let (day, times) = text.trim().split_once(' ').ok_or_else(wrong)?;
        let (from, to) = times.trim().split_once('-').ok_or_else(wrong)?;
        let day = if day.eq_ignore_ascii_case("daily") {
            None
        } else {
            let found = DAYS.iter().position(|known| known.eq_ignore_ascii_case(day)).ok_or_else(wrong)?;
            Some(u32::try_from(found).map_err(|_| wrong())?)
        };
        let (from, to) = (minute(from).ok_or_else(wrong)?, minute(to).ok_or_else(wrong)?);
        if from == to || from == MINUTES_OF_A_DAY {
            return Err(wrong());
        }
        Ok(Self { day, from, to })
    }
}

/// A time of the day in minutes, `24:00` included.
fn minute(text: &str) -> Option<u32> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hours) || !digits(minutes) {
        return None;
    }
    let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let minute = hours * 60 + minutes;
    (minutes < 60 && minute <= MINUTES_OF_A_DAY).then_some(minute)
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = self.day.and_then(|day| DAYS.get(day as usize)).unwrap_or(&"daily");
        let (from, to) = (self.from, self.to);
        write!(f, "{day} {:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

impl From<Window> for String {
    fn from(window: Window) -> Self {
        window.to_string()
    }
}

impl TryFrom<String> for Window {
    type Error = NotAWindow;

    fn try_from(text: String) -> Result<Self, NotAWindow> {
        text.parse()
    }
}

impl Window {
    /// How long it is, in minutes.
    const fn length(self) -> u32 {
        if self.to > self.from { self.to - self.from } else { self.to + MINUTES_OF_A_DAY - self.from }
    }

    /// Whether a minute of the week is in it.
    fn holds(self, minute: u32) -> bool {
        let begins = |day: u32| day * MINUTES_OF_A_DAY + self.from;
        let since = |day: u32| (minute + MINUTES_OF_A_WEEK - begins(day)) % MINUTES_OF_A_WEEK;
        (0..7).filter(|day| self.day.is_none_or(|own| own == *day)).any(|day| since(day) < self.length())
    }
}

/// All times at which a drill may be held; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Windows(pub Vec<Window>);

impl Windows {
    /// Whether a drill may be held now, `since_1970` by the system's clock.
    #[must_use]
    pub fn are_open(&self, since_1970: Duration) -> bool {
        let minutes = (since_1970.as_secs() / 60) % u64::from(MINUTES_OF_A_WEEK);
        let minute = (u32::try_from(minutes).unwrap_or(0) + EPOCH) % MINUTES_OF_A_WEEK;
        self.0.iter().any(|window| window.holds(minute))
    }
}

impl fmt::Display for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&all.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sunday, 6 December 2026, 02:00 UTC.
    const SUNDAY_AT_TWO: u64 = 1_796_522_400;

    fn open(windows: &str, at: u64) -> bool {
        Windows(vec![windows.parse().unwrap()]).are_open(Duration::from_secs(at))
    }

    #[test]
    fn a_window_is_open_from_its_first_minute_to_before_its_last() {
        let two_hours = 2 * 3_600;
        assert!(!open("Sun 02:00-04:00", SUNDAY_AT_TWO - 1));
        assert!(open("Sun 02:00-04:00", SUNDAY_AT_TWO));
        assert!(open("sun 02:00-04:00", SUNDAY_AT_TWO + two_hours - 1));
        assert!(!open("Sun 02:00-04:00", SUNDAY_AT_TWO + two_hours));
        assert!(!open("Mon 02:00-04:00", SUNDAY_AT_TWO));
        assert!(open("daily 02:00-04:00", SUNDAY_AT_TWO - 3 * 86_400));
        assert!(!Windows::default().are_open(Duration::from_secs(SUNDAY_AT_TWO)));
    }

    #[test]
    fn a_window_may_go_on_beyond_midnight_and_beyond_the_week() {
        assert!(open("Sat 23:00-03:00", SUNDAY_AT_TWO));
        assert!(!open("Sat 23:00-03:00", SUNDAY_AT_TWO + 3_600));
        let monday_at_one = SUNDAY_AT_TWO + 23 * 3_600;
        assert!(open("Sun 22:00-02:00", monday_at_one));
        assert!(open("daily 00:00-24:00", monday_at_one));
        assert!(open("Mon 00:00-24:00", monday_at_one));
    }

    #[test]
    fn what_is_no_window_is_refused_and_what_is_one_reads_back() {
        for wrong in [
            "",
            "Sun",
            "Sun 02:00",
            "Sunday 02:00-04:00",
            "Sun 2:00-4:00",
            "Sun 02:60-04:00",
            "Sun 02:00-24:01",
            "Sun 02:00-02:00",
            "Sun 24:00-02:00",
            "Sun 02:00-04:00 UTC",
            "02:00-04:00",
            "Sun +2:00-04:00",
        ] {
            assert!(wrong.parse::<Window>().is_err(), "{wrong}");
        }
        for right in ["Sun 02:00-04:00", "daily 22:30-24:00", "Mon 23:00-01:00"] {
            assert_eq!(right.parse::<Window>().unwrap().to_string(), right);
        }
    }
}
