//! Addresses outside of SIP that a configuration names: those of PBXs' interfaces.

use super::names::{Resolved, no_host};
use crate::config::Config;
use crate::config::fault::Fault;

pub(super) fn check(config: &Config, faults: &mut Vec<Fault>) {
    for (index, pbx) in config.pbxs.iter().enumerate() {
        let key = |rest: &str| format!("pbx.{index}.{rest}");
        if let Some(ami) = &pbx.ami {
            faults.extend(host(key("ami.address"), host_of(&ami.address)));
        }
        if let Some(esl) = &pbx.esl {
            faults.extend(host(key("esl.address"), host_of(&esl.address)));
        }
        if let Some(ari) = &pbx.ari {
            let authority = authority_of(&ari.url);
            faults.extend(host(key("ari.url"), host_of(authority)));
            faults.extend(ari_place(key("ari.url"), &ari.url, authority));
        }
    }
}

fn host(key: String, name: &str) -> Option<Fault> {
    unusable(name).map(|problem| Fault::fatal(key, problem))
}

/// The fault of the host in a URL, if that host can't be looked up. Other malformed URLs are reported by their parser.
#[must_use]
pub fn unusable_host(url: &str) -> Option<String> {
    unusable(host_of(authority_of(url)))
}

fn unusable(name: &str) -> Option<String> {
    let readable = !name.is_empty() && !name.contains(['/', '@', ' ', ':', '[', ']']);
    if readable { no_host(name, Resolved::Elsewhere) } else { None }
}

/// The path of Asterisk's REST interface, unless it has been moved.
fn ari_place(key: String, url: &str, authority: &str) -> Option<Fault> {
    let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
    if path.trim_end_matches('/').rsplit('/').next() != Some("ari") {
        let problem = "does not end in /ari, where Asterisk serves its REST interface; write for example \"http://192.0.2.20:8088/ari\"";
        Some(Fault::warning(key, problem))
    } else if url.starts_with("http://") && host_of(authority) == authority {
        let problem = "names no port, so 80 is meant, and Asterisk listens at 8088 unless it is told otherwise; add the port";
        Some(Fault::warning(key, problem))
    } else {
        None
    }
}

fn authority_of(url: &str) -> &str {
    url.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default())
}

fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}
