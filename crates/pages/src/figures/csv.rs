//! Figures as CSV (RFC 4180): a line a day or week and trunk would tell of few calls, so a line is a day or a week.

use super::{Figures, Measure};
use crate::civil::Date;
use crate::layout::Shell;

/// The figures of each day, or week in longer ranges, and of the whole range, with their intervals. Names of columns
/// and numbers are the same in each language, since programs read them.
///
/// Figures of fewer than [`SMALLEST_GROUP`](super::SMALLEST_GROUP) calls are left empty.
#[must_use]
pub fn figures_csv(_shell: &Shell<'_>, figures: &Figures) -> String {
    let mut text = "from,days,calls".to_owned();
    for measure in Measure::ALL {
        let name = column(measure);
        text.push_str(&format!(",{name},{name}_low,{name}_high,{name}_n"));
    }
    text.push_str("\r\n");
    let step = if figures.weekly { 7 } else { 1 };
    let whole = (figures.range.first, figures.range.days(), &figures.now);
    let steps = figures.steps.iter().map(|(first, total)| {
        let days = step.min(figures.range.last - *first + 1);
        (*first, days, total)
    });
    for (first, days, total) in steps.chain([whole]) {
        text.push_str(&format!("{},{days},{}", Date::of_day(first).iso(), total.calls));
        for measure in Measure::ALL {
            match total.estimate(measure) {
                Some(it) => {
                    let (low, high) = it.interval.map_or_else(Default::default, |(low, high)| {
                        (format!("{low:.4}"), format!("{high:.4}"))
                    });
                    text.push_str(&format!(",{:.4},{low},{high},{}", it.value, it.n));
                }
                None => text.push_str(",,,,"),
            }
        }
        text.push_str("\r\n");
    }
    text
}

fn column(measure: Measure) -> &'static str {
    match measure {
        Measure::Shift => "shift",
        Measure::Recovery => "recovery",
        Measure::Upset => "upset",
        Measure::Answered => "answered",
        Measure::Handling => "handling_ms",
        Measure::Consent => "consent",
        Measure::OptOut => "opted_out",
        Measure::Coverage => "coverage",
        Measure::Resolution => "first_call_resolution",
        Measure::Repeats => "repeat_calls",
        Measure::Escalations => "escalated",
        Measure::Empathy => "empathy_score",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{FiguresQuery, sums::day};
    use crate::text::Language;

    #[test]
    fn every_line_has_every_column_and_small_days_are_empty() {
        let days = [day(100, "a", 500), day(101, "=cmd()", 5)];
        let now = 101 * crate::civil::DAY_MS;
        let figures = Figures::of(&days, &FiguresQuery::default(), now);
        let shell = Shell {
            language: Language::De,
            here: "/",
            base: "",
            name: None,
            role: None,
            sections: &[],
            csrf: "",
            now,
        };
        let csv = figures_csv(&shell, &figures);
        let lines: Vec<_> = csv.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|line| line.split(',').count() == 3 + 4 * Measure::ALL.len()), "{csv}");
        assert!(lines[2].ends_with(&format!("1,5{}", ",".repeat(4 * Measure::ALL.len()))), "{csv}");
        assert!(!csv.contains("=cmd"));
    }
}
