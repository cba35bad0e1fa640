//! Families: each party is given an address of its own family.

use crate::script::{Caller, Script, audio, led};

fn v6(s: &mut Script) {
    s.callee_sip = "[2001:db8::2]:5060".parse().unwrap();
}

#[test]
fn ipv4_caller_ipv6_callee() {
    let mut s = Script::new();
    v6(&mut s);
    let offer = s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    assert_eq!(led(&offer), "2001:db8:ffff::2:30002");
    assert!(std::str::from_utf8(offer.body()).unwrap().contains("\r\nc=IN IP6 2001:db8:ffff::2\r\n"));
    assert!(std::str::from_utf8(offer.body()).unwrap().contains("\r\no=- 1 1 IN IP4 192.0.2.1\r\n"));
    let answer = s.response(Caller, 200, "INVITE 1", "b", &audio("2001:db8::2", 5000));
    assert_eq!(led(&answer), "198.51.100.1:30000");
    assert!(std::str::from_utf8(answer.body()).unwrap().contains("\r\nc=IN IP4 198.51.100.1\r\n"));
    assert_eq!(s.media(0), "192.0.2.1:4000 - [2001:db8::2]:5000");
    s.bye(Caller, 2);
}

#[test]
fn ipv6_throughout() {
    let mut s = Script::new();
    v6(&mut s);
    s.caller_sip = "[2001:db8::1]:5060".parse().unwrap();
    let offer = s.request(Caller, "INVITE 1", None, &audio("2001:db8::1", 4000)).unwrap();
    assert_eq!(led(&offer), "2001:db8:ffff::2:30002");
    let answer = s.response(Caller, 200, "INVITE 1", "b", &audio("2001:db8::2", 5000));
    assert_eq!(led(&answer), "2001:db8:ffff::1:30000");
}

#[test]
fn failover_to_the_other_family() {
    let mut s = Script::new();
    let first = s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    assert_eq!(led(&first), "198.51.100.2:30002");
    s.response(Caller, 183, "INVITE 1", "x", &audio("10.0.0.2", 5000));
    v6(&mut s);
    let second = s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    assert_eq!(led(&second), "2001:db8:ffff::2:30004");
    assert_eq!(s.media(0), "192.0.2.1:4000 - ?, early", "what the first target said is forgotten");
    s.response(Caller, 200, "INVITE 1", "b", &audio("2001:db8::2", 5000));
    assert_eq!(s.media(0), "192.0.2.1:4000 - [2001:db8::2]:5000");
    s.bye(Caller, 2);
}

#[test]
fn media_of_another_family_than_the_signalling() {
    let mut s = Script::new();
    s.caller_sip = "[2001:db8::1]:5060".parse().unwrap();
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    let answer = s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    assert_eq!(led(&answer), "198.51.100.1:30000");
}

#[test]
fn hold_by_address_zero_across_families() {
    let mut s = Script::new();
    v6(&mut s);
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    s.response(Caller, 200, "INVITE 1", "b", &audio("2001:db8::2", 5000));
    let (offer, _) = s.reinvite(Caller, 2, &audio("0.0.0.0", 4000), &audio("2001:db8::2", 5000));
    assert_eq!(led(&offer), ":::30002");
    assert!(std::str::from_utf8(offer.body()).unwrap().contains("\r\nc=IN IP6 ::\r\n"));
    let (offer, _) = s.reinvite(Caller, 3, &audio("192.0.2.1", 4000), &audio("2001:db8::2", 5000));
    assert_eq!(led(&offer), "2001:db8:ffff::2:30002");
    assert_eq!(s.facts()[2..], ["held by trunk", "resumed by trunk"]);
}
