//! Removes lines that are too old.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::{RotatingFile, beside, identity, numbered};
use crate::time::Timestamp;

const DAY_MS: u64 = 86_400_000;
/// The text before an event's time.
const TIME: &str = "\"time\":\"";
/// Characters of a time.
const TIME_LENGTH: usize = 24;

impl RotatingFile {
    /// Removes lines older than `keep_days`; by whole days, so that a file is rewritten once a day at most.
    pub(super) fn expire(&mut self, now: Timestamp) {
        if self.keep_days == 0 {
            return;
        }
        let today = now.unix_millis() / DAY_MS;
        let limit = today.saturating_sub(u64::from(self.keep_days)) * DAY_MS;
        if let Err(why) = self.expire_before(Timestamp::from_unix_millis(limit)) {
            tracing::error!(%why, path = %self.path.display(), "events whose time is over can't be removed from the file");
        }
    }

    fn expire_before(&mut self, limit: Timestamp) -> io::Result<()> {
        // The current file is never rewritten while other programs follow it.
        if oldest(&self.path)?.is_some_and(|oldest| oldest < limit) {
            self.rotate()?;
            self.ready()?;
        }
        for number in 1..=self.keep {
            let path = numbered(&self.path, number);
            let Some(oldest) = oldest(&path)? else { continue };
            if oldest >= limit {
                continue;
            }
            let written = fs::metadata(&path)?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
            let written = u64::try_from(written.as_millis()).unwrap_or(u64::MAX);
            // An erasure changes a file's time too: then the file is examined.
            let kept = if written < limit.unix_millis() { 0 } else { rewrite(&path, limit)? };
            if kept == 0 {
                fs::remove_file(&path)?;
            }
            self.places.forget_all();
            tracing::info!(path = %path.display(), kept, "events whose time is over have been removed from the file");
        }
        Ok(())
    }
}

/// The time of the first event in a file; `None` if there is no file, or no event at its beginning.
fn oldest(path: &Path) -> io::Result<Option<Timestamp>> {
    let file = match File::open(path) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    // A device or a pipe has no old lines.
    if !file.metadata()?.is_file() {
        return Ok(None);
    }
    let mut line = Vec::new();
    io::Read::take(BufReader::new(file), 4_096).read_until(b'\n', &mut line)?;
    Ok(time_of(&line))
}

fn time_of(line: &[u8]) -> Option<Timestamp> {
    // The envelope's beginning is ASCII; the rest need not be parsed.
    let line = std::str::from_utf8(line.get(..line.len().min(256))?).ok()?;
    let (_, rest) = line.split_once(TIME)?;
    rest.get(..TIME_LENGTH)?.parse().ok()
}

/// Atomically replaces a file by one without the lines older than `limit`; returns the number of lines left. Owner and
/// mode stay.
fn rewrite(path: &Path, limit: Timestamp) -> io::Result<usize> {
    let source = File::open(path)?;
    let metadata = source.metadata()?;
    let new = beside(path, ".new");
    let mode = metadata.permissions().mode() & 0o7777;
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&new)?;
    let _ = std::os::unix::fs::fchown(
        &file,
        Some(std::os::unix::fs::MetadataExt::uid(&metadata)),
        Some(std::os::unix::fs::MetadataExt::gid(&metadata)),
    );
    let (mut reader, mut writer) = (BufReader::new(source), BufWriter::new(file));
    let (mut kept, mut keep, mut line) = (0, false, Vec::new());
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        // A line without a time shares the fate of the line before it.
        if let Some(time) = time_of(&line) {
            keep = time >= limit;
        }
        if keep {
            writer.write_all(&line)?;
            kept += 1;
        }
    }
    let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_data()?;
    if kept > 0 && fs::metadata(path).is_ok_and(|now| identity(&now) == identity(&metadata)) {
        fs::rename(&new, path)?;
    } else {
        fs::remove_file(&new)?;
    }
    Ok(kept)
}
