//! The names of the kinds of events.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// The kind of an event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Kind {
            $($(#[$doc])* #[serde(rename = $name)] $kind,)*
        }

        impl Kind {
            /// Every kind, in the order in which a call may see them.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The kind's name in events.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),* }
            }
        }
    };
}

kinds! {
    /// An INVITE was let in.
    CallStarted = "call.started",
    /// The call was answered.
    CallAnswered = "call.answered",
    /// One party put the other on hold.
    CallHeld = "call.held",
    /// The party took the other off hold.
    CallResumed = "call.resumed",
    /// A stream can't be listened to.
    CallUntappable = "call.untappable",
    /// Media don't arrive as they should, or do so again.
    CallMedia = "call.media",
    /// The permission to listen to the customer has changed.
    ConsentChanged = "consent.changed",
    /// An announcement begins or is over.
    Announcement = "announcement",
    /// How the customer seems to feel.
    AffectUpdate = "affect.update",
    /// The customer grows upset, or has calmed down.
    AffectAlert = "affect.alert",
    /// How both parties talk.
    Conduct = "conduct",
    /// A placeholder for an erased inference.
    Erased = "erased",
    /// The call is over.
    CallEnded = "call.ended",
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such kind of event; there are {}", Kind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", "))]
pub struct UnknownKind;

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.iter().copied().find(|kind| kind.name() == text).ok_or(UnknownKind)
    }
}
