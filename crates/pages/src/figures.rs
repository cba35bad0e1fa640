//! Figures of days: each with its interval, the number of calls that it stands on, and the range before to compare
//! with.

mod chart;
mod csv;
mod cues;
mod estimate;
mod holdout;
mod range;
mod share;
mod sums;
mod topics;

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use sidetone_store::{CueSum, Day, Grouping, HoldoutSum, REST, Role, TopicSum};

use crate::calls::{CallsQuery, QueryFault, select};
use crate::civil::Date;
use crate::format::{clean, count, date, length, number, percent, signed};
use crate::layout::{Head, Section, Shell, headline, page};
use crate::text::{Texts, fill};
use crate::vocabulary::tone;
pub use csv::figures_csv;
pub use cues::is_group_of_cues;
pub use estimate::{Change, Estimate, SMALLEST_GROUP};
pub use holdout::is_group_of_calls;
pub use range::{FiguresQuery, Range};
use sums::Total;
pub use sums::{Measure, for_directors};
pub use topics::is_group_of_topics;

/// Most rows of the table.
const MOST_LABELS: usize = 36;
/// The choice of calls without a label: none can be written so.
const NO_LABEL: &str = "-";
/// Ranges of more days are drawn and listed by weeks.
const BY_DAYS: u64 = 62;

/// Everything that the page shows.
#[derive(Debug, Clone)]
pub struct Figures {
    query: FiguresQuery,
    fault: Option<QueryFault>,
    range: Range,
    labels: Vec<String>,
    now: Total,
    before: Total,
    /// Days or weeks, by their first day.
    steps: Vec<(u64, Total)>,
    weekly: bool,
    by_label: Vec<(String, Total)>,
    cues: Vec<CueSum>,
    lines: cues::Lines,
    topics: Vec<TopicSum>,
    holdout: Vec<HoldoutSum>,
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
        let by = query.grouping();
        let names: BTreeSet<&str> = days.iter().map(label_of).collect();
        // A label that is none of this grouping, as of the one before it, asks for all.
        let label = names.get(query.label.as_str()).copied();
        let chosen = |day: &&Day| {
            label.is_none_or(|label| label_of(day) == label)
                && (query.direction.is_empty() || day.direction == query.direction)
        };
        let within: Vec<&Day> =
            days.iter().filter(chosen).filter(|day| (range.first..=range.last).contains(&day.day)).collect();
        let before =
            days.iter().filter(chosen).filter(|day| (range.before_first..range.first).contains(&day.day));
        let weekly = range.days() > BY_DAYS;
        let step = if weekly { 7 } else { 1 };
        let mut steps: BTreeMap<u64, Vec<&Day>> = BTreeMap::new();
        let mut labels: BTreeMap<&str, Vec<&Day>> = BTreeMap::new();
        for day in &within {
            steps.entry(range.first + (day.day - range.first) / step * step).or_default().push(day);
            labels.entry(&day.label).or_default().push(day);
        }
        let mut by_label: Vec<(String, Total)> =
            labels.into_iter().map(|(label, days)| (label.to_owned(), group(days, by))).collect();
        by_label.sort_by_key(|(_, total)| std::cmp::Reverse(total.calls));
        let by_choice = if label.is_some() { by } else { Grouping::Trunk };
        let sum = |days| group(days, by_choice);
        Self {
            query: FiguresQuery { label: label.unwrap_or_default().to_owned(), ..query.clone() },
            fault,
            range,
            labels: names.into_iter().take(100).map(str::to_owned).collect(),
            now: sum(within),
            before: sum(before.collect()),
            steps: steps.into_iter().map(|(first, days)| (first, sum(days))).collect(),
            weekly,
            by_label,
            cues: Vec::new(),
            lines: BTreeMap::new(),
            topics: Vec::new(),
            holdout: Vec::new(),
        }
    }

    /// The same with the cues of these days, which [`Range::first`] to [`Range::last`] name: by team where the query
    /// asks for teams, else of all calls, whatever it chooses.
    #[must_use]
    pub fn with_cues(self, sums: &[CueSum]) -> Self {
        let cues = match (self.query.grouping(), self.query.label.as_str()) {
            (Grouping::Team, "") => cues::by_team(sums, None),
            (Grouping::Team, NO_LABEL) => cues::by_team(sums, Some("")),
            (Grouping::Team, team) => cues::by_team(sums, Some(team)),
            _ => cues::by_rule(sums),
        };
        Self { cues, ..self }
    }

    /// The same with the lines of cues, by their rules' ids: a cue is named by what its agents read.
    #[must_use]
    pub fn with_lines(self, lines: BTreeMap<String, String>) -> Self {
        Self { lines, ..self }
    }

    /// The same with the topics of these days, of all calls too.
    #[must_use]
    pub fn with_topics(self, sums: &[TopicSum]) -> Self {
        Self { topics: topics::by_topic(sums), ..self }
    }

    /// The same with calls of these days whose cues were withheld, and those that they are compared with. They are of
    /// all calls, whatever the query chooses.
    #[must_use]
    pub fn with_holdout(self, sums: Vec<HoldoutSum>) -> Self {
        Self { holdout: sums, ..self }
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

/// The sums of a group's days; without figures if the group may be one person.
fn group(days: Vec<&Day>, by: Grouping) -> Total {
    let total = Total::of(days);
    if by != Grouping::Trunk && total.is_personal() { total.without_figures() } else { total }
}

/// A day's label, as a choice of the form.
fn label_of(day: &Day) -> &str {
    if day.label.is_empty() { NO_LABEL } else { &day.label }
}

/// A label as it is shown.
fn label_shown(texts: &Texts, label: &str) -> String {
    match label {
        "" | NO_LABEL => texts.no_label.to_owned(),
        REST => texts.rest_of_labels.to_owned(),
        label => clean(label),
    }
}

/// The page of figures.
#[must_use]
pub fn figures(shell: &Shell<'_>, figures: &Figures) -> String {
    let texts = shell.texts();
    let range = figures.range;
    let below = fill(
        if is_compared(figures) { texts.figures_below } else { texts.figures_below_alone },
        &[&date(texts, range.first), &date(texts, range.last), &count(texts, figures.now.calls)],
    );
    let content = html! {
        (headline(&html! { (texts.figures) }, &html! { (below) (chosen(texts, &figures.query)) }))
        (form(shell, figures))
        @if figures.now.calls == 0 {
            div.empty { h2 { (texts.no_figures) } p { (texts.no_figures_how) } }
        } @else {
            ul.figures { @for measure in Measure::ALL { li { (card(shell, figures, measure)) } } }
            div.columns {
                (chart::section(shell, figures, Measure::Shift))
                (chart::section(shell, figures, Measure::Upset))
            }
            (by_label(shell, figures))
            (topics::table(shell, &figures.topics))
            (cues::table(shell, &figures.cues, &figures.lines, figures.query.grouping() == Grouping::Team))
            (holdout::section(shell, &figures.holdout))
            p.caution { (texts.caution_figures) }
        }
        p.more {
            @if let Some(calls) = calls_behind(shell, figures) { a href=(calls) { (texts.calls_behind) } " · " }
            a href=(shell.path(&format!("/figures.csv{}", figures.query.to_query()))) download { (texts.as_csv) }
        }
    };
    page(shell, &Head { title: texts.figures, section: Some(Section::Figures), again: None }, content)
}

/// What is chosen of all calls: on paper there is no form to tell it.
fn chosen(texts: &Texts, query: &FiguresQuery) -> Markup {
    let direction = match query.direction.as_str() {
        "inbound" => texts.inbound,
        "outbound" => texts.outbound,
        _ => "",
    };
    html! {
        @if !query.label.is_empty() {
            " " (grouping(texts, query.grouping()).0) ": " bdi { (label_shown(texts, &query.label)) } "."
        }
        @if !direction.is_empty() { " " (texts.direction) ": " (direction) "." }
    }
}

fn form(shell: &Shell<'_>, figures: &Figures) -> Markup {
    let (texts, query) = (shell.texts(), &figures.query);
    let directions = [("inbound", texts.inbound), ("outbound", texts.outbound)];
    let labels: Vec<_> =
        figures.labels.iter().map(|label| (label.as_str(), label_shown(texts, label))).collect();
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
                div {
                    label for="by" { (texts.grouped_by) }
                    select #by name="by" {
                        @for by in Grouping::ALL {
                            option value=(by.name()) selected[by == query.grouping()] { (grouping(texts, by).0) }
                        }
                    }
                }
                (select("label", grouping(texts, query.grouping()).0, texts, &query.label,
                    labels.iter().map(|(label, shown)| (*label, shown.as_str()))))
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
                @if shell.role == Some(Role::Director) { " " (texts.today_later) }
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
        Measure::Resolution => (texts.kpi_resolution, texts.kpi_resolution_def),
        Measure::Repeats => (texts.kpi_repeats, texts.kpi_repeats_def),
        Measure::Escalations => (texts.kpi_escalations, texts.kpi_escalations_def),
        Measure::Empathy => (texts.kpi_empathy, texts.kpi_empathy_def),
    }
}

/// A grouping's name, and the title of its table.
fn grouping(texts: &Texts, by: Grouping) -> (&'static str, &'static str) {
    match by {
        Grouping::Trunk => (texts.trunk, texts.by_trunk),
        Grouping::Queue => (texts.queue, texts.by_queue),
        Grouping::Team => (texts.team, texts.by_team),
        Grouping::Tier => (texts.tier, texts.by_tier),
    }
}

/// A value of this figure, as it is written.
pub(super) fn written(texts: &Texts, measure: Measure, value: f64) -> String {
    match measure {
        Measure::Shift => signed(texts, value, 3),
        Measure::Empathy => number(texts, value, 2),
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
        h2 title=(definition) { (name) }
        @if let Some(estimate) = &estimate {
            p.value.(value_tone(measure, estimate.value)) { (written(texts, measure, estimate.value)) }
            p.soft {
                @if let Some(interval) = interval(texts, measure, estimate) { (interval) " · " }
                "n = " (count(texts, estimate.n))
            }
            @if is_compared(figures) { p.change { (compared(texts, figures, measure)) } }
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

/// Whether any figure of the range before is there to compare with; where there is none, that is said once.
fn is_compared(figures: &Figures) -> bool {
    Measure::ALL.into_iter().any(|measure| figures.before.estimate(measure).is_some())
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

fn by_label(shell: &Shell<'_>, figures: &Figures) -> Markup {
    let texts = shell.texts();
    let (name, title) = grouping(texts, figures.query.grouping());
    let measures = [
        Measure::Answered,
        Measure::Handling,
        Measure::Upset,
        Measure::Recovery,
        Measure::Shift,
        Measure::Resolution,
        Measure::Escalations,
        Measure::Empathy,
        Measure::Coverage,
    ];
    let left = figures.by_label.len().saturating_sub(MOST_LABELS);
    html! {
        section {
            h2 { (title) }
            div.scroll tabindex="0" role="group" aria-label=(title) {
                table.by-label {
                    thead {
                        tr {
                            th scope="col" { (name) }
                            th.right scope="col" { (texts.calls) }
                            @for measure in measures {
                                @let (name, definition) = named(texts, measure);
                                th.right scope="col" title=(definition) { (name) }
                            }
                        }
                    }
                    tbody {
                        @for (label, total) in figures.by_label.iter().take(MOST_LABELS) {
                            tr {
                                th scope="row" { (choice(shell, figures, label)) }
                                td.right { (count(texts, total.calls)) }
                                @for measure in measures { td.right { (cell(texts, total, measure)) } }
                            }
                        }
                    }
                }
            }
            p.hint {
                (fill(texts.small_groups, &[&SMALLEST_GROUP.to_string()]))
                @if figures.query.grouping() != Grouping::Trunk { " " (texts.few_agents) }
                @if left > 0 { " " (fill(texts.more_labels, &[&count(texts, left as u64)])) }
            }
        }
    }
}

/// A row's name, which leads to the figures of that row alone.
fn choice(shell: &Shell<'_>, figures: &Figures, label: &str) -> Markup {
    let shown = html! { bdi { (label_shown(shell.texts(), label)) } };
    let chosen = if label.is_empty() { NO_LABEL } else { label };
    if figures.query.label == chosen {
        return shown;
    }
    let one = FiguresQuery { label: chosen.to_owned(), ..figures.query.clone() };
    html! { a href=(shell.path(&format!("/figures{}", one.to_query()))) { (shown) } }
}

/// Where the calls of the figures are listed, for those who may see them; the calls of all small labels together, or of
/// none, can't be listed.
fn calls_behind(shell: &Shell<'_>, figures: &Figures) -> Option<String> {
    let (query, label) = (&figures.query, figures.query.label.as_str());
    if shell.role != Some(Role::Supervisor) || matches!(label, NO_LABEL | REST) {
        return None;
    }
    let mut calls = CallsQuery {
        from: Date::of_day(figures.range.first).iso(),
        until: Date::of_day(figures.range.last).iso(),
        direction: query.direction.clone(),
        ..CallsQuery::default()
    };
    let of = match query.grouping() {
        Grouping::Trunk => &mut calls.trunk,
        Grouping::Queue => &mut calls.queue,
        Grouping::Team => &mut calls.team,
        Grouping::Tier => &mut calls.tier,
    };
    label.clone_into(of);
    Some(shell.path(&format!("/calls{}", calls.to_query())))
}

fn cell(texts: &Texts, total: &Total, measure: Measure) -> Markup {
    match total.estimate(measure) {
        Some(estimate) => html! {
            (written(texts, measure, estimate.value))
            @if let Some((low, high)) = estimate.interval {
                span.soft.half { " ±" (half_written(texts, measure, (high - low) / 2.0)) }
            }
        },
        None => html! { span.soft { "–" } },
    }
}

/// Half an interval, in the unit of its figure; percentages without their sign.
fn half_written(texts: &Texts, measure: Measure, half: f64) -> String {
    match measure {
        Measure::Shift => number(texts, half, 3),
        Measure::Handling | Measure::Empathy => written(texts, measure, half),
        _ => number(texts, half * 100.0, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::sums::day;
    use super::*;
    use crate::civil::DAY_MS;

    fn team(label: &str, agents: u64) -> Day {
        Day { by: Grouping::Team, label: label.to_owned(), agents, ..day(1, "", 100) }
    }

    #[test]
    fn a_team_of_one_has_no_figure_wherever_it_is_chosen() {
        let days = [team("north", 9), team("solo", 1), team("", 0)];
        let of = |label: &str| {
            let query =
                FiguresQuery { by: "team".to_owned(), label: label.to_owned(), ..FiguresQuery::default() };
            Figures::of(&days, &query, 2 * DAY_MS)
        };
        let answered = |figures: &Figures| figures.estimate(Measure::Answered).map(|it| it.n);
        let all = of("");
        assert_eq!(answered(&all), Some(300));
        let row = |name: &str| {
            let (_, total) = all.by_label.iter().find(|(label, _)| label == name).unwrap();
            (total.calls, total.estimate(Measure::Answered).map(|it| it.n))
        };
        assert_eq!((row("north"), row("solo"), row("")), ((100, Some(100)), (100, None), (100, Some(100))));
        let solo = of("solo");
        assert_eq!((answered(&solo), solo.now.calls), (None, 100));
        assert!(Measure::ALL.iter().all(|it| solo.estimate(*it).is_none() && solo.change(*it).is_none()));
        assert!(solo.steps.iter().all(|(_, total)| total.estimate(Measure::Shift).is_none()));
        assert_eq!(answered(&of(NO_LABEL)), Some(100));
        assert_eq!(answered(&of("a queue")), Some(300), "a label of another grouping asks for all");
    }

    #[test]
    fn a_row_leads_to_its_own_figures_and_on_to_its_calls_for_those_who_may_see_them() {
        let shell = |role| Shell {
            language: crate::text::Language::En,
            here: "/figures",
            base: "",
            name: Some("Ada"),
            role: Some(role),
            sections: &[],
            csrf: "",
            now: 2 * DAY_MS,
        };
        let days = [team("north", 9), team("R&D", 5)];
        let of = |label: &str, role| {
            let query =
                FiguresQuery { by: "team".to_owned(), label: label.to_owned(), ..FiguresQuery::default() };
            figures(&shell(role), &Figures::of(&days, &query, 2 * DAY_MS))
        };
        let all = of("", Role::Director);
        assert!(all.contains("href=\"/figures?by=team&amp;label=R%26D\""), "{all}");
        assert!(!all.contains("href=\"/calls"), "a director sees no call");
        let one = of("R&D", Role::Supervisor);
        assert!(one.contains("Team: <bdi>R&amp;D</bdi>."), "{one}");
        assert!(one.contains("href=\"/calls?from=1970-01-01&amp;until=1970-01-03&amp;team=R%26D\""), "{one}");
    }

    #[test]
    fn half_an_interval_is_in_its_figures_unit() {
        let texts = crate::text::Language::En.texts();
        assert_eq!(half_written(texts, Measure::Handling, 12_000.0), "0:12");
        assert_eq!(half_written(texts, Measure::Answered, 0.031), "3.1");
    }
}
