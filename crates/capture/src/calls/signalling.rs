//! SIP overheard: messages out of datagrams and streams, led past the anchor as if they were being forwarded.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use sidetone_call::{CallKey, Exhausted, Format, IpFamily, LocalMedia, MediaPlane, Side, StreamPlan};
use sidetone_sip::anchor::{self, Anchor, CallFact};
use sidetone_sip::message::Name;
use sidetone_sip::name_addr::NameAddr;
use sidetone_sip::proxy::{ForwardContext, MessageFilter};
use sidetone_sip::sdp::{self, Description};
use sidetone_sip::{Edit, Flow, Message, Method};

use super::callers::Callers;
use super::doubt::Doubt;
use super::messages::Messages;
use crate::calls::options::MOST_CALLS;
use crate::datagrams::{Datagram, Transport};

/// Letters of a party's name that are kept.
const LONGEST_NAME: usize = 128;

/// The content of a datagram.
pub(super) enum Heard {
    /// No SIP.
    Nothing,
    /// SIP: whole messages, and what was meant to be one.
    Messages { read: u64, malformed: u64 },
}

/// Follows the signalling of all calls.
#[derive(Debug)]
pub(super) struct Signalling {
    anchor: Anchor<Plans>,
    /// First INVITEs, by Call-ID.
    invited: HashMap<String, Invited>,
    /// Descriptions of calls whose INVITE was not captured.
    orphans: Vec<Orphan>,
    callers: Callers,
    messages: Messages,
}

/// The claims of a call's first INVITE about the party that placed it.
#[derive(Debug)]
struct Invited {
    /// The tag in From.
    from_tag: String,
    doubt: Option<Doubt>,
}

/// Where a party of a call wants its audio, from a message of a dialog whose beginning was not captured.
#[derive(Debug, Clone)]
pub(super) struct Orphan {
    pub(super) call_id: String,
    /// The party's own name, and the other party's: user parts of From and To.
    pub(super) name: String,
    pub(super) other: String,
    pub(super) address: SocketAddr,
    pub(super) formats: Vec<Format>,
}

impl Signalling {
    pub(super) fn new() -> Self {
        let settings = anchor::Settings { max_calls: MOST_CALLS, ..anchor::Settings::default() };
        Self {
            anchor: Anchor::new(Plans::default(), settings),
            invited: HashMap::new(),
            orphans: Vec::new(),
            callers: Callers::default(),
            messages: Messages::default(),
        }
    }

    /// The next thing that became known of a call.
    pub(super) fn poll_fact(&mut self) -> Option<CallFact> {
        self.anchor.poll_fact()
    }

    /// Whether the first INVITE of a call was seen: then it is known who placed it.
    pub(super) fn has_seen_invite(&self, call_id: &str) -> bool {
        self.invited.contains_key(call_id)
    }

    /// Reasons in the first INVITEs against taking the party that placed a call for the customer.
    pub(super) fn doubt(&self, call_id: &str) -> Option<Doubt> {
        self.invited.get(call_id).and_then(|invited| invited.doubt)
    }

    /// Descriptions in calls whose INVITE was not captured.
    pub(super) fn take_orphans(&mut self) -> Vec<Orphan> {
        std::mem::take(&mut self.orphans)
    }

    /// Plans that have changed since they were asked for last.
    pub(super) fn take_plans(&mut self) -> Vec<(CallKey, usize, StreamPlan)> {
        std::mem::take(&mut self.anchor.media().0)
    }

    /// Reads a datagram, if it is SIP.
    pub(super) fn observe(&mut self, now: Duration, datagram: &Datagram) -> Heard {
        self.anchor.timeout(now);
        let transport = match datagram.transport {
            Transport::Udp => sidetone_sip::Transport::Udp,
            Transport::Tcp { .. } => sidetone_sip::Transport::Tcp,
        };
        let flow = Flow { transport, local: datagram.dst, remote: datagram.src };
        let messages = self.messages.read(now, datagram);
        if messages.is_empty() {
            return Heard::Nothing;
        }
        let all = messages.len() as u64;
        let read =
            messages.into_iter().filter(|bytes| self.message(now, &flow, bytes.clone())).count() as u64;
        Heard::Messages { read, malformed: all - read }
    }

    /// Leads one message past the anchor; false if it isn't one.
    fn message(&mut self, now: Duration, flow: &Flow, bytes: Bytes) -> bool {
        let Ok(message) = Message::parse(bytes) else { return false };
        let opens = message.method() == Some(Method::INVITE) && message.to_tag().is_none();
        if opens && self.invited.len() < MOST_CALLS {
            self.invited(&message);
        } else if !self.invited.contains_key(message.call_id()) && self.orphans.len() < MOST_CALLS {
            self.orphans.extend(orphan(&message));
        }
        let from = self.callers.sender(&message);
        let ctx = ForwardContext {
            now,
            from,
            source: *flow,
            toward: flow.local,
            to_browser: false,
            sender: None,
            caller: None,
        };
        let mut edit = Edit::default();
        if message.is_request() {
            // A refusal is the anchor's own, and nobody is told: the call ends for it, which is what it would say.
            let _ = self.anchor.request(&ctx, &message, &mut edit);
        } else if let Some(message) = received_by_a_proxy(&message) {
            self.anchor.response(&ctx, &message, &mut edit);
        }
        true
    }

    /// Takes note of a first INVITE, or of its copy at another hop.
    fn invited(&mut self, invite: &Message) {
        let tag = invite.from_tag().unwrap_or_default();
        let known = self
            .invited
            .entry(invite.call_id().to_owned())
            .or_insert_with(|| Invited { from_tag: tag.to_owned(), doubt: None });
        // The compact form of Referred-By is b.
        let is_referred =
            ["Referred-By", "b"].iter().any(|name| invite.headers_called(name).next().is_some());
        let doubt = if known.from_tag != tag {
            Some(Doubt::TwoPlacers)
        } else if invite.header(Name::Replaces).is_some() {
            Some(Doubt::Replaces)
        } else {
            is_referred.then_some(Doubt::Referred)
        };
        known.doubt = known.doubt.or(doubt);
    }
}

/// The audio that a message of an unknown call describes.
fn orphan(message: &Message) -> Option<Orphan> {
    let description = Description::parse(message.body()).ok()?;
    let stream = sdp::Stream::all(&description).into_iter().find(|stream| stream.rtp.is_some())?;
    let user = |name: Option<NameAddr<'_>>| {
        let uri = name.and_then(|name| name.uri().ok());
        uri.and_then(|uri| uri.user_unescaped()).unwrap_or_default().chars().take(LONGEST_NAME).collect()
    };
    let (from, to) = (user(message.from()), user(message.to()));
    let (name, other) = if message.is_request() { (from, to) } else { (to, from) };
    Some(Orphan {
        call_id: message.call_id().to_owned(),
        name,
        other,
        address: stream.rtp?,
        formats: stream.formats,
    })
}

/// The response as the anchor expects it: on its way through a proxy, whose own Via is the topmost.
fn received_by_a_proxy(response: &Message) -> Option<Message> {
    const VIA: &[u8] = b"Via: SIP/2.0/UDP capture.invalid;branch=z9hG4bK-capture\r\n";
    let bytes = response.as_bytes();
    let first = bytes.iter().position(|byte| *byte == b'\n')? + 1;
    let (start, rest) = bytes.split_at_checked(first)?;
    Message::parse([start, VIA, rest].concat().into()).ok()
}

/// A media plane that relays nothing and writes everything down.
#[derive(Debug, Default)]
struct Plans(Vec<(CallKey, usize, StreamPlan)>);

impl MediaPlane for Plans {
    fn reserve(&mut self, _: CallKey, _: usize, _: Side, _: IpFamily) -> Result<LocalMedia, Exhausted> {
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 9));
        Ok(LocalMedia { rtp: nowhere, rtcp: nowhere })
    }

    fn apply(&mut self, call: CallKey, stream: usize, plan: &StreamPlan) {
        self.0.push((call, stream, plan.clone()));
    }

    fn release(&mut self, _: CallKey) {}
}
