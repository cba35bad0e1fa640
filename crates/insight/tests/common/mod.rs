//! What the tests tell a call.
#![allow(dead_code)] // each test file uses some of it

use std::time::Duration;

use sidetone_call::{Class, Estimate, Leg};
use sidetone_insight::{AffectUpdate, Alert, Call, Conduct, Insight, Phase, Thresholds};

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn call() -> Call {
    Call::new(Thresholds::default())
}

pub(crate) fn calm() -> Estimate {
    sample(0.05, -0.2, 0.1, &[(Class::Neutral, 0.8), (Class::Anger, 0.05), (Class::Sadness, 0.05)])
}

pub(crate) fn angry() -> Estimate {
    sample(-0.7, 0.7, 0.97, &[(Class::Anger, 0.85), (Class::Fear, 0.05)])
}

pub(crate) fn weeping() -> Estimate {
    sample(-0.7, -0.2, 0.98, &[(Class::Sadness, 0.6), (Class::Fear, 0.25), (Class::Anger, 0.05)])
}

pub(crate) fn joyful() -> Estimate {
    sample(0.8, 0.9, 0.75, &[(Class::Happiness, 0.6), (Class::Anger, 0.3)])
}

pub(crate) fn sample(valence: f32, arousal: f32, distress: f32, classes: &[(Class, f32)]) -> Estimate {
    Estimate { valence, arousal, distress, confidence: 0.9, classes: classes.to_vec(), ..Estimate::default() }
}

/// A call in which the customer talks without a pause, judged each half second.
pub(crate) struct Talk {
    pub(crate) call: Call,
    pub(crate) at: Duration,
    pub(crate) told: Vec<(Duration, Insight)>,
}

impl Talk {
    pub(crate) fn new() -> Self {
        Self::with(Thresholds::default())
    }

    pub(crate) fn with(thresholds: Thresholds) -> Self {
        Self { call: Call::new(thresholds), at: ms(500), told: vec![] }
    }

    /// `seconds` of speech that all sound like `sample`.
    pub(crate) fn says(&mut self, seconds: u64, sample: &Estimate) -> &mut Self {
        for _ in 0..seconds * 2 {
            self.hears(sample);
        }
        self
    }

    /// Half a second of speech.
    pub(crate) fn hears(&mut self, sample: &Estimate) {
        let from = self.at;
        self.at += ms(500);
        self.call.speech(Leg::Customer, from, self.at);
        self.call.affect(self.at, sample);
        self.call.advance(self.at);
        self.told.extend(std::iter::from_fn(|| self.call.poll()));
    }

    pub(crate) fn pauses(&mut self, seconds: u64) -> &mut Self {
        self.at += Duration::from_secs(seconds);
        self.call.advance(self.at);
        self
    }

    pub(crate) fn alerts(&self) -> Vec<(Duration, Alert)> {
        self.told
            .iter()
            .filter_map(|(at, insight)| match insight {
                Insight::Alert(alert) => Some((*at, alert.clone())),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn rises(&self) -> usize {
        self.alerts().iter().filter(|(_, alert)| alert.phase == Phase::Rising).count()
    }

    pub(crate) fn updates(&self) -> Vec<(Duration, AffectUpdate)> {
        self.told
            .iter()
            .filter_map(|(at, insight)| match insight {
                Insight::AffectUpdate(update) => Some((*at, update.clone())),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn conducts(&self) -> Vec<(Duration, Conduct)> {
        self.told
            .iter()
            .filter_map(|(at, insight)| match insight {
                Insight::Conduct(conduct) => Some((*at, conduct.clone())),
                _ => None,
            })
            .collect()
    }
}
