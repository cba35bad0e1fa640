//! Erasures that a keeper of events still owes, and the note of them beside its files.
//!
//! The note is written before the objection is made known, so that a process that is killed at any moment carries out
//! the erasure at its next start. The note is appended to at once and synced to the disk by the file's own thread,
//! before that begins to erase: a kill loses nothing, and a power cut only the last few milliseconds.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Erasure;
use crate::id::CallId;

/// The largest note that is read: more calls than can be up.
const LARGEST: u64 = 16 << 20;

/// The erasures that one file owes. The bus adds them; the file's writer removes the completed ones.
#[derive(Debug)]
pub struct Owed {
    note: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// By call, the number of the first event that is not erased.
    calls: HashMap<CallId, u64>,
    file: Option<File>,
    /// Whether the note lacks an erasure.
    unwritten: bool,
}

impl Owed {
    /// Reads the erasures that the note at this path still lists.
    #[must_use]
    pub fn read(note: PathBuf) -> Self {
        let mut inner = Inner::default();
        let text = File::open(&note).and_then(|file| {
            let mut text = String::new();
            file.take(LARGEST).read_to_string(&mut text).map(|_| text)
        });
        for line in text.unwrap_or_default().lines() {
            // An incomplete line names no call: its writer died before the objection was made known.
            let parsed = line.split_once(' ').and_then(|(call, before)| {
                Some(Erasure { call: call.parse().ok()?, before: before.parse().ok()? })
            });
            if let Some(erasure) = parsed {
                inner.add(&erasure);
            }
        }
        Self { note, inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The note's path.
    #[must_use]
    pub fn note(&self) -> &Path {
        &self.note
    }

    /// Adds an erasure, and appends it to the note: some fifty bytes, without waiting for the disk, since the caller is
    /// reporting an objection.
    pub fn add(&self, erasure: &Erasure) {
        let mut inner = self.lock();
        inner.add(erasure);
        if inner.append(&self.note, erasure).is_err() {
            inner.unwritten = true;
        }
    }

    /// The erasures owed.
    #[must_use]
    pub fn calls(&self) -> HashMap<CallId, u64> {
        self.lock().calls.clone()
    }

    /// For how many calls an erasure is owed.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.lock().calls.len() as u64
    }

    /// Whether no erasure is owed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Syncs the note to the disk, including erasures that could not be written so far.
    ///
    /// # Errors
    /// When the note can't be written, as on a full disk. The erasures stay owed all the same.
    pub fn sync(&self) -> io::Result<()> {
        let file = {
            let mut inner = self.lock();
            if inner.unwritten {
                inner.rewrite(&self.note)?;
            }
            inner.file.as_ref().map(File::try_clone).transpose()?
        };
        // Without the lock: a disk may take its time, and the reporter of an objection must not wait.
        let Some(file) = file else { return Ok(()) };
        file.sync_data()?;
        // Its directory entry too, where the file system can.
        if let Some(folder) = self.note.parent().and_then(|folder| File::open(folder).ok()) {
            let _ = folder.sync_all();
        }
        Ok(())
    }

    /// Removes completed erasures. Erasures added meanwhile stay owed.
    ///
    /// # Errors
    /// When the note can't be changed. The next start then repeats them, which does no harm.
    pub fn done(&self, done: &HashMap<CallId, u64>) -> io::Result<()> {
        let mut inner = self.lock();
        inner.calls.retain(|call, before| done.get(call).is_none_or(|done| *done < *before));
        if !inner.calls.is_empty() {
            return inner.rewrite(&self.note);
        }
        (inner.file, inner.unwritten) = (None, false);
        match fs::remove_file(&self.note) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => Err(why),
            _ => Ok(()),
        }
    }
}

impl Inner {
    fn add(&mut self, erasure: &Erasure) {
        let before = self.calls.entry(erasure.call).or_default();
        *before = erasure.before.max(*before);
    }

    fn append(&mut self, note: &Path, erasure: &Erasure) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(OpenOptions::new().append(true).create(true).mode(0o640).open(note)?);
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        // One write, so that a kill leaves the whole line or none. The line end comes first as well: a note may end in
        // half a line, if the disk was full.
        file.write_all(format!("\n{} {}\n", erasure.call, erasure.before).as_bytes())
    }

    /// Replaces the note atomically.
    fn rewrite(&mut self, note: &Path) -> io::Result<()> {
        let mut new = note.as_os_str().to_owned();
        new.push(".new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&new)?;
        let lines: String = self.calls.iter().map(|(call, before)| format!("{call} {before}\n")).collect();
        let written = file.write_all(lines.as_bytes()).and_then(|()| fs::rename(&new, note));
        if let Err(why) = written {
            let _ = fs::remove_file(&new);
            return Err(why);
        }
        // Opened anew to append the next erasure.
        self.file = Some(OpenOptions::new().append(true).open(note)?);
        self.unwritten = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn erasure(call: u128, before: u64) -> Erasure {
        Erasure { call: CallId::new(Timestamp::from_unix_millis(1), call), before }
    }

    fn owed(folder: &Path) -> Owed {
        Owed::read(folder.join("note"))
    }

    #[test]
    fn whoever_starts_after_a_kill_finds_all_that_was_owed() {
        let folder = tempfile::tempdir().unwrap();
        let first = owed(folder.path());
        [erasure(1, 9), erasure(2, 4), erasure(1, 3)].iter().for_each(|it| first.add(it));
        // No `sync`, no drop: killed.
        assert_eq!(owed(folder.path()).calls(), first.calls());
        assert_eq!(first.calls().len(), 2);
        assert_eq!(first.calls()[&erasure(1, 0).call], 9);
        // The next process goes on with the same note.
        let second = owed(folder.path());
        second.add(&erasure(3, 1));
        assert_eq!(owed(folder.path()).calls().len(), 3);
    }

    #[test]
    fn what_is_added_while_others_are_done_stays_owed() {
        let folder = tempfile::tempdir().unwrap();
        let owed = owed(folder.path());
        owed.add(&erasure(1, 9));
        owed.add(&erasure(2, 4));
        let done = owed.calls();
        owed.add(&erasure(1, 12));
        owed.add(&erasure(3, 1));
        owed.done(&done).unwrap();
        assert_eq!(owed.calls(), HashMap::from([(erasure(1, 0).call, 12), (erasure(3, 0).call, 1)]));
        assert_eq!(self::owed(folder.path()).calls(), owed.calls());
        owed.add(&erasure(4, 1));
        assert_eq!(self::owed(folder.path()).calls(), owed.calls());
        owed.done(&owed.calls()).unwrap();
        assert!(owed.is_empty() && !owed.note().exists());
    }

    #[test]
    fn a_line_cut_short_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let first = owed(folder.path());
        first.add(&erasure(1, 9));
        let mut text = fs::read_to_string(first.note()).unwrap();
        text.push_str(&erasure(2, 9).call.to_string()[..9]);
        fs::write(first.note(), text).unwrap();
        let second = owed(folder.path());
        second.add(&erasure(3, 7));
        assert_eq!(
            owed(folder.path()).calls(),
            HashMap::from([(erasure(1, 0).call, 9), (erasure(3, 0).call, 7)])
        );
    }

    /// The folder is gone, or the disk full: the erasure is owed all the same, and noted as soon as possible.
    #[test]
    fn what_can_t_be_noted_is_noted_later() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("inside");
        let owed = owed(&inside);
        owed.add(&erasure(1, 9));
        assert!(owed.sync().is_err());
        assert_eq!(owed.calls().len(), 1);
        fs::create_dir(&inside).unwrap();
        owed.sync().unwrap();
        assert_eq!(self::owed(&inside).calls(), owed.calls());
    }
}
