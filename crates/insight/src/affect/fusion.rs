//! Late fusion: what a customer's words and conduct add to what their voice says.
//!
//! Each says how likely it is that the caller is upset. Were they independent, the odds of all would be the product of
//! the odds of each over the usual ones (naive Bayes); they are not, since all tell of one person, so that each counts
//! by a weight below one and by its own confidence. The sum is kept in log-odds. Words that say nothing of an upset,
//! thanks too, take a little away, however many there are.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::sample::Sound;
use crate::thresholds::FusionThresholds;
use sidetone_call::{Class, Mention, Topic};

/// What an alert stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// How the customer sounds.
    Voice,
    /// What the customer says.
    Words,
    /// How the customer talks with the agent: that they cut in.
    Conduct,
}

impl Basis {
    /// Every basis.
    pub const ALL: [Self; 3] = [Self::Voice, Self::Words, Self::Conduct];

    /// The word that events write.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Voice => "voice",
            Self::Words => "words",
            Self::Conduct => "conduct",
        }
    }
}

/// How much a topic that is named for sure says of an upset. Chosen on half of the synthetic voices of
/// docs/LANGUAGE.md; to cancel or to ask for money is business, and raised false alerts in calm calls.
const fn weight(topic: Topic) -> f32 {
    match topic {
        Topic::Legal | Topic::RepeatContact => 0.8,
        Topic::Complaint => 0.7,
        Topic::Supervisor => 0.5,
        _ => 0.0,
    }
}

/// Log-odds from which something counts as a basis of an alert: it makes the odds one and a half of what they were.
const COUNTS: f32 = 0.4;
/// Distress of an ordinary caller, for a voice that says nothing.
const USUAL: f32 = 0.1;

/// What words and conduct say just now, in log-odds over the usual.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Lift {
    at: Duration,
    words: f32,
    conduct: f32,
    valence: f32,
    /// Share of the upset that is anger.
    heat: f32,
    /// Words of theirs: never written down.
    #[serde(skip)]
    phrase: Option<String>,
}

/// What an utterance says beside the mood of its words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words<'a> {
    /// Trust in the recogniser, `[0, 1]`.
    pub(crate) trust: f32,
    /// Dissatisfied to satisfied, `[-1, 1]`.
    pub(crate) satisfaction: f32,
    /// What it names.
    pub(crate) topics: &'a [Mention],
}

/// The same at one time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Beside<'a> {
    pub(crate) words: f32,
    pub(crate) conduct: f32,
    pub(crate) valence: f32,
    pub(crate) heat: f32,
    pub(crate) phrase: Option<&'a str>,
}

impl Lift {
    /// Takes what an utterance that ended at `at` says.
    pub(crate) fn take(
        &mut self,
        at: Duration,
        sound: &Sound,
        words: Words<'_>,
        interruptions: u32,
        thresholds: &FusionThresholds,
    ) {
        let faded = self.fade(at, thresholds);
        let most = thresholds.most;
        // What is said of the matter counts beside the mood: "this is the third time I call" is no angry word.
        let calm = words.topics.iter().fold(1.0 - sound.distress, |calm, found| {
            calm * (1.0 - weight(found.topic) * found.probability.clamp(0.0, 1.0))
        });
        let over = log_odds(1.0 - calm) - log_odds(thresholds.usual);
        // Between the usual and a clear upset lies what n-grams make of "the kids are talking by the door".
        let said =
            if over > 0.0 { (over - thresholds.doubt).clamp(0.0, most) } else { over.max(-thresholds.calm) };
        let said = said * words.trust * thresholds.words;
        // Each sentence is evidence of its own: the third complaint in a calm voice weighs more than the first.
        let most = 2.0 * most * thresholds.words;
        self.words = (self.words * faded + said).clamp(-thresholds.calm, most);
        let cut_in = thresholds.conduct * interruptions.min(2) as f32;
        self.conduct = (self.conduct * faded + cut_in).min(2.0 * thresholds.conduct);
        // Words of displeasure without a mood of their own are unpleasant too.
        let valence = sound.valence.min(0.6 * words.satisfaction);
        self.valence += (valence - self.valence) * words.trust;
        let share =
            |class: Class| sound.classes.and_then(|all| all.get(class.index()).copied()).unwrap_or(0.0);
        let hot = share(Class::Anger) + share(Class::Disgust);
        let all = hot + share(Class::Fear) + share(Class::Sadness);
        if all >= 0.05 {
            self.heat = hot / all;
        }
        // The phrase of what was said last is what people can be shown; one that calmed is none.
        self.phrase = if said > 0.0 {
            words.topics.first().map(|found| found.phrase.clone()).or(self.phrase.take())
        } else {
            None
        };
        self.at = self.at.max(at);
    }

    /// The part of it that is left at `at`.
    fn fade(&self, at: Duration, thresholds: &FusionThresholds) -> f32 {
        let memory = Duration::from(thresholds.memory).as_secs_f32().max(0.001);
        (-at.saturating_sub(self.at).as_secs_f32() / memory).exp()
    }

    /// What they say at `at`. Conduct counts beside words only: of callers who cut in many are merely lively.
    pub(crate) fn beside(&self, at: Duration, thresholds: &FusionThresholds) -> Beside<'_> {
        let faded = self.fade(at, thresholds);
        let words = self.words * faded;
        let conduct = if words > 0.0 { self.conduct * faded } else { 0.0 };
        let phrase = self.phrase.as_deref().filter(|_| words >= COUNTS);
        Beside { words, conduct, valence: self.valence, heat: self.heat, phrase }
    }
}

impl Beside<'_> {
    /// How far the words count as a basis of their own, `[0, 1]`.
    pub(crate) fn weight(&self) -> f32 {
        (self.words / COUNTS).clamp(0.0, 1.0)
    }

    /// The voice's probability and the rest in one; without a voice that says anything, of the usual caller.
    pub(crate) fn fuse(&self, voice: Option<f32>) -> f32 {
        let beside = self.words + self.conduct;
        match voice {
            Some(voice) if beside == 0.0 => voice,
            voice => 1.0 / (1.0 + (-(log_odds(voice.unwrap_or(USUAL)) + beside)).exp()),
        }
    }

    /// The share of anger in the upset, by both.
    pub(crate) fn heat(&self, voice: Option<f32>) -> f32 {
        match voice {
            Some(voice) if self.words < COUNTS => voice,
            Some(voice) => f32::midpoint(voice, self.heat),
            None => self.heat,
        }
    }

    /// Whether the words alone are unpleasant, and count.
    pub(crate) fn is_unpleasant(&self, bound: f32) -> bool {
        self.words >= COUNTS && self.valence <= bound
    }

    /// What an upset of which the voice says this much stands on.
    pub(crate) fn bases(&self, voice: Option<f32>, calm: f32) -> Vec<Basis> {
        let voice = voice.is_some_and(|voice| voice > calm).then_some(Basis::Voice);
        let words = (self.words >= COUNTS).then_some(Basis::Words);
        let conduct = (self.conduct >= COUNTS / 2.0).then_some(Basis::Conduct);
        let bases: Vec<Basis> = voice.into_iter().chain(words).chain(conduct).collect();
        if bases.is_empty() { vec![Basis::Voice] } else { bases }
    }
}

fn log_odds(probability: f32) -> f32 {
    let probability = probability.clamp(0.01, 0.99);
    (probability / (1.0 - probability)).ln()
}
