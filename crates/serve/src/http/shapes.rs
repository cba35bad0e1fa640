//! Shapes of what is told by crates that know no OpenAPI: each stands for a type of theirs, which a test holds it to.

// They are read by the macro alone.
#![allow(dead_code)]

use std::collections::BTreeMap;

use utoipa::ToSchema;

/// A topic's name.
#[derive(ToSchema)]
#[schema(as = Topic, rename_all = "snake_case")]
pub(super) enum TopicName {
    Cancel,
    Refund,
    Complaint,
    Legal,
    Supervisor,
    RepeatContact,
    Urgent,
    Bereavement,
    Hardship,
    Thanks,
}

/// A topic that a text names.
#[derive(ToSchema)]
#[schema(as = TextTopic)]
pub(super) struct TextTopic {
    /// What is named.
    topic: TopicName,
    /// Probability that it is what they mean.
    #[schema(minimum = 0, maximum = 1)]
    probability: f32,
    /// The phrase that carried it, redacted.
    phrase: String,
}

/// What a text tells of its writer.
#[derive(ToSchema)]
#[schema(as = TextTold)]
pub(super) struct TextTold {
    /// How the writer seems to feel; `abstained` tells why this should not be used.
    #[schema(value_type = Object)]
    affect: (),
    /// What it is about, likeliest first.
    topics: Vec<TextTopic>,
    /// How soon something has to happen.
    #[schema(minimum = 0, maximum = 1)]
    urgency: f32,
    /// Dissatisfied to satisfied.
    #[schema(minimum = -1, maximum = 1)]
    satisfaction: f32,
}

/// What the messages of one writer tell together, newer ones counting more.
#[derive(ToSchema)]
#[schema(as = TextThread)]
pub(super) struct TextThread {
    /// How many there are.
    #[schema(minimum = 1)]
    messages: usize,
    /// Unpleasant to pleasant.
    #[schema(minimum = -1, maximum = 1)]
    valence: f32,
    /// Probability that the writer is upset.
    #[schema(minimum = 0, maximum = 1)]
    distress: f32,
    /// The greatest distress of any message.
    #[schema(minimum = 0, maximum = 1)]
    peak_distress: f32,
    /// How soon something has to happen.
    #[schema(minimum = 0, maximum = 1)]
    urgency: f32,
    /// Dissatisfied to satisfied.
    #[schema(minimum = -1, maximum = 1)]
    satisfaction: f32,
    /// The topics of all messages, likeliest first.
    topics: Vec<TextTopic>,
}

/// The cue on words that weighs most for whoever answers.
#[derive(ToSchema)]
#[schema(as = Suggestion)]
pub(super) struct SuggestionShape {
    /// Id of its rule.
    cue: String,
    /// What may help first.
    line: String,
    /// Why it helps.
    reason: Option<String>,
    /// The language of both, an RFC 5646 tag.
    language: String,
    /// The same in the other languages that the rule has, by tag.
    others: BTreeMap<String, SuggestionText>,
}

/// A line and its reason in another language.
#[derive(ToSchema)]
#[schema(as = SuggestionText)]
pub(super) struct SuggestionText {
    /// What may help first.
    line: String,
    /// Why it helps.
    reason: Option<String>,
}

/// The language that a text seems to be in.
#[derive(ToSchema)]
#[schema(as = TextLanguage, rename_all = "lowercase")]
pub(super) enum TextLanguage {
    /// English, or a text too short to say otherwise.
    En,
    /// German.
    De,
    /// A language that the models don't know.
    Other,
}

/// An agent's answer to a cue.
#[derive(ToSchema)]
#[schema(as = CueAnswer, rename_all = "lowercase")]
pub(super) enum CueAnswer {
    /// It was seen, and is kept in view.
    Acknowledged,
    /// It is taken away. That counts against nobody.
    Dismissed,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::Serialize;
    use serde_json::Value;
    use sidetone_call::{Mention, Told, Topic};
    use sidetone_insight::cues::{Answer, CueText, Suggestion};
    use sidetone_language::text::{Thread, Tongue};
    use utoipa::PartialSchema;

    use super::*;

    fn members<T: PartialSchema>(part: &str) -> BTreeSet<String> {
        match &serde_json::to_value(T::schema()).unwrap()[part] {
            Value::Object(members) => members.keys().cloned().collect(),
            Value::Array(words) => words.iter().map(|it| it.as_str().unwrap().to_owned()).collect(),
            other => panic!("{other}"),
        }
    }

    fn told(value: &impl Serialize) -> BTreeSet<String> {
        serde_json::to_value(value).unwrap().as_object().unwrap().keys().cloned().collect()
    }

    fn word(value: impl Serialize) -> String {
        serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
    }

    #[test]
    fn shapes_are_those_of_what_is_told() {
        assert_eq!(members::<TextTold>("properties"), told(&Told::default()));
        assert_eq!(members::<TextThread>("properties"), told(&Thread::default()));
        let mention = Mention { topic: Topic::Cancel, probability: 1.0, phrase: String::new() };
        assert_eq!(members::<TextTopic>("properties"), told(&mention));
        let text = CueText { line: String::new(), reason: None };
        assert_eq!(members::<SuggestionText>("properties"), told(&text));
        let suggestion = Suggestion {
            cue: String::new(),
            line: String::new(),
            reason: None,
            language: String::new(),
            others: BTreeMap::new(),
        };
        assert_eq!(members::<SuggestionShape>("properties"), told(&suggestion));
        let topics = Topic::ALL.map(|topic| topic.name().to_owned());
        assert_eq!(members::<TopicName>("enum"), topics.into_iter().collect());
        let tongues = [Tongue::English, Tongue::German, Tongue::Other].map(word);
        assert_eq!(members::<TextLanguage>("enum"), tongues.into_iter().collect());
        let answers = [Answer::Acknowledged, Answer::Dismissed].map(word);
        assert_eq!(members::<CueAnswer>("enum"), answers.into_iter().collect());
    }
}
