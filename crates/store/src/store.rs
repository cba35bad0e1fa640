//! The store: a database that is one of Sidetone's.

use std::path::PathBuf;

use serde::Serialize;
use sidetone_events::Secret;
use sidetone_spool::Position;

use crate::config::StoreConfig;
use crate::connection::Connection;
use crate::database::{Database, PostgreSql, Sqlite};
use crate::error::StoreError;
use crate::schema::{self, Making};

/// What stands behind the path of a store in the names of files that belong to it.
pub const BESIDE: [&str; 4] = ["-wal", "-shm", "-journal", ".lock"];

/// A store, open.
pub struct Store {
    pub(crate) database: Box<dyn Database>,
    name: String,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store").field(&self.name).finish()
    }
}

/// The state of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The file, or `PostgreSQL`.
    pub name: String,
    /// The version of its schema.
    pub schema: i64,
    /// Calls.
    pub calls: u64,
    /// When the oldest of them began, in milliseconds since 1970.
    pub oldest: Option<u64>,
    /// When the newest began.
    pub newest: Option<u64>,
    /// Events of their timelines, affect included.
    pub events: u64,
    /// Bytes on the disk.
    pub bytes: u64,
    /// The spools that it is fed from.
    pub feeds: Vec<FeedStatus>,
}

/// How far the events of one spool are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FeedStatus {
    /// The node whose spool it is; empty for the one without a name.
    pub node: String,
    /// The last position in the spool that is in the store.
    pub position: Position,
    /// Events that were lost before they came here.
    pub lost: u64,
}

impl Store {
    /// Opens the store of a configuration; makes it if it is not there, and brings it forward if it is older.
    ///
    /// # Errors
    /// [`StoreError`]: it can't be reached, is another program's, or a newer one's.
    pub fn create(config: &StoreConfig) -> Result<Self, StoreError> {
        if let (Some(path), None) = (&config.path, &config.postgres) {
            Sqlite::make(path)?;
        }
        let mut store = Self::attach(config)?;
        let before = schema::version(store.database.as_mut(), &store.name)?.unwrap_or(0);
        store.database.settle()?;
        let is_older = (1..schema::VERSION).contains(&before);
        if is_older {
            tracing::info!(
                from = before,
                to = schema::VERSION,
                "bringing the store forward; with millions of calls this takes minutes, in which the spool keeps the events"
            );
        }
        schema::migrate(store.database.as_mut(), &store.name, &mut |making| {
            tracing::debug!(?making, "bringing the store forward");
        })?;
        if is_older {
            tracing::info!(schema = schema::VERSION, "the store has been brought forward");
        }
        Ok(store)
    }

    /// Opens a store that is there and up to date.
    ///
    /// # Errors
    /// As [`Self::create`], and [`StoreError::Older`].
    pub fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        let mut store = Self::attach(config)?;
        let found = schema::version(store.database.as_mut(), &store.name)?.unwrap_or(0);
        if found < schema::VERSION {
            return Err(StoreError::Older { found, known: schema::VERSION });
        }
        store.database.settle()?;
        Ok(store)
    }

    /// Whether a store can be reached, without making or changing anything: an empty database will do.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn examine(config: &StoreConfig) -> Result<(), StoreError> {
        if config.path.as_ref().is_some_and(|path| !path.exists()) {
            return Ok(());
        }
        let ask = || {
            let mut store = Self::attach(config)?;
            schema::version(store.database.as_mut(), &store.name).map(drop)
        };
        // On a thread of its own, since PostgreSQL's client must not be used from an asynchronous one.
        std::thread::scope(|scope| {
            let asked = std::thread::Builder::new().spawn_scoped(scope, ask).map_err(StoreError::Thread)?;
            asked.join().unwrap_or_else(|_| Err(StoreError::Thread(std::io::Error::other("it panicked"))))
        })
    }

    pub(crate) fn attach(config: &StoreConfig) -> Result<Self, StoreError> {
        let Some(connection) = &config.postgres else {
            let path = config.path.clone().unwrap_or_else(|| PathBuf::from("store.db"));
            let name = format!("`{}`", path.display());
            return Ok(Self { database: Box::new(Sqlite::open(&path)?), name });
        };
        let mut parsed = Connection::parse(connection)?;
        if let Some(path) = &config.postgres_password_file {
            let unreadable = |why| StoreError::Password { path: path.clone(), why };
            parsed = parsed.with_password(Secret::in_file(path).reveal(1).map_err(unreadable)?.bytes());
        }
        Ok(Self { database: Box::new(PostgreSql::connect(&parsed)?), name: "PostgreSQL".to_owned() })
    }

    /// Brings a store forward, or makes it; the version that it had before, and has now. `told` has each statement
    /// before it is made: with millions of calls some take a minute.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn migrate(config: &StoreConfig, told: &mut dyn FnMut(&Making)) -> Result<(i64, i64), StoreError> {
        if let (Some(path), None) = (&config.path, &config.postgres) {
            Sqlite::make(path)?;
        }
        let mut store = Self::attach(config)?;
        let before = schema::version(store.database.as_mut(), &store.name)?.unwrap_or(0);
        store.database.settle()?;
        // One that is made has no rows, and nothing to wait for.
        let mut quietly = |_: &Making| {};
        let told: &mut dyn FnMut(&Making) = if before == 0 { &mut quietly } else { told };
        schema::migrate(store.database.as_mut(), &store.name, told)?;
        Ok((before, schema::VERSION))
    }

    /// What is in it.
    ///
    /// # Errors
    /// The database's.
    pub fn status(&mut self) -> Result<Status, StoreError> {
        let schema = schema::version(self.database.as_mut(), &self.name)?.unwrap_or(0);
        let counts = self.database.query("SELECT COUNT(*), MIN(started), MAX(started) FROM calls", &[])?;
        let sql = "SELECT (SELECT COUNT(*) FROM events) + (SELECT COUNT(*) FROM affect)";
        let events = self.database.query(sql, &[])?;
        let feeds = self.database.query("SELECT name, position, lost FROM feeds ORDER BY name", &[])?;
        let (Some(counts), Some(events)) = (counts.first(), events.first()) else {
            return Err(StoreError::Column { column: 0 });
        };
        let unsigned = |value: i64| u64::try_from(value).unwrap_or_default();
        Ok(Status {
            name: self.name.clone(),
            schema,
            calls: unsigned(counts.int(0)?),
            oldest: counts.maybe_int(1)?.map(unsigned),
            newest: counts.maybe_int(2)?.map(unsigned),
            events: unsigned(events.int(0)?),
            bytes: self.database.bytes()?,
            feeds: feeds
                .iter()
                .map(|row| {
                    let (position, lost) = (Position(unsigned(row.int(1)?)), unsigned(row.int(2)?));
                    Ok(FeedStatus { node: row.text(0)?, position, lost })
                })
                .collect::<Result<_, StoreError>>()?,
        })
    }

    /// Gives the room of deleted content back, and overwrites it.
    ///
    /// # Errors
    /// The database's: it must not be in use by others for long.
    pub fn vacuum(&mut self) -> Result<(), StoreError> {
        self.database.vacuum()
    }
}
