//! An INVITE without SDP: offer in the 200, answer in the ACK.

use sidetone_scenarios::call::Call;

#[test]
fn media_flows_after_an_answer_in_the_ack() {
    let mut call = Call::start("late-offer");
    call.answered();
    call.talk("answered");
    call.caller.open_gate();
    call.finish(6);
}
