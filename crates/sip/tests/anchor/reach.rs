//! How the parties of a call are reached by a request of our own.

use sidetone_call::{CallKey, Side};
use sidetone_sip::Transport;
use sidetone_sip::anchor::{Anchor, Reach, Settings};
use sidetone_sip::message::Method;
use sidetone_sip::proxy::{self, Listener};

use crate::script::{Callee, Caller, FakeMedia, Script, audio};

const CALL: CallKey = CallKey(1);
/// We stand between edge and core, on both sides of us.
const INVITE: &str = "Contact: <sip:anna@192.0.2.7:5070>\r\nRecord-Route: <sip:edge.carrier.example;lr>\r\n";
const ANSWER: &str = "Contact: <sip:4711@10.0.0.9>\r\nRecord-Route: <sip:core.pbx.example;lr>\r\n\
    Record-Route: <sip:198.51.100.9;lr>\r\nRecord-Route: <sip:edge.carrier.example;lr>\r\n";

fn script() -> Script {
    let mut s = Script::new();
    let listener = Listener::bound(Transport::Udp, "198.51.100.9:5060".parse().unwrap());
    let us = proxy::Settings::new(vec![listener]);
    s.anchor = Anchor::new(FakeMedia::default(), Settings::default()).standing_at(&us);
    s.request_with(Caller, "INVITE 4", None, INVITE, &audio("192.0.2.1", 4000)).unwrap();
    s
}

fn answered() -> Script {
    let mut s = script();
    s.response_with(Caller, 200, "INVITE 4", "b", ANSWER, &audio("10.0.0.2", 5000));
    s.request(Caller, "ACK 4", Some("b"), "").unwrap();
    s
}

fn question(reach: &Reach) -> String {
    let head = reach.request(Method::OPTIONS, reach.number).unwrap();
    String::from_utf8(head.build().to_vec()).unwrap()
}

#[test]
fn each_party_is_written_to_as_its_peer_would() {
    let s = answered();
    let pbx = s.anchor.reach(CALL, Side::Pbx).unwrap();
    assert_eq!(pbx.names, ["call-1@example.com", "caller", "b"]);
    assert_eq!((pbx.hop.as_str(), pbx.source.remote), ("sip:core.pbx.example;lr", s.callee_sip));
    let text = question(&pbx);
    for line in [
        "OPTIONS sip:4711@10.0.0.9 SIP/2.0",
        "Route: <sip:core.pbx.example;lr>",
        "From: <sip:+15550100@carrier.example>;tag=caller",
        "To: <sip:4711@pbx.example>;tag=b",
        "Call-ID: call-1@example.com",
        "CSeq: 4 OPTIONS",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
    let trunk = s.anchor.reach(CALL, Side::Trunk).unwrap();
    assert_eq!((trunk.hop.as_str(), trunk.source.remote), ("sip:edge.carrier.example;lr", s.caller_sip));
    let text = question(&trunk);
    for line in [
        "OPTIONS sip:anna@192.0.2.7:5070 SIP/2.0",
        "Route: <sip:edge.carrier.example;lr>",
        "From: <sip:4711@pbx.example>;tag=b",
        "To: <sip:+15550100@carrier.example>;tag=caller",
        "CSeq: 0 OPTIONS",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
}

/// A question must not use up a number that the peer will take for its next request.
#[test]
fn the_number_is_that_of_the_peers_latest_request() {
    let mut s = answered();
    s.request(Callee, "UPDATE 77", Some("b"), "").unwrap();
    s.request(Caller, "INFO 5", Some("b"), "").unwrap();
    s.request(Caller, "INFO 5", Some("b"), "").unwrap();
    assert_eq!(s.anchor.reach(CALL, Side::Trunk).unwrap().number, 77);
    assert_eq!(s.anchor.reach(CALL, Side::Pbx).unwrap().number, 5);
}

#[test]
fn a_contact_that_moves_is_followed() {
    let mut s = answered();
    let moved = "Contact: <sip:4711@10.0.0.10>\r\n";
    s.request_with(Callee, "UPDATE 8", Some("b"), moved, "").unwrap();
    let anna = "Contact: <sip:anna@192.0.2.8>\r\n";
    s.response_with(Callee, 200, "UPDATE 8", "b", anna, "");
    let texts = [Side::Pbx, Side::Trunk].map(|side| question(&s.anchor.reach(CALL, side).unwrap()));
    assert!(texts[0].starts_with("OPTIONS sip:4711@10.0.0.10 "), "{}", texts[0]);
    assert!(texts[1].starts_with("OPTIONS sip:anna@192.0.2.8 "), "{}", texts[1]);
}

#[test]
fn nobody_is_written_to_before_the_answer_or_after_the_end() {
    let mut s = script();
    s.response_with(Caller, 180, "INVITE 4", "b", ANSWER, "");
    assert!(s.anchor.reach(CALL, Side::Pbx).is_none());
    let mut s = answered();
    s.bye(Caller, 5);
    assert!(s.anchor.reach(CALL, Side::Pbx).is_none());
}

/// Without a Contact that we can read there is nowhere to write to.
#[test]
fn what_is_not_known_is_not_guessed() {
    let mut s = Script::new();
    s.talk();
    assert!(s.anchor.reach(CALL, Side::Pbx).is_none());
}
