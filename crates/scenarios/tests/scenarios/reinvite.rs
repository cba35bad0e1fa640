//! Re-INVITEs that change codec or address, and one that is refused.

use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::rtp::End;
use sidetone_scenarios::sidetone::Setup;
use sidetone_scenarios::sipp::Plan;

#[test]
fn the_codec_changes() {
    let mut call = Call::start("reinvite-codec");
    call.answered();
    call.talk("PCMU");
    call.caller.open_gate();
    call.callee.wait_received("ACK", 2);
    call.aim();
    call.caller_media.payload_type(8);
    call.callee_media.payload_type(8);
    call.talk("PCMA");
    call.caller.open_gate();
    call.finish(9);
}

#[test]
fn the_address_changes() {
    let net = Net::lease();
    let setup = Setup::usual(&net);
    let mut uac = Plan::new("reinvite-address", "uac", net.at(host::TRUNK, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    uac.media_2 = net.at(host::ELSEWHERE, 40_020);
    let elsewhere = uac.media_2;
    let uas = Plan::new("reinvite-address", "uas", net.at(host::PBX, 5060));
    let mut call = Call::start_with(net, &setup, uac, uas);
    call.answered();
    call.talk("at the first address");
    call.caller.open_gate();
    call.callee.wait_received("ACK", 2);
    call.caller_media = End::bind(elsewhere);
    call.aim();
    call.talk("at the second address");
    call.caller.open_gate();
    call.finish(9);
}

#[test]
fn a_refused_offer_changes_nothing() {
    let mut call = Call::start("reinvite-refused");
    call.answered();
    call.talk("before");
    call.caller.open_gate();
    call.callee.wait_received("ACK", 2);
    call.talk("after the refusal");
    call.caller.open_gate();
    call.finish(8);
}
