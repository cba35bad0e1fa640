//! Reliable provisional responses (RFC 3262): answers that settle, and offers in PRACK.

use crate::script::{Callee, Caller, Script, audio, led};

const FIRST: &str = "Require: 100rel\r\nRSeq: 1\r\n";
const SECOND: &str = "Require: 100rel, precondition\r\nRSeq: 2\r\n";

#[test]
fn answer_in_reliable_18x_settles() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    let answer = s.response_with(Caller, 183, "INVITE 1", "b", FIRST, &audio("10.0.0.2", 5000));
    assert_eq!(led(&answer), "198.51.100.1:30000");
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000, early");
    s.request(Caller, "PRACK 2", Some("b"), "").unwrap();
    s.response(Caller, 200, "PRACK 2", "b", "");
    // RFC 3261 §13.2.1: what comes after the first reliable answer says nothing new, but is led all the same.
    let repeated = s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5998));
    assert_eq!(led(&repeated), "198.51.100.1:30000");
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    s.bye(Caller, 3);
}

#[test]
fn offer_in_prack_answer_in_its_2xx() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    s.response_with(Caller, 183, "INVITE 1", "b", FIRST, &audio("10.0.0.2", 5000));
    let offer = s.request(Caller, "PRACK 2", Some("b"), &audio("192.0.2.1", 4100)).unwrap();
    assert_eq!(led(&offer), "198.51.100.2:30002");
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000, early");
    let answer = s.response(Caller, 200, "PRACK 2", "b", &audio("10.0.0.2", 5100));
    assert_eq!(led(&answer), "198.51.100.1:30000");
    assert_eq!(s.media(0), "192.0.2.1:4100 - 10.0.0.2:5100, early");
}

#[test]
fn a_refused_prack_offer_changes_nothing() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    s.response_with(Caller, 183, "INVITE 1", "b", FIRST, &audio("10.0.0.2", 5000));
    s.request(Caller, "PRACK 2", Some("b"), &audio("192.0.2.1", 4100)).unwrap();
    s.response(Caller, 488, "PRACK 2", "b", &audio("10.9.9.9", 9999));
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000, early");
}

#[test]
fn a_retransmitted_18x_does_not_undo_an_update() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    s.response_with(Caller, 183, "INVITE 1", "b", FIRST, &audio("10.0.0.2", 5000));
    s.request(Caller, "PRACK 2", Some("b"), "").unwrap();
    s.response(Caller, 200, "PRACK 2", "b", "");
    s.request(Callee, "UPDATE 1", Some("b"), &audio("10.0.0.2", 5200)).unwrap();
    s.response(Callee, 200, "UPDATE 1", "b", &audio("192.0.2.1", 4000));
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5200, early");
    s.response_with(Caller, 183, "INVITE 1", "b", FIRST, &audio("10.0.0.2", 5000));
    s.response_with(Caller, 180, "INVITE 1", "b", SECOND, "");
    s.response(Caller, 200, "INVITE 1", "b", "");
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5200");
}

#[test]
fn the_second_reliable_18x_may_bring_the_answer() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    s.response_with(Caller, 180, "INVITE 1", "b", FIRST, "");
    s.request(Caller, "PRACK 2", Some("b"), "").unwrap();
    s.response_with(Caller, 183, "INVITE 1", "b", SECOND, &audio("10.0.0.2", 5000));
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000, early");
}

#[test]
fn sdp_after_the_answer_is_not_an_offer() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    s.response_with(Caller, 183, "INVITE 1", "b", FIRST, &audio("10.0.0.2", 5000));
    s.response(Caller, 180, "INVITE 1", "b", &audio("10.0.0.2", 5998));
    s.request(Caller, "PRACK 2", Some("b"), &audio("192.0.2.1", 4100)).unwrap();
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000, early");
    s.response(Caller, 200, "PRACK 2", "b", &audio("10.0.0.2", 5100));
    assert_eq!(s.media(0), "192.0.2.1:4100 - 10.0.0.2:5100, early");
}
