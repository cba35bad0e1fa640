//! What labels of corpora map on [`Class`]es, and the class sets that results are given over.

use serde::{Deserialize, Serialize};
use sidetone_call::Class;

/// How many classes there are.
pub const CLASSES: usize = Class::ALL.len();

/// The class that a label of a corpus means, if any: the usual spellings in English, and EmoGator's prompts that
/// have one clear counterpart here.
pub fn from_label(label: &str) -> Option<Class> {
    Some(match label.trim().to_ascii_lowercase().as_str() {
        "anger" | "angry" | "ang" | "frustration" | "frustrated" | "rage" | "annoyance" | "annoyed"
        | "irritation" | "irritated" => Class::Anger,
        "happiness" | "happy" | "hap" | "joy" | "amusement" | "elation" | "excitement" | "excited"
        | "cheerful" => Class::Happiness,
        "sadness" | "sad" | "disappointment" | "disappointed" => Class::Sadness,
        "fear" | "fearful" | "fea" | "afraid" | "scared" | "anxiety" | "anxious" => Class::Fear,
        "disgust" | "disgusted" | "dis" | "contempt" => Class::Disgust,
        "surprise" | "surprised" | "sur" | "surprise_positive" | "surprise_negative"
        | "pleasant_surprise" | "ps" => Class::Surprise,
        "calm" | "contentment" | "serenity" | "relief" => Class::Calm,
        "neutral" | "neu" | "normal" => Class::Neutral,
        "boredom" | "bored" => Class::Boredom,
        _ => return None,
    })
}

/// Valence and arousal in `[-1, 1]` that stand for this class when nothing but the category is known.
///
/// Rounded from the circumplex positions that Russell (1980) and Scherer (2005, fig. 1) give to these words. This
/// is weak supervision: it says where a category lies on average, not where a speaker is.
pub fn valence_arousal(class: Class) -> (f32, f32) {
    match class {
        Class::Anger => (-0.7, 0.8),
        Class::Happiness => (0.8, 0.6),
        Class::Sadness => (-0.7, -0.4),
        Class::Fear => (-0.7, 0.6),
        Class::Disgust => (-0.6, 0.2),
        Class::Surprise => (0.2, 0.7),
        Class::Calm => (0.4, -0.6),
        Class::Neutral => (0.0, -0.2),
        Class::Boredom => (-0.3, -0.7),
    }
}

/// The mean valence, arousal and distress of classes by their shares, in the order of [`Class::ALL`].
pub fn affect_of_shares(shares: &[f32]) -> [f32; 3] {
    Class::ALL.into_iter().zip(shares).fold([0.0; 3], |[valence, arousal, upset], (of, share)| {
        let (pleasant, agitated) = valence_arousal(of);
        [valence + share * pleasant, arousal + share * agitated, upset + share * distress(of)]
    })
}

/// How strongly this class counts as distress, in `[0, 1]`: what a person should come to the caller's help for.
pub fn distress(class: Class) -> f32 {
    match class {
        Class::Anger | Class::Fear => 1.0,
        Class::Sadness | Class::Disgust => 0.8,
        Class::Surprise => 0.3,
        Class::Happiness | Class::Calm | Class::Neutral | Class::Boredom => 0.0,
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
            let class = from_label(other)?;
            let (valence, arousal) = valence_arousal(class);
            (valence, arousal, distress(class))
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
            assert_eq!(from_label(class.name()), Some(class));
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
