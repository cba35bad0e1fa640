//! The secret by which dialogs are recognised after a restart, kept in a file.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, eaccess};

const BYTES: usize = 16;

/// Why the secret can't be obtained, if so, and its file: the same result as [`load`], without making a file.
pub(super) fn examine(named: Option<&Path>) -> Option<(PathBuf, io::Error)> {
    let path = named.map(Path::to_owned).or_else(in_state_directory)?;
    let why = match read(&path) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or_else(|| Path::new("."));
            io::Error::from(eaccess(folder, AccessFlags::W_OK | AccessFlags::X_OK).err()?)
        }
        read => read.err()?,
    };
    Some((path, why))
}

/// The secret in that file, or in systemd's state directory if no file is named. `None`, which is logged, if it can
/// neither be read nor made: calls are carried all the same, but a restart ends those that are up.
pub(super) fn load(named: Option<&Path>) -> Option<[u8; BYTES]> {
    let path = named.map(Path::to_owned).or_else(in_state_directory)?;
    match read(&path).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => make(&path),
        _ => Err(error),
    }) {
        Ok(key) => Some(key),
        Err(error) => {
            tracing::warn!(
                %error, path = %path.display(),
                "the dialog key can't be had: requests in calls that are up now will be refused after a restart"
            );
            None
        }
    }
}

fn in_state_directory() -> Option<PathBuf> {
    let folders = std::env::var_os("STATE_DIRECTORY")?;
    // Several directories are separated by colons.
    Some(std::env::split_paths(&folders).next()?.join("dialog.key"))
}

fn read(path: &Path) -> io::Result<[u8; BYTES]> {
    // No secret is longer; a device or another file named by mistake is not read to its end.
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(fs::File::open(path)?, BYTES as u64 + 1), &mut bytes)?;
    let wrong = |_| io::Error::new(io::ErrorKind::InvalidData, "not a key: 16 bytes are expected");
    bytes.try_into().map_err(wrong)
}

fn make(path: &Path) -> io::Result<[u8; BYTES]> {
    let mut key = [0; BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&key)?;
    file.sync_all()?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_and_read_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dialog.key");
        let made = load(Some(&path)).unwrap();
        assert_eq!(load(Some(&path)), Some(made));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_ne!(made, [0; BYTES]);
    }

    #[test]
    fn what_is_no_key_is_no_key() {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in [("short", 15), ("long", 17), ("empty", 0)] {
            let path = dir.path().join(name);
            fs::write(&path, vec![1; bytes]).unwrap();
            assert_eq!(load(Some(&path)), None, "{name}");
        }
        assert_eq!(load(Some(Path::new("/dev/zero"))), None);
        assert_eq!(load(Some(&dir.path().join("no/such/folder"))), None);
    }

    #[test]
    fn what_would_keep_a_key_from_being_had_is_known_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dialog.key");
        assert!(examine(Some(&path)).is_none() && !path.exists(), "it can be made, and is not yet");
        load(Some(&path)).unwrap();
        assert!(examine(Some(&path)).is_none());
        let short = dir.path().join("short");
        fs::write(&short, [1; 15]).unwrap();
        for wrong in [short, dir.path().join("no/such"), dir.path().to_owned(), path.join("below")] {
            let (told, _) = examine(Some(&wrong)).unwrap_or_else(|| panic!("{}", wrong.display()));
            assert_eq!(told, wrong);
            assert_eq!(load(Some(&wrong)), None);
        }
    }
}
