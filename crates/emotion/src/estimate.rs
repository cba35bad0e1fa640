//! What is said about a stretch of a customer's speech, and when nothing is said.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::class::Class;

/// An estimate over the trailing window of a customer's speech.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// Media time of the newest sample that it rests on: time by samples pushed into the listener.
    pub at: Duration,
    /// Unpleasant to pleasant, in `[-1, 1]`.
    pub valence: f32,
    /// Sleepy to excited, in `[-1, 1]`.
    pub arousal: f32,
    /// Likelihood of anger or distress, in `[0, 1]`, calibrated on speakers apart from the training's.
    pub distress: f32,
    /// Probability of each class, likeliest first; they sum to one.
    pub classes: Vec<(Class, f32)>,
    /// Probability, calibrated, that the likeliest class is right, had the speech been acted as in the training
    /// corpora.
    pub confidence: f32,
    /// What it rests on.
    pub evidence: Evidence,
    /// Why it should not be acted on, if so. The values stand as computed, for the record.
    pub abstained: Option<Abstention>,
}

impl Estimate {
    /// The likeliest class.
    pub fn class(&self) -> Class {
        self.classes.first().map_or(Class::Neutral, |(class, _)| *class)
    }

    /// The probability of one class.
    pub fn probability(&self, class: Class) -> f32 {
        self.classes.iter().find(|(other, _)| *other == class).map_or(0.0, |(_, probability)| *probability)
    }
}

/// What an estimate rests on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Evidence {
    /// Media time from the oldest sample in the window to the newest, pauses included.
    pub window: Duration,
    /// Speech in the window.
    pub speech: Duration,
    /// Level of the speech over the level between turns, in dB, at most 60.
    pub snr_db: f32,
    /// Level of the speech in the window, in dB relative to full scale.
    pub level_dbfs: f32,
    /// Part of the speech that loss concealment made up, in `[0, 1]`.
    pub concealed: f32,
}

/// Why an estimate should not be acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Abstention {
    /// Less than a second of speech in the window.
    TooLittleSpeech,
    /// The speech stands too little above the noise.
    LowSnr,
    /// Too much of the speech was lost and made up.
    TooMuchLoss,
    /// The network does not know.
    LowConfidence,
    /// The network failed to run. The call goes on; this should be reported.
    Failed,
}

impl Abstention {
    /// The name used in events and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::TooLittleSpeech => "too_little_speech",
            Self::LowSnr => "low_snr",
            Self::TooMuchLoss => "too_much_loss",
            Self::LowConfidence => "low_confidence",
            Self::Failed => "failed",
        }
    }
}
