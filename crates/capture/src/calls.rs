//! The calls inside a capture: their signalling followed, their audio sorted by party.
//!
//! The signalling goes through the same [`sidetone_sip::anchor`] that follows calls live, so offer and answer, hold,
//! early media, forks and failures mean the same here as there. A capture may show a call at several hops (it was
//! taken on a proxy, or on a loopback interface): each message then passes more than once, and of each party only one
//! of the flows of audio is taken.
//!
//! RTP that no signalling explains becomes calls of its own: flows in opposite directions between the same two
//! addresses are one call's two parties.

mod addresses;
mod bare;
mod formats;
mod parties;
mod recording;
mod signalling;

use std::collections::HashMap;
use std::time::Duration;

use sidetone_rtp::{PacketKind, RtpView, classify};
use sidetone_sip::Face;
use sidetone_sip::anchor::{CallFact, CallKey, Format, MediaKind, StreamPlan};

use crate::datagrams::{Datagram, Transport};
use addresses::{Addresses, Owner, Route};
use bare::BareRtp;
pub use formats::{FormatError, format};
use parties::Parties;
pub use recording::{Happening, Origin, Recording};
use signalling::{Heard, Signalling};

/// Most calls that are told apart; audio of more is counted as dropped.
pub const MOST_CALLS: usize = 10_000;
/// A capture that lasts longer than this has a broken clock: what comes later counts as coming then.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
/// How long after its end audio still belongs to a call; what comes later is dropped.
const FAREWELL: Duration = Duration::from_secs(5);

/// Which of the two parties is the customer: the one whose feelings may be looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Customer {
    /// Who placed the call; without signalling, whose audio came first.
    #[default]
    Caller,
    /// Who was called.
    Callee,
}

impl Customer {
    /// The face on which the caller is: the customer is on the trunk's, the agent on the PBX's.
    fn caller_face(self) -> Face {
        match self {
            Self::Caller => Face::Trunk,
            Self::Callee => Face::Pbx,
        }
    }
}

/// What has to be known beside the capture.
#[derive(Debug, Clone)]
pub struct Options {
    /// Who is the customer.
    pub customer: Customer,
    /// Formats of RTP without signalling, beside those that RFC 3551 fixes: see [`format()`].
    pub formats: Vec<Format>,
    /// Bytes of audio kept in memory; what goes beyond is dropped and counted.
    pub most_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { customer: Customer::default(), formats: Vec::new(), most_bytes: 2 << 30 }
    }
}

/// What became of a capture's datagrams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// SIP messages, by UDP or TCP.
    pub messages: u64,
    /// What began like a SIP message and wasn't one.
    pub malformed: u64,
    /// RTP packets of calls.
    pub packets: u64,
    /// RTP packets that came by another hop, or after their call's end.
    pub redundant: u64,
    /// RTP packets dropped since [`Options::most_bytes`] or [`MOST_CALLS`] was reached.
    pub dropped: u64,
    /// Datagrams that are neither SIP nor audio: RTCP, other media, other protocols.
    pub other: u64,
}

/// Follows the calls of one capture.
#[derive(Debug)]
pub struct Calls {
    options: Options,
    signalling: Signalling,
    addresses: Addresses,
    recordings: Vec<Recording>,
    parties: Vec<Parties>,
    /// Calls that have not ended.
    open: HashMap<CallKey, usize>,
    bare: BareRtp,
    counters: Counters,
    /// When the capture began, and how long it has lasted.
    began: Option<Duration>,
    now: Duration,
    /// Bytes of audio that may still be kept.
    room: usize,
}

impl Calls {
    /// Nothing heard yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            signalling: Signalling::new(options.customer.caller_face()),
            addresses: Addresses::default(),
            recordings: Vec::new(),
            parties: Vec::new(),
            open: HashMap::new(),
            bare: BareRtp::default(),
            counters: Counters::default(),
            began: None,
            now: Duration::ZERO,
            room: options.most_bytes,
            options,
        }
    }

    /// What became of the datagrams so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Takes the capture's next datagram.
    pub fn observe(&mut self, datagram: &Datagram) {
        let began = *self.began.get_or_insert(datagram.at);
        // Captures from several interfaces, and clocks that are set, go back at times; calls don't.
        self.now = datagram.at.saturating_sub(began).min(LONGEST).max(self.now);
        match self.signalling.observe(self.now, datagram) {
            Heard::Messages { read, malformed } => {
                self.counters.messages += read;
                self.counters.malformed += malformed;
                self.follow(began);
            }
            Heard::Nothing if datagram.transport == Transport::Udp => self.media(datagram),
            Heard::Nothing => self.counters.other += 1,
        }
    }

    /// No more datagrams come: the calls, by when they began. Those that were refused or never answered are among
    /// them, with whatever was heard of them.
    #[must_use]
    pub fn finish(mut self) -> (Vec<Recording>, Counters) {
        let began = self.began.unwrap_or_default();
        let bare = self.bare.finish(began, &self.options);
        for recording in bare {
            self.counters.packets += recording.packets() as u64;
            self.recordings.push(recording);
        }
        self.recordings.sort_by_key(Recording::began);
        (self.recordings, self.counters)
    }

    /// Takes over what the signalling has found out.
    fn follow(&mut self, began: Duration) {
        let facts: Vec<CallFact> = std::iter::from_fn(|| self.signalling.poll_fact()).collect();
        for fact in &facts {
            if let CallFact::Started { key, call_id, from, to, at, .. } = fact {
                self.begin(
                    *key,
                    began + *at,
                    Origin::Sip { call_id: call_id.clone(), from: from.clone(), to: to.clone() },
                );
            }
        }
        for (key, stream, plan) in self.signalling.take_plans() {
            self.plan(key, stream, plan);
        }
        for fact in &facts {
            self.fact(fact);
        }
    }

    fn begin(&mut self, key: CallKey, began: Duration, origin: Origin) {
        if self.recordings.len() < MOST_CALLS {
            self.open.insert(key, self.recordings.len());
            self.recordings.push(Recording::begun(origin, began));
            self.parties.push(Parties::default());
        }
    }

    fn plan(&mut self, key: CallKey, stream: usize, plan: StreamPlan) {
        let Some(&call) = self.open.get(&key) else { return };
        let is_audio = plan.kind == MediaKind::Audio;
        for face in [Face::Trunk, Face::Pbx] {
            if let Some(address) = plan.end(face).remote_rtp {
                self.addresses.claim(address, Owner { call, stream, face, is_audio });
            }
        }
        self.record(call, |recording, at| recording.plan(at, stream, plan));
    }

    fn fact(&mut self, fact: &CallFact) {
        let (key, happening) = match *fact {
            // Nobody consents in a recording.
            CallFact::Started { .. }
            | CallFact::Told { .. }
            | CallFact::Digit { .. }
            | CallFact::Referred { .. }
            | CallFact::Replaces { .. } => return,
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
        self.began.unwrap_or_default() + self.now
    }

    fn media(&mut self, datagram: &Datagram) {
        let Some(rtp) = rtp(&datagram.payload) else {
            self.counters.other += 1;
            return;
        };
        let route = (datagram.src, datagram.dst);
        match self.addresses.sender(route) {
            Some(sender) if sender.is_audio => self.audio(sender, route, &datagram.payload),
            Some(_) => self.counters.other += 1,
            None => match self.bare.observe(self.now, route, &rtp, &datagram.payload, self.room) {
                Ok(room) => self.room = room,
                Err(bare::Full) => self.counters.dropped += 1,
            },
        }
    }

    /// A packet of a call's audio.
    fn audio(&mut self, sender: Owner, route: Route, rtp: &[u8]) {
        let Owner { call, stream, face, .. } = sender;
        let now = self.clock();
        let is_over = self.recordings.get(call).is_none_or(|recording| recording.was_over(now, FAREWELL));
        let is_heard =
            self.parties.get_mut(call).is_some_and(|parties| parties.accepts(self.now, face, stream, route));
        let size = rtp.len() + recording::OVERHEAD;
        if is_over || !is_heard {
            self.counters.redundant += 1;
        } else if size > self.room {
            self.counters.dropped += 1;
        } else {
            self.room -= size;
            self.counters.packets += 1;
            self.record(call, |recording, at| recording.packet(at, stream, face, rtp));
        }
    }
}

/// A datagram that is RTP, as far as it shows.
fn rtp(datagram: &[u8]) -> Option<RtpView<'_>> {
    let claims = classify(datagram) == PacketKind::Rtp;
    claims.then(|| RtpView::parse(datagram).ok()).flatten()
}
