//! The anchor as the proxy's message filter: what leaves by the wire, and that both forget together.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sidetone_call::Side;
use sidetone_sip::anchor::{Anchor, Settings};
use sidetone_sip::message::ResponseBuilder;
use sidetone_sip::proxy::{self, Decision, Destination, Listener, Output, Proxy, Target};
use sidetone_sip::{Flow, Message, Name, Transport};

use crate::script::{FakeMedia, audio, led};

const US: &str = "198.51.100.9:5060";
const CARRIER: &str = "192.0.2.1:5060";
const PBX: &str = "10.0.0.2:5060";

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

struct Wire {
    proxy: Proxy<Anchor<FakeMedia>>,
    now: Duration,
    sent: Vec<(SocketAddr, Message)>,
}

impl Wire {
    fn new() -> Self {
        let listeners = vec![Listener::bound(Transport::Udp, addr(US))];
        let anchor = Anchor::new(FakeMedia::default(), Settings::default());
        let proxy = Proxy::new(proxy::Settings::new(listeners), anchor, 1);
        Self { proxy, now: Duration::from_secs(1), sent: Vec::new() }
    }

    fn drain(&mut self) {
        while let Some(output) = self.proxy.poll() {
            match output {
                Output::Send { bytes, to, .. } => {
                    self.sent.push((to.remote, Message::parse(bytes).unwrap()));
                }
                Output::Route(query) => {
                    let inbound = query.source.remote == addr(CARRIER);
                    let (from, remote) = if inbound { (Side::Trunk, PBX) } else { (Side::Pbx, CARRIER) };
                    let to = Destination { transport: Transport::Udp, local: addr(US), remote: addr(remote) };
                    let targets = vec![Target::from(to)];
                    self.proxy.decide(self.now, query.key, Decision::Forward { from, targets });
                }
                Output::Probed { .. } | Output::Answered { .. } | Output::Undelivered { .. } => {}
            }
        }
    }

    fn send(&mut self, from: &str, bytes: Bytes) {
        let flow = Flow { transport: Transport::Udp, local: addr(US), remote: addr(from) };
        self.proxy.receive(self.now, &flow, bytes);
        self.drain();
    }

    fn pass(&mut self, seconds: u64) {
        let until = self.now + Duration::from_secs(seconds);
        while let Some(at) = self.proxy.next_timeout().filter(|at| *at <= until) {
            self.now = at;
            self.proxy.timeout(at);
            self.drain();
        }
        self.now = until;
    }

    /// The last message to that peer; what was sent before is forgotten.
    fn last(&mut self, to: &str) -> Message {
        let at = self.sent.iter().rposition(|(peer, _)| *peer == addr(to)).expect("something was sent");
        let message = self.sent.swap_remove(at).1;
        self.sent.clear();
        message
    }

    fn invite(&mut self) -> Message {
        self.send(CARRIER, request("INVITE 1", "", &audio("192.0.2.1", 4000)));
        self.last(PBX)
    }

    fn nothing_left(&mut self) {
        let anchor = self.proxy.filter();
        assert_eq!(anchor.calls(), 0);
        assert!(anchor.media().reserved.is_empty(), "leaked ports");
    }
}

fn request(what: &str, tag: &str, body: &str) -> Bytes {
    let (method, cseq) = what.split_once(' ').unwrap();
    Bytes::from(format!(
        "{method} sip:4711@pbx.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{cseq}\r\nMax-Forwards: 70\r\n\
         From: <sip:+15550100@carrier.example>;tag=a\r\nTo: <sip:4711@pbx.example>{tag}\r\nCall-ID: c\r\n\
         CSeq: {cseq} {method}\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

fn answer(request: &Message, status: u16, body: &str) -> Bytes {
    let response = ResponseBuilder::new(request, status).to_tag("b");
    if body.is_empty() { response.build() } else { response.body("application/sdp", body).build() }
}

#[test]
fn a_call_from_end_to_end() {
    let mut w = Wire::new();
    let invite = w.invite();
    assert_eq!(led(&invite), "198.51.100.2:30002");
    assert_eq!(invite.values(Name::Via).count(), 2);
    assert_eq!(invite.values(Name::RecordRoute).count(), 1);
    let ok = answer(&invite, 200, &audio("10.0.0.2", 5000));
    w.send(PBX, ok.clone());
    let first = w.last(CARRIER);
    assert_eq!(led(&first), "198.51.100.1:30000");
    assert_eq!(first.values(Name::Via).count(), 1);
    w.pass(1);
    w.send(PBX, ok);
    assert_eq!(w.last(CARRIER).as_bytes(), first.as_bytes(), "the 2xx again is the same again");
    w.send(CARRIER, request("ACK 1", ";tag=b", ""));
    w.send(CARRIER, request("BYE 2", ";tag=b", ""));
    let bye = w.last(PBX);
    w.send(PBX, answer(&bye, 200, ""));
    w.nothing_left();
    w.pass(100);
    assert_eq!(w.proxy.transactions(), 0);
}

#[test]
fn nobody_answers() {
    let mut w = Wire::new();
    w.invite();
    assert_eq!(w.proxy.filter().calls(), 1);
    w.pass(60);
    let status = w.last(CARRIER).status().unwrap();
    assert!((400..600).contains(&status), "{status}");
    w.nothing_left();
}

#[test]
fn cancelled() {
    let mut w = Wire::new();
    let invite = w.invite();
    w.send(PBX, answer(&invite, 180, ""));
    w.send(CARRIER, request("CANCEL 1", "", ""));
    w.send(PBX, answer(&invite, 487, ""));
    assert_eq!(w.last(CARRIER).status(), Some(487));
    w.nothing_left();
}

#[test]
fn no_ports() {
    let mut w = Wire::new();
    w.proxy.filter().media().left = Some(0);
    w.send(CARRIER, request("INVITE 1", "", &audio("192.0.2.1", 4000)));
    assert_eq!(w.last(CARRIER).status(), Some(503));
    w.nothing_left();
}
