//! Opening a spool, and making one where there is none.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params};
use sidetone_events::Timestamp;

use super::schema::{self, Owner};
use super::{Identity, ReaderState, SpoolFile, to_sql};
use crate::entry::Position;
use crate::error::SpoolError;

/// How long a reader waits for whoever writes.
const READER_WAITS: Duration = Duration::from_secs(10);
/// How long the writer waits for readers that acknowledge. What it could not write it tries again.
const WRITER_WAITS: Duration = Duration::from_secs(1);
/// Links that are followed before they count as a circle.
const MOST_LINKS: usize = 40;
/// What stands behind the path of a spool in the names of files that belong to it.
pub const BESIDE: [&str; 8] =
    ["-wal", "-shm", "-journal", ".new", ".new-journal", ".erasing", ".erasing.new", ".lock"];

/// What a new file goes on from, where the one before was lost.
#[derive(Debug, Clone, Default)]
pub(crate) struct Predecessor {
    /// The last place that was given.
    pub(crate) last: Position,
    /// Its readers.
    pub(crate) readers: Vec<ReaderState>,
}

impl SpoolFile {
    /// Opens a spool to write to, and makes it if there is no file.
    ///
    /// # Errors
    /// [`SpoolError`]: the file can't be had, is none of ours, or is damaged ([`SpoolError::is_damage`]).
    pub fn create(path: &Path) -> Result<Self, SpoolError> {
        Self::create_after(path, &Predecessor::default())
    }

    /// As [`Self::create`]. A file that is made goes on with the places and the readers of the one before, so that
    /// these know what they lack.
    pub(crate) fn create_after(path: &Path, before: &Predecessor) -> Result<Self, SpoolError> {
        let path = target(path)?;
        if owner(&path)? == Owner::Nobody {
            if fs::metadata(beside(&path, "-wal")).is_ok_and(|log| log.len() > 0) {
                // What stood in the file has been cut off, and the log's pages belong to it.
                return Err(SpoolError::Emptied(path));
            }
            return make(&path, before);
        }
        let file = Self::connect(&path, WRITER_WAITS)?;
        if schema::is_sound(&file.connection)? { Ok(file) } else { Err(SpoolError::Unsound(path)) }
    }

    /// Opens a spool that is there, as a reader.
    ///
    /// # Errors
    /// [`SpoolError`]: the file can't be had, or is none of ours.
    pub fn open(path: &Path) -> Result<Self, SpoolError> {
        match owner(path)? {
            Owner::Us => Self::connect(path, READER_WAITS),
            Owner::Nobody => {
                Err(SpoolError::Open { path: path.to_owned(), why: io::ErrorKind::NotFound.into() })
            }
        }
    }

    /// Whether [`Self::create`] would find a file that is none of ours, or too new. Makes and changes nothing.
    ///
    /// # Errors
    /// The same as [`Self::create`], but that damage shows only when it is opened.
    pub fn examine(path: &Path) -> Result<(), SpoolError> {
        let path = target(path)?;
        if owner(&path)? == Owner::Us {
            // Whether it can be written to is asked without opening it, by those who may ask the system for more than
            // the standard library does.
            return WriterLock::is_free(&path);
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let why = match fs::metadata(folder.unwrap_or(Path::new("."))) {
            Ok(folder) if folder.is_dir() => return Ok(()),
            Ok(_) => io::ErrorKind::NotADirectory.into(),
            Err(why) => why,
        };
        Err(SpoolError::Open { path, why })
    }

    fn connect(path: &Path, patience: Duration) -> Result<Self, SpoolError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(patience)?;
        schema::settings(&connection)?;
        let metadata = fs::metadata(path).map_err(|why| SpoolError::Open { path: path.to_owned(), why })?;
        Ok(Self { path: path.to_owned(), identity: Identity::of(&metadata), connection })
    }

    /// Whether the file that is open stands where it stood, and has not been cut short.
    ///
    /// # Errors
    /// [`SpoolError::Gone`], [`SpoolError::Emptied`].
    pub fn is_in_place(&self) -> Result<(), SpoolError> {
        let there = fs::metadata(&self.path);
        match there {
            Ok(there) if Identity::of(&there) != self.identity => Err(SpoolError::Gone(self.path.clone())),
            Ok(there) if there.len() == 0 => Err(SpoolError::Emptied(self.path.clone())),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Err(SpoolError::Gone(self.path.clone())),
            // What can't be asked is not known to be gone.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Moves a damaged spool out of the way, with what belongs to it. Returns where it is then.
    ///
    /// # Errors
    /// [`SpoolError::Open`]: it can't be moved.
    pub(crate) fn set_aside(path: &Path, now: Timestamp) -> Result<PathBuf, SpoolError> {
        let path = target(path)?;
        let aside = beside(&path, &format!(".damaged-{}", now.unix_millis()));
        for suffix in ["", "-wal", "-shm"] {
            move_aside(&path, &aside, suffix)?;
        }
        Ok(aside)
    }

    /// Moves what belonged to a file that is gone out of the way, if it is there.
    ///
    /// # Errors
    /// [`SpoolError::Open`]: it can't be moved.
    pub(crate) fn set_log_aside(path: &Path, now: Timestamp) -> Result<(), SpoolError> {
        let path = target(path)?;
        let aside = beside(&path, &format!(".damaged-{}", now.unix_millis()));
        ["-wal", "-shm"].into_iter().try_for_each(|suffix| move_aside(&path, &aside, suffix))
    }
}

fn move_aside(path: &Path, aside: &Path, suffix: &str) -> Result<(), SpoolError> {
    let moved = fs::rename(beside(path, suffix), beside(aside, suffix));
    ignore_missing(moved).map_err(|why| SpoolError::Open { path: path.to_owned(), why })
}

/// Keeps a second Sidetone from writing to the same spool. A file of its own: SQLite's locks are the database's.
#[derive(Debug)]
pub(crate) struct WriterLock {
    /// Locked for as long as it is open.
    _file: File,
}

impl WriterLock {
    /// # Errors
    /// [`SpoolError::Held`]: another process has it; [`SpoolError::Open`]: it can't be made.
    pub(crate) fn take(path: &Path) -> Result<Self, SpoolError> {
        let path = target(path)?;
        let lock = beside(&path, ".lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o640).open(&lock);
        let file = file.map_err(|why| SpoolError::Open { path: lock.clone(), why })?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(SpoolError::Held(path)),
            Err(TryLockError::Error(why)) => Err(SpoolError::Open { path: lock, why }),
        }
    }

    /// Whether no other process has it, found without making it.
    fn is_free(path: &Path) -> Result<(), SpoolError> {
        match File::open(beside(path, ".lock")).map(|file| file.try_lock()) {
            Ok(Err(TryLockError::WouldBlock)) => Err(SpoolError::Held(path.to_owned())),
            _ => Ok(()),
        }
    }
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self(metadata.dev(), metadata.ino())
    }
}

/// Makes a spool under another name, and gives it its own when it is whole: a file that is there is one that can be
/// read.
fn make(path: &Path, before: &Predecessor) -> Result<SpoolFile, SpoolError> {
    let open = |why| SpoolError::Open { path: path.to_owned(), why };
    let new = beside(path, ".new");
    for suffix in ["", "-journal"] {
        ignore_missing(fs::remove_file(beside(&new, suffix))).map_err(open)?;
    }
    // For its mode: what is inferred about people is nobody else's business. SQLite gives the files beside it the same.
    OpenOptions::new().write(true).create_new(true).mode(0o640).open(&new).map_err(open)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&new, flags)?;
    schema::make(&connection)?;
    connection
        .execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('entry', ?1)", [to_sql(before.last.0)])?;
    for reader in &before.readers {
        connection.execute(
            "INSERT INTO reader (name, position, acknowledged) VALUES (?1, ?2, ?3)",
            params![reader.name, to_sql(reader.position.0), to_sql(reader.acknowledged.unix_millis())],
        )?;
    }
    connection.close().map_err(|(_, error)| error)?;
    for suffix in ["-wal", "-shm"] {
        ignore_missing(fs::remove_file(beside(path, suffix))).map_err(open)?;
    }
    fs::rename(&new, path).map_err(open)?;
    SpoolFile::connect(path, WRITER_WAITS)
}

/// Whose the file is; nobody's if there is none.
fn owner(path: &Path) -> Result<Owner, SpoolError> {
    let open = |why| SpoolError::Open { path: path.to_owned(), why };
    match fs::metadata(path) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Owner::Nobody),
        Err(why) => return Err(open(why)),
        // A pipe would be waited for.
        Ok(there) if !there.is_file() => return Err(open(io::Error::other("it is no regular file"))),
        Ok(there) if there.len() == 0 => return Ok(Owner::Nobody),
        Ok(_) => {}
    }
    schema::owner(path)
}

/// The file that a path leads to over links, whether or not it is there.
fn target(path: &Path) -> Result<PathBuf, SpoolError> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(link) = fs::read_link(&path) else { return Ok(path) };
        path = path.parent().map_or_else(|| link.clone(), |folder| folder.join(&link));
    }
    Err(SpoolError::Open { path, why: io::Error::other("its links lead in a circle") })
}

/// The path with something behind it.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
