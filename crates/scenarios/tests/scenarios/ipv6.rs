//! Calls over IPv6, and from IPv6 to IPv4 and back.

use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Host, Setup};
use sidetone_scenarios::sipp::Plan;

fn a_call(caller_v6: bool, callee_v6: bool) {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    setup.listen.push(format!("udp:{}", net.at_v6(0)));
    setup.media.push_str("ipv6 = \"::1\"\n");
    let (caller, callee) = (
        if caller_v6 { net.at_v6(2) } else { net.at(host::TRUNK, 5060) },
        if callee_v6 { net.at_v6(3) } else { net.at(host::PBX, 5060) },
    );
    setup.allow_trunk.push(net.at_v6(2).to_string());
    setup.allow_pbx.push(net.at_v6(3).to_string());
    setup.pbx = vec![Host::udp(callee, 1)];
    // Every test shares ::1, so Sidetone's media ports there are this test's own too.
    setup.media =
        setup.media.replace("30000-30199", &format!("{}-{}", net.at_v6(20).port(), net.at_v6(39).port()));
    let mut uac = Plan::new("basic", "uac", caller);
    uac.remote = Some(if caller_v6 { net.at_v6(0) } else { net.at(host::SIDETONE, 5060) });
    let mut uas = Plan::new("basic", "uas", callee);
    if caller_v6 {
        uac.media = net.at_v6(14);
    }
    if callee_v6 {
        uas.media = net.at_v6(16);
    }
    let mut call = Call::start_with(net, &setup, uac, uas);
    call.answered();
    call.talk("answered");
    call.caller.open_gate();
    call.finish(6);
}

#[test]
fn ipv6_on_both_sides() {
    a_call(true, true);
}

#[test]
fn from_ipv6_to_ipv4() {
    a_call(true, false);
}

#[test]
fn from_ipv4_to_ipv6() {
    a_call(false, true);
}
