//! Reliable provisional responses (RFC 3262), with the answer in the 183 and with the answer in the PRACK.

use sidetone_scenarios::call::Call;

fn a_call(scenario: &str) {
    let mut call = Call::start(scenario);
    call.answered();
    call.talk("answered");
    call.caller.open_gate();
    call.finish(8);
}

#[test]
fn the_answer_comes_in_a_reliable_183() {
    a_call("prack");
}

#[test]
fn the_answer_goes_in_the_prack() {
    a_call("prack-answer");
}
