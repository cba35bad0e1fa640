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

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::dialog::{self, Dialog};
use super::outbox::Outbox;
use super::subscription::{Ending, Subscription};
use super::{Draft, EventHeader, Ledger, PACKAGE, Parcel};
use crate::message::{Message, Name};
use crate::proxy::Answer;
use crate::scan;
use crate::uri::Uri;

/// Subscriptions at once.
const MOST: usize = 4_096;
/// Of these, to one call.
const MOST_OF_A_CALL: usize = 8;
/// Calls of which the state is remembered.
const MOST_CALLS: usize = 20_000;
/// How long a subscription lasts at most, and if nothing is said of it.
const LONGEST: Duration = Duration::from_secs(3_600);
/// Less is refused as too brief (RFC 6665 §4.2.1.1).
const SHORTEST: Duration = Duration::from_secs(60);
/// Longest that a subscriber can have us wait before its next NOTIFY.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Longest parameter that is taken from an Event header, in bytes.
const LONGEST_PARAM: usize = 512;

/// Names a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionId(u64);

/// A SUBSCRIBE that has come to us, with what is known of its sender.
#[derive(Debug)]
pub struct Ask<'a> {
    /// As it came.
    pub request: &'a Message,
    /// The tag that our answer puts into To.
    pub tag: &'a str,
    /// Our Contact.
    pub contact: &'a str,
    /// The name of the PBX.
    pub pbx: &'a Arc<str>,
    /// The type of the bodies that it will be sent.
    pub content_type: &'static str,
}

/// How a SUBSCRIBE is to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// 2xx if it has been taken.
    pub status: u16,
    /// Reason phrase.
    pub reason: &'static str,
    /// Headers of the answer.
    pub headers: Vec<(String, String)>,
}

impl Reply {
    fn refuse(status: u16, reason: &'static str) -> Self {
        Self { status, reason, headers: Vec::new() }
    }

    fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// What is known of one call as one PBX knows it.
#[derive(Debug, Default)]
struct Told {
    affect: Option<Parcel>,
    plain: Option<Parcel>,
    subscriptions: Vec<SubscriptionId>,
}

/// All subscriptions.
#[derive(Debug, Default)]
pub struct Notifier {
    subscriptions: HashMap<SubscriptionId, Subscription>,
    by_name: HashMap<String, SubscriptionId>,
    calls: HashMap<(Arc<str>, String), Told>,
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

    /// Whether nothing waits to be told, and no NOTIFY is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.subscriptions.values().all(|it| !it.busy && !it.has_something())
    }

    /// What became of parcels.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Takes a SUBSCRIBE. `known` says whether a Call-ID is that of a call with this PBX. The answer is to be sent before
    /// anything that is [`Self::wanting`].
    pub fn subscribe(&mut self, now: Duration, ask: &Ask<'_>, known: impl FnOnce(&str) -> bool) -> Reply {
        let request = ask.request;
        let event = request.header(Name::Event).and_then(|header| EventHeader::parse(header.value));
        let Some(event) = event.filter(|event| event.is(PACKAGE)) else {
            return Reply::refuse(489, "Bad Event").with("Allow-Events", PACKAGE);
        };
        if !takes(request, ask.content_type) {
            return Reply::refuse(406, "Not Acceptable").with("Accept", ask.content_type);
        }
        let lasts = match request.header(Name::Expires).map(|header| scan::decimal(header.value)) {
            None => LONGEST,
            Some(Some(seconds)) => Duration::from_secs(seconds).min(LONGEST),
            Some(None) => return Reply::refuse(400, "Bad Request (malformed Expires)"),
        };
        if !lasts.is_zero() && lasts < SHORTEST {
            return Reply::refuse(423, "Interval Too Small")
                .with("Min-Expires", SHORTEST.as_secs().to_string());
        }
        let taken = match request.to_tag() {
            Some(tag) => self.renew(now, ask, tag, lasts),
            None => self.begin(now, ask, &event, lasts, known),
        };
        match taken {
            Err(refusal) => refusal,
            Ok(()) => {
                let reply = Reply { status: 200, reason: "OK", headers: Vec::new() }
                    .with("Contact", ask.contact)
                    .with("Expires", lasts.as_secs().to_string());
                // The subscriber's route set is made of them (RFC 3261 §12.1.1).
                request
                    .headers_named(Name::RecordRoute)
                    .fold(reply, |reply, header| reply.with("Record-Route", header.text()))
            }
        }
    }

    /// A refresh, or the end of a subscription.
    fn renew(&mut self, now: Duration, ask: &Ask<'_>, tag: &str, lasts: Duration) -> Result<(), Reply> {
        let found = self.by_name.get(&name(ask.request, tag)).copied();
        let subscription = found.and_then(|id| Some((id, self.subscriptions.get_mut(&id)?)));
        let Some((id, subscription)) =
            subscription.filter(|(_, it)| it.pbx == *ask.pbx && it.ending.is_none())
        else {
            return Err(Reply::refuse(481, "Subscription Does Not Exist"));
        };
        let cseq = ask.request.cseq().map_or(0, |cseq| cseq.number);
        if cseq < subscription.heard {
            return Err(Reply::refuse(500, "Server Internal Error (CSeq out of order)"));
        }
        subscription.heard = cseq;
        subscription.dialog.refresh(ask.request);
        ask.contact.clone_into(&mut subscription.contact);
        subscription.owes_state = true;
        if lasts.is_zero() {
            subscription.ending = Some(Ending::Timeout);
            let dropped = subscription.outbox.clear();
            self.ledger.dropped(ask.pbx, dropped);
        }
        self.schedule(id, now + lasts.max(SHORTEST));
        self.enqueue(id);
        Ok(())
    }

    fn begin(
        &mut self,
        now: Duration,
        ask: &Ask<'_>,
        event: &EventHeader<'_>,
        lasts: Duration,
        known: impl FnOnce(&str) -> bool,
    ) -> Result<(), Reply> {
        let request = ask.request;
        let Some(call) = event.value("call-id").filter(|call| call.len() <= LONGEST_PARAM) else {
            return Err(Reply::refuse(400, "Bad Request (Event without call-id)"));
        };
        let id = event.id().and_then(|id| id.value).map(str::to_owned);
        if id.as_ref().is_some_and(|id| id.len() > LONGEST_PARAM) {
            return Err(Reply::refuse(400, "Bad Request (Event with too long an id)"));
        }
        let own = name(request, ask.tag);
        if self.by_name.contains_key(&own) {
            // It has come again after its transaction was over: it is answered as before.
            return Ok(());
        }
        if !known(&call) {
            return Err(Reply::refuse(404, "Not Found"));
        }
        let key = (Arc::clone(ask.pbx), call.into_owned());
        let of_call = self.calls.get(&key).map_or(0, |told| told.subscriptions.len());
        if self.subscriptions.len() >= MOST || of_call >= MOST_OF_A_CALL {
            return Err(Reply::refuse(503, "Too Many Subscriptions").with("Retry-After", "60"));
        }
        let Some(dialog) = dialog(request, ask.tag).filter(|dialog| dialog.next_hop().is_some()) else {
            return Err(Reply::refuse(400, "Bad Request (no Contact or route to send NOTIFY by)"));
        };
        self.last_id += 1;
        let number = SubscriptionId(self.last_id);
        self.by_name.insert(own.clone(), number);
        self.calls.entry(key.clone()).or_default().subscriptions.push(number);
        let subscription = Subscription {
            name: own,
            pbx: key.0,
            call: key.1,
            dialog,
            id,
            contact: ask.contact.to_owned(),
            heard: request.cseq().map_or(0, |cseq| cseq.number),
            said: 0,
            expires: Duration::ZERO,
            wakes: Duration::ZERO,
            outbox: Outbox::default(),
            owes_state: true,
            // A duration of nothing asks for the state, once (RFC 6665 §4.4.3).
            ending: lasts.is_zero().then_some(Ending::Timeout),
            busy: false,
            carries: false,
            last: false,
            paused_until: None,
            queued: false,
        };
        self.subscriptions.insert(number, subscription);
        self.schedule(number, now + lasts.max(SHORTEST));
        self.enqueue(number);
        Ok(())
    }

    /// Something is to be told of a call, to one PBX.
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

    /// The customer has objected: nothing of how they feel is told any more, nor remembered.
    pub fn withdraw(&mut self, pbx: &Arc<str>, call: &str) {
        let Some(told) = self.calls.get_mut(&(Arc::clone(pbx), call.to_owned())) else { return };
        told.affect = None;
        for id in &told.subscriptions {
            if let Some(subscription) = self.subscriptions.get_mut(id) {
                let dropped = subscription.outbox.withdraw();
                self.ledger.dropped(pbx, dropped);
            }
        }
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

    /// The next subscription that has something to be told, and where to. Its NOTIFY is to be [`write`](Self::write)n, or
    /// else [`answered`](Self::answered) as not sent.
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

    /// What became of a NOTIFY. A subscriber that refuses one, or does not answer, is not asked again (RFC 6665 §4.2.2),
    /// unless it says when to.
    pub fn answered(&mut self, now: Duration, id: SubscriptionId, answer: Answer) {
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return };
        subscription.busy = false;
        let carried = std::mem::take(&mut subscription.carries);
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
                subscription.paused_until = Some(now + after.min(LONGEST_PAUSE));
                let expires = subscription.expires;
                return self.schedule(id, expires);
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
                // Its last NOTIFY never came to an end.
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

/// Whether the sender of a SUBSCRIBE takes bodies of that type (RFC 6665 §3.1.3); whoever says nothing takes ours.
fn takes(request: &Message, content_type: &str) -> bool {
    let mut said = false;
    for header in request.headers_called("Accept") {
        for value in header.values() {
            said = true;
            let end = value.bytes.iter().position(|&byte| byte == b';').unwrap_or(value.bytes.len());
            let range = scan::trim(value.bytes.get(..end).unwrap_or_default());
            let any_of_kind = || {
                let kind = range.strip_suffix(b"/*")?;
                content_type.as_bytes().get(..kind.len())?.eq_ignore_ascii_case(kind).then_some(())
            };
            if range == b"*/*"
                || range.eq_ignore_ascii_case(content_type.as_bytes())
                || any_of_kind().is_some()
            {
                return true;
            }
        }
    }
    !said
}

/// What a subscription is found by, from a request of its subscriber's. A tag can't hold a line end, so no two share one.
fn name(request: &Message, our_tag: &str) -> String {
    [request.call_id(), request.from_tag().unwrap_or_default(), our_tag].join("\n")
}

/// The dialog that a SUBSCRIBE makes, seen from us (RFC 3261 §12.1.1).
fn dialog(request: &Message, our_tag: &str) -> Option<Dialog> {
    let to = request.header(Name::To)?.text();
    let from = request.header(Name::From)?.text();
    let mut dialog = Dialog::new(request.call_id(), &format!("{to};tag={our_tag}"), &from)?;
    dialog.target = Some(dialog::contact(request)?);
    dialog.routes = dialog::record_routes(request)?;
    Some(dialog)
}
