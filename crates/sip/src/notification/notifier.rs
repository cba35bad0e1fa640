//! The notifier of our event package (RFC 6665): PBXs subscribe to calls, and are told by NOTIFY.
//!
//! # The package
//! | RFC 6665 §5.4 asks for | |
//! | --- | --- |
//! | name | [`PACKAGE`](super::PACKAGE) |
//! | parameters of Event | `call-id`, the Call-ID of the call in question, quoted: as in RFC 4235 §4.1 |
//! | body of SUBSCRIBE | none; one is not looked at |
//! | duration | an hour, unless less is asked for; at least a minute |
//! | body of NOTIFY | one event; none where there is nothing to tell yet |
//! | state | the newest of what the customer's feeling has been told by; failing that, of the rest |
//! | forking | SUBSCRIBE is addressed to us and forks nowhere |
//! | rate | one NOTIFY under way at a time; readings that wait are replaced by newer ones |
//!
//! A subscription ends with its call, and its last NOTIFY bears what was told last.

mod ask;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub use ask::{Ask, Reply};

use super::subscription::{Ending, Subscription};
use super::{Draft, Ledger, Parcel};
use crate::proxy::Answer;
use crate::uri::Uri;

/// Calls of which the state is remembered.
const MOST_CALLS: usize = 20_000;
/// Less is refused as too brief (RFC 6665 §4.2.1.1).
const SHORTEST: Duration = Duration::from_secs(60);
/// However soon a subscriber wants its next NOTIFY after it has refused one.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// Longest that a subscriber can have us wait before its next NOTIFY.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Names a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionId(u64);

/// The state of one call that one PBX may subscribe to.
#[derive(Debug, Default)]
struct CallState {
    affect: Option<Parcel>,
    plain: Option<Parcel>,
    subscriptions: Vec<SubscriptionId>,
}

/// All subscriptions.
#[derive(Debug, Default)]
pub struct Notifier {
    subscriptions: HashMap<SubscriptionId, Subscription>,
    by_name: HashMap<String, SubscriptionId>,
    calls: HashMap<(Arc<str>, String), CallState>,
    deadlines: BTreeSet<(Duration, SubscriptionId)>,
    queue: VecDeque<SubscriptionId>,
    ledger: Ledger,
    last_id: u64,
}

impl Notifier {
    /// Without subscriptions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many subscriptions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.subscriptions.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.subscriptions.is_empty()
    }

    /// Whether no parcel waits, and no NOTIFY is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.subscriptions.values().all(|it| !it.busy && !it.has_something())
    }

    /// Counts of parcels, by PBX.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Tells one PBX an event of a call.
    pub fn tell(&mut self, now: Duration, pbx: &Arc<str>, call: &str, parcel: &Parcel) {
        let key = (Arc::clone(pbx), call.to_owned());
        if !self.calls.contains_key(&key) && self.calls.len() >= MOST_CALLS {
            return;
        }
        let told = self.calls.entry(key).or_default();
        let place = if parcel.nature.is_affect() { &mut told.affect } else { &mut told.plain };
        *place = Some(parcel.clone());
        let ids = told.subscriptions.clone();
        for id in ids {
            let Some(subscription) = self.subscriptions.get_mut(&id).filter(|it| it.ending.is_none()) else {
                continue;
            };
            let dropped = subscription.outbox.push(now, parcel.clone());
            self.ledger.dropped(pbx, dropped);
            self.enqueue(id);
        }
    }

    /// The customer has objected: nothing of how they feel is told any more, nor remembered. Gives the subscriptions of
    /// which a NOTIFY that tells of it is under way: it should be [recalled](crate::proxy::Proxy::recall), lest it be
    /// sent again.
    pub fn withdraw(&mut self, pbx: &Arc<str>, call: &str) -> Vec<SubscriptionId> {
        if let Some(told) = self.calls.get_mut(&(Arc::clone(pbx), call.to_owned())) {
            told.affect = None;
        }
        let mut under_way = Vec::new();
        // Subscriptions to a call that is over are looked at too: their last parcels may still wait.
        for (id, subscription) in self.subscriptions.iter_mut().filter(|(_, it)| it.is_about(pbx, call)) {
            let dropped = subscription.outbox.withdraw();
            self.ledger.dropped(pbx, dropped);
            if subscription.tells_affect {
                under_way.push(*id);
            }
        }
        under_way
    }

    /// A call is over, as far as this PBX is concerned: its subscriptions end once everything has been told.
    pub fn end(&mut self, pbx: &Arc<str>, call: &str) {
        let Some(told) = self.calls.remove(&(Arc::clone(pbx), call.to_owned())) else { return };
        for id in told.subscriptions {
            self.finish(id, Ending::NoResource);
        }
    }

    /// Ends all subscriptions of a PBX: we are shutting down.
    pub fn close(&mut self, pbx: &str) {
        let ids: Vec<SubscriptionId> =
            self.subscriptions.iter().filter(|(_, it)| *it.pbx == *pbx).map(|(id, _)| *id).collect();
        for id in ids {
            self.finish(id, Ending::Deactivated);
        }
    }

    fn finish(&mut self, id: SubscriptionId, ending: Ending) {
        if let Some(subscription) = self.subscriptions.get_mut(&id).filter(|it| it.ending.is_none()) {
            subscription.ending = Some(ending);
            self.enqueue(id);
        }
    }

    /// The next subscription that has something to be told, and where to. Its NOTIFY is to be [`write`](Self::write)n,
    /// or else [`answered`](Self::answered) as not sent.
    pub fn wanting(&mut self, now: Duration) -> Option<(SubscriptionId, Arc<str>, Uri)> {
        while let Some(id) = self.queue.pop_front() {
            let Some(subscription) = self.subscriptions.get_mut(&id) else { continue };
            subscription.queued = false;
            let stale = subscription.outbox.expire(now);
            let pbx = Arc::clone(&subscription.pbx);
            self.ledger.dropped(&pbx, stale);
            if !subscription.has_something() {
                continue;
            }
            match subscription.dialog.next_hop() {
                Some(hop) => {
                    subscription.busy = true;
                    return Some((id, pbx, hop));
                }
                None => self.remove(id),
            }
        }
        None
    }

    /// The NOTIFY of a subscription that was [`wanting`](Self::wanting).
    pub fn write(&mut self, now: Duration, id: SubscriptionId) -> Option<Draft> {
        let subscription = self.subscriptions.get_mut(&id)?;
        let told = self.calls.get(&(Arc::clone(&subscription.pbx), subscription.call.clone()));
        let state = told.and_then(|told| told.affect.as_ref().or(told.plain.as_ref())).cloned();
        subscription.write(now, state)
    }

    /// Takes the outcome of a NOTIFY. A subscriber that refuses one, or does not answer, is not asked again (RFC 6665
    /// §4.2.2), unless it says when to.
    pub fn answered(&mut self, now: Duration, id: SubscriptionId, answer: Answer) {
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return };
        subscription.busy = false;
        subscription.tells_affect = false;
        let carried = std::mem::take(&mut subscription.carries_parcel);
        let counts = self.ledger.of(&subscription.pbx);
        match answer {
            Answer::Final { status: 200..300, .. } => {
                counts.sent += u64::from(carried);
                if subscription.last {
                    return self.remove(id);
                }
            }
            Answer::Final { status: 500.., retry_after: Some(after) } if !subscription.last => {
                counts.failed += u64::from(carried);
                subscription.owes_state |= subscription.tells_state;
                subscription.paused_until = Some(now + after.clamp(SHORTEST_PAUSE, LONGEST_PAUSE));
                let expires = subscription.expires;
                return self.schedule(id, expires);
            }
            Answer::Recalled => {
                counts.dropped += u64::from(carried);
                // The state that holds instead is due, and the last NOTIFY again if that was recalled.
                subscription.owes_state = true;
                subscription.last = false;
            }
            Answer::Final { .. } | Answer::Silence | Answer::Unsent => {
                // An empty NOTIFY that fails is a failure too: nobody is told any more.
                counts.failed += 1;
                return self.remove(id);
            }
        }
        self.enqueue(id);
    }

    /// When [`Self::timeout`] is next wanted.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Acts on everything that is due: subscriptions that have run out, and pauses that are over.
    pub fn timeout(&mut self, now: Duration) {
        while let Some(&(at, id)) = self.deadlines.first().filter(|(at, _)| *at <= now) {
            self.deadlines.remove(&(at, id));
            let Some(subscription) = self.subscriptions.get_mut(&id) else { continue };
            subscription.paused_until = None;
            if subscription.expires > now {
                let expires = subscription.expires;
                self.schedule(id, expires);
            } else if subscription.ending.is_some() {
                // The last NOTIFY has had no outcome.
                self.remove(id);
                continue;
            } else {
                subscription.ending = Some(Ending::Timeout);
                self.schedule(id, now + SHORTEST);
            }
            self.enqueue(id);
        }
    }

    fn schedule(&mut self, id: SubscriptionId, expires: Duration) {
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return };
        self.deadlines.remove(&(subscription.wakes, id));
        subscription.expires = expires;
        subscription.wakes = subscription.due();
        self.deadlines.insert((subscription.wakes, id));
    }

    fn enqueue(&mut self, id: SubscriptionId) {
        if let Some(subscription) = self.subscriptions.get_mut(&id)
            && subscription.has_something()
            && !std::mem::replace(&mut subscription.queued, true)
        {
            self.queue.push_back(id);
        }
    }

    fn remove(&mut self, id: SubscriptionId) {
        let Some(mut gone) = self.subscriptions.remove(&id) else { return };
        self.ledger.dropped(&gone.pbx, gone.outbox.clear());
        self.by_name.remove(&gone.name);
        self.deadlines.remove(&(gone.wakes, id));
        let key = (gone.pbx, gone.call);
        if let Some(told) = self.calls.get_mut(&key) {
            told.subscriptions.retain(|other| *other != id);
            if told.subscriptions.is_empty() && told.affect.is_none() && told.plain.is_none() {
                self.calls.remove(&key);
            }
        }
    }
}
