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
    /// The call was refused with a final status; by Sidetone itself if no party did.
    Rejected,
    /// No party answered in time, or no target could be reached.
    NoAnswer,
    /// The call's media stopped.
    MediaTimeout,
    /// The operator ended the call, or Sidetone was shut down.
    Terminated,
    /// The call's signalling broke, or exceeded one of the time limits.
    Failed,
}

impl Cause {
    /// The cause's word in events and the log.
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
