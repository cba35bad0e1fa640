//! A file of JSON lines that is rotated by size, drops old lines, and erases on objection.
//!
//! Erasing overwrites a line in place: the line keeps its length and its envelope, its `kind` becomes `erased`, and
//! spaces fill the rest. So programs that follow the file go on following it, no other line is copied or moved, no room
//! on the disk is taken, and after a crash the erasure is simply repeated. The alternative, encryption under a key for
//! each call, would make the file unreadable for ordinary tools, which are its purpose.

mod erasing;
mod expiry;
mod gzip;
mod places;
mod redact;

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::lines::{LineWriter, Written, line};
use crate::bus::{Owed, Published};
use crate::config::FileConfig;
use crate::event::Kind;
use crate::sink::error::SinkError;
use erasing::Trying;
use places::Places;

/// Most files of our own that are told from copies by other programs. A forgotten one is read once more.
const MOST_OWN: usize = 1_024;

/// Interval between searches for files that are too old.
const EXPIRE_EVERY: Duration = Duration::from_secs(3_600);

/// `PATH`, `PATH.1` (the one before), … `PATH.keep`. No file outgrows `max_bytes` unless one line does, and no line is
/// split between two files or left unfinished.
#[derive(Debug)]
pub(crate) struct RotatingFile {
    path: PathBuf,
    max_bytes: u64,
    keep: u32,
    keep_days: u32,
    kinds: Vec<Kind>,
    file: Option<File>,
    /// A second handle of the same file, for overwriting: a handle opened for appending can only append.
    overwrite: Option<Arc<File>>,
    size: u64,
    /// Device and inode of the files written so far and still kept.
    own: VecDeque<(u64, u64)>,
    reopen: Reopen,
    /// The positions of lines that may have to be erased.
    places: Places,
    owed: Arc<Owed>,
    trying: Trying,
    swept: Option<Instant>,
}

/// Requests that the file be reopened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reopen(Arc<AtomicBool>);

impl Reopen {
    pub(crate) fn request(&self) {
        self.0.store(true, Ordering::Release);
    }
}

impl RotatingFile {
    pub(crate) fn open(config: &FileConfig) -> Result<Self, SinkError> {
        let mut file = Self {
            path: config.path.clone(),
            max_bytes: config.max_bytes,
            keep: config.keep.max(1),
            keep_days: config.keep_days,
            kinds: config.kinds.clone(),
            file: None,
            overwrite: None,
            size: 0,
            own: VecDeque::new(),
            reopen: Reopen::default(),
            places: Places::default(),
            owed: Arc::new(Owed::read(beside(&config.path, ".erasing"))),
            trying: Trying::default(),
            swept: None,
        };
        match file.ready() {
            Ok(_) => {}
            Err(why) => return Err(SinkError::File { path: config.path.display().to_string(), why }),
        }
        file.prune();
        // Carries out erasures that a crash interrupted.
        file.settle();
        file.tend();
        Ok(file)
    }

    pub(crate) fn reopener(&self) -> Reopen {
        self.reopen.clone()
    }

    /// The erasures that the file owes, for the bus to add to.
    pub(crate) fn owed(&self) -> &Arc<Owed> {
        &self.owed
    }

    /// The kinds of events that the file must receive: those that are written, and those needed to track its calls.
    pub(crate) fn needs(&self) -> Vec<Kind> {
        let mut kinds = self.kinds.clone();
        if !kinds.is_empty() {
            kinds.extend([Kind::CallStarted, Kind::ConsentChanged, Kind::CallEnded]);
        }
        kinds
    }

    /// The open file; opens it first if needed.
    fn ready(&mut self) -> io::Result<&mut File> {
        if self.file.is_none() {
            // Readable by the owner and the group only: inferences about people are confidential.
            let file = OpenOptions::new().append(true).create(true).mode(0o640).open(&self.path)?;
            let metadata = file.metadata()?;
            self.size = metadata.len();
            self.own.retain(|known| *known != identity(&metadata));
            self.own.push_back(identity(&metadata));
            if self.own.len() > MOST_OWN {
                self.own.pop_front();
            }
            self.overwrite = OpenOptions::new()
                .read(true)
                .write(true)
                .open(&self.path)
                .ok()
                .filter(|again| again.metadata().is_ok_and(|it| (it.dev(), it.ino()) == identity(&metadata)))
                .map(Arc::new);
            self.file = Some(file);
        }
        self.file.as_mut().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn write_event(&mut self, published: &Published) -> io::Result<()> {
        let at = self.write_line(&line(published))?;
        let event = &published.event;
        self.places.wrote(event, self.overwrite.as_ref(), at, published.json().len());
        Ok(())
    }

    /// Writes a line; returns its position.
    fn write_line(&mut self, line: &str) -> io::Result<u64> {
        if self.reopen.0.swap(false, Ordering::AcqRel) {
            self.file = None;
        }
        self.ready()?;
        let length = line.len() as u64;
        if self.size > 0 && self.size.saturating_add(length) > self.max_bytes {
            self.rotate()?;
        }
        self.ready()?;
        let size = self.size;
        let file = self.ready()?;
        match file.write_all(line.as_bytes()) {
            Ok(()) => {
                self.size = size.saturating_add(length);
                Ok(size)
            }
            Err(why) => {
                // A full disk may have taken half a line.
                let _ = file.set_len(size);
                self.file = None;
                Err(why)
            }
        }
    }

    /// Increments every file's number; the last file is overwritten.
    fn rotate(&mut self) -> io::Result<()> {
        self.file = None;
        for number in (1..self.keep).rev() {
            ignore_missing(fs::rename(numbered(&self.path, number), numbered(&self.path, number + 1)))?;
        }
        ignore_missing(fs::rename(&self.path, numbered(&self.path, 1)))
    }

    /// Removes files that an earlier configuration kept beyond `keep`.
    fn prune(&self) {
        for number in self.keep + 1..=self.keep.saturating_add(1_000) {
            if fs::remove_file(numbered(&self.path, number)).is_err() {
                break;
            }
        }
    }
}

/// Whether a file could be written to, without making it: the file is writable, or it is missing and its folder exists.
pub(super) fn probe(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(there) if there.is_file() => OpenOptions::new().append(true).open(path).map(drop),
        Ok(_) => Err(io::Error::other("it is no regular file")),
        // Opening a link makes the file that it leads to.
        Err(why) if why.kind() == io::ErrorKind::NotFound && fs::read_link(path).is_ok() => {
            let target = fs::read_link(path)?;
            let target = path.parent().map_or(target.clone(), |folder| folder.join(&target));
            // Circular links are an error of another kind, so this recursion ends.
            probe(&target)
        }
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new("."));
            // Whether a file could be made in the folder is not checked here: that needs more than the standard
            // library.
            if fs::metadata(folder)?.is_dir() { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) }
        }
        Err(why) => Err(why),
    }
}

impl LineWriter for RotatingFile {
    fn write(&mut self, events: &[Arc<Published>]) -> Written {
        let mut unwanted = 0;
        for (written, event) in events.iter().enumerate() {
            let kind = event.event.kind();
            let wanted = self.kinds.is_empty() || self.kinds.contains(&kind);
            if !wanted {
                unwanted += 1;
            } else if let Err(why) = self.write_event(event) {
                return Written { events: written, unwanted, failure: Some(why) };
            }
            self.places.passed(&event.event);
        }
        Written { events: events.len(), unwanted, failure: None }
    }

    fn tend(&mut self) {
        if self.is_due() {
            self.settle();
        }
        if self.swept.is_none_or(|swept| swept.elapsed() >= EXPIRE_EVERY) {
            self.swept = Some(Instant::now());
            self.expire(crate::time::Timestamp::now());
        }
    }

    fn finish(&mut self) {
        self.settle();
    }

    fn erasures(&self) -> (u64, u64) {
        (self.owed.count(), self.beyond())
    }
}

fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    beside(path, &format!(".{number}"))
}

/// The path with a suffix appended.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(folder: &Path, max_bytes: u64, keep: u32) -> RotatingFile {
        let path = folder.join("events.jsonl");
        RotatingFile::open(&FileConfig { path, max_bytes, keep, keep_days: 0, kinds: vec![] }).unwrap()
    }

    fn read(folder: &Path, name: &str) -> String {
        fs::read_to_string(folder.join(name)).unwrap_or_default()
    }

    #[test]
    fn what_a_link_leads_to_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let link = |name: &str, to: &str| {
            let path = folder.path().join(name);
            std::os::unix::fs::symlink(to, &path).unwrap();
            path
        };
        assert!(probe(&link("fine", "events.jsonl")).is_ok(), "its target will be made");
        assert!(probe(&link("lost", "nowhere/events.jsonl")).is_err());
        assert!(
            probe(&link("twice", "fine")).is_ok()
                == RotatingFile::open(&FileConfig {
                    path: folder.path().join("twice"),
                    max_bytes: 10,
                    keep: 1,
                    keep_days: 0,
                    kinds: vec![],
                })
                .is_ok()
        );
        assert!(probe(&link("round", "round")).is_err());
    }

    #[test]
    fn files_move_up_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = file(folder.path(), 10, 2);
        for line in ["one 1\n", "two 2\n", "three 3\n", "four 4\n"] {
            file.write_line(line).unwrap();
        }
        assert_eq!(read(folder.path(), "events.jsonl"), "four 4\n");
        assert_eq!(read(folder.path(), "events.jsonl.1"), "three 3\n");
        assert_eq!(read(folder.path(), "events.jsonl.2"), "two 2\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_restart_goes_on_where_the_file_ended_and_prunes() {
        let folder = tempfile::tempdir().unwrap();
        file(folder.path(), 10, 3).write_line("before\n").unwrap();
        for number in 1..=3 {
            fs::write(folder.path().join(format!("events.jsonl.{number}")), "old\n").unwrap();
        }
        let mut file = file(folder.path(), 10, 1);
        file.write_line("ab\n").unwrap();
        assert_eq!(read(folder.path(), "events.jsonl"), "before\nab\n");
        file.write_line("c\n").unwrap();
        assert_eq!(read(folder.path(), "events.jsonl.1"), "before\nab\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_file_moved_away_is_made_anew_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = file(folder.path(), 1_000, 1);
        file.write_line("a\n").unwrap();
        fs::rename(folder.path().join("events.jsonl"), folder.path().join("moved")).unwrap();
        file.write_line("b\n").unwrap();
        file.reopener().request();
        file.write_line("c\n").unwrap();
        assert_eq!(
            (read(folder.path(), "moved"), read(folder.path(), "events.jsonl")),
            ("a\nb\n".into(), "c\n".into())
        );
    }

    #[test]
    fn it_is_not_for_everyone_to_read() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        file(folder.path(), 10, 1).write_line("a\n").unwrap();
        let mode = fs::metadata(folder.path().join("events.jsonl")).unwrap().permissions().mode();
        assert_eq!(mode & 0o007, 0);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let config = FileConfig {
            path: "/nowhere/at/all".into(),
            max_bytes: 10,
            keep: 1,
            keep_days: 0,
            kinds: vec![],
        };
        let refused = RotatingFile::open(&config).unwrap_err().to_string();
        assert!(refused.starts_with("events.file: can't open /nowhere/at/all: "), "{refused}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// The kept lines are an unbroken run of the newest ones, and no file is too large.
        #[test]
        fn the_newest_lines_are_kept_whole(lengths in proptest::collection::vec(1usize..30, 1..60), keep in 1u32..5) {
            let folder = tempfile::tempdir().unwrap();
            let mut file = file(folder.path(), 64, keep);
            let lines: Vec<String> =
                lengths.iter().enumerate().map(|(place, length)| format!("{place}{}\n", "x".repeat(*length))).collect();
            for line in &lines {
                file.write_line(line).unwrap();
            }
            let mut kept = String::new();
            for number in (1..=keep).rev() {
                let part = read(folder.path(), &format!("events.jsonl.{number}"));
                prop_assert!(part.len() <= 64);
                kept += &part;
            }
            kept += &read(folder.path(), "events.jsonl");
            prop_assert!(lines.concat().ends_with(&kept) && !kept.is_empty());
            prop_assert!(fs::read_dir(folder.path()).unwrap().count() as u32 <= keep + 1);
        }
    }
}
