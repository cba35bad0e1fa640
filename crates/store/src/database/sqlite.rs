//! SQLite.

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, params_from_iter};

use super::{Database, Row, Value};
use crate::error::StoreError;

/// How long a connection waits for another one's writing.
const BUSY: Duration = Duration::from_secs(5);
/// Statements kept prepared.
const PREPARED: usize = 64;

/// A connection to an SQLite file.
#[derive(Debug)]
pub(crate) struct Sqlite {
    connection: Connection,
    path: PathBuf,
    /// Device and inode of the file that is open.
    identity: (u64, u64),
    /// Held by the one who feeds. A file of its own: SQLite's locks are the database's.
    claim: Option<File>,
}

impl Sqlite {
    /// Opens a file that is there. Nothing is changed before [`Database::settle`], which has to follow once the file is
    /// known to be a store.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let found = std::fs::metadata(path).map_err(|why| open(path, why))?;
        if !found.is_file() {
            return Err(open(path, io::Error::other("it is no regular file")));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        connection.execute_batch(
            "PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON; PRAGMA cache_size = -16000;",
        )?;
        Ok(Self { connection, path: path.to_owned(), identity: identity(&found), claim: None })
    }

    /// Makes a file if there is none.
    pub(crate) fn make(path: &Path) -> Result<(), StoreError> {
        match std::fs::metadata(path) {
            // Only a file that nobody has open: closing it here would take SQLite's POSIX locks from this process.
            Err(why) if why.kind() == io::ErrorKind::NotFound => {
                make_private(path).map_err(|why| open(path, why))
            }
            found => found.map(drop).map_err(|why| open(path, why)),
        }
    }

    /// Moves a damaged file out of the way, with what belongs to it; where it is then.
    pub(crate) fn set_aside(path: &Path, unix_millis: u64) -> Result<PathBuf, StoreError> {
        let aside = beside(path, &format!(".damaged-{unix_millis}"));
        for suffix in ["", "-wal", "-shm"] {
            match std::fs::rename(beside(path, suffix), beside(&aside, suffix)) {
                Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(open(path, why)),
                _ => {}
            }
        }
        Ok(aside)
    }
}

fn open(path: &Path, why: io::Error) -> StoreError {
    StoreError::Open { path: path.to_owned(), why }
}

fn identity(of: &Metadata) -> (u64, u64) {
    (of.dev(), of.ino())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Makes a file, and its folder, that nobody else may read. Made by root, it belongs to the folder's owner, who is to
/// run Sidetone.
fn make_private(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    // Over a link, too, that leads to a file which is not there yet.
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    let owner = std::fs::metadata(folder)?;
    if std::fs::metadata(path)?.uid() != owner.uid() {
        // Only root can.
        let _ = std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid()));
    }
    Ok(())
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
        let touched =
            self.connection.prepare_cached(&numbered(sql))?.execute(params_from_iter(parameters))?;
        Ok(touched as u64)
    }

    fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        // A transaction that begins by reading can't go on to write once another connection has written meanwhile.
        let sql = if sql == "BEGIN" { "BEGIN IMMEDIATE" } else { sql };
        Ok(self.connection.execute_batch(sql)?)
    }

    fn upkeep(&mut self, sql: &str) -> Result<(), StoreError> {
        self.batch(sql)
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
        let mut statement = self.connection.prepare_cached(&numbered(sql))?;
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

    fn settle(&mut self) -> Result<(), StoreError> {
        // Deleted content is overwritten: an erasure must not leave it in free pages. The write-ahead log lets pages be
        // read while events are written. FULL, since what is acknowledged to the spool must not be lost with the power.
        self.connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;",
        )?;
        // A file that was made by hand or restored may be open to all; what customers felt is nobody else's business.
        for suffix in ["", "-wal", "-shm"] {
            let path = beside(&self.path, suffix);
            let Ok(found) = std::fs::metadata(&path) else { continue };
            if found.mode() & 0o077 != 0 {
                let _ = std::fs::set_permissions(&path, Permissions::from_mode(0o600));
            }
        }
        Ok(())
    }

    fn vacuum(&mut self) -> Result<(), StoreError> {
        self.connection.execute_batch("VACUUM")?;
        self.overwrite_erased()
    }

    /// One process feeds the file, whatever its feed is called: two would wait for each other at every event.
    fn claim(&mut self, _feed: &str) -> Result<bool, StoreError> {
        let path = beside(&self.path, ".lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(|why| open(&path, why))?;
        match file.try_lock() {
            Ok(()) => {
                self.claim = Some(file);
                Ok(true)
            }
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(why)) => Err(open(&path, why)),
        }
    }

    fn is_in_place(&self) -> Result<(), StoreError> {
        match std::fs::metadata(&self.path) {
            Ok(found) if identity(&found) != self.identity || found.len() == 0 => {
                Err(StoreError::Gone(self.path.clone()))
            }
            Err(why) if why.kind() == io::ErrorKind::NotFound => Err(StoreError::Gone(self.path.clone())),
            // A file that can't be asked about is not known to be gone.
            _ => Ok(()),
        }
    }

    /// Brings the write-ahead log into the file and empties it: what was erased in the file still stands in the log. A
    /// reader in between puts that off; the next time is at the next upkeep.
    fn overwrite_erased(&mut self) -> Result<(), StoreError> {
        match self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(()),
            done => Ok(done?),
        }
    }
}
