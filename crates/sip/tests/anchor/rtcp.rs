//! RTCP: beside RTP, elsewhere (RFC 3605), or with it (RFC 5761).

use std::net::SocketAddr;

use crate::script::{Caller, Script, audio_with, streams};

fn addr(text: &str) -> Option<SocketAddr> {
    Some(text.parse().unwrap())
}

fn call(offer: &str, answer: &str) -> (Script, String, String) {
    let mut s = Script::new();
    let offer = s.request(Caller, "INVITE 1", None, &audio_with("192.0.2.1", 4000, offer)).unwrap();
    let answer = s.response(Caller, 200, "INVITE 1", "b", &audio_with("10.0.0.2", 5000, answer));
    let text = |m: &sidetone_sip::Message| String::from_utf8(m.body().to_vec()).unwrap();
    assert_eq!(streams(&offer)[0].rtcp, addr("198.51.100.2:30003"));
    let (offer, answer) = (text(&offer), text(&answer));
    (s, offer, answer)
}

#[test]
fn stated_port() {
    let (mut s, offer, _) = call("a=rtcp:4055\r\n", "");
    assert!(offer.contains("a=rtcp:30003\r\n"));
    assert_eq!(s.plan(0).trunk.remote_rtcp, addr("192.0.2.1:4055"));
    assert_eq!(s.plan(0).pbx.remote_rtcp, addr("10.0.0.2:5001"));
}

#[test]
fn stated_address() {
    let (mut s, offer, answer) =
        call("a=rtcp:53020 IN IP4 126.16.64.4\r\n", "a=rtcp:53020 IN IP6 2001:db8::5\r\n");
    assert!(offer.contains("a=rtcp:30003 IN IP4 198.51.100.2\r\n"));
    assert!(answer.contains("a=rtcp:30001 IN IP4 198.51.100.1\r\n"));
    assert_eq!(s.plan(0).trunk.remote_rtcp, addr("126.16.64.4:53020"));
    assert_eq!(s.plan(0).pbx.remote_rtcp, addr("[2001:db8::5]:53020"));
}

#[test]
fn mux_agreed() {
    let (mut s, _, _) = call("a=rtcp-mux\r\n", "a=rtcp-mux\r\n");
    let plan = s.plan(0);
    assert!(plan.trunk.mux && plan.pbx.mux);
    assert_eq!(plan.trunk.remote_rtcp, addr("192.0.2.1:4000"));
    assert_eq!(plan.pbx.remote_rtcp, addr("10.0.0.2:5000"));
}

#[test]
fn mux_offered_but_not_taken_up() {
    let (mut s, _, _) = call("a=rtcp-mux\r\na=rtcp:4001\r\n", "");
    let plan = s.plan(0);
    assert!(!plan.trunk.mux && !plan.pbx.mux);
    assert_eq!(plan.trunk.remote_rtcp, addr("192.0.2.1:4001"));
}

#[test]
fn mux_without_a_port_to_fall_back_on() {
    let mut s = Script::new();
    let offer = audio_with("192.0.2.1", 4000, "a=rtcp-mux\r\na=rtcp:4000\r\n");
    let out = s.request(Caller, "INVITE 1", None, &offer).unwrap();
    assert!(String::from_utf8_lossy(out.body()).contains("a=rtcp:30002\r\n"));
}
