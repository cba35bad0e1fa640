//! Calibration on the validation speakers: a temperature for the classes, a logistic map for distress.

use crate::model::{Calibration, softmax};

/// A clip as calibration sees it.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) speaker: String,
    /// Raw class logits of the classes that its corpus has; the meant one's place among them.
    pub(crate) classes: Option<(Vec<f32>, usize)>,
    /// Raw logits of all classes.
    pub(crate) logits: Vec<f32>,
    /// Raw distress logit.
    pub(crate) distress: f32,
    /// Its target in `[0, 1]`.
    pub(crate) distressed: f32,
}

/// Fits a calibration; the default one without samples.
pub(crate) fn calibrate(samples: &[Sample]) -> Calibration {
    let mut calibration = Calibration::default();
    if samples.iter().any(|sample| sample.classes.is_some()) {
        calibration.temperature = temperature(samples);
    }
    calibration.least_confidence = least_confidence(samples, calibration.temperature);
    if !samples.is_empty() {
        (calibration.distress_scale, calibration.distress_shift) = platt(samples);
    }
    calibration
}

/// The confidence that a tenth of the clips stay below: of the least sure tenth nothing is said.
fn least_confidence(samples: &[Sample], temperature: f32) -> f32 {
    let mut confidences: Vec<f32> = samples
        .iter()
        .filter(|sample| sample.classes.is_some())
        .map(|sample| softmax(sample.logits.iter().map(|x| x / temperature)).into_iter().fold(0.0, f32::max))
        .collect();
    confidences.sort_by(f32::total_cmp);
    confidences.get(confidences.len() / 10).copied().unwrap_or(0.0)
}

/// The temperature of least cross-entropy, by golden-section search over its logarithm.
fn temperature(samples: &[Sample]) -> f32 {
    let cost = |log: f32| -> f32 {
        let t = log.exp();
        samples
            .iter()
            .filter_map(|sample| sample.classes.as_ref())
            .map(|(logits, meant)| {
                let p = softmax(logits.iter().map(|x| x / t));
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
                    classes: Some((vec![4.0, 0.0], usize::from(!right))),
                    logits: vec![4.0, 0.0],
                    distress: 3.0,
                    distressed: f32::from(u8::from(right)),
                }
            })
            .collect();
        let calibration = calibrate(&samples);
        let confidence = softmax([4.0f32, 0.0].into_iter().map(|x| x / calibration.temperature))[0];
        assert!((confidence - 0.7).abs() < 0.06, "{confidence}");
        let logit = calibration.distress_scale * 3.0 + calibration.distress_shift;
        assert!((1.0 / (1.0 + (-logit).exp()) - 0.7).abs() < 0.06);
    }
}
