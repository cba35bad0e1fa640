//! UPDATE (RFC 3311) moves media, before the answer and after it.

use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::host;
use sidetone_scenarios::rtp::End;

#[test]
fn the_caller_moves_its_media_before_the_answer() {
    let mut call = Call::start("update-early");
    call.answered();
    call.caller_media = End::bind(call.net.at(host::TRUNK, 40_010));
    call.aim();
    call.talk("after the early UPDATE");
    call.caller.open_gate();
    call.finish(10);
}

#[test]
fn the_callee_moves_its_media_in_the_call() {
    let mut call = Call::start("update");
    call.answered();
    call.talk("before");
    call.callee.open_gate();
    call.callee.wait_response(200, "UPDATE", 1);
    call.callee_media = End::bind(call.net.at(host::PBX, 40_010));
    call.aim();
    call.talk("after the UPDATE");
    call.caller.open_gate();
    call.finish(8);
}
