//! Where the networks of this crate are installed, and what is known of one that is.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use nix::unistd::{AccessFlags, access, geteuid};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The service's own folder.
const SERVICE: &str = "/var/lib/sidetone";
/// The file beside a network's own that says what it is.
pub const CARD: &str = "card.json";

/// What is known of an installed network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Its name, which is also its folder's.
    pub name: String,
    /// What kind of network it is: `moonshine`.
    pub kind: String,
    /// The language that it knows, as in BCP 47: `en`.
    pub language: String,
    /// The licence of its weights.
    pub licence: String,
    /// Where they came from.
    pub source: String,
    /// Whether they are the very ones that the manifest names.
    pub verified: bool,
    /// SHA-256 of its files, in hexadecimal, by their names.
    pub files: std::collections::BTreeMap<String, String>,
}

impl Card {
    /// The card of the network in `folder`; `None` if there is none that can be read.
    #[must_use]
    pub fn of(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(folder.join(CARD)).ok()?).ok()
    }
}

/// Whether the files in `folder` are those that its card names; a folder without a card is the operator's own.
///
/// # Errors
/// The first file that is another one, or can't be read.
pub fn verify(folder: &Path) -> Result<(), String> {
    let Some(card) = Card::of(folder) else { return Ok(()) };
    for (name, expected) in &card.files {
        // A card names files beside it, and nothing else.
        let path = folder.join(Path::new(name).file_name().unwrap_or_default());
        let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let found: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        if !found.eq_ignore_ascii_case(expected) {
            return Err(format!(
                "{} is not the file that was installed: its SHA-256 is another",
                path.display()
            ));
        }
    }
    Ok(())
}

/// The folder that networks are installed in if none is named: `/var/lib/sidetone/models` for root, for whoever may
/// write to `/var/lib/sidetone` (the service), and where it is there already; otherwise `sidetone/models` in the user's
/// own folder for data (`$XDG_DATA_HOME`, or `~/.local/share`).
#[must_use]
pub fn folder() -> PathBuf {
    let service = Path::new(SERVICE).join("models");
    let may_write = access(SERVICE, AccessFlags::W_OK).is_ok();
    let system = geteuid().is_root() || may_write || service.is_dir();
    choose(system, std::env::var_os("XDG_DATA_HOME").as_deref(), std::env::var_os("HOME").as_deref())
}

fn choose(system: bool, data: Option<&OsStr>, home: Option<&OsStr>) -> PathBuf {
    let absolute = |path: &OsStr| Some(Path::new(path)).filter(|path| path.is_absolute()).map(Path::to_owned);
    let data = data.and_then(absolute).or_else(|| Some(home.and_then(absolute)?.join(".local/share")));
    match data {
        Some(data) if !system => data.join("sidetone/models"),
        _ => Path::new(SERVICE).join("models"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_no_longer_those_installed_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("tokens.bin"), "as installed").unwrap();
        assert_eq!(verify(folder.path()), Ok(()), "an operator's own, without a card");
        let sha256 = Sha256::digest("as installed").iter().map(|byte| format!("{byte:02x}")).collect();
        let card = Card {
            name: "tiny".to_owned(),
            kind: "moonshine".to_owned(),
            language: "en".to_owned(),
            licence: "MIT".to_owned(),
            source: String::new(),
            verified: true,
            files: [("tokens.bin".to_owned(), sha256)].into(),
        };
        fs::write(folder.path().join(CARD), serde_json::to_vec(&card).unwrap()).unwrap();
        assert_eq!(verify(folder.path()), Ok(()));
        fs::write(folder.path().join("tokens.bin"), "another").unwrap();
        assert!(verify(folder.path()).unwrap_err().contains("tokens.bin"));
        fs::remove_file(folder.path().join("tokens.bin")).unwrap();
        assert!(verify(folder.path()).is_err());
    }

    #[test]
    fn the_service_and_a_user_have_folders_of_their_own() {
        let some = |path: &'static str| Some(OsStr::new(path));
        let chosen = |system, data, home| choose(system, data, home).display().to_string();
        assert_eq!(chosen(true, some("/d"), some("/home/ada")), "/var/lib/sidetone/models");
        assert_eq!(chosen(false, some("/d"), some("/home/ada")), "/d/sidetone/models");
        assert_eq!(chosen(false, None, some("/home/ada")), "/home/ada/.local/share/sidetone/models");
        // The XDG specification has relative paths ignored.
        assert_eq!(chosen(false, some("d"), some("/home/ada")), "/home/ada/.local/share/sidetone/models");
        assert_eq!(chosen(false, None, None), "/var/lib/sidetone/models");
    }
}
