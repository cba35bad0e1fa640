//! The 28 labels of GoEmotions on the voice's scale.

use sidetone_call::Class;

/// A label with its place on the voice's scale.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Label {
    /// As in GoEmotions' list.
    pub(crate) name: &'static str,
    /// The voice's class that a writer of it would be heard as, most often.
    pub(crate) class: Class,
    /// Unpleasant to pleasant, `[-1, 1]`.
    pub(crate) valence: f32,
    /// Quiet to agitated, `[-1, 1]`.
    pub(crate) arousal: f32,
    /// Whether its writer is upset.
    pub(crate) upset: bool,
}

const fn label(name: &'static str, class: Class, valence: f32, arousal: f32, upset: bool) -> Label {
    Label { name, class, valence, arousal, upset }
}

/// In the order of GoEmotions' list (Demszky et al. 2020), which is that of the classifier's outputs.
///
/// Classes follow the authors' own grouping into Ekman's emotions (their table 5 and its mapping file), with these
/// differences, made for what a listener to calls needs:
/// - relief, approval and caring are calm rather than joyful: their voice is low and settled;
/// - disapproval and annoyance stay with anger, as there: a customer who disagrees is heard as irritated;
/// - curiosity, confusion, realization and desire are neutral, where the authors put the first three with surprise: a
///   question about an invoice is no surprise;
/// - embarrassment and remorse stay with sadness.
///
/// Valence and arousal are places on Russell's circumplex (1980), to one tenth, by the words' meaning; no lexicon was
/// read for them. Upset is what is neither pleasant nor calm: the labels of anger, disgust, fear and sadness, without
/// embarrassment, and without disapproval, which is mostly argument there ("I don't agree").
pub(crate) const LABELS: [Label; 28] = [
    label("admiration", Class::Happiness, 0.7, 0.3, false),
    label("amusement", Class::Happiness, 0.7, 0.4, false),
    label("anger", Class::Anger, -0.8, 0.8, true),
    label("annoyance", Class::Anger, -0.6, 0.4, true),
    label("approval", Class::Calm, 0.4, 0.0, false),
    label("caring", Class::Calm, 0.5, -0.1, false),
    label("confusion", Class::Neutral, -0.2, 0.2, false),
    label("curiosity", Class::Neutral, 0.1, 0.2, false),
    label("desire", Class::Neutral, 0.3, 0.3, false),
    label("disappointment", Class::Sadness, -0.6, -0.2, true),
    label("disapproval", Class::Anger, -0.5, 0.2, false),
    label("disgust", Class::Disgust, -0.7, 0.4, true),
    label("embarrassment", Class::Sadness, -0.5, 0.2, false),
    label("excitement", Class::Happiness, 0.8, 0.8, false),
    label("fear", Class::Fear, -0.7, 0.7, true),
    label("gratitude", Class::Happiness, 0.8, 0.1, false),
    label("grief", Class::Sadness, -0.9, -0.1, true),
    label("joy", Class::Happiness, 0.9, 0.5, false),
    label("love", Class::Happiness, 0.9, 0.3, false),
    label("nervousness", Class::Fear, -0.5, 0.6, true),
    label("optimism", Class::Happiness, 0.5, 0.2, false),
    label("pride", Class::Happiness, 0.7, 0.4, false),
    label("realization", Class::Neutral, 0.0, 0.1, false),
    label("relief", Class::Calm, 0.6, -0.4, false),
    label("remorse", Class::Sadness, -0.6, -0.1, true),
    label("sadness", Class::Sadness, -0.8, -0.3, true),
    label("surprise", Class::Surprise, 0.1, 0.6, false),
    label("neutral", Class::Neutral, 0.0, 0.0, false),
];
