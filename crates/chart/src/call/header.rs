//! Title, subtitle and the figures of the summary.

use crate::call::content::{CallChart, Fact, MARGIN, WIDTH};
use crate::scene::{Mark, Scene};
use crate::text::{self, Weight};
use crate::theme::Ink;

const LABEL: f32 = 11.0;
const VALUE: f32 = 17.0;
/// Between figures.
const GAP: f32 = 36.0;
/// The widest a figure gets.
const WIDEST: f32 = 360.0;
/// More figures than this tell nobody anything.
const MOST_FACTS: usize = 24;

/// Draws it; gives where it ends.
pub(super) fn draw(scene: &mut Scene, chart: &CallChart) -> f32 {
    let room = WIDTH - 2.0 * MARGIN;
    scene.add(Mark::text(MARGIN, 46.0, 22.0, &chart.title).bold().fit(room));
    let mut bottom = 58.0;
    if !chart.subtitle.is_empty() {
        scene.add(Mark::text(MARGIN, 68.0, 13.0, &chart.subtitle).fill(Ink::Muted).fit(room));
        bottom = 78.0;
    }
    if chart.summary.is_empty() {
        return bottom + 6.0;
    }
    let (mut x, mut y) = (MARGIN, bottom + 22.0);
    for Fact { label, value } in chart.summary.iter().take(MOST_FACTS) {
        let width = text::width(label, LABEL, Weight::Regular)
            .max(text::width(value, VALUE, Weight::SemiBold))
            .min(WIDEST);
        if x > MARGIN && x + width > WIDTH - MARGIN {
            (x, y) = (MARGIN, y + 48.0);
        }
        scene.add(Mark::text(x, y, LABEL, label).fill(Ink::Muted).fit(WIDEST));
        scene.add(Mark::text(x, y + 21.0, VALUE, value).bold().fit(WIDEST));
        x += width + GAP;
    }
    y + 40.0
}
