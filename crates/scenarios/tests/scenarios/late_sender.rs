//! A party that has not heard of its call's end goes on sending: the next call on that port has nothing of it.

use std::time::Duration;

use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::rtp::nothing;
use sidetone_scenarios::sidetone::Setup;
use sidetone_scenarios::sipp::Plan;

/// As long as a port rests, and a little.
const REST: Duration = Duration::from_millis(5_500);

fn plans(net: &Net) -> (Plan, Plan) {
    let mut uac = Plan::new("basic", "uac", net.at(host::TRUNK, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    (uac, Plan::new("basic", "uas", net.at(host::PBX, 5060)))
}

fn unheard_under(latching: &str) {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    // Two pairs, one for each side of one call: the next has them both.
    setup.media = setup.media.replace("30000-30199", "30000-30003");
    setup.media.push_str(&format!("latching = \"{latching}\"\n"));
    let (mut uac, uas) = plans(&net);
    uac.media.set_port(40_020);
    let mut call = Call::start_with(net, &setup, uac, uas);
    call.answered();
    call.talk("the first call");
    let port = call.caller_media.target();
    call.caller.open_gate();
    call.caller.finish();
    call.callee.finish();
    let Call { net, sidetone, caller_media: mut late, callee_media, .. } = call;
    drop(callee_media);
    std::thread::sleep(REST);

    let (uac, uas) = plans(&net);
    let mut call = Call::through(net, sidetone, uac, uas);
    call.answered();
    assert_eq!(call.caller_media.target(), port, "the same port");
    // Before the party itself has sent anything.
    nothing("late sound", &mut late, &call.callee_media);
    nothing("what the next call hears", &mut call.callee_media, &late);
    call.caller_media.drain();
    call.talk("the second call");
    nothing("late sound", &mut late, &call.callee_media);
    call.caller.open_gate();
    call.finish(6);
}

#[test]
fn a_late_sender_is_not_heard_by_default() {
    unheard_under("signalled");
}

#[test]
fn a_late_sender_is_not_heard_where_anybody_may_send() {
    unheard_under("open");
}
