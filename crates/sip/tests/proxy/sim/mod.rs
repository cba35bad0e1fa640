//! A network of one: the proxy core between peers that a test plays by hand, in virtual time.
//!
//! `send` puts a message into the proxy, and whatever comes out lies in the addressee's inbox for `take` and friends.
//! `pass` lets time go by. Nothing is lost or delayed here; see `lossy` for that.

pub mod lossy;
pub mod messages;
pub mod phone;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sidetone_call::Side;
use sidetone_sip::message::{Edit, Message, Method};
use sidetone_sip::proxy::{
    Answer, Decision, Destination, ForwardContext, Listener, MessageFilter, Neighbour, Output, Proxy,
    Refusal, Requester, RouteKind, RouteQuery, Settings, Steered, Target,
};
use sidetone_sip::{Flow, Transport};

pub use messages::*;

pub const US: &str = "192.0.2.1:5060";
pub const US6: &str = "[2001:db8::1]:5060";
pub const CARRIER: &str = "198.51.100.10:5060";
pub const PBX: &str = "203.0.113.20:5060";
pub const PBX2: &str = "203.0.113.21:5060";
pub const PBX3: &str = "203.0.113.22:5060";
pub const PBX6: &str = "[2001:db8::20]:5060";

pub fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// What reached a peer.
#[derive(Debug, Clone)]
pub struct Arrived {
    pub at: Duration,
    pub to: Destination,
    pub connect: bool,
    pub message: Message,
}

/// Notes what the proxy shows it, and refuses on request.
#[derive(Debug, Default)]
pub struct Recorder {
    /// Method, side it came from, next hop.
    pub requests: Vec<(String, Side, SocketAddr)>,
    pub responses: Vec<(u16, Side, SocketAddr)>,
    pub concluded: Vec<(String, u16)>,
    /// The peer that has begun the call, of each INVITE.
    pub callers: Vec<Option<Neighbour>>,
    pub refuse: Option<u16>,
}

impl MessageFilter for Recorder {
    fn request(&mut self, ctx: &ForwardContext, request: &Message, _: &mut Edit) -> Result<(), Refusal> {
        self.requests.push((request.method().unwrap().to_string(), ctx.from, ctx.toward));
        if request.method() == Some(Method::INVITE) {
            self.callers.push(ctx.caller);
        }
        match self.refuse {
            Some(status) => Err(Refusal { status, reason: "Refused".into() }),
            None => Ok(()),
        }
    }

    fn response(&mut self, ctx: &ForwardContext, response: &Message, _: &mut Edit) {
        self.responses.push((response.status().unwrap(), ctx.from, ctx.toward));
    }

    fn concluded(&mut self, _: Duration, _: Requester, request: &Message, status: u16) {
        self.concluded.push((request.method().unwrap().to_string(), status));
    }
}

pub struct Net {
    pub proxy: Proxy<Recorder>,
    pub now: Duration,
    inbox: BTreeMap<SocketAddr, VecDeque<Arrived>>,
    /// Where requests from the carrier go, in order.
    pub pbx: Vec<Destination>,
    /// Decide nothing by itself: queries wait in `asked`.
    pub hold_routes: bool,
    pub asked: Vec<RouteQuery>,
    /// Destinations that nothing can be sent to.
    pub unreachable: Vec<Destination>,
    /// Connections that the shell holds open; others have to be opened with `connect`.
    pub connections: Vec<Destination>,
    pub probed: Vec<Option<u16>>,
    /// How requests of our own ended.
    pub answers: Vec<Answer>,
    /// Final responses that got nowhere.
    pub undelivered: Vec<Message>,
}

pub fn settings() -> Settings {
    Settings::new(vec![
        Listener::bound(Transport::Udp, addr(US)),
        Listener::bound(Transport::Tcp, addr(US)),
        Listener::bound(Transport::Udp, addr(US6)),
    ])
}

/// From our listener of the right family.
pub fn udp(remote: &str) -> Destination {
    let remote = addr(remote);
    let local = addr(if remote.is_ipv4() { US } else { US6 });
    Destination { transport: Transport::Udp, local, remote }
}

pub fn tcp(remote: &str) -> Destination {
    Destination { transport: Transport::Tcp, ..udp(remote) }
}

impl Net {
    pub fn new() -> Self {
        Self::with(settings())
    }

    pub fn with(settings: Settings) -> Self {
        Self {
            proxy: Proxy::new(settings, Recorder::default(), 7),
            now: secs(1000),
            inbox: BTreeMap::new(),
            pbx: vec![udp(PBX)],
            hold_routes: false,
            asked: Vec::new(),
            unreachable: Vec::new(),
            connections: Vec::new(),
            probed: Vec::new(),
            answers: Vec::new(),
            undelivered: Vec::new(),
        }
    }

    /// A datagram from that peer.
    pub fn send(&mut self, from: &str, message: impl Into<Vec<u8>>) {
        let Destination { transport, local, remote } = udp(from);
        self.send_on(Flow { transport, local, remote }, message);
    }

    /// A message on that peer's connection.
    pub fn send_tcp(&mut self, from: &str, message: impl Into<Vec<u8>>) {
        let to = tcp(from);
        if !self.connections.contains(&to) {
            self.connections.push(to);
        }
        self.send_on(Flow { transport: to.transport, local: to.local, remote: to.remote }, message);
    }

    pub fn send_on(&mut self, flow: Flow, message: impl Into<Vec<u8>>) {
        self.proxy.receive(self.now, &flow, Bytes::from(message.into()));
        self.drain();
    }

    pub fn decide(&mut self, query: &RouteQuery, decision: Decision) {
        self.proxy.decide(self.now, query.key, decision);
        self.drain();
    }

    /// Does what the proxy asks for.
    pub fn drain(&mut self) {
        while let Some(output) = self.proxy.poll() {
            match output {
                Output::Send { bytes, to, connect } => self.carry(&bytes, to, connect),
                Output::Route(query) if self.hold_routes => self.asked.push(query),
                Output::Route(query) => {
                    let decision = self.route(&query);
                    self.asked.push(query.clone());
                    self.proxy.decide(self.now, query.key, decision);
                }
                Output::Probed { status, .. } => self.probed.push(status),
                Output::Answered { answer, .. } => self.answers.push(answer),
                Output::Undelivered { response, .. } => {
                    self.undelivered.push(Message::parse(response).unwrap());
                }
            }
        }
    }

    fn carry(&mut self, bytes: &Bytes, to: Destination, connect: bool) {
        let opens = connect && !to.transport.is_websocket();
        let connected = to.transport == Transport::Udp || opens || self.connections.contains(&to);
        if self.unreachable.contains(&to) || !connected {
            self.proxy.send_failed(self.now, &to);
            self.proxy.unsent(self.now, &to, bytes);
            return;
        }
        if to.transport.is_reliable() && !self.connections.contains(&to) {
            self.connections.push(to);
        }
        let message = Message::parse(bytes.clone()).unwrap_or_else(|_| status_only(bytes));
        self.inbox.entry(to.remote).or_default().push_back(Arrived { at: self.now, to, connect, message });
    }

    /// As the shell would: by configuration from the carrier to the PBX and back, or straight to the next hop.
    pub fn route(&self, query: &RouteQuery) -> Decision {
        let from = if query.source.remote.ip() == addr(CARRIER).ip() { Side::Trunk } else { Side::Pbx };
        let targets = match (&query.kind, from) {
            (RouteKind::Service { .. }, _) => return Decision::Drop,
            (RouteKind::Flow { to: Steered::To(to), .. }, _) => vec![*to],
            (RouteKind::Flow { .. }, _) => {
                return Decision::Reject { status: 430, reason: "Flow Failed".into(), headers: Vec::new() };
            }
            (RouteKind::Initial, Side::Trunk) => self.pbx.clone(),
            (RouteKind::Initial, Side::Pbx) => vec![udp(CARRIER)],
            (RouteKind::Onward { next_hop }, _) => {
                let uri = next_hop.view();
                let ip = uri.host_ip().expect("tests route to addresses");
                let remote = SocketAddr::new(ip, uri.port().unwrap_or(5060)).to_string();
                vec![if uri.transport() == Some(Transport::Tcp) { tcp(&remote) } else { udp(&remote) }]
            }
        };
        Decision::Forward { from, targets: targets.into_iter().map(Target::from).collect() }
    }

    /// Lets time go by, waking the proxy exactly when it asks for it.
    pub fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.proxy.next_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.proxy.timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// The oldest message in that peer's inbox.
    pub fn arrived(&mut self, peer: &str) -> Option<Arrived> {
        self.inbox.get_mut(&addr(peer))?.pop_front()
    }

    /// Everything that has reached anybody.
    pub fn anywhere(&mut self) -> impl Iterator<Item = Arrived> {
        std::mem::take(&mut self.inbox).into_values().flatten()
    }

    pub fn all(&mut self, peer: &str) -> Vec<Arrived> {
        self.inbox.remove(&addr(peer)).unwrap_or_default().into()
    }

    /// The oldest message in that peer's inbox, which has to be a request with that method, or a response with that
    /// status.
    #[track_caller]
    pub fn take(&mut self, peer: &str, what: &str) -> Message {
        let Some(arrived) = self.arrived(peer) else { panic!("{peer} got nothing, wanted {what}") };
        assert_eq!(describe(&arrived.message), what, "at {peer}");
        arrived.message
    }

    /// That nothing (more) has reached that peer.
    #[track_caller]
    pub fn nothing(&mut self, peer: &str) {
        let left: Vec<_> = self.all(peer).iter().map(|a| describe(&a.message)).collect();
        assert!(left.is_empty(), "{peer} got {left:?}");
    }

    /// That all is quiet in the end: no transactions, no timers.
    #[track_caller]
    pub fn finish(mut self) {
        self.pass(secs(600));
        assert_eq!(self.proxy.transactions(), 0, "transactions left");
        assert_eq!(self.proxy.next_timeout(), None, "timers left");
    }
}

/// A response to a request that lacks headers lacks them too, and can't be read but for its status line.
fn status_only(bytes: &Bytes) -> Message {
    assert!(bytes.starts_with(b"SIP/2.0 4") || bytes.starts_with(b"SIP/2.0 5"), "not well formed: {bytes:?}");
    let end = bytes.iter().position(|&b| b == b'\n').unwrap();
    let rest = b"Via: SIP/2.0/UDP h\r\nFrom: <sip:a@b>\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 X\r\n\r\n";
    Message::parse(Bytes::from([&bytes[..=end], rest].concat())).unwrap()
}

/// `INVITE`, or `180`.
pub fn describe(message: &Message) -> String {
    match message.status() {
        Some(status) => status.to_string(),
        None => message.method().unwrap().to_string(),
    }
}
