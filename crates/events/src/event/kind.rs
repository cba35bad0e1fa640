//! The names of the kinds of events.

use std::fmt;
use std::str::FromStr;

use super::Kind;

/// Makes [`Kind`] and [`Happening`](super::Happening) of one list: what happens, the type that tells it, its name.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident($data:ty) = $name:literal,)*) => {
        /// What kind of thing happened.
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

        /// What happened: in JSON `kind` names it and `data` tells it.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", content = "data")]
        pub enum Happening {
            $($(#[$doc])* #[serde(rename = $name)] $kind($data),)*
        }

        impl Happening {
            /// What kind it is of.
            #[must_use]
            pub const fn kind(&self) -> Kind {
                match self { $(Self::$kind(_) => Kind::$kind),* }
            }
        }

        $(impl From<$data> for Happening {
            fn from(data: $data) -> Self {
                Self::$kind(data)
            }
        })*
    };
}
pub(super) use kinds;

impl Kind {
    /// Whether an event of this kind always holds something inferred of the customer, measured in their voice, or said
    /// in the call. A `call.ended` does only with a summary.
    #[must_use]
    pub const fn infers(self) -> bool {
        matches!(
            self,
            Self::AffectUpdate
                | Self::AffectAlert
                | Self::Conduct
                // A cue tells what called for it, and so does an answer to it.
                | Self::CueShown
                | Self::CueWithheld
                | Self::CueAcknowledged
                | Self::CueDismissed
                | Self::CueCleared
                | Self::CueJudged
                // Words are the caller's own, whoever of the two has said them.
                | Self::WordsFinal
                | Self::WordsTopic
        )
    }
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
