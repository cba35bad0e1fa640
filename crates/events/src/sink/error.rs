//! Why a sink can't be had.

use crate::secret::SecretError;

/// A sink that can't be started.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Its file can't be opened.
    #[error("events.file: can't open {path}: {why}")]
    File {
        /// The file.
        path: String,
        /// Why.
        why: std::io::Error,
    },
    /// Its thread can't be started.
    #[error("can't start a thread for events: {0}")]
    Thread(std::io::Error),
    /// A value that can't be meant.
    #[error("{key}: {why}")]
    Config {
        /// The key in the configuration file.
        key: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A secret that can't be had.
    #[error("{key}: {why}")]
    Secret {
        /// The key in the configuration file.
        key: &'static str,
        /// What is wrong with it.
        why: SecretError,
    },
}
