//! Messages of neighbours that were dropped, for the log: none must vanish in silence.

use std::collections::VecDeque;

use crate::Flow;
use crate::framing::FrameFlaw;
use crate::message::Flaw;

/// The most that wait to be told. Further ones are counted, and not told.
const MOST_WAITING: usize = 64;

/// A message that was neither forwarded nor answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DroppedMessage {
    /// Where it came from.
    pub source: Flow,
    /// Why it was dropped.
    pub why: DropReason,
}

/// Why a message was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DropReason {
    /// It can't be read.
    #[error("it can't be read: {0}")]
    Malformed(Flaw),
    /// It doesn't say where in its stream it ends.
    #[error("its connection was closed: {0}")]
    Unframed(FrameFlaw),
    /// A response to no request of ours that is under way.
    #[error("a response to no request that is under way here")]
    Stray,
    /// A response whose CSeq names another method than the request had, in another case too (RFC 3261 §7.1, §17.1.3).
    #[error("a response whose CSeq names another method than its request")]
    OtherMethod,
    /// A response whose Call-ID or tags are not its request's.
    #[error("a response with another Call-ID or tag than its request")]
    OtherNames,
    /// A response that came from elsewhere than where the request went.
    #[error("a response from elsewhere than where the request was sent")]
    Foreign,
    /// A response whose first Via isn't ours, or that has no other behind it.
    #[error("a response whose Via leads nowhere from here")]
    Misdirected,
    /// The final response to a request whose sender had been told that it failed, or had given it up.
    #[error("the answer to a request that had been given up")]
    TooLate,
    /// An ACK that belongs to no dialog, or leads to nobody: nothing may be answered to it.
    #[error("an ACK that leads nowhere")]
    Ack,
    /// A request over UDP whose answer would have been one too many, or too large for it.
    #[error("its answer was withheld: too many for one address, or too large for what was asked")]
    Withheld,
    /// A final response whose request's connection is gone, and to which no other could be made.
    #[error(
        "the answer to its request could not be delivered: its connection is gone, and no other could be made"
    )]
    Undelivered,
    /// A message that had begun in a stream did not end in time.
    #[error("its connection was closed: the message never ended")]
    Unfinished,
}

/// Dropped messages that have not been told yet; the oldest first.
#[derive(Debug, Default)]
pub(super) struct Drops(VecDeque<DroppedMessage>);

impl Drops {
    pub(super) fn note(&mut self, source: &Flow, why: DropReason) {
        if self.0.len() < MOST_WAITING {
            self.0.push_back(DroppedMessage { source: *source, why });
        }
    }

    pub(super) fn take(&mut self) -> Option<DroppedMessage> {
        self.0.pop_front()
    }
}
