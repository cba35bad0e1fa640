//! A PBX host that is overloaded or silent is passed over, and the caller sees none of it.

use std::net::UdpSocket;

use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Host, Setup};
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
