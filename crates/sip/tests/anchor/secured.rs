//! SRTP that ends here: each side has an offer/answer of its own.

use std::sync::atomic::{AtomicU8, Ordering};

use sidetone_call::{CallKey, Protection, Side, SrtpKeys, Suite, Untappable};
use sidetone_sip::anchor::{Policy, Security};
use sidetone_sip::message::Message;

use crate::script::{Callee, Caller, Script, audio, audio_with, streams};

const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
const OTHER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd";
/// For AEAD_AES_128_GCM.
static GCM: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| data_encoding::BASE64.encode(&[9; 28]));
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
fn rejects_an_answer_with(line: &str) {
    let mut s = script(Policy::Plain, Policy::Require);
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    let answer = s.response(Caller, 200, "INVITE 1", "b", &savp("10.0.0.2", 5000, line));
    assert_eq!(streams(&answer)[0].protocol, "RTP/AVP");
    assert!(streams(&answer)[0].rejected);
    assert!(s.facts().contains(&"pbx answers insecurely".to_owned()));
    assert_eq!(s.plan(0).pbx.remote_rtp, None);
}

#[test]
fn an_answer_without_the_protection_that_is_required() {
    rejects_an_answer_with("");
}

/// The line's number is none of the offer's.
#[test]
fn crypto_tag_mismatch() {
    rejects_an_answer_with(&crypto(9, AES, OTHER));
}

/// The line has the number of one that was offered and the suite of another.
#[test]
fn wrong_suite_order() {
    rejects_an_answer_with(&crypto(1, AES, OTHER));
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
    // Another endpoint may stand behind the new key (a transfer): it can't know how often our counters have rolled
    // over.
    assert_ne!(after.ours, before.ours);
    assert_eq!(after.ours, streams(&answer)[0].crypto[0].keying);
    let (_, again) =
        s.reinvite(Caller, 3, &savp("192.0.2.1", 4000, &crypto(3, AES, OTHER)), &audio("10.0.0.2", 5000));
    assert_eq!(dress(&again).1, [(3, AES)]);
    assert_eq!(keys(&mut s, Side::Trunk).unwrap(), after, "the same key is repeated: counters go on");
    assert_eq!(before.ours, streams(&first)[0].crypto[0].keying);
}

/// What is kept of a call is a secret as soon as a key is in it: that of an offer under way, or of one that was
/// refused.
#[test]
fn what_is_kept_with_a_key_in_it_is_a_secret() {
    for seals in [true, false] {
        let mut s = script(Policy::Terminate, Policy::Plain);
        s.anchor.note_changes(seals);
        s.talk();
        let kept = |s: &Script| s.anchor.kept(CallKey(1)).map(|kept| kept.secret);
        assert_eq!(kept(&s), Some(false), "nobody has offered a key");
        let with_key = savp("192.0.2.1", 4000, &crypto(1, AES, KEY));
        s.request(Caller, "INVITE 2", Some("b"), &with_key).unwrap();
        let secret = seals.then_some(true);
        assert_eq!(kept(&s), secret, "under way");
        s.response(Caller, 488, "INVITE 2", "b", "");
        s.request(Caller, "ACK 2", Some("b"), "").unwrap();
        assert_eq!(kept(&s), secret, "refused");
        assert_eq!(s.anchor.not_kept().is_empty(), seals);
    }
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

/// A target that knows no SRTP rings and is busy; the next one is offered SRTP all the same.
#[test]
fn a_target_that_gave_way_teaches_nothing() {
    let mut s = script(Policy::Plain, Policy::Terminate);
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    s.response(Caller, 183, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    let offer = s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    assert_eq!(dress(&offer).1.len(), 2);
}

/// A re-INVITE without protection is refused by the other side: the session rolls back, and the next offer is
/// protected.
#[test]
fn a_refused_downgrade_leaves_no_trace() {
    let mut s = script(Policy::Terminate, Policy::Plain);
    s.request(Caller, "INVITE 1", None, &savp("192.0.2.1", 4000, &crypto(1, AES, KEY))).unwrap();
    s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    s.request(Caller, "ACK 1", Some("b"), "").unwrap();
    let before = keys(&mut s, Side::Trunk).unwrap();
    s.request(Caller, "INVITE 2", Some("b"), &audio("192.0.2.1", 4000)).unwrap();
    s.response(Caller, 488, "INVITE 2", "b", "");
    assert_eq!(keys(&mut s, Side::Trunk).unwrap(), before);
    let hold = audio_with("10.0.0.2", 5000, "a=sendonly\r\n");
    let offer = s.request(Callee, "INVITE 1", Some("b"), &hold).unwrap();
    assert_eq!(dress(&offer).0, "RTP/SAVP");
}

/// The fork that lost answers too late, and without protection: the call that is up is not the worse for it.
#[test]
fn a_losing_fork_that_is_insecure_ends_nothing() {
    let mut s = script(Policy::Plain, Policy::Require);
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    s.response(Caller, 200, "INVITE 1", "b", &savp("10.0.0.2", 5000, &crypto(2, AES, KEY)));
    s.facts();
    s.response(Caller, 183, "INVITE 1", "c", &savp("10.0.0.3", 6000, ""));
    assert!(s.facts().is_empty());
    assert!(keys(&mut s, Side::Pbx).is_some());
}

/// A late offer that policy forbids can't be refused with 488: the call is told to be hung up.
#[test]
fn a_late_offer_that_policy_forbids() {
    let mut s = script(Policy::Terminate, Policy::Plain);
    s.request(Caller, "INVITE 1", None, "").unwrap();
    s.response(Caller, 200, "INVITE 1", "b", &savp("10.0.0.2", 5000, &crypto(4, AES, OTHER)));
    assert!(s.facts().contains(&"pbx answers insecurely".to_owned()));
}

/// Keys also stand in MIKEY, capabilities and k= lines, and a fingerprint in a=identity.
#[test]
fn no_key_of_a_party_goes_to_the_other_in_any_dress() {
    let mut s = script(Policy::Terminate, Policy::Plain);
    let lines = format!(
        "k=base64:{KEY}\r\na=tcap:1 RTP/SAVP\r\na=acap:1 crypto:1 {AES} inline:{KEY}\r\na=pcfg:1 t=1 a=1\r\n\
         a=key-mgmt:mikey {KEY}\r\na=identity:{KEY}\r\na=ice-pwd:{KEY}\r\na=candidate:1 1 UDP 1 192.0.2.1 4000 typ host\r\n"
    );
    let offer = s.request(Caller, "INVITE 1", None, &audio_with("192.0.2.1", 4000, &lines)).unwrap();
    let body = String::from_utf8_lossy(offer.body()).into_owned();
    assert!(!body.contains(KEY) && !body.contains("candidate") && !body.contains("cap:"), "{body}");
}

/// The last line goes, and has no end: no empty line may stand in its place.
#[test]
fn a_description_without_a_last_line_end() {
    let mut s = script(Policy::Terminate, Policy::Terminate);
    let body = savp("192.0.2.1", 4000, &crypto(1, AES, KEY));
    let offer = s.request(Caller, "INVITE 1", None, body.trim_end()).unwrap();
    let text = String::from_utf8_lossy(offer.body()).into_owned();
    assert!(!text.contains("\r\n\r\n"), "{text:?}");
    assert_eq!(dress(&offer).1.len(), 2);
}

/// Where protection is required, what can't be protected is refused: a fax, and media by other transports.
#[test]
fn what_is_not_rtp_is_refused_where_protection_is_required() {
    let mut s = script(Policy::Require, Policy::Plain);
    s.request(Caller, "INVITE 1", None, &savp("192.0.2.1", 4000, &crypto(1, AES, KEY))).unwrap();
    s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    s.request(Caller, "ACK 1", Some("b"), "").unwrap();
    let fax = audio("192.0.2.1", 4000).replace("m=audio 4000 RTP/AVP 0 8 101", "m=image 4000 udptl t38");
    let refusal = s.request(Caller, "INVITE 2", Some("b"), &fax).unwrap_err();
    assert_eq!(refusal.status, 488);
    assert!(keys(&mut s, Side::Trunk).is_some(), "the call goes on as it was");
}

/// What can't be read can't be seen to be protected. In a response, which can't be refused, it goes no further, and the
/// call is hung up if nothing better comes.
#[test]
fn what_is_hidden_in_a_response_does_not_pass_where_protection_is_required() {
    let sealed = ("Content-Type: application/pkcs7-mime\r\n", "sealed".to_owned());
    let early = "Content-Disposition: early-session\r\n";
    let parts = ["", early].map(|more| {
        format!("--b\r\nContent-Type: application/sdp\r\n{more}\r\n{}\r\n", audio("10.0.0.2", 5000))
    });
    let both = ("Content-Type: multipart/mixed;boundary=b\r\n", parts.concat() + "--b--\r\n");
    let long = ("", audio("10.0.0.2", 5000) + &"a=x\r\n".repeat(3_000));
    let part = parts[0].as_str();
    let many = ("Content-Type: multipart/mixed;boundary=b\r\n", part.repeat(9) + "--b--\r\n");
    for (case, (more, body)) in [("sealed", sealed), ("early", both), ("long", long), ("many", many)] {
        let called = || {
            let mut s = script(Policy::Require, Policy::Plain);
            s.caller_side = Side::Pbx;
            s.request(Caller, "INVITE 1", None, &audio("10.0.0.2", 5000)).unwrap();
            s
        };
        let mut s = called();
        let passed = s.response_with(Caller, 200, "INVITE 1", "b", more, &body);
        assert!(passed.body().is_empty(), "{case}: {}", String::from_utf8_lossy(passed.body()));
        assert!(s.facts().contains(&"trunk answers insecurely".to_owned()), "{case}: {:?}", s.facts());
        // What comes after it is looked at as ever.
        let mut s = called();
        s.response_with(Caller, 183, "INVITE 1", "b", more, &body);
        let answer = s.response(Caller, 200, "INVITE 1", "b", &audio("192.0.2.1", 4000));
        assert!(streams(&answer)[0].rejected, "{case}");
        assert!(s.facts().contains(&"trunk answers insecurely".to_owned()), "{case}");
        // An offer is refused.
        let mut s = script(Policy::Require, Policy::Plain);
        let refusal = s.request_with(Caller, "INVITE 1", None, more, &body).unwrap_err();
        assert!([400, 488].contains(&refusal.status), "{case}");
    }
}

/// Nor may a sealed 183 lead what follows around us where protection is not required: keys would pass.
#[test]
fn a_sealed_preview_seals_nothing_that_follows() {
    let mut s = script(Policy::Terminate, Policy::Terminate);
    s.request(Caller, "INVITE 1", None, &savp("192.0.2.1", 4000, &crypto(1, AES, KEY))).unwrap();
    s.response_with(Caller, 183, "INVITE 1", "b", "Content-Type: application/pkcs7-mime\r\n", "sealed");
    let answer = s.response(
        Caller,
        200,
        "INVITE 1",
        "b",
        &savp("10.0.0.2", 5000, &crypto(1, Suite::AeadAes128Gcm, &GCM)),
    );
    assert!(!String::from_utf8_lossy(answer.body()).contains(&*GCM), "a key of the callee's");
    assert!(keys(&mut s, Side::Pbx).is_some());
}

#[test]
fn descriptions_of_unknown_calls_do_not_pass_where_protection_is_required() {
    let mut s = script(Policy::Require, Policy::Plain);
    let sdp = audio("192.0.2.1", 4000);
    assert_eq!(s.request(Caller, "UPDATE 6", Some("b"), &sdp).unwrap_err().status, 488);
    assert!(s.request(Caller, "ACK 4", Some("b"), &sdp).unwrap().body().is_empty());
    assert!(s.response(Caller, 200, "INVITE 4", "b", &sdp).body().is_empty());
}

#[test]
fn same_key_both_directions() {
    let mut s = script(Policy::Plain, Policy::Require);
    let offer = s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    let ours = streams(&offer)[0].crypto[1].line();
    let answer = s.response(Caller, 200, "INVITE 1", "b", &savp("10.0.0.2", 5000, &format!("{}\r\n", *ours)));
    assert!(streams(&answer)[0].rejected);
    assert!(s.facts().contains(&"pbx answers insecurely".to_owned()));
    let mut s = script(Policy::Terminate, Policy::Plain);
    s.request(Caller, "INVITE 1", None, &savp("192.0.2.1", 4000, &crypto(1, AES, KEY))).unwrap();
    let answer = s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    s.request(Caller, "ACK 1", Some("b"), "").unwrap();
    let ours = streams(&answer)[0].crypto[0].line();
    let echo = savp("192.0.2.1", 4000, &format!("{}\r\n", *ours));
    assert_eq!(s.request(Caller, "INVITE 2", Some("b"), &echo).unwrap_err().status, 488);
}

/// Nor in m-lines that Sidetone ends nothing of, or that nobody can read.
#[test]
fn no_key_of_a_party_passes_in_any_other_line() {
    let key = crypto(1, AES, KEY);
    let handshake =
        "a=fingerprint:sha-256 AB:CD\r\na=setup:actpass\r\na=ice-ufrag:SECRET\r\na=ice-pwd:SECRET\r\n";
    for (trunk, pbx) in [(Policy::Require, Policy::Require), (Policy::Terminate, Policy::Plain)] {
        for line in [
            "m=au",
            "m=audio 4002 RTP/SAVP",
            "m=audio x RTP/SAVP 0",
            "m=application 4002 UDP/DTLS/SCTP webrtc-datachannel",
            "m=message 4002 TCP/TLS/MSRP *",
            "m=image 4002 udptl t38",
            "m=audio 4002 TCP/RTP/SAVP 0",
            "m=audio 0 RTP/SAVP 0",
        ] {
            let odd = format!(
                "a==crypto:1 {AES} inline:{KEY}\r\na:crypto:1 {AES} inline:{KEY}\r\na=x\ra=crypto:1 {AES} inline:{KEY}\r\n"
            );
            let more = format!("{line}\r\n{key}{handshake}{odd}");
            let mut s = script(trunk, pbx);
            let body = savp("192.0.2.1", 4000, &key) + &more;
            // Refused is good too.
            let Ok(offer) = s.request(Caller, "INVITE 1", None, &body) else { continue };
            let passed = String::from_utf8_lossy(offer.body()).into_owned();
            for secret in [KEY, "AB:CD", "SECRET"] {
                assert!(!passed.contains(secret), "{line}: {passed}");
            }
        }
    }
}

/// A call that is answered without an answer would be up, and silent.
#[test]
fn answered_without_an_answer_where_protection_is_required() {
    let mut s = script(Policy::Plain, Policy::Require);
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    s.response(Caller, 200, "INVITE 1", "b", "");
    assert!(s.facts().contains(&"pbx answers insecurely".to_owned()));
    // Where the answer has come before, reliably, there is none to come.
    let mut s = script(Policy::Plain, Policy::Require);
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    let answer = savp("10.0.0.2", 5000, &crypto(1, Suite::AeadAes128Gcm, &GCM));
    s.response_with(Caller, 183, "INVITE 1", "b", "Require: 100rel\r\nRSeq: 1\r\n", &answer);
    s.request(Caller, "PRACK 2", Some("b"), "").unwrap();
    s.response(Caller, 200, "PRACK 2", "b", "");
    s.response(Caller, 200, "INVITE 1", "b", "");
    assert!(s.facts().iter().all(|fact| !fact.contains("insecurely")), "{:?}", s.facts());
    assert!(keys(&mut s, Side::Pbx).is_some());
}
