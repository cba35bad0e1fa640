//! SQLite.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, params_from_iter};

use super::{Database, Row, Value};
use crate::error::StoreError;

/// How long a connection waits for another one's writing.
const BUSY: Duration = Duration::from_secs(5);
/// Statements kept prepared.
const PREPARED: usize = 64;

/// A connection to an SQLite file.
#[derive(Debug)]
pub(crate) struct Sqlite(Connection);

impl Sqlite {
    /// Opens a file, making it if `create`.
    pub(crate) fn open(path: &Path, create: bool) -> Result<Self, StoreError> {
        let open = |why: std::io::Error| StoreError::Open { path: path.to_owned(), why };
        match std::fs::metadata(path) {
            // Only a file that nobody has open: closing it here would take SQLite's POSIX locks from this process.
            Err(why) if create && why.kind() == std::io::ErrorKind::NotFound => {
                make_private(path).map_err(open)?
            }
            found => drop(found.map_err(open)?),
        }
        let connection = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        connection.busy_timeout(BUSY)?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        // Deleted content is overwritten: an erasure must not leave it in free pages. The write-ahead log lets pages be
        // read while events are written. FULL, since what is acknowledged to the spool must not be lost with the power.
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;
             PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -16000;",
        )?;
        Ok(Self(connection))
    }
}

/// Makes a file that nobody else may read: it tells what customers said and felt.
fn make_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().create_new(true).append(true).mode(0o600).open(path).map(drop)
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Real(value) => ValueRef::Real(*value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
        }))
    }
}

/// `$1` is a name in SQLite, and gets a number by where it first stands; `?1` is the number 1.
fn numbered(sql: &str) -> String {
    sql.replace('$', "?")
}

impl Database for Sqlite {
    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, StoreError> {
        let touched = self.0.prepare_cached(&numbered(sql))?.execute(params_from_iter(parameters))?;
        Ok(touched as u64)
    }

    fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        // A transaction that begins by reading can't go on to write once another connection has written meanwhile.
        let sql = if sql == "BEGIN" { "BEGIN IMMEDIATE" } else { sql };
        Ok(self.0.execute_batch(sql)?)
    }

    fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        self.each(sql, parameters, &mut |row| {
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    fn each(
        &mut self,
        sql: &str,
        parameters: &[Value],
        take: &mut dyn FnMut(Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut statement = self.0.prepare_cached(&numbered(sql))?;
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(parameters))?;
        while let Some(row) = rows.next()? {
            let values = (0..columns).map(|column| {
                Ok(match row.get_ref(column)? {
                    ValueRef::Null => Value::Null,
                    ValueRef::Integer(value) => Value::Int(value),
                    ValueRef::Real(value) => Value::Real(value),
                    ValueRef::Text(value) => Value::Text(String::from_utf8_lossy(value).into_owned()),
                    ValueRef::Blob(_) => return Err(StoreError::Column { column }),
                })
            });
            take(Row(values.collect::<Result<_, StoreError>>()?))?;
        }
        Ok(())
    }

    fn has_table(&mut self, name: &str) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1";
        Ok(!self.query(sql, &[name.into()])?.is_empty())
    }

    fn is_empty(&mut self) -> Result<bool, StoreError> {
        Ok(self.query("SELECT 1 FROM sqlite_master LIMIT 1", &[])?.is_empty())
    }

    fn bytes(&mut self) -> Result<u64, StoreError> {
        let sql = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
        let rows = self.query(sql, &[])?;
        let bytes = rows.first().map_or(Ok(0), |row| row.int(0))?;
        Ok(u64::try_from(bytes).unwrap_or_default())
    }

    fn vacuum(&mut self) -> Result<(), StoreError> {
        // The log may still hold what was overwritten in the file.
        Ok(self.0.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")?)
    }
}
