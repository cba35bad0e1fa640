//! Audio whose signalling was not captured.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeSet;

use sidetone_capture::calls::{Customer, Options, Origin, Recording, format};

use common::talk::*;

#[test]
fn two_flows_between_the_same_addresses_are_a_call() {
    let mut talk = Talk::new();
    talk.wait(500).speak(&Voice::caller(), &Voice::callee(), 30);
    let capture = talk.bytes();
    let (recordings, counters) = heard(&capture, Options::default());
    let [recording] = &recordings[..] else { panic!("{} calls", recordings.len()) };
    let origin = Origin::Rtp { caller: common::addr(CALLER_RTP), callee: common::addr(CALLEE_RTP) };
    assert_eq!(recording.origin(), &origin);
    assert_eq!(recording.began(), EPOCH + std::time::Duration::from_millis(500));
    assert_eq!(story(recording)[1..], ["answered", "30 from trunk, 30 from pbx"]);
    assert_eq!(counters.packets, 60);
    let (recordings, _) = heard(&capture, Options { customer: Some(Customer::Callee), ..Options::default() });
    assert_eq!(recordings[0].packets(), 60);
}

#[test]
fn phones_that_send_from_another_port_than_they_listen_on() {
    let mut talk = Talk::new();
    let answer = Voice { src: "10.0.0.2:6100", dst: "10.0.0.1:4100", ..Voice::callee() };
    talk.speak(&Voice::caller(), &answer, 30);
    let (recordings, _) = talk.heard(Options::default());
    assert_eq!(recordings.len(), 1);
    assert_eq!(story(&recordings[0]).last().unwrap(), "30 from trunk, 30 from pbx");
}

#[test]
fn a_new_ssrc_in_the_same_flow_goes_on_with_the_call() {
    let mut talk = Talk::new();
    talk.speak(&Voice::caller(), &Voice::callee(), 20);
    talk.speak(
        &Voice { ssrc: 0xDD, first: 9000, ..Voice::caller() },
        &Voice { first: 220, ..Voice::callee() },
        20,
    );
    let (recordings, _) = talk.heard(Options::default());
    assert_eq!(story(&recordings[0]).last().unwrap(), "40 from trunk, 40 from pbx");
}

#[test]
fn calls_on_other_ports_are_other_calls() {
    let mut talk = Talk::new();
    talk.speak(&Voice::caller(), &Voice::callee(), 20);
    let (a, b) = (("127.0.0.1:4000", "127.0.0.1:6000"), ("127.0.0.1:4010", "127.0.0.1:6010"));
    for (src, dst) in [a, b] {
        let there = Voice { src, dst, ..Voice::caller() };
        talk.speak(&there, &Voice { src: dst, dst: src, ..Voice::callee() }, 20);
    }
    let (recordings, _) = talk.heard(Options::default());
    assert_eq!(recordings.iter().map(Recording::packets).collect::<Vec<_>>(), [40, 40, 40]);
}

#[test]
fn one_direction_alone_is_a_call_too() {
    let mut talk = Talk::new();
    for n in 0..20 {
        talk.udp(CALLER_RTP, CALLEE_RTP, &Voice::caller().packet(n)).wait(20);
    }
    let (recordings, _) = talk.heard(Options::default());
    assert_eq!(story(&recordings[0]).last().unwrap(), "20 from trunk, 0 from pbx");
}

#[test]
fn what_merely_looks_like_rtp_is_no_call() {
    let mut talk = Talk::new();
    // Too few packets; sequence numbers at random; and another protocol.
    for n in 0..9 {
        talk.udp(CALLER_RTP, CALLEE_RTP, &Voice::caller().packet(n));
    }
    for n in 0..100u16 {
        let noise = Voice { ssrc: 7, first: n.wrapping_mul(40_503), ..Voice::callee() };
        talk.udp(CALLEE_RTP, CALLER_RTP, &noise.packet(0));
        talk.udp("10.0.0.1:53", "10.0.0.2:53", b"\x12\x34\x01\x00 a query of names");
    }
    let (recordings, counters) = talk.heard(Options::default());
    assert!(recordings.is_empty());
    assert_eq!((counters.packets, counters.other), (0, 100));
}

#[test]
fn dynamic_payload_types_have_to_be_told() {
    let mut talk = Talk::new();
    talk.speak(&Voice { payload_type: 111, ..Voice::caller() }, &Voice::callee(), 20);
    let capture = talk.bytes();
    let (recordings, _) = heard(&capture, Options::default());
    assert_eq!(recordings[0].unknown_payload_types(), BTreeSet::from([111]));
    let options = Options { formats: vec![format("111=opus/48000/2").unwrap()], ..Options::default() };
    let (recordings, _) = heard(&capture, options);
    assert!(recordings[0].unknown_payload_types().is_empty());
    assert!(story(&recordings[0])[0].starts_with("plan trunk opus+PCMU+"), "{:?}", story(&recordings[0]));
}

#[test]
fn flows_are_bounded() {
    let mut talk = Talk::new();
    for n in 0..5_000u32 {
        talk.udp(CALLER_RTP, CALLEE_RTP, &Voice { ssrc: n, ..Voice::caller() }.packet(0)).wait(1);
    }
    talk.speak(&Voice::caller(), &Voice::callee(), 20);
    let (recordings, _) = talk.heard(Options::default());
    assert_eq!(recordings.len(), 1);
}
