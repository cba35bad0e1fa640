//! Bounds and time limits of an anchor.

use std::time::Duration;

use crate::sdp::Ice;

/// Bounds and time limits of an [`Anchor`](super::Anchor).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Most calls at once; more are refused with 503.
    pub max_calls: usize,
    /// Most m-lines of a call that ask for media; an offer with more is refused with 488.
    pub max_streams: usize,
    /// Most dialogs that a call may fork into; beyond, the oldest early one is forgotten.
    pub max_forks: usize,
    /// How ICE attributes are treated.
    pub ice: Ice,
    /// How long a call may ring without a message. Above timer C, which should end it first.
    pub setup: Duration,
    /// How long a caller has to answer a challenge (401, 407, …) before the call counts as failed.
    pub challenge: Duration,
    /// How long after an unanswered BYE the call is kept.
    pub bye_timeout: Duration,
    /// How long a call may last.
    pub max_duration: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_calls: 10_000,
            max_streams: 16,
            max_forks: 16,
            ice: Ice::Strip,
            setup: Duration::from_secs(300),
            challenge: Duration::from_secs(32),
            bye_timeout: Duration::from_secs(40),
            max_duration: Duration::from_secs(24 * 3600),
        }
    }
}
