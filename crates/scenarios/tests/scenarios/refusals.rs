//! Final responses that are the callee's business pass as they are.

use serde_json::json;
use sidetone_scenarios::call::Call;
use sidetone_scenarios::sidetone::of_kind;

#[test]
fn busy_here() {
    let events = Call::start("busy").finish(2);
    let ended = of_kind(&events, "call.ended")[0];
    assert_eq!((&ended["data"]["cause"], &ended["data"]["sip_status"]), (&json!("rejected"), &json!(486)));
}

#[test]
fn moved_temporarily() {
    Call::start("redirect").finish(2);
}

#[test]
fn proxy_authentication_required() {
    let mut call = Call::start("auth-challenge");
    call.callee.wait_received("ACK", 2);
    call.aim();
    call.talk("answered at the second try");
    call.caller.open_gate();
    call.finish(7);
}
