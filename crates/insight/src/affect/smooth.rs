//! The customer's smoothed state, its baseline and its trend.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::sample::Sound;
use super::update::{Relative, State, Trend};
use crate::number::round3;
use crate::thresholds::{AlertThresholds, SmoothingThresholds};
use sidetone_call::Class;

/// Exponential smoothing over speech time, not call time: a pause neither ages nor confirms what was heard.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Smooth {
    started: bool,
    judged: bool,
    pub(crate) valence: f32,
    pub(crate) arousal: f32,
    pub(crate) confidence: f32,
    classes: Option<[f32; Class::ALL.len()]>,
    slow_valence: f32,
    quick: Quick,
    trend: Trend,
    mood: State,
    baseline: Baseline,
    upset: bool,
}

/// What alerts go by: the same with a memory of its own, every estimate counting alike, and those that are unsure of
/// the class counting too. How sure the model is of the class says nothing of the distress: an upset voice is often one
/// of which it can't say whether it is angry or afraid, and a calm one of which it can't say whether it is sad.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Quick {
    pub(crate) valence: f32,
    pub(crate) arousal: f32,
    pub(crate) distress: f32,
    /// Log-odds of distress.
    pub(crate) odds: f32,
    classes: Option<[f32; Class::ALL.len()]>,
    started: bool,
}

impl Quick {
    fn take(&mut self, sample: &Sound, memory: Duration) {
        let gain =
            if std::mem::replace(&mut self.started, true) { gain(sample.span, 1.0, memory) } else { 1.0 };
        approach(&mut self.odds, log_odds(sample.distress), gain);
        approach(&mut self.valence, sample.own_valence, gain);
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

/// Log-odds, of what a probability in single precision can be told apart from 0 and 1 by.
pub(crate) fn log_odds(probability: f32) -> f32 {
    let probability = probability.clamp(0.005, 0.995);
    (probability / (1.0 - probability)).ln()
}

/// The probability of these log-odds.
pub(crate) fn logistic(odds: f32) -> f32 {
    1.0 / (1.0 + (-odds).exp())
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
        self.hint(sample, thresholds, alert_memory);
        let first = !std::mem::replace(&mut self.judged, true);
        let weight = |weight| if first { 1.0 } else { gain(sample.span, weight, thresholds.memory.into()) };
        approach(&mut self.confidence, sample.confidence, weight(1.0));
        blend(&mut self.classes, sample.classes, weight(sample.confidence));
    }

    /// Takes a sample that may be unsure of the class: all counts but the class and the confidence.
    pub(crate) fn hint(&mut self, sample: &Sound, thresholds: &SmoothingThresholds, alert_memory: Duration) {
        self.quick.take(sample, alert_memory);
        if !self.upset {
            self.baseline.take(sample, thresholds.baseline.into());
        }
        let first = !std::mem::replace(&mut self.started, true);
        let weight = |memory| if first { 1.0 } else { gain(sample.span, 1.0, memory) };
        let (fast, slow) = (weight(thresholds.memory.into()), weight(thresholds.trend_memory.into()));
        approach(&mut self.valence, sample.valence, fast);
        approach(&mut self.arousal, sample.arousal, fast);
        approach(&mut self.slow_valence, sample.valence, slow);
        self.trend = trend(self.trend, self.valence - self.slow_valence, thresholds.trend);
        self.mood = mood(self.mood, self.valence, thresholds.mood);
    }

    /// Nothing was heard for long: what alerts go by is again what is known of the caller.
    pub(crate) fn lapse(&mut self) {
        if let Some(own) = self.baseline.settled() {
            let Baseline { own_valence: valence, arousal, distress, odds, .. } = *own;
            self.quick = Quick { valence, arousal, distress, odds, ..self.quick };
        }
    }

    /// Whether an alert is up: how the caller sounds then is not how they usually do.
    pub(crate) fn upset(&mut self, upset: bool) {
        self.upset = upset;
    }

    /// An estimate that was declined: nothing moves but the confidence.
    pub(crate) fn abstain(&mut self, span: Duration, thresholds: &SmoothingThresholds) {
        approach(&mut self.confidence, 0.0, gain(span, 1.0, thresholds.memory.into()));
    }

    /// The model's own word on distress.
    pub(crate) fn distress(&self) -> f32 {
        self.quick.distress
    }

    /// How likely the caller is upset by their voice, in log-odds: the model's word, less a share of what they showed
    /// beyond an ordinary voice at first, less a doubt, and with what a rise of arousal adds.
    pub(crate) fn upset_odds(&self, alerts: &AlertThresholds) -> f32 {
        let Some(own) = self.baseline.settled() else { return self.quick.odds - alerts.doubt_at_first };
        let manner = alerts.allowance * (own.odds - log_odds(alerts.usual)).max(0.0);
        let rise = (self.quick.arousal - own.arousal - alerts.lively).max(0.0);
        self.quick.odds - manner - alerts.doubt + (alerts.agitation * rise).min(alerts.most_agitation)
    }

    /// What alerts go by.
    pub(crate) fn quick(&self) -> &Quick {
        &self.quick
    }

    /// The caller's own arousal at first, once known.
    pub(crate) fn baseline_arousal(&self) -> Option<f32> {
        self.baseline.settled().map(|own| own.arousal)
    }

    /// Whether it is known how this caller sounds at first.
    pub(crate) fn knows_baseline(&self) -> bool {
        self.baseline.settled
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

/// How this caller sounds when nothing has happened yet: the mean of their first seconds, each counting alike.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Baseline {
    heard: Duration,
    odds: f32,
    valence: f32,
    own_valence: f32,
    arousal: f32,
    distress: f32,
    settled: bool,
}

impl Baseline {
    fn take(&mut self, sample: &Sound, enough: Duration) {
        if self.settled {
            return;
        }
        if sample.span.is_zero() {
            return;
        }
        self.heard += sample.span;
        let gain = sample.span.as_secs_f32() / self.heard.as_secs_f32();
        approach(&mut self.valence, sample.valence, gain);
        approach(&mut self.own_valence, sample.own_valence, gain);
        approach(&mut self.arousal, sample.arousal, gain);
        approach(&mut self.distress, sample.distress, gain);
        approach(&mut self.odds, log_odds(sample.distress), gain);
        self.settled = self.heard >= enough;
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
