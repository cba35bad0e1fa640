//! How a call ended.

use serde::{Deserialize, Serialize};

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// A party hung up.
    Hangup,
    /// The caller gave up before the answer.
    Cancelled,
    /// It was refused with a final status; by Sidetone itself if no party did.
    Rejected,
    /// Nobody answered in time, or no target could be reached.
    NoAnswer,
    /// Its media stopped.
    MediaTimeout,
    /// The operator ended it, or Sidetone was shut down.
    Terminated,
    /// Its signalling broke, or went on beyond one of the time limits.
    Failed,
}

impl Cause {
    /// The word for it in events and the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hangup => "hangup",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
            Self::NoAnswer => "no-answer",
            Self::MediaTimeout => "media-timeout",
            Self::Terminated => "terminated",
            Self::Failed => "failed",
        }
    }
}
