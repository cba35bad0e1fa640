//! Errors of a journal.

use std::path::PathBuf;

/// A journal that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file can't be opened or made.
    #[error("`{}` can't be opened: {why}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: std::io::Error,
    },
    /// The file is something else.
    #[error("`{}` is no call journal of Sidetone's", .0.display())]
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
    /// Another process writes to it.
    #[error("another Sidetone carries the calls of `{}`", .0.display())]
    Held(PathBuf),
    /// The system gives no clock or thread.
    #[error("{0}")]
    System(#[from] std::io::Error),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
}

impl JournalError {
    /// Whether what stood in the file is lost, so that a new one has to be begun.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(self, Self::Database(error) if matches!(
            error.sqlite_error_code(),
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
        ))
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Open { .. } => "make its folder, and let Sidetone's user write there",
            Self::Foreign(_) => "name another file",
            Self::Newer { .. } => "start the newer Sidetone, or move the file away: its calls are lost then",
            Self::Held(_) => "stop that one, or give each a journal of its own",
            Self::System(_) | Self::Database(_) => "look after the disk, or do without [journal]",
        }
    }
}
