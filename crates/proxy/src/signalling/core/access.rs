//! Access control, and how far a request may go.
//!
//! Strangers are refused before a byte of theirs is parsed. A request that claims to be part of a dialog is let through
//! only in a dialog that is held, from one of its two parties, and only toward the other: to where that party was
//! heard, or to an address in its `allow`. Any other request goes where the configuration sends it, and to no host that
//! it merely names; or to a Contact that its sender's own registrar has accepted, on the side of the peer that
//! registered it.
//!
//! Addresses that a party names are bounded in the same way for all messages, our own among them:
//! [`Core::may_reach_party`].

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use sidetone_sip::host::{Host, HostPort};
use sidetone_sip::proxy::{Decision, Destination, RouteQuery, Standing, Way};
use sidetone_sip::{Flow, Method};

use super::reach::Reach;
use super::{Core, reject};
use crate::routing::{Candidate, FIRST_FREE_PORT, HostAddress, PeerRef, Where};

/// Most addresses of configured hosts that are remembered.
const MOST_SERVED: usize = 4_096;

/// Whether a message is a response, or at least no request: such a message is never answered.
pub(crate) fn is_response(message: &[u8]) -> bool {
    let text = message.trim_ascii_start();
    text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/"))
}

/// Methods that are valid in a dialog only (RFC 3261 §13.2.2.4, §15; RFC 3262, RFC 3311).
fn is_for_dialogs(method: &str) -> bool {
    [Method::ACK, Method::BYE, Method::PRACK, Method::UPDATE].iter().any(|known| known.as_str() == method)
}

/// An address's distance by its kind: a party may not aim us at an address that is nearer than its own.
fn distance(ip: IpAddr) -> u8 {
    match ip.to_canonical() {
        IpAddr::V4(ip) if ip.is_loopback() => 0,
        IpAddr::V6(ip) if ip.is_loopback() => 0,
        IpAddr::V4(ip) => {
            // RFC 6598: shared between a carrier and its customers.
            let shared = ip.octets()[0] == 100 && (64..128).contains(&ip.octets()[1]);
            2 - u8::from(ip.is_private() || ip.is_link_local() || shared)
        }
        IpAddr::V6(ip) => 2 - u8::from(ip.is_unique_local() || ip.is_unicast_link_local()),
    }
}

/// Whether an address is a single host's.
fn is_one_host(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    !(ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST))
}

impl Core {
    /// Whether a message is processed; counts those that are not. Responses always are: they come from wherever a
    /// request of ours was sent, which the proxy checks, and they draw no answer.
    pub(crate) fn lets_in(&mut self, now: std::time::Duration, flow: &Flow, message: &[u8]) -> bool {
        let who = self.table.who(flow.remote);
        // Anybody may send a datagram that bears the address of a connection.
        let is_forged = || !flow.transport.is_reliable() && who != self.table.by_address(flow.remote);
        if is_response(message) || who.is_some() && !is_forged() {
            return true;
        }
        self.count_stranger(now, flow.remote.ip(), "request");
        false
    }

    /// Tells the proxy which peer each address belongs to.
    pub(crate) fn name_peers(&mut self) {
        let table = self.table.clone();
        self.proxy.name_peers(move |addr| table.who(addr).map(|peer| table.neighbour(peer)));
    }

    /// How far a request may go by its own fields, or its refusal.
    pub(crate) fn reach(&mut self, query: &RouteQuery, onward: bool) -> Result<Reach, Decision> {
        match &query.standing {
            Standing::Within(way) => Ok(Reach::Dialog(way.clone())),
            Standing::Unknown => Err(self.refuse_stray(&query.method)),
            Standing::Outside { .. } if is_for_dialogs(&query.method) => {
                Err(self.refuse_stray(&query.method))
            }
            Standing::Taken => {
                self.counters.merged += 1;
                // RFC 3261 §8.2.2.2: the same request, received by another path.
                Err(reject(482, "Merged Request", None))
            }
            Standing::Outside { registered } if onward => Ok(Reach::Relay { registered: registered.clone() }),
            Standing::Outside { .. } => Ok(Reach::Configured),
        }
    }

    fn refuse_stray(&mut self, method: &str) -> Decision {
        self.counters.no_dialog += 1;
        if method == Method::ACK.as_str() {
            return Decision::Drop;
        }
        reject(481, "Call/Transaction Does Not Exist", None)
    }

    /// The other party's own address, for a request in a dialog that names no destination.
    pub(crate) fn hop_of(&self, way: &Way, from: PeerRef) -> Vec<Candidate> {
        match way.hop {
            Some(hop) => {
                let address =
                    HostAddress { host: HostPort::from(hop.remote), transport: Some(hop.transport) };
                let flow = Some(hop).filter(|hop| hop.transport.is_websocket());
                vec![Candidate { peer: None, address, rewrite_uri: false, flow }]
            }
            None => {
                let mut candidates = self.table.candidates(from, || 0.0);
                candidates.retain(|candidate| candidate.peer.is_some_and(|peer| self.leads_to(way, peer)));
                candidates
            }
        }
    }

    fn leads_to(&self, way: &Way, peer: PeerRef) -> bool {
        self.proxy.leads_to(way, self.table.neighbour(peer))
    }

    /// Whether a request from `source` may be sent to an address that its host, or the configuration, has resolved to.
    pub(crate) fn may_reach(
        &self,
        source: SocketAddr,
        reach: &Reach,
        place: Where,
        host: &HostAddress,
    ) -> bool {
        let remote = place.1;
        if matches!(reach, Reach::Configured) {
            return true;
        }
        if !self.is_fit(remote) {
            return false;
        }
        let peer = self.table.who(remote);
        match reach {
            Reach::Configured => true,
            Reach::Relay { registered } => {
                let Some((from, to)) = self.table.who(source).zip(peer) else { return false };
                let name = self.table.neighbour(to);
                let mut bound = registered.iter().filter(|registered| registered.peer == name);
                self.table.may_call(from, to)
                    && (bound.any(|bound| self.may_reach_party(&bound.heard, true, place, Some(host)))
                        || self.serves(to, remote, Some(host)))
            }
            Reach::Dialog(way) => match &way.hop {
                Some(hop) => self.may_reach_party(hop, way.named, place, Some(host)),
                None => {
                    peer.is_some_and(|peer| self.leads_to(way, peer) && self.serves(peer, remote, Some(host)))
                }
            },
        }
    }

    /// Whether a message for a party may be sent to an address: to where the party was last heard, or to its peer's
    /// other addresses. A third party's address is forbidden, even if the party names it: a third party can only be
    /// reached through the party itself. The system's services on the party's own hosts are forbidden too. `named`: the
    /// party has named the host itself.
    pub(crate) fn may_reach_party(
        &self,
        party: &Destination,
        named: bool,
        place: Where,
        host: Option<&HostAddress>,
    ) -> bool {
        let (_, remote) = place;
        if !self.is_fit(remote) {
            return false;
        }
        if place == (party.transport, party.remote) {
            return true;
        }
        let Some(peer) = self.table.who(remote).filter(|peer| Some(*peer) == self.table.who(party.remote))
        else {
            return false;
        };
        let near = distance(remote.ip()) < distance(party.remote.ip());
        named && !near && remote.port() >= FIRST_FREE_PORT || self.serves(peer, remote, host)
    }

    /// Whether an address that a peer names for messages of our own is fit for them, beside belonging to that peer.
    pub(crate) fn may_be_told(&self, peer: PeerRef, remote: SocketAddr) -> bool {
        self.is_fit(remote) && (remote.port() >= FIRST_FREE_PORT || self.serves(peer, remote, None))
    }

    /// Whether anything may be sent to an address, whatever a message names.
    fn is_fit(&self, remote: SocketAddr) -> bool {
        !self.is_own_socket(remote) && is_one_host(remote.ip())
    }

    /// Whether a peer speaks SIP at that port of its address, by the configuration or by the look-ups of its names.
    fn serves(&self, peer: PeerRef, at: SocketAddr, host: Option<&HostAddress>) -> bool {
        self.served.contains(&at) || self.table.serves(peer, at, host)
    }

    /// Remembers an address of a configured host.
    pub(crate) fn note_served(&mut self, at: SocketAddr) {
        if self.served.len() >= MOST_SERVED {
            self.served.clear();
        }
        self.served.insert(at);
    }

    /// Whether the host that a request names may be looked up at all: no peer can have us query name servers for a
    /// request that will be refused whatever the answer. Addresses need no look-up, and are judged later, in
    /// [`Self::may_reach`].
    pub(crate) fn may_look_up(&self, from: PeerRef, reach: &Reach, host: &HostAddress) -> bool {
        if matches!(host.host.host, Host::Ip(_)) {
            return true;
        }
        match reach {
            Reach::Configured => true,
            Reach::Relay { registered } => {
                !registered.is_empty()
                    || self.table.named_like(host).any(|peer| self.table.may_call(from, peer))
            }
            Reach::Dialog(way) => match way.hop {
                Some(hop) => {
                    way.named || {
                        let party = self.table.who(hop.remote);
                        self.table.named_like(host).any(|peer| Some(peer) == party)
                    }
                }
                // A keyed mark has proven the dialog, and the hosts that its party had named are forgotten.
                None => true,
            },
        }
    }

    /// Whether any socket of our own listens at that address.
    fn is_own_socket(&self, at: SocketAddr) -> bool {
        let config = self.config();
        let sip = || config.sip.listen.iter().map(|listen| listen.addr);
        let media = &config.media;
        let own_v4 = [Some(media.address), media.address_trunk, media.address_pbx];
        let own_v4 = own_v4.into_iter().flatten().map(IpAddr::V4);
        let mut own = own_v4.chain(media.ipv6.map(IpAddr::V6)).chain(sip().map(|addr| addr.ip()));
        let ip = at.ip().to_canonical();
        let is_ours = own.any(|own| own == ip) || ip.is_loopback();
        let http = config.http.is_some_and(|http| {
            http.port() == at.port() && (http.ip() == ip || http.ip().is_unspecified() && is_ours)
        });
        let relayed = is_ours && (media.ports.first..=media.ports.last).contains(&at.port());
        http || relayed && self.table.host_at(at).is_none() || sip().any(|addr| addr == at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_party_names_no_host_that_is_nearer_than_itself() {
        let far = |ip: &str| distance(ip.parse().unwrap());
        assert_eq!(["127.0.0.1", "::1", "::ffff:127.0.0.1"].map(far), [0; 3]);
        assert_eq!(
            ["10.0.0.1", "192.168.1.1", "169.254.1.1", "100.64.0.1", "fd00::1", "fe80::1"].map(far),
            [1; 6]
        );
        assert_eq!(["192.0.2.1", "100.128.0.1", "2001:db8::1"].map(far), [2; 3]);
        assert!(
            !is_one_host(Ipv4Addr::UNSPECIFIED.into())
                && !is_one_host(std::net::Ipv6Addr::UNSPECIFIED.into())
        );
        assert!(!is_one_host([224, 0, 0, 1].into()) && !is_one_host([255; 4].into()));
        assert!(is_one_host([192, 0, 2, 1].into()));
    }

    #[test]
    fn only_what_can_not_be_a_request_is_taken_for_a_response() {
        assert!(is_response(b"SIP/2.0 200 OK\r\n") && is_response(b"\r\n sip/2.0 200 OK\r\n"));
        for request in [&b"OPTIONS sip:a SIP/2.0\r\n"[..], b"", b"SIP", b"\r\n", b"XSIP/2.0 200 OK"] {
            assert!(!is_response(request));
        }
    }
}
