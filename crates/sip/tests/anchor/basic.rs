//! A call with an early offer, from either side, ended from either side.

use std::net::IpAddr;

use sidetone_call::{Direction, MediaKind, Side};

use crate::script::{Callee, Caller, Script, audio, led};

#[test]
fn both_ways_lead_through_us() {
    let mut s = Script::new();
    let offer = s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    assert_eq!(led(&offer), "198.51.100.2:30002");
    assert_eq!(s.media(0), "192.0.2.1:4000 - ?, early");
    s.response(Caller, 180, "INVITE 1", "b", "");
    let answer = s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    assert_eq!(led(&answer), "198.51.100.1:30000");
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    s.request(Caller, "ACK 1", Some("b"), "").unwrap();
    assert_eq!(s.facts(), ["started +15550100 to 4711", "ringing", "answered"]);
    s.bye(Caller, 2);
    assert_eq!(s.facts(), ["ended by trunk: hangup"]);
}

#[test]
fn a_call_from_the_pbx() {
    let mut s = Script::new();
    s.caller_side = Side::Pbx;
    s.talk();
    let plan = s.plan(0);
    assert_eq!(plan.pbx.remote_rtp, Some("192.0.2.1:4000".parse().unwrap()));
    assert_eq!(plan.trunk.remote_rtp, Some("10.0.0.2:5000".parse().unwrap()));
    s.bye(Callee, 1);
    assert_eq!(s.facts(), ["ended by trunk: hangup"]);
}

#[test]
fn the_plan_says_what_each_end_wants() {
    let mut s = Script::new();
    s.talk();
    let plan = s.plan(0);
    assert_eq!(plan.kind, MediaKind::Audio);
    assert_eq!(plan.tappable, Ok(()));
    assert!(plan.answered);
    let end = &plan.trunk;
    let formats: Vec<_> = end.formats.iter().map(|f| (f.payload_type, f.encoding.as_str())).collect();
    assert_eq!(formats, [(0, "PCMU"), (8, "PCMA"), (101, "telephone-event")]);
    assert_eq!(end.formats[2].fmtp, "0-15");
    assert_eq!(end.signalled_from, Some("192.0.2.1".parse::<IpAddr>().unwrap()));
    assert_eq!(end.remote_rtcp, Some("192.0.2.1:4001".parse().unwrap()));
    assert_eq!((end.direction, end.held, end.mux), (Direction::SendRecv, false, false));
}

#[test]
fn other_messages_pass_untouched() {
    let mut s = Script::new();
    s.talk();
    let sdp = audio("192.0.2.1", 4000);
    for method in ["INFO", "MESSAGE", "OPTIONS", "NOTIFY", "REFER", "XYZZY"] {
        let message = s.request(Caller, &format!("{method} 2"), Some("b"), &sdp).unwrap();
        assert_eq!(message.body(), sdp.as_bytes(), "{method}");
        let message = s.response(Caller, 200, &format!("{method} 2"), "b", &sdp);
        assert_eq!(message.body(), sdp.as_bytes(), "{method}");
    }
    assert!(s.facts().is_empty());
}

#[test]
fn two_calls_have_ports_of_their_own() {
    let mut s = Script::new();
    s.talk();
    s.call_id = "call-2@example.com";
    let offer = s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4002)).unwrap();
    assert_eq!(led(&offer), "198.51.100.2:30006");
    assert_eq!(s.anchor.calls(), 2);
}

/// A PBX that is a proxy may send the call back out: one Call-ID, twice through us.
#[test]
fn a_spiral_is_two_calls() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    s.caller_side = Side::Pbx;
    let back = s.request(Caller, "INVITE 1", None, &audio("198.51.100.2", 30002)).unwrap();
    assert_eq!(led(&back), "198.51.100.1:30006");
    s.response(Caller, 486, "INVITE 1", "b", "");
    s.caller_side = Side::Trunk;
    s.response(Caller, 486, "INVITE 1", "b", "");
    s.nothing_left();
}

#[test]
fn of_a_spiral_one_pass_may_fail() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    (s.caller_side, s.branch) = (Side::Pbx, "z9hG4bKpbx");
    s.request(Caller, "INVITE 1", None, &audio("198.51.100.2", 30002)).unwrap();
    s.facts();
    s.concluded(Caller, "INVITE 1", None, 503);
    assert_eq!(s.anchor.media().released, [sidetone_call::CallKey(2)]);
}

#[test]
fn line_ends_and_odd_spacing_survive() {
    let mut s = Script::new();
    let odd = "v=0\no=x 1 1 IN IP4 192.0.2.1\ns=\nc=IN  IP4  192.0.2.1\nt=0 0\nm=audio  4000  RTP/AVP  0\n\
               x-garbage\na=foo:bar  \nm=audio 4002/2 RTP/AVP 0";
    let out = s.request(Caller, "INVITE 1", None, odd).unwrap();
    let expected = odd
        .replace("c=IN  IP4  192.0.2.1", "c=IN  IP4  198.51.100.2")
        .replace("  4000  ", "  30002  ")
        .replace("4002/2", "30006");
    assert_eq!(std::str::from_utf8(out.body()).unwrap(), expected);
}

/// A host name in c=, or no c= at all: media goes where the signalling comes from, until the party's own shows the way.
#[test]
fn a_description_without_an_address() {
    let named = audio("192.0.2.1", 4000).replace("c=IN IP4 192.0.2.1", "c=IN IP4 sbc.example");
    let without = audio("10.0.0.2", 5000).replace("c=IN IP4 10.0.0.2\r\n", "");
    let mut s = Script::new();
    let offer = s.request(Caller, "INVITE 1", None, &named).unwrap();
    let answer = s.response(Caller, 200, "INVITE 1", "b", &without);
    assert_eq!((led(&offer).as_str(), led(&answer).as_str()), ("198.51.100.2:30002", "198.51.100.1:30000"));
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    let plan = s.plan(0);
    assert_eq!(plan.trunk.remote_rtcp, Some("192.0.2.1:4001".parse().unwrap()));
    assert_eq!(plan.pbx.remote_rtcp, Some("10.0.0.2:5001".parse().unwrap()));
}
