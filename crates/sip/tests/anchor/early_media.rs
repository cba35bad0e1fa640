//! SDP in 18x that isn't reliable: media flows by it, nothing is settled by it.

use crate::script::{Caller, Script, audio, led};

#[test]
fn preview_then_answer() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    let preview = s.response(Caller, 183, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    assert_eq!(led(&preview), "198.51.100.1:30000");
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000, early");
    s.response(Caller, 180, "INVITE 1", "b", "");
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000, early");
    s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    assert_eq!(s.facts(), ["started +15550100 to 4711", "ringing", "answered"]);
}

#[test]
fn announcement_server_first_person_later() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    s.response(Caller, 183, "INVITE 1", "b", &audio("10.0.0.8", 8000));
    s.response(Caller, 183, "INVITE 1", "b", &audio("10.0.0.9", 9000));
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.9:9000, early");
    s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
}

#[test]
fn a_2xx_without_sdp_means_what_the_preview_said() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    s.response(Caller, 183, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    s.response(Caller, 200, "INVITE 1", "b", "");
    s.request(Caller, "ACK 1", Some("b"), "").unwrap();
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
}

#[test]
fn media_may_come_before_any_answer() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    s.response(Caller, 100, "INVITE 1", "", "");
    assert_eq!(s.media(0), "192.0.2.1:4000 - ?, early");
    s.response(Caller, 180, "INVITE 1", "b", "");
    assert_eq!(s.media(0), "192.0.2.1:4000 - ?, early");
}

#[test]
fn sdp_in_a_failure_is_none_of_our_business() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    let capabilities = audio("10.0.0.2", 5000);
    let out = s.response(Caller, 488, "INVITE 1", "b", &capabilities);
    assert_eq!(out.body(), capabilities.as_bytes());
    assert_eq!(s.facts(), ["started +15550100 to 4711", "ended by pbx: rejected 488"]);
    s.nothing_left();
}
