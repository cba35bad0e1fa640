//! A request of more than 1300 bytes goes on over TCP, and over UDP where nobody listens on TCP (RFC 3261 §18.1.1).

use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::Setup;
use sidetone_scenarios::sipp::Plan;

fn a_call(callee_tcp: bool) {
    let net = Net::lease();
    let setup = Setup::usual(&net);
    let mut uac = Plan::new("large-invite", "uac", net.at(host::TRUNK, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    let mut uas = Plan::new("large-invite", "uas", net.at(host::PBX, 5060));
    uas.tcp = callee_tcp;
    let mut call = Call::start_with(net, &setup, uac, uas);
    call.answered();
    call.talk("answered");
    call.caller.open_gate();
    let invite = call.callee.wait_received("INVITE", 1);
    assert!(invite.bytes.len() > 1300);
    let expected = if callee_tcp { "SIP/2.0/TCP" } else { "SIP/2.0/UDP" };
    assert!(invite.header("Via").unwrap().starts_with(expected), "{:?}", invite.header("Via"));
    call.finish(6);
}

#[test]
fn it_goes_on_over_tcp() {
    a_call(true);
}

#[test]
fn it_falls_back_to_udp() {
    a_call(false);
}
