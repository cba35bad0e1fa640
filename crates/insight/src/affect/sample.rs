//! An estimate that may be used.

use std::time::Duration;

use sidetone_call::{Abstention, Class, Estimate};

use crate::thresholds::SmoothingThresholds;

/// What the network's own valence counts in the valence that is told, and what a unit of arousal above the caller's own
/// takes off it, if it is unpleasant: chosen by calls of strangers (docs/MODEL.md).
const OWN_VALENCE: f32 = 0.5;
const AGITATED: f32 = 2.0;
/// A rise that a calm voice has every now and then.
const LIVELY: f32 = 0.1;

/// A sample that may be used: finite, in range, confident enough.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sound {
    pub(crate) valence: f32,
    /// The model's own word on that.
    pub(crate) own_valence: f32,
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
        let sound = Self::heard(estimate, span).ok_or(Abstention::Fault)?;
        if sound.confidence < thresholds.min_confidence { Err(Abstention::Unsure) } else { Ok(sound) }
    }

    /// An estimate that is unsure of the class at most: it may still tell how upset the caller sounds.
    pub(crate) fn unsure(estimate: &Estimate, span: Duration) -> Option<Self> {
        let well_heard = matches!(estimate.abstained, None | Some(Abstention::Unsure));
        Self::heard(estimate, span).filter(|_| well_heard && !span.is_zero())
    }

    /// The same beside the caller's own arousal at first. A network knows how the voices of strangers change better
    /// than what they mean, and its valence hardly tells an upset stranger from a calm one; that they are more agitated
    /// than they were, and not happily, tells it better.
    pub(crate) fn beside(self, own_arousal: Option<f32>) -> Self {
        let rise = own_arousal.map_or(0.0, |own| (self.arousal - own - LIVELY).max(0.0));
        let valence = OWN_VALENCE * self.valence - AGITATED * rise * self.unpleasant();
        Self { valence: valence.clamp(-1.0, 1.0), ..self }
    }

    /// By how much unpleasant classes outweigh pleasant ones, `[0, 1]`.
    fn unpleasant(&self) -> f32 {
        let Some(classes) = self.classes else { return if self.valence <= 0.0 { 1.0 } else { 0.0 } };
        let share = |class: Class| classes.get(class.index()).copied().unwrap_or(0.0);
        let bad =
            share(Class::Anger) + share(Class::Fear) + share(Class::Disgust) + 0.7 * share(Class::Sadness);
        let good = share(Class::Happiness) + 0.3 * share(Class::Calm);
        (bad - good).max(0.0) / (bad + good + 0.05)
    }

    /// The estimate's values, brought into range; `None` if one is not finite.
    fn heard(estimate: &Estimate, span: Duration) -> Option<Self> {
        let values = [estimate.valence, estimate.arousal, estimate.distress, estimate.confidence];
        let shares = estimate.classes.iter().map(|(_, share)| *share);
        if !values.into_iter().chain(shares).all(f32::is_finite) {
            return None;
        }
        let confidence = estimate.confidence.clamp(0.0, 1.0);
        let classes = (!estimate.classes.is_empty()).then(|| {
            Class::ALL.map(|class| {
                let share =
                    estimate.classes.iter().find(|(of, _)| *of == class).map_or(0.0, |(_, share)| *share);
                share.clamp(0.0, 1.0)
            })
        });
        Some(Self {
            valence: estimate.valence.clamp(-1.0, 1.0),
            own_valence: estimate.valence.clamp(-1.0, 1.0),
            arousal: estimate.arousal.clamp(-1.0, 1.0),
            distress: estimate.distress.clamp(0.0, 1.0),
            confidence,
            classes,
            span,
        })
    }
}
