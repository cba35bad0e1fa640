//! The log of receipts: a folder of append-only files, one a day, whose lines are chained by hashes.
//!
//! ```text
//! 2026-11-23-000000000001.jsonl    the day it was begun (UTC), and the number of its first line
//! 2026-11-24-000000004711.jsonl
//! head.json                        number and hash of the newest line
//! lock                             held by the one process that writes
//! ```
//!
//! # Guarantees and limits
//!
//! - A changed, removed, inserted or reordered line is found, since each line's hash covers the hash before it.
//! - Lines cut off at the end are found, since `head.json` records the newest one.
//! - An attacker who can write to the whole folder can write a new chain with a new head. That is found only by
//!   comparing with a head that was noted elsewhere: hence [`verify`] takes one, and operators are advised to have the
//!   head of each day mailed or printed.
//! - It proves that nothing was changed since, not that the content was true.

mod file;
pub(crate) mod line;
mod verify;
mod writer;

use std::fs::{self, File, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sidetone_drill::Fault;

pub use line::{Entry, Line};
pub use verify::{Findings, Noted, Problem, Report, find, verify};
pub use writer::{Counters, Store, Trouble, Writer};

use crate::hex;
use crate::moment::Moment;
use crate::receipt::Receipt;
use file::{HEAD, LOCK, Segment, read_head, segments, write_head};

/// The newest line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The log's id.
    pub log: String,
    /// The line's number.
    pub seq: u64,
    /// The line's hash, in hexadecimal.
    pub hash: String,
}

/// A file of the log begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// The log's id: 128 random bits, in hexadecimal.
    pub log: String,
    /// The time.
    pub at: Moment,
    /// The writing build.
    pub build: String,
    /// The damage of the previous file, if any: the file is left as it is for [`verify`] to judge.
    pub after: Option<String>,
}

/// Receipts could not be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lost {
    /// Their number.
    pub receipts: u64,
}

/// A line that a crash had cut short was removed. Its call's receipt had not been confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recovered {
    /// The time.
    pub at: Moment,
    /// Bytes of the removed line.
    pub bytes: u64,
}

/// Files were deleted because their retention time was over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expired {
    /// The time.
    pub at: Moment,
    /// The files.
    pub files: Vec<String>,
    /// Number of the last line deleted.
    pub through: u64,
    /// The hash of that line, to which the first remaining line refers.
    pub through_hash: String,
}

/// Why the log can't be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A file can't be read or written.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: io::Error,
    },
    /// Another process has the log open for writing.
    #[error("{} is held by another process; two can't write to one log", .0.display())]
    Locked(PathBuf),
    /// The system gives no random numbers.
    #[error("no random id can be had for a new log: {0}")]
    NoRandom(getrandom::Error),
    /// Writing has panicked.
    #[error("writing has panicked; this is a bug, please report it with the lines above")]
    Panicked,
    /// A record can't be serialized.
    #[error("a record can't be written down: {0}")]
    Json(#[from] serde_json::Error),
}

/// The findings of [`Log::open`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// Whether the log is new.
    pub new: bool,
    /// Bytes of a line cut short by a crash, which were removed.
    pub recovered: Option<u64>,
    /// The damage of the newest file: the log goes on in another one. An operator should run `verify`.
    pub damage: Option<String>,
}

/// The log, open for writing. An appended line is safe once [`Log::sync`] has returned.
#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    build: String,
    file: File,
    path: PathBuf,
    /// Bytes of complete lines in the file.
    length: u64,
    day: String,
    newest: Head,
    /// The newest line on disk.
    head: Head,
    _lock: File,
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, LogError> {
    result.map_err(|why| LogError::File { path: path.to_owned(), why })
}

impl Log {
    /// Opens the log in `folder`, or begins one. `build` names the program.
    ///
    /// # Errors
    /// When the folder can't be used, or another process has the log open. A damaged log is no error: [`Opened`]
    /// reports it, and receipts continue to be kept.
    pub fn open(folder: &Path, build: &str, now: Moment) -> Result<(Self, Opened), LogError> {
        // Long: the states that a folder may be found in, in the order in which they are told apart.
        at(folder, fs::create_dir_all(folder))?;
        let lock_path = folder.join(LOCK);
        let lock = at(&lock_path, File::options().create(true).truncate(false).write(true).open(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LogError::Locked(folder.to_owned())),
            Err(TryLockError::Error(why)) => return Err(LogError::File { path: lock_path, why }),
        }
        let noted = read_head(folder)?;
        let found = segments(folder)?;
        let mut opened = Opened::default();
        let Some(last) = found.last() else {
            let log = match noted {
                // A head without files: they were removed. Continuing under the same id keeps that visible.
                Some(head) => {
                    opened.damage = Some(format!("no file is left of {} lines", head.seq));
                    head
                }
                None => {
                    opened.new = true;
                    Head { log: new_id()?, seq: 0, hash: line::NOTHING.to_owned() }
                }
            };
            let log = Self::begin(folder, build, now, log, opened.damage.clone(), lock)?;
            return Ok((log, opened));
        };
        let state = last.inspect(noted.as_ref())?;
        let newest = match (state.head.clone(), noted) {
            (Some(found), Some(noted)) if noted.seq > found.seq => Some(noted),
            (found, noted) => found.or(noted),
        };
        let length = match (&state.damage, state.length) {
            (None, length) if length > 0 => length,
            (damage, _) => {
                opened.damage.clone_from(damage);
                if damage.is_none() {
                    // A crash came before the first line was complete.
                    at(&last.path, fs::remove_file(&last.path))?;
                }
                let head = match newest {
                    Some(head) => head,
                    None => {
                        let (seq, hash) = (last.first.saturating_sub(1), line::NOTHING.to_owned());
                        Head { log: new_id()?, seq, hash }
                    }
                };
                let log = Self::begin(folder, build, now, head, opened.damage.clone(), lock)?;
                return Ok((log, opened));
            }
        };
        let Some(head) = newest else {
            let why = io::Error::new(io::ErrorKind::InvalidData, "its lines can't be told");
            return Err(LogError::File { path: last.path.clone(), why });
        };
        let mut file = at(&last.path, File::options().read(true).write(true).open(&last.path))?;
        if state.torn > 0 {
            at(&last.path, file.set_len(length))?;
            opened.recovered = Some(state.torn);
        }
        at(&last.path, file.seek(SeekFrom::Start(length)))?;
        if state.unended {
            at(&last.path, file.write_all(b"\n"))?;
        }
        let mut log = Self {
            folder: folder.to_owned(),
            build: build.to_owned(),
            file,
            path: last.path.clone(),
            length: length + u64::from(state.unended),
            day: last.day.clone(),
            newest: head.clone(),
            head,
            _lock: lock,
        };
        if let Some(bytes) = opened.recovered {
            log.write(Entry::Recovered(Recovered { at: now, bytes }))?;
        }
        log.sync()?;
        Ok((log, opened))
    }

    /// Checks an existing log as [`Self::open`] does, without locking or writing it: another process may hold it.
    ///
    /// # Errors
    /// Any fault that would keep the log from being opened.
    pub fn examine(folder: &Path) -> Result<(), LogError> {
        let there = match fs::metadata(folder) {
            Ok(there) => there,
            // The folder will be made, unless a dangling link stands there.
            Err(why) if why.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(folder).is_err() => {
                return Ok(());
            }
            Err(why) => return Err(LogError::File { path: folder.to_owned(), why }),
        };
        if !there.is_dir() {
            return at(folder, Err(io::ErrorKind::NotADirectory.into()));
        }
        let lock = folder.join(LOCK);
        if lock.exists() {
            at(&lock, File::options().write(true).open(&lock))?;
        }
        let noted = read_head(folder)?;
        if let Some(last) = segments(folder)?.last() {
            last.inspect(noted.as_ref())?;
            at(&last.path, File::options().read(true).write(true).open(&last.path))?;
        }
        Ok(())
    }

    fn begin(
        folder: &Path,
        build: &str,
        now: Moment,
        head: Head,
        after: Option<String>,
        lock: File,
    ) -> Result<Self, LogError> {
        let (path, file) = Segment::create(folder, &now.day(), head.seq + 1)?;
        let mut log = Self {
            folder: folder.to_owned(),
            build: build.to_owned(),
            file,
            path,
            length: 0,
            day: now.day(),
            newest: head.clone(),
            head,
            _lock: lock,
        };
        log.opening(now, after)?;
        log.sync()?;
        Ok(log)
    }

    fn opening(&mut self, at: Moment, after: Option<String>) -> Result<(), LogError> {
        let (log, build) = (self.newest.log.clone(), self.build.clone());
        self.write(Entry::Opening(Opening { log, at, build, after }))
    }

    /// Adds a receipt.
    ///
    /// # Errors
    /// When the receipt can't be written; the log stays as it was.
    pub fn append(&mut self, receipt: &Receipt) -> Result<(), LogError> {
        let day = receipt.ended.day();
        // After the clock was set back, no file begins among older ones.
        if day > self.day {
            self.turn_over(receipt.ended, day)?;
        }
        self.write(Entry::Receipt(Box::new(receipt.clone())))
    }

    /// Notes that receipts were lost.
    ///
    /// # Errors
    /// When that can't be written either.
    pub fn append_lost(&mut self, receipts: u64) -> Result<(), LogError> {
        self.write(Entry::Lost(Lost { receipts }))
    }

    fn turn_over(&mut self, now: Moment, day: String) -> Result<(), LogError> {
        self.sync()?;
        let (path, file) = Segment::create(&self.folder, &day, self.newest.seq + 1)?;
        (self.path, self.file, self.length, self.day) = (path, file, 0, day);
        self.opening(now, None)
    }

    fn write(&mut self, entry: Entry) -> Result<(), LogError> {
        at(&self.path, sidetone_drill::room_on_disk(Fault::Receipts))?;
        let line = Line::write(self.newest.seq + 1, &self.newest.hash, entry)?;
        let bytes = format!("{}\n", line.text);
        let mut written = self.file.seek(SeekFrom::Start(self.length)).map(drop);
        if written.is_ok() {
            written = self.file.write_all(bytes.as_bytes());
        }
        if let Err(why) = written {
            // A partial line must not stand before the next one. If this fails too, the next line is written over it.
            let _ = self.file.set_len(self.length);
            return Err(LogError::File { path: self.path.clone(), why });
        }
        self.length += bytes.len() as u64;
        (self.newest.seq, self.newest.hash) = (line.seq, line.hash);
        Ok(())
    }

    /// Syncs every appended line to the disk, and the head after them.
    ///
    /// # Errors
    /// When that fails.
    pub fn sync(&mut self) -> Result<(), LogError> {
        at(&self.path, self.file.sync_data())?;
        if self.head != self.newest || !self.folder.join(HEAD).exists() {
            write_head(&self.folder, &self.newest)?;
            self.head = self.newest.clone();
        }
        Ok(())
    }

    /// Deletes files whose last day is more than `days` days before `now`, and notes it in the log. Only whole files
    /// are deleted, and never the newest.
    ///
    /// # Errors
    /// When a file can't be deleted.
    pub fn expire(&mut self, now: Moment, days: u32) -> Result<Vec<PathBuf>, LogError> {
        let limit = now.days_before(days).day();
        let all = segments(&self.folder)?;
        let mut old = Vec::new();
        let mut through = None;
        for (segment, next) in all.iter().zip(all.iter().skip(1)) {
            // A file holds the lines from before the next one began.
            if next.day >= limit {
                break;
            }
            through = next.first_line()?.map(|line| (next.first.saturating_sub(1), line.previous));
            if through.is_none() {
                break;
            }
            old.push(segment.path.clone());
        }
        let Some((through, through_hash)) = through.filter(|_| !old.is_empty()) else {
            return Ok(Vec::new());
        };
        let name = |path: &PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let files = old.iter().filter_map(name).collect();
        // Noted first: an unnoted deletion would look like a manipulation.
        self.write(Entry::Expired(Expired { at: now, files, through, through_hash }))?;
        self.sync()?;
        for path in &old {
            at(path, fs::remove_file(path))?;
        }
        Ok(old)
    }

    /// The newest line on disk.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }
}

fn new_id() -> Result<String, LogError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(LogError::NoRandom)?;
    Ok(hex::encode(&id))
}
