//! Final responses that are the callee's business pass as they are.

use sidetone_scenarios::call::Call;

#[test]
fn busy_here() {
    Call::start("busy").finish(2);
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
