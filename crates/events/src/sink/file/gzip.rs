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

/// Erases the inferences about these calls from a file, which keeps its name, owner, mode and time; returns the number
/// of lines. A file without any is only read.
pub(super) fn erase_in(path: &Path, calls: &HashMap<CallId, u64>) -> io::Result<usize> {
    let mut lines = 0;
    each_line(&mut decoded(path)?, |_, line| {
        lines += usize::from(rest_of(line, calls).is_some());
        Ok(())
    })?;
    if lines > 0 {
        // This suffix is never searched, in case a crash leaves the file behind.
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
    // Only root can change a file's owner; for other users the group gives access.
    let _ = fchown(&file, Some(old.uid()), Some(old.gid()));
    let mut writer = GzEncoder::new(BufWriter::new(file), Compression::default());
    each_line(&mut decoded(path)?, |_, line| match rest_of(line, calls) {
        Some(rest) => writer.write_all(rest.trim_ascii_end()).and_then(|()| writer.write_all(b"\n")),
        None => writer.write_all(line),
    })?;
    let file = writer.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    // Rotators decide by a file's time when to delete it.
    file.set_times(FileTimes::new().set_modified(old.modified()?))?;
    file.sync_data()?;
    if fs::metadata(path).is_ok_and(|now| identity(&now) == identity(&old)) {
        fs::rename(new, path)
    } else {
        Err(io::Error::other("the file was moved while it was compressed anew"))
    }
}
