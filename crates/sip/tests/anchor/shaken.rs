//! DTLS-SRTP and ICE that end here: a browser on one side, a PBX that speaks RTP on the other.

use std::sync::atomic::{AtomicU8, Ordering};

use sidetone_call::{DtlsPlan, Protection, Side, Suite};
use sidetone_sip::anchor::{Keying, Policy, Security};
use sidetone_sip::message::Message;
use sidetone_sip::sdp::dtls::Setup;

use crate::script::{Callee, Caller, Script, audio, audio_with, led, streams};

const OURS: &str = "sha-256 AA:BB:CC";

fn security(trunk: Policy, pbx: Policy, keying: [Keying; 2]) -> Security {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let random = |bytes: &mut [u8]| bytes.fill(NEXT.fetch_add(1, Ordering::Relaxed));
    let fingerprint = Some(OURS.to_owned());
    Security { trunk, pbx, suites: vec![Suite::AesCm128Sha1_80], keying, fingerprint, random }
}

fn script() -> Script {
    Script::secured(security(Policy::Terminate, Policy::Plain, [Keying::Sdes; 2]))
}

/// In the shape of Chromium's, shortened; its candidate is an mDNS name.
fn browser(fragment: &str, print: &str, setup: &str) -> String {
    format!(
        "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         a=extmap-allow-mixed\r\na=msid-semantic: WMS s\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 9 0 8 126\r\n\
         c=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
         a=candidate:1467250027 1 udp 2122260223 8e1f9c2b-6a.local 46243 typ host generation 0\r\n\
         a=ice-ufrag:{fragment}\r\na=ice-pwd:qCHpz21Uzgl8Oz9oQqjnyKYE\r\na=ice-options:trickle\r\n\
         a=fingerprint:sha-256 {print}\r\na=setup:{setup}\r\na=mid:0\r\n\
         a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=sendrecv\r\na=msid:s t\r\na=rtcp-mux\r\n\
         a=rtcp-rsize\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\na=rtpmap:9 G722/8000\r\n\
         a=rtpmap:126 telephone-event/8000\r\na=ssrc:1 cname:x\r\n"
    )
}

fn plan(script: &mut Script, side: Side) -> DtlsPlan {
    match script.plan(0).end(side).protection.clone() {
        Protection::Dtls(plan) => *plan,
        other => panic!("{other:?}"),
    }
}

fn body(message: &Message) -> String {
    String::from_utf8_lossy(message.body()).into_owned()
}

fn has(message: &Message, line: &str) -> bool {
    body(message).lines().any(|own| own == line)
}

#[test]
fn a_browsers_own_offer_is_answered() {
    let mut s = script();
    let offer = s.request(Caller, "INVITE 1", None, &browser("8Nwd", "11:22", "actpass")).unwrap();
    assert_eq!(led(&offer), "198.51.100.2:30002", "the PBX sees no hold in 0.0.0.0");
    assert!(has(&offer, "m=audio 30002 RTP/AVP 111 9 0 8 126"));
    for of_browsers in ["ice", "candidate", "fingerprint", "setup", "mid", "group", "extmap", "ssrc", "rtcp-"]
    {
        assert!(!body(&offer).contains(&format!("a={of_browsers}")), "{of_browsers}: {}", body(&offer));
    }
    assert!(has(&offer, "a=rtpmap:111 opus/48000/2") && has(&offer, "a=sendrecv"));
    assert!(s.facts().iter().all(|fact| !fact.contains("held")));

    let answer = s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    for line in [
        "m=audio 30000 UDP/TLS/RTP/SAVPF 0 8 101",
        "a=ice-lite",
        "a=group:BUNDLE 0",
        "a=setup:passive",
        "a=mid:0",
        "a=rtcp-mux",
        "a=fingerprint:sha-256 AA:BB:CC",
        "a=candidate:1 1 UDP 2130706431 198.51.100.1 30000 typ host",
        "a=end-of-candidates",
    ] {
        assert!(has(&answer, line), "{line} in {}", body(&answer));
    }
    assert!(body(&answer).find("a=ice-lite").unwrap() < body(&answer).find("m=audio").unwrap());
    let trunk = plan(&mut s, Side::Trunk);
    assert!(!trunk.active);
    assert_eq!(trunk.fingerprints, ["sha-256 11:22"]);
    let ice = trunk.ice.unwrap();
    assert_eq!(ice.their_fragment, "8Nwd");
    assert!(has(&answer, &format!("a=ice-ufrag:{}", ice.our_fragment)));
    assert!(has(&answer, &format!("a=ice-pwd:{}", **ice.our_password)));
    assert!(ice.our_password.len() >= 22 && ice.our_fragment.len() >= 4);
    assert!(!format!("{ice:?}").contains(ice.our_password.as_str()));
    let whole = s.plan(0);
    assert!(whole.trunk.mux && !whole.pbx.mux);
    assert_eq!((whole.tappable, whole.pbx.protection), (Ok(()), Protection::None));
}

/// By the policy `max-bundle` a browser takes no description that leaves its m-line out of the group.
#[test]
fn a_browsers_bundle_and_its_name_for_the_m_line_stay() {
    let mut s = script();
    let offer =
        browser("8Nwd", "11:22", "actpass").replace("BUNDLE 0", "BUNDLE voice").replace("mid:0", "mid:voice");
    s.request(Caller, "INVITE 1", None, &offer).unwrap();
    let answer = s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    assert!(has(&answer, "a=group:BUNDLE voice") && has(&answer, "a=mid:voice"), "{}", body(&answer));
    s.request(Caller, "ACK 1", Some("b"), "").unwrap();
    let held = audio_with("10.0.0.2", 5000, "a=sendonly\r\n");
    let again = s.request(Callee, "INVITE 2", Some("b"), &held).unwrap();
    assert!(has(&again, "a=group:BUNDLE voice") && has(&again, "a=mid:voice"), "{}", body(&again));

    // Who has no group gets none.
    let mut s = script();
    let alone = browser("8Nwd", "11:22", "actpass").replace("a=group:BUNDLE 0\r\n", "");
    s.request(Caller, "INVITE 1", None, &alone).unwrap();
    let answer = s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    assert!(!body(&answer).contains("a=group"), "{}", body(&answer));
}

#[test]
fn ice_restart_gets_new_credentials_and_the_same_role() {
    let mut s = script();
    s.request(Caller, "INVITE 1", None, &browser("8Nwd", "11:22", "actpass")).unwrap();
    s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    s.request(Caller, "ACK 1", Some("b"), "").unwrap();
    let before = plan(&mut s, Side::Trunk);
    let (_, same) = s.reinvite(Caller, 2, &browser("8Nwd", "11:22", "actpass"), &audio("10.0.0.2", 5000));
    assert_eq!(plan(&mut s, Side::Trunk), before, "no restart, nothing new");
    assert!(has(&same, "a=setup:passive"));
    s.reinvite(Caller, 3, &browser("9Xyz", "11:22", "actpass"), &audio("10.0.0.2", 5000));
    let after = plan(&mut s, Side::Trunk);
    let (old, new) = (before.ice.unwrap(), after.ice.unwrap());
    assert_ne!(old.our_fragment, new.our_fragment);
    assert_ne!(old.our_password, new.our_password);
    assert!(!after.active);
}

/// The browser's tab is another one now (RFC 5763 §6.5): certificate and role change in mid-call.
#[test]
fn mid_call_role_and_fingerprint_changes() {
    let mut s = script();
    s.request(Caller, "INVITE 1", None, &browser("8Nwd", "11:22", "actpass")).unwrap();
    s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    s.request(Caller, "ACK 1", Some("b"), "").unwrap();
    let (_, answer) = s.reinvite(Caller, 2, &browser("zzzz", "33:44", "passive"), &audio("10.0.0.2", 5000));
    assert!(has(&answer, "a=setup:active"));
    let plan = plan(&mut s, Side::Trunk);
    assert!(plan.active);
    assert_eq!(plan.fingerprints, ["sha-256 33:44"]);
}

#[test]
fn a_browser_that_is_called() {
    let keying = [Keying::Sdes, Keying::Dtls];
    let mut s = Script::secured(security(Policy::Plain, Policy::Require, keying));
    let offer = s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    for line in ["a=ice-lite", "a=setup:actpass", "a=rtcp-mux", "a=mid:0"] {
        assert!(has(&offer, line), "{line} in {}", body(&offer));
    }
    assert_eq!(streams(&offer)[0].protocol, "UDP/TLS/RTP/SAVPF");
    assert_eq!(s.plan(0).pbx.protection, Protection::Awaited);
    let answer = s.response(Caller, 200, "INVITE 1", "b", &browser("8Nwd", "11:22", "active"));
    assert_eq!(streams(&answer)[0].protocol, "RTP/AVP");
    assert!(!body(&answer).contains("fingerprint") && !body(&answer).contains("a=ice"), "{}", body(&answer));
    let pbx = plan(&mut s, Side::Pbx);
    assert!(!pbx.active && pbx.ice.is_some());
    assert!(has(&offer, &format!("a=ice-ufrag:{}", pbx.ice.unwrap().our_fragment)));
    s.request(Caller, "ACK 1", Some("b"), "").unwrap();
    // The browser holds, with its offer of the same fragment.
    let hold = browser("8Nwd", "11:22", "actpass").replace("a=sendrecv", "a=sendonly");
    let (_, answer) = s.reinvite(Callee, 1, &hold, &audio_with("192.0.2.1", 4000, "a=recvonly\r\n"));
    assert!(has(&answer, "a=setup:passive"));
    assert!(s.facts().contains(&"held by pbx".to_owned()));
}

/// A softphone with DTLS and without ICE is sent to where its description says.
#[test]
fn dtls_without_ice() {
    let mut s = script();
    let own = "a=fingerprint:sha-256 11:22\r\na=setup:active\r\n";
    let offer = audio_with("192.0.2.1", 4000, own).replace("RTP/AVP", "UDP/TLS/RTP/SAVP");
    s.request(Caller, "INVITE 1", None, &offer).unwrap();
    let answer = s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    assert!(has(&answer, "a=setup:passive") && !body(&answer).contains("ice"));
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    assert_eq!(plan(&mut s, Side::Trunk).ice, None);
}

#[test]
fn without_a_fingerprint_or_a_certificate_of_ours_it_is_refused() {
    let mut s = script();
    let naked = browser("8Nwd", "11:22", "actpass").replace("a=fingerprint:sha-256 11:22\r\n", "");
    assert_eq!(s.request(Caller, "INVITE 1", None, &naked).unwrap_err().status, 488);
    let mut bare = security(Policy::Terminate, Policy::Plain, [Keying::Sdes; 2]);
    bare.fingerprint = None;
    let mut s = Script::secured(bare);
    let offer = browser("8Nwd", "11:22", "actpass");
    assert_eq!(s.request(Caller, "INVITE 1", None, &offer).unwrap_err().status, 488);
}

/// SRTP of one kind toward each side.
#[test]
fn a_browser_and_a_pbx_with_sdes() {
    let mut s = Script::secured(security(Policy::Terminate, Policy::Require, [Keying::Sdes; 2]));
    let offer = s.request(Caller, "INVITE 1", None, &browser("8Nwd", "11:22", "actpass")).unwrap();
    assert_eq!(streams(&offer)[0].protocol, "RTP/SAVP");
    let line = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n";
    let answer = audio_with("10.0.0.2", 5000, line).replace("RTP/AVP", "RTP/SAVP");
    let answer = s.response(Caller, 200, "INVITE 1", "b", &answer);
    assert!(!body(&answer).contains("crypto"));
    assert!(matches!(s.plan(0).pbx.protection, Protection::Sdes(_)));
    assert!(matches!(s.plan(0).trunk.protection, Protection::Dtls(_)));
    assert_eq!(s.plan(0).tappable, Ok(()));
}

#[test]
fn forks_that_answer_share_our_credentials() {
    let keying = [Keying::Sdes, Keying::Dtls];
    let mut s = Script::secured(security(Policy::Plain, Policy::Require, keying));
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    s.response(Caller, 183, "INVITE 1", "b", &browser("aaaa", "11:22", "active"));
    let first = plan(&mut s, Side::Pbx).ice.unwrap();
    s.response(Caller, 183, "INVITE 1", "c", &browser("bbbb", "33:44", "active"));
    let second = plan(&mut s, Side::Pbx).ice.unwrap();
    assert_eq!(first.our_fragment, second.our_fragment);
    assert_eq!((first.their_fragment.as_str(), second.their_fragment.as_str()), ("aaaa", "bbbb"));
}

/// A browser's a=rtcp is of its own leg: a PBX that heeds it would send its reports where nobody takes them.
#[test]
fn rtcp_of_each_leg_is_that_legs_own() {
    let mut s = script();
    let offer = s.request(Caller, "INVITE 1", None, &browser("8Nwd", "11:22", "actpass")).unwrap();
    assert!(!body(&offer).contains("a=rtcp:"), "{}", body(&offer));
    s.response(Caller, 200, "INVITE 1", "b", &audio_with("10.0.0.2", 5000, "a=rtcp-mux\r\n"));
    let plan = s.plan(0);
    assert_eq!(plan.pbx.remote_rtcp, Some("10.0.0.2:5001".parse().unwrap()));
    assert!(plan.trunk.mux && !plan.pbx.mux);
}

/// RFC 8122 §5: what SHA-1 vouches for is nothing.
#[test]
fn sha_1_only() {
    let mut s = script();
    let offer = browser("8Nwd", "11:22", "actpass").replace("sha-256", "sha-1");
    assert_eq!(s.request(Caller, "INVITE 1", None, &offer).unwrap_err().status, 488);
}

#[test]
fn setup_words() {
    for (word, setup) in [("active", Setup::Active), ("PASSIVE", Setup::Passive), ("actpass", Setup::ActPass)]
    {
        let own = format!("a=fingerprint:sha-256 1\r\na=setup:{word}\r\n");
        let text = audio_with("192.0.2.1", 4000, &own).replace("RTP/AVP", "UDP/TLS/RTP/SAVP");
        let description = sidetone_sip::sdp::Description::parse(text.as_bytes()).unwrap();
        let all = sidetone_sip::sdp::Stream::all(&description);
        assert_eq!(all[0].dtls.as_ref().unwrap().setup, Some(setup), "{word}");
    }
}

/// Neither would ever check: it is met where its description says that it is.
#[test]
fn a_lite_party_is_taken_as_one_without_ice() {
    let mut s = script();
    let lite = browser("8Nwd", "11:22", "actpass")
        .replace("a=group", "a=ice-lite\r\na=group")
        .replace("m=audio 9 ", "m=audio 4000 ")
        .replace("c=IN IP4 0.0.0.0", "c=IN IP4 192.0.2.1");
    s.request(Caller, "INVITE 1", None, &lite).unwrap();
    let answer = s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    assert!(!body(&answer).contains("a=ice") && !body(&answer).contains("a=candidate"), "{}", body(&answer));
    assert_eq!(plan(&mut s, Side::Trunk).ice, None);
    assert_eq!(s.plan(0).trunk.remote_rtp, Some("192.0.2.1:4000".parse().unwrap()));
}

/// RFC 3262 §5: the answer in a reliable 18x is the answer. What is offered later is of the form agreed on then.
#[test]
fn an_answer_in_a_reliable_preview_settles_the_form() {
    let mut s = script();
    s.request(Caller, "INVITE 1", None, &browser("8Nwd", "11:22", "actpass")).unwrap();
    let more = "Require: 100rel\r\nRSeq: 1\r\n";
    s.response_with(Caller, 183, "INVITE 1", "b", more, &audio("10.0.0.2", 5000));
    s.request(Caller, "PRACK 2", Some("b"), "").unwrap();
    s.response(Caller, 200, "PRACK 2", "b", "");
    s.response(Caller, 200, "INVITE 1", "b", "");
    s.request(Caller, "ACK 1", Some("b"), "").unwrap();
    let offer = s.request(Callee, "INVITE 7", Some("b"), &audio("10.0.0.2", 5000)).unwrap();
    assert!(body(&offer).contains("UDP/TLS/RTP/SAVPF"), "{}", body(&offer));
    assert!(!body(&offer).contains("a=crypto"), "{}", body(&offer));
}
