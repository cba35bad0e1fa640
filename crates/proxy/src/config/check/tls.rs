//! TLS and WebSocket: sockets without certificates or origins, and peers that name what isn't there.

use sidetone_call::Side;
use sidetone_insight::did_you_mean;
use sidetone_sip::Transport;
use sidetone_sip::host::Host;

use super::names::{Resolved, no_host};
use crate::config::fault::Fault;
use crate::config::{ClientCertificates, Config, Listen, Peer};

pub(super) fn check(config: &Config, faults: &mut Vec<Fault>) {
    sockets(config, faults);
    origins(config, faults);
    if let Some(name) = config.sip.tls.as_ref().and_then(|tls| tls.name.as_ref())
        && let Some(problem) = no_host(name, Resolved::Elsewhere)
    {
        faults.push(Fault::fatal("sip.tls.name", problem));
    }
    for (side, peers) in [(Side::Trunk, &config.trunks), (Side::Pbx, &config.pbxs)] {
        let kind = if side == Side::Trunk { "trunk" } else { "pbx" };
        for (index, peer) in peers.iter().enumerate() {
            let key = format!("{kind}.{index}");
            at_sockets(config, &key, peer, faults);
            certificates(config, &key, peer, faults);
            for (number, host) in peer.hosts.iter().enumerate() {
                let Some(name) = &host.certificate_name else { continue };
                let problem = no_host(name, Resolved::Elsewhere);
                let key = format!("{key}.hosts.{number}.certificate_name");
                faults.extend(problem.map(|problem| Fault::fatal(key, problem)));
            }
        }
    }
}

/// The sockets that a configuration has of a kind.
fn listens(config: &Config, fits: impl Fn(Transport) -> bool) -> impl Iterator<Item = (usize, &Listen)> {
    config.sip.listen.iter().enumerate().filter(move |(_, listen)| fits(listen.transport))
}

fn sockets(config: &Config, faults: &mut Vec<Fault>) {
    if config.sip.tls.is_none()
        && let Some((index, listen)) = listens(config, Transport::is_secure).next()
    {
        let problem = format!(
            "`{listen}` needs a certificate, and [sip.tls] is missing; write its certificate and key there"
        );
        faults.push(Fault::fatal(format!("sip.listen.{index}"), problem));
    }
    for (index, listen) in listens(config, |transport| transport == Transport::Ws) {
        if !listen.addr.ip().is_loopback() {
            let problem = format!(
                "`{listen}` carries SIP and its passwords' digests in the clear, and browsers refuse it from a page by https; write wss:"
            );
            faults.push(Fault::warning(format!("sip.listen.{index}"), problem));
        }
    }
}

fn origins(config: &Config, faults: &mut Vec<Fault>) {
    let origins = &config.sip.websocket.origins;
    let some = listens(config, Transport::is_websocket).next();
    if origins.is_empty() && some.is_some() {
        faults.push(Fault::warning(
            "sip.websocket.origins",
            "names no origin, so every browser is refused; name the pages that agents use, for example [\"https://agents.example\"]",
        ));
    }
    for (index, origin) in origins.iter().enumerate() {
        let key = format!("sip.websocket.origins.{index}");
        if origin == "*" {
            let problem = "lets every page on the Internet speak SIP from an agent's browser; name the pages that agents use";
            faults.push(Fault::warning(key, problem));
            continue;
        }
        let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        let is_origin =
            host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ', '*']));
        if !is_origin {
            let problem = format!(
                "`{origin}` is no origin; write scheme, host and port without a path, as in \"https://agents.example\""
            );
            faults.push(Fault::fatal(key, problem));
        }
    }
}

/// Sockets that belong to one peer alone.
fn at_sockets(config: &Config, key: &str, peer: &Peer, faults: &mut Vec<Fault>) {
    for (index, listen) in peer.allow_at.iter().enumerate() {
        let key = format!("{key}.allow_at.{index}");
        let others = config.trunks.iter().chain(&config.pbxs).take_while(|other| !std::ptr::eq(*other, peer));
        let taken = others.into_iter().find(|other| other.allow_at.contains(listen));
        let problem = if !config.sip.listen.contains(listen) {
            let texts: Vec<String> = config.sip.listen.iter().map(ToString::to_string).collect();
            let known = did_you_mean(&listen.to_string(), texts.iter().map(String::as_str));
            format!("`{listen}` is no socket of sip.listen; {known}")
        } else if !listen.transport.is_reliable() {
            format!(
                "`{listen}` has no connections to tell its senders by, and whoever forges an address would be let in; name a socket of tls or wss"
            )
        } else if let Some(other) = taken {
            format!(
                "`{listen}` belongs to \"{}\" already; a socket has one peer, so open another",
                other.name
            )
        } else {
            if listen.transport == Transport::Tcp {
                let problem = format!(
                    "`{listen}` lets everybody in who can connect, unencrypted; name a socket of tls or wss, or use `allow`"
                );
                faults.push(Fault::warning(key, problem));
            }
            continue;
        };
        faults.push(Fault::fatal(key, problem));
    }
}

fn certificates(config: &Config, key: &str, peer: &Peer, faults: &mut Vec<Fault>) {
    let names = &peer.allow_certificates;
    let asked = config.sip.tls.as_ref().map_or(ClientCertificates::Off, |tls| tls.client_certificates);
    if !names.is_empty() && asked == ClientCertificates::Off {
        faults.push(Fault::fatal(
            format!("{key}.allow_certificates"),
            "has no effect: clients are not asked for certificates; write client_certificates = \"optional\" in [sip.tls]",
        ));
    }
    let open = listens(config, |transport| transport != Transport::Tls && !transport.is_websocket())
        .find(|(_, listen)| !listen.addr.ip().is_loopback());
    if let Some((_, open)) = open.filter(|_| !names.is_empty() && !peer.allow.is_empty()) {
        let problem = format!(
            "is asked of its clients by TLS only: by `{open}` its addresses in `allow` are let in without; empty `allow` to go by certificates alone"
        );
        faults.push(Fault::warning(format!("{key}.allow_certificates"), problem));
    }
    for (index, name) in names.iter().enumerate() {
        let key = format!("{key}.allow_certificates.{index}");
        let others = config.trunks.iter().chain(&config.pbxs).take_while(|other| !std::ptr::eq(*other, peer));
        let mut others =
            others.filter(|other| other.allow_certificates.iter().any(|it| it.eq_ignore_ascii_case(name)));
        if name.contains('*') {
            let problem =
                format!("`{name}`: wildcards stand for no SIP domain (RFC 5922 7.2); name each one");
            faults.push(Fault::fatal(key, problem));
        } else if name.parse::<Host>().is_err() {
            let problem = format!("`{name}` is no name of a host; write one that the peer's certificate has");
            faults.push(Fault::fatal(key, problem));
        } else if let Some(other) = others.next() {
            let problem =
                format!("`{name}` names \"{}\" already, which gets all that comes with it", other.name);
            faults.push(Fault::fatal(key, problem));
        }
    }
}
