//! The tables of a spool, and how its connections work with it.

use std::fmt::Write as _;
use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::SpoolError;

/// `SdSp`: tells a spool from any other database.
pub(super) const APPLICATION: u32 = 0x5364_5370;
/// The format that this program writes, and the newest that it reads.
pub(super) const FORMAT: u32 = 1;

const TABLES: &str = "
    -- An event, or an erasure: that one has no event id, no JSON, and in `seq` the number up to which it reaches.
    CREATE TABLE entry (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        event TEXT UNIQUE,
        call TEXT NOT NULL,
        seq INTEGER NOT NULL,
        written INTEGER NOT NULL,
        json TEXT
    );
    CREATE INDEX entry_by_call ON entry (call, seq);
    CREATE TABLE reader (
        name TEXT PRIMARY KEY,
        position INTEGER NOT NULL,
        acknowledged INTEGER NOT NULL
    ) WITHOUT ROWID;
";

/// Makes the tables in an empty file. It is in SQLite's rollback mode still, so that the file's own first page says
/// whose it is from the first commit on, and not only its write-ahead log.
pub(super) fn make(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; {TABLES} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT}; COMMIT;"
    ))
}

/// How each connection works with a spool. The mode is the file's own and stays with it.
pub(super) fn settings(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA secure_delete = ON;",
    )
}

/// Whether the database is in good order, as far as a quick look at all of its pages tells.
pub(super) fn is_sound(connection: &Connection) -> Result<bool, rusqlite::Error> {
    let said = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match said {
        Ok(said) => Ok(said == "ok"),
        Err(error) if is_damage(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether an error means that the file is not what was written.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// What the first page of a file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// There is nothing in it.
    Nobody,
    /// It is a spool.
    Us,
}

/// Whose a file is, of which something is there. `path` is opened as if it could not change, which leaves another
/// program's database as it is, and makes no file beside it.
///
/// SQLite opens it, and nobody else: where this process has the same file open already, closing any descriptor of it
/// would take all of the process's locks on it away (POSIX; <https://www.sqlite.org/howtocorrupt.html>, 2.2). SQLite
/// keeps such a descriptor until the locks are gone.
pub(super) fn owner(path: &Path) -> Result<Owner, SpoolError> {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            byte => {
                let _ = write!(uri, "%{byte:02x}");
            }
        }
    }
    uri.push_str("?immutable=1");
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(&uri, flags)?;
    let pragma = |name: &str| {
        let said = connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, u32>(0));
        said.map_err(
            |error| {
                if is_damage(&error) { SpoolError::Foreign(path.to_owned()) } else { error.into() }
            },
        )
    };
    if pragma("application_id")? != APPLICATION {
        return Err(SpoolError::Foreign(path.to_owned()));
    }
    match pragma("user_version")? {
        found if found > FORMAT => Err(SpoolError::Newer { path: path.to_owned(), found, known: FORMAT }),
        _ => Ok(Owner::Us),
    }
}
