//! What makes a probability of an output, and a yes or no of that.

use serde::{Deserialize, Serialize};

use super::linear::logistic;

/// A calibration: log-odds to a probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Head {
    /// What it answers.
    pub(super) name: String,
    /// Factor of the log-odds.
    pub(super) slope: f32,
    /// Added to them.
    pub(super) offset: f32,
    /// The probability above which it says yes.
    pub(super) threshold: f32,
}

impl Head {
    pub(super) fn probability(&self, logit: f32) -> f32 {
        logistic(self.slope * logit + self.offset)
    }
}

/// A probability to log-odds.
pub(super) fn log_odds(probability: f32) -> f32 {
    let probability = probability.clamp(1e-6, 1.0 - 1e-6);
    (probability / (1.0 - probability)).ln()
}
