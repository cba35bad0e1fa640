//! Errors of a store.

use std::path::PathBuf;
use std::time::Duration;

use crate::connection::ConnectionFault;
use crate::tls::{self, CertificatesFault};

/// An error of a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file can't be opened or made.
    #[error("`{}` can't be opened: {why}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: std::io::Error,
    },
    /// The file of PostgreSQL's password can't be read.
    #[error("the password in `{}` can't be read: {why}", .path.display())]
    Password {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: sidetone_events::SecretError,
    },
    /// The connection string of PostgreSQL can't be used.
    #[error("the connection string {0}")]
    Connection(#[from] ConnectionFault),
    /// The certificates that PostgreSQL's is to be verified by can't be used.
    #[error(transparent)]
    Certificates(#[from] CertificatesFault),
    /// The database was written by a newer version.
    #[error("the store was written by a newer Sidetone (its schema is {found}, this one knows {known})")]
    Newer {
        /// Its schema.
        found: i64,
        /// The newest schema that this program knows.
        known: i64,
    },
    /// The database is of another program.
    #[error("{0} is another program's database")]
    Foreign(String),
    /// A store that is only read has an older schema.
    #[error("the store's schema is {found}, and this Sidetone reads {known}")]
    Older {
        /// Its schema.
        found: i64,
        /// The schema that this program reads.
        known: i64,
    },
    /// SQLite failed.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL failed, or can't be reached.
    #[error("PostgreSQL: {}", told(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// PostgreSQL has not answered.
    #[error("PostgreSQL has not answered within {} s", .patience.as_secs())]
    Silent {
        /// How long it was waited for.
        patience: Duration,
    },
    /// It can't be reached, as a drill has it.
    #[error("the store can't be reached, as a drill has it")]
    Drill,
    /// The file that was written to is not there any more.
    #[error("`{}` has been moved, deleted or emptied while it was written", .0.display())]
    Gone(PathBuf),
    /// The spool that was read is not there any more.
    #[error("the spool has been moved or deleted while it was read")]
    OtherSpool,
    /// Another process feeds the store.
    #[error("another Sidetone feeds this store{}", of_node(.0))]
    Held(String),
    /// A value in the database has another type than its column should.
    #[error("column {column} holds a value of another kind")]
    Column {
        /// Index in the row, from 0.
        column: usize,
    },
    /// The spool can't be read.
    #[error("spool: {0}")]
    Spool(#[from] sidetone_spool::SpoolError),
    /// A token can't be called that.
    #[error("a token needs a name of 1 to 64 characters, none of them a control character")]
    Name,
    /// A token of an agent does not say of which.
    #[error("a token of the role agent names the agent whose calls it shows")]
    Agent,
    /// A password is too short, or endless.
    #[error("a password has 10 to 256 characters")]
    BadPassword,
    /// Somebody has that name already.
    #[error("there is somebody of that name already")]
    Taken,
    /// The system gives no random numbers.
    #[error("no random numbers: {0}")]
    Random(getrandom::Error),
    /// The thread can't be started.
    #[error("no thread for the store: {0}")]
    Thread(std::io::Error),
    /// The export can't be written.
    #[error("the export can't be written: {0}")]
    Export(#[from] csv::Error),
    /// The export can't be written as Parquet.
    #[error("the export can't be written: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
}

fn of_node(feed: &str) -> String {
    if feed.is_empty() { String::new() } else { format!(" for node {feed}") }
}

/// PostgreSQL's own words: the outer error alone says "db error".
fn told(error: &tokio_postgres::Error) -> String {
    use std::error::Error;
    match (error.as_db_error(), error.source()) {
        (Some(told), _) => told.to_string(),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}

impl StoreError {
    /// Whether the file is damaged, so that a new one has to be begun.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        let Self::Sqlite(error) = self else { return false };
        let code = error.sqlite_error_code();
        matches!(code, Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase))
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Open { .. } => {
                "see that the folder exists and may be written to by the user that Sidetone runs as"
            }
            Self::Password { .. } => "see that the file is there and Sidetone's user may read it",
            Self::Newer { .. } => "run the newer Sidetone, or begin another store",
            Self::Foreign(_) => "name another file or database; this one was left as it was",
            Self::Older { .. } => "bring it forward with `sidetone store migrate`",
            Self::Sqlite(error) => match error.sqlite_error_code() {
                Some(rusqlite::ErrorCode::DiskFull) => {
                    "make room on its disk; the spool keeps the events meanwhile"
                }
                Some(
                    rusqlite::ErrorCode::CannotOpen
                    | rusqlite::ErrorCode::ReadOnly
                    | rusqlite::ErrorCode::PermissionDenied,
                ) => {
                    "let the user that Sidetone runs as own the file and its folder; the spool keeps the events meanwhile"
                }
                Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                    "the file is damaged or no database: `sidetone run` moves it aside, and begins a new one with what the spool still holds"
                }
                _ => "see that the file and its disk are sound; the spool keeps the events meanwhile",
            },
            Self::Drill => "wait for its end; the spool keeps the events meanwhile",
            Self::Gone(_) => "a new one is begun with what the spool still holds",
            Self::OtherSpool => "the one that is there now is read from its beginning",
            Self::Held(_) => "give each Sidetone a file of its own, or with PostgreSQL its own `node`",
            Self::Connection(_) => "correct it; docs/STORE.md has examples",
            Self::Certificates(fault) => fault.remedy(),
            Self::Postgres(error) if let Some(remedy) = tls::remedy(error) => remedy,
            Self::Postgres(_) | Self::Silent { .. } => {
                "see that PostgreSQL runs and lets this user in (`psql` with the same connection string); the spool keeps the events meanwhile"
            }
            Self::Column { .. } => "the database was changed by hand or is damaged; restore it from a backup",
            Self::Spool(error) => error.remedy(),
            Self::Agent => "add --agent with the label that the PBX gives the agent, as in --agent 2001",
            Self::Name => "name its holder, as in \"wall screen, second floor\"",
            Self::BadPassword => "choose a longer one, of some words; or let one be made",
            Self::Taken => "`sidetone user password` gives them another password; or choose another name",
            Self::Random(_) => "try again",
            Self::Thread(_) => "see the system's limits on threads and memory",
            Self::Export(_) | Self::Parquet(_) => "see that there is room where it is written",
        }
    }
}
