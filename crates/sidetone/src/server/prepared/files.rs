//! Files that a configuration names: whether they are usable, and whether other users could read confidential ones.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::sys::statfs::{self, statfs};
use nix::unistd::{AccessFlags, eaccess};

use sidetone_events::Secret;

use crate::config::Config;
use crate::server::dialog_key;
use crate::server::faults::{Faults, journal_fault};
use sidetone_proxy::config::Fault;

/// The longest path of a Unix socket, in bytes (`sockaddr_un`, less its final zero).
const LONGEST_SOCKET: usize = 107;

pub(super) fn check(config: &Config, faults: &mut Faults) {
    control(&config.control.socket, faults);
    if let Some(file) = &config.events.file
        && !file.path.exists()
        && !faults.concern("events.file.path")
    {
        makeable("events.file.path", &file.path, faults);
    }
    if let Some(journal) = &config.journal
        && !faults.concern("journal.path")
    {
        if journal.path.exists() {
            if let Err(error) = sidetone_journal::examine(&journal.path) {
                faults.add(journal_fault(&error));
            } else if let Err(why) = eaccess(&journal.path, AccessFlags::R_OK | AccessFlags::W_OK) {
                let (path, why) = (journal.path.display(), why.desc());
                let problem = format!("{path} can't be written to: {why}; let Sidetone's user own it");
                faults.add(Fault::fatal("journal.path", problem));
            }
        } else {
            makeable("journal.path", &journal.path, faults);
        }
    }
    if let Some(spool) = &config.spool
        && !faults.concern("spool.path")
    {
        if spool.path.exists() {
            // Asked without opening it: see `SpoolFile::examine`.
            if let Err(why) = eaccess(&spool.path, AccessFlags::R_OK | AccessFlags::W_OK) {
                let (path, why) = (spool.path.display(), why.desc());
                let problem =
                    format!("{path} can't be written: {why}; let Sidetone's user read and write it");
                faults.add(Fault::fatal("spool.path", problem));
            }
        } else {
            makeable("spool.path", &spool.path, faults);
        }
    }
    if let Some(path) = config.store.as_ref().and_then(|store| store.path.as_ref())
        && !faults.concern("store.path")
    {
        if path.exists() {
            // Asked without opening it: closing a file takes SQLite's locks on it from this process.
            if let Err(why) = eaccess(path, AccessFlags::R_OK | AccessFlags::W_OK) {
                let (path, why) = (path.display(), why.desc());
                let problem =
                    format!("{path} can't be written: {why}; let Sidetone's user read and write it");
                faults.add(Fault::fatal("store.path", problem));
            }
        } else {
            makeable("store.path", path, faults);
        }
    }
    if let Err(error) = config.cues.load() {
        faults.add(Fault::fatal(format!("cues.{}", error.key()), error.to_string()));
    }
    match config.http.load_languages() {
        Ok((_, warnings)) => {
            for warning in warnings {
                faults.add(Fault::warning("http.languages", warning));
            }
        }
        Err(error) => faults.add(Fault::fatal("http.languages", error.to_string())),
    }
    if let Some(folder) = &config.consent.receipts {
        makeable("consent.receipts", &folder.join("lock"), faults);
    }
    for (key, path) in secrets(config) {
        private(&key, &path, faults);
    }
    for (key, secret) in texts(config) {
        no_path(&key, secret, faults);
    }
    dialog_key(config, faults);
}

/// Whether the control socket could be made. Another Sidetone that serves it shows only when it is bound.
fn control(path: &Path, faults: &mut Faults) {
    const KEY: &str = "control.socket";
    if path.as_os_str().is_empty() {
        let problem =
            "is empty; leave it out for the default, or write for example \"/run/sidetone/control.sock\"";
        return faults.add(Fault::fatal(KEY, problem));
    }
    if path.as_os_str().len() > LONGEST_SOCKET {
        let problem =
            format!("is longer than a socket's path may be ({LONGEST_SOCKET} bytes); name a shorter one");
        return faults.add(Fault::fatal(KEY, problem));
    }
    match std::fs::symlink_metadata(path) {
        Ok(there) if !there.file_type().is_socket() => {
            let path = path.display();
            let problem = format!(
                "`{path}`: something else than a socket stands there; move it away or name another path"
            );
            faults.add(Fault::fatal(KEY, problem));
        }
        _ => makeable(KEY, path, faults),
    }
}

/// Whether a file could be made at `path`, with the folders above it where they are missing.
fn makeable(key: &str, path: &Path, faults: &mut Faults) {
    let mut folder = path.parent();
    while let Some(there) = folder {
        let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
        let refused = match std::fs::metadata(there) {
            Ok(found) if !found.is_dir() => Some(io::ErrorKind::NotADirectory.into()),
            // Root is let in here, and still can't make a file.
            Ok(_) if is_of_the_kernel(there) => Some(io::ErrorKind::PermissionDenied.into()),
            Ok(_) => eaccess(there, AccessFlags::W_OK | AccessFlags::X_OK).err().map(io::Error::from),
            Err(why) if why.kind() == io::ErrorKind::NotFound => {
                folder = there.parent();
                continue;
            }
            Err(why) => Some(why),
        };
        if let Some(why) = refused {
            let (path, there) = (path.display(), there.display());
            let problem = format!(
                "{path} can't be made, because of {there}: {why}; name a place that Sidetone's user may write to"
            );
            faults.add(Fault::fatal(key, problem));
        }
        return;
    }
}

/// Whether a folder belongs to the kernel's file systems (`/proc`, `/sys`), where no file can be made.
fn is_of_the_kernel(folder: &Path) -> bool {
    let kinds = [
        statfs::PROC_SUPER_MAGIC,
        statfs::SYSFS_MAGIC,
        statfs::CGROUP_SUPER_MAGIC,
        statfs::CGROUP2_SUPER_MAGIC,
        statfs::DEVPTS_SUPER_MAGIC,
        statfs::DEBUGFS_MAGIC,
        statfs::TRACEFS_MAGIC,
        statfs::SECURITYFS_MAGIC,
    ];
    statfs(folder).is_ok_and(|there| kinds.contains(&there.filesystem_type()))
}

/// Calls are carried without the key, so its fault is no reason to refuse the configuration.
fn dialog_key(config: &Config, faults: &mut Faults) {
    let folder = config.journal.as_ref().and_then(|journal| journal.path.parent());
    if config.sip.dialog_key.is_none() && folder.is_some_and(|folder| !folder.exists()) {
        // The journal makes it, and the key lies beside; whether it can is told of the journal.
        return;
    }
    if let Some((path, why)) = dialog_key::examine(config.dialog_key().as_deref()) {
        let problem = format!(
            "{} can't be used: {why}; requests in calls that are up would be refused after a restart; name a file of 16 bytes, or one that Sidetone's user may make",
            path.display()
        );
        faults.add(Fault::warning("sip.dialog_key", problem));
    }
    if let Some(path) = &config.sip.dialog_key
        && path.components().count() == 1
        && path.is_relative()
    {
        let problem = format!(
            "`{}` is taken for a file in whatever folder Sidetone is started in; name the file, not the key, by its whole path",
            path.display()
        );
        faults.add(Fault::warning("sip.dialog_key", problem));
    }
}

/// Files that hold a secret, or that lead to telephone numbers.
pub(super) fn secrets(config: &Config) -> Vec<(String, PathBuf)> {
    let mut found: Vec<(String, Option<PathBuf>)> =
        texts(config).into_iter().map(|(key, secret)| (key, secret.file().map(Path::to_owned))).collect();
    found.push(("consent.do_not_analyse".to_owned(), config.consent.do_not_analyse.clone()));
    found.push(("consent.agent_numbers".to_owned(), config.consent.agent_numbers.clone()));
    let password = config.store.as_ref().and_then(|store| store.postgres_password_file.clone());
    found.push(("store.postgres_password_file".to_owned(), password));
    if let Some(tls) = &config.sip.tls {
        found.push(("sip.tls.key".to_owned(), Some(tls.key.clone())));
        let more = tls.more.iter().enumerate();
        found.extend(more.map(|(index, pair)| (format!("sip.tls.more.{index}.key"), Some(pair.key.clone()))));
    }
    for (index, pbx) in config.pbxs.iter().enumerate() {
        let links = pbx.links();
        let files = [
            ("ami.secret_file", links.ami.and_then(|ami| ami.secret_file)),
            ("ari.password_file", links.ari.and_then(|ari| ari.password_file)),
            ("esl.password_file", links.esl.and_then(|esl| esl.password_file)),
        ];
        found.extend(files.map(|(key, file)| (format!("pbx.{index}.{key}"), file)));
    }
    found.into_iter().filter_map(|(key, path)| Some((key, path?))).collect()
}

/// Secrets that may be written as text.
fn texts(config: &Config) -> Vec<(String, &Secret)> {
    let events = &config.events;
    let named = [
        ("events.number_salt", &events.number_salt),
        ("events.stream.token", &events.stream.token),
        ("http.token", &config.http.token),
    ];
    let oidc = config.http.oidc.as_ref().and_then(|oidc| oidc.client_secret.as_ref());
    let mut found: Vec<(String, &Secret)> =
        named.into_iter().filter_map(|(key, secret)| Some((key.to_owned(), secret.as_ref()?))).collect();
    found.extend(oidc.map(|secret| ("http.oidc.client_secret".to_owned(), secret)));
    for (index, webhook) in events.webhooks.iter().enumerate() {
        found.push((format!("events.webhook.{index}.secret"), &webhook.secret));
        found
            .extend(webhook.old_secret.iter().map(|old| (format!("events.webhook.{index}.old_secret"), old)));
    }
    for (index, pbx) in config.pbxs.iter().enumerate() {
        let links = [
            ("ami.secret", pbx.ami.as_ref().and_then(|ami| ami.secret.as_ref())),
            ("ari.password", pbx.ari.as_ref().and_then(|ari| ari.password.as_ref())),
            ("esl.password", pbx.esl.as_ref().and_then(|esl| esl.password.as_ref())),
        ];
        let given = links.into_iter().filter_map(|(key, secret)| Some((key, secret?)));
        found.extend(given.map(|(key, secret)| (format!("pbx.{index}.{key}"), secret)));
    }
    found
}

/// Refuses a path in place of the secret itself: the path would be the secret, and it is in every manual.
fn no_path(key: &str, secret: &Secret, faults: &mut Faults) {
    if secret.file().is_some() {
        return;
    }
    let Ok(text) = secret.reveal(1) else { return };
    let Ok(text) = std::str::from_utf8(text.bytes()) else { return };
    let path = Path::new(text);
    // Base64 may begin with a slash too; its first part is no folder in the root folder.
    let folder = path.ancestors().filter(|above| above.as_os_str().len() > 1).last();
    if path.is_absolute() && folder.is_some_and(|folder| folder != path && folder.is_dir()) {
        let problem =
            "is a path, which would itself be the secret; write { file = \"PATH\" } of a file that holds it";
        faults.add(Fault::fatal(key, problem));
    } else if seems_a_path(text) {
        let problem =
            "looks like a path, and is itself taken for the secret; write { file = \"PATH\" } if it is one";
        faults.add(Fault::warning(key, problem));
    }
}

/// Whether a text is written as paths are. Random letters and digits are not, in any base.
fn seems_a_path(text: &str) -> bool {
    let marked = ["./", "../", "~/", "file:", "$", "%d/"].iter().any(|mark| text.starts_with(mark));
    let plain = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
    };
    let absolute =
        text.strip_prefix('/').is_some_and(|rest| rest.contains('/') && rest.split('/').all(plain));
    marked && text.contains(['/', ':']) || absolute || text.contains('/') && Path::new(text).is_file()
}

/// Warns of a secret that every user of the machine can read or change.
fn private(key: &str, path: &Path, faults: &mut Faults) {
    // A file that can't be read is reported by its reader.
    let Ok(there) = std::fs::metadata(path) else { return };
    let others = there.mode() & 0o006;
    if there.is_file() && others != 0 {
        let path = path.display();
        let can = if others & 0o002 != 0 { "change" } else { "read" };
        let problem =
            format!("{path} is open to every user of this machine, who may {can} it; chmod o= {path}");
        faults.add(Fault::warning(key, problem));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_secrets() {
        for path in [
            "/secrets/api-token",
            "./token",
            "~/token",
            "file:///etc/x",
            "$CREDENTIALS_DIRECTORY/token",
            "/etc/hosts",
        ] {
            assert!(seems_a_path(path), "{path}");
        }
        for secret in [
            "sixteen bytes and more",
            "/fV0k+8aL2/Qz==",
            "/aB3/9x/Zz0",
            "$ecret of ours",
            "a/b",
            "/0123456789abcdef",
        ] {
            assert!(!seems_a_path(secret), "{secret}");
        }
    }
}
