//! Addresses outside of SIP that a configuration names: those of PBXs' interfaces and of webhooks.

use super::names::{Resolved, no_host};
use crate::config::Config;

/// Gives `add` each key, what is wrong with it, and whether Sidetone can't run with it.
pub(super) fn check(config: &Config, add: &mut impl FnMut(String, String, bool)) {
    for (index, pbx) in config.pbxs.iter().enumerate() {
        let key = |rest: &str| format!("pbx.{index}.{rest}");
        if let Some(ami) = &pbx.ami {
            host(key("ami.address"), host_of(&ami.address), add);
        }
        if let Some(esl) = &pbx.esl {
            host(key("esl.address"), host_of(&esl.address), add);
        }
        if let Some(ari) = &pbx.ari {
            let authority = authority_of(&ari.url);
            host(key("ari.url"), host_of(authority), add);
            ari_place(key("ari.url"), &ari.url, authority, add);
        }
    }
    for (index, webhook) in config.events.webhooks.iter().enumerate() {
        host(format!("events.webhook.{index}.url"), host_of(authority_of(&webhook.url)), add);
    }
}

/// A name that can't be looked up. Other shapes that are wrong are told by whoever reads them.
fn host(key: String, name: &str, add: &mut impl FnMut(String, String, bool)) {
    let readable = !name.is_empty() && !name.contains(['/', '@', ' ', ':', '[', ']']);
    if readable && let Some(problem) = no_host(name, Resolved::Elsewhere) {
        add(key, problem, true);
    }
}

/// Where Asterisk serves its REST interface, unless it has been moved.
fn ari_place(key: String, url: &str, authority: &str, add: &mut impl FnMut(String, String, bool)) {
    let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
    if path.trim_end_matches('/').rsplit('/').next() != Some("ari") {
        let problem = "does not end in /ari, where Asterisk serves its REST interface; write for example \"http://192.0.2.20:8088/ari\"";
        add(key, problem.to_owned(), false);
    } else if url.starts_with("http://") && host_of(authority) == authority {
        let problem = "names no port, so 80 is meant, and Asterisk listens at 8088 unless it is told otherwise; add the port";
        add(key, problem.to_owned(), false);
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
