//! The dialogs that pass here, and the two hops that each was made with.
//!
//! A tag in To says that a request is part of a dialog; only a dialog that is held here makes it so. An INVITE,
//! SUBSCRIBE or REFER that is sent on opens a *set*: whatever dialogs come of it (RFC 3261 §12: one for each tag that
//! answers) run between the peer that sent it and a peer that it was sent to. A request is in a dialog if it comes from
//! the one and its tags fit, and it leaves toward the other. Names alone lead nowhere: another peer that knows them has
//! a set of its own.
//!
//! Names are kept as keyed hashes: what a set costs doesn't depend on how long a peer makes its Call-ID.

mod bindings;
mod learn;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;
use std::net::SocketAddr;
use std::time::Duration;

use siphasher::sip::SipHasher13;
use siphasher::sip128::{Hasher128, SipHasher13 as SipHasher128};

pub use bindings::Registered;
pub(super) use learn::{NoRoom, Passed};

use bindings::Bindings;

use super::held::{self, Held};
use super::neighbours::{Neighbour, Neighbours};
use super::output::Destination;
use crate::Flow;
use crate::host::{Host, HostPort};
use crate::message::Method;
use sidetone_call::Side;

/// Dialogs of one set; beyond, the oldest that nobody has accepted makes room.
const MOST_DIALOGS: usize = 32;
/// Addresses that one party has given of itself in a dialog: its Contacts and Record-Routes.
const MOST_TARGETS: usize = 8;
/// How long a dialog is held that nobody has accepted: timer C ends its INVITE before.
const SETUP: Duration = Duration::from_secs(300);
/// How long a session is held that nobody refreshes: as long as a call may last, and a little longer.
const LIFETIME: Duration = Duration::from_secs(25 * 3_600);
/// How long a subscription or a registration is held that states no duration.
const SUBSCRIPTION: Duration = Duration::from_secs(3_600);
/// The longest that a peer may bind a Contact or subscribe without saying so again.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// Names a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct SetKey {
    /// Stands for Call-ID, the tag of whoever sent the first request, and that party's side.
    names: u128,
    /// Stands for that party's peer: what others ask for under the same names is theirs.
    caller: u64,
}

/// The set that a request is in, and which of the two parties sent it. Responses are in their request's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    key: SetKey,
    by_caller: bool,
}

/// What one request may become.
#[derive(Debug)]
struct Set {
    /// Whose share of the room it takes.
    peer: Neighbour,
    /// The caller's peer, as it was called when the set was opened.
    owner: Neighbour,
    caller: End,
    /// Where the request was sent: whoever is there may begin a dialog.
    tried: Vec<Destination>,
    dialogs: Vec<Dialog>,
    /// Of the request, so that its responses can be told from those of later ones.
    cseq: u32,
    invite: bool,
    /// It was answered with a failure.
    failed: bool,
    /// Until then further dialogs may come of it; as long as it has no final response, its deadline.
    open_until: Duration,
    until: Duration,
}

#[derive(Debug)]
struct Dialog {
    /// The callee's tag.
    tag: u64,
    callee: End,
    /// Made by INVITE, or taken up after a restart.
    session: bool,
    accepted: bool,
    /// A BYE was answered: what is left is a subscription, and messages that cross.
    over: bool,
    /// A subscription in this dialog lasts until then.
    subscribed_until: Duration,
    until: Duration,
}

/// One party's side.
#[derive(Debug, Clone)]
struct End {
    /// Where it was last heard from, or sent to.
    hop: Destination,
    /// Hosts by which it has said that it can be reached, hashed; the newest last.
    targets: Vec<u64>,
}

impl End {
    fn learn(&mut self, target: u64) {
        self.targets.retain(|known| *known != target);
        if self.targets.len() >= MOST_TARGETS {
            self.targets.remove(0);
        }
        self.targets.push(target);
    }
}

/// Whether a request belongs to a dialog, and to which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// To no dialog, and it doesn't say so.
    Outside {
        /// The peers that have registered its next hop with its sender.
        registered: Vec<Registered>,
    },
    /// It bears the Call-ID and From tag of another peer's request, which isn't over.
    Taken,
    /// To a dialog that is held, whose party its sender is.
    Within(Way),
    /// It says that it belongs to a dialog, but its sender is party to no such dialog.
    Unknown,
}

/// The way of a dialog, from the sender of a request to its other party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// Where the other party was last reached or heard from. `None` if that is not known any more since the process was
    /// started anew.
    pub hop: Option<Destination>,
    /// The request's next hop is a host that the other party has named in this dialog, by Contact or Record-Route.
    pub named: bool,
    /// Stands for the other peer, where only a mark in the Route proves the dialog.
    pub(super) mark: Option<u32>,
    /// The peer that has begun the dialog; `None` where only a mark proves it.
    pub(super) caller: Option<Neighbour>,
}

/// What identifies the dialog of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) call_id: &'a str,
    pub(super) from_tag: &'a str,
    pub(super) to_tag: Option<&'a str>,
}

/// Call-ID and tags of a request that has been sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    names: u128,
    to_tag: Option<u64>,
}

impl Asked {
    /// Whether a response with those names is to it. A tag that the request lacked is for the response to give.
    pub(super) fn fits(self, response: Self) -> bool {
        let tags = self.to_tag.zip(response.to_tag);
        self.names == response.names && tags.is_none_or(|(asked, answered)| asked == answered)
    }
}

/// Where a dialog was found.
#[derive(Debug, Clone, Copy)]
struct Found {
    key: SetKey,
    /// Index in the set. `None`: one that is about to begin, by a request that overtakes the response.
    dialog: Option<usize>,
    by_caller: bool,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Dialogs {
    names: SipHasher128,
    hosts: SipHasher13,
    sets: BTreeMap<SetKey, Set>,
    held: Held,
    deadlines: BTreeSet<(Duration, SetKey)>,
    bindings: Bindings,
    most: usize,
    /// How long messages of something that is over may still come: 64 × T1.
    linger: Duration,
}

impl Dialogs {
    pub(super) fn new(key: (u64, u64), most: usize, linger: Duration) -> Self {
        Self {
            names: SipHasher128::new_with_keys(key.0, key.1),
            hosts: SipHasher13::new_with_keys(key.1, key.0),
            sets: BTreeMap::new(),
            held: Held::default(),
            deadlines: BTreeSet::new(),
            bindings: Bindings::default(),
            most,
            linger,
        }
    }

    /// Sets that are held.
    pub(super) fn len(&self) -> usize {
        self.sets.len()
    }

    /// Where a request from `source` stands whose next hop is `next`.
    pub(super) fn standing(
        &self,
        now: Duration,
        method: Method<'_>,
        names: Names<'_>,
        source: &Flow,
        next: Option<&HostPort>,
        neighbours: &Neighbours,
    ) -> Standing {
        let is_named = |end: &End| next.is_some_and(|next| end.targets.contains(&self.host(next)));
        let Some(from) = neighbours.of(source.remote) else { return Self::nobody(names) };
        if let Some(found) = self.find(now, method, names, source.remote, from, neighbours)
            && let Some(set) = self.sets.get(&found.key)
        {
            let end = match found.dialog.and_then(|index| set.dialogs.get(index)) {
                Some(dialog) if found.by_caller => &dialog.callee,
                _ => &set.caller,
            };
            let (hop, caller) = (Some(end.hop), Some(set.owner));
            return Standing::Within(Way { hop, named: is_named(end), mark: None, caller });
        }
        match names.to_tag {
            Some(_) => Standing::Unknown,
            None if self.is_taken(now, names, source.remote, from, neighbours) => Standing::Taken,
            None => {
                let bound = |next| self.bindings.of(now, self.host(next), from);
                Standing::Outside { registered: next.map(bound).unwrap_or_default() }
            }
        }
    }

    const fn nobody(names: Names<'_>) -> Standing {
        match names.to_tag {
            Some(_) => Standing::Unknown,
            None => Standing::Outside { registered: Vec::new() },
        }
    }

    /// The dialog of a request that `from` sends.
    fn find(
        &self,
        now: Duration,
        method: Method<'_>,
        names: Names<'_>,
        source: SocketAddr,
        from: Neighbour,
        neighbours: &Neighbours,
    ) -> Option<Found> {
        // Without a tag in To: the caller's, in a dialog with a callee of RFC 2543, which gave none.
        let to_tag = names.to_tag.unwrap_or_default();
        let tag = self.tag(to_tag);
        for (key, set) in self.live(now, self.names(names.call_id, names.from_tag, from.side)) {
            let fits = |dialog: &Dialog| dialog.tag == tag && dialog.takes(now, method);
            if neighbours.are_one(set.caller.hop.remote, source)
                && let Some(index) = set.dialogs.iter().position(fits)
            {
                return Some(Found { key, dialog: Some(index), by_caller: true });
            }
        }
        names.to_tag?;
        let tag = self.tag(names.from_tag);
        let mut about_to_begin = None;
        for (key, set) in self.live(now, self.names(names.call_id, to_tag, from.side.other())) {
            let Some(index) = set.dialogs.iter().position(|dialog| dialog.tag == tag) else {
                // A request may overtake the response that makes its dialog (RFC 6665 §4.1.2.4 expects it of NOTIFY).
                let asked = set.tried.iter().any(|tried| neighbours.are_one(tried.remote, source));
                if asked && now < set.open_until {
                    about_to_begin = Some(Found { key, dialog: None, by_caller: false });
                }
                continue;
            };
            let fits = set.dialogs.get(index).is_some_and(|dialog| {
                dialog.takes(now, method) && neighbours.are_one(dialog.callee.hop.remote, source)
            });
            return fits.then_some(Found { key, dialog: Some(index), by_caller: false });
        }
        about_to_begin
    }

    /// Whether another peer's request under the same names isn't over. Whoever has used them too goes on with its own.
    fn is_taken(
        &self,
        now: Duration,
        names: Names<'_>,
        source: SocketAddr,
        from: Neighbour,
        neighbours: &Neighbours,
    ) -> bool {
        let mut taken = false;
        for (_, set) in self.live(now, self.names(names.call_id, names.from_tag, from.side)) {
            if neighbours.are_one(set.caller.hop.remote, source) {
                return false;
            }
            taken |= !set.is_vacant();
        }
        taken
    }

    /// The sets that have been opened under those names, each by another peer.
    fn under(&self, names: u128) -> impl Iterator<Item = (SetKey, &Set)> {
        let all = SetKey { names, caller: 0 }..=SetKey { names, caller: u64::MAX };
        self.sets.range(all).map(|(key, set)| (*key, set))
    }

    fn live(&self, now: Duration, names: u128) -> impl Iterator<Item = (SetKey, &Set)> {
        self.under(names).filter(move |(_, set)| set.until > now)
    }

    fn names(&self, call_id: &str, caller_tag: &str, caller_side: Side) -> u128 {
        let mut hash = self.names;
        for field in [call_id, caller_tag, caller_side.as_str()] {
            hash.write_u64(field.len() as u64);
            hash.write(field.as_bytes());
        }
        hash.finish128().as_u128()
    }

    /// What a response has to repeat of its request (RFC 3261 §8.2.6.2).
    pub(super) fn asked(&self, names: Names<'_>) -> Asked {
        let names_of_request = self.names(names.call_id, names.from_tag, Side::Trunk);
        Asked { names: names_of_request, to_tag: names.to_tag.map(|tag| self.tag(tag)) }
    }

    fn tag(&self, tag: &str) -> u64 {
        let mut hash = self.hosts;
        hash.write_u8(b't');
        hash.write(tag.as_bytes());
        hash.finish()
    }

    fn host(&self, host: &HostPort) -> u64 {
        let mut hash = self.hosts;
        hash.write_u8(b'h');
        // A name without a port may be one of several hosts (RFC 3263 §4.2), an address is not.
        let port = match &host.host {
            Host::Ip(ip) => {
                hash.write(ip.to_canonical().to_string().as_bytes());
                host.port.unwrap_or(5060)
            }
            Host::Name(name) => {
                hash.write(name.to_ascii_lowercase().as_bytes());
                host.port.unwrap_or(0)
            }
        };
        hash.write_u8(0);
        hash.write_u16(port);
        hash.finish()
    }

    /// Whether there is room for one more set of this peer's.
    fn has_room(&self, peer: Neighbour) -> bool {
        self.sets.len() < self.most && self.held.of(Some(peer)) < held::share(self.most, false)
    }

    /// Forgets what is over.
    pub(super) fn expire(&mut self, now: Duration) {
        while let Some(&(at, key)) = self.deadlines.first().filter(|(at, _)| *at <= now) {
            self.deadlines.remove(&(at, key));
            if let Some(set) = self.sets.remove(&key) {
                self.held.release(Some(set.peer), 1);
            }
        }
    }

    fn keep_until(&mut self, key: SetKey, until: Duration) {
        let Some(set) = self.sets.get_mut(&key) else { return };
        self.deadlines.remove(&(set.until, key));
        set.until = until;
        self.deadlines.insert((until, key));
    }

    /// Sets the time until which a set is held: as long as one of its dialogs is, or another may come.
    fn reschedule(&mut self, key: SetKey) {
        let Some(set) = self.sets.get(&key) else { return };
        let last = set.dialogs.iter().map(|dialog| dialog.until).max().unwrap_or_default();
        self.keep_until(key, last.max(set.open_until));
    }
}

impl Dialog {
    /// Whether a request of that method may be part of it.
    fn takes(&self, now: Duration, method: Method<'_>) -> bool {
        if self.until <= now {
            return false;
        }
        match method {
            Method::ACK | Method::BYE | Method::NOTIFY | Method::SUBSCRIBE => true,
            // A subscription is no call, and makes none.
            Method::INVITE => self.session && !self.over,
            _ => !self.over,
        }
    }
}
