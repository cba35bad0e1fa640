//! Media flows on a 183 with SDP, before the call is answered, and goes on when it is.

use sidetone_scenarios::call::Call;

#[test]
fn media_flows_before_the_answer_and_after_it() {
    let mut call = Call::start("early-media");
    call.caller.wait_response(183, "INVITE", 1);
    call.aim();
    call.talk("early");
    call.callee.open_gate();
    call.answered();
    call.talk("answered");
    call.callee.open_gate();
    call.finish(6);
}
