//! Media that can't be listened to: relayed, reported, never broken.

use crate::script::{Caller, Script, audio, audio_with, led_all};

fn call(offer: &str, answer: &str) -> (Script, Vec<String>) {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, offer).unwrap();
    s.response(Caller, 200, "INVITE 1", "b", answer);
    let facts = s.facts().split_off(1).into_iter().filter(|f| f != "answered").collect();
    (s, facts)
}

fn both(edit: impl Fn(String) -> String) -> (Script, Vec<String>) {
    call(&edit(audio("192.0.2.1", 4000)), &edit(audio("10.0.0.2", 5000)))
}

#[test]
fn reasons() {
    let crypto = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n";
    let print = format!("a=setup:actpass\r\na=fingerprint:sha-256 {}\r\n", ["AB:CD"; 16].join(":"));
    let table: [(&str, (Script, Vec<String>)); 6] = [
        ("untappable 0: srtp", both(|s| s.replace("RTP/AVP", "RTP/SAVP") + crypto)),
        ("untappable 0: srtp", both(|s| s + crypto)),
        ("untappable 0: dtls", both(|s| s.replace("RTP/AVP", "UDP/TLS/RTP/SAVPF") + &print)),
        (
            "untappable 0: dtls",
            both(|s| s.replace("t=0 0\r\n", &format!("t=0 0\r\n{print}")).replace("AVP", "SAVPF")),
        ),
        ("untappable 0: unknown-codec", both(|s| s.replace("RTP/AVP 0 8 101", "RTP/AVP 18 101"))),
        ("untappable 0: not-audio", both(|s| s.replace("m=audio", "m=video"))),
    ];
    for (reason, (mut s, facts)) in table {
        assert_eq!(facts, [reason]);
        assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000", "relayed all the same");
        assert!(s.plan(0).tappable.is_err());
    }
}

#[test]
fn protection_that_is_offered_but_not_taken_up() {
    let crypto = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n";
    let (mut s, facts) = call(&audio_with("192.0.2.1", 4000, crypto), &audio("10.0.0.2", 5000));
    assert!(facts.is_empty());
    assert_eq!(s.plan(0).tappable, Ok(()));
}

#[test]
fn a_readable_codec_must_be_common_to_both() {
    let (_, facts) = call(&audio("192.0.2.1", 4000), &audio("10.0.0.2", 5000).replace("0 8 101", "18 101"));
    assert_eq!(facts, ["untappable 0: unknown-codec"]);
    let opus = |pt: u8| format!("a=rtpmap:{pt} opus/48000/2\r\n");
    let theirs = audio_with("192.0.2.1", 4000, &opus(111)).replace("0 8 101", "18 111 101");
    let ours = audio_with("10.0.0.2", 5000, &opus(96)).replace("0 8 101", "96 101");
    assert!(call(&theirs, &ours).1.is_empty());
}

#[test]
fn fax_in_the_middle_of_a_call() {
    let mut s = Script::new();
    s.talk();
    let fax = |ip: &str, port: u16| {
        format!(
            "v=0\r\no=- 1 2 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=image {port} udptl t38\r\na=T38FaxVersion:0\r\n"
        )
    };
    let (offer, answer) = s.reinvite(Caller, 2, &fax("192.0.2.1", 4006), &fax("10.0.0.2", 5006));
    assert_eq!(
        (led_all(&offer), led_all(&answer)),
        (vec!["198.51.100.2:30002".into()], vec!["198.51.100.1:30000".into()])
    );
    assert_eq!(s.media(0), "192.0.2.1:4006 - 10.0.0.2:5006");
    assert_eq!(s.facts(), ["untappable 0: fax"]);
    s.reinvite(Caller, 3, &audio("192.0.2.1", 4000), &audio("10.0.0.2", 5000));
    assert_eq!(s.plan(0).tappable, Ok(()));
}

#[test]
fn it_is_said_once() {
    let (mut s, facts) = both(|s| s.replace("RTP/AVP 0 8 101", "RTP/AVP 18 101"));
    assert_eq!(facts.len(), 1);
    let g729 = |ip: &str, port: u16| audio(ip, port).replace("RTP/AVP 0 8 101", "RTP/AVP 18 101");
    s.reinvite(Caller, 2, &g729("192.0.2.1", 4100), &g729("10.0.0.2", 5000));
    assert!(s.facts().is_empty());
}

#[test]
fn msrp_passes_by() {
    let msrp = |ip: &str| audio(ip, 4000) + "m=message 7654 TCP/MSRP *\r\n";
    let (_, facts) = call(&msrp("192.0.2.1"), &msrp("10.0.0.2"));
    assert_eq!(facts, ["untappable 1: not-relayed"]);
}

/// A PBX that offers both, encrypted first, and a party that takes the plain one: an answer decides what is heard.
#[test]
fn an_encrypted_m_line_that_the_answer_turns_down_is_not_told() {
    let two = |ip: &str, encrypted: u16, plain: u16| {
        audio(ip, encrypted).replace("RTP/AVP", "RTP/SAVP")
            + "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n"
            + &format!("m=audio {plain} RTP/AVP 0\r\n")
    };
    let (mut s, facts) = call(&two("192.0.2.1", 4000, 4002), &two("10.0.0.2", 0, 5002));
    assert!(facts.is_empty(), "{facts:?}");
    assert_eq!((s.plan(0).tappable, s.plan(1).tappable), (Ok(()), Ok(())));
    assert_eq!((s.media(0), s.media(1)), ("? - ?".to_owned(), "192.0.2.1:4002 - 10.0.0.2:5002".to_owned()));
    // One that is taken up is told still.
    let (_, facts) = call(&two("192.0.2.1", 4000, 4002), &two("10.0.0.2", 5000, 0));
    assert_eq!(facts, ["untappable 0: srtp"]);
}

#[test]
fn an_answer_that_leaves_an_m_line_out_has_not_taken_it() {
    let crypto = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n";
    let offer = audio("192.0.2.1", 4000) + "m=audio 4002 RTP/SAVP 0\r\n" + crypto;
    let (mut s, facts) = call(&offer, &audio("10.0.0.2", 5000));
    assert!(facts.is_empty(), "{facts:?}");
    assert_eq!((s.media(0), s.media(1)), ("192.0.2.1:4000 - 10.0.0.2:5000".to_owned(), "? - ?".to_owned()));
}

/// The 2xx of a late offer is an offer; the ACK has the answer.
#[test]
fn an_offer_in_a_response_is_judged_by_the_answer_in_the_ack() {
    let crypto = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n";
    let offer = |encrypted: u16, ip: &str| {
        audio(ip, encrypted).replace("RTP/AVP", "RTP/SAVP") + crypto + "m=audio 5002 RTP/AVP 0\r\n"
    };
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, "").unwrap();
    s.response(Caller, 200, "INVITE 1", "b", &offer(5000, "10.0.0.2"));
    s.request(Caller, "ACK 1", Some("b"), &offer(0, "192.0.2.1")).unwrap();
    let facts = s.facts();
    assert!(!facts.iter().any(|fact| fact.starts_with("untappable")), "{facts:?}");
    assert_eq!(s.media(1), "192.0.2.1:5002 - 10.0.0.2:5002");
}
