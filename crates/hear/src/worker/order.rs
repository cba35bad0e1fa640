//! Messages between the call book and a worker.

use std::time::Duration;

use sidetone_call::{CallKey, Labels, Side, StreamPlan};
use sidetone_consent::{ListeningPermit, Medium};
use sidetone_insight::cues::{Answer, Coach};
use sidetone_insight::{Insight, Summary, Thresholds, TimelinePoint};

use crate::ear::Audible;
use crate::words::{Scribe, Wording};

/// An order of the call book to a worker.
#[derive(Debug)]
pub enum Work {
    /// Hear the keys of a call from now on. `origin` is when its INVITE was seen.
    Begin {
        /// The call.
        call: CallKey,
        /// Zero of the call's own time.
        origin: Duration,
        /// The thresholds of its caller's alerts.
        thresholds: Box<Thresholds>,
        /// Whether keys are also detected in the sound.
        in_band: bool,
        /// The coach of its agent, if there is one.
        coach: Option<Box<Coach>>,
        /// Where its customer's words are recognised, as far as its labels allow, if they are.
        words: Option<(Scribe, Wording)>,
    },
    /// Tell from now on what another process needs to go on with the call, and go on as one has left it, if one has.
    Keep(CallKey, Option<Vec<u8>>),
    /// Consent exists since then: listen to packets of the permit's call that came no earlier.
    Listen(ListeningPermit, Duration),
    /// Consent is missing, or has ended: listen to nothing but keys. Waiting packets are not heard either.
    Deafen {
        /// The call.
        call: CallKey,
        /// All that was inferred is to be erased.
        erase: bool,
    },
    /// SDP has agreed on a new plan.
    Plan {
        /// The call.
        call: CallKey,
        /// Index of the m-line.
        stream: usize,
        /// The new state.
        plan: Box<StreamPlan>,
    },
    /// The call was answered.
    Answered(CallKey, Duration),
    /// The party on this side put the other one on hold.
    Held(CallKey, Side, Duration),
    /// The party on this side ended the hold.
    Resumed(CallKey, Side, Duration),
    /// The call's labels, as the PBX tells them.
    Labels(CallKey, Box<Labels>),
    /// The agent answers a cue of that number.
    Answer(CallKey, Duration, u32, Answer),
    /// More orders waited than allowed: hear nothing of this call any more. Given by the inbox itself.
    Abandon(CallKey),
    /// The call is over: sum it up.
    Finish(CallKey, Duration),
}

impl Work {
    /// The call that the order is about.
    #[must_use]
    pub fn call(&self) -> CallKey {
        match self {
            Self::Begin { call, .. } | Self::Deafen { call, .. } | Self::Plan { call, .. } => *call,
            Self::Listen(permit, _) => CallKey(permit.call()),
            Self::Answered(call, _)
            | Self::Keep(call, _)
            | Self::Held(call, ..)
            | Self::Resumed(call, ..)
            | Self::Labels(call, _)
            | Self::Answer(call, ..)
            | Self::Abandon(call)
            | Self::Finish(call, _) => *call,
        }
    }
}

/// A finding of a worker.
#[derive(Debug)]
pub enum Outcome {
    /// An insight that makes an event, with its time in the call.
    Insight(CallKey, Duration, Box<Insight>),
    /// The words so far of an utterance of the customer that goes on, redacted; `None` once it has ended without any.
    Saying(CallKey, Option<String>),
    /// What another process needs to go on with the call as it is now. It tells of what was inferred.
    Kept(CallKey, Vec<u8>),
    /// The customer pressed a key.
    Key(CallKey, char, Medium),
    /// The packets of the party on that side, of that m-line, can't be heard, or can be again.
    Audible(CallKey, usize, Side, Audible),
    /// Nothing more will be reported for the call.
    Finished {
        /// The call.
        call: CallKey,
        /// Its summary, if it was listened to.
        summary: Option<Box<Summary>>,
        /// Its timeline; empty if it was not listened to.
        timeline: Vec<TimelinePoint>,
        /// When in the call the customer's voice reached the network: the first and the last packet of each stretch of
        /// listening that had any.
        heard: Vec<(Duration, Duration)>,
    },
    /// The analysis of this call broke; the call itself goes on.
    Broken(CallKey),
}
