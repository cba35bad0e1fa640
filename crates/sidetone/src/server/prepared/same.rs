//! Two keys that name one file: one would overwrite the other's data, or take it for its own.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::config::Config;
use sidetone_proxy::config::Fault;

/// Sidetone's use of a file. The same file may serve two keys of one kind only where that does no harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Written by Sidetone, or by its command line.
    Written,
    /// Read as a secret: several keys may have one.
    Secret,
    /// Read in another way; each reader checks the content for itself.
    Read,
}

struct Named {
    key: String,
    path: PathBuf,
    used: Use,
}

/// A file's identity under any name: device and inode if it exists, else its folder's real path and its name.
#[derive(Debug, PartialEq, Eq)]
enum Identity {
    Inode(u64, u64),
    Path(PathBuf),
}

fn identity(path: &Path) -> Identity {
    match std::fs::metadata(path) {
        Ok(there) => Identity::Inode(there.dev(), there.ino()),
        Err(_) => Identity::Path(real(path)),
    }
}

/// A path, resolved as far as it exists.
fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for above in absolute.ancestors() {
        if let (Ok(found), Ok(rest)) = (above.canonicalize(), absolute.strip_prefix(above)) {
            return if rest.as_os_str().is_empty() { found } else { found.join(rest) };
        }
    }
    absolute
}

/// Every two keys of a configuration that name one file and must not.
/// `private` are the files of secrets and of lists, by their keys.
pub(super) fn check(config: &Config, private: Vec<(String, PathBuf)>) -> Vec<Fault> {
    let named = named(config, private);
    let mut faults = Vec::new();
    for (index, one) in named.iter().enumerate() {
        let earlier = named.iter().take(index);
        if let Some(other) =
            earlier.clone().find(|other| clash(one, other) && identity(&one.path) == identity(&other.path))
        {
            faults.push(Fault::fatal(&one.key, is_the_file_of(&one.path, &other.key)));
        } else if let Some(other) =
            earlier.clone().find(|other| salt(one, other) && identity(&one.path) == identity(&other.path))
        {
            let problem = format!(
                "{} is the file of {} too: whoever is told that secret can find the numbers behind hashes; give each its own",
                one.path.display(),
                other.key
            );
            faults.push(Fault::warning(&one.key, problem));
        }
    }
    faults.extend(rotated(config, &named));
    faults.extend(beside_databases(config, &named));
    faults.extend(among_receipts(config, &named));
    faults
}

/// The keys that name the configuration's own file.
pub(super) fn naming(config: &Config, private: Vec<(String, PathBuf)>, file: &Path) -> Vec<Fault> {
    let own = identity(file);
    let named = named(config, private).into_iter().filter(|named| identity(&named.path) == own);
    named
        .map(|named| {
            Fault::fatal(
                named.key,
                format!("{} is this configuration itself; name another file", named.path.display()),
            )
        })
        .collect()
}

fn is_the_file_of(path: &Path, key: &str) -> String {
    format!("{} is the file of {key} too; each needs one of its own", path.display())
}

fn clash(one: &Named, other: &Named) -> bool {
    one.used != other.used || one.used == Use::Written
}

/// Whether one of the two keys is the salt, which no other party may know.
fn salt(one: &Named, other: &Named) -> bool {
    [one, other].into_iter().any(|named| named.key == "events.number_salt")
}

/// Files beside the events' file that its rotation would overwrite, or that list pending erasures.
fn rotated(config: &Config, named: &[Named]) -> Vec<Fault> {
    let Some(events) = &config.events.file else { return Vec::new() };
    let current = real(&events.path);
    let beside = |path: &Path| -> Option<bool> {
        let path = real(path);
        if path.parent() != current.parent() {
            return None;
        }
        let rest =
            path.file_name()?.to_str()?.strip_prefix(current.file_name()?.to_str()?)?.strip_prefix('.')?;
        let number = rest.strip_suffix(".gz").unwrap_or(rest);
        Some(rest == "erasing" || !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let taken =
        named.iter().filter(|named| named.key != "events.file.path" && beside(&named.path) == Some(true));
    taken
        .map(|named| {
            let problem = format!(
                "{} is a name that events.file.path keeps for files of its own ({}.1 and so on); name another file",
                named.path.display(),
                events.path.display()
            );
            Fault::fatal(&named.key, problem)
        })
        .collect()
}

/// Files beside the spool and the store that these keep for themselves.
fn beside_databases(config: &Config, named: &[Named]) -> Vec<Fault> {
    let journal = config.journal.as_ref();
    let journal = journal.map(|it| ("journal.path", &it.path, sidetone_journal::BESIDE.as_slice()));
    let spool = config.spool.as_ref().map(|it| ("spool.path", &it.path, sidetone_spool::BESIDE.as_slice()));
    let store = config.store.as_ref().and_then(|it| it.path.as_ref());
    let store = store.map(|path| ("store.path", path, sidetone_store::BESIDE.as_slice()));
    let mut faults = Vec::new();
    for (key, path, suffixes) in journal.into_iter().chain(spool).chain(store) {
        for suffix in suffixes {
            let mut own = real(path).into_os_string();
            own.push(suffix);
            let own = PathBuf::from(own);
            for named in named.iter().filter(|named| named.key != key && real(&named.path) == own) {
                let problem = format!(
                    "{} is a name that {key} keeps for files of its own; name another file",
                    named.path.display()
                );
                faults.push(Fault::fatal(&named.key, problem));
            }
        }
    }
    faults
}

/// Files within the folder of receipts: those that have the names of the chain's own, and those that look like them.
fn among_receipts(config: &Config, named: &[Named]) -> Vec<Fault> {
    let Some(folder) = &config.consent.receipts else { return Vec::new() };
    let folder = real(folder);
    let mut faults = Vec::new();
    for named in named.iter().filter(|named| named.key != "consent.receipts") {
        let path = real(&named.path);
        if path.parent() != Some(&folder) {
            continue;
        }
        let problem = format!(
            "{} lies among the receipts (consent.receipts), whose files vouch for each other; name another folder",
            named.path.display()
        );
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if is_of_the_chain(name) {
            faults.push(Fault::fatal(&named.key, problem));
        } else if name.ends_with(".jsonl") {
            faults.push(Fault::warning(&named.key, problem));
        }
    }
    faults
}

/// Whether the log of receipts uses such names: `lock`, `head.json`, `2026-11-23-000000000001.jsonl`.
fn is_of_the_chain(name: &str) -> bool {
    let day = name.strip_suffix(".jsonl").is_some_and(|stem| {
        stem.len() > 11 && stem.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
    });
    day || name == "lock" || name == "head.json"
}

fn named(config: &Config, private: Vec<(String, PathBuf)>) -> Vec<Named> {
    let mut all: Vec<Named> = Vec::new();
    let mut add = |key: String, path: Option<&Path>, used: Use| {
        all.extend(path.map(|path| Named { key, path: path.to_owned(), used }));
    };
    add("sip.dialog_key".into(), config.dialog_key().as_deref(), Use::Written);
    add("analysis.model".into(), config.analysis.model.as_deref(), Use::Read);
    for (name, files) in &config.announcement.files {
        for (language, path) in files {
            add(format!("announcement.files.{name}.{language}"), Some(path), Use::Read);
        }
    }
    for (index, webhook) in config.events.webhooks.iter().enumerate() {
        add(format!("events.webhook.{index}.ca_file"), webhook.ca_file.as_deref(), Use::Read);
    }
    for (index, pbx) in config.pbxs.iter().enumerate() {
        let ca_file = pbx.ari.as_ref().and_then(|ari| ari.ca_file.as_deref());
        add(format!("pbx.{index}.ari.ca_file"), ca_file, Use::Read);
    }
    for (key, path) in private {
        // The lists of numbers are as private as secrets, and written by `sidetone consent exclude`.
        let used = if key.starts_with("consent.") { Use::Written } else { Use::Secret };
        add(key, Some(&path), used);
    }
    add("consent.receipts".into(), config.consent.receipts.as_deref(), Use::Written);
    add("events.file.path".into(), config.events.file.as_ref().map(|file| file.path.as_path()), Use::Written);
    add("journal.path".into(), config.journal.as_ref().map(|journal| journal.path.as_path()), Use::Written);
    add("spool.path".into(), config.spool.as_ref().map(|spool| spool.path.as_path()), Use::Written);
    let store = config.store.as_ref().and_then(|store| store.path.as_deref());
    add("store.path".into(), store, Use::Written);
    add("control.socket".into(), Some(&config.control.socket), Use::Written);
    all
}
