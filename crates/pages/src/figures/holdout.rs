//! Whether cues help: calls whose cues were withheld by lot beside calls whose cues were shown. Over all calls, never
//! by agent.

use maud::{Markup, html};
use sidetone_store::HoldoutSum;

use super::estimate::{Change, Difference, Estimate, Share, Sums};
use super::sums::FEWEST_AGENTS;
use crate::format::{count, length, number, percent, signed};
use crate::layout::Shell;
use crate::text::{Texts, fill};

/// Nothing is said before each of the two has so many calls: with fewer, only differences that no cue can make would
/// stand out from chance.
pub(super) const FEWEST_COMPARED: u64 = 30;

/// Whether sums of compared calls are of a group.
#[must_use]
pub fn is_group_of_calls(sum: &HoldoutSum) -> bool {
    sum.calls >= FEWEST_COMPARED && !(1..FEWEST_AGENTS).contains(&sum.agents)
}

/// A figure that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compared {
    Followed,
    Upset,
    Recovery,
    Shift,
    Handling,
    Empathy,
}

impl Compared {
    const ALL: [Self; 6] =
        [Self::Followed, Self::Upset, Self::Recovery, Self::Shift, Self::Handling, Self::Empathy];

    fn name(self, shell: &Shell<'_>) -> &'static str {
        let texts = shell.texts();
        match self {
            Self::Followed => shell.language.coaching().holdout_followed,
            Self::Upset => texts.kpi_upset,
            Self::Recovery => texts.kpi_recovery,
            Self::Shift => texts.kpi_shift,
            Self::Handling => texts.kpi_handling,
            Self::Empathy => texts.kpi_empathy,
        }
    }

    fn share(self, sum: &HoldoutSum) -> Option<Share> {
        match self {
            Self::Followed => Some(Share { cases: sum.adopted, of: sum.judged }),
            Self::Upset => Some(Share { cases: sum.upset, of: sum.calls }),
            Self::Recovery => Some(Share { cases: sum.recovered, of: sum.upset }),
            Self::Shift | Self::Handling | Self::Empathy => None,
        }
    }

    fn sums(self, sum: &HoldoutSum) -> Sums {
        match self {
            Self::Shift => Sums { n: sum.shifts, sum: sum.shift_sum, squares: sum.shift_squares },
            Self::Handling => Sums { n: sum.handled, sum: sum.handled_sum, squares: sum.handled_squares },
            Self::Empathy => Sums { n: sum.surveys, sum: sum.empathy_sum, squares: sum.empathy_squares },
            Self::Followed | Self::Upset | Self::Recovery => Sums::default(),
        }
    }

    fn estimate(self, sum: &HoldoutSum) -> Option<Estimate> {
        self.share(sum).map_or_else(|| self.sums(sum).estimate(), Share::estimate)
    }

    /// With cues less without.
    fn difference(self, shown: &HoldoutSum, withheld: &HoldoutSum) -> Option<Difference> {
        match (self.share(shown), self.share(withheld)) {
            (Some(shown), Some(withheld)) => shown.difference(withheld),
            _ => self.sums(shown).difference(self.sums(withheld)),
        }
    }

    fn written(self, texts: &Texts, value: f64) -> String {
        match self {
            Self::Followed | Self::Upset | Self::Recovery => percent(texts, value, 0),
            Self::Shift => signed(texts, value, 3),
            // Seconds; no call lasts beyond what a u64 holds in milliseconds.
            Self::Handling => length((value.max(0.0) * 1_000.0) as u64),
            Self::Empathy => number(texts, value, 2),
        }
    }

    /// A difference, with its sign: of shares in percentage points.
    fn less(self, shell: &Shell<'_>, value: f64) -> String {
        let texts = shell.texts();
        match self {
            Self::Followed | Self::Upset | Self::Recovery => signed(texts, value * 100.0, 0),
            Self::Shift => signed(texts, value, 3),
            Self::Handling => {
                let sign = if value < 0.0 { "−" } else { "+" };
                format!("{sign}{}", length((value.abs() * 1_000.0) as u64))
            }
            Self::Empathy => signed(texts, value, 2),
        }
    }
}

/// The comparison; nothing where no call was drawn.
pub(super) fn section(shell: &Shell<'_>, sums: &[HoldoutSum]) -> Markup {
    if sums.is_empty() {
        return html! {};
    }
    let (texts, own) = (shell.texts(), shell.language.coaching());
    let of = |withheld| sums.iter().find(|sum| sum.withheld == withheld).cloned().unwrap_or_default();
    let (shown, withheld) = (of(false), of(true));
    html! {
        section #holdout {
            h2 { (own.holdout) }
            @if [&shown, &withheld].into_iter().all(is_group_of_calls) {
                div.scroll tabindex="0" role="group" aria-label=(own.holdout) {
                    table {
                        thead {
                            tr {
                                th scope="col" { (own.holdout_figure) }
                                th.right scope="col" { (own.holdout_shown) }
                                th.right scope="col" { (own.holdout_withheld) }
                                th.right scope="col" { (own.holdout_difference) }
                            }
                        }
                        tbody {
                            tr {
                                th scope="row" { (texts.calls) }
                                td.right { (count(texts, shown.calls)) }
                                td.right { (count(texts, withheld.calls)) }
                                td.right {}
                            }
                            @for figure in Compared::ALL {
                                tr {
                                    th scope="row" { (figure.name(shell)) }
                                    td.right { (cell(texts, figure, &shown)) }
                                    td.right { (cell(texts, figure, &withheld)) }
                                    td.right { (difference(shell, figure, &shown, &withheld)) }
                                }
                            }
                        }
                    }
                }
                p.hint { (own.holdout_what) }
            } @else {
                @let counts = [shown.calls, withheld.calls, FEWEST_COMPARED].map(|n| count(texts, n));
                p.soft { (fill(own.holdout_too_few, &counts.each_ref().map(String::as_str))) }
            }
        }
    }
}

fn cell(texts: &Texts, figure: Compared, sum: &HoldoutSum) -> Markup {
    let Some(Estimate { value, interval, n }) = figure.estimate(sum) else {
        return html! { span.soft { "–" } };
    };
    html! {
        (figure.written(texts, value))
        span.half.soft {
            @if let Some((low, high)) = interval {
                " " (fill(texts.interval, &[&figure.written(texts, low), &figure.written(texts, high)]))
            }
            " · n " (count(texts, n))
        }
    }
}

fn difference(shell: &Shell<'_>, figure: Compared, shown: &HoldoutSum, withheld: &HoldoutSum) -> Markup {
    let (texts, own) = (shell.texts(), shell.language.coaching());
    let Some(found) = figure.difference(shown, withheld) else {
        return html! { span.soft { (own.holdout_not_yet) } };
    };
    let says = match found.change() {
        Change::Higher => own.holdout_higher,
        Change::Lower => own.holdout_lower,
        Change::Unclear => own.holdout_unclear,
    };
    let (low, high) = found.interval;
    html! {
        (figure.less(shell, found.value))
        span.half.soft {
            " " (fill(texts.interval, &[&figure.less(shell, low), &figure.less(shell, high)])) " · " (says)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Language;

    fn sum(withheld: bool, calls: u64, agents: u64) -> HoldoutSum {
        HoldoutSum {
            withheld,
            calls,
            agents,
            judged: calls,
            adopted: if withheld { calls / 4 } else { calls * 3 / 4 },
            upset: calls / 2,
            recovered: calls / 4,
            handled: calls,
            // Mean 300 s and 200 s, with a standard deviation of about 100 s.
            handled_sum: calls as f64 * if withheld { 300.0 } else { 200.0 },
            handled_squares: calls as f64 * if withheld { 100_000.0 } else { 50_000.0 },
            surveys: 9,
            ..HoldoutSum::default()
        }
    }

    fn shell() -> Shell<'static> {
        let language = Language::En;
        Shell { language, here: "/", base: "", name: None, role: None, sections: &[], csrf: "", now: 0 }
    }

    #[test]
    fn a_difference_is_told_with_its_interval_and_what_it_proves() {
        let page = section(&shell(), &[sum(false, 400, 12), sum(true, 100, 8)]).into_string();
        for part in
            ["75%", "25%", "+50", "higher with cues", "5:00", "3:20", "−1:40", "may be chance", "n 400"]
        {
            assert!(page.contains(part), "{part}: {page}");
        }
        // Nine surveys of each are too few for a score.
        assert!(page.contains("not enough calls yet"), "{page}");
        let (low, high) =
            Compared::Recovery.difference(&sum(false, 400, 9), &sum(true, 100, 9)).unwrap().interval;
        assert!(low < 0.0 && high > 0.0);
    }

    #[test]
    fn few_calls_or_one_agents_say_nothing() {
        for (shown, withheld) in
            [(sum(false, 400, 12), sum(true, 29, 12)), (sum(false, 400, 12), sum(true, 40, 2))]
        {
            let page = section(&shell(), &[shown, withheld]).into_string();
            assert!(page.contains("Not enough calls yet") && !page.contains('%'), "{page}");
        }
        let one = section(&shell(), &[sum(false, 400, 12)]).into_string();
        assert!(one.contains("400") && one.contains(" 0 "), "{one}");
        assert_eq!(section(&shell(), &[]).into_string(), "");
    }
}
