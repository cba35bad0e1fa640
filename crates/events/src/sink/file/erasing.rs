//! Erasing what customers have objected to, from every file that it stands in.
//!
//! What is to be erased is first noted in `PATH.erasing`, so that a crash in between is made good at the next start. The
//! lines of calls that are up are found by their places; only for others are the files read.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::places::Place;
use super::{RotatingFile, beside, ignore_missing, redact};
use crate::bus::Erasure;
use crate::id::CallId;

/// How long an erasure that failed waits for the next try.
const AGAIN_AFTER: Duration = Duration::from_secs(30);
/// The longest line that is looked into: no event is nearly as long.
const LONGEST: u64 = 1 << 20;
/// The largest note that is read: more calls than can be up.
const LARGEST: u64 = 16 << 20;
/// Endings of files that can't be overwritten in place.
const COMPRESSED: [&str; 5] = ["gz", "xz", "bz2", "zst", "lz4"];

/// Erasures that are not done yet.
#[derive(Debug)]
pub(super) struct Owed {
    note: PathBuf,
    /// By call, the number of the event from which on nothing is erased.
    calls: HashMap<CallId, u64>,
    /// Calls of which nothing is known but what the files say.
    search: bool,
    again: Option<Instant>,
}

impl Owed {
    /// What the note beside `path` says is still to be done.
    pub(super) fn of(path: &Path) -> Self {
        let note = beside(path, ".erasing");
        let mut owed = Self { note, calls: HashMap::new(), search: true, again: None };
        let text = File::open(&owed.note).and_then(|file| {
            let mut text = String::new();
            file.take(LARGEST).read_to_string(&mut text).map(|_| text)
        });
        for line in text.unwrap_or_default().lines() {
            // A line cut short names no call: its erasure had not begun, and its call's number is not known.
            let parsed = line.split_once(' ').and_then(|(call, before)| {
                Some(Erasure { call: call.parse().ok()?, before: before.parse().ok()? })
            });
            owed.add(parsed.as_slice());
        }
        owed
    }

    pub(super) fn add(&mut self, erasures: &[Erasure]) {
        for erasure in erasures {
            let before = self.calls.entry(erasure.call).or_default();
            *before = erasure.before.max(*before);
        }
    }

    pub(super) fn is_due(&self) -> bool {
        !self.calls.is_empty() && self.again.is_none_or(|again| Instant::now() >= again)
    }

    /// Brings to the disk what is about to be done.
    fn write_down(&self) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o640).open(&self.note)?;
        let lines: String = self.calls.iter().map(|(call, before)| format!("{call} {before}\n")).collect();
        file.write_all(lines.as_bytes())?;
        file.sync_data()
    }

    /// All is done.
    fn clear(&mut self) -> io::Result<()> {
        self.calls.clear();
        self.search = false;
        self.again = None;
        ignore_missing(fs::remove_file(&self.note))
    }
}

impl RotatingFile {
    /// Does what is owed, as far as it can; what fails is tried again later.
    pub(super) fn settle(&mut self) {
        if self.owed.calls.is_empty() {
            return;
        }
        match self.erase_owed() {
            Ok(lines) => {
                if lines > 0 {
                    tracing::info!(
                        calls = self.owed.calls.len(),
                        lines,
                        "erased from the events file what had been inferred"
                    );
                }
                if let Err(why) = self.owed.clear() {
                    tracing::warn!(%why, "the note of erasures that are done can't be removed; they are done again at the next start");
                }
            }
            Err(why) => {
                if self.owed.again.is_none() {
                    tracing::error!(%why, calls = self.owed.calls.len(), path = %self.path.display(), "what had been inferred can't be erased from the events file yet; it is tried again");
                }
                self.owed.again = Some(Instant::now() + AGAIN_AFTER);
            }
        }
    }

    fn erase_owed(&mut self) -> io::Result<usize> {
        let mut known = Vec::new();
        let mut search = self.owed.search;
        for (call, before) in &self.owed.calls {
            match self.places.of(*call) {
                Some(places) => known.extend(places.into_iter().map(|place| (place, *call, *before))),
                None => search = true,
            }
        }
        if known.is_empty() && !search {
            return Ok(0);
        }
        self.owed.write_down()?;
        let mut lines = 0;
        let mut touched: Vec<Arc<File>> = Vec::new();
        for (place, call, before) in known {
            match overwrite(&place, call, before)? {
                Some(erased) => lines += usize::from(erased),
                // The file was cut short by somebody else: the line may stand anywhere.
                None => search = true,
            }
            if !touched.iter().any(|file| Arc::ptr_eq(file, &place.file)) {
                touched.push(place.file);
            }
        }
        for file in touched {
            file.sync_data()?;
        }
        if search {
            for path in self.family()? {
                lines += erase_in(&path, &self.owed.calls)?;
            }
        }
        Ok(lines)
    }

    /// The file, and whatever it was rotated to, by this process or by another rotator.
    fn family(&self) -> io::Result<Vec<PathBuf>> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut family = Vec::new();
        for entry in fs::read_dir(folder.unwrap_or(Path::new(".")))? {
            let path = entry?.path();
            let other = path.file_name().unwrap_or_default().to_string_lossy();
            let Some(rest) = other.strip_prefix(&name) else { continue };
            let rotated = rest.is_empty() || rest.starts_with(['.', '-']);
            if !rotated || path == self.owed.note || !path.is_file() {
                continue;
            }
            if path.extension().is_some_and(|end| COMPRESSED.iter().any(|it| end == *it)) {
                tracing::warn!(path = %path.display(), "a compressed events file can't be looked into: what was inferred may stand in it");
            } else {
                family.push(path);
            }
        }
        Ok(family)
    }
}

/// Overwrites one line; whether there was anything to erase. `None` if something else stands there by now.
fn overwrite(place: &Place, call: CallId, before: u64) -> io::Result<Option<bool>> {
    let mut line = vec![0; place.length];
    match place.file.read_exact_at(&mut line, place.at) {
        Ok(()) => {}
        Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(why) => return Err(why),
    }
    if redact::call_of(&line) != Some(call) {
        return Ok(None);
    }
    let Some(rest) = redact::redacted(&line, before) else { return Ok(Some(false)) };
    place.file.write_all_at(&rest, place.at)?;
    Ok(Some(true))
}

/// Overwrites what was inferred in these calls, wherever it stands in a file; returns in how many lines.
fn erase_in(path: &Path, calls: &HashMap<CallId, u64>) -> io::Result<usize> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut reader = BufReader::new(&file);
    let (mut at, mut lines, mut line) = (0, 0, Vec::new());
    loop {
        line.clear();
        let read = reader.by_ref().take(LONGEST).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        let before = redact::call_of(&line).and_then(|call| calls.get(&call));
        if let Some(rest) = before.and_then(|before| redact::redacted(&line, *before)) {
            file.write_all_at(&rest, at)?;
            lines += 1;
        }
        at += read as u64;
    }
    if lines > 0 {
        file.sync_data()?;
    }
    Ok(lines)
}
