//! Calibration on speakers that the weights were not fitted on: a temperature for the classes, a logistic map for
//! distress, and the confidence below which nothing is said.

use std::collections::BTreeMap;

use crate::model::{Calibration, softmax};
use sidetone_call::Class;

/// A clip as calibration sees it.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) speaker: String,
    /// The classes that its corpus has, with their raw logits; the meant one's place among them.
    pub(crate) classes: Option<(Vec<(Class, f32)>, usize)>,
    /// Raw logits of all classes.
    pub(crate) logits: Vec<f32>,
    /// Raw distress logit.
    pub(crate) distress: f32,
    /// Its target in `[0, 1]`.
    pub(crate) distressed: f32,
}

/// Most of the answers that may be wrong on speakers never heard, if leaving out the least sure can bring that about...
const MOST_WRONG: f64 = 0.5;
/// ...and this share of the clips is still answered.
const LEAST_ANSWERED: f64 = 0.6;

/// Fits a calibration; the default one without samples.
pub(crate) fn calibrate(samples: &[Sample]) -> Calibration {
    let mut calibration = Calibration::default();
    if samples.iter().any(|sample| sample.classes.is_some()) {
        calibration.temperature = temperature(samples);
    }
    let answers = answers(samples, &calibration);
    (calibration.least_confidence, calibration.risk) = least_confidence(&answers);
    if !samples.is_empty() {
        (calibration.distress_scale, calibration.distress_shift) = platt(samples);
    }
    calibration
}

/// The temperature of least cross-entropy over each clip's own classes, by golden-section search over its logarithm. No
/// biases: those that one corpus asks for are wrong on the next.
fn temperature(samples: &[Sample]) -> f32 {
    let cost = |log: f32| -> f32 {
        let t = log.exp();
        samples
            .iter()
            .filter_map(|sample| sample.classes.as_ref())
            .map(|(logits, meant)| {
                let p = softmax(logits.iter().map(|(_, x)| x / t));
                -p.get(*meant).copied().unwrap_or(1.0).max(1e-9).ln()
            })
            .sum()
    };
    let golden = 0.618_034f32;
    let (mut low, mut high) = (0.2f32.ln(), 5f32.ln());
    for _ in 0..40 {
        let (left, right) = (high - golden * (high - low), low + golden * (high - low));
        if cost(left) < cost(right) { high = right } else { low = left }
    }
    (0.5 * (low + high)).exp()
}

/// Confidence among all classes, whether the answer among the corpus's own is right, and who spoke.
fn answers<'s>(samples: &'s [Sample], calibration: &Calibration) -> Vec<(f32, bool, &'s str)> {
    let answer = |sample: &'s Sample| {
        let (own, meant) = sample.classes.as_ref()?;
        let all = calibration.probabilities(&sample.logits, |_| true);
        let confidence = all.iter().copied().fold(0.0, f32::max);
        let share = |class: Class| all.get(class.index()).copied().unwrap_or(0.0);
        let given = own.iter().enumerate().max_by(|a, b| share(a.1.0).total_cmp(&share(b.1.0)))?.0;
        Some((confidence, given == *meant, sample.speaker.as_str()))
    };
    samples.iter().filter_map(answer).collect()
}

/// The confidence below which nothing is said, and the share of wrong answers that is promised not to be exceeded above
/// it: the lowest confidence at which an upper bound of that share is no more than [`MOST_WRONG`], tried from the
/// surest answers down so that no correction for many tries is due (fixed-sequence testing; Angelopoulos et al. 2021,
/// "Learn then test"). If that would leave out too many, or can't be had, the least sure tenth is left out, and the
/// promise is what the bound says then.
fn least_confidence(answers: &[(f32, bool, &str)]) -> (f32, Option<f32>) {
    let mut sorted = answers.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let at = |left_out: usize| sorted.get(left_out).map_or(0.0, |answer| answer.0);
    let bound = |left_out: usize| risk_bound(sorted.get(left_out..).unwrap_or_default());
    let twentieth = |n: usize| sorted.len() * n / 20;
    let mut kept = None;
    for left_out in (0..=19).rev().map(twentieth) {
        match bound(left_out) {
            Some(risk) if risk <= MOST_WRONG => kept = Some((left_out, risk)),
            // The few surest answers bound nothing; among more, the first failure ends the search.
            None => {}
            Some(_) => break,
        }
    }
    let answered = |left_out: usize| 1.0 - left_out as f64 / sorted.len().max(1) as f64;
    match kept {
        Some((left_out, risk)) if answered(left_out) >= LEAST_ANSWERED => (at(left_out), Some(risk as f32)),
        _ => (at(twentieth(2)), bound(twentieth(2)).map(|risk| risk as f32)),
    }
}

/// A one-sided 95 % upper bound of the share of wrong answers of a speaker never heard: the mean over speakers and
/// 1.645 standard errors. `None` with fewer than five speakers.
fn risk_bound(answers: &[(f32, bool, &str)]) -> Option<f64> {
    let mut by_speaker: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (_, right, speaker) in answers {
        let (wrong, all) = by_speaker.entry(speaker).or_default();
        *wrong += f64::from(u8::from(!right));
        *all += 1.0;
    }
    let count = by_speaker.len() as f64;
    let risks: Vec<f64> = by_speaker.values().map(|(wrong, all)| wrong / all).collect();
    let mean = risks.iter().sum::<f64>() / count;
    let variance = risks.iter().map(|risk| (risk - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (by_speaker.len() >= 5).then(|| (mean + 1.645 * (variance / count).sqrt()).min(1.0))
}

/// Scale and shift of the distress logit of least cross-entropy, by Newton's method with a weak pull to (1, 0).
fn platt(samples: &[Sample]) -> (f32, f32) {
    let (mut scale, mut shift) = (1.0f64, 0.0f64);
    for _ in 0..30 {
        let (mut g0, mut g1) = (0.1 * (scale - 1.0), 0.1 * shift);
        let (mut h00, mut h01, mut h11) = (0.1, 0.0, 0.1);
        for sample in samples {
            let x = f64::from(sample.distress);
            let p = 1.0 / (1.0 + (-(scale * x + shift)).exp());
            let (error, slope) = (p - f64::from(sample.distressed), p * (1.0 - p));
            g0 += error * x;
            g1 += error;
            h00 += slope * x * x;
            h01 += slope * x;
            h11 += slope;
        }
        let determinant = h00 * h11 - h01 * h01;
        if determinant.abs() < 1e-9 {
            break;
        }
        scale -= ((h11 * g0 - h01 * g1) / determinant).clamp(-1.0, 1.0);
        shift -= ((h00 * g1 - h01 * g0) / determinant).clamp(-1.0, 1.0);
    }
    // A negative scale would turn the output round: then validation says nothing, and nothing is changed.
    if scale > 0.0 && scale.is_finite() && shift.is_finite() {
        (scale as f32, shift as f32)
    } else {
        (1.0, 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn an_overconfident_network_is_cooled() {
        let mut rng = Rng::new(1);
        let samples: Vec<Sample> = (0..400)
            .map(|_| {
                let right = rng.chance(0.7);
                Sample {
                    speaker: String::new(),
                    classes: Some((vec![(Class::Anger, 4.0), (Class::Happiness, 0.0)], usize::from(!right))),
                    logits: vec![4.0, 0.0],
                    distress: 3.0,
                    distressed: f32::from(u8::from(right)),
                }
            })
            .collect();
        let calibration = calibrate(&samples);
        let confidence = calibration
            .probabilities(&[4.0, 0.0], |class| matches!(class, Class::Anger | Class::Happiness))[0];
        assert!((confidence - 0.7).abs() < 0.06, "{confidence}");
        let logit = calibration.distress_scale * 3.0 + calibration.distress_shift;
        assert!((1.0 / (1.0 + (-logit).exp()) - 0.7).abs() < 0.06);
    }

    #[test]
    fn what_is_promised_of_strangers_holds_for_other_strangers() {
        // Right as often as confident, but for how good a speaker is to hear; the surer half is right more often.
        let drawn = |seed: u64| -> Vec<(f32, bool, String)> {
            let mut rng = Rng::new(seed);
            (0..60 * 40)
                .map(|n| {
                    let confidence = rng.between(0.2, 0.9);
                    (confidence, rng.chance(confidence), format!("s{}", n % 60))
                })
                .collect()
        };
        let mut kept = 0;
        for seed in 0..20 {
            let (known, others) = (drawn(seed), drawn(seed + 100));
            let borrowed: Vec<(f32, bool, &str)> =
                known.iter().map(|(c, r, s)| (*c, *r, s.as_str())).collect();
            let (least, promised) = least_confidence(&borrowed);
            let answered: Vec<bool> =
                others.iter().filter(|(c, ..)| *c >= least).map(|(_, right, _)| *right).collect();
            let wrong = answered.iter().filter(|right| !**right).count() as f32 / answered.len() as f32;
            assert!(answered.len() * 10 >= others.len() * 6);
            kept += usize::from(wrong <= promised.unwrap());
        }
        assert!(kept >= 17, "{kept} of 20");
    }

    #[test]
    fn with_few_speakers_nothing_is_promised() {
        assert_eq!(least_confidence(&[(0.5, true, "a"), (0.6, true, "b")]).1, None);
        assert_eq!(least_confidence(&[]), (0.0, None));
    }
}
