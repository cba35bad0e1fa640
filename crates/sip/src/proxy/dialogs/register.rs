//! A REGISTER and its 2xx: which of the Contacts that were asked for are bound, and for how long.

use std::net::SocketAddr;
use std::time::Duration;

use super::Dialogs;
use super::bindings::{Binding, Registered};
use super::set::{LONGEST, SUBSCRIPTION};
use crate::host::{Host, HostPort};
use crate::message::{Message, Name};
use crate::name_addr::NameAddr;
use crate::proxy::destination::Destination;
use crate::proxy::neighbours::{Neighbour, Neighbours};
use crate::{Flow, scan};

/// Contacts of one REGISTER that are looked at.
const MOST_ASKED: usize = 8;
/// Contacts of its 2xx that are looked at: it lists whatever else is registered for the same user (RFC 3261 §10.3).
const MOST_LISTED: usize = 128;

impl Dialogs {
    /// Binds the Contacts of a REGISTER of `peer`'s which the 2xx of the peer at `registrar` lists.
    pub(in crate::proxy) fn registered(
        &mut self,
        now: Duration,
        (register, source, peer): (&Message, &Flow, Neighbour),
        (answer, registrar): (&Message, SocketAddr),
        neighbours: &Neighbours,
    ) {
        let Some(registrar) = neighbours.of(registrar).filter(|registrar| registrar.side != peer.side) else {
            return;
        };
        let listed: Vec<_> = contacts(answer).take(MOST_LISTED).collect();
        let of_all = seconds(answer).or_else(|| seconds(register)).unwrap_or(SUBSCRIPTION);
        for (asked, _) in contacts(register).take(MOST_ASKED) {
            // A WebSocket client is reached by its connection, whatever address its Contact has.
            if !source.transport.is_websocket() && !may_be_of(&asked, peer, neighbours) {
                continue;
            }
            let host = self.hasher.host(&asked);
            let granted = listed.iter().filter(|(listed, _)| self.hasher.host(listed) == host);
            let lasts = granted.map(|(_, lasts)| lasts.unwrap_or(of_all)).max().unwrap_or_default();
            if lasts.is_zero() {
                continue;
            }
            let registered = Registered { peer, heard: Destination::from(*source) };
            let until = now + lasts.min(LONGEST) + self.linger;
            self.bindings.bind(now, host, registrar, Binding { registered, until });
        }
    }
}

/// Whether a host may be one of that peer's: of a name it is known only when it is looked up.
fn may_be_of(host: &HostPort, peer: Neighbour, neighbours: &Neighbours) -> bool {
    match host.host {
        Host::Ip(ip) => neighbours.of(SocketAddr::new(ip, host.port.unwrap_or(5060))) == Some(peer),
        Host::Name(_) => true,
    }
}

/// The hosts in Contact, and how long each is to last, if it says so itself.
fn contacts(message: &Message) -> impl Iterator<Item = (HostPort, Option<Duration>)> {
    message.values(Name::Contact).filter_map(|value| {
        let contact = NameAddr::parse(value).ok()?;
        let host = contact.uri().ok()?.host_port()?;
        let expires = contact.params.value("expires").and_then(|value| scan::decimal(value.as_bytes()));
        Some((host, expires.map(Duration::from_secs)))
    })
}

/// The Expires header's.
fn seconds(message: &Message) -> Option<Duration> {
    message.header(Name::Expires).and_then(|header| scan::decimal(header.value)).map(Duration::from_secs)
}
