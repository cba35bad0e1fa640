//! Session timers (RFC 4028) are the parties' business: 422, refresh by UPDATE, refresh by re-INVITE.

use sidetone_scenarios::call::Call;

#[test]
fn refreshes_from_both_sides_keep_the_media() {
    let mut call = Call::start("session-timer");
    call.caller.wait_received("ACK", 1);
    call.aim();
    call.talk("after both refreshes");
    call.caller.open_gate();
    call.finish(12);
}
