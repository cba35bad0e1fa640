//! The drawing: valence and arousal above, distress below, alerts and holds behind both, marks on top.

use std::fmt::Write as _;

use maud::{Markup, html};
use sidetone_store::Point;

use super::{Band, View, nice_step};
use crate::format::length;
use crate::layout::Shell;
use crate::text::fill;

/// Between points further apart than this, nothing was judged, and the line has a gap.
const GAP_MS: u64 = 20_000;

/// Measures of a drawing, in its own units.
pub(super) struct Frame {
    class: &'static str,
    width: f64,
    /// Height of the lane of marks.
    lane: f64,
    /// Height of the part with valence and arousal.
    upper: f64,
    /// Height of the part with distress.
    lower: f64,
    /// Points of a line at most.
    most: usize,
    /// Times written below at most.
    ticks: u64,
}

const SIDE: f64 = 12.0;
const BETWEEN: f64 = 14.0;
const BELOW: f64 = 22.0;

impl Frame {
    pub(super) fn wide() -> Self {
        Self { class: "wide", width: 1000.0, lane: 26.0, upper: 170.0, lower: 70.0, most: 300, ticks: 10 }
    }

    pub(super) fn narrow() -> Self {
        Self { class: "narrow", width: 360.0, lane: 26.0, upper: 150.0, lower: 64.0, most: 120, ticks: 4 }
    }

    fn upper_top(&self) -> f64 {
        self.lane
    }

    fn lower_top(&self) -> f64 {
        self.lane + self.upper + BETWEEN
    }

    fn bottom(&self) -> f64 {
        self.lower_top() + self.lower
    }

    fn x(&self, at: u64, end: u64) -> f64 {
        SIDE + (self.width - 2.0 * SIDE) * (at.min(end) as f64 / end.max(1) as f64)
    }

    /// Of a value of `[-1, 1]`.
    fn y_upper(&self, value: f64) -> f64 {
        self.upper_top() + self.upper * (1.0 - bounded(value, -1.0)) / 2.0
    }

    /// Of a value of `[0, 1]`.
    fn y_lower(&self, value: f64) -> f64 {
        self.lower_top() + self.lower * (1.0 - bounded(value, 0.0))
    }
}

fn bounded(value: f64, least: f64) -> f64 {
    if value.is_finite() { value.clamp(least, 1.0) } else { 0.0 }
}

pub(super) fn drawing(shell: &Shell<'_>, view: &View<'_>, frame: &Frame) -> Markup {
    let texts = shell.texts();
    let height = frame.bottom() + BELOW;
    let points = thinned(view.points, frame.most);
    let lines = [
        ("arousal", path(frame, view.end, &points, |point| frame.y_upper(point.arousal))),
        ("valence", path(frame, view.end, &points, |point| frame.y_upper(point.valence))),
        ("distress", path(frame, view.end, &points, |point| frame.y_lower(point.distress))),
    ];
    let said = fill(
        texts.timeline_said,
        &[&length(view.end), &view.alerts.len().to_string(), &view.holds.len().to_string()],
    );
    html! {
        svg.timeline.(frame.class) viewBox={ "0 0 " (frame.width) " " (height) } role="img" aria-label=(said) {
            rect.plot x=(SIDE) y=(frame.upper_top()) width=(frame.width - 2.0 * SIDE) height=(frame.upper) {}
            rect.plot x=(SIDE) y=(frame.lower_top()) width=(frame.width - 2.0 * SIDE) height=(frame.lower) {}
            @for band in &view.holds { (band_of(frame, view.end, band, "hold")) }
            @for band in &view.alerts { (band_of(frame, view.end, band, "alert")) }
            path.zero d={ "M" (SIDE) " " (frame.y_upper(0.0)) "H" (frame.width - SIDE) } {}
            (times(frame, view.end))
            @for (class, d) in &lines { path.line.(class) d=(d) {} }
            (sides(shell, frame))
            (marks(frame, view))
        }
    }
}

/// The words at the ends of both scales.
fn sides(shell: &Shell<'_>, frame: &Frame) -> Markup {
    let texts = shell.texts();
    let (left, right) = (SIDE + 6.0, frame.width - SIDE - 6.0);
    let (top, bottom) = (frame.upper_top() + 15.0, frame.upper_top() + frame.upper - 7.0);
    html! {
        text.valence x=(left) y=(top) { (texts.pleasant) }
        text.valence x=(left) y=(bottom) { (texts.unpleasant) }
        text.arousal x=(right) y=(top) text-anchor="end" { (texts.agitated) }
        text.arousal x=(right) y=(bottom) text-anchor="end" { (texts.quiet) }
        text.distress x=(left) y=(frame.lower_top() + 15.0) { (texts.distress) }
    }
}

fn band_of(frame: &Frame, end: u64, band: &Band, class: &str) -> Markup {
    let (from, to) = (frame.x(band.from, end), frame.x(band.to, end));
    html! {
        rect.band.(class) x=(short(from)) y=(frame.upper_top()) width=(short((to - from).max(2.0)))
            height=(frame.bottom() - frame.upper_top()) {
            @if !band.word.is_empty() { title { (crate::format::clean(&band.word)) " " (length(band.from)) "–" (length(band.to)) } }
        }
    }
}

fn times(frame: &Frame, end: u64) -> Markup {
    let step = nice_step(end.div_ceil(frame.ticks));
    html! {
        @for tick in 0..=(end / step) {
            @let x = frame.x(tick * step, end);
            path.tick d={ "M" (short(x)) " " (frame.bottom()) "v5" } {}
            text.tick x=(short(x)) y=(frame.bottom() + 18.0)
                text-anchor=(if tick == 0 { "start" } else if x > frame.width - 30.0 { "end" } else { "middle" }) {
                (length(tick * step))
            }
        }
    }
}

/// The numbers of the list of what happened. A number that would cover the one before is left out, its line is not.
fn marks(frame: &Frame, view: &View<'_>) -> Markup {
    let mut free = 0.0;
    let places: Vec<(f64, bool)> = view
        .lines
        .iter()
        .map(|line| {
            let x = frame.x(line.at_ms, view.end);
            let fits = x >= free;
            if fits {
                free = x + 19.0;
            }
            (x, fits)
        })
        .collect();
    html! {
        @for (index, (line, (x, fits))) in view.lines.iter().zip(places).enumerate() {
            g.mark.(line.kind) {
                path d={ "M" (short(x)) " " (frame.lane - 4.0) "V" (frame.bottom()) } {}
                @if fits {
                    circle cx=(short(x)) cy="11" r="9" {}
                    text x=(short(x)) y="15" text-anchor="middle" { (index + 1) }
                }
            }
        }
    }
}

fn short(value: f64) -> String {
    format!("{value:.1}")
}

/// A line through these points, broken where nothing was judged.
fn path(frame: &Frame, end: u64, points: &[Point], y: impl Fn(&Point) -> f64) -> String {
    let gap = GAP_MS.max(end / 40);
    let mut d = String::new();
    let mut before: Option<u64> = None;
    for point in points {
        let joined = before.is_some_and(|before| point.at_ms.saturating_sub(before) <= gap);
        let (x, y) = (frame.x(point.at_ms, end), y(point));
        let letter = if joined { 'L' } else { 'M' };
        // A String takes every write. A move alone draws nothing, so a lone point gets a line of no length.
        let _ = write!(d, "{letter}{x:.0} {y:.1}");
        if !joined {
            d.push_str("h0");
        }
        before = Some(point.at_ms);
    }
    d
}

/// At most so many points, each the mean of those that it stands for.
fn thinned(points: &[Point], most: usize) -> Vec<Point> {
    let size = points.len().div_ceil(most.max(1)).max(1);
    let mean =
        |part: &[Point], value: fn(&Point) -> f64| part.iter().map(value).sum::<f64>() / part.len() as f64;
    let middle = |part: &[Point]| part.get(part.len() / 2).map_or(0, |point| point.at_ms);
    points
        .chunks(size)
        .map(|part| Point {
            at_ms: middle(part),
            valence: mean(part, |point| point.valence),
            arousal: mean(part, |point| point.arousal),
            distress: mean(part, |point| point.distress),
            confidence: mean(part, |point| point.confidence),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at_ms: u64, valence: f64) -> Point {
        Point { at_ms, valence, arousal: 0.0, distress: 0.0, confidence: 1.0 }
    }

    #[test]
    fn a_line_has_a_gap_where_nothing_was_judged() {
        let points = [point(0, 0.0), point(1000, 0.5), point(40_000, -0.5), point(41_000, f64::NAN)];
        let frame = Frame::wide();
        let d = path(&frame, 60_000, &points, |point| frame.y_upper(point.valence));
        assert_eq!(d.matches('M').count(), 2, "{d}");
        assert!(!d.contains("NaN"), "{d}");
    }

    #[test]
    fn a_call_of_hours_has_no_more_points_than_a_short_one() {
        let points: Vec<_> = (0..40_000).map(|second| point(second * 1000, 0.1)).collect();
        assert!(thinned(&points, 300).len() <= 300);
        assert_eq!(thinned(&points[..10], 300).len(), 10);
    }
}
