//! What the marks mean: only those that are there.

use super::plane::Plane;
use super::{alerts, bands};
use crate::call::content::{AlertKind, CallChart, MARGIN, WIDTH};
use crate::scene::{Area, Mark, Scene};
use crate::text::{self, Weight};
use crate::theme::Ink;

const SIZE: f32 = 11.0;
const ROW: f32 = 20.0;
/// Between entries.
const GAP: f32 = 20.0;
/// Between a sample and its words.
const PAD: f32 = 7.0;

/// A sample, as wide as it is drawn, and what it means.
struct Entry {
    width: f32,
    text: &'static str,
    draw: fn(&mut Scene, x: f32, middle: f32),
}

/// Draws it with its first line about `y`; gives where it ends.
pub(super) fn draw(scene: &mut Scene, chart: &CallChart, plane: &Plane, y: f32) -> f32 {
    let (mut x, mut y) = (MARGIN, y);
    for entry in entries(chart, plane) {
        let width = entry.width + PAD + text::width(entry.text, SIZE, Weight::Regular);
        if x > MARGIN && x + width > WIDTH - MARGIN {
            (x, y) = (MARGIN, y + ROW);
        }
        (entry.draw)(scene, x, y);
        scene.add(Mark::text(x + entry.width + PAD, y + 4.0, SIZE, entry.text).fill(Ink::Muted));
        x += width + GAP;
    }
    y + 4.0
}

fn entries(chart: &CallChart, plane: &Plane) -> Vec<Entry> {
    // Long: one entry for each mark that the chart may hold.
    let mut entries = Vec::new();
    let estimates = chart.customer.iter().any(|point| !point.abstained);
    if estimates {
        entries.push(Entry { width: 60.0, text: "confidence, low to high", draw: confidence });
        if bands::is_crowded(&chart.customer, plane) {
            entries.push(Entry { width: 22.0, text: "mean and range", draw: range });
        }
    }
    if chart.customer.iter().any(|point| point.abstained) {
        entries.push(Entry {
            width: 22.0,
            text: "model abstained",
            draw: |scene, x, y| {
                scene.add(Mark::line([[x, y], [x + 22.0, y]]).stroke(Ink::Muted, 1.75).dashed(2.0, 3.0));
            },
        });
    }
    if chart.threshold.is_some() {
        entries.push(Entry {
            width: 22.0,
            text: "alert threshold",
            draw: |scene, x, y| {
                scene.add(
                    Mark::line([[x, y], [x + 22.0, y]])
                        .faint_stroke(Ink::Distress, 1.0, 0.7)
                        .dashed(6.0, 4.0),
                );
            },
        });
    }
    let has = |kind| chart.alerts.iter().any(|alert| alert.kind == kind);
    if has(AlertKind::Raised) {
        entries.push(Entry {
            width: 9.0,
            text: "alert",
            draw: |scene, x, y| flag(scene, AlertKind::Raised, x, y),
        });
    }
    if has(AlertKind::Calmed) {
        entries.push(Entry {
            width: 9.0,
            text: "calmed again",
            draw: |scene, x, y| flag(scene, AlertKind::Calmed, x, y),
        });
    }
    if has(AlertKind::Notice) {
        entries.push(Entry {
            width: 9.0,
            text: "notice",
            draw: |scene, x, y| flag(scene, AlertKind::Notice, x, y),
        });
    }
    if !chart.customer_speech.is_empty() && !chart.agent_speech.is_empty() {
        entries.push(Entry {
            width: 18.0,
            text: "both speak",
            draw: |scene, x, y| {
                scene.add(Mark::rect(Area { x, y: y - 1.5, width: 18.0, height: 3.0 }).fill(Ink::Text));
            },
        });
    }
    if !chart.holds.is_empty() {
        entries.push(Entry { width: 18.0, text: "hold", draw: |scene, x, y| wash(scene, Ink::Hold, x, y) });
    }
    if !chart.announcements.is_empty() {
        entries.push(Entry {
            width: 18.0,
            text: "announcement",
            draw: |scene, x, y| wash(scene, Ink::Announcement, x, y),
        });
    }
    if !chart.dtmf.is_empty() {
        entries.push(Entry {
            width: 14.0,
            text: "key pressed",
            draw: |scene, x, y| {
                let area = Area { x, y: y - 6.5, width: 13.0, height: 13.0 };
                scene.add(Mark::rect(area).round(3.0).fill(Ink::Ground).stroke(Ink::Text, 1.0));
            },
        });
    }
    entries
}

fn confidence(scene: &mut Scene, x: f32, y: f32) {
    for level in 0..bands::LEVELS {
        let x = x + f32::from(level) * 12.0;
        let area = Area { x, y: y - 5.0, width: 12.0, height: 10.0 };
        scene.add(Mark::rect(area).wash(Ink::Valence, bands::area_opacity(level)));
        scene.add(Mark::line([[x, y - 5.0], [x + 12.0, y - 5.0]]).faint_stroke(
            Ink::Valence,
            1.75,
            bands::line_opacity(level),
        ));
    }
}

fn range(scene: &mut Scene, x: f32, y: f32) {
    let area = Area { x, y: y - 5.0, width: 22.0, height: 10.0 };
    scene.add(Mark::rect(area).wash(Ink::Valence, bands::RANGE_OPACITY));
    scene.add(Mark::line([[x, y], [x + 22.0, y]]).stroke(Ink::Valence, 1.75));
}

fn flag(scene: &mut Scene, kind: AlertKind, x: f32, y: f32) {
    scene.add(alerts::marker(kind, x + 4.5, y, 4.5).fill(alerts::ink(kind)));
}

fn wash(scene: &mut Scene, ink: Ink, x: f32, y: f32) {
    scene.add(Mark::rect(Area { x, y: y - 5.0, width: 18.0, height: 10.0 }).round(2.0).wash(ink, 0.45));
}
