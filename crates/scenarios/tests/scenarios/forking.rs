//! Two callees answer one INVITE: both answers reach the caller, and media belongs to the first until it hangs up.

use sidetone_scenarios::call::{Call, media_of};
use sidetone_scenarios::net::host;
use sidetone_scenarios::rtp::{End, both_ways};

#[test]
fn the_first_answer_has_the_media_until_it_is_gone() {
    let mut call = Call::start("forked-2xx");
    let mut second = End::bind(call.net.at(host::PBX, 40_010));
    call.callee.wait_received("ACK", 2);
    call.aim();
    second.send_to(media_of(&call.callee.seen(), 0));
    call.talk("with the first");
    call.caller.open_gate();
    call.caller.wait_response(200, "BYE", 1);
    both_ways("with the second", &mut call.caller_media, &mut second, 20);
    call.caller.open_gate();
    call.finish(11);
}
