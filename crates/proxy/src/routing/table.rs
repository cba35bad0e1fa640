//! From the source of a request to the hosts that it may go to.

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use sidetone_call::Side;
use sidetone_sip::Transport;
use sidetone_sip::host::Host;
use sidetone_sip::proxy::{Destination, Neighbour};

use super::address::HostAddress;
use super::guests::Guests;
use super::shares::{PeerName, usual_share};
use super::weight;
use crate::config::{AllowEntry, Config, Listen, Peer, Policy};

/// Lower ports belong to services of the system.
pub const FIRST_FREE_PORT: u16 = 1_024;

/// The peers, indexed for look-ups.
#[derive(Debug, Clone)]
pub struct Table {
    trunks: Vec<PeerEntry>,
    pbxs: Vec<PeerEntry>,
    guests: Guests,
    generation: u64,
}

#[derive(Debug, Clone)]
struct PeerEntry {
    peer: Peer,
    hosts: Vec<HostEntry>,
}

#[derive(Debug, Clone)]
struct HostEntry {
    address: HostAddress,
    /// The name that its certificate has to speak for.
    identity: String,
    priority: u16,
    weight: u16,
}

/// A peer in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerRef {
    /// Trunk or PBX.
    pub side: Side,
    index: usize,
    /// The generation of the peer's table: after a reload another peer may have the same index.
    generation: u64,
}

/// The tables' generation counter.
static GENERATIONS: AtomicU64 = AtomicU64::new(0);

/// A host that a call may be sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The host's peer; none if a Route or Contact names the host.
    pub peer: Option<PeerRef>,
    /// The host's address.
    pub address: HostAddress,
    /// Whether the Request-URI takes the host's address.
    pub rewrite_uri: bool,
    /// The client's own connection, by which alone it can be reached.
    pub flow: Option<Destination>,
}

impl Table {
    /// Builds the table of a configuration that has passed `config::check`; unreadable hosts are left out. `guests` are
    /// the clients whose peer is known by their connection.
    #[must_use]
    pub fn new(config: &Config, guests: Guests) -> Self {
        let entries = |peers: &[Peer]| {
            peers
                .iter()
                .map(|peer| PeerEntry {
                    peer: peer.clone(),
                    hosts: peer
                        .hosts
                        .iter()
                        .filter_map(|host| {
                            let address = HostAddress::parse(&host.to).ok()?;
                            let identity = host.certificate_name.clone();
                            let identity = identity.unwrap_or_else(|| address.host.host.to_string());
                            let (priority, weight) = (host.priority, host.weight);
                            Some(HostEntry { address, identity, priority, weight })
                        })
                        .collect(),
                })
                .collect()
        };
        let generation = GENERATIONS.fetch_add(1, Relaxed);
        Self { trunks: entries(&config.trunks), pbxs: entries(&config.pbxs), guests, generation }
    }

    fn side(&self, side: Side) -> &[PeerEntry] {
        match side {
            Side::Trunk => &self.trunks,
            Side::Pbx => &self.pbxs,
        }
    }

    fn entry(&self, peer: PeerRef) -> Option<&PeerEntry> {
        self.side(peer.side).get(peer.index).filter(|_| peer.generation == self.generation)
    }

    /// The peer that a source belongs to: by its connection, if that says so, else by its address. A connection of the
    /// past says so where nothing else does: behind a NAT the address may be another client's by now. Last come hosts
    /// by TLS, whose certificates and not whose addresses say who they are.
    #[must_use]
    pub fn who(&self, source: SocketAddr) -> Option<PeerRef> {
        let guest = self.guests.peer(source);
        let named = |open: bool| {
            let known = guest.as_ref().filter(|(_, is_open)| *is_open == open);
            known.and_then(|(peer, _)| self.by_name(peer))
        };
        let host = || self.guests.host(source).and_then(|peer| self.by_name(&peer));
        named(true).or_else(|| self.by_address(source)).or_else(|| named(false)).or_else(host)
    }

    /// The peer of that name.
    #[must_use]
    pub fn by_name(&self, (side, name): &PeerName) -> Option<PeerRef> {
        let index = self.side(*side).iter().position(|entry| entry.peer.name == **name)?;
        Some(PeerRef { side: *side, index, generation: self.generation })
    }

    /// Every peer, with its entry.
    fn peers(&self) -> impl Iterator<Item = (PeerRef, &PeerEntry)> {
        [Side::Trunk, Side::Pbx].into_iter().flat_map(move |side| {
            self.side(side)
                .iter()
                .enumerate()
                .map(move |(index, entry)| (PeerRef { side, index, generation: self.generation }, entry))
        })
    }

    /// The peer to which a socket belongs alone.
    #[must_use]
    pub fn at_socket(&self, socket: Listen) -> Option<PeerRef> {
        self.peers().find(|(_, entry)| entry.peer.allow_at.contains(&socket)).map(|(peer, _)| peer)
    }

    /// Whether any peer is known by its certificate.
    #[must_use]
    pub fn knows_certificates(&self) -> bool {
        self.peers().any(|(_, entry)| !entry.peer.allow_certificates.is_empty())
    }

    /// The peer that one of those names is configured for.
    #[must_use]
    pub fn certified(&self, identities: &[String]) -> Option<PeerRef> {
        self.peers().find(|(_, entry)| entry.is_certified(identities)).map(|(peer, _)| peer)
    }

    /// Whether a client of that peer may connect with a certificate that has those names.
    #[must_use]
    pub fn accepts_certificate(&self, peer: PeerRef, identities: &[String]) -> bool {
        self.entry(peer)
            .is_some_and(|entry| entry.peer.allow_certificates.is_empty() || entry.is_certified(identities))
    }

    /// The name that the certificate of a configured host has to speak for.
    #[must_use]
    pub fn identity(&self, peer: PeerRef, address: &HostAddress) -> Option<&str> {
        let hosts = &self.entry(peer)?.hosts;
        hosts.iter().find(|host| host.address == *address).map(|host| host.identity.as_str())
    }

    /// The name for which any host of a peer's that is reached by TLS has to have a certificate.
    #[must_use]
    pub fn any_identity(&self, peer: PeerRef) -> Option<&str> {
        let mut hosts = self.entry(peer)?.hosts.iter();
        hosts.find(|host| host.address.transport == Some(Transport::Tls)).map(|host| host.identity.as_str())
    }

    /// The peer whose `allow` matches a source best; none if no entry matches.
    #[must_use]
    pub fn by_address(&self, source: SocketAddr) -> Option<PeerRef> {
        let mut best: Option<(u16, PeerRef)> = None;
        for side in [Side::Trunk, Side::Pbx] {
            for (index, entry) in self.side(side).iter().enumerate() {
                let fit = entry.peer.allow.iter().map(|allow| allow.fit(source)).max().unwrap_or(0);
                if fit > best.map_or(0, |(fit, _)| fit) {
                    best = Some((fit, PeerRef { side, index, generation: self.generation }));
                }
            }
        }
        best.map(|(_, peer)| peer)
    }

    /// A peer's identity in the proxy core.
    #[must_use]
    pub fn neighbour(&self, peer: PeerRef) -> Neighbour {
        neighbour(peer.side, self.name(peer))
    }

    /// The peer of that identity in the proxy core.
    #[must_use]
    pub fn of_neighbour(&self, neighbour: Neighbour) -> Option<PeerRef> {
        self.peers().map(|(peer, _)| peer).find(|peer| self.neighbour(*peer) == neighbour)
    }

    /// Whether calls of `from` may go to `to`.
    #[must_use]
    pub fn may_call(&self, from: PeerRef, to: PeerRef) -> bool {
        let listed = self.entry(from).is_some_and(|entry| {
            entry.peer.to.is_empty() || entry.peer.to.iter().any(|name| name == self.name(to))
        });
        from.side != to.side && listed
    }

    /// Whether a peer speaks SIP at that port of one of its addresses, as far as the configuration says: one of its
    /// hosts has the port, or `allow` names it. A host name without a port may stand for any port (RFC 3263 §4.2): the
    /// ports that the name resolves to, where `host` is that very name, else the default port.
    #[must_use]
    pub fn serves(&self, peer: PeerRef, at: SocketAddr, host: Option<&HostAddress>) -> bool {
        let Some(entry) = self.entry(peer) else { return false };
        let named = entry.peer.allow.contains(&AllowEntry::Socket(at));
        named
            || entry.hosts.iter().any(|own| match own.address.host.port {
                Some(port) => port == at.port(),
                None => {
                    let by_name = |host: &HostAddress| {
                        matches!(host.host.host, Host::Name(_)) && host.host == own.address.host
                    };
                    at.port() == own.address.assumed_port() || host.is_some_and(by_name)
                }
            })
    }

    /// The peers that have a host of that name, whatever its port.
    pub fn named_like(&self, address: &HostAddress) -> impl Iterator<Item = PeerRef> {
        let wanted = address.host.host.clone();
        self.hosts().filter(move |(_, host)| host.host.host == wanted).map(|(peer, _)| peer)
    }

    /// The peer that has a host at exactly that literal address.
    #[must_use]
    pub fn host_at(&self, at: SocketAddr) -> Option<PeerRef> {
        let is_there = |host: &HostAddress| {
            matches!(host.host.host, Host::Ip(ip) if ip == at.ip()) && host.assumed_port() == at.port()
        };
        self.hosts().find(|(_, host)| is_there(host)).map(|(peer, _)| peer)
    }

    /// Whether the reference is to this table; one from before a reload is not.
    #[must_use]
    pub fn holds(&self, peer: PeerRef) -> bool {
        self.entry(peer).is_some()
    }

    /// How many calls that this peer began may be up at once, of `limit` in all.
    #[must_use]
    pub fn share(&self, peer: PeerRef, limit: usize) -> usize {
        let stated = self.entry(peer).and_then(|entry| entry.peer.calls);
        stated.map_or_else(|| usual_share(limit), |calls| calls.min(limit))
    }

    /// Whether the Contact of messages from that source is to be replaced by the source.
    #[must_use]
    pub fn fixes_contact(&self, source: SocketAddr) -> bool {
        self.who(source).and_then(|peer| self.entry(peer)).is_some_and(|entry| entry.peer.fix_contact)
    }

    /// A peer's name.
    #[must_use]
    pub fn name(&self, peer: PeerRef) -> &str {
        self.entry(peer).map_or("", |entry| &entry.peer.name)
    }

    /// How callers on this trunk are told; a PBX has no callers to tell.
    #[must_use]
    pub fn disclosure(&self, peer: PeerRef) -> Policy {
        self.entry(peer).map_or(Policy::Never, |entry| entry.peer.disclosure)
    }

    /// Whether the party that a PBX calls over it is a customer.
    #[must_use]
    pub fn analyses_outbound(&self, peer: PeerRef) -> bool {
        self.entry(peer).is_some_and(|entry| entry.peer.analyse_outbound)
    }

    /// Hosts for a call from `peer`, in the order they are to be tried: by the order of the peers that it may go to,
    /// then by priority, then drawn by weight (RFC 2782). `draw` gives numbers in `[0, 1)`.
    #[must_use]
    pub fn candidates(&self, from: PeerRef, mut draw: impl FnMut() -> f64) -> Vec<Candidate> {
        let Some(source) = self.entry(from) else { return Vec::new() };
        let side = from.side.other();
        let others = self.side(side);
        let overflow = &source.peer.overflow;
        let named = |names: &[String]| -> Vec<usize> {
            names.iter().filter_map(|name| others.iter().position(|o| o.peer.name == *name)).collect()
        };
        let mut wanted = if source.peer.to.is_empty() {
            (0..others.len())
                .filter(|index| others.get(*index).is_some_and(|o| !overflow.contains(&o.peer.name)))
                .collect()
        } else {
            named(&source.peer.to)
        };
        wanted
            .extend(named(overflow).into_iter().filter(|index| !wanted.contains(index)).collect::<Vec<_>>());
        let mut candidates = Vec::new();
        for index in wanted {
            let Some(entry) = others.get(index) else { continue };
            let hosts: Vec<&HostEntry> = entry.hosts.iter().collect();
            for host in weight::ordered(hosts, |host| (host.priority, host.weight), &mut draw) {
                candidates.push(Candidate {
                    peer: Some(PeerRef { side, index, generation: self.generation }),
                    address: host.address.clone(),
                    rewrite_uri: entry.peer.rewrite_uri,
                    flow: None,
                });
            }
        }
        candidates
    }

    /// Every configured host, for health probes.
    pub fn hosts(&self) -> impl Iterator<Item = (PeerRef, &HostAddress)> {
        self.peers().flat_map(|(peer, entry)| entry.hosts.iter().map(move |host| (peer, &host.address)))
    }
}

impl PeerEntry {
    /// Whether one of those names is the peer's.
    fn is_certified(&self, identities: &[String]) -> bool {
        let mut names = self.peer.allow_certificates.iter();
        names.any(|name| identities.iter().any(|identity| identity.eq_ignore_ascii_case(name)))
    }
}

/// A peer's name as a number, for marks that outlive the process (FNV-1a, 64 bits).
pub(crate) fn neighbour(side: Side, name: &str) -> Neighbour {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    Neighbour { side, id: name.bytes().fold(0xcbf2_9ce4_8422_2325, step) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(trunks: &str) -> Table {
        let config: Config = toml::from_str(&format!(
            r#"
            sip.listen = ["udp:127.0.0.1:5060"]
            media = {{}}
            {trunks}
            [[pbx]]
            name = "a"
            allow = ["10.0.0.0/8"]
            hosts = [
                {{ to = "sip:10.0.0.3", priority = 2 }},
                {{ to = "sip:10.0.0.1", weight = 30 }},
                {{ to = "sip:10.0.0.2", weight = 10 }},
            ]
            [[pbx]]
            name = "b"
            allow = ["10.9.0.0/16", "127.0.0.1:5070"]
            hosts = [{{ to = "sip:10.9.0.1" }}]
            "#
        ))
        .unwrap();
        Table::new(&config, Guests::default())
    }

    const TRUNK: &str = r#"
        [[trunk]]
        name = "t"
        allow = ["192.0.2.0/24", "127.0.0.1"]
        hosts = [{ to = "sip:192.0.2.1" }]
    "#;

    #[test]
    fn the_closest_allow_entry_says_who_it_is() {
        let table = table(TRUNK);
        let who = |source: &str| table.who(source.parse().unwrap()).map(|peer| table.name(peer).to_owned());
        assert_eq!(who("192.0.2.9:5060").as_deref(), Some("t"));
        assert_eq!(who("10.1.1.1:5060").as_deref(), Some("a"));
        assert_eq!(who("10.9.1.1:5060").as_deref(), Some("b"));
        assert_eq!(who("127.0.0.1:5070").as_deref(), Some("b"));
        assert_eq!(who("127.0.0.1:5071").as_deref(), Some("t"));
        assert_eq!(who("203.0.113.1:5060"), None);
    }

    #[test]
    fn priority_orders_and_weight_shares() {
        let table = table(TRUNK);
        let from = table.who("192.0.2.9:5060".parse().unwrap()).unwrap();
        let mut first = std::collections::HashMap::new();
        for n in 0..1_000 {
            let candidates = table.candidates(from, || f64::from(n) / 1_000.0);
            assert_eq!(candidates.len(), 4);
            assert_eq!(candidates[2].address, HostAddress::parse("sip:10.0.0.3").unwrap());
            assert_eq!(candidates[3].address, HostAddress::parse("sip:10.9.0.1").unwrap());
            *first.entry(candidates[0].address.clone()).or_insert(0) += 1;
        }
        assert_eq!(first[&HostAddress::parse("sip:10.0.0.1").unwrap()], 750);
    }

    /// Whoever connects where only browsers do is a browser, even from a PBX's network; and only while it is known.
    #[test]
    fn a_guest_is_known_by_its_connection() {
        let table =
            table(&TRUNK.replace("name = \"t\"", "name = \"t\"\nallow_at = [\"wss:127.0.0.1:8443\"]"));
        let who = |source: SocketAddr| table.who(source).map(|peer| table.name(peer).to_owned());
        let browser = "10.1.1.1:50000".parse().unwrap();
        assert_eq!(who(browser).as_deref(), Some("a"));
        let peer = table.at_socket("wss:127.0.0.1:8443".parse().unwrap()).unwrap();
        assert!(table.at_socket("tls:127.0.0.1:8443".parse().unwrap()).is_none());
        let here = "127.0.0.1:8443".parse().unwrap();
        table.guests.came((here, browser), (peer.side, table.name(peer).into()));
        assert_eq!(who(browser).as_deref(), Some("t"));
        table.guests.left((here, browser));
        assert_eq!(who(browser).as_deref(), Some("a"), "the port is another's by now");
        let elsewhere = "203.0.113.7:50000".parse().unwrap();
        table.guests.came((here, elsewhere), (peer.side, table.name(peer).into()));
        table.guests.left((here, elsewhere));
        assert_eq!(who(elsewhere).as_deref(), Some("t"), "its dialogs go on");
        table.guests.came((here, browser), (peer.side, table.name(peer).into()));
        assert_eq!(table.by_address(browser).map(|peer| table.name(peer)), Some("a"));
    }

    /// A carrier by TLS whose addresses stand in no `allow`: what comes from its host comes by our own connection to
    /// it.
    #[test]
    fn a_host_that_was_found_is_its_peers() {
        let table = table(TRUNK);
        let host = "203.0.113.9:5061".parse().unwrap();
        assert!(table.who(host).is_none());
        table.guests.found(host, (Side::Trunk, "t".into()));
        assert_eq!(table.who(host).map(|peer| table.name(peer)), Some("t"));
        assert!(table.by_address(host).is_none(), "a datagram that bears its address is nobody's");
    }

    #[test]
    fn a_certificate_says_who_it_is_too() {
        let with = "name = \"t\"\nallow_certificates = [\"SBC.carrier.example\"]";
        let table = table(&TRUNK.replace("name = \"t\"", with));
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let carrier = table.certified(&names(&["x.example", "sbc.carrier.example"])).unwrap();
        assert_eq!(table.name(carrier), "t");
        assert!(table.certified(&names(&["x.example"])).is_none() && table.certified(&[]).is_none());
        assert!(table.knows_certificates() && !table.accepts_certificate(carrier, &[]));
        let pbx = table.who("10.1.1.1:5060".parse().unwrap()).unwrap();
        assert!(table.accepts_certificate(pbx, &[]));
    }

    #[test]
    fn a_host_s_certificate_has_to_speak_for_the_name_that_it_is_configured_by() {
        let with = "to = \"sips:sbc.example\", certificate_name = \"carrier.example\"";
        let table = table(&TRUNK.replace("to = \"sip:192.0.2.1\"", with));
        let carrier = table.who("192.0.2.9:5060".parse().unwrap()).unwrap();
        let address = HostAddress::parse("sips:sbc.example").unwrap();
        assert_eq!(table.identity(carrier, &address), Some("carrier.example"));
        assert_eq!(table.any_identity(carrier), Some("carrier.example"));
        let pbx = table.who("10.1.1.1:5060".parse().unwrap()).unwrap();
        assert_eq!(table.identity(pbx, &HostAddress::parse("sip:10.0.0.1").unwrap()), Some("10.0.0.1"));
        assert_eq!(table.any_identity(pbx), None);
    }

    /// A reference from before a reload must not name the peer that has its index now.
    #[test]
    fn a_reference_from_before_a_reload_names_nobody() {
        let before = table(TRUNK);
        let peer = before.who("192.0.2.9:5060".parse().unwrap()).unwrap();
        let after = table(&TRUNK.replace("name = \"t\"", "name = \"other\""));
        assert!(before.holds(peer) && !after.holds(peer));
        assert_eq!((before.name(peer), after.name(peer)), ("t", ""));
        assert!(after.candidates(peer, || 0.0).is_empty());
    }

    #[test]
    fn overflow_comes_behind_all_others_and_only_there() {
        let hosts = |more: &str| {
            let table = table(&TRUNK.replace("name = \"t\"", &format!("name = \"t\"\n{more}")));
            let from = table.who("192.0.2.9:5060".parse().unwrap()).unwrap();
            let all = table.candidates(from, || 0.0);
            all.iter().map(|candidate| table.name(candidate.peer.unwrap()).to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(hosts("overflow = [\"a\"]"), ["b", "a", "a", "a"]);
        assert_eq!(hosts("to = [\"a\"]\noverflow = [\"b\"]"), ["a", "a", "a", "b"]);
    }

    #[test]
    fn a_peer_s_share_is_stated_or_all_but_a_quarter() {
        let of = |more: &str| {
            let table = table(&TRUNK.replace("name = \"t\"", &format!("name = \"t\"\n{more}")));
            table.share(table.who("192.0.2.9:5060".parse().unwrap()).unwrap(), 100)
        };
        assert_eq!((of(""), of("calls = 30"), of("calls = 3000")), (75, 30, 100));
    }

    #[test]
    fn a_peer_is_relayed_to_where_its_calls_may_go_and_at_its_own_ports_only() {
        let table = table(&TRUNK.replace("name = \"t\"", "name = \"t\"\nto = [\"b\"]"));
        let who = |source: &str| table.who(source.parse().unwrap()).unwrap();
        let (trunk, a, b) = (who("192.0.2.9:5060"), who("10.1.1.1:5060"), who("10.9.1.1:5060"));
        assert!(table.may_call(trunk, b) && !table.may_call(trunk, a));
        assert!(table.may_call(a, trunk) && !table.may_call(a, b) && !table.may_call(trunk, trunk));
        let serves = |at: &str| table.serves(b, at.parse().unwrap(), None);
        assert!(serves("10.9.1.1:5060") && serves("127.0.0.1:5070") && !serves("10.9.1.1:5038"));
    }

    /// Only the name's SRV records say which ports it has. A port in a message is no evidence.
    #[test]
    fn behind_a_name_without_a_port_are_the_ports_that_it_leads_to() {
        let named = TRUNK.replace("sip:192.0.2.1", "sip:sbc.example");
        let table = table(&named);
        let trunk = table.who("192.0.2.9:5060".parse().unwrap()).unwrap();
        let serves = |at: &str, host: &str| {
            table.serves(trunk, at.parse().unwrap(), Some(&HostAddress::parse(host).unwrap()))
        };
        assert!(serves("192.0.2.9:5083", "sip:SBC.example"));
        assert!(serves("192.0.2.9:5060", "sip:192.0.2.9"));
        for host in ["sip:192.0.2.9:6379", "sip:sbc.example:6379", "sip:other.example"] {
            assert!(!serves("192.0.2.9:6379", host), "{host}");
        }
    }

    #[test]
    fn a_peer_may_name_where_its_calls_go() {
        let table = table(&TRUNK.replace("name = \"t\"", "name = \"t\"\nto = [\"b\"]"));
        let from = table.who("192.0.2.9:5060".parse().unwrap()).unwrap();
        let candidates = table.candidates(from, || 0.0);
        assert_eq!(candidates.len(), 1);
        assert_eq!(table.name(candidates[0].peer.unwrap()), "b");
    }
}
