//! A call that was set up before we (re)started: the next re-INVITE brings it through us.

use crate::script::{Callee, Caller, Script, audio, led};

#[test]
fn messages_of_unknown_calls_pass_as_they_are() {
    let mut s = Script::new();
    let sdp = audio("192.0.2.1", 4000);
    for what in ["ACK 4", "PRACK 5", "UPDATE 6"] {
        let out = s.request(Caller, what, Some("b"), &sdp).unwrap();
        assert_eq!(out.body(), sdp.as_bytes());
    }
    s.response(Caller, 200, "INVITE 4", "b", &sdp);
    s.request(Callee, "BYE 3", Some("b"), "").unwrap();
    s.response(Callee, 200, "BYE 3", "b", "");
    assert_eq!(s.anchor.counters().strays, 8);
    assert!(s.facts().is_empty());
    s.nothing_left();
}

#[test]
fn a_reinvite_makes_the_call_known() {
    let mut s = Script::new();
    let offer = s.request(Callee, "INVITE 7", Some("b"), &audio("10.0.0.2", 5000)).unwrap();
    assert_eq!(led(&offer), "198.51.100.1:30002");
    let answer = s.response(Callee, 200, "INVITE 7", "b", &audio("192.0.2.1", 4000));
    assert_eq!(led(&answer), "198.51.100.2:30000");
    s.request(Callee, "ACK 7", Some("b"), "").unwrap();
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    s.reinvite(Caller, 30, &audio("192.0.2.1", 4100), &audio("10.0.0.2", 5000));
    assert_eq!(s.media(0), "192.0.2.1:4100 - 10.0.0.2:5000");
    assert_eq!(s.facts(), ["started 4711 to +15550100", "answered"]);
    s.bye(Caller, 31);
    assert_eq!(s.facts(), ["ended by trunk: hangup"]);
}

#[test]
fn a_reinvite_that_is_refused_does_not() {
    let mut s = Script::new();
    s.request(Callee, "INVITE 7", Some("b"), &audio("10.0.0.2", 5000)).unwrap();
    s.response(Callee, 481, "INVITE 7", "b", "");
    s.nothing_left();
}
