//! Who of two parties is the customer: told, shown by the capture, or not known. And what could make it a wrong guess:
//! copies, frames out of order, one conversation captured twice.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use sidetone_call::Side;
use sidetone_capture::calls::{Customer, Known, Options, Origin, Recording};
use sidetone_capture::pcap::{Link, Writer};

use common::talk::*;

fn named(customer: &str) -> Options {
    Options { customer: Some(customer.parse().unwrap()), ..Options::default() }
}

/// Frames of a capture as they stand in it, to be put together anew.
fn frames(capture: &[u8]) -> Vec<(std::time::Duration, Vec<u8>)> {
    let mut reader = sidetone_capture::pcap::Reader::new(capture).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        frames.push((frame.at, frame.bytes.to_vec()));
    }
    frames
}

fn joined<'a>(frames: impl IntoIterator<Item = &'a (std::time::Duration, Vec<u8>)>) -> Vec<u8> {
    let mut writer = Writer::of_link(Vec::new(), Link::Ip).unwrap();
    for (at, bytes) in frames {
        writer.frame(*at, bytes).unwrap();
    }
    writer.into_inner()
}

fn bare() -> Vec<u8> {
    let mut talk = Talk::new();
    talk.speak(&Voice::caller(), &Voice::callee(), 30);
    talk.bytes()
}

fn signalled() -> Vec<u8> {
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    set_up(&mut talk, &call);
    talk.speak(&Voice::caller(), &Voice::callee(), 30);
    hang_up(&mut talk, &call);
    talk.bytes()
}

#[test]
fn an_invite_tells_who_placed_the_call_and_bare_audio_does_not() {
    let (calls, _) = heard(&signalled(), Options::default());
    assert_eq!(calls[0].customer(), Known::Signalled);
    let (calls, _) = heard(&bare(), Options::default());
    assert_eq!(calls[0].customer(), Known::No);
}

#[test]
fn whoever_is_named_is_on_the_trunks_side() {
    for (capture, customer, from) in [
        (bare(), "10.0.0.2", CALLEE_RTP),
        (bare(), "10.0.0.1:4000", CALLER_RTP),
        (bare(), "callee", CALLEE_RTP),
        (signalled(), "callee", CALLEE_RTP),
        (signalled(), "10.0.0.2:6000", CALLEE_RTP),
        (signalled(), "caller", CALLER_RTP),
    ] {
        let (calls, _) = heard(&capture, named(customer));
        assert_eq!(calls[0].customer(), Known::Named, "{customer}");
        assert_eq!(calls[0].voice(Side::Trunk).from, Some(common::addr(from)), "{customer}");
    }
    let (calls, _) = heard(&bare(), named("10.0.0.77"));
    assert_eq!(calls[0].customer(), Known::No, "an address that nobody has names nobody");
}

#[test]
fn a_message_from_the_middle_of_a_call_names_it_and_tells_no_roles() {
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    let answer = sdp(CALLEE_RTP, "96", "a=rtpmap:96 PCMU/8000\r\n");
    talk.sip(CALLEE, CALLER, &call.response("200 OK", 1, "INVITE", &answer));
    let voice = |voice| Voice { payload_type: 96, ..voice };
    talk.speak(&voice(Voice::caller()), &voice(Voice::callee()), 30);
    let (calls, _) = talk.heard(Options::default());
    let [call] = &calls[..] else { panic!("{} calls", calls.len()) };
    assert_eq!(call.origin(), &Origin::Sip { call_id: "one".into(), from: "alice".into(), to: "bob".into() });
    assert_eq!((call.customer(), call.packets()), (Known::No, 60));
    assert!(call.unknown_payload_types().is_empty(), "the answer says what 96 is");
}

#[test]
fn copies_are_dropped_whichever_way_they_came() {
    let original = frames(&bare());
    let (calls, _) = heard(&bare(), Options::default());
    let told = story(&calls[0]);
    let late = |ms| {
        move |(at, bytes): &(std::time::Duration, Vec<u8>)| {
            (*at + std::time::Duration::from_millis(ms), bytes.clone())
        }
    };
    let one_way: Vec<_> = original.iter().step_by(2).cloned().collect();
    for copies in [
        original.clone(),
        original.iter().map(late(30)).collect(),
        original.iter().chain(&original).cloned().collect(),
        one_way,
    ] {
        let mut all: Vec<_> = original.iter().chain(&copies).cloned().collect();
        all.sort_by_key(|(at, _)| *at);
        let (calls, counters) = heard(&joined(&all), Options::default());
        assert_eq!((calls.len(), counters.copies), (1, copies.len() as u64));
        assert_eq!(story(&calls[0]), told);
    }
}

#[test]
fn frames_out_of_order_tell_the_same_story() {
    let original = frames(&signalled());
    let (calls, _) = heard(&signalled(), Options::default());
    let told = story(&calls[0]);
    let (setup, rest) = original.split_at(4);
    let (media, end) = rest.split_at(60);
    let legs: Vec<_> = media.iter().step_by(2).chain(media.iter().skip(1).step_by(2)).collect();
    let orders: [Vec<&(std::time::Duration, Vec<u8>)>; 3] = [
        setup.iter().chain(legs.clone()).chain(end).collect(),
        setup.iter().chain(end).chain(media).collect(),
        legs.into_iter().chain(end).chain(setup).collect(),
    ];
    for order in orders {
        let (calls, counters) = heard(&joined(order), Options::default());
        assert_eq!(calls.iter().map(story).collect::<Vec<_>>(), std::slice::from_ref(&told));
        assert!(counters.out_of_order > 0 && counters.clock_set_back == 0, "{counters:?}");
    }
}

#[test]
fn a_clock_that_is_set_back_shortens_no_call() {
    let mut all = frames(&signalled());
    let half = all.len() / 2;
    let length = |frames: &[(std::time::Duration, Vec<u8>)]| {
        heard(&joined(frames), Options::default()).0[0].duration()
    };
    let right = length(&all);
    all[half..].iter_mut().for_each(|(at, _)| *at -= std::time::Duration::from_secs(5));
    let (calls, counters) = heard(&joined(&all), Options::default());
    assert_eq!(counters.clock_set_back, 1);
    assert!(calls[0].duration().abs_diff(right).as_millis() <= 20, "{:?} and {right:?}", calls[0].duration());
    assert_eq!(calls[0].packets(), 60);
}

#[test]
fn bare_calls_on_the_same_ports_with_time_between_are_two() {
    let mut talk = Talk::new();
    talk.speak(&Voice::caller(), &Voice::callee(), 30).wait(3_600_000);
    let later = |voice: Voice| Voice { ssrc: voice.ssrc + 7, ..voice };
    talk.speak(&later(Voice::caller()), &later(Voice::callee()), 20);
    let (calls, _) = talk.heard(Options::default());
    assert_eq!(calls.iter().map(Recording::packets).collect::<Vec<_>>(), [60, 40]);
    // A pause in which a party sends nothing is no end.
    let mut talk = Talk::new();
    talk.speak(&Voice::caller(), &Voice::callee(), 30).wait(20_000);
    talk.speak(&later(Voice::caller()), &later(Voice::callee()), 20);
    assert_eq!(talk.heard(Options::default()).0.len(), 1);
}

/// Speech-like payloads: no two alike.
fn speech(ssrc: u32, n: u16, seed: u8) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(n.to_be_bytes());
    packet.extend((u32::from(n) * 160).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    let mut state = u32::from(n).wrapping_mul(2_654_435_761).wrapping_add(u32::from(seed));
    packet.extend((0..160).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    }));
    packet
}

#[test]
fn a_conversation_seen_on_both_sides_of_a_proxy_is_one_call() {
    const INSIDE: [&str; 2] = ["10.9.0.1:7000", "10.9.0.2:8000"];
    // The same sources throughout, and new ones behind the proxy.
    for rewritten in [0, 0x100] {
        let mut talk = Talk::new();
        for n in 0..50 {
            talk.udp(CALLER_RTP, CALLEE_RTP, &speech(1, n, 1)).udp(CALLEE_RTP, CALLER_RTP, &speech(2, n, 2));
            talk.wait(1);
            talk.udp(INSIDE[0], INSIDE[1], &speech(1 + rewritten, n, 1));
            talk.udp(INSIDE[1], INSIDE[0], &speech(2 + rewritten, n, 2)).wait(19);
        }
        let (calls, counters) = talk.heard(Options::default());
        assert_eq!((calls.len(), counters.other_views), (1, 1));
        assert_eq!(
            calls[0].origin(),
            &Origin::Rtp { caller: common::addr(CALLER_RTP), callee: common::addr(CALLEE_RTP) }
        );
    }
}

#[test]
fn callers_who_hear_the_same_music_are_not_one_call() {
    let mut talk = Talk::new();
    for n in 0..50 {
        for (caller, pbx, seed) in
            [("10.0.1.1:4000", "10.0.0.9:6000", 1), ("10.0.1.2:4000", "10.0.0.9:6002", 2)]
        {
            talk.udp(caller, pbx, &speech(u32::from(seed), n, seed)).udp(pbx, caller, &speech(9, n, 9));
        }
        talk.wait(20);
    }
    let (calls, counters) = talk.heard(Options::default());
    assert_eq!((calls.len(), counters.other_views), (2, 0));
}

#[test]
fn parties_that_named_private_addresses_are_heard_all_the_same() {
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    let (offer, answer) = (sdp("192.168.1.5:4000", "0", ""), sdp("192.168.2.6:6000", "0", ""));
    talk.sip(CALLER, CALLEE, &call.request("INVITE", 1, false, &offer))
        .sip(CALLEE, CALLER, &call.response("200 OK", 1, "INVITE", &answer))
        .sip(CALLER, CALLEE, &call.request("ACK", 1, true, ""))
        .speak(&Voice::caller(), &Voice::callee(), 30);
    let (calls, _) = talk.heard(Options::default());
    assert_eq!((calls.len(), calls[0].packets(), calls[0].customer()), (1, 60, Known::Signalled));
    assert_eq!(calls[0].voice(Side::Trunk).from, Some(common::addr(CALLER_RTP)));
}

#[test]
fn the_customer_option_is_read_from_words() {
    assert_eq!("right".parse(), Ok(Customer::Callee));
    assert!("10.0.0.1:70000".parse::<Customer>().is_err());
}
