//! Files and addresses that a configuration names: whether they can be had, and whether others could read what they must
//! not.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, eaccess};

use super::Faults;
use crate::config::{Config, Fault, media_addresses};

/// The longest path of a Unix socket, in bytes (`sockaddr_un`, less its final zero).
const LONGEST_SOCKET: usize = 107;

pub(super) fn check(config: &Config, faults: &mut Faults) {
    control(&config.control.socket, faults);
    if let Some(file) = &config.events.file
        && !file.path.exists()
    {
        makeable("events.file.path", &file.path, true, faults);
    }
    if let Some(folder) = &config.consent.receipts {
        makeable("consent.receipts", &folder.join("lock"), true, faults);
    }
    for (key, path) in secrets(config) {
        private(&key, &path, faults);
    }
    addresses(config, faults);
}

/// Whether the control socket could be made. That another Sidetone serves it shows only when it is bound.
fn control(path: &Path, faults: &mut Faults) {
    const KEY: &str = "control.socket";
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
        // As whom the service runs is not known here, and its folder may be made for it when it starts.
        _ => makeable(KEY, path, false, faults),
    }
}

/// Whether a file could be made at `path`, with the folders above it where they are missing.
fn makeable(key: &str, path: &Path, fatal: bool, faults: &mut Faults) {
    let mut folder = path.parent();
    while let Some(there) = folder {
        let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
        let refused = match std::fs::metadata(there) {
            Ok(found) if !found.is_dir() => Some(io::ErrorKind::NotADirectory.into()),
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
            faults.add(Fault { key: key.to_owned(), problem, fatal });
        }
        return;
    }
}

/// Files that hold a secret, or that lead to telephone numbers.
fn secrets(config: &Config) -> Vec<(String, PathBuf)> {
    let events = &config.events;
    let mut found: Vec<(String, Option<PathBuf>)> = vec![
        (
            "events.number_salt".to_owned(),
            events.number_salt.as_ref().and_then(|it| it.file().map(Path::to_owned)),
        ),
        (
            "events.stream.token".to_owned(),
            events.stream.token.as_ref().and_then(|it| it.file().map(Path::to_owned)),
        ),
        ("http.token".to_owned(), config.http.token.as_ref().and_then(|it| it.file().map(Path::to_owned))),
        ("consent.do_not_analyse".to_owned(), config.consent.do_not_analyse.clone()),
        ("consent.agent_numbers".to_owned(), config.consent.agent_numbers.clone()),
    ];
    for (index, webhook) in events.webhooks.iter().enumerate() {
        found.push((format!("events.webhook.{index}.secret"), webhook.secret.file().map(Path::to_owned)));
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

/// Warns of a secret that every user of the machine can read or change.
fn private(key: &str, path: &Path, faults: &mut Faults) {
    // That it can't be had at all is told by whoever reads it.
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

/// Warns of addresses that this machine has not, since a configuration may be checked on another one.
fn addresses(config: &Config, faults: &mut Faults) {
    let mut named: Vec<(String, IpAddr)> = Vec::new();
    for (index, listen) in config.sip.listen.iter().enumerate() {
        named.push((format!("sip.listen.{index}"), listen.addr.ip()));
    }
    named.extend(media_addresses(config).map(|ip| (media_key(config, ip).to_owned(), ip)));
    named.extend(config.http.listen.address().map(|at| ("http.listen".to_owned(), at.ip())));
    named.dedup();
    for (key, ip) in named {
        let lacking = UdpSocket::bind(SocketAddr::new(ip, 0))
            .is_err_and(|why| why.kind() == io::ErrorKind::AddrNotAvailable);
        if lacking {
            let problem =
                format!("no interface of this machine has the address {ip}, so nothing can be bound there");
            faults.add(Fault::warning(key, problem));
        }
    }
}

fn media_key(config: &Config, ip: IpAddr) -> &'static str {
    let media = &config.media;
    match ip {
        IpAddr::V6(_) => "media.ipv6",
        IpAddr::V4(ip) if media.address_trunk == Some(ip) => "media.address_trunk",
        IpAddr::V4(ip) if media.address_pbx == Some(ip) => "media.address_pbx",
        IpAddr::V4(_) => "media.address",
    }
}
