//! Figures of days: each with its interval, the number of calls that it stands on, and the range before to compare
//! with.

mod chart;
mod csv;
mod estimate;
mod range;
mod sums;

use std::collections::BTreeMap;

use maud::{Markup, html};
use sidetone_store::Day;

use crate::calls::{QueryFault, select};
use crate::civil::Date;
use crate::format::{count, date, length, number, percent, shown, signed};
use crate::layout::{Head, Section, Shell, headline, page};
use crate::text::{Texts, fill};
use crate::vocabulary::tone;
pub use csv::figures_csv;
pub use estimate::{Change, Estimate, SMALLEST_GROUP};
pub use range::{FiguresQuery, Range};
pub use sums::Measure;
use sums::Total;

/// Most trunks of the table.
const MOST_TRUNKS: usize = 40;
/// Ranges of more days are drawn and listed by weeks.
const BY_DAYS: u64 = 62;

/// Everything that the page shows.
#[derive(Debug, Clone)]
pub struct Figures {
    query: FiguresQuery,
    fault: Option<QueryFault>,
    range: Range,
    trunks: Vec<String>,
    now: Total,
    before: Total,
    /// Days or weeks, by their first day.
    steps: Vec<(u64, Total)>,
    weekly: bool,
    by_trunk: Vec<(String, Total)>,
}

impl Figures {
    /// The figures of a query, out of the store's days from [`Range::before_first`] to [`Range::last`].
    ///
    /// A query that asks for days that there could not be gets the usual range, and the page says so: ask the store for
    /// the days of `query.range(now).unwrap_or(Range::usual(now))`.
    #[must_use]
    pub fn of(days: &[Day], query: &FiguresQuery, now: u64) -> Self {
        let (range, fault) = match query.range(now) {
            Ok(range) => (range, None),
            Err(fault) => (Range::usual(now), Some(fault)),
        };
        let chosen = |day: &&Day| {
            (query.trunk.is_empty() || day.trunk == query.trunk)
                && (query.direction.is_empty() || day.direction == query.direction)
        };
        let within: Vec<&Day> =
            days.iter().filter(chosen).filter(|day| (range.first..=range.last).contains(&day.day)).collect();
        let before =
            days.iter().filter(chosen).filter(|day| (range.before_first..range.first).contains(&day.day));
        let weekly = range.days() > BY_DAYS;
        let step = if weekly { 7 } else { 1 };
        let mut steps: BTreeMap<u64, Vec<&Day>> = BTreeMap::new();
        let mut trunks: BTreeMap<&str, Vec<&Day>> = BTreeMap::new();
        for day in &within {
            steps.entry(range.first + (day.day - range.first) / step * step).or_default().push(day);
            trunks.entry(&day.trunk).or_default().push(day);
        }
        let mut by_trunk: Vec<(String, Total)> =
            trunks.into_iter().map(|(trunk, days)| (trunk.to_owned(), Total::of(days))).collect();
        by_trunk.sort_by_key(|(_, total)| std::cmp::Reverse(total.calls));
        let names: std::collections::BTreeSet<&str> = days.iter().map(|day| day.trunk.as_str()).collect();
        Self {
            query: query.clone(),
            fault,
            range,
            trunks: names.into_iter().take(100).map(str::to_owned).collect(),
            now: Total::of(within),
            before: Total::of(before),
            steps: steps.into_iter().map(|(first, days)| (first, Total::of(days))).collect(),
            weekly,
            by_trunk,
        }
    }

    /// A figure of the range; `None` of fewer than [`SMALLEST_GROUP`] calls.
    #[must_use]
    pub fn estimate(&self, measure: Measure) -> Option<Estimate> {
        self.now.estimate(measure)
    }

    /// How it compares with the range before, where an interval tells.
    #[must_use]
    pub fn change(&self, measure: Measure) -> Option<Change> {
        self.now.change_from(&self.before, measure)
    }
}

/// The page of figures.
#[must_use]
pub fn figures(shell: &Shell<'_>, figures: &Figures) -> String {
    let texts = shell.texts();
    let range = figures.range;
    let below = fill(
        texts.figures_below,
        &[&date(texts, range.first), &date(texts, range.last), &count(texts, figures.now.calls)],
    );
    let content = html! {
        (headline(&html! { (texts.figures) }, &html! { (below) }))
        (form(shell, figures))
        @if figures.now.calls == 0 {
            div.empty { h2 { (texts.no_figures) } p { (texts.no_figures_how) } }
        } @else {
            ul.figures { @for measure in Measure::ALL { li { (card(shell, figures, measure)) } } }
            div.columns {
                (chart::section(shell, figures, Measure::Shift))
                (chart::section(shell, figures, Measure::Upset))
            }
            (by_trunk(shell, figures))
            p.caution { (texts.caution_figures) }
        }
        p.more { a href=(shell.path(&format!("/figures.csv{}", figures.query.to_query()))) download { (texts.as_csv) } }
    };
    page(shell, &Head { title: texts.figures, section: Some(Section::Figures) }, content)
}

fn form(shell: &Shell<'_>, figures: &Figures) -> Markup {
    let (texts, query) = (shell.texts(), &figures.query);
    let directions = [("inbound", texts.inbound), ("outbound", texts.outbound)];
    html! {
        form.filter method="get" action=(shell.path("/figures")) {
            @if let Some(fault) = figures.fault {
                p.fault role="alert" {
                    (if fault == QueryFault::Order { texts.fault_order } else { texts.fault_day })
                }
            }
            div.fields {
                div {
                    label for="from" { (texts.from) }
                    input #from type="date" name="from" value=(Date::of_day(figures.range.first).iso());
                }
                div {
                    label for="until" { (texts.until) }
                    input #until type="date" name="until" value=(Date::of_day(figures.range.last).iso());
                }
                (select("trunk", texts.trunk, texts, &query.trunk, figures.trunks.iter().map(|it| (it.as_str(), it.as_str()))))
                (select("direction", texts.direction, texts, &query.direction, directions.into_iter()))
                div.act { button type="submit" { (texts.apply) } }
            }
            p.hint {
                @for days in [7, 28, 91, 365] {
                    @let other = query.last_days(shell.now, days);
                    a href=(shell.path(&format!("/figures{}", other.to_query()))) {
                        (fill(texts.last_days, &[&days.to_string()]))
                    }
                    " "
                }
                (texts.days_are_utc)
            }
        }
    }
}

/// A figure's name and its definition.
pub(super) fn named(texts: &Texts, measure: Measure) -> (&'static str, &'static str) {
    match measure {
        Measure::Shift => (texts.kpi_shift, texts.kpi_shift_def),
        Measure::Recovery => (texts.kpi_recovery, texts.kpi_recovery_def),
        Measure::Upset => (texts.kpi_upset, texts.kpi_upset_def),
        Measure::Answered => (texts.kpi_answered, texts.kpi_answered_def),
        Measure::Handling => (texts.kpi_handling, texts.kpi_handling_def),
        Measure::Consent => (texts.kpi_consent, texts.kpi_consent_def),
        Measure::OptOut => (texts.kpi_optout, texts.kpi_optout_def),
        Measure::Coverage => (texts.kpi_coverage, texts.kpi_coverage_def),
    }
}

/// A value of this figure, as it is written.
pub(super) fn written(texts: &Texts, measure: Measure, value: f64) -> String {
    match measure {
        Measure::Shift => signed(texts, value, 3),
        // The mean is of milliseconds, and no call lasts beyond what a u64 holds.
        Measure::Handling => length(value.max(0.0) as u64),
        _ => percent(texts, value, 1),
    }
}

fn interval(texts: &Texts, measure: Measure, estimate: &Estimate) -> Option<String> {
    let (low, high) = estimate.interval?;
    Some(fill(texts.interval, &[&written(texts, measure, low), &written(texts, measure, high)]))
}

fn card(shell: &Shell<'_>, figures: &Figures, measure: Measure) -> Markup {
    let texts = shell.texts();
    let (name, definition) = named(texts, measure);
    let estimate = figures.now.estimate(measure);
    html! {
        h2 { (name) }
        @if let Some(estimate) = &estimate {
            p.value.(value_tone(measure, estimate.value)) { (written(texts, measure, estimate.value)) }
            p.soft {
                @if let Some(interval) = interval(texts, measure, estimate) { (interval) " · " }
                "n = " (count(texts, estimate.n))
            }
            p.change { (compared(texts, figures, measure)) }
        } @else {
            p.value.none { "–" }
            p.soft { (fill(texts.too_few, &[&SMALLEST_GROUP.to_string()])) }
        }
        details { summary { (texts.definition) span.hidden { ": " (name) } } p { (definition) } }
    }
}

fn value_tone(measure: Measure, value: f64) -> &'static str {
    // Means of many calls move far less than one call does.
    if measure == Measure::Shift { tone(value * 5.0) } else { "plain" }
}

fn compared(texts: &Texts, figures: &Figures, measure: Measure) -> String {
    let Some(before) = figures.before.estimate(measure) else { return texts.no_before.to_owned() };
    let before = written(texts, measure, before.value);
    let text = match figures.change(measure) {
        Some(Change::Higher) => texts.change_higher,
        Some(Change::Lower) => texts.change_lower,
        Some(Change::Unclear) => texts.change_unclear,
        None => texts.change_untested,
    };
    fill(text, &[&before])
}

fn by_trunk(shell: &Shell<'_>, figures: &Figures) -> Markup {
    let texts = shell.texts();
    let measures = [
        Measure::Answered,
        Measure::Handling,
        Measure::Upset,
        Measure::Recovery,
        Measure::Shift,
        Measure::Coverage,
    ];
    let left = figures.by_trunk.len().saturating_sub(MOST_TRUNKS);
    html! {
        section {
            h2 { (texts.by_trunk) }
            div.scroll tabindex="0" role="group" aria-label=(texts.by_trunk) {
                table {
                    thead {
                        tr {
                            th scope="col" { (texts.trunk) }
                            th.right scope="col" { (texts.calls) }
                            @for measure in measures { th.right scope="col" { (named(texts, measure).0) } }
                        }
                    }
                    tbody {
                        @for (trunk, total) in figures.by_trunk.iter().take(MOST_TRUNKS) {
                            tr {
                                th scope="row" { (shown(trunk)) }
                                td.right { (count(texts, total.calls)) }
                                @for measure in measures { td.right { (cell(texts, total, measure)) } }
                            }
                        }
                    }
                }
            }
            p.hint {
                (fill(texts.small_groups, &[&SMALLEST_GROUP.to_string()]))
                @if left > 0 { " " (fill(texts.more_trunks, &[&count(texts, left as u64)])) }
            }
        }
    }
}

fn cell(texts: &Texts, total: &Total, measure: Measure) -> Markup {
    match total.estimate(measure) {
        Some(estimate) => html! {
            (written(texts, measure, estimate.value))
            @if let Some((low, high)) = estimate.interval {
                @let half = (high - low) / 2.0;
                span.soft.half {
                    " ±" (if measure == Measure::Shift { number(texts, half, 3) } else { number(texts, half * 100.0, 1) })
                }
            }
        },
        None => html! { span.soft { "–" } },
    }
}
