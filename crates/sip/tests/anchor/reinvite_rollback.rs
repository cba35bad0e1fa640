//! re-INVITE that changes the media, and that fails: what was agreed before holds (RFC 3261 §14.1).

use crate::script::{Callee, Caller, Script, audio, audio_with, led};

#[test]
fn address_and_codec_change() {
    let mut s = Script::new();
    s.talk();
    let offer = audio("192.0.2.77", 4770).replace("RTP/AVP 0 8 101", "RTP/AVP 9 101");
    let answer = audio("10.0.0.2", 5002).replace("RTP/AVP 0 8 101", "RTP/AVP 9 101");
    let (offer, answer) = s.reinvite(Caller, 2, &offer, &answer);
    assert_eq!((led(&offer).as_str(), led(&answer).as_str()), ("198.51.100.2:30002", "198.51.100.1:30000"));
    assert_eq!(s.media(0), "192.0.2.77:4770 - 10.0.0.2:5002");
    assert_eq!(s.plan(0).trunk.formats[0].encoding, "G722");
    s.bye(Caller, 3);
}

#[test]
fn every_failure_rolls_back() {
    for status in [408, 481, 488, 491, 500, 503, 603] {
        let mut s = Script::new();
        s.talk();
        s.request(Caller, "INVITE 2", Some("b"), &audio_with("192.0.2.9", 4900, "a=sendonly\r\n")).unwrap();
        s.response(Caller, 183, "INVITE 2", "b", &audio_with("10.0.0.9", 5900, "a=recvonly\r\n"));
        assert_eq!(s.media(0), "192.0.2.9:4900 - 10.0.0.9:5900, caller holds");
        s.response(Caller, status, "INVITE 2", "b", "");
        assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000", "{status}");
        s.bye(Caller, 3);
    }
}

#[test]
fn the_proxy_s_own_failure_rolls_back() {
    let mut s = Script::new();
    s.talk();
    s.request(Callee, "INVITE 2", Some("b"), &audio("10.0.0.9", 5900)).unwrap();
    s.concluded(Callee, "INVITE 2", Some("b"), 408);
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    assert_eq!(s.anchor.calls(), 1);
}

#[test]
fn settled_by_a_reliable_18x_and_then_refused() {
    let mut s = Script::new();
    s.talk();
    s.request(Caller, "INVITE 2", Some("b"), &audio("192.0.2.9", 4900)).unwrap();
    s.response_with(Caller, 183, "INVITE 2", "b", "Require: 100rel\r\nRSeq: 7\r\n", &audio("10.0.0.9", 5900));
    assert_eq!(s.media(0), "192.0.2.9:4900 - 10.0.0.9:5900");
    s.response(Caller, 488, "INVITE 2", "b", "");
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
}

#[test]
fn glare() {
    let mut s = Script::new();
    s.talk();
    s.request(Caller, "INVITE 2", Some("b"), &audio("192.0.2.9", 4900)).unwrap();
    s.request(Callee, "INVITE 5", Some("b"), &audio("10.0.0.9", 5900)).unwrap();
    s.response(Caller, 491, "INVITE 2", "b", "");
    s.response(Callee, 491, "INVITE 5", "b", "");
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    s.reinvite(Callee, 6, &audio("10.0.0.9", 5900), &audio("192.0.2.1", 4000));
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.9:5900");
}

#[test]
fn glare_that_one_side_wins() {
    let mut s = Script::new();
    s.talk();
    s.request(Caller, "INVITE 2", Some("b"), &audio("192.0.2.9", 4900)).unwrap();
    s.request(Callee, "INVITE 5", Some("b"), &audio("10.0.0.9", 5900)).unwrap();
    s.response(Callee, 200, "INVITE 5", "b", &audio("192.0.2.1", 4000));
    s.response(Caller, 491, "INVITE 2", "b", "");
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.9:5900");
}
