//! The customer's smoothed state, its baseline and its trend.

use std::collections::BTreeMap;
use std::time::Duration;

use super::sample::Sound;
use super::update::{Relative, State, Trend};
use crate::number::round3;
use crate::thresholds::SmoothingThresholds;
use sidetone_call::Class;

/// Exponential smoothing over speech time, not call time: a pause neither ages nor confirms what was heard.
#[derive(Debug, Clone, Default)]
pub(crate) struct Smooth {
    started: bool,
    pub(crate) valence: f32,
    pub(crate) arousal: f32,
    pub(crate) confidence: f32,
    classes: Option<[f32; Class::ALL.len()]>,
    slow_valence: f32,
    quick: Quick,
    trend: Trend,
    mood: State,
    baseline: Baseline,
}

/// What alerts go by: the same, forgotten sooner and with every usable estimate counting alike. The model's windows of
/// four seconds are smooth enough by themselves, and how sure it is of the class says nothing of the distress: an upset
/// voice is often one of which it can't say whether it is angry or afraid.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Quick {
    pub(crate) valence: f32,
    pub(crate) arousal: f32,
    pub(crate) distress: f32,
    classes: Option<[f32; Class::ALL.len()]>,
}

impl Quick {
    fn take(&mut self, sample: &Sound, gain: f32) {
        approach(&mut self.valence, sample.valence, gain);
        approach(&mut self.arousal, sample.arousal, gain);
        approach(&mut self.distress, sample.distress, gain);
        blend(&mut self.classes, sample.classes, gain);
    }

    /// Share of the upset that is anger rather than fear or sadness, `[0, 1]`.
    ///
    /// From the classes when they say anything; from arousal alone when they don't, since of the three only anger and
    /// fear are agitated and anger is by far the commoner on a service line.
    pub(crate) fn heat(&self) -> f32 {
        let share =
            |class: Class| self.classes.and_then(|all| all.get(class as usize).copied()).unwrap_or(0.0);
        let hot = share(Class::Anger) + share(Class::Disgust);
        let all = hot + share(Class::Fear) + share(Class::Sadness);
        if all >= 0.05 { hot / all } else { (0.5 + self.arousal).clamp(0.0, 1.0) }
    }
}

/// The weight that a sample of `span` gets against a memory of `memory`.
fn gain(span: Duration, weight: f32, memory: Duration) -> f32 {
    let memory = memory.as_secs_f32();
    if memory > 0.0 { 1.0 - (-span.as_secs_f32() * weight / memory).exp() } else { 1.0 }
}

fn approach(value: &mut f32, target: f32, gain: f32) {
    *value += (target - *value) * gain;
}

fn blend(held: &mut Option<[f32; Class::ALL.len()]>, new: Option<[f32; Class::ALL.len()]>, gain: f32) {
    match (&mut *held, new) {
        (Some(held), Some(new)) => held.iter_mut().zip(new).for_each(|(held, new)| approach(held, new, gain)),
        (_, new) => *held = new.or(*held),
    }
}

impl Smooth {
    /// Takes a usable sample; alerts remember for `alert_memory`.
    pub(crate) fn take(&mut self, sample: &Sound, thresholds: &SmoothingThresholds, alert_memory: Duration) {
        let quick = if self.started { gain(sample.span, 1.0, alert_memory) } else { 1.0 };
        self.quick.take(sample, quick);
        self.baseline.take(sample, thresholds.baseline.into());
        if !self.started {
            *self = Self {
                started: true,
                valence: sample.valence,
                arousal: sample.arousal,
                confidence: sample.confidence,
                classes: sample.classes,
                slow_valence: sample.valence,
                baseline: std::mem::take(&mut self.baseline),
                quick: self.quick,
                ..Self::default()
            };
        } else {
            let fast = gain(sample.span, sample.confidence, thresholds.memory.into());
            approach(&mut self.valence, sample.valence, fast);
            approach(&mut self.arousal, sample.arousal, fast);
            approach(
                &mut self.confidence,
                sample.confidence,
                gain(sample.span, 1.0, thresholds.memory.into()),
            );
            blend(&mut self.classes, sample.classes, fast);
            let slow = gain(sample.span, sample.confidence, thresholds.trend_memory.into());
            approach(&mut self.slow_valence, sample.valence, slow);
        }
        self.trend = trend(self.trend, self.valence - self.slow_valence, thresholds.trend);
        self.mood = mood(self.mood, self.valence, thresholds.mood);
    }

    /// An estimate that was declined: nothing moves but the confidence.
    pub(crate) fn abstain(&mut self, span: Duration, thresholds: &SmoothingThresholds) {
        approach(&mut self.confidence, 0.0, gain(span, 1.0, thresholds.memory.into()));
    }

    /// What is told of distress is what alerts go by, or the two would contradict each other.
    pub(crate) fn distress(&self) -> f32 {
        self.quick.distress
    }

    /// What alerts go by.
    pub(crate) fn quick(&self) -> &Quick {
        &self.quick
    }

    /// Whether it is known how this caller sounds at first.
    pub(crate) fn knows_baseline(&self) -> bool {
        self.baseline.settled
    }

    /// The caller's own distress at first, once known.
    pub(crate) fn baseline_distress(&self) -> Option<f32> {
        self.baseline.settled().map(|own| own.distress)
    }

    /// How much more agitated than at first, `[-2, 2]`; 0 until the baseline is known.
    pub(crate) fn arousal_gain(&self) -> f32 {
        self.baseline.settled().map_or(0.0, |own| self.quick.arousal - own.arousal)
    }

    pub(crate) fn relative(&self) -> Option<Relative> {
        self.baseline.settled().map(|own| Relative {
            valence: round3(self.valence - own.valence),
            arousal: round3(self.arousal - own.arousal),
            distress: round3(self.distress() - own.distress),
        })
    }

    pub(crate) fn trend(&self) -> Trend {
        self.trend
    }

    /// Positive, negative or neutral; alerts override it elsewhere.
    pub(crate) fn mood(&self) -> State {
        self.mood
    }

    pub(crate) fn classes(&self) -> BTreeMap<Class, f32> {
        let shares = self.classes.into_iter().flatten();
        Class::ALL.into_iter().zip(shares).map(|(class, share)| (class, round3(share))).collect()
    }
}

/// Leaves a direction at half the difference that it takes to enter it, so that the word doesn't flicker.
fn trend(held: Trend, difference: f32, enter: f32) -> Trend {
    let bound = |direction| if held == direction { enter / 2.0 } else { enter };
    if difference >= bound(Trend::Improving) {
        Trend::Improving
    } else if -difference >= bound(Trend::Worsening) {
        Trend::Worsening
    } else {
        Trend::Steady
    }
}

/// As [`trend`], for the valence itself.
fn mood(held: State, valence: f32, enter: f32) -> State {
    let bound = |state| if held == state { enter / 2.0 } else { enter };
    if valence >= bound(State::Positive) {
        State::Positive
    } else if -valence >= bound(State::Negative) {
        State::Negative
    } else {
        State::Neutral
    }
}

/// How this caller sounds when nothing has happened yet: the confidence-weighted mean of their first seconds.
#[derive(Debug, Clone, Default)]
struct Baseline {
    heard: Duration,
    weight: f32,
    valence: f32,
    arousal: f32,
    distress: f32,
    settled: bool,
}

impl Baseline {
    fn take(&mut self, sample: &Sound, enough: Duration) {
        if self.settled {
            return;
        }
        let weight = sample.confidence * sample.span.as_secs_f32();
        self.heard += sample.span;
        self.weight += weight;
        if self.weight > 0.0 {
            let gain = weight / self.weight;
            approach(&mut self.valence, sample.valence, gain);
            approach(&mut self.arousal, sample.arousal, gain);
            approach(&mut self.distress, sample.distress, gain);
        }
        self.settled = self.heard >= enough && self.weight > 0.0;
    }

    fn settled(&self) -> Option<&Self> {
        self.settled.then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_left_later_than_it_is_entered() {
        assert_eq!(trend(Trend::Steady, 0.07, 0.1), Trend::Steady);
        assert_eq!(trend(Trend::Improving, 0.07, 0.1), Trend::Improving);
        assert_eq!(mood(State::Neutral, -0.2, 0.25), State::Neutral);
        assert_eq!(mood(State::Negative, -0.2, 0.25), State::Negative);
        assert_eq!(mood(State::Negative, 0.3, 0.25), State::Positive);
    }
}
