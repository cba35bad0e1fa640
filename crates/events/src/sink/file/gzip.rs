//! Erasing from files that a log rotator has compressed: they are compressed anew.

use std::collections::HashMap;
use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::erasing::{each_line, rest_of};
use super::{beside, identity};
use crate::id::CallId;

/// Erases what was inferred in these calls from a file, which keeps its name, owner, mode and time; returns from how
/// many lines. A file in which nothing of them stands is only read.
pub(super) fn erase_in(path: &Path, calls: &HashMap<CallId, u64>) -> io::Result<usize> {
    let mut lines = 0;
    each_line(&mut decoded(path)?, |_, line| {
        lines += usize::from(rest_of(line, calls).is_some());
        Ok(())
    })?;
    if lines > 0 {
        // Its ending is none of a file that is looked into, should a crash leave it.
        let new = beside(path, ".erasing.new");
        let replaced = compressed_anew(path, &new, calls);
        if replaced.is_err() {
            let _ = fs::remove_file(&new);
        }
        replaced?;
    }
    Ok(lines)
}

fn decoded(path: &Path) -> io::Result<BufReader<MultiGzDecoder<BufReader<File>>>> {
    Ok(BufReader::new(MultiGzDecoder::new(BufReader::new(File::open(path)?))))
}

fn compressed_anew(path: &Path, new: &Path, calls: &HashMap<CallId, u64>) -> io::Result<()> {
    let old = fs::metadata(path)?;
    let mode = old.permissions().mode() & 0o7777;
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(new)?;
    // Only root can give files away; whoever else runs this may read the file by its group.
    let _ = fchown(&file, Some(old.uid()), Some(old.gid()));
    let mut writer = GzEncoder::new(BufWriter::new(file), Compression::default());
    each_line(&mut decoded(path)?, |_, line| match rest_of(line, calls) {
        Some(rest) => writer.write_all(rest.trim_ascii_end()).and_then(|()| writer.write_all(b"\n")),
        None => writer.write_all(line),
    })?;
    let file = writer.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    // By its time rotators tell when a file is to go.
    file.set_times(FileTimes::new().set_modified(old.modified()?))?;
    file.sync_data()?;
    if fs::metadata(path).is_ok_and(|now| identity(&now) == identity(&old)) {
        fs::rename(new, path)
    } else {
        Err(io::Error::other("the file was moved while it was compressed anew"))
    }
}
