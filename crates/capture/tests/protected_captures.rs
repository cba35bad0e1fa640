//! Protected calls between two baresip, captured: opened, they are the same call as in the clear, sample by sample.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::sync::Arc;

use sidetone_call::{Side, Untappable};
use sidetone_capture::calls::{Counters, Happening, Options, Recording};
use sidetone_capture::dtls::KeyLog;
use sidetone_rtp::RtpView;

use common::talk::heard;

const CLEAR: &[u8] = include_bytes!("fixtures/baresip-clear.pcap");
const SDES: &[u8] = include_bytes!("fixtures/baresip-sdes.pcap");
const DTLS: &[u8] = include_bytes!("fixtures/baresip-dtls.pcap");
const KEYS: &[u8] = include_bytes!("fixtures/baresip-dtls.keys");

fn call(capture: &[u8], log: Option<&[u8]>) -> (Recording, Counters) {
    let key_log = log.map(|log| Arc::new(KeyLog::parse(log).unwrap()));
    let (mut recordings, counters) = heard(capture, Options { key_log, ..Options::default() });
    assert_eq!(recordings.len(), 1);
    (recordings.remove(0), counters)
}

/// A party's sound, packet by packet.
fn sound(recording: &Recording, side: Side) -> Vec<Vec<u8>> {
    let packets = recording.replay().filter_map(|(_, happening)| match happening {
        Happening::Packet { side: from, rtp, .. } if from == side => {
            let rtp = RtpView::parse(rtp).unwrap();
            assert_eq!((rtp.payload_type(), rtp.payload().len()), (0, 160));
            Some(rtp.payload().to_vec())
        }
        _ => None,
    });
    packets.collect()
}

/// Both play the same file from its beginning; the one that shakes hands first begins to send further within it.
fn is_the_same(opened: &[Vec<u8>], clear: &[Vec<u8>]) {
    let is_loud = |packet: &&Vec<u8>| packet.iter().filter(|byte| **byte & 0x7F < 0x50).count() > 80;
    let (at, first) = opened.iter().enumerate().find(|(_, packet)| is_loud(packet)).expect("speech");
    let there = clear.iter().position(|packet| packet == first).expect("the same packet in the clear");
    assert!(opened[at..].iter().zip(&clear[there..]).all(|(opened, clear)| opened == clear));
    assert!(
        opened.len() - at > 50 && clear.len() - there > 50,
        "{at} of {}, {there} of {}",
        opened.len(),
        clear.len()
    );
}

fn check(opened: &Recording) {
    let (clear, counters) = call(CLEAR, None);
    assert_eq!((counters.opened, counters.sealed), (0, 0));
    for side in [Side::Trunk, Side::Pbx] {
        is_the_same(&sound(opened, side), &sound(&clear, side));
    }
    for (_, happening) in opened.replay() {
        match happening {
            Happening::Plan { plan, .. } => assert_eq!(plan.tappable, Ok(())),
            Happening::Untappable { .. } => panic!("{happening:?}"),
            _ => {}
        }
    }
}

#[test]
fn keys_in_sdp() {
    let (recording, counters) = call(SDES, None);
    assert!(counters.opened > 200, "{counters:?}");
    assert_eq!((counters.sealed, counters.opened), (0, counters.packets));
    check(&recording);
}

#[test]
fn keys_of_a_handshake_by_the_log_of_one_party() {
    let (recording, counters) = call(DTLS, Some(KEYS));
    assert!(counters.opened > 150, "{counters:?}");
    assert_eq!((counters.sealed, counters.opened), (0, counters.packets));
    check(&recording);
}

#[test]
fn without_the_log_or_with_anothers_nobody_is_heard() {
    let strange = format!("CLIENT_RANDOM {} {}\n", "00".repeat(32), "00".repeat(48));
    let random_of_this = String::from_utf8(KEYS.to_vec()).unwrap();
    let mut wrong = String::new();
    for line in random_of_this.lines() {
        let (front, _) = line.rsplit_once(' ').unwrap();
        wrong += &format!("{front} {}\n", "5a".repeat(48));
    }
    for log in [None, Some(strange.as_bytes()), Some(wrong.as_bytes())] {
        let (recording, counters) = call(DTLS, log);
        assert_eq!((recording.packets(), counters.opened), (0, 0));
        assert!(counters.sealed > 150);
        let reasons: Vec<_> = recording
            .replay()
            .filter_map(|(_, happening)| match happening {
                Happening::Untappable { reason, side, .. } => Some((reason, side)),
                _ => None,
            })
            .collect();
        assert_eq!(reasons, [(Untappable::Dtls, None)]);
    }
}

/// What a browser signals goes by WebSocket and TLS: only the handshake tells of the keys then.
#[test]
fn keys_of_a_handshake_without_any_signalling() {
    use sidetone_capture::calls::Calls;
    use sidetone_capture::datagrams::Datagrams;
    for log in [Some(KEYS), None] {
        let key_log = log.map(|log| Arc::new(KeyLog::parse(log).unwrap()));
        let mut calls = Calls::new(Options { key_log, ..Options::default() });
        for datagram in Datagrams::new(DTLS).unwrap() {
            if datagram.src.port() != 5060 && datagram.dst.port() != 5060 {
                calls.observe(datagram);
            }
        }
        let (recordings, counters) = calls.finish();
        let [recording] = &recordings[..] else { panic!("{}", recordings.len()) };
        if log.is_some() {
            assert!(counters.opened > 150 && counters.sealed == 0, "{counters:?}");
            let (clear, _) = call(CLEAR, None);
            // Who has called isn't known: whoever is heard first is on the trunk's side.
            let caller = Side::Trunk;
            let is_carol =
                recording.voice(caller).from.unwrap().ip() == clear.voice(caller).from.unwrap().ip();
            let of_clear = if is_carol { caller } else { caller.other() };
            is_the_same(&sound(recording, caller), &sound(&clear, of_clear));
        } else {
            assert_eq!((recording.packets(), counters.opened), (0, 0), "no noise");
            assert!(counters.sealed > 150);
        }
    }
}
