//! The entries of a spool.

use serde::{Deserialize, Serialize};
use sidetone_events::{CallId, EventId};

/// The position of an entry in its spool: from 1 on, in the order of writing. 0 is before the first.
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
    /// The entry's position.
    pub position: Position,
    /// The entry's content.
    pub content: Content,
}

/// The content of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// An event.
    Event {
        /// The event's id: it stays the same, however often the event is read.
        id: EventId,
        /// The event by its schema, on one line.
        json: String,
    },
    /// All inferences about a call are to be erased from every copy of this spool's events.
    Erasure {
        /// The call.
        call: CallId,
        /// Number (`seq`) of the first event that is not erased: the customer may have agreed again later.
        before: u64,
    },
}

impl Content {
    /// The entry as one line of JSON: an event as it is, or `{"erasure":{"call":"…","before":12}}`.
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
    /// The entries by position.
    pub entries: Vec<Entry>,
    /// Events lost among or before these entries, after the requested position: the queue was full, or the file was
    /// full before they were read.
    pub lost: u64,
    /// The last position that this page covers: the next page starts after it, and acknowledging it covers this page.
    pub until: Position,
}
