//! A call from INVITE to BYE, in both directions, headers and audio untouched.

use sidetone_scenarios::call::{Call, Toward};
use sidetone_scenarios::rtp::rtcp_both_ways;

fn a_call(toward: Toward) {
    let mut call = Call::start_toward("basic", toward);
    call.answered();
    call.talk("answered");
    rtcp_both_ways("answered", &call.caller_media, &call.callee_media);
    call.talk("after RTCP");
    call.caller.open_gate();
    call.finish(6);
}

#[test]
fn the_carrier_calls_the_pbx() {
    a_call(Toward::Pbx);
}

#[test]
fn the_pbx_calls_the_carrier() {
    a_call(Toward::Trunk);
}
