//! A caller who gives up, and one whose CANCEL crosses the answer.

use sidetone_scenarios::call::Call;

#[test]
fn a_cancelled_call_leaves_nothing() {
    let call = Call::start("cancel");
    call.finish(3);
}

#[test]
fn an_answer_that_crosses_the_cancel_wins() {
    let call = Call::start("cancel-race");
    call.finish(6);
}
