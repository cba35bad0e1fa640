//! `[control]`, and the default path of the control socket: one that this user can make, since a default that only root
//! can use would end every other user's first try.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, eaccess};
use serde::{Deserialize, Serialize};

/// The service's path: systemd makes the folder, root may make it.
const OF_THE_SERVICE: &str = "/run/sidetone/control.sock";

/// `[control]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Control {
    /// Path of the Unix socket. A process that may open it may command Sidetone: it is made with mode 0600. Unset:
    /// `/run/sidetone/control.sock` for users who may write there; for others a folder of their own below
    /// `XDG_RUNTIME_DIR`, or else below the folder for temporary files.
    pub socket: PathBuf,
}

impl Default for Control {
    fn default() -> Self {
        let service = Path::new(OF_THE_SERVICE);
        let own = || of_the_user(std::env::var_os("XDG_RUNTIME_DIR").as_deref(), &std::env::temp_dir());
        let socket = if can_be_made(service) { None } else { own() };
        Self { socket: socket.unwrap_or_else(|| service.to_owned()) }
    }
}

impl Control {
    /// The socket of the running process, for a client: the service's, if this user has none and the configuration
    /// names none.
    #[must_use]
    pub fn served(self) -> PathBuf {
        let service = Path::new(OF_THE_SERVICE);
        if !self.socket.exists() && self.socket == Self::default().socket && service.exists() {
            return service.to_owned();
        }
        self.socket
    }
}

/// Whether this user could make the file, and its folder if that is missing.
fn can_be_made(path: &Path) -> bool {
    let there = path.ancestors().skip(1).find(|folder| folder.exists());
    there.is_some_and(|folder| {
        folder.is_dir() && eaccess(folder, AccessFlags::W_OK | AccessFlags::X_OK).is_ok()
    })
}

/// A socket below the first of the given folders that is safe from other users.
fn of_the_user(runtime: Option<&OsStr>, temporary: &Path) -> Option<PathBuf> {
    let runtime = runtime.map(Path::new).filter(|folder| folder.is_absolute() && folder.is_dir());
    let runtime = runtime.map(|folder| folder.join("sidetone/control.sock")).filter(|path| can_be_made(path));
    runtime.or_else(|| {
        let user = user()?;
        let folder = temporary.join(format!("sidetone-{user}"));
        // Another user may have made a folder of this name, to answer in Sidetone's stead.
        let safe = match std::fs::symlink_metadata(&folder) {
            Ok(there) => there.is_dir() && there.uid() == user && there.mode() & 0o077 == 0,
            Err(_) => can_be_made(&folder),
        };
        safe.then(|| folder.join("control.sock"))
    })
}

/// This process's user ID.
fn user() -> Option<u32> {
    std::fs::metadata("/proc/self").ok().map(|process| process.uid())
}

#[cfg(test)]
mod tests {
    use std::fs::{DirBuilder, Permissions, create_dir, set_permissions};
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_user_has_a_socket_in_a_folder_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let (runtime, temporary) = (dir.path().join("run"), dir.path().join("tmp"));
        let own = temporary.join(format!("sidetone-{}", user().unwrap()));
        create_dir(&temporary).unwrap();
        let found = |runtime: &Path| of_the_user(Some(runtime.as_os_str()), &temporary);
        assert_eq!(found(&runtime), Some(own.join("control.sock")), "no such folder");
        assert_eq!(of_the_user(None, &temporary), Some(own.join("control.sock")));
        create_dir(&runtime).unwrap();
        assert_eq!(found(&runtime), Some(runtime.join("sidetone/control.sock")));
        assert_eq!(found(Path::new("run")), Some(own.join("control.sock")), "a relative path");
    }

    #[test]
    fn a_folder_that_another_user_may_write_to_is_passed_over() {
        let temporary = tempfile::tempdir().unwrap();
        let own = temporary.path().join(format!("sidetone-{}", user().unwrap()));
        let found = || of_the_user(None, temporary.path());
        DirBuilder::new().mode(0o700).create(&own).unwrap();
        assert_eq!(found(), Some(own.join("control.sock")));
        set_permissions(&own, Permissions::from_mode(0o777)).unwrap();
        assert_eq!(found(), None);
        std::fs::remove_dir(&own).unwrap();
        symlink("/nowhere", &own).unwrap();
        assert_eq!(found(), None);
    }
}
