//! SIP over TCP: on both sides, and between TCP and UDP.

use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Host, Setup};
use sidetone_scenarios::sipp::Plan;

fn a_call(caller_tcp: bool, callee_tcp: bool) {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    if callee_tcp {
        setup.pbx = vec![Host::tcp(net.at(host::PBX, 5060), 1)];
    }
    let mut uac = Plan::new("early-media", "uac", net.at(host::TRUNK, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    uac.tcp = caller_tcp;
    let mut uas = Plan::new("early-media", "uas", net.at(host::PBX, 5060));
    uas.tcp = callee_tcp;
    let mut call = Call::start_with(net, &setup, uac, uas);
    call.caller.wait_response(183, "INVITE", 1);
    call.callee.open_gate();
    call.answered();
    call.talk("answered");
    call.callee.open_gate();
    call.finish(6);
}

#[test]
fn tcp_on_both_sides() {
    a_call(true, true);
}

#[test]
fn from_tcp_to_udp() {
    a_call(true, false);
}

#[test]
fn from_udp_to_tcp() {
    a_call(false, true);
}
