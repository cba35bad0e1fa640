//! The facts that are told of a call.

use std::collections::VecDeque;
use std::time::Duration;

use sidetone_call::{CallKey, Cause, Side, Untappable};

use super::claims::Claims;
use super::counters::Counters;
use super::replaced::Replaced;
use super::settings::Settings;
use crate::Flow;

/// A fact of a call. `at` is the `now` of the message that showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallFact {
    /// An INVITE passed.
    Started {
        /// Which call.
        key: CallKey,
        /// Its Call-ID, as written.
        call_id: String,
        /// The side the caller is on.
        from_side: Side,
        /// The flow on which the INVITE came from its neighbour.
        source: Flow,
        /// User part of From: usually the caller's number. Empty when there is none.
        from: String,
        /// User part of To: usually the dialled number. Empty when there is none.
        to: String,
        /// What else the INVITE claims of the party on the trunk's side.
        claims: Claims,
        /// When.
        at: Duration,
    },
    /// A 180 to 183 passed: the callee's side is working on the call.
    Ringing {
        /// Which call.
        key: CallKey,
        /// When.
        at: Duration,
    },
    /// The first 2xx to the INVITE passed.
    Answered {
        /// Which call.
        key: CallKey,
        /// The flow on which the answer came from its neighbour.
        by: Flow,
        /// When.
        at: Duration,
    },
    /// A party wants no more audio for now.
    Held {
        /// Which call.
        key: CallKey,
        /// The side of the party that holds.
        by: Side,
        /// When.
        at: Duration,
    },
    /// A party that held wants audio again.
    Resumed {
        /// Which call.
        key: CallKey,
        /// The side of the party that had held.
        by: Side,
        /// When.
        at: Duration,
    },
    /// A stream is relayed, or passes by, but can't be listened to. Told anew when the reason changes.
    Untappable {
        /// Which call.
        key: CallKey,
        /// Index of the m-line.
        stream: usize,
        /// Why.
        reason: Untappable,
    },
    /// A party's answer aims media at an address where it must not go: none is sent there.
    Misaimed {
        /// Which call.
        key: CallKey,
        /// The side of the party that said so.
        by: Side,
    },
    /// A party's answer takes up none of the protection that policy demands for its media, which was rejected.
    Insecure {
        /// Which call.
        key: CallKey,
        /// The side of the party that said so.
        by: Side,
    },
    /// A message bore a header of ours, `X-Sidetone-Queue: billing`.
    Header {
        /// Which call.
        key: CallKey,
        /// The side that the message came from.
        by: Side,
        /// The header's name without the prefix.
        name: String,
        /// The header's value, cut off at 200 characters.
        value: String,
        /// When.
        at: Duration,
    },
    /// A key was pressed, told by INFO.
    Digit {
        /// Which call.
        key: CallKey,
        /// The side of the party that pressed it.
        by: Side,
        /// `0` to `9`, `*`, `#`, `A` to `D`.
        digit: char,
        /// When.
        at: Duration,
    },
    /// A party asks the other one to call somebody else (REFER).
    Referred {
        /// Which call.
        key: CallKey,
        /// The side of the party that asks.
        by: Side,
        /// User part of whom to call. Empty when there is none.
        user: String,
        /// The dialog that the new call is to replace, if it is to replace one.
        replaces: Option<Replaced>,
        /// When.
        at: Duration,
    },
    /// The call takes the place of another one (Replaces).
    Replaces {
        /// Which call.
        key: CallKey,
        /// The dialog that it names.
        replaced: Replaced,
        /// The call with that dialog, if it is one of those that are up here.
        before: Option<CallKey>,
        /// When.
        at: Duration,
    },
    /// The call was answered, the 2xx could not be delivered to the caller, and no ACK has come in 64 × T1: it should
    /// be hung up.
    Unacknowledged {
        /// Which call.
        key: CallKey,
    },
    /// The call is over and its ports are free.
    Ended {
        /// Which call.
        key: CallKey,
        /// The side of the party that ended it; `None` if neither did.
        by: Option<Side>,
        /// The final failure response to the INVITE, if that ended it.
        status: Option<u16>,
        /// How.
        cause: Cause,
        /// When; of a BYE, when it was sent.
        at: Duration,
    },
}

impl CallFact {
    /// The call that it is a fact of.
    #[must_use]
    pub const fn call(&self) -> CallKey {
        match self {
            Self::Started { key, .. }
            | Self::Ringing { key, .. }
            | Self::Answered { key, .. }
            | Self::Held { key, .. }
            | Self::Resumed { key, .. }
            | Self::Untappable { key, .. }
            | Self::Misaimed { key, .. }
            | Self::Insecure { key, .. }
            | Self::Header { key, .. }
            | Self::Digit { key, .. }
            | Self::Referred { key, .. }
            | Self::Replaces { key, .. }
            | Self::Unacknowledged { key, .. }
            | Self::Ended { key, .. } => *key,
        }
    }
}

/// Queues a fact. The queue is bounded, in case nobody takes them; what doesn't fit is counted.
pub(super) fn tell(
    facts: &mut VecDeque<CallFact>,
    counters: &mut Counters,
    settings: &Settings,
    fact: CallFact,
) {
    if facts.len() >= settings.max_calls.saturating_mul(8).max(64) {
        counters.facts_lost += 1;
    } else {
        facts.push_back(fact);
    }
}
