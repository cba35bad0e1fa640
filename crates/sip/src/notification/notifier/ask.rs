//! SUBSCRIBE as it comes: what is asked for, whether it is granted, and the subscription that it begins, renews or
//! ends.

use std::sync::Arc;
use std::time::Duration;

use super::super::dialog::{self, Dialog};
use super::super::outbox::Outbox;
use super::super::subscription::{Ending, Subscription};
use super::super::{EventHeader, PACKAGE};
use super::{Notifier, SHORTEST, SubscriptionId};
use crate::message::{Message, Name};
use crate::scan;

/// Subscriptions at once.
const MOST: usize = 4_096;
/// Of these, to one call.
const MOST_OF_A_CALL: usize = 8;
/// How long a subscription lasts at most, and if nothing is said of it.
const LONGEST: Duration = Duration::from_secs(3_600);
/// Longest parameter that is taken from an Event header, in bytes.
const LONGEST_PARAM: usize = 512;

/// A SUBSCRIBE that has come to us, with what is known of its sender.
#[derive(Debug)]
pub struct Ask<'a> {
    /// The SUBSCRIBE as it came.
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

impl Notifier {
    /// Takes a SUBSCRIBE. `known` says whether a Call-ID is that of a call with this PBX. The answer is to be sent
    /// before anything that is [`Self::wanting`].
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
        if cseq < subscription.remote_cseq {
            return Err(Reply::refuse(500, "Server Internal Error (CSeq out of order)"));
        }
        subscription.remote_cseq = cseq;
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
        let (call, id) = call_and_id(event)?;
        let own = name(request, ask.tag);
        if self.by_name.contains_key(&own) {
            // A SUBSCRIBE that comes again after its transaction is over is answered as before.
            return Ok(());
        }
        let key = (Arc::clone(ask.pbx), call);
        let of_call = self.calls.get(&key).map_or(0, |told| told.subscriptions.len());
        if self.subscriptions.len() >= MOST || of_call >= MOST_OF_A_CALL {
            return Err(Reply::refuse(503, "Too Many Subscriptions").with("Retry-After", "60"));
        }
        if !known(&key.1) {
            return Err(Reply::refuse(404, "Not Found"));
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
            remote_cseq: request.cseq().map_or(0, |cseq| cseq.number),
            local_cseq: 0,
            expires: Duration::ZERO,
            wakes: Duration::ZERO,
            outbox: Outbox::default(),
            owes_state: true,
            // A duration of nothing asks for the state, once (RFC 6665 §4.4.3).
            ending: lasts.is_zero().then_some(Ending::Timeout),
            busy: false,
            carries_parcel: false,
            tells_state: false,
            tells_affect: false,
            last: false,
            paused_until: None,
            queued: false,
        };
        self.subscriptions.insert(number, subscription);
        self.schedule(number, now + lasts.max(SHORTEST));
        self.enqueue(number);
        Ok(())
    }
}

/// The Call-ID that an Event header asks for, and its own `id`.
fn call_and_id(event: &EventHeader<'_>) -> Result<(String, Option<String>), Reply> {
    let Some(call) = event.value("call-id").filter(|call| call.len() <= LONGEST_PARAM) else {
        return Err(Reply::refuse(400, "Bad Request (Event without call-id)"));
    };
    let id = event.id().and_then(|id| id.value).map(str::to_owned);
    if id.as_ref().is_some_and(|id| id.len() > LONGEST_PARAM) {
        return Err(Reply::refuse(400, "Bad Request (Event with too long an id)"));
    }
    Ok((call.into_owned(), id))
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

/// The name that a subscription is found by, from a request of its subscriber's. A tag can't hold a line end, so no two
/// share one.
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
