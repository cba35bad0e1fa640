//! The calls inside a capture: their signalling followed, their audio sorted by party.
//!
//! The signalling goes through the same [`sidetone_sip::anchor`] that follows calls live, so offer and answer, hold,
//! early media, forks and failures mean the same here as there. A capture may show a call at several hops (it was
//! taken on a proxy, or on a loopback interface): each message then passes more than once, and of each party only one
//! of the flows of audio is taken. Where a hop has changed the call's names and addresses, the payloads tell.
//!
//! RTP that no signalling explains becomes calls of its own: flows in opposite directions between the same two
//! addresses are one call's two parties. Which of them is the customer is not known then, and the call says so.
//! Datagrams are put in order of time first, and copies of packets are dropped; so all of them are gathered before the
//! first call is followed.

mod addresses;
mod bare;
mod clock;
mod copies;
mod customer;
mod doubt;
mod formats;
mod framed;
mod hops;
mod hosts;
pub(crate) mod options;
mod parties;
mod recording;
mod signalling;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sidetone_call::{CallKey, MediaKind, Side, StreamPlan};
use sidetone_sip::anchor::CallFact;

pub use customer::{Customer, CustomerError, Known, Place};
pub use doubt::Doubt;
pub use formats::{FormatError, format};
pub use options::{MOST_CALLS, Options};
pub use recording::{Happening, Origin, Recording, Voice};

use crate::datagrams::{Datagram, Transport};
use addresses::{Addresses, Owner, Route};
use bare::BareRtp;
use copies::Copies;
use framed::Framed;
use hosts::Host;
use options::rtp;
use parties::Parties;
use signalling::{Heard, Signalling};

/// Bytes that a datagram takes beside its own, while it is kept and where it ends up.
const OVERHEAD: usize = 2 * size_of::<Datagram>();
/// TCP streams of which it is remembered that they carry SIP.
const MOST_STREAMS: usize = 65_536;
/// How long after its end audio still belongs to a call; what comes later is dropped.
const LINGER: Duration = Duration::from_secs(5);

/// Counts of a capture's datagrams by their use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// SIP messages, by UDP or TCP.
    pub messages: u64,
    /// Datagrams that begin like a SIP message and aren't one.
    pub malformed: u64,
    /// RTP packets of calls.
    pub packets: u64,
    /// RTP packets that came by another hop, or after their call's end.
    pub redundant: u64,
    /// SIP and RTP dropped since [`Options::most_bytes`] or [`MOST_CALLS`] was reached.
    pub dropped: u64,
    /// RTP packets dropped since they had come before, byte for byte, between the same addresses.
    pub copies: u64,
    /// Datagrams that stood in the file behind later ones, by more than ordinary disorder.
    pub out_of_order: u64,
    /// The largest disorder of such a datagram.
    pub farthest_out_of_order: Duration,
    /// Times that the capture's clock was set back while audio went on.
    pub clock_set_back: u64,
    /// Calls left out since they are another view of one that is there, from its other side.
    pub other_views: u64,
    /// Datagrams that are neither SIP nor audio: RTCP, other media, other protocols.
    pub other: u64,
}

/// Follows the calls of one capture.
#[derive(Debug)]
pub struct Calls {
    options: Options,
    /// Datagrams that may belong to calls, in the capture's order.
    gathered: Vec<Datagram>,
    /// TCP streams that have been found to carry SIP.
    sip_streams: HashSet<Route>,
    framed: Framed,
    counters: Counters,
    /// Bytes that may still be kept.
    room: usize,
}

impl Calls {
    /// Nothing heard yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            gathered: Vec::new(),
            sip_streams: HashSet::new(),
            framed: Framed::default(),
            counters: Counters::default(),
            room: options.most_bytes,
            options,
        }
    }

    /// Takes the capture's next datagram.
    pub fn observe(&mut self, datagram: Datagram) {
        let is_of_calls = match datagram.transport {
            Transport::Udp => signalling::is_sip(&datagram.payload) || rtp(&datagram.payload).is_some(),
            Transport::Tcp { follows } => {
                let route = (datagram.src, datagram.dst);
                let is_sip = self.carries_sip(route, &datagram.payload);
                if !is_sip {
                    for packet in self.framed.push(route, follows, &datagram.payload) {
                        let transport = Transport::Udp;
                        self.gather(Datagram { payload: packet, transport, ..datagram.clone() });
                    }
                }
                is_sip
            }
        };
        if is_of_calls {
            self.gather(datagram);
        } else {
            self.counters.other += 1;
        }
    }

    /// Whether a TCP stream is SIP, by these bytes or by earlier ones.
    fn carries_sip(&mut self, route: Route, bytes: &[u8]) -> bool {
        if self.sip_streams.contains(&route) {
            return true;
        }
        let is_sip = signalling::beginning(bytes).is_some() && self.sip_streams.len() < MOST_STREAMS;
        if is_sip {
            self.sip_streams.insert(route);
        }
        is_sip
    }

    fn gather(&mut self, datagram: Datagram) {
        match self.room.checked_sub(datagram.payload.len() + OVERHEAD) {
            Some(room) => {
                self.room = room;
                self.gathered.push(datagram);
            }
            None => self.counters.dropped += 1,
        }
    }

    /// No more datagrams come: the calls, by when they began. Those that were refused or never answered are among
    /// them, with whatever was heard of them.
    #[must_use]
    pub fn finish(mut self) -> (Vec<Recording>, Counters) {
        let mended = clock::mend(&mut self.gathered);
        self.counters.out_of_order = mended.out_of_order;
        self.counters.farthest_out_of_order = mended.farthest;
        self.counters.clock_set_back = mended.set_back;
        let began = self.gathered.first().map(|datagram| datagram.at).unwrap_or_default();
        let mut follower = Follower::new(began, self.counters);
        let mut copies = Copies::default();
        for datagram in self.gathered {
            if datagram.transport == Transport::Udp
                && rtp(&datagram.payload).is_some()
                && copies.is_copy(&datagram)
            {
                follower.counters.copies += 1;
            } else {
                follower.observe(datagram);
            }
        }
        follower.finish(&self.options)
    }
}

/// Makes calls of datagrams, which come to it in order of time.
#[derive(Debug)]
struct Follower {
    signalling: Signalling,
    addresses: Addresses,
    recordings: Vec<Recording>,
    parties: Vec<Parties>,
    /// Calls that have not ended.
    open: HashMap<CallKey, usize>,
    bare: BareRtp,
    counters: Counters,
    /// When the capture began, and how long it has lasted.
    began: Duration,
    now: Duration,
}

impl Follower {
    fn new(began: Duration, counters: Counters) -> Self {
        Self {
            signalling: Signalling::new(),
            addresses: Addresses::default(),
            recordings: Vec::new(),
            parties: Vec::new(),
            open: HashMap::new(),
            bare: BareRtp::default(),
            counters,
            began,
            now: Duration::ZERO,
        }
    }

    fn observe(&mut self, datagram: Datagram) {
        self.now = datagram.at.saturating_sub(self.began);
        match self.signalling.observe(self.now, &datagram) {
            Heard::Messages { read, malformed } => {
                self.counters.messages += read;
                self.counters.malformed += malformed;
                self.follow();
            }
            Heard::Nothing if datagram.transport == Transport::Udp => self.media(datagram),
            Heard::Nothing => self.counters.other += 1,
        }
    }

    fn finish(mut self, options: &Options) -> (Vec<Recording>, Counters) {
        let mut orphans = self.signalling.take_orphans();
        let known: HashSet<&str> = self.recordings.iter().filter_map(Recording::call_id).collect();
        orphans.retain(|orphan| !known.contains(orphan.call_id.as_str()));
        self.counters.dropped += self.bare.dropped();
        for recording in self.bare.finish(self.began, options, &orphans) {
            self.counters.packets += recording.packets() as u64;
            self.recordings.push(recording);
        }
        for recording in &mut self.recordings {
            let doubt = recording.call_id().and_then(|call_id| self.signalling.doubt(call_id));
            doubt.into_iter().for_each(|doubt| recording.doubt_that(doubt));
        }
        self.counters.other_views = hops::leave_one_each(&mut self.recordings);
        hosts::doubt(&mut self.recordings);
        self.recordings.iter_mut().for_each(|recording| recording.settle(options.customer));
        self.recordings.sort_by_key(Recording::began);
        (self.recordings, self.counters)
    }

    /// Takes over what the signalling has found out.
    fn follow(&mut self) {
        let facts: Vec<CallFact> = std::iter::from_fn(|| self.signalling.poll_fact()).collect();
        for fact in &facts {
            if let CallFact::Started { key, call_id, from, to, at, source, .. } = fact {
                let origin = Origin::Sip { call_id: call_id.clone(), from: from.clone(), to: to.clone() };
                // Without the first INVITE it is not known who has placed the call.
                let placer = self.signalling.has_seen_invite(call_id).then(|| Host::at(*source));
                self.begin(*key, self.began + *at, origin, placer);
            }
        }
        for (key, stream, plan) in self.signalling.take_plans() {
            self.plan(key, stream, plan);
        }
        for fact in &facts {
            self.fact(fact);
        }
    }

    fn begin(&mut self, key: CallKey, began: Duration, origin: Origin, placer: Option<Host>) {
        if self.recordings.len() < MOST_CALLS {
            self.open.insert(key, self.recordings.len());
            self.recordings.push(Recording::begun(origin, began, placer));
            self.parties.push(Parties::default());
        }
    }

    fn plan(&mut self, key: CallKey, stream: usize, plan: StreamPlan) {
        let Some(&call) = self.open.get(&key) else { return };
        let is_audio = plan.kind == MediaKind::Audio;
        for side in [Side::Trunk, Side::Pbx] {
            let end = plan.end(side);
            let Some(address) = end.remote_rtp else { continue };
            let owner = Owner { call, stream, side, is_audio };
            let before = self.addresses.claim(address, owner);
            if let Some(other) = before.filter(|other| other.call != call && other.side != side && is_audio) {
                self.contradict(call, other.call);
            }
            if let Some(ip) = end.signalled_from.filter(|ip| *ip != address.ip()) {
                self.addresses.suspect(SocketAddr::new(ip, address.port()), owner);
            }
        }
        self.record(call, |recording, at| recording.plan(at, stream, plan));
    }

    /// The caller of one of these calls and the called party of the other have named one address for their audio. Ports
    /// are used again when a call is over.
    fn contradict(&mut self, call: usize, earlier: usize) {
        if self.recordings.get(earlier).is_some_and(|recording| recording.ended().is_none()) {
            for index in [call, earlier] {
                if let Some(recording) = self.recordings.get_mut(index) {
                    recording.doubt_that(Doubt::SharedAddress);
                }
            }
        }
    }

    fn fact(&mut self, fact: &CallFact) {
        if let CallFact::Answered { key, by, .. } = fact
            && let Some(recording) = self.open.get(key).and_then(|call| self.recordings.get_mut(*call))
        {
            recording.answered_by(Host::at(*by));
        }
        let (key, happening) = match *fact {
            // A recording has no consent machine that could be told.
            CallFact::Started { .. }
            | CallFact::Misaimed { .. }
            | CallFact::Insecure { .. }
            | CallFact::Header { .. }
            | CallFact::Digit { .. }
            | CallFact::Referred { .. }
            | CallFact::Replaces { .. }
            | CallFact::Unacknowledged { .. } => return,
            CallFact::Ringing { key, .. } => (key, Happening::Ringing),
            CallFact::Answered { key, .. } => (key, Happening::Answered),
            CallFact::Held { key, by, .. } => (key, Happening::Held(by)),
            CallFact::Resumed { key, by, .. } => (key, Happening::Resumed(by)),
            CallFact::Untappable { key, stream, reason } => (key, Happening::Untappable { stream, reason }),
            CallFact::Ended { key, by, status, cause, .. } => (key, Happening::Ended { by, status, cause }),
        };
        let Some(&call) = self.open.get(&key) else { return };
        if matches!(happening, Happening::Ended { .. }) {
            self.open.remove(&key);
        }
        self.record(call, |recording, at| recording.fact(at, happening));
    }

    /// Lets a recording take something, at the time in the call that it is now.
    fn record(&mut self, call: usize, take: impl FnOnce(&mut Recording, Duration)) {
        let now = self.clock();
        if let Some(recording) = self.recordings.get_mut(call) {
            take(recording, now.saturating_sub(recording.began()));
        }
    }

    /// Now, since the Unix epoch.
    fn clock(&self) -> Duration {
        self.began + self.now
    }

    fn media(&mut self, datagram: Datagram) {
        let Some(source) = rtp(&datagram.payload).map(|rtp| (rtp.ssrc(), rtp.sequence())) else {
            self.counters.other += 1;
            return;
        };
        let route = (datagram.src, datagram.dst);
        match self.addresses.sender(route) {
            Some(sender) if sender.is_audio => self.audio(sender, route, datagram.payload),
            Some(_) => self.counters.other += 1,
            None => self.bare.observe(self.now, route, source, datagram.payload),
        }
    }

    /// A packet of a call's audio.
    fn audio(&mut self, sender: Owner, route: Route, rtp: Bytes) {
        let Owner { call, stream, side, .. } = sender;
        let now = self.clock();
        let is_over = self.recordings.get(call).is_none_or(|recording| recording.was_over(now, LINGER));
        let is_heard =
            self.parties.get_mut(call).is_some_and(|parties| parties.accepts(self.now, side, stream, route));
        if is_over || !is_heard {
            self.counters.redundant += 1;
        } else {
            self.counters.packets += 1;
            self.record(call, |recording, at| recording.packet(at, stream, side, route.0, rtp));
        }
    }
}
