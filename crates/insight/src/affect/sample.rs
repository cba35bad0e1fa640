//! An estimate that may be used.

use std::time::Duration;

use sidetone_call::{Abstention, Class, Estimate};

use crate::thresholds::SmoothingThresholds;

/// A sample that may be used: finite, in range, confident enough.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sound {
    pub(crate) valence: f32,
    pub(crate) arousal: f32,
    pub(crate) distress: f32,
    pub(crate) confidence: f32,
    /// Indexed as [`Class::ALL`]; `None` when the model gave no classes.
    pub(crate) classes: Option<[f32; Class::ALL.len()]>,
    /// The customer's speech that this sample adds.
    pub(crate) span: Duration,
}

impl Sound {
    /// The estimate if it may be used, or why it may not: brought into range, and refused if a value is not finite.
    pub(crate) fn of(
        estimate: &Estimate,
        span: Duration,
        thresholds: &SmoothingThresholds,
    ) -> Result<Self, Abstention> {
        if let Some(reason) = estimate.abstained {
            return Err(reason);
        }
        let values = [estimate.valence, estimate.arousal, estimate.distress, estimate.confidence];
        let shares = estimate.classes.iter().map(|(_, share)| *share);
        if !values.into_iter().chain(shares).all(f32::is_finite) {
            return Err(Abstention::Fault);
        }
        let confidence = estimate.confidence.clamp(0.0, 1.0);
        if confidence < thresholds.min_confidence {
            return Err(Abstention::Unsure);
        }
        let classes = (!estimate.classes.is_empty()).then(|| {
            Class::ALL.map(|class| {
                let share =
                    estimate.classes.iter().find(|(of, _)| *of == class).map_or(0.0, |(_, share)| *share);
                share.clamp(0.0, 1.0)
            })
        });
        Ok(Self {
            valence: estimate.valence.clamp(-1.0, 1.0),
            arousal: estimate.arousal.clamp(-1.0, 1.0),
            distress: estimate.distress.clamp(0.0, 1.0),
            confidence,
            classes,
            span,
        })
    }
}
