//! INFO into the dialogs of calls: which PBX is ready for it, and how it fits between the requests of its peer (RFC
//! 6086).

mod learn;

use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::dialog::Dialog;
use super::numbering::Numbering;
use super::outbox::Outbox;
use super::{Draft, Ledger, PACKAGE, Parcel};
use crate::message::Method;
use crate::proxy::{Answer, Local, Neighbour, Settings};
use crate::uri::Uri;

/// Dialogs that are watched at once; more are not told anything.
const MOST: usize = 40_000;
/// Of these, with one Call-ID: every message that ends one looks through them.
const MOST_OF_A_CALL: usize = 16;
/// How long a dialog is watched that isn't answered, or whose BYE was refused: it may be sent again.
const SETUP: Duration = Duration::from_secs(300);
/// How long a dialog is watched that nobody refreshes: as long as a call may last, and a little longer.
const LIFETIME: Duration = Duration::from_secs(25 * 3_600);
/// How long one is watched after its BYE has been answered: its peer may still repeat itself.
const LINGER: Duration = Duration::from_secs(40);
/// After so many failures in a row a PBX is told nothing more in this dialog.
const MOST_FAILURES: u8 = 3;

/// Requests of the peer's in one dialog that are waited for; with more, the oldest no longer is.
const MOST_OPEN: usize = 32;

/// Names the PBX's leg of a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegId(u64);

/// A dialog through us, seen by the PBX: the state by which we speak in it as if we were its peer.
#[derive(Debug, Serialize, Deserialize)]
struct Leg {
    name: String,
    call: String,
    /// The peer that has begun the call.
    caller: Option<Neighbour>,
    /// The PBX's.
    at: Option<Neighbour>,
    /// From our peer on the trunk's side to the PBX.
    dialog: Dialog,
    numbering: Numbering,
    /// Requests of the peer's that the PBX may not have seen yet: no number above theirs may be used before it has.
    open: Open,
    /// Whether the PBX lists our package in Recv-Info.
    accepts: bool,
    /// The messages that have last listed its packages.
    recv_info_seen: RecvInfoSeen,
    stage: Stage,
    /// No further INFO is sent in this dialog.
    muted: bool,
    failures: u8,
    #[serde(skip)]
    outbox: Outbox,
    /// The PBX whose link has something to tell here.
    pbx: Option<Arc<str>>,
    #[serde(skip)]
    busy: bool,
    /// The INFO under way tells how the customer feels.
    #[serde(skip)]
    tells_affect: bool,
    #[serde(skip)]
    queued: bool,
    expires: Duration,
}

/// The messages in which the PBX has last listed its packages: an older one that comes late says nothing new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct RecvInfoSeen {
    /// Number in CSeq of a request of its own.
    request: u32,
    /// Number in CSeq and status of a response.
    response: (u32, u16),
}

/// Requests of the peer's that are under way. Should a higher number reach the PBX before one of them, by loss or by
/// another transport, it would have to refuse that one (RFC 3261 §12.2.2), and the call might not survive it.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Open {
    /// Numbers in CSeq of those without a final response.
    unanswered: BTreeSet<u32>,
    /// That of an INVITE that was accepted, until its ACK has passed.
    unacknowledged: Option<u32>,
}

impl Open {
    fn none(&self) -> bool {
        self.unanswered.is_empty() && self.unacknowledged.is_none()
    }

    fn asked(&mut self, number: u32) {
        self.unanswered.insert(number);
        if self.unanswered.len() > MOST_OPEN {
            self.unanswered.pop_first();
        }
    }

    fn answered(&mut self, number: u32, invite_accepted: bool) {
        // A copy of a 2xx comes after the ACK to the first.
        if self.unanswered.remove(&number) && invite_accepted {
            self.unacknowledged = Some(number);
        }
    }

    fn acknowledged(&mut self, number: u32) {
        self.unacknowledged.take_if(|open| *open <= number);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// No 2xx yet.
    Early,
    /// A 2xx has passed, its ACK hasn't.
    Answered,
    /// The ACK has passed: either side may send what it likes.
    Up,
    /// A BYE has passed.
    Ending,
}

/// An INVITE from the PBX whose dialogs are yet to come.
#[derive(Debug)]
struct Offer {
    accepts: bool,
    target: Option<Uri>,
    routes: Vec<Uri>,
    expires: Duration,
}

/// All dialogs between trunk and PBX, seen from the PBX.
#[derive(Debug)]
pub struct Legs {
    local: Local,
    enabled: bool,
    legs: HashMap<LegId, Leg>,
    /// Call-ID, the trunk's side's tag, the PBX's tag, and the peer that has begun the call.
    by_name: HashMap<String, LegId>,
    by_call: HashMap<String, Vec<LegId>>,
    /// By Call-ID, the PBX's tag and the PBX.
    offers: HashMap<String, Offer>,
    /// INVITEs of the trunk's that sign their CSeq, by Call-ID, its tag and the trunk, and until when they are
    /// remembered.
    signed: HashMap<String, Duration>,
    deadlines: BTreeSet<(Duration, LegId)>,
    swept: Duration,
    queue: VecDeque<LegId>,
    ledger: Ledger,
    last_id: u64,
    /// Names of dialogs into which something of ours was slipped, if anybody wants to know.
    changed: Option<Vec<([String; 3], Option<Neighbour>)>>,
}

impl Legs {
    /// Without dialogs. Watches none unless it is `enabled`.
    #[must_use]
    pub fn new(settings: &Settings, enabled: bool) -> Self {
        Self {
            local: Local::new(settings),
            enabled,
            legs: HashMap::new(),
            by_name: HashMap::new(),
            by_call: HashMap::new(),
            offers: HashMap::new(),
            signed: HashMap::new(),
            deadlines: BTreeSet::new(),
            swept: Duration::ZERO,
            queue: VecDeque::new(),
            ledger: Ledger::default(),
            last_id: 0,
            changed: None,
        }
    }

    /// Whether dialogs are watched at all.
    #[must_use]
    pub const fn enabled(&self) -> bool {
        self.enabled
    }

    /// How many dialogs are watched.
    #[must_use]
    pub fn len(&self) -> usize {
        self.legs.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.legs.is_empty()
    }

    /// In how many dialogs the PBX is ready for our package.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.legs.values().filter(|leg| leg.is_ready()).count()
    }

    /// Whether no parcel waits, and no INFO is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.legs.values().all(|leg| !leg.busy && !leg.has_something())
    }

    /// Counts of parcels, by PBX.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Tells one PBX, given by its name and as the proxy names it, an event of a call. Legs that have not said
    /// that they are ready are not told.
    pub fn tell(
        &mut self,
        now: Duration,
        (pbx, at): (&Arc<str>, Option<Neighbour>),
        call: &str,
        parcel: &Parcel,
    ) {
        for id in self.legs_of(call, at) {
            let Some(leg) = self.legs.get_mut(&id).filter(|leg| leg.is_ready()) else { continue };
            if leg.stage == Stage::Ending {
                self.ledger.dropped(pbx, 1);
                continue;
            }
            leg.pbx = Some(Arc::clone(pbx));
            let dropped = leg.outbox.push(now, parcel.clone());
            self.ledger.dropped(pbx, dropped);
            self.enqueue(id);
        }
    }

    /// The customer has objected: nothing that waits and tells how they feel is told any more. Gives the legs in which
    /// an INFO that does is under way: it should be [recalled](crate::proxy::Proxy::recall), lest it be sent again.
    pub fn withdraw(&mut self, (pbx, at): (&Arc<str>, Option<Neighbour>), call: &str) -> Vec<LegId> {
        let mut under_way = Vec::new();
        for id in self.legs_of(call, at) {
            if let Some(leg) = self.legs.get_mut(&id) {
                let dropped = leg.outbox.withdraw();
                self.ledger.dropped(pbx, dropped);
                if leg.tells_affect {
                    under_way.push(id);
                }
            }
        }
        under_way
    }

    /// The legs of that Call-ID at that PBX: another PBX may have a call with the same.
    fn legs_of(&self, call: &str, at: Option<Neighbour>) -> Vec<LegId> {
        let ids = self.by_call.get(call).map_or(&[][..], Vec::as_slice);
        let is_its = |id: &&LegId| self.legs.get(id).is_some_and(|leg| leg.at == at);
        ids.iter().filter(is_its).copied().collect()
    }

    /// The next leg that has something to be told, and where to. Its INFO is to be [`write`](Self::write)n, or else
    /// [`answered`](Self::answered) as not sent.
    pub fn wanting(&mut self, now: Duration) -> Option<(LegId, Arc<str>, Uri)> {
        while let Some(id) = self.queue.pop_front() {
            let Some(leg) = self.legs.get_mut(&id) else { continue };
            leg.queued = false;
            let Some(pbx) = leg.pbx.clone() else { continue };
            let stale = leg.outbox.expire(now);
            self.ledger.dropped(&pbx, stale);
            if !leg.has_something() {
                continue;
            }
            match leg.dialog.next_hop() {
                Some(hop) => {
                    leg.busy = true;
                    return Some((id, pbx, hop));
                }
                None => self.mute(id),
            }
        }
        None
    }

    /// The INFO of a leg that was [`wanting`](Self::wanting), to be sent at once: what its peer sends from now on is
    /// numbered above it.
    pub fn write(&mut self, id: LegId) -> Option<Draft> {
        let leg = self.legs.get_mut(&id).filter(|leg| leg.may_be_told() && !leg.outbox.is_empty())?;
        let number = leg.numbering.take()?;
        if let Some(changed) = &mut self.changed {
            let mut names = leg.name.split('\n').map(str::to_owned);
            let names = [names.next()?, names.next()?, names.next()?];
            changed.push((names, leg.caller));
        }
        let head = leg.dialog.request(Method::INFO, number)?;
        let parcel = leg.outbox.take()?;
        leg.tells_affect = parcel.nature.is_affect();
        let head = head
            .header("Info-Package", PACKAGE)
            .header("Content-Disposition", "Info-Package")
            .header("Content-Type", parcel.content_type);
        Some(Draft { head, body: parcel.body })
    }

    /// The highest number that has been sent to the PBX in the dialog of that Call-ID, tag of the trunk's side and tag
    /// of the PBX's, which `caller` has begun; `None` for one that is not watched.
    #[must_use]
    pub fn latest(&self, names: &[String; 3], caller: Option<Neighbour>) -> Option<u32> {
        self.legs.get(self.by_name.get(&learn::named(names, caller))?)?.numbering.latest()
    }

    /// We send the PBX a BYE there: gives its number, and tells nothing more.
    pub fn end_with_bye(
        &mut self,
        now: Duration,
        names: &[String; 3],
        caller: Option<Neighbour>,
    ) -> Option<u32> {
        let id = *self.by_name.get(&learn::named(names, caller))?;
        let leg = self.legs.get_mut(&id)?;
        leg.stage = Stage::Ending;
        let number = leg.numbering.take();
        self.mute(id);
        self.watch(id, now + LINGER);
        number
    }

    /// The INFO of a leg that was [`wanting`](Self::wanting) was neither written nor sent.
    pub fn spared(&mut self, id: LegId) {
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.busy = false;
        }
    }

    /// Takes the outcome of an INFO. The call goes on, whatever the outcome.
    pub fn answered(&mut self, id: LegId, answer: Answer) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.busy = false;
        leg.tells_affect = false;
        let Some(pbx) = leg.pbx.clone() else { return };
        let counts = self.ledger.of(&pbx);
        if answer == Answer::Recalled {
            counts.dropped += 1;
            return self.enqueue(id);
        }
        if let Answer::Final { status: 200..300, .. } = answer {
            counts.sent += 1;
            leg.failures = 0;
            return self.enqueue(id);
        }
        counts.failed += 1;
        leg.failures = leg.failures.saturating_add(1);
        match answer {
            // The PBX wants none of this package any more, until it lists it anew (RFC 6086 §4.2.2).
            Answer::Final { status: 469, .. } => {
                leg.accepts = false;
                let dropped = leg.outbox.clear();
                self.ledger.dropped(&pbx, dropped);
            }
            // Busy, or out of order for a moment.
            Answer::Final { status: 491 | 500 | 503, .. } | Answer::Unsent
                if leg.failures < MOST_FAILURES =>
            {
                self.enqueue(id);
            }
            // The PBX knows no such dialog (481), does not answer (408), or can't handle INFO (405, 415, 501, …).
            Answer::Final { .. } | Answer::Silence | Answer::Unsent | Answer::Recalled => self.mute(id),
        }
    }

    /// When [`Self::timeout`] is next wanted.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Forgets dialogs that are over.
    pub fn timeout(&mut self, now: Duration) {
        while let Some(&(at, id)) = self.deadlines.first().filter(|(at, _)| *at <= now) {
            self.deadlines.remove(&(at, id));
            self.remove(id);
        }
    }

    /// Notes from now on into which dialogs something of ours is slipped, for [`Self::take_changed`].
    pub fn note_changes(&mut self) {
        self.changed.get_or_insert_default();
    }

    /// The dialogs into which something of ours was slipped since the last call of this method: Call-ID, the trunk's
    /// side's tag and the PBX's, and the peer that has begun the call.
    pub fn take_changed(&mut self) -> Vec<([String; 3], Option<Neighbour>)> {
        self.changed.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// What the dialogs of a call need to be carried on in another process, as JSON; `None` if none of it is watched.
    #[must_use]
    pub fn kept(&self, call_id: &str, caller: Option<Neighbour>) -> Option<Vec<u8>> {
        let ids = self.by_call.get(call_id)?;
        let legs: Vec<&Leg> =
            ids.iter().filter_map(|id| self.legs.get(id)).filter(|leg| leg.caller == caller).collect();
        if legs.is_empty() { None } else { serde_json::to_vec(&legs).ok() }
    }

    /// Carries on dialogs that [`Self::kept`] has written. What waited to be told is not among it.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn take_up(&mut self, kept: &[u8]) -> Result<(), serde_json::Error> {
        let legs: Vec<Leg> = serde_json::from_slice(kept)?;
        for leg in legs.into_iter().filter(|_| self.enabled) {
            if self.legs.len() >= MOST || self.by_name.contains_key(&leg.name) {
                continue;
            }
            self.last_id += 1;
            let id = LegId(self.last_id);
            self.by_name.insert(leg.name.clone(), id);
            self.by_call.entry(leg.call.clone()).or_default().push(id);
            self.deadlines.insert((leg.expires, id));
            self.legs.insert(id, leg);
        }
        Ok(())
    }

    fn mute(&mut self, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.muted = true;
        let dropped = leg.outbox.clear();
        if let Some(pbx) = leg.pbx.clone() {
            self.ledger.dropped(&pbx, dropped);
        }
    }

    fn enqueue(&mut self, id: LegId) {
        if let Some(leg) = self.legs.get_mut(&id)
            && leg.has_something()
            && !std::mem::replace(&mut leg.queued, true)
        {
            self.queue.push_back(id);
        }
    }

    fn remove(&mut self, id: LegId) {
        let Some(mut leg) = self.legs.remove(&id) else { return };
        if let Some(pbx) = &leg.pbx {
            self.ledger.dropped(pbx, leg.outbox.clear());
        }
        self.by_name.remove(&leg.name);
        self.deadlines.remove(&(leg.expires, id));
        if let Some(ids) = self.by_call.get_mut(&leg.call) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_call.remove(&leg.call);
            }
        }
    }
}

impl Leg {
    /// Whether the PBX wants to be told.
    const fn is_ready(&self) -> bool {
        self.accepts && !self.muted
    }

    /// Whether an INFO may be sent now, and harms nothing of its peer's.
    fn may_be_told(&self) -> bool {
        self.is_ready() && self.stage == Stage::Up && self.open.none()
    }

    fn has_something(&self) -> bool {
        self.may_be_told() && !self.busy && !self.outbox.is_empty()
    }
}
