//! Consent by day: of groups of calls alone, whenever and however often somebody looks.
//!
//! Today's sums grow call by call, and a day of a single call is that call: neither is told. Days of few calls are told
//! together, by whole weeks, and the sum of all is made of the rows that are told; so no two looks differ by one call.

use std::collections::BTreeMap;

use maud::{Markup, html};
use sidetone_store::Day;

use crate::civil::DAY_MS;
use crate::figures::SMALLEST_GROUP;
use crate::format::{count, date, percent};
use crate::layout::Shell;
use crate::text::{ComplianceTexts, fill};

/// Whole weeks before this one.
const WEEKS: u64 = 4;

/// The first day, since 1970, that is told of at a time in milliseconds: a Monday, as weeks are told whole.
pub(super) const fn first_day(now: u64) -> u64 {
    // 1970 began on a Thursday.
    let monday = now / DAY_MS / 7 * 7 + 4;
    let monday = if monday > now / DAY_MS { monday.saturating_sub(7) } else { monday };
    monday.saturating_sub(7 * WEEKS)
}

/// Days that a row is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Span {
    /// What is left of the week from this Monday on: its days of few calls.
    RestOfWeek(u64),
    Day(u64),
}

impl Span {
    const fn first(self) -> u64 {
        match self {
            Self::Day(day) | Self::RestOfWeek(day) => day,
        }
    }
}

/// Consent, with all trunks and directions taken together.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Consented {
    calls: u64,
    agreed: u64,
    objected: u64,
}

impl Consented {
    fn add(&mut self, other: Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.agreed = self.agreed.saturating_add(other.agreed);
        self.objected = self.objected.saturating_add(other.objected);
    }

    const fn is_group(&self) -> bool {
        self.calls >= SMALLEST_GROUP
    }
}

/// The rows that are told, the newest first, of days from [`first_day`] on.
fn told(days: &[Day], today: u64) -> Vec<(Span, Consented)> {
    let mut sums: BTreeMap<u64, Consented> = BTreeMap::new();
    for day in days.iter().filter(|day| day.day < today) {
        let its = Consented { calls: day.calls, agreed: day.agreed, objected: day.opted_out };
        sums.entry(day.day).or_default().add(its);
    }
    let mut rows = Vec::new();
    let mut weeks: BTreeMap<u64, Consented> = BTreeMap::new();
    for (day, sum) in sums {
        if sum.is_group() {
            rows.push((Span::Day(day), sum));
        } else {
            weeks.entry(((day + 3) / 7 * 7).saturating_sub(3)).or_default().add(sum);
        }
    }
    let whole = weeks.into_iter().filter(|(monday, rest)| monday + 7 <= today && rest.is_group());
    rows.extend(whole.map(|(monday, rest)| (Span::RestOfWeek(monday), rest)));
    rows.sort_by_key(|(span, _)| std::cmp::Reverse((span.first(), *span)));
    rows
}

/// The table.
pub(super) fn section(shell: &Shell<'_>, own: &ComplianceTexts, days: &[Day]) -> Markup {
    let texts = shell.texts();
    let rows = told(days, shell.now / DAY_MS);
    let mut whole = Consented::default();
    rows.iter().for_each(|(_, sum)| whole.add(*sum));
    let share = |part: u64, of: &Consented| {
        format!("{} ({})", count(texts, part), percent(texts, part as f64 / of.calls as f64, 1))
    };
    let row = |name: Markup, of: &Consented| {
        html! {
            tr {
                th scope="row" { (name) }
                td.right { (count(texts, of.calls)) }
                td.right { (share(of.agreed, of)) }
                td.right { (share(of.objected, of)) }
                td.right { (share(of.calls.saturating_sub(of.agreed.saturating_add(of.objected)), of)) }
            }
        }
    };
    html! {
        section #consent {
            h2 { (own.by_day) }
            @if rows.is_empty() {
                p.soft { (own.no_day) }
            } @else {
                div.scroll tabindex="0" role="group" aria-label=(own.by_day) {
                    table {
                        thead { tr {
                            th scope="col" { (own.day) }
                            th.right scope="col" { (texts.calls) }
                            th.right scope="col" { (own.agreed) }
                            th.right scope="col" { (own.objected) }
                            th.right scope="col" { (own.neither) }
                        } }
                        tbody {
                            (row(html! { (own.whole) }, &whole))
                            @for (span, sum) in &rows {
                                @match span {
                                    Span::Day(day) => { (row(html! { (date(texts, *day)) }, sum)) }
                                    Span::RestOfWeek(monday) => {
                                        (row(html! { (fill(own.rest_of_week, &[&date(texts, *monday)])) }, sum))
                                    }
                                }
                            }
                        }
                    }
                }
            }
            p.hint { (texts.days_are_utc) " " (fill(own.small_days, &[&SMALLEST_GROUP.to_string()])) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Language;

    /// A Monday.
    const MONDAY: u64 = 20_787;

    fn day(day: u64, calls: u64, agreed: u64) -> Day {
        Day { day, calls, agreed, label: "a".to_owned(), direction: "inbound".to_owned(), ..Day::default() }
    }

    fn rows(days: &[Day], today: u64) -> Vec<(Span, u64, u64)> {
        told(days, today).into_iter().map(|(span, sum)| (span, sum.calls, sum.agreed)).collect()
    }

    #[test]
    fn the_days_begin_on_a_monday_and_are_four_weeks_at_least() {
        assert_eq!(crate::civil::Date::of_day(MONDAY).iso(), "2026-11-30");
        for today in MONDAY - 400..MONDAY + 400 {
            let first = first_day(today * DAY_MS + 1);
            assert_eq!((first + 3) % 7, 0, "{today}");
            assert!((28..35).contains(&(today - first)), "{today}");
        }
        assert_eq!(first_day(0), 0);
    }

    #[test]
    fn no_row_and_no_two_looks_tell_of_one_call() {
        let before =
            [day(MONDAY, 40, 30), day(MONDAY + 1, 9, 9), day(MONDAY + 2, 1, 0), day(MONDAY + 7, 40, 1)];
        let named = |at: u64, calls, agreed| (Span::Day(at), calls, agreed);
        // Today grows call by call, and this week's small days may still become a group.
        assert_eq!(rows(&before[..2], MONDAY), []);
        assert_eq!(rows(&before[..3], MONDAY + 3), [named(MONDAY, 40, 30)]);
        // The week's rest is ten calls together, once the week is over.
        let rest = (Span::RestOfWeek(MONDAY), 10, 9);
        assert_eq!(rows(&before, MONDAY + 7), [named(MONDAY, 40, 30), rest]);
        assert_eq!(rows(&before, MONDAY + 8).len(), 3);
        // Nine calls of a whole week are told nowhere, in no sum.
        let few = [day(MONDAY, 40, 30), day(MONDAY + 1, 9, 0)];
        let language = Language::En;
        let shell = |today: u64| {
            let now = today * DAY_MS;
            Shell { language, here: "/", base: "", name: None, role: None, sections: &[], csrf: "", now }
        };
        let page = section(&shell(MONDAY + 9), language.compliance(), &few).into_string();
        assert!(page.contains("30 (75.0%)") && !page.contains("49"), "{page}");
        let none = section(&shell(MONDAY), language.compliance(), &few).into_string();
        assert!(!none.contains("<td") && none.contains("No day"), "{none}");
    }

    #[test]
    fn trunks_and_directions_of_a_day_are_one_row() {
        let out = Day { direction: "outbound".to_owned(), ..day(MONDAY, 4, 4) };
        assert_eq!(rows(&[day(MONDAY, 6, 1), out], MONDAY + 1), [(Span::Day(MONDAY), 10, 5)]);
    }
}
