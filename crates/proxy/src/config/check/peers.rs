//! Peers that can't be reached, can't be told apart, or are Sidetone itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use sidetone_call::Side;
use sidetone_insight::did_you_mean;
use sidetone_sip::Transport;
use sidetone_sip::host::{Host, literal};

use super::names::{Resolved, is_localhost, no_host, same};
use crate::config::fault::Fault;
use crate::config::{AllowEntry, Config, Peer, Policy};
use crate::routing::{Guests, HostAddress, Resolver, Table};

const FACES: [(Side, &str); 2] = [(Side::Trunk, "trunk"), (Side::Pbx, "pbx")];

fn of(config: &Config, side: Side) -> &[Peer] {
    match side {
        Side::Trunk => &config.trunks,
        Side::Pbx => &config.pbxs,
    }
}

/// A peer's designation in a message.
fn called(side: Side, peer: &Peer) -> String {
    let kind = match side {
        Side::Trunk => "trunk",
        Side::Pbx => "pbx",
    };
    format!("{kind} \"{}\"", peer.name)
}

pub(super) fn check(config: &Config, faults: &mut Vec<Fault>) {
    let mut names: Vec<(&str, String)> = Vec::new();
    for (side, kind) in FACES {
        for (index, peer) in of(config, side).iter().enumerate() {
            let key = format!("{kind}.{index}");
            if let Some((_, first)) = names.iter().find(|(name, _)| *name == peer.name) {
                let problem = format!("`{}` is taken by {first}; each needs a name of its own", peer.name);
                faults.push(Fault::fatal(format!("{key}.name"), problem));
            }
            names.push((&peer.name, called(side, peer)));
            alone(faults, &key, peer, of(config, side.other()));
            hosts(config, faults, &key, side, peer);
            if side == Side::Pbx && peer.disclosure != Policy::Never {
                faults.push(Fault::fatal(
                    format!("{key}.disclosure"),
                    "belongs to a trunk: it is callers who are told; move it to the [[trunk]]",
                ));
            }
            if side == Side::Trunk && !peer.links().is_empty() {
                faults.push(Fault::fatal(
                    key,
                    "has links, and ami, ari, esl and sip belong to a [[pbx]]; move them there",
                ));
            }
        }
    }
    allows(config, faults);
    sources(config, faults);
}

/// Faults of one peer by itself.
fn alone(faults: &mut Vec<Fault>, key: &str, peer: &Peer, others: &[Peer]) {
    if peer.name.is_empty() || !peer.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        faults.push(Fault::fatal(
            format!("{key}.name"),
            "may hold letters, digits, '-', '_' and '.' only, since it becomes a metrics label",
        ));
    }
    // Browsers are called by the connections that they have made.
    if peer.hosts.is_empty() && peer.allow_at.is_empty() {
        faults.push(Fault::fatal(
            format!("{key}.hosts"),
            "names no host; write [{ to = \"sip:192.0.2.1:5060\" }]",
        ));
    }
    if peer.allow.is_empty() && peer.allow_at.is_empty() && peer.allow_certificates.is_empty() {
        faults.push(Fault::warning(
            format!("{key}.allow"),
            "is empty, so no request from this peer is taken; name its addresses, for example [\"192.0.2.0/24\"]",
        ));
    }
    for (list, names) in [("to", &peer.to), ("overflow", &peer.overflow)] {
        for (index, name) in names.iter().enumerate() {
            let key = format!("{key}.{list}.{index}");
            if !others.iter().any(|other| other.name == *name) {
                let known = did_you_mean(name, others.iter().map(|other| other.name.as_str()));
                let problem = format!("`{name}` is no peer on the other side; {known}");
                faults.push(Fault::fatal(key, problem));
            } else if names.iter().take(index).any(|earlier| earlier == name) {
                let problem = format!("`{name}` stands here twice; the second is never tried");
                faults.push(Fault::warning(key, problem));
            }
        }
    }
    if peer.calls == Some(0) {
        faults.push(Fault::fatal(
            format!("{key}.calls"),
            "is 0, so every call from this peer would be refused; leave it out for no share of its own",
        ));
    }
}

/// Hosts that can't be parsed, and hosts that are Sidetone itself: a call sent there would come back until it is
/// refused as a loop.
fn hosts(config: &Config, faults: &mut Vec<Fault>, key: &str, side: Side, peer: &Peer) {
    for (index, host) in peer.hosts.iter().enumerate() {
        let key = format!("{key}.hosts.{index}.to");
        let address = match HostAddress::parse(&host.to) {
            Ok(address) => address,
            Err(problem) => {
                faults.push(Fault::fatal(key, problem.to_string()));
                continue;
            }
        };
        let to = &host.to;
        if let Host::Name(name) = &address.host.host {
            if let Some(problem) = no_host(name, Resolved::ForSip) {
                faults.push(Fault::fatal(key, problem));
            } else if config.sip.hostnames.iter().any(|own| same(own, name)) {
                let problem = format!(
                    "`{to}` is Sidetone itself, by sip.hostnames: its calls would come back; name the peer's own address"
                );
                faults.push(Fault::fatal(key, problem));
            } else if is_localhost(name)
                && loopback(&address).into_iter().any(|(by, at)| is_ours(config, by, at))
            {
                let problem = format!(
                    "`{to}` is Sidetone itself (sip.listen): its calls would come back; name the peer's own address and port"
                );
                faults.push(Fault::fatal(key, problem));
            }
            continue;
        }
        let Some((transport, at)) = Resolver::literal(&address) else { continue };
        let broadcast = matches!(at.ip(), IpAddr::V4(ip) if ip.is_broadcast());
        if broadcast || at.ip().is_unspecified() || at.ip().is_multicast() {
            let problem = format!("`{to}` is no address of one host; name the peer's own address");
            faults.push(Fault::fatal(key, problem));
        } else if is_ours(config, transport, at) {
            let problem = format!(
                "`{to}` is Sidetone itself (sip.listen): its calls would come back; name the peer's own address and port"
            );
            faults.push(Fault::fatal(key, problem));
        } else if !config
            .sip
            .listen
            .iter()
            .any(|own| own.transport == transport && own.addr.is_ipv4() == at.is_ipv4())
        {
            let family = if at.is_ipv4() { "IPv4" } else { "IPv6" };
            let by = transport.as_via();
            let problem = format!(
                "`{to}` is reached by {by} over {family}, and sip.listen has no such socket to send from; add one"
            );
            faults.push(Fault::fatal(key, problem));
        } else if let Some(other) = twin(config, side, (transport, at)) {
            let problem = format!(
                "`{to}` is a host of {other} too: what comes from there can't be told apart, and calls would be sent back to where they came from"
            );
            faults.push(Fault::warning(key, problem));
        }
    }
}

/// The addresses that a name for this machine stands for.
fn loopback(address: &HostAddress) -> [(Transport, SocketAddr); 2] {
    let (by, port) = (address.assumed_transport(), address.assumed_port());
    let addresses: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    addresses.map(|ip| (by, SocketAddr::new(ip, port)))
}

fn is_ours(config: &Config, transport: Transport, at: SocketAddr) -> bool {
    let named = || config.sip.hostnames.iter().any(|own| literal(own) == Some(at.ip()));
    config
        .sip
        .listen
        .iter()
        .any(|own| own.transport == transport && (own.addr == at || own.addr.port() == at.port() && named()))
}

/// A peer of the other side with the same host. Reported once, for the PBX.
fn twin(config: &Config, side: Side, place: (Transport, SocketAddr)) -> Option<String> {
    if side == Side::Trunk {
        return None;
    }
    let has = |peer: &&Peer| {
        let mut hosts = peer.hosts.iter().filter_map(|host| HostAddress::parse(&host.to).ok());
        hosts.any(|host| Resolver::literal(&host) == Some(place))
    };
    config.trunks.iter().find(has).map(|trunk| called(Side::Trunk, trunk))
}

/// Entries of `allow` that two peers share: the first peer in the file would get all requests from there.
fn allows(config: &Config, faults: &mut Vec<Fault>) {
    let mut seen: Vec<(AllowEntry, Side, &Peer)> = Vec::new();
    for (side, kind) in FACES {
        for (index, peer) in of(config, side).iter().enumerate() {
            for (number, entry) in peer.allow.iter().enumerate() {
                let key = format!("{kind}.{index}.allow.{number}");
                if let Some((_, other_side, other)) =
                    seen.iter().find(|(earlier, ..)| earlier.normal() == entry.normal())
                {
                    let first = called(*other_side, other);
                    faults.push(if std::ptr::eq(*other, peer) {
                        Fault::warning(key, format!("`{entry}` stands here twice; one of them is enough"))
                    } else if *other_side == side {
                        Fault::warning(key, format!("`{entry}` is allowed to {first} too, which gets all that comes from there; tell them apart by IP:PORT"))
                    } else {
                        Fault::fatal(key, format!("`{entry}` is allowed to {first} too, so nobody could say who is the customer; tell them apart by narrower networks or by IP:PORT"))
                    });
                } else if side == Side::Trunk && matches!(entry, AllowEntry::Network { bits: 0, .. }) {
                    faults.push(Fault::warning(
                        key,
                        format!("`{entry}` lets everybody call as this carrier; name the carrier's networks"),
                    ));
                } else if let Some((_, other_side, other)) = seen
                    .iter()
                    .find(|(earlier, other_side, _)| *other_side != side && nested(*earlier, *entry))
                {
                    faults.push(Fault::warning(
                        key,
                        format!(
                            "`{entry}` and an entry of {} hold addresses in common; what comes from those counts for the narrower entry",
                            called(*other_side, other)
                        ),
                    ));
                }
                seen.push((*entry, side, peer));
            }
        }
    }
}

/// Whether one network lies within the other. An entry with a port is meant to be told apart from its neighbours.
fn nested(a: AllowEntry, b: AllowEntry) -> bool {
    let (AllowEntry::Network { ip: one, bits: short }, AllowEntry::Network { ip: two, bits: long }) = (a, b)
    else {
        return false;
    };
    let within = |net: AllowEntry, ip: IpAddr| net.fit(SocketAddr::new(ip, 0)) > 0;
    if short <= long { within(a, two) } else { within(b, one) }
}

/// Whether requests from a peer's own hosts would count as that peer's.
fn sources(config: &Config, faults: &mut Vec<Fault>) {
    let table = Table::new(config, Guests::default());
    for (side, kind) in FACES {
        for (index, peer) in of(config, side).iter().enumerate() {
            if peer.allow.is_empty() || !peer.allow_certificates.is_empty() {
                continue;
            }
            for (number, host) in peer.hosts.iter().enumerate() {
                let Some((transport, at)) =
                    HostAddress::parse(&host.to).ok().as_ref().and_then(Resolver::literal)
                else {
                    continue;
                };
                let key = format!("{kind}.{index}.hosts.{number}.to");
                let to = &host.to;
                match table.who(at) {
                    Some(found) if found.side == side => {}
                    // These hosts have been reported already.
                    _ if is_ours(config, transport, at) || twin(config, side, (transport, at)).is_some() => {}
                    Some(found) => {
                        let other = format!("{} \"{}\"", found.side.as_str(), table.name(found));
                        faults.push(Fault::fatal(key, format!(
                            "`{to}` is let in as {other}, whose `allow` holds its address more closely, so the two sides of its calls would be taken for each other; narrow that `allow`, or add this address to the `allow` of {}",
                            called(side, peer)
                        )));
                    }
                    None => faults.push(Fault::warning(key, format!(
                        "`{to}` is in no `allow`, so what this host sends (a hang-up, a call) is not taken; add its address to the `allow` of {}",
                        called(side, peer)
                    ))),
                }
            }
        }
    }
}
