//! Who is let in, and how much: strangers, limits, hop counts, extensions, loops.

use std::time::Duration;

use sidetone_scenarios::call::Call;
use sidetone_scenarios::dns::NameServer;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Host, SESSIONS, Setup, Sidetone};
use sidetone_scenarios::sip::Raw;
use sidetone_scenarios::sipp::{Plan, Sipp};

const OFFER: &str =
    "v=0\r\no=raw 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

fn invite(raw: &Raw, id: &str) -> Vec<u8> {
    let more = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n", OFFER.len());
    let mut bytes = raw.request("INVITE", "sip:+15550123@sidetone.example", id, &more).into_bytes();
    bytes.extend_from_slice(OFFER.as_bytes());
    bytes
}

#[test]
fn a_stranger_is_refused() {
    let net = Net::lease();
    let sidetone = Sidetone::usual(&net);
    let pbx = Raw::bind(net.at(host::PBX, 5060), sidetone.sip());
    let stranger = Raw::bind(net.at(host::STRANGER, 5060), sidetone.sip());
    stranger.send(&invite(&stranger, "stranger"));
    let refused = stranger.receive_within(Duration::from_secs(1)).and_then(|seen| seen.status());
    assert!(matches!(refused, None | Some(403)), "{refused:?}");
    assert!(pbx.receive_within(Duration::from_millis(100)).is_none(), "nothing reaches the PBX");
    sidetone.finish();
}

#[test]
fn calls_beyond_the_limit_are_refused_with_a_time_to_try_again() {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    setup.more = "[limits]\ncalls = 2\ncalls_per_second = 100\n".to_owned();
    let sidetone = Sidetone::start(&net, &setup);
    let mut callee = Plan::new("load", "uas", net.at(host::PBX, 5060));
    callee.calls = 2;
    let mut callee = Sipp::start(callee, sidetone.dir());
    let mut caller = Plan::new("load", "uac", net.at(host::TRUNK, 5060));
    caller.remote = Some(sidetone.sip());
    caller.calls = 2;
    caller.options = ["-r", "50"].map(str::to_owned).to_vec();
    let mut caller = Sipp::start(caller, sidetone.dir());
    caller.wait_sent("ACK", 2);
    assert_eq!(sidetone.metric(SESSIONS), 2.0);
    let third = Raw::bind(net.at(host::TRUNK, 5095), sidetone.sip());
    third.send(&invite(&third, "third"));
    let refused = third.response();
    assert_eq!(refused.status(), Some(503));
    assert!(refused.header("Retry-After").is_some());
    caller.open_gates();
    caller.finish();
    callee.finish();
    sidetone.finish();
}

#[test]
fn too_many_hops() {
    let net = Net::lease();
    let sidetone = Sidetone::usual(&net);
    let raw = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    raw.send(
        raw.request("MESSAGE", "sip:+15550123@sidetone.example", "hops", "Max-Forwards: 0\r\n").as_bytes(),
    );
    assert_eq!(raw.response().status(), Some(483));
    sidetone.finish();
}

#[test]
fn an_extension_that_the_proxy_must_know_and_does_not() {
    let net = Net::lease();
    let sidetone = Sidetone::usual(&net);
    let raw = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    let more = "Proxy-Require: clairvoyance\r\n";
    raw.send(raw.request("MESSAGE", "sip:+15550123@sidetone.example", "extension", more).as_bytes());
    let refused = raw.response();
    assert_eq!(refused.status(), Some(420));
    assert_eq!(refused.header("Unsupported").as_deref(), Some("clairvoyance"));
    sidetone.finish();
}

/// A PBX that sends everything back where it came from makes a loop; the loop ends by itself.
#[test]
fn a_loop_comes_to_an_end() {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    // Both the PBX and the carrier are Sidetone itself, which by their name nobody can tell from the configuration.
    let dir = tempfile::tempdir().unwrap();
    let names =
        NameServer::start(&net, dir.path(), 60, &[("itself.test", net.v4(host::SIDETONE).into())], &[]);
    setup.sip = format!("nameservers = [\"{}\"]\n", names.at());
    setup.pbx = vec![Host { to: "sip:itself.test:5060".to_owned(), priority: 1, certificate_name: None }];
    setup.trunk = setup.pbx.clone();
    setup.allow_pbx.push(net.v4(host::SIDETONE).to_string());
    let sidetone = Sidetone::start(&net, &setup);
    let raw = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    raw.send(&invite(&raw, "loop"));
    let refused = raw.response().status().unwrap();
    assert!((400..700).contains(&refused), "{refused}");
    sidetone.finish();
}

/// The answer to a challenge is the same call (RFC 3261 §22.2).
#[test]
fn a_call_that_is_challenged_takes_up_the_rate_once() {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    setup.more = "[limits]\ncalls = 10\ncalls_per_second = 1\n".to_owned();
    let mut uac = Plan::new("auth-challenge", "uac", net.at(host::TRUNK, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    let uas = Plan::new("auth-challenge", "uas", net.at(host::PBX, 5060));
    let mut call = Call::start_with(net, &setup, uac, uas);
    call.caller.wait_sent("ACK", 2);
    call.caller.open_gate();
    call.finish(6);
}
