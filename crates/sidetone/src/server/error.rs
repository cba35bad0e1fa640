//! Why Sidetone could not be started.

use std::io;

use sidetone_proxy::config::Fault;

/// Why Sidetone could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// A socket, thread or file could not be obtained.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The configuration can't be run; all of its faults.
    #[error("{}", .0.iter().map(|fault| format!("{} {}", fault.key, fault.problem)).collect::<Vec<_>>().join("; "))]
    Config(Vec<Fault>),
    /// A link to a PBX could not be started.
    #[error("pbx: {0}")]
    Links(String),
}

impl From<Fault> for StartError {
    fn from(fault: Fault) -> Self {
        Self::Config(vec![fault])
    }
}
