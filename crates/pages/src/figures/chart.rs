//! A figure by day, or by week in longer ranges: a line in its interval, and the same as a table.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::{Estimate, Figures, Measure, SMALLEST_GROUP, cell, named, written};
use crate::format::{count, date};
use crate::layout::Shell;
use crate::text::fill;

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 26.0;

/// A point that is drawn.
struct Spot {
    x: f64,
    estimate: Estimate,
}

pub(super) fn section(shell: &Shell<'_>, figures: &Figures, measure: Measure) -> Markup {
    let texts = shell.texts();
    let (name, _) = named(texts, measure);
    let by = if figures.weekly { texts.by_week } else { texts.by_day };
    html! {
        section.chart {
            h2 { (name) " " (by) }
            figure {
                (drawing(shell, figures, measure))
                figcaption.hint { (fill(texts.chart_says, &[&SMALLEST_GROUP.to_string()])) }
            }
            (table(shell, figures, measure))
        }
    }
}

fn spots(figures: &Figures, measure: Measure) -> Vec<Vec<Spot>> {
    let step = if figures.weekly { 7 } else { 1 };
    let places = (figures.range.days() - 1) / step;
    let mut stretches: Vec<Vec<Spot>> = Vec::new();
    let mut before = None;
    for (first, total) in &figures.steps {
        let Some(estimate) = total.estimate(measure) else { continue };
        let place = (first - figures.range.first) / step;
        let share = if places == 0 { 0.5 } else { place as f64 / places as f64 };
        let spot = Spot { x: LEFT + 6.0 + (WIDTH - LEFT - RIGHT - 12.0) * share, estimate };
        match stretches.last_mut() {
            Some(stretch) if before.is_some_and(|before| place == before + 1) => stretch.push(spot),
            _ => stretches.push(vec![spot]),
        }
        before = Some(place);
    }
    stretches
}

/// The least and the greatest value of the scale, and the distance of its lines.
fn scale(stretches: &[Vec<Spot>], measure: Measure) -> (f64, f64, f64) {
    let ends = stretches
        .iter()
        .flatten()
        .map(|spot| spot.estimate.interval.unwrap_or((spot.estimate.value, spot.estimate.value)));
    // Zero belongs to both scales: without it small changes would look like great ones.
    let (low, high) = ends.fold((0.0_f64, 0.0_f64), |(low, high), (from, to)| (low.min(from), high.max(to)));
    let least = if measure == Measure::Shift { 0.05 } else { 0.02 };
    let span = (high - low).max(least);
    let rough = span / 4.0;
    let power = 10_f64.powf(rough.log10().floor());
    let round = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= rough);
    let step = round.unwrap_or(rough);
    ((low / step).floor() * step, ((low + span).max(high) / step).ceil() * step, step)
}

fn drawing(shell: &Shell<'_>, figures: &Figures, measure: Measure) -> Markup {
    let texts = shell.texts();
    let stretches = spots(figures, measure);
    if stretches.is_empty() {
        return html! { p.soft { (fill(texts.too_few, &[&SMALLEST_GROUP.to_string()])) } };
    }
    let (low, high, step) = scale(&stretches, measure);
    let bottom = HEIGHT - BOTTOM;
    let y = |value: f64| bottom - (bottom - TOP) * (value - low) / (high - low);
    let lines = ((high - low) / step).round().clamp(1.0, 10.0) as u32;
    let before = figures.before.estimate(measure).map(|it| it.value).filter(|it| (low..=high).contains(it));
    let said = fill(
        texts.chart_said,
        &[named(texts, measure).0, &date(texts, figures.range.first), &date(texts, figures.range.last)],
    );
    html! {
        svg.chart viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(said) {
            @for line in 0..=lines {
                @let value = low + f64::from(line) * step;
                @let zero = value.abs() < step / 100.0;
                path.grid.zero[zero] d={ "M" (LEFT) " " (short(y(value))) "H" (WIDTH - RIGHT) } {}
                text.tick x=(LEFT - 6.0) y=(short(y(value) + 4.0)) text-anchor="end" { (tick(shell, measure, value, step)) }
            }
            @if let Some(before) = before {
                path.before d={ "M" (LEFT) " " (short(y(before))) "H" (WIDTH - RIGHT) } {}
            }
            @for stretch in &stretches {
                @let band = band(stretch, y);
                path.interval d=(band) {}
                path.line.figure d=(line(stretch, y)) {}
                @if stretches.iter().map(Vec::len).sum::<usize>() <= 31 {
                    @for spot in stretch {
                        circle.figure cx=(short(spot.x)) cy=(short(y(spot.estimate.value))) r="2.5" {
                            title { (written(texts, measure, spot.estimate.value)) ", n = " (count(texts, spot.estimate.n)) }
                        }
                    }
                }
            }
            text.tick x=(LEFT) y=(HEIGHT - 6.0) { (date(texts, figures.range.first)) }
            text.tick x=(WIDTH - RIGHT) y=(HEIGHT - 6.0) text-anchor="end" { (date(texts, figures.range.last)) }
        }
    }
}

fn tick(shell: &Shell<'_>, measure: Measure, value: f64, step: f64) -> String {
    let texts = shell.texts();
    if measure == Measure::Shift {
        crate::format::signed(texts, value, if step < 0.01 { 3 } else { 2 })
    } else {
        crate::format::percent(texts, value, usize::from(step < 0.01))
    }
}

fn line(stretch: &[Spot], y: impl Fn(f64) -> f64) -> String {
    let mut d = String::new();
    for (index, spot) in stretch.iter().enumerate() {
        // A String takes every write.
        let _ =
            write!(d, "{}{:.1} {:.1}", if index == 0 { 'M' } else { 'L' }, spot.x, y(spot.estimate.value));
    }
    if stretch.len() == 1 {
        d.push_str("h0");
    }
    d
}

/// The outline of the intervals: along their upper ends and back along the lower ones.
fn band(stretch: &[Spot], y: impl Fn(f64) -> f64) -> String {
    let with = stretch.iter().filter_map(|spot| spot.estimate.interval.map(|ends| (spot.x, ends)));
    let mut corners: Vec<(f64, f64)> = Vec::new();
    for (x, (_, high)) in with.clone() {
        // A single day has a width too, or nothing would be seen of its interval.
        if stretch.len() == 1 {
            corners.push((x - 3.0, y(high)));
        }
        corners.push((if stretch.len() == 1 { x + 3.0 } else { x }, y(high)));
    }
    for (x, (low, _)) in with.rev() {
        corners.push((if stretch.len() == 1 { x + 3.0 } else { x }, y(low)));
        if stretch.len() == 1 {
            corners.push((x - 3.0, y(low)));
        }
    }
    let mut d = String::new();
    for (index, (x, y)) in corners.iter().enumerate() {
        let _ = write!(d, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
    }
    if !d.is_empty() {
        d.push('Z');
    }
    d
}

fn short(value: f64) -> String {
    format!("{value:.1}")
}

fn table(shell: &Shell<'_>, figures: &Figures, measure: Measure) -> Markup {
    let texts = shell.texts();
    html! {
        details {
            summary { (texts.as_table) span.hidden { ": " (named(texts, measure).0) } }
            div.scroll tabindex="0" role="group" aria-label={ (named(texts, measure).0) ", " (texts.as_table) } {
                table {
                    thead {
                        tr {
                            th scope="col" { (texts.from) }
                            th.right scope="col" { (texts.calls) }
                            th.right scope="col" { (named(texts, measure).0) }
                            th.right scope="col" { "n" }
                        }
                    }
                    tbody {
                        @for (first, total) in &figures.steps {
                            tr {
                                th scope="row" { (date(texts, *first)) }
                                td.right { (count(texts, total.calls)) }
                                td.right { (cell(texts, total, measure)) }
                                td.right { (total.estimate(measure).map_or_else(|| "–".to_owned(), |it| count(texts, it.n))) }
                            }
                        }
                    }
                }
            }
        }
    }
}
