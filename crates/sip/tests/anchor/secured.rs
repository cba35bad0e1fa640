//! SRTP that ends here: each side has an offer/answer of its own.

use std::sync::atomic::{AtomicU8, Ordering};

use sidetone_call::{Protection, Side, SrtpKeys, Suite, Untappable};
use sidetone_sip::anchor::{Policy, Security};
use sidetone_sip::message::Message;

use crate::script::{Callee, Caller, Script, audio, audio_with, streams};

const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
const OTHER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd";
const AES: Suite = Suite::AesCm128Sha1_80;

fn security(trunk: Policy, pbx: Policy) -> Security {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let random = |bytes: &mut [u8]| bytes.fill(NEXT.fetch_add(1, Ordering::Relaxed));
    Security { suites: vec![Suite::AeadAes128Gcm, AES], random, trunk, pbx, ..Security::passing() }
}

fn script(trunk: Policy, pbx: Policy) -> Script {
    Script::secured(security(trunk, pbx))
}

fn savp(ip: &str, port: u16, lines: &str) -> String {
    audio_with(ip, port, lines).replace("RTP/AVP", "RTP/SAVP")
}

fn crypto(tag: u32, suite: Suite, key: &str) -> String {
    format!("a=crypto:{tag} {suite} inline:{key}\r\n")
}

/// The m= line's protocol, and tag and suite of each a=crypto line.
fn dress(message: &Message) -> (String, Vec<(u32, Suite)>) {
    let all = streams(message);
    let lines = all[0].crypto.iter().map(|line| (line.tag, line.keying.suite())).collect();
    (all[0].protocol.clone(), lines)
}

fn plain() -> (String, Vec<(u32, Suite)>) {
    ("RTP/AVP".to_owned(), Vec::new())
}

fn keys(script: &mut Script, side: Side) -> Option<SrtpKeys> {
    match script.plan(0).end(side).protection.clone() {
        Protection::Sdes(keys) => Some(keys),
        _ => None,
    }
}

#[test]
fn a_protected_trunk_and_a_plain_pbx() {
    let mut s = script(Policy::Terminate, Policy::Plain);
    let lines = crypto(1, Suite::AesCm256Sha1_80, "broken") + &crypto(7, AES, KEY) + &crypto(8, AES, OTHER);
    let offer = s.request(Caller, "INVITE 1", None, &savp("192.0.2.1", 4000, &lines)).unwrap();
    assert_eq!(dress(&offer), plain(), "no key of the caller's shows");
    assert!(!String::from_utf8_lossy(offer.body()).contains(KEY));
    let answer = s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    assert_eq!(dress(&answer), ("RTP/SAVP".to_owned(), vec![(7, AES)]));
    let keys = keys(&mut s, Side::Trunk).unwrap();
    assert_eq!(keys.theirs, streams_of(&lines)[0]);
    assert_eq!(keys.ours, streams(&answer)[0].crypto[0].keying);
    assert_ne!(keys.ours, keys.theirs, "same key both directions");
    assert_eq!(s.plan(0).pbx.protection, Protection::None);
    assert_eq!(s.plan(0).tappable, Ok(()));
}

fn streams_of(lines: &str) -> Vec<sidetone_call::Keying> {
    let lines = lines.lines().filter_map(|line| line.strip_prefix("a=crypto:"));
    lines
        .filter_map(|line| sidetone_sip::sdp::crypto::Crypto::read(line).ok())
        .map(|line| line.keying)
        .collect()
}

/// RFC 8643: offered beside RTP/AVP, taken up or not.
#[test]
fn an_opportunistic_offer_is_taken_up_or_falls_back() {
    for takes in [true, false] {
        let mut s = script(Policy::Terminate, Policy::Terminate);
        let offer = s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
        let suites = vec![(1, Suite::AeadAes128Gcm), (2, AES)];
        assert_eq!(dress(&offer), ("RTP/AVP".to_owned(), suites));
        let lines = if takes { crypto(2, AES, KEY) } else { String::new() };
        let answer = s.response(Caller, 200, "INVITE 1", "b", &audio_with("10.0.0.2", 5000, &lines));
        assert_eq!(dress(&answer), plain(), "the caller offered none");
        assert_eq!(keys(&mut s, Side::Trunk), None);
        let pbx = keys(&mut s, Side::Pbx);
        assert_eq!(pbx.is_some(), takes);
        if let Some(pbx) = pbx {
            assert_eq!(pbx.ours, streams(&offer)[0].crypto[1].keying, "our key of the line that was taken");
        }
        assert_eq!(s.plan(0).tappable, Ok(()));
    }
}

#[test]
fn both_sides_protected_with_keys_of_their_own() {
    let mut s = script(Policy::Require, Policy::Require);
    let offer = s.request(Caller, "INVITE 1", None, &savp("192.0.2.1", 4000, &crypto(1, AES, KEY))).unwrap();
    assert_eq!(dress(&offer).0, "RTP/SAVP");
    let answer = savp("10.0.0.2", 5000, &crypto(2, AES, OTHER));
    let answer = s.response(Caller, 200, "INVITE 1", "b", &answer);
    assert_eq!(dress(&answer), ("RTP/SAVP".to_owned(), vec![(1, AES)]));
    let (trunk, pbx) = (keys(&mut s, Side::Trunk).unwrap(), keys(&mut s, Side::Pbx).unwrap());
    let all = [&trunk.ours, &trunk.theirs, &pbx.ours, &pbx.theirs];
    for (i, one) in all.iter().enumerate() {
        assert!(all.iter().skip(i + 1).all(|other| one != other), "a key serves twice");
    }
}

/// Nobody ends it: what passed before passes still, byte for byte (the script looks).
#[test]
fn passed_through_srtp_stays_untappable() {
    let mut s = Script::new();
    s.anchor = std::mem::replace(&mut s.anchor, Script::new().anchor).secured(Security::passing());
    s.request(Caller, "INVITE 1", None, &savp("192.0.2.1", 4000, &crypto(1, AES, KEY))).unwrap();
    s.response(Caller, 200, "INVITE 1", "b", &savp("10.0.0.2", 5000, &crypto(1, AES, OTHER)));
    assert_eq!(s.plan(0).tappable, Err(Untappable::Srtp));
    assert_eq!(s.plan(0).trunk.protection, Protection::None);
}

/// The table of docs/SECURE-MEDIA.md: policy toward the offerer, what it offers, policy toward the other side; what
/// goes there, or the refusal.
#[test]
fn the_table_of_policies() {
    const O: (&str, usize) = ("RTP/AVP", 2);
    const S: (&str, usize) = ("RTP/SAVP", 2);
    const P: (&str, usize) = ("RTP/AVP", 0);
    let table = [
        (Policy::Terminate, "plain", Policy::Pass, Some(P)),
        (Policy::Terminate, "plain", Policy::Plain, Some(P)),
        (Policy::Terminate, "plain", Policy::Terminate, Some(O)),
        (Policy::Terminate, "plain", Policy::Require, Some(S)),
        (Policy::Terminate, "opportunistic", Policy::Pass, Some(O)),
        (Policy::Terminate, "opportunistic", Policy::Plain, Some(P)),
        (Policy::Terminate, "opportunistic", Policy::Terminate, Some(O)),
        (Policy::Terminate, "opportunistic", Policy::Require, Some(S)),
        (Policy::Terminate, "protected", Policy::Pass, Some(S)),
        (Policy::Terminate, "protected", Policy::Plain, Some(P)),
        (Policy::Terminate, "protected", Policy::Terminate, Some(O)),
        (Policy::Terminate, "protected", Policy::Require, Some(S)),
        (Policy::Require, "plain", Policy::Pass, None),
        (Policy::Require, "plain", Policy::Plain, None),
        (Policy::Require, "opportunistic", Policy::Plain, Some(P)),
        (Policy::Require, "protected", Policy::Plain, Some(P)),
        (Policy::Require, "protected", Policy::Terminate, Some(O)),
        (Policy::Plain, "plain", Policy::Terminate, Some(O)),
        (Policy::Plain, "plain", Policy::Require, Some(S)),
        (Policy::Plain, "plain", Policy::Pass, Some(P)),
        (Policy::Plain, "opportunistic", Policy::Pass, Some(P)),
        (Policy::Plain, "opportunistic", Policy::Terminate, Some(O)),
        (Policy::Plain, "protected", Policy::Terminate, None),
        (Policy::Plain, "protected", Policy::Pass, None),
        (Policy::Pass, "plain", Policy::Terminate, Some(O)),
        (Policy::Pass, "plain", Policy::Plain, Some(P)),
        (Policy::Pass, "opportunistic", Policy::Plain, Some(P)),
        (Policy::Pass, "protected", Policy::Terminate, Some(O)),
        (Policy::Pass, "protected", Policy::Plain, Some(P)),
        (Policy::Pass, "protected", Policy::Require, Some(S)),
    ];
    for (from, offer, to, goes) in table {
        let mut s = script(from, to);
        let lines = crypto(1, AES, KEY);
        let body = match offer {
            "plain" => audio("192.0.2.1", 4000),
            "opportunistic" => audio_with("192.0.2.1", 4000, &lines),
            _ => savp("192.0.2.1", 4000, &lines),
        };
        let came = s.request(Caller, "INVITE 1", None, &body);
        let case = format!("{offer} under {from:?} toward {to:?}");
        match (came, goes) {
            (Ok(message), Some((protocol, lines))) => {
                let (seen, crypto) = dress(&message);
                assert_eq!((seen.as_str(), crypto.len()), (protocol, lines), "{case}");
            }
            (Err(refusal), None) => {
                assert_eq!(refusal.status, 488, "{case}");
                s.nothing_left();
            }
            (Ok(_), None) => panic!("{case}: passed"),
            (Err(refusal), Some(_)) => panic!("{case}: {refusal:?}"),
        }
    }
}

#[test]
fn lines_that_weaken_the_protection_are_refused() {
    for wrong in ["UNENCRYPTED_SRTP", "UNENCRYPTED_SRTCP", "UNAUTHENTICATED_SRTP"] {
        let mut s = script(Policy::Terminate, Policy::Plain);
        let line = crypto(1, AES, KEY).replace("\r\n", &format!(" {wrong}\r\n"));
        let refusal = s.request(Caller, "INVITE 1", None, &savp("192.0.2.1", 4000, &line)).unwrap_err();
        assert_eq!(
            (refusal.status, refusal.reason.as_str()),
            (488, "Media Security Not Acceptable"),
            "{wrong}"
        );
        assert_eq!(s.anchor.counters().refused_security, 1);
    }
}

/// An answer can't be refused: its media is rejected, and that is told, so that the call is hung up.
#[test]
fn an_answer_without_the_protection_that_is_required() {
    let lines = [String::new(), crypto(9, AES, OTHER), crypto(1, AES, OTHER)];
    for (line, case) in lines.iter().zip(["no line", "a tag that was not offered", "wrong suite order"]) {
        let mut s = script(Policy::Plain, Policy::Require);
        s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
        let answer = s.response(Caller, 200, "INVITE 1", "b", &savp("10.0.0.2", 5000, line));
        assert_eq!(streams(&answer)[0].protocol, "RTP/AVP", "{case}");
        assert!(streams(&answer)[0].rejected, "{case}");
        assert!(s.facts().contains(&"pbx answers insecurely".to_owned()), "{case}");
        assert_eq!(s.plan(0).pbx.remote_rtp, None, "{case}");
    }
}

#[test]
fn key_change_at_re_invite() {
    let mut s = script(Policy::Terminate, Policy::Plain);
    s.request(Caller, "INVITE 1", None, &savp("192.0.2.1", 4000, &crypto(1, AES, KEY))).unwrap();
    let first = s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    s.request(Caller, "ACK 1", Some("b"), "").unwrap();
    let before = keys(&mut s, Side::Trunk).unwrap();
    let (offer, answer) =
        s.reinvite(Caller, 2, &savp("192.0.2.1", 4000, &crypto(3, AES, OTHER)), &audio("10.0.0.2", 5000));
    assert_eq!(dress(&offer), plain());
    assert_eq!(dress(&answer), ("RTP/SAVP".to_owned(), vec![(3, AES)]));
    let after = keys(&mut s, Side::Trunk).unwrap();
    assert_ne!(after.theirs, before.theirs);
    assert_eq!(after.ours, before.ours, "roll-over counters go on");
    assert_eq!(streams(&first)[0].crypto[0].keying, streams(&answer)[0].crypto[0].keying);
}

/// The PBX puts the call on hold: toward the carrier the offer is of the form that the carrier speaks.
#[test]
fn hold_from_the_plain_side_stays_protected_toward_the_other() {
    let mut s = script(Policy::Terminate, Policy::Plain);
    s.request(Caller, "INVITE 1", None, &savp("192.0.2.1", 4000, &crypto(1, AES, KEY))).unwrap();
    s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    s.request(Caller, "ACK 1", Some("b"), "").unwrap();
    let before = keys(&mut s, Side::Trunk).unwrap();
    let (offer, answer) = s.reinvite(
        Callee,
        1,
        &audio_with("10.0.0.2", 5000, "a=sendonly\r\n"),
        &savp("192.0.2.1", 4000, &(crypto(2, AES, KEY) + "a=recvonly\r\n")),
    );
    assert_eq!(dress(&offer).0, "RTP/SAVP");
    assert_eq!(dress(&answer), plain());
    assert_eq!(keys(&mut s, Side::Trunk).unwrap(), before);
}

/// RFC 3264 with the offer in the 2xx and the answer in the ACK.
#[test]
fn a_late_offer() {
    let mut s = script(Policy::Terminate, Policy::Require);
    s.request(Caller, "INVITE 1", None, "").unwrap();
    let offer = savp("10.0.0.2", 5000, &crypto(4, AES, OTHER));
    let offer = s.response(Caller, 200, "INVITE 1", "b", &offer);
    assert_eq!(dress(&offer).0, "RTP/AVP");
    let taken = crypto(2, AES, KEY);
    let ack = s.request(Caller, "ACK 1", Some("b"), &audio_with("192.0.2.1", 4000, &taken)).unwrap();
    assert_eq!(dress(&ack), ("RTP/SAVP".to_owned(), vec![(4, AES)]));
    assert!(keys(&mut s, Side::Trunk).is_some() && keys(&mut s, Side::Pbx).is_some());
}

/// Two m-lines that are alternatives: the PBX is offered one stream, and the answer chooses the protected one.
#[test]
fn two_m_lines_with_different_keys() {
    let both = |first: &str, second: &str| {
        let second = second.split_once("t=0 0\r\n").unwrap().1;
        format!("{first}{second}")
    };
    let mut s = script(Policy::Terminate, Policy::Plain);
    let offer = both(&savp("192.0.2.1", 4000, &crypto(1, AES, KEY)), &audio("192.0.2.1", 4002));
    let offer = s.request(Caller, "INVITE 1", None, &offer).unwrap();
    let went: Vec<_> = streams(&offer).iter().map(|s| (s.protocol.clone(), s.rejected)).collect();
    assert_eq!(went, [("RTP/AVP".to_owned(), false), ("RTP/AVP".to_owned(), true)]);
    let answer = both(&audio("10.0.0.2", 5000), &audio("10.0.0.2", 0));
    let answer = s.response(Caller, 200, "INVITE 1", "b", &answer);
    let came: Vec<_> = streams(&answer).iter().map(|s| (s.protocol.clone(), s.rejected)).collect();
    assert_eq!(came, [("RTP/SAVP".to_owned(), false), ("RTP/AVP".to_owned(), true)]);

    let mut s = script(Policy::Terminate, Policy::Pass);
    let offer = both(
        &savp("192.0.2.1", 4000, &crypto(1, AES, KEY)),
        &savp("192.0.2.1", 4002, &crypto(1, AES, OTHER)),
    );
    s.request(Caller, "INVITE 1", None, &offer.replacen("m=audio 4002", "m=video 4002", 1)).unwrap();
    let answer =
        both(&savp("10.0.0.2", 5000, &crypto(2, AES, KEY)), &savp("10.0.0.2", 5002, &crypto(2, AES, OTHER)));
    s.response(Caller, 200, "INVITE 1", "b", &answer.replacen("m=audio 5002", "m=video 5002", 1));
    let (first, second) = (s.plan(0).trunk.protection, s.plan(1).trunk.protection);
    assert!(first.ends_here() && second.ends_here() && first != second);
}

/// An early dialog's answer is a preview; each fork has a key of its own, and we have one.
#[test]
fn forks_have_keys_of_their_own() {
    let mut s = script(Policy::Plain, Policy::Require);
    let offer = s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    let ours = streams(&offer)[0].crypto[1].keying.clone();
    s.response(Caller, 183, "INVITE 1", "b", &savp("10.0.0.2", 5000, &crypto(2, AES, KEY)));
    let first = keys(&mut s, Side::Pbx).unwrap();
    s.response(Caller, 183, "INVITE 1", "c", &savp("10.0.0.3", 6000, &crypto(2, AES, OTHER)));
    let second = keys(&mut s, Side::Pbx).unwrap();
    assert_ne!(first.theirs, second.theirs);
    assert!(first.ours == ours && second.ours == ours);
}

/// Before the answer there is no key: what comes can't be read, and must not pass as it is.
#[test]
fn keys_are_awaited_until_the_answer() {
    let mut s = script(Policy::Plain, Policy::Require);
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    assert_eq!(s.plan(0).pbx.protection, Protection::Awaited);
    assert_eq!(s.plan(0).trunk.protection, Protection::None);
}
