//! Links to PBXs: what Sidetone hears, told to Asterisk, FreeSWITCH and others, and what they know, told to Sidetone.
//!
//! [`PbxLinks`] runs one task for each configured link: Asterisk's manager interface (AMI), Asterisk's REST interface
//! (ARI), FreeSWITCH's event socket (ESL), or SIP itself. The first three have a connection of their own: each finds
//! the channel of a call by its SIP Call-ID, which Sidetone passes through unchanged, sets the `SIDETONE_…` variables
//! on it, and posts the events that the operator selected. What a dialplan says of a call comes back as [`Told`]. SIP
//! only tells, by way of whoever carries the calls' signalling ([`InDialog`]). `docs/PBX.md` describes it from the
//! operator's side.
//!
//! # A PBX may be dead, slow or lying
//!
//! A link owns no part of a call: it takes events from a bounded queue and hands what it hears to a function that
//! never blocks. Variables are state, not history: while a PBX is slow, only the newest value waits, and after each
//! reconnect the state of every live call is sent again. Events wait in a bounded queue, the oldest is dropped and
//! counted, and none is delivered so late that somebody would act on an anger long gone. Whatever arrives is bounded
//! in length and number; what can't be understood ends the connection, and the next try comes after a wait that
//! doubles up to a minute.
//!
//! The protocols are pure: bytes in, bytes out, told the time. What goes out passes encoders that no value can break
//! out of.

#![forbid(unsafe_code)]

mod ami;
mod ari;
mod backoff;
mod board;
pub mod config;
mod counts;
mod desk;
mod esl;
mod fault;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
mod link;
mod links;
mod sip;
mod tcp;
mod text;
mod variables;

use std::sync::Arc;

use sidetone_consent::{Source, Telling};
use sidetone_events::CallId;

pub use config::ConfigError;
pub use counts::{LinkCounts, LinkKind};
pub use links::{PbxLinks, StartError};
pub use sip::{Aside, InDialog, InDialogCounts};

/// What a PBX says of a call.
#[derive(Clone, PartialEq, Eq)]
pub struct Told {
    /// The name of the `[[pbx]]` that says so: it has a say in its own calls and in nobody else's.
    pub pbx: String,
    /// The call's SIP Call-ID. Whether there is such a call is for the receiver to see.
    pub sip_call_id: String,
    /// Which interface it came by.
    pub source: Source,
    /// What is said.
    pub telling: Telling,
}

/// Takes what a PBX says. Must not block.
pub type Hear = Arc<dyn Fn(Told) + Send + Sync>;

/// Says how a call is known to its PBX; `None` once the call is gone. Must not block.
pub type Raw = Arc<dyn Fn(&CallId) -> Option<CallIdentity> + Send + Sync>;

/// How a call is known to its PBX.
#[derive(Clone, PartialEq, Eq)]
pub struct CallIdentity {
    /// The SIP Call-ID as it stands in the INVITE, never masked.
    pub sip_call_id: String,
    /// The name of the `[[pbx]]`.
    pub pbx: String,
}

impl std::fmt::Debug for Told {
    /// Without the Call-ID, which may hold a number.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut told = f.debug_struct("Told");
        told.field("pbx", &self.pbx)
            .field("source", &self.source)
            .field("telling", &self.telling)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for CallIdentity {
    /// Without the Call-ID, which may hold a number.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallIdentity").field("pbx", &self.pbx).finish_non_exhaustive()
    }
}
