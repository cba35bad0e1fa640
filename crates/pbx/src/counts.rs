//! Counters of a link and its traffic, for metrics.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::Serialize;
use sidetone_consent::Source;

/// The interface of a PBX that a link uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkKind {
    /// Asterisk's manager interface.
    Ami,
    /// Asterisk's REST interface.
    Ari,
    /// FreeSWITCH's event socket.
    Esl,
    /// INFO and NOTIFY.
    Sip,
}

impl LinkKind {
    /// The interface's name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ami => "ami",
            Self::Ari => "ari",
            Self::Esl => "esl",
            Self::Sip => "sip",
        }
    }

    /// As whose word counts what a PBX says by it.
    pub(crate) const fn source(self) -> Source {
        match self {
            Self::Ami => Source::Ami,
            Self::Ari => Source::Ari,
            Self::Esl => Source::Esl,
            // By SIP a PBX tells with headers, which do not come by a link.
            Self::Sip => Source::PbxHeader,
        }
    }
}

impl fmt::Display for LinkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Counters of one link and its traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkCounts {
    /// The PBX's name in the configuration.
    pub pbx: String,
    /// The interface.
    pub kind: LinkKind,
    /// Whether the link is up: connected and logged in. SIP is always up: it needs no connection.
    pub connected: bool,
    /// Times that the link came up.
    pub connects: u64,
    /// Times that a connection, or the attempt at one, ended.
    pub disconnects: u64,
    /// Of those, the ones caused by a protocol error.
    pub malformed: u64,
    /// Variables set and events posted that the PBX has confirmed.
    pub sent: u64,
    /// Events dropped: the oldest of too many, or too late to act on.
    pub dropped: u64,
    /// Variables and events that the PBX has refused.
    pub failed: u64,
    /// Calls that ended without their channel having been found while the link was up.
    pub calls_not_found: u64,
    /// Statements of the PBX that were understood.
    pub told: u64,
    /// Statements of the PBX that have no meaning, or concern no channel of a call.
    pub told_in_vain: u64,
}

/// A link's counters.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) connected: AtomicBool,
    pub(crate) connects: AtomicU64,
    pub(crate) disconnects: AtomicU64,
    pub(crate) malformed: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) calls_not_found: AtomicU64,
    pub(crate) told: AtomicU64,
    pub(crate) told_in_vain: AtomicU64,
}

impl Tally {
    pub(crate) fn add(counter: &AtomicU64, more: usize) {
        counter.fetch_add(more as u64, Ordering::Relaxed);
    }

    /// Reads the counters. `missed` events never reached the link: its queue at the bus was full.
    pub(crate) fn counts(&self, pbx: &str, kind: LinkKind, missed: u64) -> LinkCounts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LinkCounts {
            pbx: pbx.to_owned(),
            kind,
            connected: self.connected.load(Ordering::Relaxed),
            connects: get(&self.connects),
            disconnects: get(&self.disconnects),
            malformed: get(&self.malformed),
            sent: get(&self.sent),
            dropped: get(&self.dropped) + missed,
            failed: get(&self.failed),
            calls_not_found: get(&self.calls_not_found),
            told: get(&self.told),
            told_in_vain: get(&self.told_in_vain),
        }
    }
}
