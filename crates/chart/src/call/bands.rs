//! Distress, arousal and valence over time: a band each, filled from where nothing is felt.

use super::plane::Plane;
use crate::axis;
use crate::call::content::{CallChart, MARGIN, Point};
use crate::scene::{Anchor, Area, Mark, Scene};
use crate::theme::Ink;

const HEIGHT: f32 = 92.0;
const GAP: f32 = 12.0;
/// Inside a band, above and below what is drawn.
const INSET: f32 = 8.0;
/// Steps of opacity that confidence is drawn in.
pub(super) const LEVELS: u8 = 5;
/// Estimates farther apart than this, in seconds and in pixels, have silence between them: the line ends.
const SILENCE: f32 = 2.5;
const SILENCE_PIXELS: f32 = 8.0;
/// Estimates nearer than this on average, in pixels, are too many to be drawn one by one.
const CROWDED: f32 = 2.0;
/// Pixels that crowded estimates share: their mean is drawn as the line, their range as a shadow about it.
const COLUMN: f32 = 4.0;
/// What an abstention covers, in seconds; those that come to fewer pixels than can be seen aren't drawn.
const ABSTENTION: f32 = 0.5;
const VISIBLE: f32 = 3.0;
/// Opacity of the shadow about a line.
pub(super) const RANGE_OPACITY: f32 = 0.28;

/// One quantity.
pub(super) struct Band {
    pub(super) area: Area,
    name: &'static str,
    meaning: &'static str,
    ink: Ink,
    low: f32,
    high: f32,
    of: fn(&Point) -> f32,
}

/// An estimate where it is to be drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sample {
    x: f32,
    /// The estimate, or the mean of those that share a column.
    value: f32,
    low: f32,
    high: f32,
    confidence: f32,
}

impl Band {
    /// The three bands, from `top` downwards.
    pub(super) fn stack(top: f32) -> [Self; 3] {
        let area = |row: f32| {
            let x = crate::call::content::GUTTER;
            Area {
                x,
                y: top + row * (HEIGHT + GAP),
                width: crate::call::content::WIDTH - MARGIN - x,
                height: HEIGHT,
            }
        };
        [
            Self {
                area: area(0.0),
                name: "Distress",
                meaning: "0 none, 1 strong",
                ink: Ink::Distress,
                low: 0.0,
                high: 1.0,
                of: |point| point.distress,
            },
            Self {
                area: area(1.0),
                name: "Arousal",
                meaning: "calm to excited",
                ink: Ink::Arousal,
                low: -1.0,
                high: 1.0,
                of: |point| point.arousal,
            },
            Self {
                area: area(2.0),
                name: "Valence",
                meaning: "unpleasant to pleasant",
                ink: Ink::Valence,
                low: -1.0,
                high: 1.0,
                of: |point| point.valence,
            },
        ]
    }

    /// Ground, name and scale.
    pub(super) fn draw_ground(&self, scene: &mut Scene, plane: &Plane) {
        scene.add(Mark::rect(self.area).round(5.0).fill(Ink::Panel));
        let [_, middle] = self.area.middle();
        scene.add(Mark::text(MARGIN, middle - 2.0, 14.0, self.name).bold().fill(self.ink));
        scene.add(Mark::text(MARGIN, middle + 14.0, 10.0, self.meaning).fill(Ink::Muted));
        for value in [self.low, f32::midpoint(self.low, self.high), self.high] {
            let y = self.y(value);
            scene.add(Mark::line([[plane.left, y], [plane.right, y]]).stroke(Ink::Grid, 1.0));
            let step = if self.low == 0.0 && value == 0.5 { 0.5 } else { 1.0 };
            let mut label = axis::number(value, step);
            if self.low < 0.0 && value > 0.0 {
                label.insert(0, '+');
            }
            let label = Mark::text(plane.left - 8.0, y + 3.5, 10.0, label);
            scene.add(label.fill(Ink::Muted).anchor(Anchor::End));
        }
    }

    /// The quantity itself.
    pub(super) fn draw(&self, scene: &mut Scene, plane: &Plane, chart: &CallChart) {
        if let Some(threshold) =
            chart.threshold.filter(|level| self.ink == Ink::Distress && level.is_finite())
        {
            let y = self.y(threshold);
            scene.add(
                Mark::line([[plane.left, y], [plane.right, y]])
                    .faint_stroke(self.ink, 1.0, 0.7)
                    .dashed(6.0, 4.0),
            );
        }
        let gap = (SILENCE * plane.scale()).max(SILENCE_PIXELS);
        let mut anything = false;
        for run in self.runs(plane, &chart.customer, gap) {
            anything = true;
            self.draw_run(scene, &run);
        }
        for [from, to] in abstentions(plane, &chart.customer, gap) {
            anything = true;
            let y = self.y(0.0);
            scene.add(Mark::line([[from, y], [to, y]]).stroke(Ink::Muted, 1.75).dashed(2.0, 3.0));
        }
        if !anything {
            let [x, y] = self.area.middle();
            scene.add(Mark::text(x, y - 8.0, 12.0, "no estimate").fill(Ink::Muted).anchor(Anchor::Middle));
        }
    }

    fn y(&self, value: f32) -> f32 {
        let Area { x, y, width, height } = self.area;
        let inner = Area { x, y: y + INSET, width, height: height - 2.0 * INSET };
        inner.up(value.clamp(self.low, self.high), self.low, self.high)
    }

    /// Estimates without silence or abstention between them, thinned to what can be seen.
    fn runs(&self, plane: &Plane, points: &[Point], gap: f32) -> Vec<Vec<Sample>> {
        let mut runs: Vec<Vec<Sample>> = Vec::new();
        let mut abstained = false;
        for point in points {
            let value = (self.of)(point);
            if point.abstained || !value.is_finite() {
                abstained = true;
                continue;
            }
            let confidence =
                if point.confidence.is_finite() { point.confidence.clamp(0.0, 1.0) } else { 0.0 };
            let sample = Sample { x: plane.x(point.at), value, low: value, high: value, confidence };
            let most = if abstained { SILENCE_PIXELS } else { gap };
            let last =
                runs.last_mut().filter(|run| run.last().is_none_or(|last| (sample.x - last.x).abs() <= most));
            match last {
                Some(run) => run.push(sample),
                None => runs.push(vec![sample]),
            }
            abstained = false;
        }
        if is_crowded(points, plane) { runs.iter().map(|run| thin(run)).collect() } else { runs }
    }

    /// A line and the area under it, in pieces of equal confidence.
    fn draw_run(&self, scene: &mut Scene, run: &[Sample]) {
        if let [only] = run {
            let mark = Mark::circle([only.x, self.y(only.value)], 2.0);
            scene.add(mark.wash(self.ink, line_opacity(level(only.confidence))));
            return;
        }
        let points = |piece: &[Sample], of: fn(&Sample) -> f32| -> Vec<[f32; 2]> {
            piece.iter().map(|sample| [sample.x, self.y(of(sample))]).collect()
        };
        let ground = self.y(0.0);
        for (level, piece) in pieces(run) {
            let mut area = points(piece, |sample| sample.value);
            if let (Some([first, _]), Some([last, _])) = (area.first().copied(), area.last().copied()) {
                area.extend([[last, ground], [first, ground]]);
            }
            scene.add(Mark::polygon(area).wash(self.ink, area_opacity(level)));
        }
        if run.iter().any(|sample| sample.high > sample.low) {
            let mut range = points(run, |sample| sample.high);
            range.extend(points(run, |sample| sample.low).into_iter().rev());
            scene.add(Mark::polygon(range).wash(self.ink, RANGE_OPACITY));
        }
        for (level, piece) in pieces(run) {
            let line = Mark::line(points(piece, |sample| sample.value));
            scene.add(line.faint_stroke(self.ink, 1.75, line_opacity(level)));
        }
    }
}

/// Where the model abstained, as ranges of pixels.
fn abstentions(plane: &Plane, points: &[Point], gap: f32) -> Vec<[f32; 2]> {
    let mut ranges: Vec<[f32; 2]> = Vec::new();
    let mut estimated = true;
    for point in points {
        if point.abstained {
            let x = plane.x(point.at);
            let end = plane.x_of(point.at.as_secs_f32() + ABSTENTION);
            match ranges.last_mut() {
                Some([_, last]) if !estimated && x - *last <= gap => *last = last.max(end),
                _ => ranges.push([x, end]),
            }
        }
        estimated = !point.abstained;
    }
    ranges.retain(|[from, to]| to - from >= VISIBLE);
    ranges
}

/// Whether so many estimates are drawn that they share columns.
pub(super) fn is_crowded(points: &[Point], plane: &Plane) -> bool {
    let Some((first, last)) = points.first().zip(points.last()) else { return false };
    points.len() as f32 * CROWDED > (plane.x(last.at) - plane.x(first.at)).max(2.0 * COLUMN)
}

/// Of the samples in each column of pixels, the mean and the range.
fn thin(run: &[Sample]) -> Vec<Sample> {
    let column = |sample: &Sample| (sample.x / COLUMN).floor();
    let mean =
        |group: &[Sample], of: fn(&Sample) -> f32| group.iter().map(of).sum::<f32>() / group.len() as f32;
    run.chunk_by(|a, b| column(a) == column(b))
        .map(|group| Sample {
            x: mean(group, |sample| sample.x),
            value: mean(group, |sample| sample.value),
            low: group.iter().map(|sample| sample.low).fold(f32::INFINITY, f32::min),
            high: group.iter().map(|sample| sample.high).fold(f32::NEG_INFINITY, f32::max),
            confidence: mean(group, |sample| sample.confidence),
        })
        .collect()
}

/// Pieces of a run whose samples share a level of confidence; each begins where the one before it ends.
fn pieces(run: &[Sample]) -> impl Iterator<Item = (u8, &[Sample])> {
    let mut rest = run;
    std::iter::from_fn(move || {
        let first = level(rest.first()?.confidence);
        let same = rest.iter().take_while(|sample| level(sample.confidence) == first).count();
        let piece = rest.get(..(same + 1).min(rest.len()))?;
        rest = rest.get(same..).unwrap_or_default();
        Some((first, piece))
    })
    .filter(|(_, piece)| piece.len() > 1)
}

/// The step of opacity for a confidence in `[0, 1]`.
fn level(confidence: f32) -> u8 {
    ((confidence * f32::from(LEVELS)) as u8).min(LEVELS - 1)
}

pub(super) fn line_opacity(level: u8) -> f32 {
    0.3 + 0.7 * f32::from(level) / f32::from(LEVELS - 1)
}

pub(super) fn area_opacity(level: u8) -> f32 {
    0.06 + 0.32 * f32::from(level) / f32::from(LEVELS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(x: f32, value: f32, confidence: f32) -> Sample {
        Sample { x, value, low: value, high: value, confidence }
    }

    #[test]
    fn crowded_samples_keep_their_range() {
        let run: Vec<_> =
            (0..400).map(|n| sample(32.0 + n as f32 * 0.02, if n == 40 { 1.0 } else { 0.0 }, 0.5)).collect();
        let thinned = thin(&run);
        assert_eq!(thinned.len(), 2);
        assert_eq!((thinned[0].low, thinned[0].high, thinned[0].value), (0.0, 1.0, 1.0 / 200.0));
        assert_eq!((thinned[1].low, thinned[1].high), (0.0, 0.0));
    }

    #[test]
    fn pieces_share_their_ends_and_cover_the_run() {
        let run = [0.1, 0.15, 0.5, 0.5, 0.9].map(|confidence| sample(confidence * 10.0, 0.0, confidence));
        let pieces: Vec<_> = pieces(&run).map(|(level, piece)| (level, piece.len())).collect();
        assert_eq!(pieces, [(0, 3), (2, 3)]);
    }
}
