//! UPDATE (RFC 3311): in early and confirmed dialogs, from either side, refused, and in glare.

use crate::script::{Callee, Caller, Script, audio, audio_with, led};

#[test]
fn in_a_confirmed_dialog() {
    let mut s = Script::new();
    s.talk();
    let offer =
        s.request(Callee, "UPDATE 9", Some("b"), &audio_with("10.0.0.3", 6000, "a=sendonly\r\n")).unwrap();
    assert_eq!(led(&offer), "198.51.100.1:30000");
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    let answer = s.response(Callee, 200, "UPDATE 9", "b", &audio_with("192.0.2.1", 4000, "a=recvonly\r\n"));
    assert_eq!(led(&answer), "198.51.100.2:30002");
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.3:6000, callee holds");
    assert_eq!(s.facts(), ["held by pbx"]);
}

#[test]
fn without_sdp_it_only_refreshes() {
    let mut s = Script::new();
    s.talk();
    s.request(Caller, "UPDATE 2", Some("b"), "").unwrap();
    s.response(Caller, 200, "UPDATE 2", "b", "");
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    assert!(s.facts().is_empty());
}

#[test]
fn refused_or_unanswered_it_changes_nothing() {
    let mut s = Script::new();
    s.talk();
    s.request(Caller, "UPDATE 2", Some("b"), &audio("192.0.2.9", 4900)).unwrap();
    s.response(Caller, 488, "UPDATE 2", "b", "");
    s.request(Caller, "UPDATE 3", Some("b"), &audio("192.0.2.9", 4900)).unwrap();
    s.concluded(Caller, "UPDATE 3", Some("b"), 408);
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
}

#[test]
fn glare_leaves_one_or_none() {
    let mut s = Script::new();
    s.talk();
    s.request(Caller, "UPDATE 2", Some("b"), &audio("192.0.2.1", 4200)).unwrap();
    s.request(Callee, "UPDATE 8", Some("b"), &audio("10.0.0.2", 5200)).unwrap();
    s.response(Caller, 491, "UPDATE 2", "b", "");
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    s.response(Callee, 200, "UPDATE 8", "b", &audio("192.0.2.1", 4000));
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5200");
}

#[test]
fn before_the_answer() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    s.response_with(Caller, 183, "INVITE 1", "b", "Require: 100rel\r\nRSeq: 1\r\n", &audio("10.0.0.2", 5000));
    s.request(Caller, "PRACK 2", Some("b"), "").unwrap();
    s.response(Caller, 200, "PRACK 2", "b", "");
    s.request(Caller, "UPDATE 3", Some("b"), &audio("192.0.2.1", 4300)).unwrap();
    s.response(Caller, 200, "UPDATE 3", "b", &audio("10.0.0.2", 5300));
    assert_eq!(s.media(0), "192.0.2.1:4300 - 10.0.0.2:5300, early");
    s.response(Caller, 200, "INVITE 1", "b", "");
    s.request(Caller, "ACK 1", Some("b"), "").unwrap();
    assert_eq!(s.media(0), "192.0.2.1:4300 - 10.0.0.2:5300");
}
