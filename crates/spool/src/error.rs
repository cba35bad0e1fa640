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
    /// The file is something else.
    #[error("`{}` is no spool of Sidetone's", .0.display())]
    Foreign(PathBuf),
    /// The file was written by a newer version.
    #[error("`{}` was written by a newer Sidetone (its format is {found}, this one knows {known})", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that this program knows.
        known: u32,
    },
    /// The file is damaged.
    #[error("`{}` is damaged", .0.display())]
    Unsound(PathBuf),
    /// The file has been cut to nothing while its log was not.
    #[error("`{}` has been emptied", .0.display())]
    Emptied(PathBuf),
    /// The file that was written to is not there any more.
    #[error("`{}` has been moved or deleted while it was written", .0.display())]
    Gone(PathBuf),
    /// Another process writes to it.
    #[error("another Sidetone writes to `{}`", .0.display())]
    Held(PathBuf),
    /// No reader may be called that.
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
    /// Whether what stood in the file is lost to whoever writes, so that a new one has to be begun.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Unsound(_) | Self::Emptied(_) | Self::Gone(_) => true,
            Self::Database(error) => matches!(
                error.sqlite_error_code(),
                Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
            ),
            _ => false,
        }
    }

    /// Whether somebody else had the file for too long: the same may go well in a moment.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Database(error) if matches!(
            error.sqlite_error_code(),
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
        ))
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Open { .. } => "make its folder, and let Sidetone's user write there",
            Self::Foreign(_) | Self::Newer { .. } => "name another file",
            Self::Held(_) => "stop that one, or give each a spool of its own",
            error if error.is_busy() => "another program holds it; try again",
            Self::Name(_) | Self::Unknown(_) => "`sidetone spool status` lists the readers",
            Self::Beyond { .. } => "acknowledge what was read from this file",
            Self::Database(_) | Self::Damaged(_) | Self::Unsound(_) | Self::Emptied(_) | Self::Gone(_) => {
                "look after the disk; a running Sidetone moves a damaged file aside and begins a new one"
            }
        }
    }
}
