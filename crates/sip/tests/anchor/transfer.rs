//! Calls that go on as other calls are told of. Every message passes twice, and so is told twice.

use crate::script::{Callee, Caller, Script, audio};

#[test]
fn a_party_that_is_referred_elsewhere() {
    let mut s = Script::new();
    s.talk();
    s.facts();
    let mut cseq = 10;
    let mut refer = |to: &str| {
        cseq += 1;
        let more = format!("Refer-To: {to}\r\n");
        s.request_with(Callee, &format!("REFER {cseq}"), Some("callee"), &more, "").unwrap();
        s.facts()
    };
    assert_eq!(refer("<sip:+15550142@example.org>"), ["pbx refers to +15550142"; 2]);
    assert_eq!(refer("sip:%2B15550142@example.org"), ["pbx refers to +15550142"; 2]);
    assert_eq!(
        refer("\"Bob\" <sip:bob@example.org?Require=replaces&replaces=a%40b%3Bto-tag%3D7%3Bfrom-tag%3D8>"),
        ["pbx refers to bob instead of a@b (7, 8)"; 2]
    );
    assert_eq!(refer("<sip:example.org>"), ["pbx refers to "; 2]);
    assert_eq!(refer("<tel:+1555;x>"), ["pbx refers to +1555"; 2]);
    for wrong in ["<sip:", ""] {
        assert!(refer(wrong).is_empty(), "{wrong}");
    }
}

#[test]
fn a_call_that_takes_the_place_of_another() {
    let mut s = Script::new();
    let more = "Replaces: a@b ;to-tag=7;from-tag=8\r\n";
    s.request_with(Caller, "INVITE 1", None, more, &audio("192.0.2.1", 4000)).unwrap();
    assert_eq!(s.facts(), ["started +15550100 to 4711", "replaces a@b (7, 8)", "replaces a@b (7, 8)"]);
}

/// A Call-ID travels through many hands. Which call is meant is known by the tags, of which each party has chosen one.
#[test]
fn the_call_that_is_replaced_is_known_by_both_of_its_tags() {
    for (replaced, up) in [
        ("call-1@example.com;to-tag=b;from-tag=caller", true),
        ("call-1@example.com; from-tag=b ;to-tag=caller;early-only", true),
        ("call-1@example.com", false),
        ("call-1@example.com;to-tag=b", false),
        ("call-1@example.com;to-tag=x;from-tag=caller", false),
        ("call-1@example.com;to-tag=b;from-tag=x", false),
        ("call-2@example.com;to-tag=b;from-tag=caller", false),
    ] {
        let mut s = Script::new();
        s.talk();
        s.facts();
        s.call_id = "call-3@example.com";
        let more = format!("Replaces: {replaced}\r\n");
        s.request_with(Caller, "INVITE 1", None, &more, &audio("192.0.2.1", 4002)).unwrap();
        let facts = s.facts();
        assert_eq!(facts[1].ends_with("which is up"), up, "{replaced}: {facts:?}");
    }
}

#[test]
fn endless_names_are_cut() {
    let mut s = Script::new();
    let more = format!("Replaces: {}\r\n", "r".repeat(5_000));
    s.request_with(Caller, "INVITE 1", None, &more, &audio("192.0.2.1", 4000)).unwrap();
    assert!(s.facts().iter().all(|fact| fact.len() < 300));
}
