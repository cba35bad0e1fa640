//! A small line of how pleasant a call has been lately.

use std::fmt::Write as _;

use maud::{Markup, html};
use sidetone_store::{Call, Point};

use crate::format::signed;
use crate::layout::Shell;
use crate::text::fill;
use crate::vocabulary::state_tone;

const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 36.0;
/// The line keeps this distance from the edges, so that its ends are not cut.
const EDGE: f64 = 4.0;
/// The valence at the upper edge; the lower edge is its negative. Beyond it the line runs along the edge.
const SCALE: f64 = 0.7;
/// Points drawn: more cannot be told apart at this width.
const MOST: usize = 30;

/// Valence from the first point to the last: up is pleasant, the dashed line is neither.
pub(super) fn spark(shell: &Shell<'_>, call: &Call, points: &[Point]) -> Markup {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return html! {} };
    let texts = shell.texts();
    let span = (last.at_ms.saturating_sub(first.at_ms)).max(1) as f64;
    let place = |point: &Point| {
        let x = EDGE + (WIDTH - 2.0 * EDGE) * point.at_ms.saturating_sub(first.at_ms) as f64 / span;
        let valence = if point.valence.is_finite() { (point.valence / SCALE).clamp(-1.0, 1.0) } else { 0.0 };
        (x, HEIGHT / 2.0 - valence * (HEIGHT / 2.0 - EDGE))
    };
    let step = points.len().div_ceil(MOST).max(1);
    let mut line = String::new();
    // Counted from the last point, which always has to be there.
    for point in points.iter().rev().step_by(step) {
        let (x, y) = place(point);
        // A String takes every write.
        let _ = write!(line, "{x:.0},{y:.0} ");
    }
    let (x, y) = place(last);
    let middle = HEIGHT / 2.0;
    let said = fill(texts.spark, &[&signed(texts, first.valence, 1), &signed(texts, last.valence, 1)]);
    html! {
        svg class={ "spark " (state_tone(call)) } viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(said) {
            path.zero d={ "M0 " (middle) "H" (WIDTH) } {}
            polyline points=(line.trim_end()) {}
            circle cx={ (format!("{x:.0}")) } cy={ (format!("{y:.0}")) } r="3.5" {}
        }
    }
}
