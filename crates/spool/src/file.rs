//! The file of a spool: an SQLite database that its writer and its readers have open at once.

mod opening;
mod schema;
mod trim;

pub use opening::BESIDE;
pub(crate) use opening::{Predecessor, WriterLock};

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params};
use serde::Serialize;
use sidetone_events::{CallId, Event, EventId, Timestamp};

use crate::entry::{Content, Entry, Page, Position};
use crate::error::SpoolError;

/// The longest name of a reader, in bytes.
const LONGEST_NAME: usize = 64;

/// A spool's file, open.
#[derive(Debug)]
pub struct SpoolFile {
    /// Links followed.
    path: PathBuf,
    identity: Identity,
    connection: Connection,
}

/// Device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity(u64, u64);

/// What is written at once.
#[derive(Debug, Default)]
pub struct Batch {
    /// Events before these that were lost on the way. Their positions are skipped, so that readers learn of them.
    pub lost: u64,
    /// The items in order.
    pub items: Vec<Item>,
}

/// One item to be written.
#[derive(Debug)]
pub enum Item {
    /// An event.
    Event(Box<Event>),
    /// All inferences about a call, in events before the one of that number, are erased.
    Erasure(CallId, u64),
}

/// The name of a reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ReaderName(String);

impl FromStr for ReaderName {
    type Err = SpoolError;

    fn from_str(text: &str) -> Result<Self, SpoolError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if text.is_empty() || text.len() > LONGEST_NAME || !text.bytes().all(fits) {
            return Err(SpoolError::Name(text.chars().take(LONGEST_NAME).collect()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl std::fmt::Display for ReaderName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The progress of a reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReaderState {
    /// The reader's name.
    pub name: String,
    /// The last position that it has acknowledged.
    pub position: Position,
    /// The number of positions behind that one.
    pub behind: u64,
    /// The time of its last acknowledgement.
    pub acknowledged: Timestamp,
}

/// The state of a spool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Number of entries.
    pub entries: u64,
    /// Bytes of the entries.
    pub bytes: u64,
    /// The position of the oldest entry.
    pub first: Option<Position>,
    /// The last position that was assigned.
    pub last: Position,
    /// When the oldest entry was written.
    pub oldest: Option<Timestamp>,
    /// The spool's readers, by name.
    pub readers: Vec<ReaderState>,
}

impl SpoolFile {
    /// Where it stands.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes all of a batch, or nothing. An event that is in the file already is not written twice.
    ///
    /// # Errors
    /// [`SpoolError`]: no part is written, and the write can be tried again.
    pub fn write(&mut self, batch: &Batch, now: Timestamp) -> Result<(), SpoolError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut place = last_place(&transaction)?.saturating_add(to_sql(batch.lost));
        for item in &batch.items {
            let written = match item {
                Item::Event(event) => insert_event(&transaction, place + 1, event, now)?,
                Item::Erasure(call, before) => {
                    erase(&transaction, *call, *before)?;
                    insert_erasure(&transaction, place + 1, *call, *before, now)?
                }
            };
            place += i64::from(written);
        }
        transaction.commit()?;
        Ok(())
    }

    /// Whether the file has an entry for that erasure, or for a wider one of the same call.
    ///
    /// # Errors
    /// [`SpoolError::Database`].
    pub(crate) fn tells(&self, item: &Item) -> Result<bool, SpoolError> {
        let Item::Erasure(call, before) = item else { return Ok(false) };
        let told = self
            .connection
            .prepare_cached("SELECT 1 FROM entry WHERE call = ?1 AND seq >= ?2 AND event IS NULL LIMIT 1")?
            .exists(params![call.to_string(), to_sql(*before)])?;
        Ok(told)
    }

    /// Moves the content of the write-ahead log into the file, and empties the log: then neither holds erased data.
    /// `false` if a reader blocked it, so that it has to be repeated.
    ///
    /// # Errors
    /// [`SpoolError::Database`].
    pub fn checkpoint(&self) -> Result<bool, SpoolError> {
        // Waiting for a reader, it would keep everybody else from writing.
        let patience: i64 = self.connection.query_row("PRAGMA busy_timeout", [], |row| row.get(0))?;
        self.connection.busy_timeout(Duration::ZERO)?;
        let busy =
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        self.connection.busy_timeout(Duration::from_millis(from_sql(patience)))?;
        match busy {
            Ok(busy) => Ok(busy == 0),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// At most `most` entries after `after`.
    ///
    /// # Errors
    /// [`SpoolError`]: the file can't be read.
    pub fn read(&self, after: Position, most: usize) -> Result<Page, SpoolError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT position, call, seq, json FROM entry WHERE position > ?1 ORDER BY position LIMIT ?2",
        )?;
        let mut rows = statement.query(params![to_sql(after.0), i64::try_from(most).unwrap_or(i64::MAX)])?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next()? {
            let (place, call, seq): (i64, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let position = Position(from_sql(place));
            let call: CallId = call.parse().map_err(|_| SpoolError::Damaged(position.0))?;
            let content = match row.get::<_, Option<String>>(3)? {
                Some(json) => Content::Event { id: EventId { call, seq: from_sql(seq) }, json },
                None => Content::Erasure { call, before: before_from_sql(seq) },
            };
            entries.push(Entry { position, content });
        }
        let until = entries.last().map_or(after, |entry| entry.position);
        let lost = (until.0 - after.0).saturating_sub(entries.len() as u64);
        Ok(Page { entries, lost, until })
    }

    /// The position that a reader has acknowledged. A new reader begins before the oldest entry.
    ///
    /// # Errors
    /// [`SpoolError::Database`].
    pub fn position(&self, reader: &ReaderName) -> Result<Position, SpoolError> {
        let known = self
            .connection
            .query_row("SELECT position FROM reader WHERE name = ?1", [&reader.0], |row| row.get::<_, i64>(0))
            .optional()?;
        let place = match known {
            Some(place) => place,
            None => match self.edge("MIN")? {
                Some(first) => first - 1,
                None => last_place(&self.connection)?,
            },
        };
        Ok(Position(from_sql(place)))
    }

    /// Notes that a reader has kept everything up to `position`. Entries that all readers have kept may be deleted.
    ///
    /// # Errors
    /// [`SpoolError::Beyond`], [`SpoolError::Database`].
    pub fn acknowledge(
        &self,
        reader: &ReaderName,
        position: Position,
        now: Timestamp,
    ) -> Result<(), SpoolError> {
        let last = from_sql(last_place(&self.connection)?);
        if position.0 > last {
            return Err(SpoolError::Beyond { place: position.0, last });
        }
        self.connection.execute(
            "INSERT INTO reader (name, position, acknowledged) VALUES (?1, ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET position = MAX(position, excluded.position),
                                              acknowledged = excluded.acknowledged",
            params![reader.0, to_sql(position.0), to_sql(now.unix_millis())],
        )?;
        Ok(())
    }

    /// Forgets a reader: no entry is kept for it any more.
    ///
    /// # Errors
    /// [`SpoolError::Unknown`], [`SpoolError::Database`].
    pub fn forget(&self, reader: &ReaderName) -> Result<(), SpoolError> {
        match self.connection.execute("DELETE FROM reader WHERE name = ?1", [&reader.0])? {
            0 => Err(SpoolError::Unknown(reader.0.clone())),
            _ => Ok(()),
        }
    }

    /// The state of the spool.
    ///
    /// # Errors
    /// [`SpoolError::Database`].
    pub fn status(&self) -> Result<Status, SpoolError> {
        let count = |sql: &str| self.connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        let (first, last) = (self.edge("MIN")?, last_place(&self.connection)?);
        let oldest = self
            .connection
            .query_row("SELECT written FROM entry ORDER BY position LIMIT 1", [], |row| row.get::<_, i64>(0))
            .optional()?;
        let mut statement = self
            .connection
            .prepare_cached("SELECT name, position, acknowledged FROM reader ORDER BY name")?;
        let readers = statement.query_map([], |row| {
            let position: i64 = row.get(1)?;
            Ok(ReaderState {
                name: row.get(0)?,
                position: Position(from_sql(position)),
                behind: from_sql(last.saturating_sub(position)),
                acknowledged: Timestamp::from_unix_millis(from_sql(row.get(2)?)),
            })
        })?;
        Ok(Status {
            entries: from_sql(count("SELECT COUNT(*) FROM entry")?),
            bytes: self.bytes()?,
            first: first.map(|place| Position(from_sql(place))),
            last: Position(from_sql(last)),
            oldest: oldest.map(|at| Timestamp::from_unix_millis(from_sql(at))),
            readers: readers.collect::<Result<_, _>>()?,
        })
    }

    /// The last place that was ever given.
    ///
    /// # Errors
    /// [`SpoolError::Database`].
    pub(crate) fn last(&self) -> Result<Position, SpoolError> {
        Ok(Position(from_sql(last_place(&self.connection)?)))
    }

    /// Bytes of the pages in use.
    pub(crate) fn bytes(&self) -> Result<u64, SpoolError> {
        let pragma = |name: &str| {
            self.connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0)).map(from_sql)
        };
        let used = pragma("page_count")?.saturating_sub(pragma("freelist_count")?);
        Ok(used.saturating_mul(pragma("page_size")?))
    }

    /// The first or the last place in use, by `MIN` or `MAX`.
    fn edge(&self, which: &str) -> Result<Option<i64>, SpoolError> {
        let sql = format!("SELECT {which}(position) FROM entry");
        Ok(self.connection.query_row(&sql, [], |row| row.get(0))?)
    }
}

/// The last position that was ever assigned, whether or not its entry still exists.
fn last_place(connection: &Connection) -> Result<i64, SpoolError> {
    let last = connection
        .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'entry'", [], |row| row.get(0))
        .optional()?;
    Ok(last.unwrap_or(0))
}

fn insert_event(
    transaction: &Transaction<'_>,
    place: i64,
    event: &Event,
    now: Timestamp,
) -> Result<bool, SpoolError> {
    // Every event can be serialized; if one ever could not, no event is better than a broken one.
    let Ok(json) = serde_json::to_string(event) else { return Ok(false) };
    let mut insert = transaction.prepare_cached(
        "INSERT OR IGNORE INTO entry (position, event, call, seq, written, json) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let row = params![
        place,
        event.id.to_string(),
        event.call.id.to_string(),
        to_sql(event.seq),
        to_sql(now.unix_millis()),
        json
    ];
    Ok(insert.execute(row)? == 1)
}

fn insert_erasure(
    transaction: &Transaction<'_>,
    place: i64,
    call: CallId,
    before: u64,
    now: Timestamp,
) -> Result<bool, SpoolError> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO entry (position, event, call, seq, written, json) VALUES (?1, NULL, ?2, ?3, ?4, NULL)",
    )?;
    let row = params![place, call.to_string(), to_sql(before), to_sql(now.unix_millis())];
    Ok(insert.execute(row)? == 1)
}

/// Erases the inferences from a call's events whose numbers are below `before`.
fn erase(transaction: &Transaction<'_>, call: CallId, before: u64) -> Result<(), SpoolError> {
    let mut select = transaction.prepare_cached(
        "SELECT position, json FROM entry WHERE call = ?1 AND seq < ?2 AND json IS NOT NULL",
    )?;
    let rows = select.query_map(params![call.to_string(), to_sql(before)], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
    })?;
    for row in rows.collect::<Result<Vec<_>, _>>()? {
        let (place, json) = row;
        let redacted = match serde_json::from_str::<Event>(&json) {
            Ok(event) if !event.infers() => continue,
            Ok(event) => serde_json::to_string(&event.without_inferences()).ok(),
            Err(_) => None,
        };
        match redacted {
            Some(json) => {
                let mut update =
                    transaction.prepare_cached("UPDATE entry SET json = ?2 WHERE position = ?1")?;
                update.execute(params![place, json])?
            }
            // An event of another version that can't be parsed may hold anything: it is deleted.
            None => transaction.execute("DELETE FROM entry WHERE position = ?1", [place])?,
        };
    }
    Ok(())
}

/// SQLite's integers are signed. `u64::MAX` means no bound, and so does the largest of them.
fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn before_from_sql(number: i64) -> u64 {
    if number == i64::MAX { u64::MAX } else { from_sql(number) }
}

#[cfg(test)]
mod tests;
