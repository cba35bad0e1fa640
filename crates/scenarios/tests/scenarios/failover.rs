//! A PBX host that is overloaded or silent is passed over, and the caller sees none of it.

use std::net::UdpSocket;

use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Host, Setup, Sidetone};
use sidetone_scenarios::sip::Raw;
use sidetone_scenarios::sipp::{Plan, Sipp};

fn second_host(first: Option<&str>) {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    setup.pbx.push(Host::udp(net.at(host::SECOND, 5060), 2));
    setup.sip = "failover_after = \"500ms\"\n".to_owned();
    let mut uac = Plan::new("failover-503", "uac", net.at(host::TRUNK, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    let uas = Plan::new("failover-503", "uas-second", net.at(host::SECOND, 5060));
    // Somebody is there, so the kernel does not say that nobody is.
    let silent = first.is_none().then(|| UdpSocket::bind(net.at(host::PBX, 5060)).unwrap());
    let dir = tempfile::tempdir().unwrap();
    let mut overloaded =
        first.map(|part| Sipp::start(Plan::new("failover-503", part, net.at(host::PBX, 5060)), dir.path()));
    let mut call = Call::start_with(net, &setup, uac, uas);
    call.answered();
    call.talk("at the second host");
    call.caller.open_gate();
    call.finish(6);
    if let Some(overloaded) = &mut overloaded {
        overloaded.finish();
    }
    drop(silent);
}

#[test]
fn a_503_moves_the_call_to_the_second_host() {
    second_host(Some("uas"));
}

#[test]
fn silence_moves_the_call_to_the_second_host() {
    second_host(None);
}

#[test]
fn the_peer_that_answered_is_the_one_that_is_named() {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    let second = net.at(host::SECOND, 5060);
    setup.allow_pbx = vec![net.v4(host::PBX).to_string()];
    setup.sip = "failover_after = \"500ms\"\n".to_owned();
    setup.more = format!(
        "[[pbx]]\nname = \"second\"\nhosts = [{{ to = \"sip:{second};transport=udp\" }}]\nallow = [\"{}\"]\n",
        second.ip()
    );
    let mut uac = Plan::new("failover-503", "uac", net.at(host::TRUNK, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    let uas = Plan::new("failover-503", "uas-second", second);
    let silent = UdpSocket::bind(net.at(host::PBX, 5060)).unwrap();
    let mut call = Call::start_with(net, &setup, uac, uas);
    call.answered();
    let calls = call.sidetone.command(&["calls", "--json"]);
    let view: serde_json::Value = serde_json::from_str(calls.lines().next().unwrap()).unwrap();
    assert_eq!(view["pbx"], "second");
    call.talk("at the second PBX");
    call.caller.open_gate();
    call.finish(6);
    drop(silent);
}

const URI: &str = "sip:+15550123@sidetone.example";

/// The only PBX is dead: the caller's carrier hears so after `failover_after`, not after the half minute of timer B.
#[test]
fn a_silent_pbx_is_a_503_with_a_time_to_try_again() {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    setup.sip = "failover_after = \"500ms\"\n".to_owned();
    let sidetone = Sidetone::start(&net, &setup);
    let silent = UdpSocket::bind(net.at(host::PBX, 5060)).unwrap();
    let trunk = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    trunk.send(trunk.request("INVITE", URI, "dead", "").as_bytes());
    let refused = trunk.response();
    assert_eq!(refused.status(), Some(503));
    assert!(refused.header("Retry-After").is_some());
    drop(silent);
}

/// Every host is known to be down: they are asked for a moment, however patient the configuration is.
#[test]
fn hosts_that_are_down_are_asked_for_a_moment_only() {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    // Longer than this test would wait: only what is known of the host can shorten it.
    setup.sip = "failover_after = \"10m\"\n".to_owned();
    setup.more = "[health]\noptions_interval = \"1s\"\ndown_after = 1\n".to_owned();
    let silent = UdpSocket::bind(net.at(host::PBX, 5060)).unwrap();
    let trunk = Raw::bind(net.at(host::TRUNK, 5060), net.at(host::SIDETONE, 5060));
    let sidetone = Sidetone::start(&net, &setup);
    sidetone_scenarios::until("the PBX to be known down", || {
        let (_, page) = sidetone.get("/metrics")?;
        page.lines()
            .any(|line| line.contains("peer_up") && line.contains("\"pbx\"") && line.ends_with(" 0"))
            .then_some(())
    });
    trunk.send(trunk.request("INVITE", URI, "down", "").as_bytes());
    assert_eq!(trunk.response().status(), Some(503));
    // One that has come back in the meantime is not turned away for what was known of it.
    drop(silent);
    let pbx = Raw::bind(net.at(host::PBX, 5060), sidetone.sip());
    trunk.send(trunk.request("INVITE", URI, "back", "").as_bytes());
    let invite = sidetone_scenarios::until("the call at the PBX", || {
        pbx.request_within(std::time::Duration::from_millis(50)).filter(|request| {
            request.method() == "INVITE" && request.header("Call-ID").as_deref() == Some("back@raw")
        })
    });
    pbx.answer(&invite, "486 Busy Here");
    sidetone_scenarios::until("the PBX's own word", || {
        (trunk.response().status() == Some(486)).then_some(())
    });
}
