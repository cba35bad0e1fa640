//! Sockets of one configuration that conflict with each other.

use std::net::{IpAddr, SocketAddr};

use sidetone_sip::Transport;

use crate::config::fault::Fault;
use crate::config::{Config, Listen, Media};

/// Our own sockets against each other: a socket named twice, HTTP on SIP's, media ports over either.
pub(super) fn check(config: &Config, faults: &mut Vec<Fault>) {
    let listens = &config.sip.listen;
    for (index, listen) in listens.iter().enumerate() {
        let mut earlier = listens.iter().take(index);
        if earlier.clone().any(|earlier| earlier == listen) {
            let problem = format!("`{listen}` stands here twice; a socket is bound once");
            faults.push(Fault::fatal(format!("sip.listen.{index}"), problem));
        } else if let Some(other) = earlier.find(|earlier| {
            earlier.addr == listen.addr && earlier.transport.is_reliable() && listen.transport.is_reliable()
        }) {
            let problem =
                format!("`{listen}` is the address of {other}, and both are TCP's; take another port");
            faults.push(Fault::fatal(format!("sip.listen.{index}"), problem));
        }
        if listen.addr.port() == 0 {
            let problem = format!("`{listen}` names no port, and peers must know it; write 5060");
            faults.push(Fault::fatal(format!("sip.listen.{index}"), problem));
        }
    }
    if let Some(http) = config.http {
        for listen in listens.iter().filter(|listen| overlap(listen.addr, http)) {
            faults.push(if listen.transport.is_reliable() {
                Fault::fatal(
                    "http.listen",
                    format!("`{http}` is where SIP listens, as {listen}; take another port, for example 9464"),
                )
            } else {
                Fault::warning(
                    "http.listen",
                    format!(
                        "`{http}` is the address of {listen}: a peer that takes to TCP there (RFC 3261 18.1.1) meets HTTP; take another port"
                    ),
                )
            });
        }
    }
    for (key, ip) in media_named(&config.media) {
        aim(config, key, ip, faults);
    }
    media(config, faults);
}

/// An address that is written into SDP has to be a single host's, and reachable for peers.
fn aim(config: &Config, key: &str, ip: IpAddr, faults: &mut Vec<Fault>) {
    let what = match ip {
        _ if ip.is_unspecified() => "the wildcard",
        _ if ip.is_multicast() => "a multicast address",
        IpAddr::V4(ip) if ip.is_broadcast() => "the broadcast address",
        _ => {
            if ip.is_loopback() && config.sip.listen.iter().all(|listen| !listen.addr.ip().is_loopback()) {
                let problem = format!(
                    "is {ip}, which peers on other machines can't send audio to; write the address that they reach"
                );
                faults.push(Fault::warning(key, problem));
            }
            return;
        }
    };
    let problem = format!(
        "is {ip}, {what}: peers are told by it where to send audio; write an address of this machine, for example 192.0.2.10"
    );
    faults.push(Fault::fatal(key, problem));
}

/// Media ports that overlap another socket: a call would get a port that is taken, or a firewall opened for media would
/// open more.
fn media(config: &Config, faults: &mut Vec<Fault>) {
    let ports = config.media.ports;
    let within = |at: SocketAddr| {
        (ports.first..=ports.last).contains(&at.port())
            && media_addresses(config).any(|ip| same_ip(ip, at.ip()))
    };
    for listen in config.sip.listen.iter().filter(|listen| within(listen.addr)) {
        let Listen { transport, addr } = listen;
        faults.push(match transport {
            Transport::Udp => Fault::fatal(
                "media.ports",
                format!("{ports} holds port {}, on which SIP listens; move either", addr.port()),
            ),
            other => opened(&format!("SIP by {}", other.as_via()), &ports.to_string(), *addr),
        });
    }
    if let Some(http) = config.http.filter(|http| within(*http)) {
        faults.push(opened("HTTP", &ports.to_string(), http));
    }
}

fn opened(what: &str, ports: &str, at: SocketAddr) -> Fault {
    let port = at.port();
    let problem = format!(
        "{ports} holds port {port}, on which {what} listens: a firewall that lets media in lets everybody in there; move either"
    );
    Fault::warning("media.ports", problem)
}

/// The media addresses that the configuration states, each with its key.
pub fn media_named(media: &Media) -> Vec<(&'static str, IpAddr)> {
    let sides = [media.address_trunk, media.address_pbx];
    let mut named: Vec<(&str, IpAddr)> = Vec::new();
    // The common address is unused if both sides have their own.
    if sides.iter().any(Option::is_none) {
        named.push(("media.address", media.address.into()));
    }
    let keys = ["media.address_trunk", "media.address_pbx"];
    named.extend(keys.into_iter().zip(sides).filter_map(|(key, ip)| Some((key, ip?.into()))));
    named.extend(media.ipv6.map(|ip| ("media.ipv6", ip.into())));
    named
}

/// Every address that media ports are bound to.
fn media_addresses(config: &Config) -> impl Iterator<Item = IpAddr> {
    media_named(&config.media).into_iter().map(|(_, ip)| ip)
}

fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() == b.port() && same_ip(a.ip(), b.ip())
}

/// Whether sockets on both addresses would conflict; a wildcard conflicts with every address.
fn same_ip(a: IpAddr, b: IpAddr) -> bool {
    // An IPv6 wildcard covers IPv4 as well, unless the system says otherwise.
    a == b
        || a.is_unspecified() && (a.is_ipv6() || b.is_ipv4())
        || b.is_unspecified() && (b.is_ipv6() || a.is_ipv4())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_are_used_are_named() {
        let media: Media = toml::from_str("").unwrap();
        assert_eq!(media_named(&media), [("media.address", [127, 0, 0, 1].into())]);
        let text = "address_trunk = \"127.0.0.2\"\naddress_pbx = \"127.0.0.3\"\nipv6 = \"::1\"";
        let named = media_named(&toml::from_str(text).unwrap());
        let keys: Vec<&str> = named.into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["media.address_trunk", "media.address_pbx", "media.ipv6"]);
    }
}
