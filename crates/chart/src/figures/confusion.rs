//! Which class was taken for which.

use super::frame::{self, MARGIN, SMALL};
use crate::scene::{Anchor, Area, Mark, Scene};
use crate::text::{self, Weight};
use crate::theme::Ink;

const CELL: f32 = 62.0;
const CELL_HEIGHT: f32 = 46.0;
/// More classes than this would not be legible.
const MOST: usize = 32;

/// A confusion matrix. Each row is coloured by its shares, so that rare classes count as much as frequent ones.
#[derive(Debug, Clone, Default)]
pub struct Confusion {
    /// What was classified.
    pub title: String,
    /// A line below the title: figures, method.
    pub note: String,
    /// The classes.
    pub labels: Vec<String>,
    /// How often: a row for each true class, a column for each that was said.
    pub counts: Vec<Vec<u32>>,
}

impl Confusion {
    /// Draws it.
    pub fn scene(&self) -> Scene {
        let labels: Vec<&str> = self.labels.iter().take(MOST).map(String::as_str).collect();
        let widest = labels
            .iter()
            .map(|label| text::width(label, 12.0, Weight::Regular))
            .fold(40.0, f32::max)
            .min(160.0);
        let side = labels.len().max(1) as f32;
        let left = MARGIN + widest + 12.0;
        let recall = left + side * CELL + 14.0;
        let mut scene =
            Scene::new((recall + 54.0 + MARGIN).max(420.0), &self.title, self.description(&labels));
        let top = frame::heading(&mut scene, &self.title, &self.note) + 44.0;
        scene.add(Mark::text(left, top - 26.0, SMALL, "said").fill(Ink::Muted));
        scene.add(Mark::text(MARGIN, top - 8.0, SMALL, "true").fill(Ink::Muted));
        scene.add(Mark::text(recall, top - 8.0, SMALL, "recall").fill(Ink::Muted));
        for (column, label) in labels.iter().enumerate() {
            let x = left + (column as f32 + 0.5) * CELL;
            scene.add(Mark::text(x, top - 8.0, SMALL, *label).anchor(Anchor::Middle).fit(CELL - 4.0));
        }
        for (row, label) in labels.iter().enumerate() {
            let area = Area { x: left, y: top + row as f32 * CELL_HEIGHT, width: CELL, height: CELL_HEIGHT };
            let middle = area.y + CELL_HEIGHT / 2.0;
            scene.add(Mark::text(left - 12.0, middle + 4.0, 12.0, *label).anchor(Anchor::End).fit(widest));
            self.draw_row(&mut scene, row, labels.len(), area, recall);
        }
        scene.height = top + side * CELL_HEIGHT + MARGIN;
        scene
    }

    fn draw_row(&self, scene: &mut Scene, row: usize, columns: usize, first: Area, recall: f32) {
        let total = self.total(row);
        for column in 0..columns {
            let count = self.count(row, column);
            let share = if total == 0 { 0.0 } else { count as f32 / total as f32 };
            let x = first.x + column as f32 * CELL;
            let area = Area { x: x + 1.0, y: first.y + 1.0, width: CELL - 2.0, height: CELL_HEIGHT - 2.0 };
            scene.add(Mark::rect(area).round(3.0).fill(Ink::Panel));
            scene.add(Mark::rect(area).round(3.0).wash(Ink::Valence, share.clamp(0.0, 1.0)));
            let [x, y] = area.middle();
            if count == 0 {
                scene.add(Mark::text(x, y + 4.0, 12.0, "0").fill(Ink::Muted).anchor(Anchor::Middle));
                continue;
            }
            let ink = if share > 0.5 { Ink::Ground } else { Ink::Text };
            let percent = Mark::text(x, y + 1.0, 14.0, format!("{:.0} %", share * 100.0)).fill(ink);
            let percent = percent.anchor(Anchor::Middle);
            scene.add(if row == column { percent.bold() } else { percent });
            let count = Mark::text(x, y + 15.0, 10.0, count.to_string());
            scene.add(
                count
                    .fill(if share > 0.5 { Ink::Ground } else { Ink::Muted })
                    .anchor(Anchor::Middle)
                    .fit(CELL - 6.0),
            );
        }
        let middle = first.y + CELL_HEIGHT / 2.0;
        scene.add(Mark::text(recall, middle + 4.5, 13.0, self.recall(row)).bold());
    }

    fn count(&self, row: usize, column: usize) -> u32 {
        self.counts.get(row).and_then(|row| row.get(column)).copied().unwrap_or(0)
    }

    fn total(&self, row: usize) -> u64 {
        self.counts.get(row).map_or(0, |row| row.iter().map(|count| u64::from(*count)).sum())
    }

    fn recall(&self, row: usize) -> String {
        match self.total(row) {
            0 => "–".to_owned(),
            total => format!("{:.2}", f64::from(self.count(row, row)) / total as f64),
        }
    }

    fn description(&self, labels: &[&str]) -> String {
        let recalls = labels.iter().enumerate().map(|(row, label)| format!("{label} {}", self.recall(row)));
        format!("Confusion matrix. Recall: {}.", recalls.collect::<Vec<_>>().join(", "))
    }
}
