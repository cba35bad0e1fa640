//! A small language for dialogs.
//!
//! A [`Script`] holds an anchor and pushes messages through it. Every message is pushed twice, as
//! retransmission and failover do it, and must come out the same; and whatever SDP comes out is held
//! against what went in: same lines in the same order, but for addresses, ports and ICE.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use sidetone_call::{CallKey, Exhausted, IpFamily, LocalMedia, MediaPlane, Side, StreamPlan};
use sidetone_sip::anchor::{Anchor, CallFact, Security, Settings};
use sidetone_sip::message::{Edit, Message};
use sidetone_sip::proxy::{ForwardContext, MessageFilter, Refusal};
use sidetone_sip::sdp::{Description, Stream};
use sidetone_sip::{Flow, Transport};

/// A media plane that hands out ports in order and remembers what it was told.
#[derive(Debug, Default)]
pub struct FakeMedia {
    pub reserved: BTreeMap<(CallKey, usize, Side, IpFamily), LocalMedia>,
    pub plans: BTreeMap<(CallKey, usize), StreamPlan>,
    pub applied: usize,
    pub released: Vec<CallKey>,
    pub left: Option<usize>,
    /// Nothing is sent there.
    pub refuses: Option<IpAddr>,
    next: u16,
}

impl MediaPlane for FakeMedia {
    fn reserve(
        &mut self,
        call: CallKey,
        stream: usize,
        side: Side,
        family: IpFamily,
    ) -> Result<LocalMedia, Exhausted> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1).ok_or(Exhausted)?;
        }
        let ip: IpAddr = match (side, family) {
            (Side::Trunk, IpFamily::V4) => "198.51.100.1",
            (Side::Pbx, IpFamily::V4) => "198.51.100.2",
            (Side::Trunk, IpFamily::V6) => "2001:db8:ffff::1",
            (Side::Pbx, IpFamily::V6) => "2001:db8:ffff::2",
        }
        .parse()
        .unwrap();
        let port = 30_000 + self.next;
        self.next += 2;
        let local = LocalMedia { rtp: SocketAddr::new(ip, port), rtcp: SocketAddr::new(ip, port + 1) };
        assert!(self.reserved.insert((call, stream, side, family), local).is_none(), "asked for twice");
        Ok(local)
    }

    fn admits(&self, _: CallKey, _: Side, address: SocketAddr) -> bool {
        self.refuses != Some(address.ip())
    }

    fn apply(&mut self, call: CallKey, stream: usize, plan: &StreamPlan) {
        assert!(self.reserved.keys().any(|(c, s, ..)| (*c, *s) == (call, stream)), "no ports for it");
        self.applied += 1;
        self.plans.insert((call, stream), plan.clone());
    }

    fn release(&mut self, call: CallKey) {
        self.reserved.retain(|(c, ..), _| *c != call);
        self.plans.retain(|(c, _), _| *c != call);
        self.released.push(call);
    }
}

/// The caller and the callee; which side each is on is the script's to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Caller,
    Callee,
}
pub use Who::{Callee, Caller};

pub struct Script {
    pub anchor: Anchor<FakeMedia>,
    pub now: Duration,
    pub caller_side: Side,
    pub caller_sip: SocketAddr,
    pub callee_sip: SocketAddr,
    /// Identifies the call.
    pub call_id: &'static str,
    /// Branch of the caller's side.
    pub branch: &'static str,
    /// The protection of media ends here, so that more than addresses may differ.
    pub secured: bool,
    /// The callee is reached by WebSocket.
    pub browsers: bool,
}

impl Script {
    /// A caller on the trunk's side, 192.0.2.1; a callee on the PBX's, 10.0.0.2.
    pub fn new() -> Self {
        Self::with(Settings::default())
    }

    /// The same, with the media's protection ended here.
    pub fn secured(security: Security) -> Self {
        let mut script = Self::new();
        script.anchor = Anchor::new(FakeMedia::default(), Settings::default()).secured(security);
        script.secured = true;
        script
    }

    pub fn with(settings: Settings) -> Self {
        Self {
            anchor: Anchor::new(FakeMedia::default(), settings),
            now: Duration::from_secs(1000),
            caller_side: Side::Trunk,
            caller_sip: "192.0.2.1:5060".parse().unwrap(),
            callee_sip: "10.0.0.2:5060".parse().unwrap(),
            call_id: "call-1@example.com",
            branch: "z9hG4bKcaller",
            secured: false,
            browsers: false,
        }
    }

    fn passing(&self, sender: Who) -> ForwardContext {
        let (remote, toward) = match sender {
            Caller => (self.caller_sip, self.callee_sip),
            Callee => (self.callee_sip, self.caller_sip),
        };
        let from = if sender == Caller { self.caller_side } else { self.caller_side.other() };
        let local = "198.51.100.9:5060".parse().unwrap();
        ForwardContext {
            now: self.now,
            from,
            source: Flow { transport: Transport::Udp, local, remote },
            toward,
            to_browser: self.browsers && sender == Caller,
            sender: None,
            caller: None,
        }
    }

    pub fn build(
        &self,
        start: &str,
        requester: Who,
        cseq: &str,
        tag: Option<&str>,
        more: &str,
        body: &str,
    ) -> Message {
        let callee_tag = tag.map_or_else(String::new, |t| format!(";tag={t}"));
        let caller = "<sip:+15550100@carrier.example>;tag=caller";
        let callee = format!("<sip:4711@pbx.example>{callee_tag}");
        let (from, to) = match requester {
            Caller => (caller.to_owned(), callee),
            Callee => (callee, caller.to_owned()),
        };
        let mut text = format!("{start}\r\n");
        if start.starts_with("SIP/2.0") {
            text += "Via: SIP/2.0/UDP 198.51.100.9;branch=z9hG4bKours\r\n";
        }
        write!(
            text,
            "Via: SIP/2.0/UDP 192.0.2.1;branch={}\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {}\r\n\
             CSeq: {cseq}\r\n{more}",
            self.branch, self.call_id,
        )
        .unwrap();
        if !body.is_empty() && !more.contains("Content-Type") {
            text += "Content-Type: application/sdp\r\n";
        }
        write!(text, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        Message::parse(Bytes::from(text)).unwrap()
    }

    /// Pushes a request: `"INVITE 1"` is method and CSeq number.
    pub fn request(
        &mut self,
        sender: Who,
        what: &str,
        tag: Option<&str>,
        body: &str,
    ) -> Result<Message, Refusal> {
        self.request_with(sender, what, tag, "", body)
    }

    pub fn request_with(
        &mut self,
        sender: Who,
        what: &str,
        tag: Option<&str>,
        more: &str,
        body: &str,
    ) -> Result<Message, Refusal> {
        let (method, number) = what.split_once(' ').unwrap();
        let cseq = format!("{number} {method}");
        let message = self.build(&format!("{method} sip:x@y SIP/2.0"), sender, &cseq, tag, more, body);
        let ctx = self.passing(sender);
        let pass = |anchor: &mut Anchor<FakeMedia>| {
            let mut edit = Edit::new();
            anchor.request(&ctx, &message, &mut edit)?;
            Ok(edit.apply(&message))
        };
        let first = pass(&mut self.anchor)?;
        let told = self.anchor.media().applied;
        assert_eq!(first, pass(&mut self.anchor)?, "the same request came out differently");
        assert_eq!(told, self.anchor.media().applied, "a repeated request changed the plan");
        Ok(check(&message, first, self.secured))
    }

    /// Pushes a response from the other side of `requester`, to `"INVITE 1"` and the like.
    pub fn response(&mut self, requester: Who, status: u16, what: &str, tag: &str, body: &str) -> Message {
        self.response_with(requester, status, what, tag, "", body)
    }

    pub fn response_with(
        &mut self,
        requester: Who,
        status: u16,
        what: &str,
        tag: &str,
        more: &str,
        body: &str,
    ) -> Message {
        let (method, number) = what.split_once(' ').unwrap();
        let cseq = format!("{number} {method}");
        let message =
            self.build(&format!("SIP/2.0 {status} Because"), requester, &cseq, Some(tag), more, body);
        let ctx = self.passing(if requester == Caller { Callee } else { Caller });
        let pass = |anchor: &mut Anchor<FakeMedia>| {
            let mut edit = Edit::new();
            anchor.response(&ctx, &message, &mut edit);
            edit.apply(&message)
        };
        let first = pass(&mut self.anchor);
        let (told, known) = (self.anchor.media().applied, self.anchor.calls());
        let again = pass(&mut self.anchor);
        assert_eq!(first, again, "the same response came out differently");
        assert_eq!((told, known), (self.anchor.media().applied, self.anchor.calls()));
        check(&message, first, self.secured)
    }

    /// The proxy itself ends a request.
    pub fn concluded(&mut self, requester: Who, what: &str, tag: Option<&str>, status: u16) {
        let (method, number) = what.split_once(' ').unwrap();
        let cseq = format!("{number} {method}");
        let message = self.build(&format!("{method} sip:x@y SIP/2.0"), requester, &cseq, tag, "", "");
        let requester = self.passing(requester).requester();
        self.anchor.concluded(self.now, requester, &message, status);
    }

    /// The caller's 200 could not be delivered.
    pub fn undelivered(&mut self, what: &str, tag: &str) -> bool {
        let (method, number) = what.split_once(' ').unwrap();
        let message = self.build("SIP/2.0 200 OK", Caller, &format!("{number} {method}"), Some(tag), "", "");
        let requester = self.passing(Caller).requester();
        self.anchor.undelivered(self.now, requester, &message)
    }

    // --- whole steps ---

    /// INVITE with an offer, 200 with an answer, ACK.
    pub fn talk(&mut self) {
        self.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
        self.response(Caller, 180, "INVITE 1", "b", "");
        self.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
        self.request(Caller, "ACK 1", Some("b"), "").unwrap();
        assert_eq!(self.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
        assert_eq!(self.facts(), ["started +15550100 to 4711", "ringing", "answered"]);
    }

    /// A re-INVITE with its answer and ACK: both SDPs as they came out.
    pub fn reinvite(&mut self, by: Who, cseq: u32, offer: &str, answer: &str) -> (Message, Message) {
        let offer = self.request(by, &format!("INVITE {cseq}"), Some("b"), offer).unwrap();
        let answer = self.response(by, 200, &format!("INVITE {cseq}"), "b", answer);
        self.request(by, &format!("ACK {cseq}"), Some("b"), "").unwrap();
        (offer, answer)
    }

    /// BYE and its 200; all must be gone then.
    pub fn bye(&mut self, by: Who, cseq: u32) {
        self.request(by, &format!("BYE {cseq}"), Some("b"), "").unwrap();
        self.response(by, 200, &format!("BYE {cseq}"), "b", "");
        self.nothing_left();
    }

    // --- what can be asked ---

    /// A stream of the only call, as `caller - callee`, with what is special about it.
    pub fn media(&mut self, stream: usize) -> String {
        let side = self.caller_side;
        let plans = &self.anchor.media().plans;
        let Some((_, plan)) = plans.iter().find(|((_, s), _)| *s == stream) else { return "none".into() };
        let at = |addr: Option<SocketAddr>| addr.map_or("?".to_owned(), |a| a.to_string());
        let (caller, callee) = (plan.end(side), plan.end(side.other()));
        let mut text = format!("{} - {}", at(caller.remote_rtp), at(callee.remote_rtp));
        for (end, name) in [(caller, "caller"), (callee, "callee")] {
            if end.held {
                write!(text, ", {name} holds").unwrap();
            }
        }
        if !plan.answered {
            text += ", early";
        }
        text
    }

    /// The plan of a stream of the only call.
    pub fn plan(&mut self, stream: usize) -> StreamPlan {
        self.anchor.media().plans.iter().find(|((_, s), _)| *s == stream).unwrap().1.clone()
    }

    /// What was told since the last time, in short.
    pub fn facts(&mut self) -> Vec<String> {
        let mut facts = Vec::new();
        while let Some(fact) = self.anchor.poll_fact() {
            facts.push(match fact {
                CallFact::Started { from, to, .. } => format!("started {from} to {to}"),
                CallFact::Ringing { .. } => "ringing".to_owned(),
                CallFact::Answered { .. } => "answered".to_owned(),
                CallFact::Held { by, .. } => format!("held by {}", by.as_str()),
                CallFact::Resumed { by, .. } => format!("resumed by {}", by.as_str()),
                CallFact::Untappable { stream, reason, .. } => format!("untappable {stream}: {reason}"),
                CallFact::Misaimed { by, .. } => format!("{} aims astray", by.as_str()),
                CallFact::Insecure { by, .. } => format!("{} answers insecurely", by.as_str()),
                CallFact::Header { by, name, value, .. } => format!("{} says {name}: {value}", by.as_str()),
                CallFact::Digit { by, digit, .. } => format!("{} pressed {digit}", by.as_str()),
                CallFact::Referred { by, user, replaces, .. } => {
                    let instead = replaces.map(|call| format!(" instead of {call}")).unwrap_or_default();
                    format!("{} refers to {user}{instead}", by.as_str())
                }
                CallFact::Replaces { replaced, before, .. } => {
                    let known = if before.is_some() { ", which is up" } else { "" };
                    format!("replaces {replaced}{known}")
                }
                CallFact::Unacknowledged { .. } => "unacknowledged".to_owned(),
                CallFact::Ended { by, status, cause, .. } => {
                    let by = by.map_or("nobody", Side::as_str);
                    let status = status.map_or(String::new(), |s| format!(" {s}"));
                    format!("ended by {by}: {}{status}", cause.as_str())
                }
            });
        }
        facts
    }

    /// No call, no port, no timer.
    pub fn nothing_left(&mut self) {
        assert_eq!(self.anchor.calls(), 0);
        assert_eq!(self.anchor.next_timeout(), None);
        assert!(self.anchor.media().reserved.is_empty(), "leaked ports");
    }
}

/// An audio description in the shape of many.
pub fn audio(ip: &str, port: u16) -> String {
    audio_with(ip, port, "")
}

/// With more attribute lines: `a=sendonly\r\n`.
pub fn audio_with(ip: &str, port: u16, more: &str) -> String {
    let family = if ip.contains(':') { "IP6" } else { "IP4" };
    format!(
        "v=0\r\no=- 1 1 IN {family} {ip}\r\ns= \r\nc=IN {family} {ip}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n{more}"
    )
}

/// What the SDP in a message says of its first m-line: `address:port`.
pub fn led(message: &Message) -> String {
    led_all(message).remove(0)
}

/// The same of all m-lines.
pub fn led_all(message: &Message) -> Vec<String> {
    let description = Description::parse(message.body()).unwrap();
    let place = |media: sidetone_sip::sdp::Media<'_, '_>| {
        format!("{}:{}", media.connection().map_or("-", |c| c.address), media.port())
    };
    description.media().map(place).collect()
}

/// Nothing but media addresses may differ, and the length must be true.
fn check(before: &Message, after: Bytes, secured: bool) -> Message {
    let after = Message::parse(after).unwrap();
    let stated = after.header(sidetone_sip::Name::ContentLength).unwrap().text().parse::<usize>().unwrap();
    assert_eq!(stated, after.body().len());
    assert_eq!(after.excess(), 0);
    let head = |m: &Message| {
        let text = String::from_utf8_lossy(&m.as_bytes()[..m.body_range().start]).into_owned();
        text.lines().filter(|l| !l.starts_with("Content-Length")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(head(before), head(&after));
    let lines = |m: &Message| {
        let text = String::from_utf8_lossy(m.body()).into_owned();
        text.split_inclusive('\n').map(str::to_owned).collect::<Vec<_>>()
    };
    let (old, new) = (lines(before), lines(&after));
    let about_media =
        |line: &str| ["c=", "m=", "a=rtcp:", "Content-Length:"].iter().any(|start| line.starts_with(start));
    let of_ice = |line: &str| line.starts_with("a=ice-") || line.starts_with("a=candidate");
    let rest = |lines: &[String]| {
        lines.iter().filter(|l| !about_media(l) && !of_ice(l)).cloned().collect::<Vec<_>>()
    };
    if secured {
        return after;
    }
    assert_eq!(rest(&old), rest(&new), "a line that is none of our business was changed");
    let kinds = |lines: &[String]| {
        let token = |l: &String| {
            let mut words: Vec<&str> = l.split_whitespace().collect();
            if words.len() > 1 {
                words.remove(1);
            }
            words.join(" ")
        };
        lines.iter().filter(|l| l.starts_with("m=")).map(token).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&old), kinds(&new), "m-lines differ by more than their ports");
    after
}

/// The streams of a message's description.
pub fn streams(message: &Message) -> Vec<Stream> {
    Stream::all(&Description::parse(message.body()).unwrap())
}
