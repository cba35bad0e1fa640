//! Speech rate of one party.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Pace;
use crate::number::round3;
use crate::thresholds::ConductThresholds;

/// Syllables over speech, for the call and with a fading memory.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct PaceMeter {
    speech: Duration,
    syllables: u64,
    recent_speech: f64,
    recent_syllables: f64,
}

impl PaceMeter {
    pub(crate) fn speech(&mut self, new: Duration, thresholds: &ConductThresholds) {
        let memory = Duration::from(thresholds.pace_memory).as_secs_f64().max(1.0);
        let fade = (-new.as_secs_f64() / memory).exp();
        self.speech = self.speech.saturating_add(new);
        self.recent_speech = self.recent_speech * fade + new.as_secs_f64();
        self.recent_syllables *= fade;
    }

    pub(crate) fn syllables(&mut self, count: u32) {
        self.syllables = self.syllables.saturating_add(u64::from(count));
        self.recent_syllables += f64::from(count);
    }

    pub(crate) fn pace(&self, thresholds: &ConductThresholds) -> Option<Pace> {
        if self.speech < thresholds.pace_after.into() || self.speech.is_zero() {
            return None;
        }
        let rate = self.syllables as f64 / self.speech.as_secs_f64();
        let recent = self.recent_syllables / self.recent_speech.max(f64::MIN_POSITIVE);
        let words = recent * 60.0 / f64::from(thresholds.syllables_per_word);
        Some(Pace {
            syllables_per_second: round3(rate as f32),
            recent_syllables_per_second: round3(recent as f32),
            words_per_minute: round3(words as f32).round(),
        })
    }

    pub(crate) fn total_speech(&self) -> Duration {
        self.speech
    }
}
