//! Streams that Sidetone can't listen to are relayed all the same: video, fax, encrypted audio.

use serde_json::Value;
use sidetone_scenarios::call::{Call, media_of};
use sidetone_scenarios::net::host;
use sidetone_scenarios::rtp::{End, both_ways};
use sidetone_scenarios::sidetone::of_kind;
use sidetone_scenarios::until;

#[test]
fn video_is_relayed_beside_audio() {
    let mut call = Call::start("video");
    let mut caller_video = End::bind(call.net.at(host::TRUNK, 40_010));
    let mut callee_video = End::bind(call.net.at(host::PBX, 40_010));
    call.answered();
    caller_video.send_to(media_of(&call.caller.seen(), 2));
    callee_video.send_to(media_of(&call.callee.seen(), 2));
    call.talk("audio");
    both_ways("video", &mut caller_video, &mut callee_video, 20);
    call.talk("audio again");
    call.caller.open_gate();
    untappable("not-audio", &call.finish(6));
}

#[test]
fn a_fax_takes_the_place_of_the_call() {
    let mut call = Call::start("t38");
    call.answered();
    call.talk("before the fax");
    call.caller.open_gate();
    call.callee.wait_received("ACK", 2);
    call.caller_media = End::bind(call.net.at(host::TRUNK, 40_010));
    call.callee_media = End::bind(call.net.at(host::PBX, 40_010));
    call.aim();
    // UDPTL (ITU-T T.38): a sequence number, then the primary packet; nothing like RTP.
    let datagram = [0, 0, 1, 6, 0, 0];
    call.caller_media.send(&datagram);
    assert_eq!(until("UDPTL", || call.callee_media.receive()).0, datagram);
    call.callee_media.send(&datagram);
    assert_eq!(until("UDPTL", || call.caller_media.receive()).0, datagram);
    call.caller.open_gate();
    untappable("fax", &call.finish(9));
}

#[test]
fn encrypted_audio_stays_encrypted() {
    let mut call = Call::start("srtp");
    call.answered();
    call.talk("SRTP");
    call.caller.open_gate();
    untappable("srtp", &call.finish(6));
}

/// The call that can't be listened to is reported, with the reason.
fn untappable(reason: &str, events: &[Value]) {
    let told: Vec<&Value> =
        of_kind(events, "call.untappable").iter().map(|event| &event["data"]["reason"]).collect();
    assert!(told.contains(&&Value::from(reason)), "{told:?}");
}
