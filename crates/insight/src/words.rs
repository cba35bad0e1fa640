//! What the parties have said, as events tell it, and what a customer's words add to how they seem to feel.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::affect::{AffectUpdate, Lift, Smooth, Sound, State, Words};
use crate::millis;
use crate::number::{round3, whole};
use crate::thresholds::Thresholds;
use sidetone_call::{Act, AgentUtterance, CustomerOnly, Leg, Mention, Modality, Topic, Utterance};

/// One utterance of a party, whole and redacted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WordsFinal {
    /// Whose words.
    pub leg: Leg,
    /// The utterance's number among that party's, from 1.
    pub utterance: u32,
    /// When it began.
    #[serde(rename = "from_ms", with = "millis")]
    pub from: Duration,
    /// When it ended.
    #[serde(rename = "to_ms", with = "millis")]
    pub to: Duration,
    /// The words, redacted.
    pub text: String,
    /// The language, as in BCP 47.
    pub language: String,
    /// The recogniser's confidence in the words, `[0, 1]`.
    pub confidence: f32,
    /// What an agent's words do, each once; left out if nothing of note.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acts: Vec<Act>,
}

/// The customer has named a topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WordsTopic {
    /// Whose words.
    pub leg: CustomerOnly,
    /// The utterance that named it.
    pub utterance: u32,
    /// The topic.
    pub topic: Topic,
    /// Probability, `[0, 1]`.
    pub probability: f32,
    /// The phrase that carried it, redacted.
    pub phrase: String,
    /// How often the customer has named it in this call, this time included.
    pub times: u32,
    /// How soon something has to happen, `[0, 1]`, by the customer's words so far.
    pub urgency: f32,
    /// Dissatisfied to satisfied with the service, `[-1, 1]`, by the customer's words so far.
    pub satisfaction: f32,
}

/// What a call's words came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WordsSummary {
    /// The customer's utterances that were recognised.
    pub utterances: u32,
    /// How often the customer named each topic.
    pub topics: BTreeMap<Topic, u32>,
    /// The highest urgency, `[0, 1]`.
    pub urgency: f32,
    /// Satisfaction at the end, `[-1, 1]`.
    pub satisfaction: f32,
}

/// An utterance says something of urgency and satisfaction this much: the newest counts for half.
const NEWEST: f32 = 0.5;
/// Longest stretch of speech that one utterance counts for.
const LONGEST: Duration = Duration::from_secs(5);

/// The customer's words so far.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct WordsTrack {
    utterances: u32,
    topics: BTreeMap<Topic, u32>,
    urgency: f32,
    urgency_most: f32,
    satisfaction: f32,
    smooth: Smooth,
    judged: Duration,
    abstained: u32,
    lift: Lift,
}

/// What one utterance led to.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) topics: Vec<WordsTopic>,
    /// Speech that its words stand for; zero if they could not be judged.
    pub(crate) span: Duration,
}

impl WordsTrack {
    /// Takes an utterance of the customer. `interruptions` is how often they have cut in since the one before.
    pub(crate) fn take(
        &mut self,
        utterance: &Utterance,
        interruptions: u32,
        thresholds: &Thresholds,
    ) -> Heard {
        let told = &utterance.told;
        self.utterances = self.utterances.saturating_add(1);
        self.urgency += (unit(told.urgency) - self.urgency) * NEWEST;
        self.urgency_most = self.urgency_most.max(self.urgency);
        self.satisfaction += (both(told.satisfaction) - self.satisfaction) * NEWEST;
        let topics = told.topics.iter().map(|mention| self.topic(utterance.number, mention)).collect();

        let span = utterance.to.saturating_sub(utterance.from).min(LONGEST);
        let Ok(sound) = Sound::of(&told.affect, span, &thresholds.smoothing) else {
            self.abstained = self.abstained.saturating_add(1);
            return Heard { topics, span: Duration::ZERO };
        };
        self.judged = self.judged.saturating_add(span);
        self.smooth.take(&sound, &thresholds.smoothing, thresholds.alerts.memory.into());
        let trust = sound.confidence * unit(utterance.confidence);
        let satisfaction = both(told.satisfaction);
        let words = Words { trust, satisfaction, topics: &told.topics };
        self.lift.take(utterance.to, &sound, words, interruptions, &thresholds.fusion);
        Heard { topics, span }
    }

    /// The state by the words, after an utterance that could be judged; `up` is the state that goes with the alert that
    /// is up.
    pub(crate) fn update(&mut self, up: Option<State>) -> AffectUpdate {
        let smooth = &self.smooth;
        AffectUpdate {
            leg: CustomerOnly,
            modality: Modality::Words,
            valence: round3(smooth.valence),
            arousal: round3(smooth.arousal),
            distress: round3(smooth.distress()),
            confidence: round3(smooth.confidence),
            state: up.unwrap_or_else(|| smooth.mood()),
            trend: smooth.trend(),
            relative: smooth.relative(),
            classes: smooth.classes(),
            speech: whole(self.judged),
            estimates: 1,
            abstained: std::mem::take(&mut self.abstained),
        }
    }

    fn topic(&mut self, utterance: u32, mention: &Mention) -> WordsTopic {
        let times = self.topics.entry(mention.topic).or_default();
        *times = times.saturating_add(1);
        WordsTopic {
            leg: CustomerOnly,
            utterance,
            topic: mention.topic,
            probability: round3(unit(mention.probability)),
            phrase: mention.phrase.clone(),
            times: *times,
            urgency: round3(self.urgency),
            satisfaction: round3(self.satisfaction),
        }
    }

    /// What the words add to what the voice says.
    pub(crate) fn lift(&self) -> &Lift {
        &self.lift
    }

    pub(crate) fn urgency(&self) -> f32 {
        self.urgency
    }

    pub(crate) fn satisfaction(&self) -> f32 {
        self.satisfaction
    }

    pub(crate) fn summary(&self) -> Option<WordsSummary> {
        (self.utterances > 0).then(|| WordsSummary {
            utterances: self.utterances,
            topics: self.topics.clone(),
            urgency: round3(self.urgency_most),
            satisfaction: round3(self.satisfaction),
        })
    }

    pub(crate) fn held(&self) -> usize {
        self.topics.len()
    }
}

/// An agent's utterance as events tell it.
pub(crate) fn told_of_agent(utterance: &AgentUtterance) -> WordsFinal {
    WordsFinal {
        leg: Leg::Agent,
        utterance: utterance.number,
        from: whole(utterance.from),
        to: whole(utterance.to),
        text: utterance.text.clone(),
        language: utterance.language.clone(),
        confidence: round3(unit(utterance.confidence)),
        acts: utterance.acts.clone(),
    }
}

/// A customer's utterance as events tell it.
pub(crate) fn told(utterance: &Utterance) -> WordsFinal {
    WordsFinal {
        leg: Leg::Customer,
        utterance: utterance.number,
        from: whole(utterance.from),
        to: whole(utterance.to),
        text: utterance.text.clone(),
        language: utterance.language.clone(),
        confidence: round3(unit(utterance.confidence)),
        acts: Vec::new(),
    }
}

/// In range; what is no number counts as nothing.
fn unit(value: f32) -> f32 {
    if value.is_finite() { value.clamp(0.0, 1.0) } else { 0.0 }
}

fn both(value: f32) -> f32 {
    if value.is_finite() { value.clamp(-1.0, 1.0) } else { 0.0 }
}
