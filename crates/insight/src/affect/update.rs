//! What is told about the customer each second of their speech.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::millis;
use sidetone_call::{Class, CustomerOnly, Modality};

/// The customer's smoothed state, told once for each second of their speech that could be judged. No fresh evidence,
/// no update: the state is never repeated as if it were news.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AffectUpdate {
    /// Whose state this is.
    pub leg: CustomerOnly,
    /// What it was told by. Version 1 of the events began with the voice alone, and does not write that.
    #[serde(default, skip_serializing_if = "Modality::is_voice")]
    pub modality: Modality,
    /// Unpleasant to pleasant, `[-1, 1]`, smoothed.
    pub valence: f32,
    /// Quiet to agitated, `[-1, 1]`, smoothed.
    pub arousal: f32,
    /// Probability that the caller is upset, `[0, 1]`, smoothed over `alerts.memory`: what alerts go by.
    pub distress: f32,
    /// Confidence in the three above, `[0, 1]`, smoothed; abstentions pull it towards 0.
    pub confidence: f32,
    /// The state in one word.
    pub state: State,
    /// Where valence is going.
    pub trend: Trend,
    /// The same values beside the caller's own first seconds of speech; `None` until those have been heard.
    pub relative: Option<Relative>,
    /// Smoothed class probabilities; empty if the model gives none.
    pub classes: BTreeMap<Class, f32>,
    /// The customer's speech judged so far in this call. Updates are told too where the model was unsure of the class
    /// alone: then it stays.
    #[serde(rename = "speech_ms", with = "millis")]
    pub speech: Duration,
    /// Estimates that went into this update, those that were unsure of the class among them.
    pub estimates: u32,
    /// Estimates that the model declined to give since the update before.
    pub abstained: u32,
}

/// How far the caller is from how they sounded at first. Each is a difference: 0 is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relative {
    /// `[-2, 2]`.
    pub valence: f32,
    /// `[-2, 2]`.
    pub arousal: f32,
    /// `[-1, 1]`.
    pub distress: f32,
}

/// The customer's state in one word, for a dialplan to branch on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Neither pleased nor displeased.
    #[default]
    Neutral,
    /// Sounds pleased.
    Positive,
    /// Sounds displeased, without an alert.
    Negative,
    /// A frustration alert is up.
    Frustrated,
    /// A distress alert is up.
    Distressed,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 5] =
        [Self::Neutral, Self::Positive, Self::Negative, Self::Frustrated, Self::Distressed];

    /// The word that events write.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Neutral => "neutral",
            Self::Positive => "positive",
            Self::Negative => "negative",
            Self::Frustrated => "frustrated",
            Self::Distressed => "distressed",
        }
    }
}

/// Where valence is going, over the last ten seconds or so of the customer's speech.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trend {
    /// Towards pleasant.
    Improving,
    /// Nowhere in particular.
    #[default]
    Steady,
    /// Towards unpleasant.
    Worsening,
}

impl Trend {
    /// Every trend.
    pub const ALL: [Self; 3] = [Self::Improving, Self::Steady, Self::Worsening];

    /// The word that events write.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Improving => "improving",
            Self::Steady => "steady",
            Self::Worsening => "worsening",
        }
    }
}
