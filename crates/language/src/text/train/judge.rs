//! Thresholds, calibration and figures of merit.

use serde::Serialize;

use super::rng::Rng;

/// A figure with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figure {
    /// Over everything.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.3} [{:.3}, {:.3}]", self.value, self.low, self.high)
    }
}

/// What was meant and what was found in one text: a bit for each label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) meant: u64,
    pub(crate) found: u64,
}

/// Right, made up and missed, of one label.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) right: u32,
    pub(crate) made_up: u32,
    pub(crate) missed: u32,
}

impl Counts {
    /// Those of one label.
    pub(crate) fn of(label: usize, answers: impl Iterator<Item = Answer>) -> Self {
        let mut counts = Self::default();
        for answer in answers {
            match (answer.meant >> label & 1, answer.found >> label & 1) {
                (1, 1) => counts.right += 1,
                (0, 1) => counts.made_up += 1,
                (1, 0) => counts.missed += 1,
                _ => {}
            }
        }
        counts
    }

    /// Harmonic mean of precision and recall; 0 where there is nothing.
    pub(crate) fn f1(self) -> f64 {
        let all = 2 * self.right + self.made_up + self.missed;
        f64::from(2 * self.right) / f64::from(all.max(1))
    }

    pub(crate) fn precision(self) -> f64 {
        f64::from(self.right) / f64::from((self.right + self.made_up).max(1))
    }

    pub(crate) fn recall(self) -> f64 {
        f64::from(self.right) / f64::from((self.right + self.missed).max(1))
    }
}

/// Mean F1 of the labels, with an interval by drawing texts with replacement.
pub(crate) fn macro_f1(answers: &[Answer], labels: usize, draws: usize) -> Figure {
    let figure = |picked: &[Answer]| {
        (0..labels).map(|label| Counts::of(label, picked.iter().copied()).f1()).sum::<f64>()
            / labels.max(1) as f64
    };
    let value = figure(answers);
    let mut rng = Rng::new(95);
    let mut drawn: Vec<f64> = (0..draws)
        .map(|_| {
            let picked: Vec<Answer> =
                (0..answers.len()).filter_map(|_| answers.get(rng.below(answers.len())).copied()).collect();
            figure(&picked)
        })
        .collect();
    drawn.sort_by(f64::total_cmp);
    let at = |part: f64| {
        let place = (part * drawn.len().saturating_sub(1) as f64).round() as usize;
        drawn.get(place).copied().unwrap_or(value)
    };
    Figure { value, low: at(0.025), high: at(0.975) }
}

/// A calibration by two numbers (Platt 1999): the probability is the logistic of `slope * log-odds + offset`. Fitted by
/// Newton's method on scores from folds that did not know the texts.
pub(crate) fn platt(scored: &[(f32, bool)]) -> (f32, f32) {
    let positives = scored.iter().filter(|(_, meant)| *meant).count() as f64;
    let negatives = scored.len() as f64 - positives;
    // Platt's own targets, which keep a separable label from growing without end.
    let (high, low) = ((positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0));
    let (mut slope, mut offset) = (1.0f64, 0.0f64);
    for _ in 0..50 {
        let (mut ga, mut gb, mut aa, mut ab, mut bb) = (0.0, 0.0, 1e-3, 0.0, 1e-3);
        for &(score, meant) in scored {
            let x = f64::from(score);
            let p = 1.0 / (1.0 + (-(slope * x + offset)).exp());
            let error = p - if meant { high } else { low };
            let weight = (p * (1.0 - p)).max(1e-9);
            ga += error * x;
            gb += error;
            aa += weight * x * x;
            ab += weight * x;
            bb += weight;
        }
        let determinant = aa * bb - ab * ab;
        if determinant.abs() < 1e-12 {
            break;
        }
        let (da, db) = ((bb * ga - ab * gb) / determinant, (aa * gb - ab * ga) / determinant);
        let step = (1.0 / da.hypot(db)).min(1.0);
        slope -= step * da;
        offset -= step * db;
        if da.hypot(db) < 1e-7 {
            break;
        }
    }
    if slope.is_finite() && offset.is_finite() && slope > 0.0 {
        (slope as f32, offset as f32)
    } else {
        (1.0, 0.0)
    }
}

/// The score above which F1 is greatest.
pub(crate) fn threshold(scored: &[(f32, bool)]) -> f32 {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let positives = sorted.iter().filter(|(_, meant)| *meant).count() as f64;
    let (mut right, mut best, mut at) = (0.0, 0.0, f32::INFINITY);
    for (place, (score, meant)) in sorted.iter().enumerate() {
        right += f64::from(u8::from(*meant));
        let f1 = 2.0 * right / (positives + place as f64 + 1.0);
        if f1 > best {
            // Halfway to the next score: its own place is an accident.
            let next = sorted.get(place + 1).map_or(*score, |(next, _)| *next);
            (best, at) = (f1, (score + next) / 2.0);
        }
    }
    at
}

/// Expected calibration error over ten bins of equal width (Naeini et al. 2015).
pub(crate) fn calibration_error(scored: &[(f32, bool)]) -> f64 {
    let mut bins = [(0.0f64, 0.0f64); 10];
    for &(confidence, right) in scored {
        if let Some((sure, was)) = bins.get_mut(((confidence * 10.0) as usize).min(9)) {
            *sure += f64::from(confidence);
            *was += f64::from(u8::from(right));
        }
    }
    bins.iter().map(|(sure, was)| (sure - was).abs()).sum::<f64>() / scored.len().max(1) as f64
}

/// Area under the receiver operating characteristic, ties counting half (Mann and Whitney 1947); a half without both
/// kinds.
pub(crate) fn auc(scored: &[(f32, bool)]) -> f64 {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut wins, mut positives) = (0.0f64, 0.0f64, 0.0f64);
    for tied in sorted.chunk_by(|a, b| a.0 == b.0) {
        let hits = tied.iter().filter(|(_, meant)| *meant).count() as f64;
        let misses = tied.len() as f64 - hits;
        wins += hits * (below + misses / 2.0);
        below += misses;
        positives += hits;
    }
    if positives * below > 0.0 { wins / (positives * below) } else { 0.5 }
}

/// Pearson's correlation; 0 where nothing varies.
pub(crate) fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let count = pairs.len().max(1) as f64;
    let (ma, mb) = (
        pairs.iter().map(|pair| pair.0).sum::<f64>() / count,
        pairs.iter().map(|pair| pair.1).sum::<f64>() / count,
    );
    let sum = |of: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|(a, b)| of(a - ma, b - mb)).sum::<f64>();
    let scale = (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt();
    if scale > 0.0 { sum(&|a, b| a * b) / scale } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_parts_what_can_be_parted() {
        let scored = [(0.9, true), (0.8, true), (0.4, false), (0.1, false)];
        assert!((0.4..0.8).contains(&threshold(&scored)));
    }

    #[test]
    fn calibration_finds_the_logistic_it_was_drawn_from() {
        let mut rng = Rng::new(7);
        let scored: Vec<(f32, bool)> = (0..20_000)
            .map(|_| {
                let x = rng.unit() * 8.0 - 4.0;
                (x, rng.chance(1.0 / (1.0 + (-(0.5 * x - 1.0)).exp())))
            })
            .collect();
        let (slope, offset) = platt(&scored);
        assert!((slope - 0.5).abs() < 0.05 && (offset + 1.0).abs() < 0.1, "{slope} {offset}");
    }

    #[test]
    fn labels_weigh_alike() {
        let answers = [Answer { meant: 0b01, found: 0b01 }, Answer { meant: 0b10, found: 0b00 }];
        assert_eq!(macro_f1(&answers, 2, 50).value, 0.5);
    }
}
