//! REFER, its NOTIFYs, and the call with Replaces that follows an attended transfer.

use sidetone_scenarios::call::Call;

fn transfer(scenario: &str) {
    let mut call = Call::start(scenario);
    call.answered();
    call.talk("before the transfer");
    call.callee.open_gate();
    call.finish(12);
}

#[test]
fn a_blind_transfer_is_reported_to_the_transferor() {
    transfer("transfer-blind");
}

#[test]
fn an_attended_transfer_names_the_dialog_to_replace() {
    transfer("transfer-attended");
}

#[test]
fn the_call_that_replaces_it_keeps_its_replaces() {
    let mut call = Call::start("replaces");
    call.answered();
    call.talk("transferred");
    call.caller.open_gate();
    call.finish(5);
}
