//! Calls over IPv6, and from IPv6 to IPv4 and back.

use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Host, Setup};
use sidetone_scenarios::sipp::Plan;

use super::tls::Keys;

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

/// A carrier by TLS over IPv6 and a PBX by UDP over IPv4, or the other way round.
fn by_tls(caller_tls: bool) {
    let net = Net::lease();
    let keys = Keys::new(&net);
    let mut setup = Setup::usual(&net);
    setup.listen.push(format!("tls:{}", net.at_v6(0)));
    setup.sip = keys.sip("");
    setup.media.push_str("ipv6 = \"::1\"\n");
    setup.media =
        setup.media.replace("30000-30199", &format!("{}-{}", net.at_v6(20).port(), net.at_v6(39).port()));
    let secured = keys.authority.issue("v6", &["::1"]);
    let mut uac =
        Plan::new("basic", "uac", if caller_tls { net.at_v6(2) } else { net.at(host::TRUNK, 5060) });
    let mut uas = Plan::new("basic", "uas", if caller_tls { net.at(host::PBX, 5060) } else { net.at_v6(3) });
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    // Connections come from any port.
    if caller_tls {
        uac.remote = Some(net.at_v6(0));
        (uac.tls, uac.media) = (Some(secured), net.at_v6(14));
        setup.allow_trunk.push("::1".to_owned());
    } else {
        let to = format!("sip:{};transport=tls", net.at_v6(3));
        setup.pbx = vec![Host { to, priority: 1, certificate_name: None }];
        (uas.tls, uas.media) = (Some(secured), net.at_v6(16));
        setup.allow_pbx.push("::1".to_owned());
    }
    let mut call = Call::start_with(net, &setup, uac, uas);
    call.answered();
    call.talk("answered");
    if !caller_tls {
        call.caller.open_gate();
    }
    let role = if caller_tls { "server" } else { "client" };
    assert!(
        call.sidetone.series("sidetone_tls_handshakes_total", &[("role", role), ("version", "1.3")]) > 0.0
    );
    call.finish(6);
}

#[test]
fn from_ipv6_by_tls_to_ipv4() {
    by_tls(true);
}

#[test]
fn from_ipv4_to_ipv6_by_tls() {
    by_tls(false);
}
