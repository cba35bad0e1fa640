//! INVITE without SDP: the offer comes in the 2xx, or a reliable 18x, and the answer in ACK or PRACK.

use crate::script::{Callee, Caller, Script, audio, audio_with, led};

#[test]
fn offer_in_2xx_answer_in_ack() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, "").unwrap();
    assert_eq!(s.media(0), "none");
    let offer = s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    assert_eq!(led(&offer), "198.51.100.1:30000");
    assert_eq!(s.media(0), "? - 10.0.0.2:5000");
    let answer = s.request(Caller, "ACK 1", Some("b"), &audio("192.0.2.1", 4000)).unwrap();
    assert_eq!(led(&answer), "198.51.100.2:30002");
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    assert_eq!(s.facts(), ["started +15550100 to 4711", "answered"]);
    s.bye(Callee, 1);
}

#[test]
fn offer_in_reliable_18x_answer_in_prack() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, "").unwrap();
    let offer = s.response_with(
        Caller,
        183,
        "INVITE 1",
        "b",
        "Require: 100rel\r\nRSeq: 1\r\n",
        &audio("10.0.0.2", 5000),
    );
    assert_eq!(led(&offer), "198.51.100.1:30000");
    let answer = s.request(Caller, "PRACK 2", Some("b"), &audio("192.0.2.1", 4000)).unwrap();
    assert_eq!(led(&answer), "198.51.100.2:30002");
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000, early");
    s.response(Caller, 200, "PRACK 2", "b", "");
    s.response(Caller, 200, "INVITE 1", "b", "");
    s.request(Caller, "ACK 1", Some("b"), "").unwrap();
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    s.bye(Caller, 3);
}

#[test]
fn an_unreliable_18x_without_an_offer_to_answer_is_the_offer_to_come() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, "").unwrap();
    s.response(Caller, 183, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    assert_eq!(s.media(0), "? - 10.0.0.2:5000, early");
    s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5002));
    s.request(Caller, "ACK 1", Some("b"), &audio("192.0.2.1", 4000)).unwrap();
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5002");
}

#[test]
fn a_reinvite_without_sdp_keeps_the_media_until_the_ack() {
    let mut s = Script::new();
    s.talk();
    s.request(Callee, "INVITE 7", Some("b"), "").unwrap();
    s.response(Callee, 200, "INVITE 7", "b", &audio("192.0.2.1", 4100));
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    s.request(Callee, "ACK 7", Some("b"), &audio("10.0.0.2", 5100)).unwrap();
    assert_eq!(s.media(0), "192.0.2.1:4100 - 10.0.0.2:5100");
}

#[test]
fn hold_by_a_late_answer() {
    let mut s = Script::new();
    s.talk();
    s.request(Caller, "INVITE 2", Some("b"), "").unwrap();
    s.response(Caller, 200, "INVITE 2", "b", &audio("10.0.0.2", 5000));
    s.request(Caller, "ACK 2", Some("b"), &audio_with("192.0.2.1", 4000, "a=sendonly\r\n")).unwrap();
    assert_eq!(s.facts(), ["held by trunk"]);
}
