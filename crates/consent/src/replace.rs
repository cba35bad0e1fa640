//! Replaces a file and keeps its access rights, also for commands run by root.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// Puts `bytes` in place of a file atomically: a reader sees the old file or the new one. A symbolic link stays one.
/// The file keeps its owner, group and mode; a new one that root makes in a user's folder belongs to that user, with
/// mode 0600.
///
/// # Errors
/// When it can't be written, or its owner can't be kept. The old file then stays unchanged.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut beside = target.clone().into_os_string();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let written = write(&target, &beside, bytes).and_then(|()| fs::rename(&beside, &target));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
        return written;
    }
    // Makes the new name survive a power cut, where the file system can.
    if let Some(folder) = target.parent().and_then(|folder| File::open(folder).ok()) {
        let _ = folder.sync_all();
    }
    Ok(())
}

fn write(target: &Path, beside: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(beside)?;
    let ours = file.metadata()?;
    match fs::metadata(target) {
        Ok(old) => {
            keep_owner(&file, (ours.uid(), ours.gid()), (old.uid(), old.gid()))?;
            file.set_permissions(fs::Permissions::from_mode(old.permissions().mode() & 0o7777))?;
        }
        // Only root can change a file's owner, and only root has to: the service runs as the folder's owner.
        Err(_) if ours.uid() == 0 => {
            if let Some(folder) = target.parent().and_then(|folder| fs::metadata(folder).ok()) {
                keep_owner(&file, (ours.uid(), ours.gid()), (folder.uid(), folder.gid()))?;
            }
        }
        Err(_) => {}
    }
    file.write_all(bytes)?;
    file.sync_data()
}

fn keep_owner(file: &File, ours: (u32, u32), theirs: (u32, u32)) -> io::Result<()> {
    if ours == theirs {
        return Ok(());
    }
    fchown(file, Some(theirs.0), Some(theirs.1)).map_err(|why| {
        let (uid, gid) = theirs;
        let why = format!("its owner {uid}:{gid} can't be kept ({why}); run this as that user, or as root");
        io::Error::other(why)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(path: &Path) -> (u32, u32, u32) {
        let metadata = fs::metadata(path).unwrap();
        (metadata.uid(), metadata.gid(), metadata.permissions().mode() & 0o7777)
    }

    fn is_root(folder: &Path) -> bool {
        fs::metadata(folder).unwrap().uid() == 0
    }

    #[test]
    fn mode_and_link_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(facts(&file).2, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside it");
    }

    /// The effect of root's `consent exclude` on the service's list. Only root can run this test.
    #[test]
    fn root_leaves_a_file_to_its_owner_and_a_new_one_to_the_folder_s() {
        let folder = tempfile::tempdir().unwrap();
        if !is_root(folder.path()) {
            return;
        }
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        fs::write(&old, "old").unwrap();
        std::os::unix::fs::chown(&old, Some(1_234), Some(2_345)).unwrap();
        replace(&old, b"new").unwrap();
        assert_eq!(facts(&old), (1_234, 2_345, 0o644));
        std::os::unix::fs::chown(folder.path(), Some(1_234), Some(2_345)).unwrap();
        replace(&new, b"new").unwrap();
        assert_eq!(facts(&new), (1_234, 2_345, 0o600));
    }
}
