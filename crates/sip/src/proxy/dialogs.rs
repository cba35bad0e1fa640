//! The dialogs that pass here, and the two hops that each was made with.
//!
//! A tag in To says that a request is part of a dialog; only a dialog that is held here makes it so. An INVITE,
//! SUBSCRIBE or REFER that is sent on opens a *set*: whatever dialogs come of it (RFC 3261 §12: one for each tag that
//! answers) run between the peer that sent it and a peer that it was sent to. A request is in a dialog if it comes from
//! the one and its tags fit, and it leaves toward the other. Names alone lead nowhere: another peer that knows them has
//! a set of its own.

mod bindings;
mod learn;
mod names;
mod register;
mod set;
mod standing;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

pub use bindings::Registered;
pub(super) use learn::{NoRoom, Passed};
pub(super) use names::{Member, Names, RequestNames};
pub use standing::{Standing, Way};

use bindings::Bindings;
use names::{NameHasher, SetKey};
use set::{Dialog, End, Set};

use super::held::{self, Held};
use super::neighbours::{Neighbour, Neighbours};
use crate::Flow;
use crate::host::HostPort;
use crate::message::Method;

/// Where a dialog was found.
#[derive(Debug, Clone, Copy)]
struct Found {
    key: SetKey,
    /// Index in the set. `None`: one that is about to begin, by a request that overtakes the response.
    dialog: Option<usize>,
    by_caller: bool,
}

/// All dialogs that are held.
#[derive(Debug)]
pub(super) struct Dialogs {
    hasher: NameHasher,
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
            hasher: NameHasher::new(key),
            sets: BTreeMap::new(),
            held: Held::default(),
            deadlines: BTreeSet::new(),
            bindings: Bindings::default(),
            most,
            linger,
        }
    }

    /// The number of sets that are held.
    pub(super) fn len(&self) -> usize {
        self.sets.len()
    }

    /// The standing of a request from `source` whose next hop is `next`.
    pub(super) fn standing(
        &self,
        now: Duration,
        method: Method<'_>,
        names: Names<'_>,
        source: &Flow,
        next: Option<&HostPort>,
        neighbours: &Neighbours,
    ) -> Standing {
        let is_named = |end: &End| next.is_some_and(|next| end.targets.contains(&self.hasher.host(next)));
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
                let bound = |next| self.bindings.of(now, self.hasher.host(next), from);
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
        let tag = self.hasher.tag(to_tag);
        for (key, set) in self.live(now, self.hasher.names(names.call_id, names.from_tag, from.side)) {
            let fits = |dialog: &Dialog| dialog.tag == tag && dialog.takes(now, method);
            if neighbours.are_one(set.caller.hop.remote, source)
                && let Some(index) = set.dialogs.iter().position(fits)
            {
                return Some(Found { key, dialog: Some(index), by_caller: true });
            }
        }
        names.to_tag?;
        let tag = self.hasher.tag(names.from_tag);
        let mut about_to_begin = None;
        for (key, set) in self.live(now, self.hasher.names(names.call_id, to_tag, from.side.other())) {
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
        for (_, set) in self.live(now, self.hasher.names(names.call_id, names.from_tag, from.side)) {
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

    /// The names that a response has to repeat of its request (RFC 3261 §8.2.6.2).
    pub(super) fn request_names(&self, names: Names<'_>) -> RequestNames {
        self.hasher.request_names(names)
    }

    /// Whether there is room for one more set of this peer's.
    fn has_room(&self, peer: Neighbour) -> bool {
        self.sets.len() < self.most && self.held.of(Some(peer)) < held::share(self.most, false)
    }

    /// Forgets the sets that are over.
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
