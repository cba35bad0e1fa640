//! A call from INVITE to BYE, in both directions, headers and audio untouched.

use serde_json::json;
use sidetone_scenarios::call::{Call, Toward};
use sidetone_scenarios::rtp::rtcp_both_ways;
use sidetone_scenarios::sidetone::of_kind;

fn a_call(toward: Toward) {
    let mut call = Call::start_toward("basic", toward);
    call.answered();
    call.talk("answered");
    rtcp_both_ways("answered", &call.caller_media, &call.callee_media);
    call.talk("after RTCP");
    call.caller.open_gate();
    let events = call.finish(6);
    let (direction, customer_hung_up) = match toward {
        Toward::Pbx => ("inbound", "customer"),
        Toward::Trunk => ("outbound", "agent"),
    };
    assert_eq!(of_kind(&events, "call.answered").len(), 1);
    let ended = of_kind(&events, "call.ended")[0];
    assert_eq!(ended["call"]["direction"], direction);
    assert_eq!((&ended["data"]["cause"], &ended["data"]["by"]), (&json!("hangup"), &json!(customer_hung_up)));
}

#[test]
fn the_carrier_calls_the_pbx() {
    a_call(Toward::Pbx);
}

#[test]
fn the_pbx_calls_the_carrier() {
    a_call(Toward::Trunk);
}
