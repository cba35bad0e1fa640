//! SIP overheard: messages out of datagrams and streams, led past the anchor as if they were being forwarded.

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use sidetone_call::{CallKey, Exhausted, Format, IpFamily, LocalMedia, MediaPlane, Side, StreamPlan};
use sidetone_sip::anchor::{self, Anchor, CallFact};
use sidetone_sip::framing::{Frame, Framer};
use sidetone_sip::message::{Limits, Name};
use sidetone_sip::name_addr::NameAddr;
use sidetone_sip::proxy::{ForwardContext, MessageFilter};
use sidetone_sip::sdp::{self, Description};
use sidetone_sip::{Edit, Flow, Message, Method};

use super::doubt::Doubt;
use crate::calls::options::MOST_CALLS;
use crate::datagrams::{Datagram, Transport};

/// TCP streams whose messages are followed; beyond it the one idle longest is forgotten.
const MOST_STREAMS: usize = 128;
/// Letters of a party's name that are kept.
const LONGEST_NAME: usize = 128;
/// Names of callers remembered.
const MOST_CALLERS: usize = MOST_CALLS * 4;

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
    /// Call-ID and tag of those who have sent the first INVITE.
    callers: HashSet<(String, String)>,
    streams: HashMap<(SocketAddr, SocketAddr), Stream>,
}

/// The claims of a call's first INVITE about the party that placed it.
#[derive(Debug)]
struct Invited {
    /// The tag in From.
    from_tag: String,
    doubt: Option<Doubt>,
}

/// The side that callers are put on until it is decided who the customer is.
const CALLER: Side = Side::Trunk;

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

/// A TCP stream.
#[derive(Debug)]
struct Stream {
    last: Duration,
    /// None while it isn't known where a message begins, or whether it is SIP at all.
    framer: Option<Framer>,
}

impl Signalling {
    pub(super) fn new() -> Self {
        let settings = anchor::Settings { max_calls: MOST_CALLS, ..anchor::Settings::default() };
        Self {
            anchor: Anchor::new(Plans::default(), settings),
            invited: HashMap::new(),
            orphans: Vec::new(),
            callers: HashSet::new(),
            streams: HashMap::new(),
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
        let flow = |transport| Flow { transport, local: datagram.dst, remote: datagram.src };
        match datagram.transport {
            Transport::Udp if is_sip(&datagram.payload) => {
                let read = self.message(now, &flow(sidetone_sip::Transport::Udp), datagram.payload.clone());
                Heard::Messages { read: u64::from(read), malformed: u64::from(!read) }
            }
            Transport::Udp => Heard::Nothing,
            Transport::Tcp { follows } => {
                let messages = self.frames(now, datagram, follows);
                if messages.is_empty() {
                    return Heard::Nothing;
                }
                let flow = flow(sidetone_sip::Transport::Tcp);
                let all = messages.len() as u64;
                let read =
                    messages.into_iter().filter(|bytes| self.message(now, &flow, bytes.clone())).count()
                        as u64;
                Heard::Messages { read, malformed: all - read }
            }
        }
    }

    /// Messages that these bytes of a stream complete.
    fn frames(&mut self, now: Duration, datagram: &Datagram, follows: bool) -> Vec<Bytes> {
        let key = (datagram.src, datagram.dst);
        if !self.streams.contains_key(&key) {
            let Some(start) = beginning(&datagram.payload) else { return Vec::new() };
            if start > 0 && follows {
                return Vec::new();
            }
            if self.streams.len() == MOST_STREAMS {
                let idle = self.streams.iter().min_by_key(|(_, stream)| stream.last).map(|(key, _)| *key);
                idle.map(|key| self.streams.remove(&key));
            }
        }
        let stream = self.streams.entry(key).or_insert(Stream { last: now, framer: None });
        stream.last = now;
        if !follows {
            stream.framer = None;
        }
        let mut bytes = &datagram.payload[..];
        let framer = match &mut stream.framer {
            Some(framer) => framer,
            none => {
                let Some(start) = beginning(bytes) else { return Vec::new() };
                bytes = bytes.get(start..).unwrap_or_default();
                none.insert(Framer::new(Limits::default()))
            }
        };
        framer.push(bytes);
        let mut messages = Vec::new();
        loop {
            match framer.next_frame() {
                Ok(Some(Frame::Message(message))) => messages.push(message),
                Ok(Some(Frame::Ping)) => {}
                Ok(None) => return messages,
                Err(_) => {
                    stream.framer = None;
                    return messages;
                }
            }
        }
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
        let requester = self.requester(&message);
        let from = if message.is_request() { requester } else { requester.other() };
        let ctx = ForwardContext { now, from, source: *flow, toward: flow.local, sender: None, caller: None };
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

    /// The side of whoever sent the request that a message is, or answers.
    fn requester(&mut self, message: &Message) -> Side {
        let name = |tag: Option<&str>| (message.call_id().to_owned(), tag.unwrap_or_default().to_owned());
        let (from, to) = (name(message.from_tag()), name(message.to_tag()));
        if self.callers.contains(&from) {
            return CALLER;
        }
        if message.to_tag().is_some() && self.callers.contains(&to) {
            return CALLER.other();
        }
        if message.method() == Some(Method::INVITE) && self.callers.len() < MOST_CALLERS {
            self.callers.insert(from);
        }
        CALLER
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

/// Whether a datagram begins as SIP does.
pub(super) fn is_sip(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii_start();
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    line.starts_with(b"SIP/2.0 ")
        || (line.ends_with(b" SIP/2.0") && line.first().is_some_and(u8::is_ascii_alphabetic))
}

/// Where in a stretch of a stream a SIP message seems to begin: at its first byte or, if the stretch is the middle of
/// something, at a later line. The beginning of a start line is enough, as far as it goes.
pub(super) fn beginning(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let ended = line.last() == Some(&b'\n');
        let begun = !ended && at == 0 && {
            let method = line.split(|byte| *byte == b' ').next().unwrap_or_default();
            !method.is_empty()
                && method.len() <= 32
                && method.iter().all(|byte| byte.is_ascii_uppercase() || b"/.20".contains(byte))
        };
        if is_sip(line) && ended || begun {
            return Some(at);
        }
        at += line.len();
    }
    None
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sip_is_told_from_other_protocols() {
        for sip in [
            "INVITE sip:bob@example.com SIP/2.0\r\nVia: x",
            "SIP/2.0 200 OK\r\n",
            "\r\n\r\nBYE sip:b SIP/2.0\r\n",
        ] {
            assert!(is_sip(sip.as_bytes()), "{sip}");
        }
        for other in
            ["GET / HTTP/1.1\r\n", "", "\r\n\r\n", "\x16\x03SIP/2.0", "RTSP/1.0 200 OK\r\n", "SIP/2.0"]
        {
            assert!(!is_sip(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn the_beginning_of_a_message_in_a_stream() {
        for (stretch, start) in [
            ("INVITE sip:b SIP/2.0\r\nVia", Some(0)),
            ("INV", Some(0)),
            ("SIP/2", Some(0)),
            ("a=sendrecv\r\nSIP/2.0 200 OK\r\n", Some(12)),
            ("a=sendrecv\r\nSIP/2.0 20", None),
            ("GET / HTTP/1.1\r\nHost: x\r\n", None),
            ("\x16\x03\x01", None),
            ("", None),
        ] {
            assert_eq!(beginning(stretch.as_bytes()), start, "{stretch:?}");
        }
    }
}
