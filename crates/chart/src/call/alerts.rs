//! Alerts: a flag with a label above the plane, and a line down through it.

use super::plane::Plane;
use crate::axis;
use crate::call::content::{Alert, AlertKind};
use crate::scene::{Area, Mark, Scene};
use crate::text::{self, Weight};
use crate::theme::Ink;

const SIZE: f32 = 12.0;
const ROW: f32 = 24.0;
const MOST_ROWS: usize = 4;
/// Between the flag's line and its label, and between labels.
const PAD: f32 = 6.0;
/// Marker and time before the words.
const MARKER: f32 = 14.0;
const WIDEST: f32 = 280.0;
/// More lines than this would be a wall.
const MOST_ALERTS: usize = 200;

/// Flags that found their places.
pub(super) struct Flags<'a> {
    flags: Vec<Flag<'a>>,
    top: f32,
    rows: usize,
    /// Where the strip of flags ends.
    pub(super) bottom: f32,
}

struct Flag<'a> {
    alert: &'a Alert,
    x: f32,
    /// The row and the left end of its label; none where there was no room for one.
    label: Option<(usize, f32)>,
    text: String,
}

/// Finds a place for each label: where it touches no other, crosses as few lines as can be, and stands high.
pub(super) fn place<'a>(alerts: &'a [Alert], plane: &Plane, top: f32) -> Flags<'a> {
    let mut placed: Vec<Place> = Vec::new();
    let mut flags = Vec::new();
    for alert in alerts.iter().take(MOST_ALERTS) {
        let x = plane.x(alert.at);
        let text = format!("{}\u{a0} {}", axis::clock(alert.at.as_secs_f32().floor()), alert.label);
        let text = text::fit(&text, SIZE, Weight::SemiBold, WIDEST);
        let width = label_width(&text);
        let place = [x, x - width]
            .into_iter()
            .filter(|from| *from >= plane.left && from + width <= plane.right)
            .flat_map(|from| (0..MOST_ROWS).map(move |row| Place { row, from, to: from + width, line: x }))
            .filter(|place| !placed.iter().any(|other| place.touches(other)))
            .min_by_key(|place| (placed.iter().filter(|other| place.crosses(other)).count(), place.row));
        placed.extend(place);
        flags.push(Flag { alert, x, label: place.map(|place| (place.row, place.from)), text });
    }
    let rows = placed.iter().map(|place| place.row + 1).max().unwrap_or(1);
    let strip = if flags.is_empty() { 0.0 } else { rows as f32 * ROW + 8.0 };
    Flags { flags, top, rows, bottom: top + strip }
}

fn label_width(text: &str) -> f32 {
    MARKER + text::width(text, SIZE, Weight::SemiBold) + 2.0 * PAD
}

/// Where a label could stand, and the line below it.
#[derive(Debug, Clone, Copy)]
struct Place {
    row: usize,
    from: f32,
    to: f32,
    line: f32,
}

impl Place {
    fn touches(&self, other: &Self) -> bool {
        self.row == other.row && self.from < other.to + PAD && other.from < self.to + PAD
    }

    /// Whether one's line runs behind the other's label.
    fn crosses(&self, other: &Self) -> bool {
        let (upper, lower) = if self.row < other.row { (self, other) } else { (other, self) };
        upper.row < lower.row && lower.from < upper.line && upper.line < lower.to
    }
}

impl Flags<'_> {
    /// The lines, from each flag down through `whole`.
    pub(super) fn draw_lines(&self, scene: &mut Scene, whole: Area) {
        for flag in &self.flags {
            let top = self.top + self.row_of(flag) as f32 * ROW + ROW / 2.0;
            let line = [[flag.x, top], [flag.x, whole.bottom()]];
            scene.add(Mark::line(line).faint_stroke(ink(flag.alert.kind), 1.25, 0.75).dashed(3.0, 3.0));
        }
    }

    /// The flags themselves.
    pub(super) fn draw_flags(&self, scene: &mut Scene) {
        for flag in &self.flags {
            let ink = ink(flag.alert.kind);
            let middle = self.top + self.row_of(flag) as f32 * ROW + ROW / 2.0;
            let tip = format!("{} {}", axis::clock(flag.alert.at.as_secs_f32()), flag.alert.label);
            let Some((_, left)) = flag.label else {
                scene.add(marker(flag.alert.kind, flag.x, middle, 5.0).fill(ink).tip(tip));
                continue;
            };
            let area = Area { x: left, y: middle - 10.0, width: label_width(&flag.text), height: 20.0 };
            scene.add(Mark::rect(area).round(4.0).fill(Ink::Ground));
            scene.add(Mark::rect(area).round(4.0).wash(ink, 0.14).tip(tip));
            scene.add(marker(flag.alert.kind, left + PAD + 4.5, middle, 4.5).fill(ink));
            let baseline = middle + SIZE * text::CAPITALS / 2.0;
            scene.add(Mark::text(left + PAD + MARKER, baseline, SIZE, flag.text.clone()).bold());
        }
    }

    /// The row of a flag; those without a label stand in the lowest.
    fn row_of(&self, flag: &Flag<'_>) -> usize {
        flag.label.map_or(self.rows.saturating_sub(1), |(row, _)| row)
    }
}

/// The colour of an alert.
pub(super) fn ink(kind: AlertKind) -> Ink {
    match kind {
        AlertKind::Raised => Ink::Distress,
        AlertKind::Calmed => Ink::Customer,
        AlertKind::Notice => Ink::Muted,
    }
}

/// The shape of an alert, about a point.
pub(super) fn marker(kind: AlertKind, x: f32, y: f32, r: f32) -> Mark {
    match kind {
        AlertKind::Raised => Mark::polygon([[x, y - r], [x + r, y + r * 0.8], [x - r, y + r * 0.8]]),
        AlertKind::Calmed => Mark::polygon([[x, y + r], [x + r, y - r * 0.8], [x - r, y - r * 0.8]]),
        AlertKind::Notice => Mark::circle([x, y], r * 0.85),
    }
}
