//! SRTP that ends here: keys from the plans to contexts, and contexts to packets.
//!
//! Keys are derived on the control side ([`Keyring`]) and the contexts given to the relay thread ([`Guard`]), which
//! works in place on each packet. A plain leg has neither, and costs one comparison a packet.

use std::net::SocketAddr;

use crate::kept::{GuardKept, KeyKept, Turn};
use sidetone_call::{DtlsPlan, EndPlan, Keying, Protection, Side, StreamPlan, Suite};
use sidetone_handshake::{Credentials, Fingerprints, IceLite, Role, Trust};
use sidetone_rtp::PacketKind;
use sidetone_srtp::{Fault, Inbound, MOST_TRAILER, Outbound};

/// Packets that open under other keys before one that the party has no more is forgotten: ten seconds.
const OVERLAP: u32 = 500;
/// What a second counts for: a party may be silent with its new key.
const OVERLAP_PER_SECOND: u32 = 50;
/// Most keys of a party that are tried on a packet.
const MOST_TRIED: usize = 4;
/// Keys of ours whose counters are kept, the ones used last. The signalling side keeps fewer, so that one which is gone
/// here can't be asked for again: counted anew, it would use key streams twice.
const MOST_OURS: usize = 32;
/// Keys of a party that are remembered for the call. A guard holds twice as many, so that it has what the keyring
/// knows.
const MOST_KNOWN: usize = 16;
/// Longest packet that is tried with more than one key. Longer ones are tried with the newest alone.
const SCRATCH: usize = 2_048;

/// The keys that a call's relay thread has been given, by m-line and side.
#[derive(Debug, Default)]
pub(crate) struct Keyring {
    given: Vec<Given>,
    /// Handshakes that plans have asked for so far.
    shaken: u64,
}

#[derive(Debug)]
struct Given {
    stream: usize,
    side: Side,
    /// What the party's packets have been protected with; the newest last. The guard still has the contexts of all of
    /// these: a key that comes back finds what it has seen.
    theirs: Vec<Keying>,
    /// All that packets to the party have been protected with. A key that comes back must find its context: counted
    /// anew, it would use key streams twice.
    ours: Vec<Keying>,
    /// The handshakes of the leg: those of forks are held to again when one of them is the one. The one in force is the
    /// last.
    shaken: Vec<Association>,
    /// Keys come by the last of them.
    shakes: bool,
}

/// What is one handshake's, and no other's: it stands as long as the descriptions say so (RFC 8842 §3).
#[derive(Debug)]
struct Association {
    number: u64,
    plan: DtlsPlan,
    remote: Option<SocketAddr>,
}

/// Handshakes of one leg that are held to.
pub(crate) const MOST_ASSOCIATIONS: usize = 4;

/// What a plan asks of the handshakes, for one end of its stream.
#[derive(Debug)]
pub(crate) enum Shake {
    /// One is in force: it begins, unless it has, and its keys are those of the leg.
    Begin(Side, Box<Begin>),
    /// Those that there are are of no use any more.
    Leave(Side),
}

/// A handshake that is to begin.
#[derive(Debug)]
pub(crate) struct Begin {
    /// Which of the call's.
    pub(crate) number: u64,
    pub(crate) role: Role,
    pub(crate) trust: Trust,
    pub(crate) fingerprints: Fingerprints,
    /// Where the party is, if its description says so and not ICE.
    pub(crate) remote: Option<SocketAddr>,
}

/// What a relay thread is to do with one end's packets.
#[derive(Debug)]
pub(crate) enum Change {
    /// They are not protected here.
    Plain,
    /// They can't be read yet.
    Awaited,
    /// They are unprotected, and protected with our key.
    Keys {
        /// New contexts for the party's packets.
        theirs: Vec<Inbound>,
        /// What its packets may be protected with from now on.
        accepted: Vec<Keying>,
        /// New context for packets to it.
        new: Option<Box<Outbound>>,
        /// Our key from now on.
        ours: Keying,
    },
    /// Nothing: a description has repeated what holds.
    Same,
    /// A handshake gives their keys. Those of one before hold until then.
    Handshake(LinkChange),
}

/// What leads to a handshake in the relay thread.
#[derive(Debug)]
pub(crate) enum LinkChange {
    /// The call's handshake with this number is in force, with an agent if the party does ICE.
    Begin(u64, Option<Box<IceLite>>),
    /// ICE begins anew; the handshake stands.
    Restart(Credentials, String),
}

/// The changes for both ends of a stream.
#[derive(Debug)]
pub(crate) struct Changes {
    pub(crate) trunk: Change,
    pub(crate) pbx: Change,
}

#[cfg(test)]
impl Keyring {
    /// Keys remembered, of the party's and of ours.
    pub(crate) fn keys_held(&self) -> usize {
        self.given.iter().map(|given| given.theirs.len() + given.ours.len()).sum()
    }
}

#[cfg(test)]
impl Guard {
    /// Contexts of the party's keys and of ours.
    pub(super) fn contexts_held(&self) -> (usize, usize) {
        self.contexts.as_ref().map_or((0, 0), |contexts| (contexts.theirs.len(), contexts.outbound.len()))
    }
}

impl Keyring {
    /// Whether a handshake was ever begun in the call.
    pub(crate) fn has_shaken(&self) -> bool {
        self.shaken > 0
    }

    /// Derives what the plan of a call's stream asks for; `None` while it is, and was, a plain stream. What it asks of
    /// handshakes is put into `shake`.
    pub(crate) fn changes(
        &mut self,
        stream: usize,
        plan: &StreamPlan,
        shake: &mut Vec<Shake>,
    ) -> Option<Box<Changes>> {
        let plain = |side| plan.end(side).protection == Protection::None;
        let was_plain = !self.given.iter().any(|given| given.stream == stream);
        if plain(Side::Trunk) && plain(Side::Pbx) && was_plain {
            return None;
        }
        let mut change = |side| self.change(stream, side, plan.end(side), shake);
        Some(Box::new(Changes { trunk: change(Side::Trunk), pbx: change(Side::Pbx) }))
    }

    fn change(&mut self, stream: usize, side: Side, end: &EndPlan, shake: &mut Vec<Shake>) -> Change {
        let at = self.given.iter().position(|given| (given.stream, given.side) == (stream, side));
        let at = at.unwrap_or_else(|| {
            self.given.push(Given {
                stream,
                side,
                theirs: Vec::new(),
                ours: Vec::new(),
                shaken: Vec::new(),
                shakes: false,
            });
            self.given.len() - 1
        });
        let Some(given) = self.given.get_mut(at) else { return Change::Awaited };
        if !matches!(end.protection, Protection::Dtls(_)) && !given.shaken.is_empty() {
            given.shaken.clear();
            given.shakes = false;
            shake.push(Shake::Leave(side));
        }
        let keys = match &end.protection {
            Protection::None => return Change::Plain,
            Protection::Awaited => return Change::Awaited,
            Protection::Sdes(keys) => keys,
            Protection::Dtls(plan) => {
                return given.shake(&mut self.shaken, side, plan, end.remote_rtp, shake);
            }
        };
        let accepted: Vec<Keying> = keys.coming.iter().chain([&keys.theirs]).cloned().collect();
        let fresh = accepted.iter().filter(|keying| !given.theirs.contains(keying));
        let Ok(theirs) = fresh.map(|keying| Inbound::new(keying.clone())).collect() else {
            return Change::Awaited;
        };
        given.theirs.retain(|keying| !accepted.contains(keying));
        let over = (given.theirs.len() + accepted.len()).saturating_sub(MOST_KNOWN);
        given.theirs.drain(..over.min(given.theirs.len()));
        given.theirs.extend(accepted.iter().rev().cloned());
        let mut new = None;
        match given.ours.iter().position(|keying| *keying == keys.ours) {
            Some(at) => given.ours.get_mut(at..).unwrap_or_default().rotate_left(1),
            None => {
                let Ok(context) = Outbound::new(keys.ours.clone()) else { return Change::Awaited };
                given.ours.push(keys.ours.clone());
                new = Some(Box::new(context));
            }
        }
        let over = given.ours.len().saturating_sub(MOST_OURS);
        given.ours.drain(..over);
        Change::Keys { theirs, accepted, new, ours: keys.ours.clone() }
    }
}

impl Given {
    /// Compares with the handshakes before: what has changed decides whether there is another one (RFC 8842 §3),
    /// whether ICE alone begins anew (RFC 8445 §9), or nothing. The thread that shakes hands is told in any case, for
    /// the one that it had may be over.
    fn shake(
        &mut self,
        count: &mut u64,
        side: Side,
        plan: &DtlsPlan,
        remote: Option<SocketAddr>,
        shake: &mut Vec<Shake>,
    ) -> Change {
        let Ok(fingerprints) = Fingerprints::parse(plan.fingerprints.iter().map(String::as_str)) else {
            return Change::Awaited;
        };
        // Without ICE, another address is another association; with it, the address is no matter of descriptions.
        let remote = remote.filter(|_| plan.ice.is_none());
        let same = |known: &Association| {
            (known.plan.active, &known.plan.fingerprints, known.plan.ice.is_some(), known.remote)
                == (plan.active, &plan.fingerprints, plan.ice.is_some(), remote)
        };
        let at = self.shaken.iter().position(same);
        let in_force = self.shakes && at.is_some_and(|at| at + 1 == self.shaken.len());
        let before = at.map(|at| self.shaken.remove(at));
        let number = before.as_ref().map_or_else(
            || {
                *count += 1;
                *count
            },
            |before| before.number,
        );
        if self.shaken.len() >= MOST_ASSOCIATIONS {
            self.shaken.remove(0);
        }
        self.shaken.push(Association { number, plan: plan.clone(), remote });
        self.shakes = true;
        let role = if plan.active { Role::Client } else { Role::Server };
        let trust = if plan.ice.is_some() { Trust::Ice } else { Trust::Cookie };
        shake.push(Shake::Begin(side, Box::new(Begin { number, role, trust, fingerprints, remote })));
        let credentials = plan.ice.as_ref().map(|ice| {
            (Credentials::stated(&ice.our_fragment, &ice.our_password), ice.their_fragment.clone())
        });
        match (in_force, credentials) {
            (true, Some((ours, theirs))) if before.is_some_and(|before| before.plan.ice != plan.ice) => {
                Change::Handshake(LinkChange::Restart(ours, theirs))
            }
            (true, _) => Change::Same,
            (false, credentials) => {
                let agent = credentials.map(|(ours, theirs)| Box::new(IceLite::new(&ours, Some(&theirs))));
                Change::Handshake(LinkChange::Begin(number, agent))
            }
        }
    }
}

/// The protection of one end in the relay thread.
#[derive(Debug, Default)]
pub(super) struct Guard {
    state: State,
    contexts: Option<Box<Contexts>>,
    /// Packets that did not open: forged, damaged, of another key, plain.
    pub(super) unauthentic: u64,
    /// Packets that came before, or too late to tell.
    pub(super) replayed: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Plain,
    Awaited,
    Srtp,
}

#[derive(Debug)]
struct Contexts {
    /// Of the party's keys, those that are tried stand in front, the one that opened a packet last as the first.
    theirs: Vec<Accepted>,
    outbound: Vec<Outbound>,
    /// Which of them protects.
    current: usize,
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Accepted {
    context: Box<Inbound>,
    /// The party has another key by now. Packets of this one may be under way: it is tried until so many more of others
    /// have opened.
    left: Option<u32>,
}

impl Accepted {
    /// Whether packets may be of this key.
    fn is_tried(&self) -> bool {
        self.left != Some(0)
    }
}

impl Guard {
    /// Takes what the control side has derived.
    pub(super) fn change(&mut self, change: Change) {
        let (theirs, accepted, new, ours) = match change {
            Change::Plain => return self.state = State::Plain,
            Change::Awaited => return self.state = State::Awaited,
            Change::Same | Change::Handshake(_) => return,
            Change::Keys { theirs, accepted, new, ours } => (theirs, accepted, new, ours),
        };
        self.state = State::Srtp;
        let contexts = self.contexts.get_or_insert_with(Contexts::new);
        // The keys of a fork that is held to again have their contexts still, or had them long ago.
        let known = |new: &Inbound| contexts.theirs.iter().any(|old| old.context.keying() == new.keying());
        let theirs = theirs.into_iter().filter(|new| !known(new)).collect();
        contexts.accept(theirs, &accepted);
        // One that came from an earlier process goes on counting: anew, it would use key streams twice.
        let new = new.filter(|new| contexts.outbound.iter().all(|old| old.keying() != new.keying()));
        contexts.outbound.extend(new.map(|new| *new));
        contexts.protect_with(&ours);
    }

    /// What another process needs to go on with the keys; `None` if none were ever here.
    pub(super) fn keep(&self) -> Option<GuardKept> {
        let contexts = self.contexts.as_deref()?;
        let theirs = contexts.theirs.iter().map(|theirs| KeyKept {
            keying: theirs.context.keying().clone(),
            reached: theirs.context.reached(),
        });
        let ours = contexts
            .outbound
            .iter()
            .map(|ours| KeyKept { keying: ours.keying().clone(), reached: ours.reached() });
        Some(GuardKept { theirs: theirs.collect(), ours: ours.collect() })
    }

    /// Goes on with keys of an earlier process. Those in force come by the plan, and may be here already.
    pub(super) fn resume(&mut self, kept: GuardKept) {
        let contexts = self.contexts.get_or_insert_with(Contexts::new);
        for KeyKept { keying, reached } in kept.theirs {
            let known = contexts.theirs.iter_mut().find(|theirs| *theirs.context.keying() == keying);
            if let Some(known) = known {
                known.context.go_on(&reached);
            } else if let Ok(mut context) = Inbound::new(keying) {
                context.go_on(&reached);
                // Packets of it may be under way.
                contexts.theirs.push(Accepted { context: Box::new(context), left: Some(OVERLAP) });
            }
        }
        for KeyKept { keying, reached } in kept.ours {
            let known = contexts.outbound.iter_mut().find(|ours| *ours.keying() == keying);
            if let Some(known) = known {
                known.go_on(&reached);
            } else if let Ok(mut context) = Outbound::new(keying) {
                context.go_on(&reached);
                // In front: the one in force stands at the end.
                contexts.outbound.insert(0, context);
                contexts.current = contexts.current.saturating_add(1);
            }
        }
        contexts.settle();
    }

    /// Changes as soon as what [`Self::keep`] gives must be written down.
    pub(super) fn turn(&self) -> Turn {
        let Some(contexts) = self.contexts.as_deref() else { return Turn::default() };
        let keys = contexts.theirs.len() + contexts.outbound.len();
        let rollovers = contexts.theirs.iter().map(|theirs| theirs.context.rollovers());
        let rollovers = rollovers.chain(contexts.outbound.iter().map(Outbound::rollovers)).sum();
        let offsets = contexts.outbound.iter().map(Outbound::offsets).fold(0, u64::wrapping_add);
        Turn { keys, rollovers, offsets }
    }

    /// A handshake begins. The keys that are there hold until it has given others.
    pub(super) fn await_keys(&mut self) {
        if self.state == State::Plain {
            self.state = State::Awaited;
        }
    }

    /// Another second has passed.
    pub(super) fn age(&mut self) {
        if let Some(contexts) = self.contexts.as_deref_mut() {
            count_down(&mut contexts.theirs, OVERLAP_PER_SECOND);
        }
    }

    /// The suite of packets to the party, once there are keys.
    pub(super) fn suite(&self) -> Option<Suite> {
        let contexts = self.contexts.as_deref().filter(|_| self.state == State::Srtp)?;
        contexts.outbound.get(contexts.current).map(|context| context.keying().suite())
    }

    /// Whether keys are to come, and nothing can be sent before.
    pub(super) const fn is_awaiting(&self) -> bool {
        matches!(self.state, State::Awaited)
    }

    /// Whether packets are protected on this leg, or are to be.
    pub(super) const fn is_up(&self) -> bool {
        !matches!(self.state, State::Plain)
    }

    /// Unprotects a packet of the party's in place, and gives its new length. `None`: it is to be dropped.
    pub(super) fn unprotect(&mut self, kind: PacketKind, packet: &mut [u8]) -> Option<usize> {
        let opened = match (self.state, self.contexts.as_deref_mut()) {
            (State::Plain, _) => return Some(packet.len()),
            (State::Srtp, Some(contexts)) => contexts.unprotect(kind, packet),
            _ => Err(Fault::NotAuthentic),
        };
        match opened {
            Ok(length) => return Some(length),
            Err(Fault::Replayed | Fault::TooOld) => self.replayed += 1,
            Err(_) => self.unauthentic += 1,
        }
        None
    }

    /// Protects the packet of `length` bytes at the buffer's start, and gives its new length. `None`: it can't be sent.
    pub(super) fn protect(&mut self, kind: PacketKind, buffer: &mut [u8], length: usize) -> Option<usize> {
        match self.state {
            State::Plain => return Some(length),
            State::Awaited => return None,
            State::Srtp => {}
        }
        let contexts = self.contexts.as_deref_mut()?;
        let context = contexts.outbound.get_mut(contexts.current)?;
        match kind {
            PacketKind::Rtp => context.protect(buffer, length).ok(),
            PacketKind::Rtcp => context.protect_rtcp(buffer, length).ok(),
            _ => None,
        }
    }

    /// The same of a packet alone in a vector.
    pub(super) fn protect_alone(&mut self, packet: &mut Vec<u8>) -> bool {
        if self.state == State::Plain {
            return true;
        }
        let length = packet.len();
        packet.resize(length + MOST_TRAILER, 0);
        let protected = self.protect(PacketKind::Rtp, packet, length);
        packet.truncate(protected.unwrap_or_default());
        protected.is_some()
    }
}

impl Contexts {
    fn new() -> Box<Self> {
        let scratch = Vec::with_capacity(SCRATCH);
        Box::new(Self { theirs: Vec::new(), outbound: Vec::new(), current: 0, scratch })
    }

    /// Those that are tried first, the party's present keys before the others; no more than may be.
    fn settle(&mut self) {
        self.theirs.sort_by_key(|theirs| (!theirs.is_tried(), theirs.left.is_some()));
        for theirs in self.theirs.iter_mut().skip(MOST_TRIED) {
            theirs.left = Some(0);
        }
        self.theirs.truncate(2 * MOST_KNOWN);
    }

    /// Protects with that key from now on: its context moves to the end, and the one used the longest ago gives way.
    fn protect_with(&mut self, ours: &Keying) {
        let known = self.outbound.iter().position(|context| context.keying() == ours);
        if let Some(at) = known {
            self.outbound.get_mut(at..).unwrap_or_default().rotate_left(1);
        }
        let over = self.outbound.len().saturating_sub(MOST_OURS);
        self.outbound.drain(..over);
        self.current = if known.is_some() { self.outbound.len().saturating_sub(1) } else { usize::MAX };
    }

    fn accept(&mut self, fresh: Vec<Inbound>, accepted: &[Keying]) {
        for context in fresh {
            // One that is known keeps what it has seen: with a new replay window old packets would open again.
            if !self.theirs.iter().any(|theirs| theirs.context.keying() == context.keying()) {
                self.theirs.push(Accepted { context: Box::new(context), left: Some(0) });
            }
        }
        for theirs in &mut self.theirs {
            let current = accepted.contains(theirs.context.keying());
            theirs.left = if current { None } else { theirs.left.or(Some(OVERLAP)) };
        }
        // Most packets are of the present ones from now on.
        self.settle();
    }

    fn unprotect(&mut self, kind: PacketKind, packet: &mut [u8]) -> Result<usize, Fault> {
        let tried = self.theirs.iter().take_while(|theirs| theirs.is_tried()).count();
        let Some(tried) = self.theirs.get_mut(..tried) else { return Err(Fault::NotAuthentic) };
        let Some((first, others)) = tried.split_first_mut() else { return Err(Fault::NotAuthentic) };
        if others.is_empty() || packet.len() > SCRATCH {
            return open(&mut first.context, kind, packet);
        }
        // A failed attempt may spoil the packet.
        self.scratch.clear();
        self.scratch.extend_from_slice(packet);
        let mut worst = Fault::NotAuthentic;
        for at in 0..tried.len() {
            packet.copy_from_slice(&self.scratch);
            let Some(theirs) = tried.get_mut(at) else { break };
            match open(&mut theirs.context, kind, packet) {
                Ok(length) => {
                    self.opened_by(at);
                    return Ok(length);
                }
                // A number that one key has seen may be new under another: the tag alone tells whose the packet is.
                Err(fault @ (Fault::Replayed | Fault::TooOld)) => worst = fault,
                Err(_) => {}
            }
        }
        Err(worst)
    }

    /// The key that has opened a packet is tried first from now on; those that the party has no more come to their end.
    fn opened_by(&mut self, at: usize) {
        self.theirs.swap(0, at);
        count_down(self.theirs.get_mut(1..).unwrap_or_default(), 1);
    }
}

/// Brings those nearer to their end that the party has no more. Those that are tried stand in front.
fn count_down(theirs: &mut [Accepted], by: u32) {
    let mut ended = false;
    for theirs in theirs.iter_mut() {
        ended |= theirs.left.is_some_and(|left| (1..=by).contains(&left));
        theirs.left = theirs.left.map(|left| left.saturating_sub(by));
    }
    if ended {
        theirs.sort_by_key(|theirs| !theirs.is_tried());
    }
}

fn open(context: &mut Inbound, kind: PacketKind, packet: &mut [u8]) -> Result<usize, Fault> {
    match kind {
        PacketKind::Rtp => context.unprotect(packet),
        PacketKind::Rtcp => context.unprotect_rtcp(packet),
        _ => Err(Fault::NotAuthentic),
    }
}
