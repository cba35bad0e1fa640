//! The estimate of a customer's feelings in a stretch of speech or text, and the reasons for abstaining.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One estimate over a window that ends at a given time. The same type leaves the model and enters the insight.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// The input of the estimate.
    pub modality: Modality,
    /// Media time of the newest sample of its window, counted by the samples given to the listener.
    pub at: Duration,
    /// Unpleasant to pleasant, `[-1, 1]`.
    pub valence: f32,
    /// Quiet to agitated, `[-1, 1]`.
    pub arousal: f32,
    /// Probability that the caller is upset, `[0, 1]`, calibrated on speakers apart from the training's.
    pub distress: f32,
    /// Probability of each class, likeliest first; they sum to one. Empty if the model knows no classes.
    pub classes: Vec<(Class, f32)>,
    /// Calibrated confidence in the above, `[0, 1]`: the probability that the likeliest class is right, if the speech
    /// had been acted as in the training corpora.
    pub confidence: f32,
    /// The evidence for the estimate.
    pub evidence: Evidence,
    /// Why the estimate should not be acted on, if so. The values stand as computed, for the record.
    pub abstained: Option<Abstention>,
}

impl Estimate {
    /// The likeliest class.
    #[must_use]
    pub fn class(&self) -> Class {
        self.classes.first().map_or(Class::Neutral, |(class, _)| *class)
    }

    /// The probability of one class.
    #[must_use]
    pub fn probability(&self, class: Class) -> f32 {
        self.classes.iter().find(|(other, _)| *other == class).map_or(0.0, |(_, probability)| *probability)
    }
}

/// The input of an estimate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Modality {
    /// The sound of the voice.
    #[default]
    Voice,
    /// Spoken or written words.
    Words,
}

impl Modality {
    /// Whether the input is the voice. Events omit it then, since estimates of earlier versions had no other input.
    #[must_use]
    pub fn is_voice(&self) -> bool {
        *self == Self::Voice
    }
}

/// The evidence for an estimate of a voice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
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

/// Why an estimate is not acted on. An abstention is counted; it never raises an alert and never moves the state, but
/// for [`Unsure`](Self::Unsure), which withholds the class alone.
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
    /// The window sounded like music.
    Music,
    /// An announcement was playing.
    Announcement,
    /// The call was on hold.
    Hold,
    /// The model was not sure enough of the class. How agitated and how upset the voice sounds still counts.
    Unsure,
    /// The model failed, or its answer was not a number. The call goes on.
    Fault,
}

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
    /// Every class, in the order of the network's outputs.
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

    /// The index of this class among the network's outputs.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The lower-case name, as in manifests and events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anger => "anger",
            Self::Happiness => "happiness",
            Self::Sadness => "sadness",
            Self::Fear => "fear",
            Self::Disgust => "disgust",
            Self::Surprise => "surprise",
            Self::Calm => "calm",
            Self::Neutral => "neutral",
            Self::Boredom => "boredom",
        }
    }
}
