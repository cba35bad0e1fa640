//! Messages of neighbours that went nowhere, for the log: what is dropped must not vanish in silence.

use std::collections::VecDeque;

use crate::Flow;
use crate::framing::FrameFlaw;
use crate::message::Flaw;

/// More of them wait for nobody: each is counted all the same.
const MOST_WAITING: usize = 64;

/// A message that was neither forwarded nor answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// Where it came from.
    pub source: Flow,
    /// What became of it.
    pub why: Loss,
}

/// Why a message was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Loss {
    /// It can't be read.
    #[error("it can't be read: {0}")]
    Malformed(Flaw),
    /// It doesn't say where in its stream it ends.
    #[error("its connection was closed: {0}")]
    Unframed(FrameFlaw),
    /// A response to no request of ours that is under way.
    #[error("a response to no request that is under way here")]
    Stray,
    /// A response that came from elsewhere than where the request went.
    #[error("a response from elsewhere than where the request was sent")]
    Foreign,
    /// A response whose first Via isn't ours, or that has no other behind it.
    #[error("a response whose Via leads nowhere from here")]
    Misdirected,
    /// A request was accepted after its sender had been told that it failed, or had given it up.
    #[error("a request was accepted after it had been given up")]
    TooLate,
}

/// What has been lost and not told yet.
#[derive(Debug, Default)]
pub(super) struct Losses(VecDeque<Lost>);

impl Losses {
    pub(super) fn note(&mut self, source: &Flow, why: Loss) {
        if self.0.len() < MOST_WAITING {
            self.0.push_back(Lost { source: *source, why });
        }
    }

    pub(super) fn take(&mut self) -> Option<Lost> {
        self.0.pop_front()
    }
}
