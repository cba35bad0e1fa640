//! The tables of a spool, and the mark that identifies it.

use std::path::Path;

use rusqlite::{Connection, ErrorCode};

use crate::error::SpoolError;

/// `SdSp`: distinguishes a spool from any other database.
const APPLICATION: i64 = 0x5364_5370;
/// The format that this program writes, and the newest that it reads.
const FORMAT: i64 = 1;

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

/// The settings of each connection to the file.
pub(super) fn settings(path: &Path, connection: &Connection) -> Result<(), SpoolError> {
    let set = connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA secure_delete = ON;",
    );
    set.map_err(|error| foreign(path, error))
}

/// Makes the tables in a new file, and refuses one that is no spool.
pub(super) fn begin(path: &Path, connection: &Connection) -> Result<(), SpoolError> {
    let objects: i64 = connection
        .query_row("SELECT COUNT(*) FROM sqlite_master", [], |row| row.get(0))
        .map_err(|error| foreign(path, error))?;
    if objects > 0 {
        return check(path, connection);
    }
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; {TABLES} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT}; COMMIT;"
    ))?;
    Ok(())
}

/// Refuses a file that is no spool, or that a newer version wrote.
pub(super) fn check(path: &Path, connection: &Connection) -> Result<(), SpoolError> {
    let pragma = |name: &str| {
        connection
            .query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0))
            .map_err(|error| foreign(path, error))
    };
    if pragma("application_id")? != APPLICATION {
        return Err(SpoolError::Foreign(path.to_owned()));
    }
    match pragma("user_version")? {
        found if found > FORMAT => Err(SpoolError::Newer { path: path.to_owned(), found, known: FORMAT }),
        _ => Ok(()),
    }
}

/// SQLite's error for a file that is no database.
fn foreign(path: &Path, error: rusqlite::Error) -> SpoolError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => SpoolError::Foreign(path.to_owned()),
        _ => error.into(),
    }
}
