//! Figures of merit for classifiers, and how sure one may be of them.

#![allow(clippy::indexing_slicing)] // square tables indexed by class, made in the same function

use std::collections::BTreeMap;

use serde::Serialize;

use crate::rng::Rng;

/// Rows are what was meant, columns what was heard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Confusion(pub Vec<Vec<u32>>);

impl Confusion {
    /// Counts `(meant, heard)` pairs over `classes` classes.
    pub fn new(classes: usize, pairs: impl Iterator<Item = (usize, usize)>) -> Self {
        let mut table = vec![vec![0; classes]; classes];
        for (meant, heard) in pairs.filter(|(meant, heard)| *meant < classes && *heard < classes) {
            table[meant][heard] += 1;
        }
        Self(table)
    }

    /// Unweighted average recall over the classes that occur; 0 if none does.
    pub fn uar(&self) -> f64 {
        let recalls: Vec<f64> = self
            .0
            .iter()
            .enumerate()
            .filter_map(|(class, row)| {
                let total: u32 = row.iter().sum();
                (total > 0).then(|| f64::from(row[class]) / f64::from(total))
            })
            .collect();
        recalls.iter().sum::<f64>() / recalls.len().max(1) as f64
    }
}

/// Area under the receiver operating characteristic: the chance that a positive scores above a negative, ties counting
/// half (Mann and Whitney 1947). `None` without both kinds.
pub fn auc(scored: &[(f32, bool)]) -> Option<f64> {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positives = sorted.iter().filter(|(_, positive)| *positive).count() as f64;
    let negatives = sorted.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let mut below = 0.0;
    let mut wins = 0.0;
    let mut rest = sorted.as_slice();
    while let Some(&(score, _)) = rest.first() {
        let tied = rest.iter().take_while(|(other, _)| *other == score).count();
        let (group, after) = rest.split_at(tied);
        let hits = group.iter().filter(|(_, positive)| *positive).count() as f64;
        let misses = tied as f64 - hits;
        wins += hits * (below + misses / 2.0);
        below += misses;
        rest = after;
    }
    Some(wins / (positives * negatives))
}

/// Concordance of pairs (Lin 1989): 1 where both are the same throughout, 0 where one says nothing of the other; unlike
/// correlation, a scale or a level of its own costs. `None` where neither ever changes.
pub fn concordance(pairs: &[(f32, f32)]) -> Option<f64> {
    let count = pairs.len() as f64;
    let mean =
        |get: fn(&(f32, f32)) -> f32| pairs.iter().map(|pair| f64::from(get(pair))).sum::<f64>() / count;
    let (x, y) = (mean(|pair| pair.0), mean(|pair| pair.1));
    let moment = |of: &dyn Fn(f64, f64) -> f64| {
        pairs.iter().map(|pair| of(f64::from(pair.0) - x, f64::from(pair.1) - y)).sum::<f64>() / count
    };
    let spread = moment(&|x, y| x * x + y * y) + (x - y).powi(2);
    (spread > 0.0).then(|| 2.0 * moment(&|x, y| x * y) / spread)
}

/// Expected calibration error over ten bins of equal width (Naeini et al. 2015): by how much confidence misses
/// accuracy, on average. `scored` holds confidence and whether the answer was right.
pub fn calibration_error(scored: &[(f32, bool)]) -> f64 {
    let mut bins = vec![(0.0f64, 0.0f64, 0.0f64); 10];
    for &(confidence, right) in scored {
        let bin = ((confidence * 10.0) as usize).min(9);
        bins[bin].0 += f64::from(confidence);
        bins[bin].1 += f64::from(u8::from(right));
        bins[bin].2 += 1.0;
    }
    let total = scored.len().max(1) as f64;
    bins.iter().map(|(confidence, right, _)| (confidence - right).abs() / total).sum()
}

/// The calibration error that a perfectly calibrated model would show on the same clips: the mean over 200 drawings in
/// which each answer is right just as often as its confidence says. On a hundred clips it is nearly .1; no error below
/// it means anything.
pub fn calibration_noise(scored: &[(f32, bool)]) -> f64 {
    const DRAWS: u32 = 200;
    let mut rng = Rng::new(5);
    let mut drawn = scored.to_vec();
    let mut sum = 0.0;
    for _ in 0..DRAWS {
        drawn.iter_mut().for_each(|(confidence, right)| *right = rng.chance(*confidence));
        sum += calibration_error(&drawn);
    }
    sum / f64::from(DRAWS)
}

/// A point of the risk-coverage curve: the share of clips answered when the least sure are left out, and the share of
/// wrong answers among them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RiskPoint {
    /// Share answered.
    pub coverage: f64,
    /// Share wrong among the answered.
    pub risk: f64,
}

/// The risk-coverage curve at steps of a tenth.
pub fn risk_coverage(scored: &[(f32, bool)]) -> Vec<RiskPoint> {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    (1..=10)
        .filter_map(|tenth| {
            let count = sorted.len() * tenth / 10;
            let wrong = sorted.iter().take(count).filter(|(_, right)| !right).count();
            (count > 0)
                .then(|| RiskPoint { coverage: tenth as f64 / 10.0, risk: wrong as f64 / count as f64 })
        })
        .collect()
}

/// A figure with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figure {
    /// The figure over all clips.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// Computes `figure` over all items, and its 95 % interval by drawing whole speakers with replacement: clips of one
/// speaker are not independent. Seeded, so that a report replays.
pub fn bootstrap<T: Copy>(
    by_speaker: &BTreeMap<String, Vec<T>>,
    draws: usize,
    figure: impl Fn(&[T]) -> Option<f64>,
) -> Option<Figure> {
    let all: Vec<T> = by_speaker.values().flatten().copied().collect();
    let value = figure(&all)?;
    let groups: Vec<&Vec<T>> = by_speaker.values().collect();
    let mut rng = Rng::new(95);
    let mut drawn: Vec<f64> = (0..draws)
        .filter_map(|_| {
            let sample: Vec<T> =
                (0..groups.len()).flat_map(|_| groups[rng.below(groups.len())].iter().copied()).collect();
            figure(&sample)
        })
        .collect();
    drawn.sort_by(f64::total_cmp);
    let at = |part: f64| {
        let place = (part * drawn.len().saturating_sub(1) as f64).round() as usize;
        drawn.get(place).copied().unwrap_or(value)
    };
    Some(Figure { value, low: at(0.025), high: at(0.975) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn average_recall_weighs_classes_alike() {
        let pairs = [(0, 0), (0, 0), (0, 0), (0, 1), (1, 1)];
        assert!((Confusion::new(2, pairs.into_iter()).uar() - 0.875).abs() < 1e-12);
        assert_eq!(Confusion::new(3, [(2, 2)].into_iter()).uar(), 1.0);
    }

    #[test]
    fn area_counts_pairs() {
        assert_eq!(auc(&[(0.1, false), (0.4, true), (0.35, false), (0.8, true)]), Some(1.0));
        assert_eq!(auc(&[(0.5, false), (0.5, true)]), Some(0.5));
        assert_eq!(auc(&[(0.9, false), (0.5, true)]), Some(0.0));
        assert_eq!(auc(&[(0.9, true)]), None);
    }

    #[test]
    fn concordance_asks_for_the_same_value_and_not_only_the_same_order() {
        let line: Vec<(f32, f32)> = (0..10).map(|n| (n as f32, n as f32)).collect();
        assert!((concordance(&line).unwrap() - 1.0).abs() < 1e-9);
        let half: Vec<(f32, f32)> = line.iter().map(|(x, y)| (*x, 0.5 * y)).collect();
        assert!(concordance(&half).unwrap() < 0.7);
        let against: Vec<(f32, f32)> = line.iter().map(|(x, y)| (*x, 9.0 - y)).collect();
        assert!((concordance(&against).unwrap() + 1.0).abs() < 1e-9);
        assert_eq!(concordance(&[(1.0, 1.0), (1.0, 1.0)]), None);
        assert_eq!(concordance(&[]), None);
    }

    proptest::proptest! {
        #[test]
        fn concordance_lies_between_minus_one_and_one_and_has_no_order(
            pairs in proptest::collection::vec((-1.0f32..1.0, -1.0f32..1.0), 2..50)
        ) {
            let turned: Vec<(f32, f32)> = pairs.iter().map(|(x, y)| (*y, *x)).collect();
            let (there, back) = (concordance(&pairs).unwrap_or(0.0), concordance(&turned).unwrap_or(0.0));
            proptest::prop_assert!((-1.0 - 1e-9..=1.0 + 1e-9).contains(&there));
            proptest::prop_assert!((there - back).abs() < 1e-9);
        }
    }

    #[test]
    fn perfect_confidence_has_no_error() {
        let scored: Vec<(f32, bool)> = (0..100).map(|n| (0.75, n % 4 != 0)).collect();
        assert!(calibration_error(&scored) < 1e-9);
        assert!((calibration_error(&[(0.9, false)]) - 0.9).abs() < 1e-6);
    }

    #[test]
    fn on_few_clips_even_perfect_confidence_shows_an_error() {
        let confident = |clips: usize| -> Vec<(f32, bool)> {
            (0..clips).map(|n| (0.3 + 0.69 * n as f32 / clips as f32, true)).collect()
        };
        let few = calibration_noise(&confident(100));
        assert!((0.06..0.12).contains(&few), "{few}");
        assert!(calibration_noise(&confident(10_000)) < few / 5.0);
        assert_eq!(calibration_noise(&[]), 0.0);
    }

    #[test]
    fn intervals_hold_the_value_and_replay() {
        let groups: BTreeMap<String, Vec<f64>> =
            (0..8).map(|n| (n.to_string(), vec![f64::from(n), f64::from(n) + 1.0])).collect();
        let mean = |x: &[f64]| Some(x.iter().sum::<f64>() / x.len() as f64);
        let figure = bootstrap(&groups, 200, mean).unwrap();
        assert!(figure.low < figure.value && figure.value < figure.high);
        assert_eq!(Some(figure), bootstrap(&groups, 200, mean));
    }
}
