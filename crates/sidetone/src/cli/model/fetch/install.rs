//! A network's files to their folder: all of them, or none.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use sidetone_language::models::{CARD, Card};

/// Puts `files` and `card` into `folder`, which appears whole, or changes places with the one that was there.
/// `usable` is asked before, of a folder beside it.
///
/// # Errors
/// The files are not usable, or the disk fails: then everything is as it was.
pub(super) fn install(
    folder: &Path,
    files: &BTreeMap<String, Vec<u8>>,
    card: &Card,
    usable: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let parent = folder.parent().context("the folder for models has no parent")?;
    let written = || format!("{} can't be written; --into names another folder", parent.display());
    let beside = tempfile::Builder::new().prefix(".unfinished-").tempdir_in(parent).with_context(written)?;
    let card = serde_json::to_vec_pretty(card)?;
    for (name, bytes) in files.iter().map(|(name, bytes)| (name.as_str(), bytes)).chain([(CARD, &card)]) {
        let path = beside.path().join(name);
        let mut file = File::create(&path).with_context(written)?;
        file.write_all(bytes).and_then(|()| file.sync_all()).with_context(written)?;
    }
    usable(beside.path())?;
    // The service reads it as another user.
    fs::set_permissions(beside.path(), fs::Permissions::from_mode(0o755))?;
    if folder.exists() {
        // The folder beside now holds the old files, and goes with them.
        renameat2(AT_FDCWD, beside.path(), AT_FDCWD, folder, RenameFlags::RENAME_EXCHANGE)
            .with_context(|| format!("{} can't be replaced", folder.display()))?;
    } else {
        fs::rename(beside.path(), folder).with_context(written)?;
        let _ = beside.keep();
    }
    File::open(parent)?.sync_all()?;
    Ok(())
}
