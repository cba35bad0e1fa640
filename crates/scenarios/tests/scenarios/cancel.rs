//! A caller who gives up, and one whose CANCEL crosses the answer.

use sidetone_scenarios::call::Call;
use sidetone_scenarios::sidetone::of_kind;

#[test]
fn a_cancelled_call_leaves_nothing() {
    let call = Call::start("cancel");
    let events = call.finish(3);
    assert_eq!(of_kind(&events, "call.answered").len(), 0);
    assert_eq!(of_kind(&events, "call.ended")[0]["data"]["cause"], "cancelled");
}

#[test]
fn an_answer_that_crosses_the_cancel_wins() {
    let call = Call::start("cancel-race");
    let events = call.finish(6);
    assert_eq!(of_kind(&events, "call.answered").len(), 1);
    assert_eq!(of_kind(&events, "call.ended")[0]["data"]["cause"], "hangup");
}
