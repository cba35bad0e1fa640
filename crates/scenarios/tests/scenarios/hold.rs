//! Hold and resume, as RFC 3264 does it and as RFC 2543 did.

use serde_json::Value;
use sidetone_scenarios::call::Call;
use sidetone_scenarios::rtp::one_way;
use sidetone_scenarios::sidetone::of_kind;

#[test]
fn the_caller_holds_with_sendonly() {
    let mut call = Call::start("hold-sendonly");
    call.answered();
    call.talk("before hold");
    call.caller.open_gate();
    call.callee.wait_received("ACK", 2);
    call.aim();
    // The holder may still play music.
    one_way("music on hold", &mut call.caller_media, &call.callee_media, 20);
    call.caller.open_gate();
    call.callee.wait_received("ACK", 3);
    call.aim();
    call.talk("resumed");
    call.caller.open_gate();
    held_by("customer", &call.finish(12));
}

#[test]
fn the_callee_holds_with_a_zero_address() {
    let mut call = Call::start("hold-zero");
    call.answered();
    call.talk("before hold");
    call.callee.open_gate();
    call.caller.wait_received("ACK", 1);
    let held = call.caller.seen().into_iter().filter_map(|seen| seen.sdp()).next_back().unwrap();
    assert!(held.streams[0].address.is_some(), "the held stream keeps an address line");
    call.callee.open_gate();
    call.caller.wait_received("ACK", 2);
    call.aim();
    call.talk("resumed");
    call.caller.open_gate();
    held_by("agent", &call.finish(12));
}

fn held_by(holder: &str, events: &[Value]) {
    for kind in ["call.held", "call.resumed"] {
        let told: Vec<&Value> = of_kind(events, kind).iter().map(|event| &event["data"]["by"]).collect();
        assert_eq!(told, [holder], "{kind} is told once");
    }
}
