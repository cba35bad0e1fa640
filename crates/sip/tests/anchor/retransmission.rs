//! Old messages that pass again come out as before and change nothing. (That the same message twice in a
//! row does is checked by every script.)

use crate::script::{Callee, Caller, Script, audio, led};

#[test]
fn a_late_2xx_does_not_undo_a_reinvite() {
    let mut s = Script::new();
    s.talk();
    s.reinvite(Callee, 1, &audio("10.0.0.9", 5900), &audio("192.0.2.9", 4900));
    assert_eq!(s.media(0), "192.0.2.9:4900 - 10.0.0.9:5900");
    let old = s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    assert_eq!(led(&old), "198.51.100.1:30000");
    s.request(Caller, "ACK 1", Some("b"), "").unwrap();
    assert_eq!(s.media(0), "192.0.2.9:4900 - 10.0.0.9:5900");
}

#[test]
fn a_late_ack_with_an_answer_does_not_either() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, "").unwrap();
    s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    s.request(Caller, "ACK 1", Some("b"), &audio("192.0.2.1", 4000)).unwrap();
    s.reinvite(Callee, 1, &audio("10.0.0.9", 5900), &audio("192.0.2.9", 4900));
    s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    let old = s.request(Caller, "ACK 1", Some("b"), &audio("192.0.2.1", 4000)).unwrap();
    assert_eq!(led(&old), "198.51.100.2:30002");
    assert_eq!(s.media(0), "192.0.2.9:4900 - 10.0.0.9:5900");
}

#[test]
fn responses_to_an_older_reinvite_are_stale() {
    let mut s = Script::new();
    s.talk();
    s.reinvite(Caller, 2, &audio("192.0.2.1", 4200), &audio("10.0.0.2", 5200));
    s.reinvite(Caller, 3, &audio("192.0.2.1", 4300), &audio("10.0.0.2", 5300));
    s.response(Caller, 200, "INVITE 2", "b", &audio("10.0.0.2", 5200));
    s.response(Caller, 488, "INVITE 2", "b", "");
    assert_eq!(s.media(0), "192.0.2.1:4300 - 10.0.0.2:5300");
}

#[test]
fn the_invite_again_after_the_answer() {
    let mut s = Script::new();
    s.talk();
    let timeout = s.anchor.next_timeout();
    let again = s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    assert_eq!(led(&again), "198.51.100.2:30002");
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    assert_eq!(s.anchor.next_timeout(), timeout);
    assert!(s.facts().is_empty());
}

#[test]
fn a_second_answer_to_a_bye() {
    let mut s = Script::new();
    s.talk();
    s.bye(Caller, 2);
    s.response(Caller, 200, "BYE 2", "b", "");
    s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    assert_eq!(s.anchor.counters().strays, 2);
    assert_eq!(s.facts(), ["ended by trunk: hangup"]);
}

#[test]
fn a_late_2xx_does_not_hide_the_other_side_s_preview() {
    let mut s = Script::new();
    s.talk();
    s.request(Callee, "INVITE 1", Some("b"), &audio("10.0.0.9", 5900)).unwrap();
    s.response(Callee, 183, "INVITE 1", "b", &audio("192.0.2.9", 4900));
    s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    assert_eq!(s.media(0), "192.0.2.9:4900 - 10.0.0.9:5900");
}

#[test]
fn an_older_reinvite_does_not_displace_a_newer() {
    let mut s = Script::new();
    s.talk();
    s.request(Caller, "INVITE 3", Some("b"), &audio("192.0.2.1", 4300)).unwrap();
    s.request(Caller, "INVITE 2", Some("b"), &audio("192.0.2.1", 4200)).unwrap();
    s.response(Caller, 500, "INVITE 2", "b", "");
    s.response(Caller, 200, "INVITE 3", "b", &audio("10.0.0.2", 5300));
    assert_eq!(s.media(0), "192.0.2.1:4300 - 10.0.0.2:5300");
}
