//! The file of a journal.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, OpenOptions, TryLockError};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};
use sidetone_call::CallKey;
use sidetone_drill::Fault;

use crate::clock;
use crate::config::JournalConfig;
use crate::error::JournalError;
use crate::part::Part;
use crate::seal::{Seal, is_sealed};

/// Marks an SQLite file as a journal: "stjo".
const APPLICATION: u32 = 0x7374_6a6f;
/// The format of the file and of what stands in it. A process carries on what one of the same format has written.
pub const FORMAT: u32 = 1;
/// After so many processes in a row that broke down over them, calls are given up: a call must not keep Sidetone from
/// starting.
const MOST_TRIES: u32 = 3;
/// What stands behind the path in the names of files that belong to it.
pub const BESIDE: [&str; 4] = ["-wal", "-journal", ".damaged", ".lock"];
/// Where SQLite's file format has the application's number, and how SQLite files begin.
const APPLICATION_AT: usize = 68;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What stands in a journal of one call.
pub type Parts = BTreeMap<Part, Vec<u8>>;

/// Whether the calls in a journal may be carried on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// There was no journal.
    New,
    /// The process before ended a moment ago.
    GoesOn,
    /// They are over, for this reason: they are to be closed.
    Over(&'static str),
    /// They were written in another format, and can't be read.
    Unreadable,
}

/// What the process before has left.
#[derive(Debug)]
pub struct Life {
    /// Whether its calls may be carried on.
    pub standing: Standing,
    /// Zero of its clock, and of this process's if its calls are carried on; else this moment.
    pub epoch: Instant,
    /// When it was last known to be alive, on its own clock.
    pub alive: Duration,
    /// Its calls.
    pub calls: BTreeMap<CallKey, Parts>,
}

/// A journal's file, open.
#[derive(Debug)]
pub(crate) struct File {
    path: PathBuf,
    /// Device and inode, by which it is known whether the file is still there.
    place: (u64, u64),
    connection: Connection,
    epoch: Instant,
    /// Locked for as long as this process has the journal. SQLite's own locks go when anybody in the process opens the
    /// file and closes it again (fcntl(2)).
    _lock: fs::File,
}

/// One change of what stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Write(Vec<u8>),
    Erase,
}

/// Whether [`crate::Journal::open`] would find a file that is none of ours, or too new. Makes and changes nothing.
///
/// # Errors
/// The same as opening it.
pub fn examine(path: &Path) -> Result<(), JournalError> {
    let mut head = Vec::new();
    match fs::File::open(path) {
        Ok(file) => file.take(100).read_to_end(&mut head).map(|_| ())?,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(why) => return Err(JournalError::Open { path: path.to_owned(), why }),
    }
    let word = |at: usize| {
        head.get(at..at + 4).and_then(|word| word.try_into().ok()).map(u32::from_be_bytes).unwrap_or_default()
    };
    match word(APPLICATION_AT) {
        _ if head.is_empty() => Ok(()),
        APPLICATION if head.starts_with(MAGIC) => Ok(()),
        _ => Err(JournalError::Foreign(path.to_owned())),
    }
}

impl File {
    /// Opens a journal, or makes one, and reads what the process before has left.
    pub(crate) fn open(config: &JournalConfig) -> Result<(Self, Life), JournalError> {
        match Self::open_whole(config) {
            Err(error) if error.is_damage() => {
                let aside = beside(&config.path, ".damaged");
                tracing::error!(
                    %error, aside = %aside.display(),
                    "the call journal is damaged and is moved aside: calls from before are not carried on"
                );
                fs::rename(&config.path, aside)?;
                let _ = fs::remove_file(beside(&config.path, "-wal"));
                Self::open_whole(config)
            }
            opened => opened,
        }
    }

    fn open_whole(config: &JournalConfig) -> Result<(Self, Life), JournalError> {
        let path = &config.path;
        let cant_open = |why| JournalError::Open { path: path.to_owned(), why };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(cant_open)?;
        }
        let lock = beside(path, ".lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(lock);
        let lock = lock.map_err(cant_open)?;
        if let Err(why) = lock.try_lock() {
            return Err(match why {
                TryLockError::WouldBlock => JournalError::Held(path.to_owned()),
                TryLockError::Error(why) => cant_open(why),
            });
        }
        examine(path)?;
        let connection = connect(path)?;
        let format: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if format > FORMAT {
            return Err(JournalError::Newer { path: path.to_owned(), found: format, known: FORMAT });
        }
        let life = match format {
            0 => Life::none(Standing::New),
            FORMAT => life(&connection, config)?,
            _ => Life::none(Standing::Unreadable),
        };
        let place = place(path)?;
        let mut file = Self { path: path.to_owned(), place, connection, epoch: life.epoch, _lock: lock };
        file.begin(&life)?;
        // Only now, so that the file itself says whose it is, however this process ends.
        file.connection.execute_batch("PRAGMA journal_mode = WAL")?;
        Ok((file, life))
    }

    /// Makes the tables where there are none, and counts another try. Whose the file is, and when that was alive, stays
    /// as it was until what became of its calls is settled: a start that fails makes no call younger.
    fn begin(&mut self, life: &Life) -> Result<(), JournalError> {
        let transaction = self.connection.transaction()?;
        if matches!(life.standing, Standing::New | Standing::Unreadable) {
            transaction.execute_batch(&format!(
                "DROP TABLE IF EXISTS life; DROP TABLE IF EXISTS parts; \
                 CREATE TABLE life (boot TEXT, epoch INTEGER NOT NULL, alive INTEGER NOT NULL, \
                 tries INTEGER NOT NULL) STRICT; \
                 CREATE TABLE parts (call INTEGER NOT NULL, part INTEGER NOT NULL, content BLOB NOT NULL, \
                 PRIMARY KEY (call, part)) STRICT, WITHOUT ROWID; \
                 PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT};"
            ))?;
        }
        transaction.execute("UPDATE life SET tries = tries + 1", [])?;
        transaction.commit()?;
        Ok(())
    }

    /// The calls of the process before are settled: from here on the file is this one's.
    pub(crate) fn sign(&mut self) -> Result<(), JournalError> {
        let unclear = || std::io::Error::other("the system's clock can't be read");
        let (epoch, alive) = (clock::at(self.epoch), clock::at(Instant::now()));
        let (epoch, alive) = (epoch.ok_or_else(unclear)?, alive.ok_or_else(unclear)?);
        let transaction = self.connection.transaction()?;
        transaction.execute("DELETE FROM life", [])?;
        transaction.execute(
            "INSERT INTO life (boot, epoch, alive, tries) VALUES (?1, ?2, ?3, 0)",
            params![clock::boot(), nanos(epoch), nanos(alive)],
        )?;
        transaction.commit()?;
        Ok(())
    }

    /// Brings all to the file itself, and empties the log beside it, so that nothing of what was erased is left.
    pub(crate) fn tidy(&self) -> Result<(), JournalError> {
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }

    /// Removes the file: what stands there is not true any more, and must not be carried on.
    pub(crate) fn destroy(&self) {
        for path in [self.path.clone(), beside(&self.path, "-wal")] {
            let _ = fs::remove_file(path);
        }
    }

    /// Begins the file again after [`Self::destroy`]; it is not this process's before [`Self::sign`].
    pub(crate) fn begin_anew(&mut self) -> Result<(), JournalError> {
        self.destroy();
        let epoch = self.epoch;
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        self.connection = connect(&self.path)?;
        self.place = place(&self.path)?;
        self.begin(&Life { epoch, ..Life::none(Standing::New) })?;
        self.connection.execute_batch("PRAGMA journal_mode = WAL")?;
        Ok(())
    }

    /// Writes down changes and, once the file is this process's, that it is alive.
    pub(crate) fn write(
        &mut self,
        changes: &BTreeMap<(CallKey, Part), Change>,
        signed: bool,
    ) -> Result<(), JournalError> {
        sidetone_drill::room_on_disk(Fault::DiskFull)?;
        if place(&self.path).ok() != Some(self.place) {
            // What is written would be in a file that the next process does not find.
            return Err(std::io::Error::other("the file was moved or deleted").into());
        }
        let transaction = self.connection.transaction()?;
        for ((call, part), change) in changes {
            let call = call.0.cast_signed();
            match change {
                Change::Write(content) => transaction
                    .prepare_cached(
                        "INSERT INTO parts (call, part, content) VALUES (?1, ?2, ?3) \
                         ON CONFLICT (call, part) DO UPDATE SET content = ?3",
                    )?
                    .execute(params![call, part.number(), content])?,
                Change::Erase => transaction
                    .prepare_cached("DELETE FROM parts WHERE call = ?1 AND part = ?2")?
                    .execute(params![call, part.number()])?,
            };
        }
        if let Some(alive) = clock::at(Instant::now()).filter(|_| signed) {
            transaction.prepare_cached("UPDATE life SET alive = ?1")?.execute(params![nanos(alive)])?;
        }
        transaction.commit()?;
        Ok(())
    }
}

impl Life {
    /// Opens what is sealed. What can't be opened is as if it was not there; its places are given.
    pub(crate) fn unseal(&mut self, seal: Option<&Seal>) -> Vec<(CallKey, Part)> {
        let mut closed = Vec::new();
        for (call, parts) in &mut self.calls {
            for (part, content) in parts.iter_mut().filter(|(_, content)| is_sealed(content)) {
                match seal.and_then(|seal| seal.open(*call, *part, content)) {
                    Some(opened) => *content = opened,
                    None => closed.push((*call, *part)),
                }
            }
        }
        for (call, part) in &closed {
            self.calls.get_mut(call).map(|parts| parts.remove(part));
        }
        if !closed.is_empty() {
            tracing::warn!(
                parts = closed.len(),
                "what holds keys of calls can't be opened: the dialog key is another one than before, or none"
            );
        }
        closed
    }

    fn none(standing: Standing) -> Self {
        Self { standing, epoch: Instant::now(), alive: Duration::ZERO, calls: BTreeMap::new() }
    }
}

/// Reads what the process before has left.
fn life(connection: &Connection, config: &JournalConfig) -> Result<Life, JournalError> {
    let row = connection
        .query_row("SELECT boot, epoch, alive, tries FROM life", [], |row| {
            Ok((row.get::<_, Option<String>>(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((boot, epoch, alive, tries)): Option<(_, i64, i64, u32)> = row else {
        return Ok(Life::none(Standing::New));
    };
    let (epoch, alive) = (duration(epoch), duration(alive));
    let mut calls: BTreeMap<CallKey, Parts> = BTreeMap::new();
    let mut select = connection.prepare("SELECT call, part, content FROM parts")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (call, part): (i64, i64) = (row.get(0)?, row.get(1)?);
        let Some(part) = Part::of_number(part) else { continue };
        calls.entry(CallKey(call.cast_unsigned())).or_default().insert(part, row.get(2)?);
    }
    let age = clock::instant(alive).map(|alive| alive.elapsed());
    let (standing, epoch_instant) = match (clock::instant(epoch), age) {
        _ if tries >= MOST_TRIES => (Standing::Over("processes have broken down over them"), None),
        _ if boot.is_none() || boot != clock::boot() => {
            (Standing::Over("the machine has started anew"), None)
        }
        (Some(epoch), Some(age)) if age <= Duration::from_secs(config.keep_seconds.into()) => {
            (Standing::GoesOn, Some(epoch))
        }
        _ => (Standing::Over("nobody has carried them on for longer than journal.keep_seconds"), None),
    };
    Ok(Life {
        standing,
        epoch: epoch_instant.unwrap_or_else(Instant::now),
        alive: alive.saturating_sub(epoch),
        calls,
    })
}

fn place(path: &Path) -> std::io::Result<(u64, u64)> {
    fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

/// Opens the database, or makes it.
fn connect(path: &Path) -> Result<Connection, JournalError> {
    // Made here, so that nobody else can read it from its first moment on.
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    made.map_err(|why| JournalError::Open { path: path.to_owned(), why })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    let held = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => JournalError::Held(path.to_owned()),
        _ => error.into(),
    };
    // One process alone: the lock is kept until the end of the process, however it ends. What has reached the system
    // outlives the process; to wait for the disk would guard against the end of the machine, which no call outlives.
    connection
        .execute_batch(
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = OFF; PRAGMA secure_delete = ON; \
             PRAGMA temp_store = MEMORY; BEGIN EXCLUSIVE; COMMIT;",
        )
        .map_err(held)?;
    Ok(connection)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn nanos(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

fn duration(nanos: i64) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}
