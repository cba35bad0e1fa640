//! Errors of a spool.

use std::path::PathBuf;

/// An error of a spool.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The file can't be opened or made.
    #[error("`{}` can't be opened: {why}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: std::io::Error,
    },
    /// The file is no spool.
    #[error("`{}` is no spool of Sidetone's; name another file", .0.display())]
    Foreign(PathBuf),
    /// The file was written by a newer version.
    #[error("`{}` was written by a newer Sidetone (its format is {found}, this one knows {known}); use that, or name another file", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The file's format.
        found: i64,
        /// The newest format that this program knows.
        known: i64,
    },
    /// The name is not allowed for a reader.
    #[error("`{0}` is no name of a reader: letters, digits, `-`, `_` and `.`, 64 at most")]
    Name(String),
    /// No reader has this name.
    #[error("no reader is called `{0}`")]
    Unknown(String),
    /// A reader acknowledges a position that was never written.
    #[error("place {place} was never written: the last is {last}")]
    Beyond {
        /// The position.
        place: u64,
        /// The last written position.
        last: u64,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
    /// An event in the file can't be read.
    #[error("what stands at {0} can't be read: the file is damaged")]
    Damaged(u64),
}

impl SpoolError {
    /// The remedy.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Open { .. } => "make its folder, and let Sidetone's user write there",
            Self::Foreign(_) | Self::Newer { .. } => "name another file",
            Self::Name(_) | Self::Unknown(_) => "`sidetone spool status` lists the readers",
            Self::Beyond { .. } => "acknowledge what was read from this file",
            Self::Database(_) | Self::Damaged(_) => {
                "look after the disk; a file that is damaged can be moved away, and a new one is begun"
            }
        }
    }
}
