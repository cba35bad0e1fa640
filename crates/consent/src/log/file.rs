//! The files of a log.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use super::line::{self, Line, Unbelievable};
use super::{Entry, Head, LogError, at};

pub(super) const HEAD: &str = "head.json";
pub(super) const LOCK: &str = "lock";
const EXTENSION: &str = ".jsonl";

/// One file of the log.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// The day it was begun.
    pub(super) day: String,
    /// Number of its first line.
    pub(super) first: u64,
}

/// The result of inspecting the newest file.
#[derive(Debug, Default)]
pub(super) struct Inspected {
    /// Bytes up to which all lines are complete and valid.
    pub(super) length: u64,
    /// The last valid line.
    pub(super) head: Option<Head>,
    /// The last line is complete but for its line end.
    pub(super) unended: bool,
    /// Bytes of an incomplete line.
    pub(super) torn: u64,
    /// The damage. `head` then is the newest line that the file claims to have.
    pub(super) damage: Option<String>,
}

/// The files in `folder`, the oldest first.
pub(super) fn segments(folder: &Path) -> Result<Vec<Segment>, LogError> {
    let mut found = Vec::new();
    for entry in at(folder, fs::read_dir(folder))? {
        found.extend(Segment::named(&at(folder, entry)?.path()));
    }
    found.sort_by_key(|segment| segment.first);
    Ok(found)
}

impl Segment {
    /// The segment that a file's name denotes: `2026-11-23-000000000042.jsonl`.
    pub(super) fn named(path: &Path) -> Option<Self> {
        let stem = path.file_name()?.to_str()?.strip_suffix(EXTENSION)?;
        let (day, first) = stem.rsplit_once('-')?;
        let is_day = day.len() == 10 && day.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let first = first.parse().ok().filter(|_| is_day)?;
        Some(Self { path: path.to_owned(), day: day.to_owned(), first })
    }

    /// A new file, which only its owner can read.
    pub(super) fn create(folder: &Path, day: &str, first: u64) -> Result<(PathBuf, File), LogError> {
        let path = folder.join(format!("{day}-{first:012}{EXTENSION}"));
        let mut options = File::options();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
        let file = match options.open(&path) {
            // Left by a crash before its first line was complete.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_empty(&path) => {
                File::options().read(true).write(true).open(&path)
            }
            opened => opened,
        };
        let file = at(&path, file)?;
        sync_folder(folder);
        Ok((path, file))
    }

    pub(super) fn first_line(&self) -> Result<Option<Line>, LogError> {
        let mut lines = Lines::open(&self.path)?;
        Ok(lines.next()?.and_then(|raw| Line::read(&raw.text).ok()))
    }

    /// Reads the whole file. A crash may have cut its last lines short; any other fault is damage.
    pub(super) fn inspect(&self, noted: Option<&Head>) -> Result<Inspected, LogError> {
        let mut state = Inspected::default();
        let mut lines = Lines::open(&self.path)?;
        let mut log = noted.map(|head| head.log.clone());
        while let Some(raw) = lines.next()? {
            let read = Line::read(&raw.text);
            let follows = |line: &&Line| {
                let before = state.head.as_ref().map(|head| (head.seq + 1, head.hash.as_str()));
                before.is_none_or(|before| before == (line.seq, line.previous.as_str()))
            };
            let Some(line) = read.as_ref().ok().filter(follows) else {
                // A crash leaves bytes that never were a line, after all confirmed lines.
                let confirmed = noted.map_or(0, |noted| noted.seq);
                let reached = state.head.as_ref().map_or(self.first.saturating_sub(1), |head| head.seq);
                let line_number = raw.number;
                let torn = matches!(read, Err(Unbelievable::Unreadable)) && reached >= confirmed;
                if torn && lines.next()?.is_none() {
                    state.torn = lines.at - state.length;
                } else {
                    state.damage = Some(format!(
                        "{}, line {line_number}: not what was written there",
                        self.path.display()
                    ));
                    state.head = self.claimed(log.unwrap_or_default())?;
                }
                return Ok(state);
            };
            if let Entry::Opening(opening) = &line.entry {
                log.get_or_insert_with(|| opening.log.clone());
            }
            let log = log.clone().unwrap_or_default();
            state.head = Some(Head { log, seq: line.seq, hash: line.hash.clone() });
            state.length = raw.end;
            state.unended = !raw.ended;
        }
        if let (Some(noted), Some(head)) = (noted, &state.head)
            && noted.seq > head.seq
        {
            let missing = noted.seq - head.seq;
            state.damage = Some(format!("{}: {missing} lines are missing at the end", self.path.display()));
        }
        Ok(state)
    }

    /// The newest line that a damaged file claims to have, so that no later line gets the same number.
    fn claimed(&self, log: String) -> Result<Option<Head>, LogError> {
        let mut lines = Lines::open(&self.path)?;
        let mut newest: Option<(u64, String)> = None;
        while let Some(raw) = lines.next()? {
            let claim = match Line::read(&raw.text) {
                Ok(line) => (line.seq, line.hash),
                Err(Unbelievable::Changed { seq, hash, .. }) => (seq, hash),
                Err(Unbelievable::Unreadable) => continue,
            };
            // A manipulated number may be anything; it is bounded by the number of lines.
            let most = self.first.saturating_add(raw.number as u64);
            if claim.0 <= most && newest.as_ref().is_none_or(|newest| claim.0 > newest.0) {
                newest = Some(claim);
            }
        }
        Ok(newest.map(|(seq, hash)| Head { log, seq, hash }))
    }
}

/// Whether the file is empty.
fn is_empty(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0)
}

pub(super) fn read_head(folder: &Path) -> Result<Option<Head>, LogError> {
    let path = folder.join(HEAD);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(serde_json::from_str(&text).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(LogError::File { path, why }),
    }
}

/// Replaces the head atomically: it is the old one or the new one, whatever happens.
pub(super) fn write_head(folder: &Path, head: &Head) -> Result<(), LogError> {
    let path = folder.join(HEAD);
    let beside = folder.join("head.json.new");
    let text = format!("{}\n", serde_json::to_string(head)?);
    let mut file = at(&beside, File::create(&beside))?;
    at(&beside, file.write_all(text.as_bytes()))?;
    at(&beside, file.sync_data())?;
    at(&path, fs::rename(&beside, &path))?;
    sync_folder(folder);
    Ok(())
}

/// Makes new names survive a power cut, where the file system can.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// A line as it stands in a file.
pub(super) struct RawLine {
    pub(super) text: String,
    /// Its number in the file, from 1.
    pub(super) number: usize,
    /// Bytes up to the line's end.
    pub(super) end: u64,
    /// Whether it has an end.
    pub(super) ended: bool,
}

/// The lines of a file, with a bounded length.
pub(super) struct Lines {
    reader: BufReader<File>,
    path: PathBuf,
    number: usize,
    /// Bytes read.
    at: u64,
}

impl Lines {
    pub(super) fn open(path: &Path) -> Result<Self, LogError> {
        let file = at(path, File::open(path))?;
        Ok(Self { reader: BufReader::new(file), path: path.to_owned(), number: 0, at: 0 })
    }

    pub(super) fn next(&mut self) -> Result<Option<RawLine>, LogError> {
        let mut bytes = Vec::new();
        let limit = line::LONGEST as u64;
        let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut bytes);
        if at(&self.path, read)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.at += bytes.len() as u64;
        let ended = bytes.last() == Some(&b'\n');
        if ended {
            bytes.pop();
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Some(RawLine { text, number: self.number, end: self.at, ended }))
    }
}
