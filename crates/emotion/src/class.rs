//! The emotion classes, what labels map on them, and the class sets that results are given over.

use serde::{Deserialize, Serialize};

/// An expressed emotion, as the acted corpora name them.
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

/// How many classes there are.
pub const CLASSES: usize = Class::ALL.len();

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

    /// The place of this class among the network's outputs.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The lower-case name, as in manifests and events.
    pub fn name(self) -> &'static str {
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

    /// The class that a label of a corpus means, if any: the usual spellings in English, and EmoGator's prompts that
    /// have one clear counterpart here.
    pub fn from_label(label: &str) -> Option<Self> {
        Some(match label.trim().to_ascii_lowercase().as_str() {
            "anger" | "angry" | "ang" | "frustration" | "frustrated" | "rage" | "annoyance" | "annoyed"
            | "irritation" | "irritated" => Self::Anger,
            "happiness" | "happy" | "hap" | "joy" | "amusement" | "elation" | "excitement" | "excited"
            | "cheerful" => Self::Happiness,
            "sadness" | "sad" | "disappointment" | "disappointed" => Self::Sadness,
            "fear" | "fearful" | "fea" | "afraid" | "scared" | "anxiety" | "anxious" => Self::Fear,
            "disgust" | "disgusted" | "dis" | "contempt" => Self::Disgust,
            "surprise" | "surprised" | "sur" | "surprise_positive" | "surprise_negative"
            | "pleasant_surprise" | "ps" => Self::Surprise,
            "calm" | "contentment" | "serenity" | "relief" => Self::Calm,
            "neutral" | "neu" | "normal" => Self::Neutral,
            "boredom" | "bored" => Self::Boredom,
            _ => return None,
        })
    }

    /// Valence and arousal in `[-1, 1]` that stand for this class when nothing but the category is known.
    ///
    /// Rounded from the circumplex positions that Russell (1980) and Scherer (2005, fig. 1) give to these words. This
    /// is weak supervision: it says where a category lies on average, not where a speaker is.
    pub fn valence_arousal(self) -> (f32, f32) {
        match self {
            Self::Anger => (-0.7, 0.8),
            Self::Happiness => (0.8, 0.6),
            Self::Sadness => (-0.7, -0.4),
            Self::Fear => (-0.7, 0.6),
            Self::Disgust => (-0.6, 0.2),
            Self::Surprise => (0.2, 0.7),
            Self::Calm => (0.4, -0.6),
            Self::Neutral => (0.0, -0.2),
            Self::Boredom => (-0.3, -0.7),
        }
    }

    /// How strongly this class counts as distress, in `[0, 1]`: what a person should come to the caller's help for.
    pub fn distress(self) -> f32 {
        match self {
            Self::Anger | Self::Fear => 1.0,
            Self::Sadness | Self::Disgust => 0.8,
            Self::Surprise => 0.3,
            Self::Happiness | Self::Calm | Self::Neutral | Self::Boredom => 0.0,
        }
    }
}

/// What a label says about valence, arousal and distress: its class's values, scaled by the acted intensity, and
/// EmoGator's prompts that are no class of their own. `None` for an unknown label.
///
/// `intensity` is a corpus's own word; "normal", "weak" and "low" scale both axes towards neutral by 0.75, anything
/// else leaves them.
pub fn affect_of_label(label: &str, intensity: &str) -> Option<(f32, f32, f32)> {
    let (valence, arousal, distress) = match label.trim().to_ascii_lowercase().as_str() {
        "distress" | "pain" => (-0.8, 0.7, 1.0),
        "embarrassment" => (-0.4, 0.2, 0.4),
        "disappointment" => (-0.6, -0.2, 0.6),
        "contempt" => (-0.6, 0.2, 0.6),
        "elation" => (0.9, 0.8, 0.0),
        "amusement" => (0.7, 0.5, 0.0),
        "relief" => (0.5, -0.2, 0.0),
        "contentment" | "serenity" => (0.6, -0.6, 0.0),
        "surprise_positive" => (0.7, 0.7, 0.0),
        "surprise_negative" => (-0.5, 0.8, 0.7),
        other => {
            let class = Class::from_label(other)?;
            let (valence, arousal) = class.valence_arousal();
            (valence, arousal, class.distress())
        }
    };
    let scale = if matches!(intensity, "normal" | "weak" | "low") { 0.75 } else { 1.0 };
    Some((valence * scale, arousal * scale, distress))
}

/// A set of classes that results are given over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ClassSet {
    /// Whatever classes the corpus has.
    Native,
    /// All but boredom (RAVDESS's eight).
    Eight,
    /// Anger, happiness, sadness, fear, neutral.
    Five,
    /// Anger, happiness, sadness, neutral.
    Four,
}

impl ClassSet {
    /// Every set, widest first.
    pub const ALL: [Self; 4] = [Self::Native, Self::Eight, Self::Five, Self::Four];

    /// The name used in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Eight => "8",
            Self::Five => "5",
            Self::Four => "4",
        }
    }

    /// Whether `class` belongs to this set ([`ClassSet::Native`] takes all).
    pub fn contains(self, class: Class) -> bool {
        use Class::{Anger, Boredom, Fear, Happiness, Neutral, Sadness};
        match self {
            Self::Native => true,
            Self::Eight => class != Boredom,
            Self::Five => matches!(class, Anger | Happiness | Sadness | Fear | Neutral),
            Self::Four => matches!(class, Anger | Happiness | Sadness | Neutral),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_reads_back_from_its_own_name() {
        for (place, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(class.index(), place);
            assert_eq!(Class::from_label(class.name()), Some(class));
            assert!(affect_of_label(class.name(), "").is_some());
        }
    }

    #[test]
    fn weaker_acting_lies_nearer_to_neutral() {
        let (_, strong, _) = affect_of_label("anger", "strong").unwrap();
        let (_, normal, _) = affect_of_label("anger", "normal").unwrap();
        assert!(normal < strong && normal > 0.0);
    }
}
