//! Two parties with a mind of their own and the core between them: what they do, and in which order the network
//! delivers it, is chosen by bytes. Whatever they do, nobody is left waiting, media go through us, and nothing is left
//! at the end; and a call that another process carries on in its midst goes on as it was.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sidetone_call::{CallKey, Side};

use super::Ports;
use crate::anchor::{Anchor, Kept, Settings};
use crate::message::{Message, Name, ack_to_failure, cancel};
use crate::proxy::{self, Decision, Destination, Listener, Output, Proxy, Target};
use crate::{Flow, Transport};

const US: &str = "192.0.2.1:5060";
/// The addresses of the party on the trunk's side and of the one on the PBX's.
const PARTIES: [&str; 2] = ["198.51.100.7:5060", "203.0.113.7:5060"];
/// What our media ports have for an address.
const OUR_MEDIA: &str = "IN IP4 198.51.100.1";
/// More deliveries than this at the end would be a loop.
const MOST_DELIVERIES: usize = 10_000;

/// A conversation that goes as the bytes say.
///
/// # Panics
/// If it does not keep what is promised.
pub fn conversation(bytes: &[u8]) {
    let mut world = World::new();
    for step in bytes.chunks_exact(2).take(400) {
        let &[what, how] = step else { break };
        world.step(what, how);
    }
    world.end();
}

/// A request that a party has sent.
struct Asked {
    sent: Message,
    provisional: bool,
    done: bool,
    refused: bool,
}

/// What a party knows of its dialog.
#[derive(Clone)]
struct Dialog {
    peer_tag: String,
    target: String,
    routes: Vec<String>,
}

struct Party {
    number: usize,
    tag: String,
    cseq: u32,
    asked: BTreeMap<String, Asked>,
    /// Branches of requests that have come.
    seen: Vec<String>,
    /// An INVITE that this party has not answered yet.
    asking: Option<Message>,
    dialog: Option<Dialog>,
    /// It takes the call to be up.
    up: bool,
    /// It has hung up, or been hung up on.
    over: bool,
    /// It gives its call up as soon as it can.
    gives_up: bool,
    out: Vec<Bytes>,
}

struct World {
    now: Duration,
    proxy: Proxy<Anchor<Ports>>,
    lives: u64,
    parties: [Party; 2],
    /// On the way to each party, and from each to us.
    to: [VecDeque<Bytes>; 2],
    from: [VecDeque<Bytes>; 2],
    branches: u32,
    /// The caller was refused. A callee that answers later takes a call to be up that is none: what they say of media
    /// is no call of ours.
    torn: bool,
}

fn core(seed: u64) -> Proxy<Anchor<Ports>> {
    let us: SocketAddr = US.parse().unwrap();
    let settings = proxy::Settings {
        dialog_key: Some([7; 16]),
        ..proxy::Settings::new(vec![Listener::bound(Transport::Udp, us)])
    };
    let mut anchor = Anchor::new(Ports::default(), Settings::default()).standing_at(&settings);
    anchor.note_changes(true);
    Proxy::new(settings, anchor, seed)
}

impl World {
    fn new() -> Self {
        let party = |number| Party {
            number,
            tag: format!("t{number}"),
            cseq: 0,
            asked: BTreeMap::new(),
            seen: Vec::new(),
            asking: None,
            dialog: None,
            up: false,
            over: false,
            gives_up: false,
            out: Vec::new(),
        };
        Self {
            now: Duration::ZERO,
            proxy: core(1),
            lives: 1,
            parties: [party(0), party(1)],
            to: Default::default(),
            from: Default::default(),
            branches: 0,
            torn: false,
        }
    }

    fn step(&mut self, what: u8, how: u8) {
        let who = usize::from(what & 1);
        match what >> 1 & 15 {
            0..=5 => {
                self.deliver(who, how & 15 == 15);
                self.receive(who, how >> 4 == 15);
            }
            6 | 7 => self.parties[who].invite(&mut self.branches, how),
            8 | 9 => self.parties[who].answer(how),
            10 => self.parties[who].bye(&mut self.branches),
            11 => self.parties[who].give_up(),
            12 => self.parties[who].update(&mut self.branches, how),
            13 => self.carry_on(),
            _ => self.pass(Duration::from_millis(u64::from(how) * 8)),
        }
        self.collect();
    }

    /// What parties have sent is on its way.
    fn collect(&mut self) {
        for who in 0..2 {
            self.from[who].extend(self.parties[who].out.drain(..));
        }
    }

    /// Brings the next message of a party's to us.
    fn deliver(&mut self, who: usize, twice: bool) -> bool {
        let Some(message) = self.from[who].pop_front() else { return false };
        let flow = Flow {
            transport: Transport::Udp,
            local: US.parse().unwrap(),
            remote: PARTIES[who].parse().unwrap(),
        };
        for _ in 0..=usize::from(twice) {
            self.proxy.receive(self.now, &flow, message.clone());
            self.drain();
        }
        true
    }

    /// Brings the next message to a party.
    fn receive(&mut self, who: usize, twice: bool) -> bool {
        let Some(message) = self.to[who].pop_front() else { return false };
        for _ in 0..=usize::from(twice) {
            let message = Message::parse(message.clone()).expect("what we send can be read");
            let caller = &self.parties[0];
            self.torn |= caller.dialog.is_none() && caller.asked.values().any(|asked| asked.refused);
            // Whose call is over takes no notice of media.
            if !self.torn && !self.parties[who].over {
                check_media(&message);
            }
            self.parties[who].take(&mut self.branches, &message);
        }
        self.collect();
        true
    }

    fn drain(&mut self) {
        let us: SocketAddr = US.parse().unwrap();
        loop {
            let Some(output) = self.proxy.poll() else { break };
            match output {
                Output::Route(query) => {
                    let from = usize::from(query.source.remote != PARTIES[0].parse().unwrap());
                    let remote = PARTIES[1 - from].parse().unwrap();
                    let target = Target::from(Destination { transport: Transport::Udp, local: us, remote });
                    let from = if from == 0 { Side::Trunk } else { Side::Pbx };
                    self.proxy.decide(self.now, query.key, Decision::Forward { from, targets: vec![target] });
                }
                Output::Send { bytes, to, .. } => {
                    let who = PARTIES.iter().position(|at| to.remote == at.parse().unwrap());
                    self.to[who.expect("sent to one of the two")].push_back(bytes);
                }
                Output::Probed { .. } | Output::Answered { .. } | Output::Undelivered { .. } => {}
            }
        }
        while self.proxy.filter().poll_fact().is_some() {}
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.proxy.timeout(self.now);
        self.drain();
        self.proxy.filter().timeout(self.now);
    }

    /// In a quiet moment another process carries the calls on.
    fn carry_on(&mut self) {
        let waits = |queues: &[VecDeque<Bytes>; 2]| queues.iter().any(|queue| !queue.is_empty());
        let quiet = self.parties.iter().all(|party| party.up && party.asking.is_none() && !party.asks());
        if !quiet || waits(&self.to) || waits(&self.from) {
            return;
        }
        let kept: Vec<Kept> = (0..64).filter_map(|key| self.proxy.filter_ref().kept(CallKey(key))).collect();
        assert_eq!(kept.len(), 1, "a call that both take to be up is one that can be carried on");
        self.lives += 1;
        self.proxy = core(self.lives);
        for kept in kept {
            self.proxy.filter().take_up(self.now, &kept.content).expect("what we write can be read");
        }
    }

    /// Everybody hangs up, and time passes.
    fn end(&mut self) {
        for _ in 0..4 {
            self.settle();
            for who in 0..2 {
                let party = &mut self.parties[who];
                party.answer(4);
                party.bye(&mut self.branches);
                party.give_up();
            }
            self.collect();
            self.settle();
        }
        for party in &self.parties {
            for asked in party
                .asked
                .values()
                .filter(|asked| asked.sent.method().is_some_and(|it| it.as_str() == "INVITE"))
            {
                assert!(
                    asked.done,
                    "party {} waits for ever for an answer to {}",
                    party.number,
                    text(&asked.sent)
                );
            }
        }
        while let Some(at) = self.proxy.next_timeout() {
            self.now = self.now.max(at);
            self.proxy.timeout(self.now);
            self.drain();
            self.settle();
        }
        while let Some(at) = self.proxy.filter().next_timeout() {
            self.proxy.filter().timeout(at);
        }
        assert_eq!(self.proxy.transactions(), 0);
        assert_eq!(self.proxy.filter().calls(), 0);
        assert_eq!(self.proxy.filter().media().held, 0, "leaked ports");
    }

    /// The network delivers all that there is.
    fn settle(&mut self) {
        for _ in 0..MOST_DELIVERIES {
            let mut moved = false;
            for who in 0..2 {
                moved |= self.deliver(who, false);
                moved |= self.receive(who, false);
            }
            if !moved {
                return;
            }
        }
        panic!("messages go round for ever");
    }
}

fn text(message: &Message) -> String {
    String::from_utf8_lossy(message.as_bytes()).into_owned()
}

fn value(message: &Message, name: Name) -> Option<String> {
    message.first_value(name).map(|value| String::from_utf8_lossy(value).into_owned())
}

fn branch(message: &Message) -> String {
    let via = value(message, Name::Via).expect("a Via");
    via.split("branch=").nth(1).expect("a branch").split(';').next().unwrap_or_default().to_owned()
}

/// The URI between angle brackets.
fn uri(name_addr: &str) -> String {
    name_addr
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'))
        .map_or_else(String::new, |(uri, _)| uri.to_owned())
}

impl Party {
    fn at(&self) -> &'static str {
        PARTIES[self.number]
    }

    /// Whether an INVITE of its own is open.
    fn asks(&self) -> bool {
        let is_invite = |asked: &Asked| asked.sent.method().is_some_and(|method| method.as_str() == "INVITE");
        self.asked.values().any(|asked| is_invite(asked) && !asked.done)
    }

    fn sdp(&self, how: u8) -> String {
        let direction = ["sendrecv", "sendonly", "recvonly", "inactive"][usize::from(how & 3)];
        let port = if how & 12 == 12 { 0 } else { 4_000 };
        let ip = self.at().split(':').next().unwrap_or_default();
        format!(
            "v=0\r\no=- 1 {how} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\na={direction}\r\n"
        )
    }

    /// An answer to what a message has offered, or an offer if it has none: what is offered with port 0 is answered so
    /// (RFC 3264 §6).
    fn sdp_to(&self, offer: &Message, how: u8) -> String {
        let refused = String::from_utf8_lossy(offer.body()).contains("m=audio 0 ");
        self.sdp(if refused { how | 12 } else { how })
    }

    fn request(&mut self, branches: &mut u32, method: &str, cseq: u32, sdp: Option<String>) -> Message {
        *branches += 1;
        let (at, tag, peer) = (self.at(), &self.tag, PARTIES[1 - self.number]);
        let (target, to, routes) = match &self.dialog {
            Some(dialog) => {
                let routes: String =
                    dialog.routes.iter().map(|route| format!("Route: {route}\r\n")).collect();
                (dialog.target.clone(), format!("<sip:x@{peer}>;tag={}", dialog.peer_tag), routes)
            }
            None => (format!("sip:x@{US}"), format!("<sip:x@{peer}>"), String::new()),
        };
        let (kind, sdp) = match sdp {
            Some(sdp) => ("Content-Type: application/sdp\r\n", sdp),
            None => ("", String::new()),
        };
        let bytes = Bytes::from(format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bKb{branches}\r\nMax-Forwards: 70\r\n{routes}\
             From: <sip:x@{at}>;tag={tag}\r\nTo: {to}\r\nCall-ID: one\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:x@{at}>\r\n{kind}Content-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        ));
        let message = Message::parse(bytes).expect("well formed");
        self.out.push(message.bytes());
        message
    }

    fn ask(&mut self, branches: &mut u32, method: &str, sdp: Option<String>) {
        self.cseq += 1;
        let sent = self.request(branches, method, self.cseq, sdp);
        self.asked.insert(branch(&sent), Asked { sent, provisional: false, done: false, refused: false });
    }

    /// The first party calls; who is in a call changes it.
    fn invite(&mut self, branches: &mut u32, how: u8) {
        let first = self.number == 0 && self.cseq == 0;
        if (first || self.up && !self.over) && !self.asks() && self.asking.is_none() {
            // Now and then without an offer (RFC 3261 §13.2.1).
            let sdp = (how & 0x30 != 0x30).then(|| self.sdp(how));
            self.ask(branches, "INVITE", sdp);
        }
    }

    fn update(&mut self, branches: &mut u32, how: u8) {
        if self.up && !self.over && !self.asks() && self.asking.is_none() {
            let sdp = Some(self.sdp(how)).filter(|_| how & 0x10 == 0);
            self.ask(branches, "UPDATE", sdp);
        }
    }

    fn bye(&mut self, branches: &mut u32) {
        if self.up && !self.over {
            (self.up, self.over) = (false, true);
            if let Some(asking) = self.asking.take() {
                self.respond(&asking, 487, None);
            }
            self.ask(branches, "BYE", None);
        }
    }

    /// Cancels an INVITE of its own that is not answered yet, once it has heard anything of it (RFC 3261 §9.1).
    fn give_up(&mut self) {
        let open = self.asked.values().find(|asked| {
            asked.sent.method().is_some_and(|method| method.as_str() == "INVITE")
                && !asked.done
                && asked.provisional
        });
        if let Some(bytes) = open.filter(|_| !self.gives_up).and_then(|asked| cancel(&asked.sent)) {
            self.gives_up = true;
            self.out.push(bytes);
        }
    }

    fn respond(&mut self, request: &Message, status: u16, sdp: Option<String>) {
        let copied: String = request
            .headers()
            .filter(|header| {
                matches!(header.name, Name::Via | Name::RecordRoute | Name::From | Name::CallId | Name::CSeq)
            })
            .map(|header| format!("{}: {}\r\n", header.name.as_str(), header.text()))
            .collect();
        let to = value(request, Name::To).expect("a To");
        let to = if to.contains("tag=") { to } else { format!("{to};tag={}", self.tag) };
        let (kind, sdp) = match sdp {
            Some(sdp) => ("Content-Type: application/sdp\r\n", sdp),
            None => ("", String::new()),
        };
        self.out.push(Bytes::from(format!(
            "SIP/2.0 {status} x\r\n{copied}To: {to}\r\nContact: <sip:x@{}>\r\n{kind}Content-Length: {}\r\n\r\n{sdp}",
            self.at(),
            sdp.len()
        )));
    }

    /// Answers the INVITE that waits.
    fn answer(&mut self, how: u8) {
        let Some(asking) = self.asking.clone() else { return };
        let status = [180, 183, 200, 200, 486, 488][usize::from(how % 6)];
        let first = !self.up;
        if status >= 200 {
            self.asking = None;
        }
        let sdp = matches!(status, 183 | 200).then(|| self.sdp_to(&asking, how >> 3));
        if status == 200 && first {
            self.up = true;
        }
        if matches!(status, 180 | 183 | 200) && self.dialog.is_none() {
            let routes = asking.values(Name::RecordRoute);
            self.dialog = Some(Dialog {
                peer_tag: asking.from_tag().unwrap_or_default().to_owned(),
                target: uri(&value(&asking, Name::Contact).unwrap_or_default()),
                routes: routes.map(|route| String::from_utf8_lossy(route).into_owned()).collect(),
            });
        }
        self.respond(&asking, status, sdp);
    }

    fn take(&mut self, branches: &mut u32, message: &Message) {
        if self.was_refused(message) {
            return;
        }
        match message.method().map(|method| method.as_str().to_owned()) {
            Some(method) => self.take_request(&method, message),
            None => self.take_response(branches, message),
        }
    }

    /// Whether this is an answer to what a failure has ended already: the callee was so late that it was given up. Such
    /// an answer is passed on as it came (RFC 3261 §16.7, step 5), and its caller takes no notice of it.
    fn was_refused(&self, message: &Message) -> bool {
        let is_request = message.is_request();
        !is_request && self.asked.get(&branch(message)).is_some_and(|asked| asked.refused)
    }

    fn take_request(&mut self, method: &str, message: &Message) {
        let key = format!("{method} {}", branch(message));
        if self.seen.contains(&key) {
            return;
        }
        self.seen.push(key);
        match method {
            "INVITE" if message.to_tag().is_some() && (!self.up || self.over) => {
                self.respond(message, 481, None);
            }
            "INVITE" if self.over => self.respond(message, 486, None),
            "INVITE" if self.asks() || self.asking.is_some() => self.respond(message, 491, None),
            "INVITE" => self.asking = Some(message.clone()),
            "ACK" => {}
            "CANCEL" => {
                self.respond(message, 200, None);
                if let Some(asking) = self.asking.take_if(|asking| branch(asking) == branch(message)) {
                    self.respond(&asking, 487, None);
                }
            }
            "BYE" => {
                if let Some(asking) = self.asking.take() {
                    self.respond(&asking, 487, None);
                }
                (self.up, self.over) = (false, true);
                self.respond(message, 200, None);
            }
            "UPDATE" if !self.up || self.over => self.respond(message, 481, None),
            "UPDATE" if self.asks() || self.asking.is_some() => self.respond(message, 491, None),
            _ => {
                let sdp = (!message.body().is_empty()).then(|| self.sdp_to(message, 0));
                self.respond(message, 200, sdp);
            }
        }
    }

    fn take_response(&mut self, branches: &mut u32, message: &Message) {
        let method = message.cseq().map(|cseq| cseq.method.as_str().to_owned()).expect("a CSeq");
        if method == "CANCEL" {
            return;
        }
        let crate::message::StartLine::Response { status, .. } = message.start() else { return };
        let asked = self.asked.get_mut(&branch(message)).expect("an answer to what it has asked");
        let sent = asked.sent.clone();
        asked.provisional |= status < 200 && status > 100;
        asked.done |= status >= 200;
        asked.refused |= status >= 300;
        if method != "INVITE" || status < 200 {
            return;
        }
        if status >= 300 {
            self.gives_up = false;
            if let Some(ack) = ack_to_failure(&sent, message) {
                self.out.push(ack);
            }
            return;
        }
        let first = !self.up && !self.over;
        if self.dialog.is_none() {
            let mut routes: Vec<String> = message
                .values(Name::RecordRoute)
                .map(|route| String::from_utf8_lossy(route).into_owned())
                .collect();
            routes.reverse();
            self.dialog = Some(Dialog {
                peer_tag: message.to_tag().unwrap_or_default().to_owned(),
                target: uri(&value(message, Name::Contact).unwrap_or_default()),
                routes,
            });
        }
        let cseq = sent.cseq().map_or(1, |cseq| cseq.number);
        let sdp = sent.body().is_empty().then(|| self.sdp_to(message, 0));
        self.request(branches, "ACK", cseq, sdp);
        if first {
            self.up = true;
            if std::mem::take(&mut self.gives_up) {
                // Its CANCEL came too late.
                self.bye(branches);
            }
        }
    }
}

/// Whatever a party is told of media leads to us.
fn check_media(message: &Message) {
    let body = String::from_utf8_lossy(message.body());
    if body.contains("m=audio 0 ") || !body.contains("m=audio") {
        return;
    }
    let connection = body.lines().find(|line| line.starts_with("c=")).expect("a connection line");
    assert!(connection.ends_with(OUR_MEDIA), "media past us: {}", text(message));
}
