//! The SIP core with its surroundings: access, routing, host health, and the calls themselves.

mod access;
mod asked;
mod doors;
mod kept;
mod liveness;
mod losses;
mod notifications;
mod originated;
mod probes;
mod reach;
mod sources;

pub(super) use self::doors::Door;
pub use self::kept::NotCarriedOn;
pub(super) use self::notifications::Wanting;

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sidetone_call::{CallKey, Cause, Side};
use sidetone_events::Tls;
use sidetone_sip::anchor::{Anchor, CallFact};
use sidetone_sip::framing::FrameFlaw;
use sidetone_sip::notification::{InfoFilter, Notifier};
use sidetone_sip::proxy::{
    Decision, Destination, DropReason, OriginatedKey, Output, ProbeKey, Proxy, RouteKey, RouteKind,
    RouteQuery, Target, Way,
};
use sidetone_sip::uri::{Uri, UriView};
use sidetone_sip::{Flow, Method};

use self::asked::Asked;
use self::originated::Originator;
use self::reach::Reach;
use crate::config::{Config, Policy};
use crate::routing::{
    Admission, Candidate, Emergencies, Guests, Health, HostAddress, HostState, Limits, PeerName, PeerRef,
    Refused, Shares, Table, Wanted, Where,
};
use sidetone_book::{Calls, RoutedTo};
use sidetone_relay::Engine;

/// How long a call is offered to hosts that have all failed their probes, in all.
const THOUGH_ALL_DOWN: Duration = Duration::from_secs(2);
/// The least time for each of them: an INVITE and its first retransmission (RFC 3261 §17.1.1.2, T1), with time to
/// answer.
const THOUGH_DOWN: Duration = Duration::from_millis(700);

/// The core and its surroundings.
pub struct Core {
    config: Arc<Config>,
    pub(super) proxy: Proxy<InfoFilter<Anchor<Engine>>>,
    pub(super) notifier: Notifier,
    /// Requests of our own under way, and the notifications that wait for their end.
    pub(super) own: HashMap<OriginatedKey, Originator>,
    pub(super) calls: Arc<Calls>,
    pub(super) table: Table,
    admission: Admission,
    health: Health,
    probes: HashMap<ProbeKey, (Side, String, Where)>,
    /// Calls without media whose parties have been asked; bounded by the number of calls.
    asked: HashMap<CallKey, Asked>,
    pub(super) hosts_asked: HashMap<ProbeKey, (CallKey, Side)>,
    pending: HashMap<RouteKey, Pending>,
    strangers: HashMap<IpAddr, Duration>,
    strangers_swept: Duration,
    sources: HashMap<IpAddr, (IpAddr, Duration)>,
    /// Addresses that configured hosts have resolved to: a name without a port reveals them only by a look-up.
    pub(super) served: HashSet<SocketAddr>,
    /// Clients whose peer is known by their connection.
    pub(super) guests: Guests,
    /// The name that the certificate at an address has to speak for, where a host that is reached by TLS was found.
    pub(super) identities: HashMap<SocketAddr, String>,
    shares: Shares,
    emergencies: Emergencies,
    /// Calls to be hung up: their answer did not reach the caller, or its media is not as secure as it has to be.
    to_hang_up: Vec<(CallKey, Cause)>,
    /// When a loss of each kind was last logged, and how many more there have been.
    losses: HashMap<(IpAddr, DropReason), (Duration, u64)>,
    pub(super) counters: Counters,
    dice: u64,
    /// Where calls are written down for the next process.
    journal: Option<sidetone_journal::Pen>,
}

/// A request whose hosts are being looked up. Its peers' data is held by value: a reload may come between.
struct Pending {
    from: Side,
    call_id: String,
    request_uri: String,
    /// For a new call: the peers that it runs between.
    routed: Option<RoutedTo>,
    /// For a new call that names its next hop itself: the peer that the hop belongs to.
    steered: Option<PeerRef>,
    /// For an INVITE in a dialog that only a mark proves, and that belongs to no known call: the peer that sent it.
    resumed: Option<String>,
    source: SocketAddr,
    reach: Reach,
}

/// Refused requests, for metrics.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counters {
    /// Requests, and TCP connections, from addresses in no `allow` list.
    pub strangers: u64,
    /// Calls refused because enough are up.
    pub refused_full: u64,
    /// Calls refused because enough of their peer's are up.
    pub refused_share: u64,
    /// Calls refused because they come too fast.
    pub refused_rate: u64,
    /// Calls refused because of a drain.
    pub refused_draining: u64,
    /// Requests for which no host could be found.
    pub unroutable: u64,
    /// Requests that claim to be part of a dialog, from a sender that is no party to a held one.
    pub no_dialog: u64,
    /// Requests for a host that their sender may not reach.
    pub no_relay: u64,
    /// Requests under the Call-ID and tag of another peer's request.
    pub merged: u64,
    /// Requests for clients whose connection is closed.
    pub flow_failed: u64,
}

impl Core {
    /// A core for a configuration that has passed `config::check`.
    #[must_use]
    pub fn new(
        config: Arc<Config>,
        proxy: Proxy<InfoFilter<Anchor<Engine>>>,
        calls: Arc<Calls>,
        seed: u64,
    ) -> Self {
        let guests = Guests::default();
        let mut core = Self {
            table: Table::new(&config, guests.clone()),
            admission: Admission::new(limits(&config)),
            health: Health::new(config.health.down_after),
            config,
            proxy,
            notifier: Notifier::new(),
            own: HashMap::new(),
            calls,
            probes: HashMap::new(),
            asked: HashMap::new(),
            hosts_asked: HashMap::new(),
            pending: HashMap::new(),
            strangers: HashMap::new(),
            strangers_swept: Duration::ZERO,
            sources: HashMap::new(),
            served: HashSet::new(),
            guests,
            identities: HashMap::new(),
            shares: Shares::default(),
            emergencies: Emergencies::default(),
            to_hang_up: Vec::new(),
            losses: HashMap::new(),
            counters: Counters::default(),
            dice: seed | 1,
            journal: None,
        };
        core.name_peers();
        core.fix_contacts();
        core
    }

    fn fix_contacts(&mut self) {
        let table = Arc::new(self.table.clone());
        self.proxy.fix_contacts(Arc::new(move |source| table.fixes_contact(source)));
    }

    /// Takes a new configuration, as far as it can change while calls are up.
    pub fn reload(&mut self, config: Arc<Config>) {
        self.table = Table::new(&config, self.guests.clone());
        self.admission.set_limits(limits(&config));
        self.health.set_down_after(config.health.down_after);
        self.config = config;
        self.name_peers();
        self.fix_contacts();
        self.sources.clear();
        self.served.clear();
        self.identities.clear();
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The call book that receives the facts.
    pub(super) fn calls(&self) -> &Arc<Calls> {
        &self.calls
    }

    /// The SIP core proper.
    pub fn proxy(&mut self) -> &mut Proxy<InfoFilter<Anchor<Engine>>> {
        &mut self.proxy
    }

    /// The anchor, which follows the calls' offers and answers.
    pub fn anchor(&mut self) -> &mut Anchor<Engine> {
        self.proxy.filter().inner()
    }

    pub(super) fn anchor_ref(&self) -> &Anchor<Engine> {
        self.proxy.filter_ref().inner_ref()
    }

    /// Counters of refused requests.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Starts or ends a drain.
    pub fn drain(&mut self, draining: bool) {
        self.admission.drain(draining);
    }

    /// Whether a drain is on.
    #[must_use]
    pub fn draining(&self) -> bool {
        self.admission.draining()
    }

    /// Side and name of the peer that a source belongs to.
    pub(super) fn peer(&self, source: SocketAddr) -> Option<(Side, String)> {
        let peer = self.table.who(source)?;
        Some((peer.side, self.table.name(peer).to_owned()))
    }

    /// Every host that is to be probed.
    #[must_use]
    pub fn hosts(&self) -> Vec<(PeerRef, HostAddress)> {
        self.table.hosts().map(|(peer, address)| (peer, address.clone())).collect()
    }

    /// Each probed host: its side, its peer's name, its address, and whether it is down.
    pub fn host_states(&self) -> impl Iterator<Item = (Side, &str, Where, HostState)> {
        self.health.hosts()
    }

    pub(super) fn receive(&mut self, now: Duration, flow: &Flow, message: Bytes) {
        if self.lets_in(now, flow, &message) {
            self.proxy.receive(now, flow, message);
        }
    }

    /// The head of a message in a stream that can't be followed any further.
    pub(super) fn receive_broken(&mut self, now: Duration, flow: &Flow, head: Bytes, flaw: FrameFlaw) {
        if self.lets_in(now, flow, &head) {
            self.proxy.receive_broken(now, flow, head, flaw);
        }
    }

    /// A message that never arrived whole.
    pub(super) fn lost(&mut self, flow: &Flow, why: DropReason) {
        self.proxy.note_dropped(flow, why);
    }

    pub(super) fn send_failed(&mut self, now: Duration, to: &Destination) {
        self.proxy.send_failed(now, to);
    }

    /// A message could not be sent to its destination.
    pub(super) fn unsent(&mut self, now: Duration, to: &Destination, bytes: &Bytes) {
        self.proxy.unsent(now, to, bytes);
    }

    pub(super) fn timeout(&mut self, now: Duration) {
        self.proxy.timeout(now);
        self.anchor().timeout(now);
        self.notifications_timeout(now);
    }

    pub(super) fn next_timeout(&self) -> Option<Duration> {
        let due =
            [self.proxy.next_timeout(), self.anchor_ref().next_timeout(), self.notifications_next_timeout()];
        due.into_iter().flatten().min()
    }

    /// Ends a call on our side.
    pub fn terminate(&mut self, now: Duration, call: CallKey, cause: Cause) -> bool {
        self.anchor().terminate(now, call, cause)
    }

    pub(super) fn poll(&mut self) -> Option<Output> {
        self.proxy.poll()
    }

    pub(super) fn decide(&mut self, now: Duration, key: RouteKey, decision: Decision) {
        self.pending.remove(&key);
        self.proxy.decide(now, key, decision);
    }

    /// Hosts that a request may go to, or the response that refuses it.
    pub(super) fn route(&mut self, now: Duration, query: RouteQuery) -> Result<Vec<Candidate>, Decision> {
        let Some(from) = self.table.who(query.source.remote) else {
            // The source belonged to a peer when the request came; a reload has removed it.
            self.count_stranger(now, query.source.remote.ip(), "request");
            // An answer would tell scanners that a server is here, and could be aimed at a third party.
            return Err(Decision::Drop);
        };
        if let RouteKind::Service { request, tag, contact } = &query.kind {
            return Err(self.subscribe(now, from, request, tag, contact));
        }
        let onward = matches!(query.kind, RouteKind::Onward { .. } | RouteKind::Flow { .. });
        let reach = self.reach(&query, onward)?;
        let invite = query.method == Method::INVITE.as_str();
        // A request in a held dialog is no new call. One in a dialog that only a mark proves counts as new, unless its
        // call is up.
        let held = match &reach {
            Reach::Dialog(way) => way.hop.is_some() || self.is_of_a_call(from.side, &query),
            Reach::Configured | Reach::Relay { .. } => false,
        };
        if invite && !held {
            // A new call that brings its own Route is still a new call.
            self.admit(now, from, &query)?;
        }
        let candidates = match (&query.kind, &reach) {
            (RouteKind::Flow { to, .. }, _) => vec![self.by_token(from, *to)?],
            (RouteKind::Onward { next_hop }, _) if self.is_client(&reach, next_hop) => {
                self.by_connection(from, &reach)?
            }
            (RouteKind::Onward { next_hop }, _) => {
                let address = HostAddress::of(&next_hop.view());
                if address.as_ref().is_some_and(|address| !self.may_look_up(from, &reach, address)) {
                    self.counters.no_relay += 1;
                    return Err(reject(403, "No Relay", None));
                }
                address
                    .map(|address| Candidate { peer: None, address, rewrite_uri: false, flow: None })
                    .into_iter()
                    .collect()
            }
            // Unreachable: answered above.
            (RouteKind::Service { .. }, _) => Vec::new(),
            // The sender takes us for the other party.
            (RouteKind::Initial, Reach::Dialog(way)) => self.hop_of(way, from),
            (RouteKind::Initial, _) => {
                let mut dice = self.dice;
                let candidates = self.table.candidates(from, || roll(&mut dice));
                self.dice = dice;
                candidates
            }
        };
        if candidates.is_empty() {
            self.counters.unroutable += 1;
            return Err(reject(404, "No Route", None));
        }
        let initial = matches!(reach, Reach::Configured);
        let peers: Vec<PeerRef> = candidates.iter().filter_map(|candidate| candidate.peer).collect();
        let routed = (invite && initial).then(|| self.routed(from, &peers));
        let steered = (invite && matches!(reach, Reach::Relay { .. })).then_some(from);
        let RouteQuery { key, request_uri, call_id, to_tag, source, .. } = query;
        let source = source.remote;
        let resumed = (invite && !held && to_tag.is_some()).then(|| self.table.name(from).to_owned());
        let pending =
            Pending { from: from.side, call_id, request_uri, routed, steered, resumed, source, reach };
        self.pending.insert(key, pending);
        Ok(candidates)
    }

    fn is_of_a_call(&self, from: Side, query: &RouteQuery) -> bool {
        let anchor = self.anchor_ref();
        let held = |to_tag: &String| anchor.holds(&query.call_id, &query.from_tag, to_tag, from);
        query.to_tag.as_ref().is_some_and(held)
    }

    fn admit(&mut self, now: Duration, from: PeerRef, query: &RouteQuery) -> Result<(), Decision> {
        let peer = self.peer_name(from);
        let wanted = Wanted {
            peer: &peer,
            up: self.anchor_ref().calls().saturating_sub(self.emergencies.up()),
            of_peer: self.shares.of(&peer),
            share: self.table.share(from, self.config.limits.calls),
            call: (&query.call_id, &query.from_tag),
        };
        let admitted = self.admission.admit(now, &wanted);
        // An emergency call from a PBX is not refused for want of room (RFC 5031), as long as the reserve lasts; a
        // drain lets the PBX route the call around Sidetone. From a trunk the same URN would be a way round the limits.
        let (limit, source) = (self.config.limits.calls, query.source.remote);
        if admitted.is_err()
            && from.side == Side::Pbx
            && is_emergency(&query.request_uri)
            && !self.admission.draining()
            && self.emergencies.admit(now, &peer, &query.call_id, source, limit)
        {
            return Ok(());
        }
        admitted.map_err(|refused| self.refuse(refused))
    }

    fn peer_name(&self, peer: PeerRef) -> PeerName {
        (peer.side, self.table.name(peer).into())
    }

    /// The name of the peer that a request came from: its look-ups count as that peer's.
    pub(super) fn asker(&self, source: SocketAddr) -> Option<PeerName> {
        self.table.who(source).map(|peer| self.peer_name(peer))
    }

    /// The decision on a request whose host can't be looked up since too many look-ups are under way.
    pub(super) fn too_many_lookups(&mut self) -> Decision {
        self.counters.unroutable += 1;
        reject(503, "Too Many Names", Some(self.admission.retry_after()))
    }

    /// Takes the addresses of a request's candidates.
    pub(super) fn located(&mut self, now: Duration, key: RouteKey, mut located: Vec<(Where, Candidate)>) {
        let Some(pending) = self.pending.remove(&key) else { return };
        let known = !located.is_empty();
        for ((transport, remote), candidate) in &located {
            if let Some(peer) = candidate.peer {
                self.note_served(*remote);
                self.note_identity(peer, &candidate.address, (*transport, *remote));
            }
        }
        located.retain(|(place, candidate)| {
            // A client's own connection was judged when it was chosen.
            candidate.flow.is_some()
                || self.may_reach(pending.source, &pending.reach, *place, &candidate.address)
        });
        if let (true, Reach::Dialog(Way { hop: Some(hop), named: true, .. })) =
            (located.is_empty(), &pending.reach)
        {
            // The party's own Contact resolves to no address, or to a forbidden one: behind NAT a party knows no
            // better. So the request goes to the address where the party was last reached.
            let place = (hop.transport, hop.remote);
            let address = HostAddress { host: hop.remote.into(), transport: Some(hop.transport) };
            located.push((place, Candidate { peer: None, address, rewrite_uri: false, flow: None }));
        }
        if known && located.is_empty() {
            self.counters.no_relay += 1;
            return self.proxy.decide(now, key, reject(403, "No Relay", None));
        }
        // A host that is down is avoided while another is up. If all are down, they are still tried, since their state
        // is as old as the last probe: a PBX that has just come back would refuse calls until the next probe. Each gets
        // a short time only: a dead host must not keep the caller, or the carrier's next route, waiting.
        let mut patience = None;
        if located.iter().any(|(place, _)| !self.health.is_down(*place)) {
            located.retain(|(place, _)| !self.health.is_down(*place));
        } else if let Ok(hosts @ 1..) = u32::try_from(located.len()) {
            patience = Some((THOUGH_ALL_DOWN / hosts).max(THOUGH_DOWN));
        }
        let targets: Vec<Target> = located
            .iter()
            .filter_map(|((transport, remote), candidate)| {
                let to = match candidate.flow {
                    Some(flow) => flow,
                    None => {
                        let local = self.local_toward(now, *transport, *remote)?;
                        Destination { transport: *transport, local, remote: *remote }
                    }
                };
                let rewrite_uri =
                    if candidate.rewrite_uri { aimed_at(&pending.request_uri, *remote) } else { None };
                Some(Target { to, rewrite_uri, patience })
            })
            .collect();
        if targets.is_empty() {
            self.counters.unroutable += 1;
            let retry_after = self.admission.retry_after();
            return self.proxy.decide(now, key, reject(503, "No Host Reachable", Some(retry_after)));
        }
        let first = targets.first().map(|target| target.to.remote);
        let resumed = pending.resumed.map(|sender| self.resumed(pending.from, sender, first));
        let steered = pending.steered.map(|from| {
            let mut to: Vec<PeerRef> = targets.iter().filter_map(|it| self.table.who(it.to.remote)).collect();
            to.retain(|to| to.side != from.side);
            self.routed(from, &to)
        });
        if let Some(routed) = resumed.or(pending.routed).or(steered) {
            self.calls.routed(&pending.call_id, pending.source, routed);
        }
        self.proxy.decide(now, key, Decision::Forward { from: pending.from, targets });
    }

    fn routed(&self, from: PeerRef, to: &[PeerRef]) -> RoutedTo {
        let first = to.first().map_or("", |peer| self.table.name(*peer)).to_owned();
        let name = self.table.name(from).to_owned();
        match from.side {
            Side::Trunk => RoutedTo {
                trunk: name,
                pbx: first,
                disclosure: self.table.disclosure(from),
                resumed: false,
                to_customers: false,
            },
            Side::Pbx => {
                // The trunk is not chosen yet: only the weakest of their policies holds for certain.
                let mut policies = to.iter().map(|trunk| self.table.disclosure(*trunk));
                let one = policies.next().unwrap_or_default();
                let disclosure = if policies.all(|other| other == one) { one } else { Policy::Never };
                let to_customers = self.table.analyses_outbound(from)
                    || (!to.is_empty() && to.iter().all(|trunk| self.table.analyses_outbound(*trunk)));
                RoutedTo { trunk: first, pbx: name, disclosure, resumed: false, to_customers }
            }
        }
    }

    /// The peers of a call that was up before this process, as far as addresses show. Whether its caller was told is
    /// lost.
    fn resumed(&self, from: Side, sender: String, toward: Option<SocketAddr>) -> RoutedTo {
        let other = toward.and_then(|remote| self.table.who(remote)).filter(|peer| peer.side != from);
        let other = other.map(|peer| self.table.name(peer).to_owned()).unwrap_or_default();
        let (trunk, pbx) = match from {
            Side::Trunk => (sender, other),
            Side::Pbx => (other, sender),
        };
        RoutedTo { trunk, pbx, disclosure: Policy::Never, resumed: true, to_customers: false }
    }

    fn refuse(&mut self, refused: Refused) -> Decision {
        let counter = match refused {
            Refused::Full => &mut self.counters.refused_full,
            Refused::Share => &mut self.counters.refused_share,
            Refused::TooFast => &mut self.counters.refused_rate,
            Refused::Draining => &mut self.counters.refused_draining,
        };
        *counter += 1;
        reject(503, refused.reason(), Some(self.admission.retry_after()))
    }

    /// Passes facts about calls from the messages just handled on to the call book, with what TLS has agreed on for
    /// their connections.
    pub(super) fn settle(&mut self, now: Duration, tls: impl Fn(&Flow) -> Option<Tls>) {
        while let Some(lost) = self.proxy.poll_dropped() {
            self.tell_dropped(now, lost);
        }
        let anchor = self.proxy.filter().inner();
        while let Some(fact) = anchor.poll_fact() {
            match &fact {
                CallFact::Started { key, call_id, source, .. } => {
                    if !self.emergencies.begun(*key, call_id, source.remote)
                        && let Some(peer) = self.table.who(source.remote)
                    {
                        self.shares.begun(*key, (peer.side, self.table.name(peer).into()));
                    }
                }
                CallFact::Ended { key, .. } => {
                    self.shares.ended(*key);
                    self.emergencies.ended(*key);
                }
                _ => {}
            }
            if let CallFact::Answered { key, by, .. } = fact
                && let Some(peer) = self.table.who(by.remote)
            {
                self.calls.answered_by(key, peer.side, self.table.name(peer));
            }
            match fact {
                CallFact::Unacknowledged { key } => self.to_hang_up.push((key, Cause::NoAnswer)),
                CallFact::Insecure { key, .. } => self.to_hang_up.push((key, Cause::Rejected)),
                _ => {}
            }
            if let CallFact::Ended { key, .. } = fact {
                self.asked.remove(&key);
            }
            let tls = match &fact {
                CallFact::Started { source: flow, .. } | CallFact::Answered { by: flow, .. } => tls(flow),
                _ => None,
            };
            self.calls.fact(fact, tls);
        }
        for change in anchor.media().take_changes() {
            self.calls.plan(now, change);
        }
        self.calls.settled();
        anchor.media().close_released();
        self.write_down();
    }

    /// Ends calls that can't go on: the answer of one never reached its caller, so that the answering party would wait
    /// for nobody, or has media that policy forbids. Returns whether there was any, so that messages are to be sent.
    pub(super) fn hang_up_hopeless(&mut self, now: Duration) -> bool {
        let calls = std::mem::take(&mut self.to_hang_up);
        for (call, cause) in &calls {
            // An early answer that is not secure may be followed by one that is.
            if self.anchor_ref().is_answered(*call) {
                self.hang_up(now, *call, *cause);
            }
        }
        !calls.is_empty()
    }
}

fn limits(config: &Config) -> Limits {
    Limits {
        calls: config.limits.calls,
        calls_per_second: config.limits.calls_per_second,
        retry_after: config.limits.retry_after.into(),
    }
}

pub(super) fn reject(status: u16, reason: &str, retry_after: Option<Duration>) -> Decision {
    let headers = retry_after
        .map(|after| ("Retry-After".to_owned(), after.as_secs().max(1).to_string()))
        .into_iter()
        .collect();
    Decision::Reject { status, reason: reason.to_owned(), headers }
}

/// An emergency call (RFC 5031; NENA's own names for its services).
fn is_emergency(request_uri: &str) -> bool {
    ["urn:service:sos", "urn:nena:service:sos"].iter().any(|urn| {
        let (start, rest) = request_uri.split_at_checked(urn.len()).unwrap_or_default();
        start.eq_ignore_ascii_case(urn) && (rest.is_empty() || rest.starts_with('.'))
    })
}

/// The Request-URI with another host: user and parameters stay.
fn aimed_at(request_uri: &str, host: SocketAddr) -> Option<Uri> {
    let view = UriView::parse(request_uri).ok().filter(UriView::is_sip)?;
    let start = match view.userinfo() {
        Some(_) => request_uri.find('@')? + 1,
        None => request_uri.find(':')? + 1,
    };
    let (before, rest) = request_uri.split_at_checked(start)?;
    let after = rest.find([';', '?']).and_then(|at| rest.get(at..)).unwrap_or_default();
    format!("{before}{host}{after}").parse().ok()
}

/// A number in `[0, 1)`; xorshift is enough to share load.
fn roll(state: &mut u64) -> f64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_for_help_are_known_by_their_urn() {
        for uri in ["urn:service:sos", "URN:Service:SOS.fire", "urn:nena:service:sos.police"] {
            assert!(is_emergency(uri), "{uri}");
        }
        for uri in ["urn:service:sosx", "urn:service:test.sos", "urn:service:counseling", "sip:sos@x", ""] {
            assert!(!is_emergency(uri), "{uri}");
        }
    }

    #[test]
    fn a_request_uri_takes_another_host_and_keeps_the_rest() {
        let aimed = |uri| aimed_at(uri, "192.0.2.9:5070".parse().unwrap()).map(|uri| uri.as_str().to_owned());
        for (uri, wanted) in [
            ("sip:+1555@carrier.example;user=phone", "sip:+1555@192.0.2.9:5070;user=phone"),
            ("sip:a;b=c@[2001:db8::1]:05060", "sip:a;b=c@192.0.2.9:5070"),
            ("sip:carrier.example?x=y", "sip:192.0.2.9:5070?x=y"),
        ] {
            assert_eq!(aimed(uri).as_deref(), Some(wanted));
        }
        assert_eq!(aimed("tel:+1555"), None);
    }
}
