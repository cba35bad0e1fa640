//! One estimate of how the customer seems to feel, as the model gave it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::thresholds::SmoothingThresholds;

/// An expressed emotion, in the order of the network's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Anger, from irritation to rage.
    Anger,
    /// Happiness, joy, amusement.
    Happiness,
    /// Sadness, disappointment.
    Sadness,
    /// Fear, anxiety.
    Fear,
    /// Disgust, contempt.
    Disgust,
    /// Surprise, pleasant or not.
    Surprise,
    /// Calm, content, serene.
    Calm,
    /// No emotion expressed.
    Neutral,
    /// Boredom.
    Boredom,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 9] = [
        Self::Anger,
        Self::Happiness,
        Self::Sadness,
        Self::Fear,
        Self::Disgust,
        Self::Surprise,
        Self::Calm,
        Self::Neutral,
        Self::Boredom,
    ];
}

/// Why no estimate was given. An abstention is counted; it never raises an alert and never moves the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Abstention {
    /// The window held too little speech.
    TooLittleSpeech,
    /// The speech was too faint.
    TooQuiet,
    /// The speech stood too little above the noise.
    TooNoisy,
    /// Too much of the window was made up by loss concealment.
    TooMuchLoss,
    /// The other party was audible in the same window.
    Overlap,
    /// It sounded like music.
    Music,
    /// An announcement was playing.
    Announcement,
    /// The call was on hold.
    Hold,
    /// The model was not sure enough of its own answer.
    Unsure,
    /// The model's answer was not a number.
    Fault,
}

/// One estimate, about the customer's voice in a window that ends at a given time.
///
/// Values out of range are brought into it; a value that is not finite makes the sample an [`Abstention::Fault`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AffectSample {
    /// Unpleasant to pleasant, `[-1, 1]`.
    pub valence: f32,
    /// Quiet to agitated, `[-1, 1]`.
    pub arousal: f32,
    /// Probability that the caller is upset, `[0, 1]`.
    pub distress: f32,
    /// Calibrated confidence in the above, `[0, 1]`.
    pub confidence: f32,
    /// Probabilities of the classes that the model knows; may be empty.
    pub classes: Vec<(Class, f32)>,
    /// Set when the model declined to judge: the other values then mean nothing.
    pub abstained: Option<Abstention>,
}

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

impl AffectSample {
    /// The sample if it may be used, or why it may not.
    pub(crate) fn sound(
        &self,
        span: Duration,
        thresholds: &SmoothingThresholds,
    ) -> Result<Sound, Abstention> {
        if let Some(reason) = self.abstained {
            return Err(reason);
        }
        let values = [self.valence, self.arousal, self.distress, self.confidence];
        let shares = self.classes.iter().map(|(_, share)| *share);
        if !values.into_iter().chain(shares).all(f32::is_finite) {
            return Err(Abstention::Fault);
        }
        let confidence = self.confidence.clamp(0.0, 1.0);
        if confidence < thresholds.min_confidence {
            return Err(Abstention::Unsure);
        }
        let classes = (!self.classes.is_empty()).then(|| {
            Class::ALL.map(|class| {
                let share = self.classes.iter().find(|(of, _)| *of == class).map_or(0.0, |(_, share)| *share);
                share.clamp(0.0, 1.0)
            })
        });
        Ok(Sound {
            valence: self.valence.clamp(-1.0, 1.0),
            arousal: self.arousal.clamp(-1.0, 1.0),
            distress: self.distress.clamp(0.0, 1.0),
            confidence,
            classes,
            span,
        })
    }
}
