//! Whether the model is as often right as it says.

use super::frame::{self, MARGIN, SMALL, Scale};
use crate::scene::{Anchor, Area, Mark, Scene};
use crate::theme::Ink;

const WIDTH: f32 = 460.0;
const SIDE: f32 = 340.0;
/// Below the diagram: how many answers each bin holds.
const COUNTS: f32 = 56.0;
/// More bins than this are thinner than their outlines.
const MOST_BINS: usize = 50;

/// A reliability diagram (DeGroot and Fienberg, 1983; Guo et al., 2017).
#[derive(Debug, Clone, Default)]
pub struct Reliability {
    /// What was classified.
    pub title: String,
    /// A line below the title, such as the expected calibration error.
    pub note: String,
    /// Bins of equal width that cover `[0, 1]`, in order.
    pub bins: Vec<Bin>,
}

/// Answers of about the same confidence.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bin {
    /// Their mean confidence, in `[0, 1]`.
    pub confidence: f32,
    /// The share that is right, in `[0, 1]`.
    pub accuracy: f32,
    /// How many there are.
    pub count: u32,
}

impl Reliability {
    /// Draws it.
    pub fn scene(&self) -> Scene {
        let mut scene = Scene::new(WIDTH, &self.title, self.description());
        let top = frame::heading(&mut scene, &self.title, &self.note);
        let top =
            frame::series(&mut scene, &["share that is right", "gap to the confidence stated"], top + 14.0)
                + 40.0;
        let x = MARGIN + 44.0;
        let area = Area { x, y: top, width: WIDTH - MARGIN - x, height: SIDE };
        let across = Scale { name: "Confidence", low: 0.0, high: 1.0 };
        let up = Scale { name: "Accuracy", low: 0.0, high: 1.0 };
        frame::plane(&mut scene, area, &across, &up);
        let bins: Vec<&Bin> = self.bins.iter().take(MOST_BINS).collect();
        let width = area.width / bins.len().max(1) as f32;
        let fullest = bins.iter().map(|bin| bin.count).max().unwrap_or(0).max(1);
        let counts = Area { y: area.bottom() + 58.0, height: COUNTS, ..area };
        scene.add(Mark::rect(counts).round(4.0).fill(Ink::Panel));
        for (index, bin) in bins.iter().enumerate() {
            let known = bin.count > 0 && bin.accuracy.is_finite() && bin.confidence.is_finite();
            if !known {
                continue;
            }
            let left = area.x + index as f32 * width;
            let column = |top: f32, bottom: f32| Area {
                x: left + 1.5,
                y: top,
                width: width - 3.0,
                height: bottom - top,
            };
            let (right, meant) = (level(area, bin.accuracy), level(area, bin.confidence));
            scene.add(Mark::rect(column(right, area.bottom())).round(2.0).wash(Ink::Valence, 0.75));
            // What lies between claim and truth, in the colour of what is wrong.
            scene.add(
                Mark::rect(column(right.min(meant), right.max(meant)))
                    .wash(Ink::Distress, 0.3)
                    .stroke(Ink::Distress, 1.25),
            );
            let height = bin.count as f32 / fullest as f32 * (COUNTS - 16.0);
            scene.add(
                Mark::rect(column(counts.bottom() - height, counts.bottom()))
                    .wash(Ink::Agent, 0.8)
                    .tip(format!("{} answers", bin.count)),
            );
        }
        scene.add(
            Mark::line([[area.x, area.bottom()], [area.right(), area.y]])
                .stroke(Ink::Muted, 1.25)
                .dashed(4.0, 4.0),
        );
        let note = Mark::text(
            counts.right() - 6.0,
            counts.y + 13.0,
            SMALL,
            format!("answers a bin, at most {fullest}"),
        );
        scene.add(note.fill(Ink::Muted).anchor(Anchor::End));
        scene.height = counts.bottom() + MARGIN;
        scene
    }

    fn description(&self) -> String {
        let bins = self.bins.iter().filter(|bin| bin.count > 0);
        let bins =
            bins.map(|bin| format!("{:.2} said, {:.2} right ({})", bin.confidence, bin.accuracy, bin.count));
        format!("Reliability diagram. {}.", bins.collect::<Vec<_>>().join("; "))
    }
}

fn level(area: Area, value: f32) -> f32 {
    area.up(value.clamp(0.0, 1.0), 0.0, 1.0)
}
