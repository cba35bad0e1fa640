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
mod callers;
mod clock;
mod copies;
mod counters;
mod customer;
mod doubt;
mod fates;
mod formats;
mod framed;
mod handshakes;
mod hops;
mod hosts;
mod keys;
mod messages;
pub(crate) mod options;
mod parties;
mod recording;
mod signalling;
mod unprotect;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sidetone_call::{CallKey, MediaKind, Side, StreamPlan};
use sidetone_sip::anchor::CallFact;

pub use counters::Counters;
pub use customer::{Customer, CustomerError, Known, Place};
pub use doubt::Doubt;
pub use fates::Protected;
pub use formats::{FormatError, format};
pub use options::{MOST_CALLS, Options};
pub use recording::{Happening, Origin, Recording, Voice};

use crate::datagrams::{Datagram, Transport};
use crate::dtls::hello;
use addresses::{Addresses, Owner, Route};
use bare::BareRtp;
use copies::Copies;
use framed::Framed;
use hosts::Host;
use keys::{Keys, Party};
use options::rtp;
use parties::Parties;
use signalling::{Heard, Signalling};
use unprotect::{Outcome, Sender, Unprotect};

/// Bytes that a datagram takes beside its own, while it is kept and where it ends up.
const OVERHEAD: usize = 2 * size_of::<Datagram>();
/// TCP streams of which it is remembered that they carry SIP.
const MOST_STREAMS: usize = 65_536;
/// How long after its end audio still belongs to a call; what comes later is dropped.
const LINGER: Duration = Duration::from_secs(5);

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
            Transport::Udp => {
                let payload = &datagram.payload;
                messages::is_sip(payload) || rtp(payload).is_some() || hello::is_handshake(payload)
            }
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
        let is_sip = messages::beginning(bytes).is_some() && self.sip_streams.len() < MOST_STREAMS;
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
        let keys = Keys::gather(&self.gathered, began, self.options.key_log.as_deref());
        let mut follower = Follower::new(began, self.counters, keys);
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
    unprotect: Unprotect,
    counters: Counters,
    /// When the capture began, and how long it has lasted.
    began: Duration,
    now: Duration,
}

impl Follower {
    fn new(began: Duration, counters: Counters, keys: Keys) -> Self {
        Self {
            signalling: Signalling::new(),
            addresses: Addresses::default(),
            recordings: Vec::new(),
            parties: Vec::new(),
            open: HashMap::new(),
            bare: BareRtp::default(),
            unprotect: Unprotect::new(keys),
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
            Heard::Nothing if hello::is_handshake(&datagram.payload) => self.counters.other += 1,
            Heard::Nothing if datagram.transport == Transport::Udp => self.media(datagram),
            Heard::Nothing => self.counters.other += 1,
        }
    }

    fn finish(mut self, options: &Options) -> (Vec<Recording>, Counters) {
        let mut orphans = self.signalling.take_orphans();
        let known: HashSet<&str> = self.recordings.iter().filter_map(Recording::call_id).collect();
        orphans.retain(|orphan| !known.contains(orphan.call_id.as_str()));
        self.counters.dropped += self.bare.dropped();
        for recording in self.bare.finish(self.began, options, &orphans, &mut self.unprotect) {
            self.counters.packets += recording.packets() as u64;
            self.recordings.push(recording);
        }
        for recording in &mut self.recordings {
            let doubt = recording.call_id().and_then(|call_id| self.signalling.doubt(call_id));
            doubt.into_iter().for_each(|doubt| recording.doubt_that(doubt));
        }
        for recording in &mut self.recordings {
            recording.settle_protection();
            for side in [Side::Trunk, Side::Pbx] {
                let Protected { opened, sealed } = recording.protected(side);
                self.counters.opened += opened;
                self.counters.sealed += sealed;
            }
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
                let placer = self.signalling.has_seen_invite(call_id).then(|| Host::at(source.remote));
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
            recording.answered_by(Host::at(by.remote));
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
            CallFact::Untappable { key, stream, reason } => {
                (key, Happening::Untappable { stream, side: None, reason })
            }
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
        let Some(recording) = self.recordings.get(call).filter(|recording| !recording.was_over(now, LINGER))
        else {
            self.counters.redundant += 1;
            return;
        };
        let party = || Some(Party { call_id: recording.call_id()?.into(), stream, side });
        let sender = Sender::Party(call, stream, side);
        let outcome = self.unprotect.open(self.now, sender, party, route, rtp);
        let Some(parties) = self.parties.get_mut(call) else { return };
        let (rtp, is_opened) = match outcome {
            Outcome::Plain(rtp) => (rtp, false),
            Outcome::Opened(rtp) => (rtp, true),
            // On another leg of the call, which is heard by this one.
            Outcome::Sealed(_) if parties.hear_elsewhere(self.now, side, stream, route) => {
                self.counters.redundant += 1;
                return;
            }
            Outcome::Sealed(why) => {
                return self.record(call, |recording, at| {
                    recording.sealed(at, stream, side, route.0, why);
                });
            }
            Outcome::Repeated => {
                self.counters.redundant += 1;
                return;
            }
        };
        if !parties.accepts(self.now, side, stream, route) {
            self.counters.redundant += 1;
            return;
        }
        self.counters.packets += 1;
        self.record(call, |recording, at| {
            if is_opened {
                recording.opened(stream, side);
            }
            recording.packet(at, stream, side, route.0, rtp);
        });
    }
}
