//! Connections: whose they are, and which requests leave by them.
//!
//! A socket may belong to one peer alone (`allow_at`), a certificate may name its bearer's peer (`allow_certificates`),
//! and any other connection is its address's peer's (`allow`). Clients by WebSocket are reached by the connections that
//! they have made, and by nothing else: no name of theirs is looked up, and none of their addresses is connected to.

use std::net::SocketAddr;

use sidetone_sip::host::HostPort;
use sidetone_sip::proxy::{Decision, Destination, Steered};
use sidetone_sip::uri::Uri;
use sidetone_sip::{Flow, Transport};

use super::reach::Reach;
use super::{Core, reject};
use crate::config::Listen;
use crate::routing::{Candidate, HostAddress, PeerName, PeerRef, Where};
use crate::tls::Failure;

/// Most addresses whose certificate's name is remembered.
const MOST_IDENTITIES: usize = 4_096;

/// The peer that a new connection belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Door {
    /// The peer whose address it comes from.
    Peer(PeerName),
    /// The peer whose own socket it came to.
    Guest(PeerName),
    /// Its certificate will say.
    ByCertificate,
    /// Nobody's.
    Closed,
}

impl Core {
    /// The peer that a new connection belongs to.
    pub(crate) fn door(&self, at: Listen, remote: SocketAddr) -> Door {
        if let Some(peer) = self.table.at_socket(at) {
            return Door::Guest(self.peer_name(peer));
        }
        match self.table.by_address(remote) {
            Some(peer) => Door::Peer(self.peer_name(peer)),
            None if at.transport == Transport::Tls && self.table.knows_certificates() => Door::ByCertificate,
            None => Door::Closed,
        }
    }

    /// The peer of a client that has shown a certificate with those names, or none; `owner` is the peer that its
    /// address or its socket belongs to. The second part says whether only its certificate names it.
    ///
    /// # Errors
    /// If the certificate is none of that peer's.
    pub(crate) fn certified(
        &self,
        owner: Option<&PeerName>,
        identities: Option<&[String]>,
    ) -> Result<(PeerName, bool), Failure> {
        let lacking = if identities.is_none() { Failure::NoCertificate } else { Failure::WrongName };
        let identities = identities.unwrap_or_default();
        let Some(owner) = owner else {
            let peer = self.table.certified(identities).ok_or(lacking)?;
            return Ok((self.peer_name(peer), true));
        };
        let named = self.table.by_name(owner).ok_or(Failure::Other)?;
        if self.table.accepts_certificate(named, identities) {
            Ok((owner.clone(), false))
        } else {
            Err(lacking)
        }
    }

    /// A client's connection is ready for messages. `guest` is its peer, if only the connection says so.
    pub(crate) fn flow_opened(&mut self, flow: Flow, guest: Option<PeerName>) {
        if let Some(peer) = guest {
            self.guests.came((flow.local, flow.remote), peer);
        }
        self.proxy.flow_opened(flow);
    }

    /// A client's connection is closed.
    pub(crate) fn flow_closed(&mut self, flow: &Flow) {
        self.guests.left((flow.local, flow.remote));
        self.proxy.flow_closed(flow);
    }

    /// Remembers the name that the certificate of a configured host has to speak for.
    pub(crate) fn note_identity(&mut self, peer: PeerRef, host: &HostAddress, (transport, remote): Where) {
        if transport != Transport::Tls {
            return;
        }
        let Some(identity) = self.table.identity(peer, host) else { return };
        if self.identities.get(&remote).is_some_and(|known| known == identity) {
            return;
        }
        let identity = identity.to_owned();
        if self.identities.len() >= MOST_IDENTITIES {
            self.identities.clear();
        }
        self.identities.insert(remote, identity);
    }

    /// Whether a configured host was found at that address.
    pub(crate) fn is_host(&self, remote: SocketAddr) -> bool {
        self.identities.contains_key(&remote)
    }

    /// The name that the certificate at an address has to speak for: that of the host which was found there, else that
    /// of its peer's first host by TLS. None: nobody could tell whether the right one answers.
    pub(crate) fn identity(&self, remote: SocketAddr) -> Option<String> {
        let found = self.identities.get(&remote).cloned();
        found.or_else(|| self.table.any_identity(self.table.who(remote)?).map(str::to_owned))
    }

    /// Whether a next hop is a WebSocket client.
    pub(crate) fn is_client(&self, reach: &Reach, next_hop: &Uri) -> bool {
        let named = || next_hop.view().transport().is_some_and(Transport::is_websocket);
        match reach {
            Reach::Dialog(way) => match way.hop {
                Some(hop) => hop.transport.is_websocket(),
                None => named(),
            },
            Reach::Relay { .. } => named(),
            Reach::Configured => false,
        }
    }

    /// A client's connection, as the other party of a dialog or as a registered Contact.
    pub(crate) fn by_connection(&mut self, from: PeerRef, reach: &Reach) -> Result<Vec<Candidate>, Decision> {
        let places: Vec<Destination> = match reach {
            Reach::Dialog(way) => way.hop.into_iter().collect(),
            Reach::Relay { registered } => {
                let may_call = |peer| self.table.who(peer).is_some_and(|to| self.table.may_call(from, to));
                let heard = registered.iter().map(|registered| registered.heard);
                heard.filter(|to| to.transport.is_websocket() && may_call(to.remote)).collect()
            }
            Reach::Configured => Vec::new(),
        };
        if places.is_empty() {
            return Err(self.flow_failed());
        }
        Ok(places.into_iter().map(by_flow).collect())
    }

    /// The connection that a token in a Route of ours leads to.
    pub(crate) fn by_token(&mut self, from: PeerRef, to: Steered) -> Result<Candidate, Decision> {
        match to {
            Steered::To(to)
                if self.table.who(to.remote).is_some_and(|peer| self.table.may_call(from, peer)) =>
            {
                Ok(by_flow(to))
            }
            Steered::To(_) | Steered::Foreign => {
                self.counters.no_relay += 1;
                Err(reject(403, "No Relay", None))
            }
            Steered::Gone => Err(self.flow_failed()),
        }
    }

    fn flow_failed(&mut self) -> Decision {
        self.counters.flow_failed += 1;
        reject(430, "Flow Failed", None)
    }
}

fn by_flow(to: Destination) -> Candidate {
    let address = HostAddress { host: HostPort::from(to.remote), transport: Some(to.transport) };
    Candidate { peer: None, address, rewrite_uri: false, flow: Some(to) }
}
