//! What figures share: a title, a square or oblong plane with scales, and a list of series.

use crate::axis;
use crate::scene::{Anchor, Area, Mark, Scene};
use crate::text::{self, Weight};
use crate::theme::Ink;

/// Around everything.
pub(super) const MARGIN: f32 = 24.0;
/// Letters of scales and notes.
pub(super) const SMALL: f32 = 11.0;

/// A scale along one side of the plane.
pub(super) struct Scale<'a> {
    pub(super) name: &'a str,
    pub(super) low: f32,
    pub(super) high: f32,
}

/// Title and a line below it; gives where the rest begins.
pub(super) fn heading(scene: &mut Scene, title: &str, note: &str) -> f32 {
    let room = scene.width - 2.0 * MARGIN;
    scene.add(Mark::text(MARGIN, 40.0, 17.0, title).bold().fit(room));
    if note.is_empty() {
        return 56.0;
    }
    scene.add(Mark::text(MARGIN, 60.0, 12.0, note).fill(Ink::Muted).fit(room));
    74.0
}

/// The plane with both scales and a grid.
pub(super) fn plane(scene: &mut Scene, area: Area, across: &Scale<'_>, up: &Scale<'_>) {
    scene.add(Mark::rect(area).round(4.0).fill(Ink::Panel));
    scale_across(scene, area, across);
    let marks = axis::marks(up.low, up.high, 5);
    for value in &marks {
        let y = area.up(*value, up.low, up.high);
        scene.add(Mark::line([[area.x, y], [area.right(), y]]).stroke(Ink::Grid, 1.0));
        let label = Mark::text(area.x - 8.0, y + 4.0, SMALL, axis::number(*value, step(&marks)));
        scene.add(label.fill(Ink::Muted).anchor(Anchor::End));
    }
    scene.add(Mark::text(MARGIN, area.y - 16.0, SMALL, up.name).fill(Ink::Muted));
}

/// The scale below the plane, with lines up through it.
pub(super) fn scale_across(scene: &mut Scene, area: Area, scale: &Scale<'_>) {
    let marks = axis::marks(scale.low, scale.high, 5);
    for value in &marks {
        let x = across(area, *value, scale.low, scale.high);
        scene.add(Mark::line([[x, area.y], [x, area.bottom()]]).stroke(Ink::Grid, 1.0));
        let label = Mark::text(x, area.bottom() + 18.0, SMALL, axis::number(*value, step(&marks)));
        scene.add(label.fill(Ink::Muted).anchor(Anchor::Middle));
    }
    let [middle, _] = area.middle();
    let name = Mark::text(middle, area.bottom() + 38.0, SMALL, scale.name);
    scene.add(name.fill(Ink::Muted).anchor(Anchor::Middle).fit(scene.width - 2.0 * MARGIN));
}

/// Where `value` of `low..=high` stands across the plane; beyond an end, at it.
pub(super) fn across(area: Area, value: f32, low: f32, high: f32) -> f32 {
    area.x + ((value - low) / (high - low)).clamp(0.0, 1.0) * area.width
}

/// A row of samples and names of series; gives where it ends.
pub(super) fn series(scene: &mut Scene, names: &[&str], y: f32) -> f32 {
    let (mut x, mut y) = (MARGIN, y);
    for (name, ink) in names.iter().zip(Ink::SERIES.into_iter().cycle()) {
        let name = text::fit(name, SMALL, Weight::Regular, 280.0);
        let width = 18.0 + text::width(&name, SMALL, Weight::Regular);
        if x > MARGIN && x + width > scene.width - MARGIN {
            (x, y) = (MARGIN, y + 18.0);
        }
        scene.add(Mark::rect(Area { x, y: y - 9.0, width: 12.0, height: 10.0 }).round(2.0).fill(ink));
        scene.add(Mark::text(x + 18.0, y, SMALL, name).fill(Ink::Muted));
        x += width + 20.0;
    }
    y + 6.0
}

fn step(marks: &[f32]) -> f32 {
    match marks {
        [first, second, ..] => second - first,
        _ => 1.0,
    }
}
