//! Erases inferences after an objection, from every file that holds them.
//!
//! An erasure is first noted in `PATH.erasing`, so that after a crash the next start completes it. The lines of calls
//! that are up are found by their positions; only for other calls are the files read, as far as they are young enough.
//! Files that a log rotator has compressed with gzip are compressed anew; other formats can't be searched, which is
//! logged and counted.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::places::Place;
use super::{RotatingFile, gzip, identity, redact};
use crate::id::CallId;
use crate::time::Timestamp;

/// How long a failed erasure waits for the next try.
const AGAIN_AFTER: Duration = Duration::from_secs(30);
/// The longest line that is examined: no event is nearly as long.
const LONGEST: u64 = 1 << 20;
/// Endings of files that can't be searched.
const OPAQUE: [&str; 5] = ["xz", "bz2", "zst", "lz4", "Z"];
/// How often a truncated archive is tried again: it may still be written. Beyond it the archive counts as broken.
const TRIES: u32 = 20;
/// The most by which the clock may have been set back during a call for a file with that call to be found.
const SLACK: Duration = Duration::from_secs(86_400);

/// The progress of erasing.
#[derive(Debug, Default)]
pub(super) struct Trying {
    /// When a failed erasure is tried again.
    again: Option<Instant>,
    /// Failures since the last success.
    failures: u32,
    /// The note of erasures could not be written, and that has been logged.
    unnoted: bool,
    /// Files that could not be searched.
    beyond: u64,
}

/// The result of a search.
#[derive(Debug, Default)]
struct Erased {
    lines: usize,
    /// Files that can't be searched and may hold inferences to erase.
    beyond: Vec<PathBuf>,
}

impl RotatingFile {
    /// Whether an erasure is owed and it is time for it.
    pub(super) fn is_due(&self) -> bool {
        !self.owed.is_empty() && self.trying.again.is_none_or(|again| Instant::now() >= again)
    }

    /// Files so far that could not be searched.
    pub(super) fn beyond(&self) -> u64 {
        self.trying.beyond
    }

    /// Carries out the owed erasures as far as possible; failed ones are tried again later.
    pub(super) fn settle(&mut self) {
        let calls = self.owed.calls();
        if calls.is_empty() {
            return;
        }
        self.note_down();
        match self.erase_calls(&calls) {
            Ok(Erased { lines, beyond }) => {
                (self.trying.again, self.trying.failures) = (None, 0);
                self.trying.beyond += beyond.len() as u64;
                for path in beyond {
                    tracing::error!(path = %path.display(), "a compressed events file can't be looked into: what had been inferred of a customer who objects may stand in it; delete it, or erase by hand");
                }
                if lines > 0 {
                    tracing::info!(
                        calls = calls.len(),
                        lines,
                        "erased from the events file what had been inferred"
                    );
                }
                if let Err(why) = self.owed.done(&calls) {
                    tracing::warn!(%why, "the note of erasures that are done can't be removed; they are done again at the next start");
                }
            }
            Err(why) => {
                if self.trying.again.is_none() {
                    tracing::error!(%why, calls = calls.len(), path = %self.path.display(), "what had been inferred can't be erased from the events file yet; it is tried again");
                }
                self.trying.again = Some(Instant::now() + AGAIN_AFTER);
                self.trying.failures = self.trying.failures.saturating_add(1);
            }
        }
    }

    /// Syncs the note to the disk. If that fails, as on a full disk, the erasure goes on all the same: it takes no
    /// room, and the note only matters for a crash in between.
    fn note_down(&mut self) {
        match self.owed.sync() {
            Ok(()) => self.trying.unnoted = false,
            Err(why) => {
                if !std::mem::replace(&mut self.trying.unnoted, true) {
                    tracing::warn!(%why, note = %self.owed.note().display(), "what is to be erased can't be noted; it is erased, but a crash before the end would leave the rest");
                }
            }
        }
    }

    fn erase_calls(&mut self, calls: &HashMap<CallId, u64>) -> io::Result<Erased> {
        let mut known = Vec::new();
        let mut search = false;
        for (call, before) in calls {
            match self.places.of(*call) {
                Some(places) => known.extend(places.into_iter().map(|place| (place, *call, *before))),
                None => search = true,
            }
        }
        let mut erased = Erased::default();
        let mut touched: Vec<Arc<File>> = Vec::new();
        for (place, call, before) in known {
            match overwrite(&place, call, before)? {
                Some(done) => erased.lines += usize::from(done),
                // Another program has truncated the file: the line may stand anywhere.
                None => search = true,
            }
            if !touched.iter().any(|file| Arc::ptr_eq(file, &place.file)) {
                touched.push(place.file);
            }
        }
        for file in touched {
            file.sync_data()?;
            // The deleter of the file may have copied it before, as a rotator does that compresses it.
            search |= file.metadata()?.nlink() == 0;
        }
        if search || self.has_copies(calls)? {
            self.search(calls, &mut erased)?;
        }
        Ok(erased)
    }

    /// Whether there is a file that another program may have copied from ours since one of these calls began.
    fn has_copies(&self, calls: &HashMap<CallId, u64>) -> io::Result<bool> {
        let began = calls.keys().map(|call| call.began().unix_millis()).min().unwrap_or(0);
        for path in self.family(UNIX_EPOCH + Duration::from_millis(began))? {
            let ours = fs::metadata(&path).is_ok_and(|file| self.own.contains(&identity(&file)));
            if !ours {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads all files that may hold one of these calls.
    fn search(&self, calls: &HashMap<CallId, u64>, erased: &mut Erased) -> io::Result<()> {
        let began = calls.keys().map(|call| call.began()).min().filter(|began| *began < Timestamp::now());
        // A call with its beginning in the future means that the clock was set back: then file times are no evidence.
        let began = UNIX_EPOCH + Duration::from_millis(began.map_or(0, Timestamp::unix_millis));
        let since = began.checked_sub(SLACK).unwrap_or(UNIX_EPOCH);
        // A failure with one file must not leave the others as they are.
        let mut failure = None;
        for path in self.family(since)? {
            let done = match path.extension().and_then(|end| end.to_str()) {
                Some("gz") => gzip::erase_in(&path, calls),
                Some(end) if OPAQUE.contains(&end) => {
                    erased.beyond.push(path);
                    continue;
                }
                _ => erase_in(&path, calls),
            };
            match done {
                Ok(lines) => erased.lines += lines,
                Err(why) if self.trying.failures >= TRIES && is_broken(&why) => erased.beyond.push(path),
                Err(why) => failure = Some(io::Error::new(why.kind(), format!("{}: {why}", path.display()))),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// The file, and its rotated versions, whether by this process or by another rotator, as far as they were written
    /// since then.
    fn family(&self, since: SystemTime) -> io::Result<Vec<PathBuf>> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut family = Vec::new();
        for entry in fs::read_dir(folder.unwrap_or(Path::new(".")))? {
            let path = entry?.path();
            let other = path.file_name().unwrap_or_default().to_string_lossy();
            let Some(rest) = other.strip_prefix(&name) else { continue };
            let rotated = rest.is_empty() || rest.starts_with(['.', '-']);
            if !rotated || other.contains(".erasing") {
                continue;
            }
            // If the file has gone meanwhile, its rotator has moved it; the copy has another name.
            let Ok(metadata) = fs::metadata(&path) else { continue };
            if metadata.is_file() && metadata.modified().is_ok_and(|at| at >= since) {
                family.push(path);
            }
        }
        Ok(family)
    }
}

/// Whether the error means a broken archive rather than a disk problem.
fn is_broken(why: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(why.kind(), InvalidData | InvalidInput | UnexpectedEof)
}

/// Overwrites one line; returns whether there was anything to erase. `None` if another line stands there by now.
fn overwrite(place: &Place, call: CallId, before: u64) -> io::Result<Option<bool>> {
    let mut line = vec![0; place.length];
    match place.file.read_exact_at(&mut line, place.at) {
        Ok(()) => {}
        Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(why) => return Err(why),
    }
    if redact::call_of(&line) != Some(call) || redact::seq_of(&line) != Some(place.seq) {
        return Ok(None);
    }
    let Some(rest) = redact::redacted(&line, before) else { return Ok(Some(false)) };
    place.file.write_all_at(&rest, place.at)?;
    Ok(Some(true))
}

/// Overwrites the inferences about these calls everywhere in a file; returns the number of lines.
fn erase_in(path: &Path, calls: &HashMap<CallId, u64>) -> io::Result<usize> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut lines = 0;
    each_line(&mut BufReader::new(&file), |at, line| {
        let Some(rest) = rest_of(line, calls) else { return Ok(()) };
        lines += 1;
        file.write_all_at(&rest, at)
    })?;
    if lines > 0 {
        file.sync_data()?;
    }
    Ok(lines)
}

/// The line without its end, after these erasures; `None` if they don't touch it.
pub(super) fn rest_of(line: &[u8], calls: &HashMap<CallId, u64>) -> Option<Vec<u8>> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let before = calls.get(&redact::call_of(line)?)?;
    redact::redacted(line, *before)
}

/// Calls back for each line with its end and the position of its first byte. A chunk too long for a line comes in
/// pieces.
pub(super) fn each_line(
    reader: &mut impl BufRead,
    mut look: impl FnMut(u64, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let (mut at, mut line) = (0, Vec::new());
    loop {
        line.clear();
        let read = reader.by_ref().take(LONGEST).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        look(at, &line)?;
        at += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::Erasure;
    use crate::config::FileConfig;
    use crate::sink::lines::LineWriter;

    /// An archive that a rotator is still writing: the erasure is owed until the archive is complete, but not for ever.
    #[test]
    fn an_archive_that_can_t_be_read_is_tried_again_and_then_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let config = FileConfig { path, max_bytes: 1 << 20, keep: 1, keep_days: 0, kinds: vec![] };
        let mut file = RotatingFile::open(&config).unwrap();
        let archive = folder.path().join("events.jsonl.1.gz");
        fs::write(&archive, b"\x1f\x8b\x08 not to its end").unwrap();
        file.owed().add(&Erasure { call: CallId::new(Timestamp::now(), 1), before: 9 });
        file.settle();
        assert_eq!(file.erasures(), (1, 0));
        assert!(!file.is_due() && file.owed.note().exists(), "not at once");
        for _ in 1..TRIES {
            file.settle();
        }
        assert_eq!(file.erasures(), (1, 0));
        file.settle();
        assert_eq!(file.erasures(), (0, 1));
        assert!(!file.owed.note().exists());
    }
}
