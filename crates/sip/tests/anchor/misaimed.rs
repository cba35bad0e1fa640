//! SDP that aims media at an address where it must not go, or says a port that is none.

use sidetone_call::MediaKind;

use crate::script::{Callee, Caller, Script, audio, audio_with, led, led_all, streams};

const OURS: &str = "198.51.100.1";

fn script() -> Script {
    let mut s = Script::new();
    s.anchor.media().refuses = Some(OURS.parse().unwrap());
    s
}

#[test]
fn an_offer_that_aims_astray_is_refused() {
    let rtcp = format!("a=rtcp:30001 IN IP4 {OURS}\r\n");
    let offers = [
        audio(OURS, 30_000),
        audio("224.2.1.1/127", 4_000),
        audio("255.255.255.255", 4_000),
        audio("0.1.2.3", 4_000),
        audio("ff02::1", 4_000),
        audio_with("192.0.2.1", 4_000, &rtcp),
        audio_with("192.0.2.1", 4_000, "a=rtcp:30001 IN IP4 239.0.0.1\r\n"),
    ];
    for offer in offers {
        let mut s = script();
        let refusal = s.request(Caller, "INVITE 1", None, &offer).unwrap_err();
        assert_eq!((refusal.status, &*refusal.reason), (488, "Media Address Not Acceptable"), "{offer}");
        assert_eq!(s.facts().last().unwrap(), "ended by nobody: rejected 488");
        s.nothing_left();
    }
}

/// The call was fine until then, and stays as it was.
#[test]
fn a_reinvite_that_aims_astray_is_refused() {
    let mut s = script();
    s.talk();
    for by in [Caller, Callee] {
        let refusal = s.request(by, "INVITE 7", Some("b"), &audio(OURS, 30_000)).unwrap_err();
        assert_eq!(refusal.status, 488);
        assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    }
    assert_eq!(s.anchor.counters().refused_aims, 2);
}

#[test]
fn an_answer_that_aims_astray_is_sent_nothing_and_that_is_told() {
    let mut s = script();
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    let answer = s.response(Caller, 200, "INVITE 1", "b", &audio(OURS, 30_000));
    assert_eq!(led(&answer), "198.51.100.1:30000", "the caller is led to us all the same");
    assert_eq!(s.media(0), "192.0.2.1:4000 - ?");
    assert!(s.facts().iter().any(|fact| fact == "pbx aims astray"));
}

/// RFC 3264 §8.4 and RFC 3725: a hold, or a party that has no address yet.
#[test]
fn nowhere_is_no_wrong_address() {
    let mut s = script();
    s.request(Caller, "INVITE 1", None, &audio("0.0.0.0", 4000)).unwrap();
    s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    assert_eq!(s.media(0), "? - 10.0.0.2:5000, caller holds");
}

#[test]
fn a_number_that_no_port_has_leads_nowhere() {
    let two = |ip: &str| audio(ip, 5000) + "m=audio 5002 RTP/AVP 0\r\n";
    let mut s = script();
    s.request(Caller, "INVITE 1", None, &two("192.0.2.1")).unwrap();
    let answer = two("10.0.0.2").replace("m=audio 5002", "m=audio 70000");
    let answer = s.response(Caller, 200, "INVITE 1", "b", &answer);
    assert_eq!(led_all(&answer), ["198.51.100.1:30000", "198.51.100.1:0"]);
    let all = streams(&answer);
    assert!(all[1].rejected && all[1].kind == MediaKind::Audio);
    // Where there is nothing else, nothing is left of the offer.
    let alone = audio("192.0.2.1", 4000).replace("4000", "70000");
    let refusal = script().request(Caller, "INVITE 1", None, &alone).unwrap_err();
    assert_eq!((refusal.status, &*refusal.reason), (400, "Malformed SDP"));
}

/// What is promised must be there: one pair of ports (RFC 8866 §5.14).
#[test]
fn of_many_ports_one_pair_is_passed_on() {
    let mut s = script();
    let many = audio("192.0.2.1", 6000).replace("m=audio 6000", "m=audio 6000/65535");
    let offer = s.request(Caller, "INVITE 1", None, &many).unwrap();
    let text = String::from_utf8_lossy(offer.body()).into_owned();
    assert!(text.contains("m=audio 30002 RTP/AVP") || text.contains("m=audio 30000 RTP/AVP"), "{text}");
    s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    assert_eq!(s.media(0), "192.0.2.1:6000 - 10.0.0.2:5000");
}
