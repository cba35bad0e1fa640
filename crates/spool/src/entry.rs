//! What stands in a spool.

use serde::{Deserialize, Serialize};
use sidetone_events::{CallId, EventId};

/// The place of an entry in its spool: from 1 on, in the order of writing. 0 stands before the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub u64);

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place.
    pub position: Position,
    /// What it says.
    pub content: Content,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Something happened.
    Event {
        /// The event's name: the same event has the same name, however often it is read.
        id: EventId,
        /// The event by its schema, on one line.
        json: String,
    },
    /// What was inferred in a call is to be erased, wherever it was taken from this spool.
    Erasure {
        /// The call.
        call: CallId,
        /// Number (`seq`) of the event from which on nothing is erased: what customers agree to later is theirs to
        /// agree to.
        before: u64,
    },
}

impl Content {
    /// It as one line of JSON: an event as it is, or `{"erasure":{"call":"…","before":12}}`.
    #[must_use]
    pub fn to_line(&self) -> String {
        match self {
            Self::Event { json, .. } => json.clone(),
            Self::Erasure { call, before } => {
                serde_json::json!({ "erasure": { "call": call, "before": before } }).to_string()
            }
        }
    }
}

/// Some entries in a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// In order of their places.
    pub entries: Vec<Entry>,
    /// Events that stood among or before them, behind the place asked from, and are lost: they found the queue full, or
    /// went unread when the file was full.
    pub lost: u64,
    /// The last place that this page covers: from here the next page is asked for, and up to here it is acknowledged.
    pub until: Position,
}
