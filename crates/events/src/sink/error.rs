//! Errors of a sink's start.

use crate::secret::SecretError;

/// A sink that can't be started.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The sink's file can't be opened.
    #[error("events.file: can't open {path}: {why}")]
    File {
        /// The file.
        path: String,
        /// The reason.
        why: std::io::Error,
    },
    /// The sink's thread can't be started.
    #[error("can't start a thread for events: {0}")]
    Thread(std::io::Error),
    /// An unusable value.
    #[error("{key}: {why}")]
    Config {
        /// The key in the configuration file.
        key: &'static str,
        /// The problem with the value.
        why: String,
    },
    /// A secret that can't be obtained.
    #[error("{key}: {why}")]
    Secret {
        /// The key in the configuration file.
        key: &'static str,
        /// The problem with the secret.
        why: SecretError,
    },
}
