//! Labelled speech: manifests, audio files, and clips as the network sees them.

pub mod audio;
pub mod background;
pub mod clip;
pub mod manifest;
pub mod telephony;

pub use clip::Clip;
pub use manifest::{Entry, Manifest};
pub use telephony::Band;

use std::path::PathBuf;

/// Why labelled speech could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CorpusError {
    /// A file could not be read.
    #[error("{path} can't be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not the audio that its name says, or is damaged.
    #[error("{path}: {reason}")]
    Audio {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: audio::AudioError,
    },
    /// The manifest is wrong.
    #[error("{path}, line {line}: {reason}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        reason: manifest::ManifestError,
    },
}
