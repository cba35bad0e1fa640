//! Hold in its styles, and what is told of it.

use crate::script::{Callee, Caller, Script, audio, audio_with, led};

#[test]
fn every_direction_that_wants_no_media_holds() {
    for (theirs, ours) in [("sendonly", "recvonly"), ("inactive", "inactive"), ("sendonly", "inactive")] {
        let mut s = Script::new();
        s.talk();
        let (offer, answer) = s.reinvite(
            Callee,
            1,
            &audio_with("10.0.0.2", 5000, &format!("a={theirs}\r\n")),
            &audio_with("192.0.2.1", 4000, &format!("a={ours}\r\n")),
        );
        assert_eq!(led(&offer), "198.51.100.1:30000");
        assert_eq!(led(&answer), "198.51.100.2:30002");
        let both = theirs == "sendonly" && ours == "inactive";
        let held = if both { vec!["held by trunk", "held by pbx"] } else { vec!["held by pbx"] };
        assert_eq!(s.facts(), held, "{theirs}/{ours}");
        s.reinvite(Callee, 2, &audio("10.0.0.2", 5000), &audio("192.0.2.1", 4000));
        assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
        let resumed = if both { vec!["resumed by trunk", "resumed by pbx"] } else { vec!["resumed by pbx"] };
        assert_eq!(s.facts(), resumed);
        s.bye(Callee, 3);
    }
}

#[test]
fn address_zero_passes_as_address_zero() {
    let mut s = Script::new();
    s.talk();
    let (offer, answer) = s.reinvite(Caller, 2, &audio("0.0.0.0", 4000), &audio("10.0.0.2", 5000));
    assert_eq!(led(&offer), "0.0.0.0:30002");
    assert_eq!(led(&answer), "198.51.100.1:30000");
    assert_eq!(s.media(0), "? - 10.0.0.2:5000, caller holds");
    assert_eq!(s.facts(), ["held by trunk"]);
    s.reinvite(Caller, 3, &audio("192.0.2.1", 4000), &audio("10.0.0.2", 5000));
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    assert_eq!(s.facts(), ["resumed by trunk"]);
}

#[test]
fn both_may_hold_and_resume_in_turn() {
    let mut s = Script::new();
    s.talk();
    let here = |d: &str| audio_with("192.0.2.1", 4000, &format!("a={d}\r\n"));
    let there = |d: &str| audio_with("10.0.0.2", 5000, &format!("a={d}\r\n"));
    s.reinvite(Caller, 2, &here("sendonly"), &there("recvonly"));
    assert_eq!(s.facts(), ["held by trunk"]);
    s.reinvite(Callee, 1, &there("inactive"), &here("inactive"));
    assert_eq!(s.facts(), ["held by pbx"]);
    // The caller resumes, but the callee doesn't.
    s.reinvite(Caller, 3, &here("sendrecv"), &there("sendonly"));
    assert_eq!(s.facts(), ["resumed by trunk"]);
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000, callee holds");
    s.reinvite(Callee, 2, &there("sendrecv"), &here("sendrecv"));
    assert_eq!(s.facts(), ["resumed by pbx"]);
}

#[test]
fn a_refresh_from_the_held_side_changes_nothing() {
    let mut s = Script::new();
    s.talk();
    let here = |d: &str| audio_with("192.0.2.1", 4000, &format!("a={d}\r\n"));
    let there = |d: &str| audio_with("10.0.0.2", 5000, &format!("a={d}\r\n"));
    s.reinvite(Caller, 2, &here("sendonly"), &there("recvonly"));
    assert_eq!(s.facts(), ["held by trunk"]);
    for offer in ["recvonly", "sendrecv"] {
        let cseq = if offer == "recvonly" { 1 } else { 2 };
        s.reinvite(Callee, cseq, &there(offer), &here("sendonly"));
        assert!(s.facts().is_empty(), "{offer}");
        assert!(s.plan(0).trunk.held && !s.plan(0).pbx.held);
    }
}

#[test]
fn a_direction_for_the_session_holds_for_its_streams() {
    let mut s = Script::new();
    s.talk();
    let offer = audio("10.0.0.2", 5000).replace("t=0 0\r\n", "t=0 0\r\na=inactive\r\n");
    s.reinvite(Callee, 1, &offer, &audio_with("192.0.2.1", 4000, "a=inactive\r\n"));
    assert_eq!(s.facts(), ["held by pbx"]);
}

#[test]
fn a_call_that_begins_on_hold() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, &audio_with("192.0.2.1", 4000, "a=inactive\r\n")).unwrap();
    s.response(Caller, 200, "INVITE 1", "b", &audio_with("10.0.0.2", 5000, "a=inactive\r\n"));
    assert_eq!(s.facts(), ["started +15550100 to 4711", "answered", "held by trunk"]);
}

#[test]
fn video_on_hold_is_not_the_call_on_hold() {
    let mut s = Script::new();
    s.talk();
    let video = |ip: &str, port: u16, d: &str| {
        format!("{}m=video {port} RTP/AVP 96\r\na={d}\r\n", audio(ip, port - 2))
    };
    s.reinvite(Caller, 2, &video("192.0.2.1", 4002, "sendonly"), &video("10.0.0.2", 5002, "recvonly"));
    assert_eq!(s.facts(), ["untappable 1: not-audio"]);
    assert_eq!(s.media(1), "192.0.2.1:4002 - 10.0.0.2:5002, caller holds");
}
