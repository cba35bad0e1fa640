//! The timeline of a call as a drawing, once for wide windows and once for narrow ones, and as a table.

mod drawing;

use maud::{Markup, html};
use sidetone_store::{CallDetails, Point};

use super::story;
use crate::format::{length, percent, signed};
use crate::layout::Shell;
use drawing::Frame;

/// Rows of the table: each stands for an equal part of the call.
const ROWS: usize = 30;

/// Alerts and holds that are drawn at most, each.
const BANDS: usize = 40;
/// The longest call that is drawn whole: thirty days. A time beyond it is a fault of whoever wrote the store.
const LONGEST_MS: u64 = 30 * crate::civil::DAY_MS;

/// A stretch of time, in milliseconds since the INVITE.
pub(super) struct Band {
    pub(super) from: u64,
    pub(super) to: u64,
    /// `frustration`, `distress`; empty for a hold.
    pub(super) word: String,
}

/// What is drawn.
pub(super) struct View<'a> {
    pub(super) end: u64,
    pub(super) points: &'a [Point],
    pub(super) alerts: Vec<Band>,
    pub(super) holds: Vec<Band>,
    pub(super) lines: Vec<story::Line>,
}

/// The section with the drawing, its legend and its table.
pub(super) fn timeline(shell: &Shell<'_>, details: &CallDetails) -> Markup {
    let texts = shell.texts();
    let view = view(shell, details);
    if view.points.is_empty() {
        let why = if details.call.judged_ms.is_some_and(|judged| judged > 0) {
            texts.timeline_gone
        } else {
            texts.nothing_judged
        };
        return html! { section { h2 { (texts.timeline) } p { (why) } } };
    }
    html! {
        section {
            h2 { (texts.timeline) }
            figure.timeline {
                (drawing::drawing(shell, &view, &Frame::wide()))
                (drawing::drawing(shell, &view, &Frame::narrow()))
                figcaption { (legend(shell, &view)) }
            }
            (table(shell, &view))
        }
    }
}

fn view<'a>(shell: &Shell<'_>, details: &'a CallDetails) -> View<'a> {
    let call = &details.call;
    let last = details.affect.iter().map(|point| point.at_ms);
    let last = last.chain(details.events.iter().map(|event| event.at_ms)).max().unwrap_or_default();
    let end = match call.ended {
        Some(ended) => ended.saturating_sub(call.started),
        None => shell.now.saturating_sub(call.started),
    };
    // A call that is up and a clock that is wrong must not squeeze the drawing into a corner.
    let end = last.max(end.min(last.saturating_add(120_000))).clamp(1000, LONGEST_MS);
    let alerts = details.alerts.iter().take(BANDS).map(|alert| Band {
        from: alert.from_ms,
        to: alert.to_ms.unwrap_or(end),
        word: alert.alert.clone(),
    });
    let mut holds: Vec<Band> = Vec::new();
    for event in details.events.iter().take(2000) {
        if event.kind == "call.held" && holds.len() < BANDS {
            holds.push(Band { from: event.at_ms, to: end, word: String::new() });
        } else if event.kind == "call.resumed"
            && let Some(open) = holds.last_mut()
        {
            open.to = open.to.min(event.at_ms);
        }
    }
    View {
        end,
        points: &details.affect,
        alerts: alerts.collect(),
        holds,
        lines: story::lines(shell.texts(), details),
    }
}

fn legend(shell: &Shell<'_>, view: &View<'_>) -> Markup {
    let texts = shell.texts();
    let line = |class: &'static str, name: &str| {
        html! {
            li {
                svg.sample viewBox="0 0 28 10" width="28" height="10" aria-hidden="true" focusable="false" {
                    path.line.(class) d="M1 5H27" {}
                }
                (name)
            }
        }
    };
    html! {
        ul.legend {
            (line("valence", texts.legend_valence))
            (line("arousal", texts.legend_arousal))
            (line("distress", texts.legend_distress))
            @if !view.alerts.is_empty() { li { span.swatch.alert aria-hidden="true" {} (texts.legend_alert) } }
            @if !view.holds.is_empty() { li { span.swatch.hold aria-hidden="true" {} (texts.on_hold) } }
            li { span.mark aria-hidden="true" { "1" } (texts.legend_marks) }
        }
        p.soft { (texts.legend_gaps) }
    }
}

/// The drawing for those who cannot see it or want its numbers: means of equal parts of the call.
fn table(shell: &Shell<'_>, view: &View<'_>) -> Markup {
    let texts = shell.texts();
    let step = nice_step(view.end.div_ceil(ROWS as u64));
    let rows = (0..view.end.div_ceil(step)).filter_map(|row| {
        let (from, to) = (row * step, (row + 1) * step);
        let part: Vec<_> = view.points.iter().filter(|point| (from..to).contains(&point.at_ms)).collect();
        let alert = view.alerts.iter().any(|alert| alert.from < to && alert.to > from);
        (!part.is_empty()).then_some((from, part, alert))
    });
    let mean = |part: &[&Point], value: fn(&Point) -> f64| {
        part.iter().map(|point| value(point)).sum::<f64>() / part.len().max(1) as f64
    };
    html! {
        details {
            summary { (texts.as_table) }
            div.scroll tabindex="0" role="group" aria-label=(texts.as_table) {
                table {
                    caption { (crate::text::fill(texts.table_means, &[&length(step)])) }
                    thead {
                        tr {
                            th scope="col" { (texts.from_minute) }
                            th.right scope="col" { (texts.valence) }
                            th.right scope="col" { (texts.arousal) }
                            th.right scope="col" { (texts.distress) }
                            th scope="col" { (texts.alert) }
                        }
                    }
                    tbody {
                        @for (from, part, alert) in rows {
                            tr {
                                th scope="row" { (length(from)) }
                                td.right { (signed(texts, mean(&part, |point| point.valence), 2)) }
                                td.right { (signed(texts, mean(&part, |point| point.arousal), 2)) }
                                td.right { (percent(texts, mean(&part, |point| point.distress), 0)) }
                                td { @if alert { (texts.yes) } @else { "–" } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The least round length of time that is no shorter than this one.
pub(super) fn nice_step(ms: u64) -> u64 {
    const ROUND: [u64; 15] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400];
    let seconds = ms.div_ceil(1000).max(1);
    let round = ROUND.into_iter().find(|round| *round >= seconds);
    round.unwrap_or_else(|| seconds.div_ceil(14_400) * 14_400) * 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_long_enough() {
        assert_eq!(nice_step(1), 1000);
        assert_eq!(nice_step(16_000), 30_000);
        assert_eq!(nice_step(14_401_000), 28_800_000);
    }
}
