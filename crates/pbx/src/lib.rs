//! Links to PBXs: Sidetone's insights go to Asterisk, FreeSWITCH and others, and their knowledge of calls comes back.
//!
//! [`PbxLinks`] runs one task for each configured link: Asterisk's manager interface (AMI), Asterisk's REST interface
//! (ARI), FreeSWITCH's event socket (ESL), or SIP itself. The first three have a connection of their own: each finds
//! the channel of a call by its SIP Call-ID, which Sidetone passes through unchanged, sets the `SIDETONE_…` variables
//! on it, and posts the events that the operator selected. A dialplan's statements about a call come back as [`Told`].
//! The SIP link only sends, through the calls' own signalling ([`InDialog`]). `docs/PBX.md` describes it from the
//! operator's side.
//!
//! # A PBX may be dead, slow or lying
//!
//! A link owns no part of a call: it takes events from a bounded queue and hands statements to a function that never
//! blocks. Variables are state, not history: while a PBX is slow, only the newest value waits, and after each reconnect
//! the state of every live call is sent again. Events wait in a bounded queue, the oldest is dropped and counted, and
//! none is delivered too late to act on. All input is bounded in length and number; malformed input ends the
//! connection, and the next attempt comes after a wait that doubles up to a minute.
//!
//! The protocols have no I/O and no clock: bytes in, bytes out. Output passes encoders that no value can break out of.

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

/// A PBX's statement about a call.
#[derive(Clone, PartialEq, Eq)]
pub struct Told {
    /// The name of the `[[pbx]]` that makes it: a PBX may speak of its own calls only.
    pub pbx: String,
    /// The call's SIP Call-ID. The receiver checks whether there is such a call.
    pub sip_call_id: String,
    /// The interface that it came by.
    pub source: Source,
    /// The statement.
    pub telling: Telling,
}

/// Takes a PBX's statement. Must not block.
pub type Hear = Arc<dyn Fn(Told) + Send + Sync>;

/// Returns a call's identity at its PBX; `None` once the call is gone. Must not block.
pub type Raw = Arc<dyn Fn(&CallId) -> Option<CallIdentity> + Send + Sync>;

/// A call's identity at its PBX.
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
