//! Each telephone-event is told once, whatever the network does to its packets (RFC 4733).
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::time::Duration;

use proptest::prelude::*;
use sidetone_rtp::telephone_event::{Change, Event, Report, Sources, Tracker};
use sidetone_rtp::{RtpHeader, RtpView};

/// One packet of an event: when, timestamp, marker, payload.
#[derive(Debug, Clone)]
struct Sent {
    at: Duration,
    timestamp: u32,
    marker: bool,
    payload: Vec<u8>,
}

/// A key press as a phone sends it: an update every 20 ms, the end three times.
fn press(at_ms: u64, timestamp: u32, digit: char, updates: u16) -> Vec<Sent> {
    let event = Event::from_digit(digit).unwrap();
    let packet = |n: u16, end: bool, repeat: u64| Sent {
        at: Duration::from_millis(at_ms + u64::from(n) * 20 + repeat * 20),
        timestamp,
        marker: n == 1,
        payload: Report { event, end, volume: 10, duration: n * 160 }.to_bytes().to_vec(),
    };
    let mut sent: Vec<_> = (1..updates).map(|n| packet(n, false, 0)).collect();
    sent.extend((0..3).map(|repeat| packet(updates, true, repeat)));
    sent
}

fn play(packets: &[Sent]) -> Vec<Change> {
    let mut tracker = Tracker::new();
    let mut last = Duration::ZERO;
    for sent in packets {
        tracker.receive(sent.at, sent.timestamp, sent.marker, &sent.payload);
        last = last.max(sent.at);
    }
    tracker.advance(last + Tracker::SILENCE);
    std::iter::from_fn(|| tracker.poll()).collect()
}

fn started(changes: &[Change]) -> Vec<char> {
    changes
        .iter()
        .filter_map(|change| match change {
            Change::Started { event, .. } => event.digit(),
            Change::Ended { .. } => None,
        })
        .collect()
}

#[test]
fn a_press_starts_and_ends_once() {
    assert_eq!(
        play(&press(0, 8000, '9', 5)),
        [
            Change::Started { event: Event(9), timestamp: 8000, volume: 10 },
            Change::Ended { event: Event(9), timestamp: 8000, duration: 800, end_seen: true },
        ]
    );
}

#[test]
fn without_its_start_or_its_end_it_is_still_told() {
    let whole = press(0, 8000, '#', 5);
    let end_only = play(&whole[6..]);
    assert_eq!(started(&end_only), ['#']);
    assert_eq!(
        end_only[1],
        Change::Ended { event: Event(11), timestamp: 8000, duration: 800, end_seen: true }
    );
    let no_end = play(&whole[..3]);
    assert_eq!(
        no_end[1],
        Change::Ended { event: Event(11), timestamp: 8000, duration: 480, end_seen: false }
    );
}

#[test]
fn the_next_press_ends_one_whose_end_was_lost() {
    let mut packets = press(0, 8000, '1', 5)[..3].to_vec();
    packets.extend(press(120, 8960, '1', 4));
    let changes = play(&packets);
    assert_eq!(started(&changes), ['1', '1']);
    assert_eq!(
        changes[1],
        Change::Ended { event: Event(1), timestamp: 8000, duration: 480, end_seen: false }
    );
}

#[test]
fn late_retransmissions_of_an_end_are_nothing_new() {
    let mut packets = press(0, 8000, '1', 5);
    packets.extend(press(200, 9600, '2', 5));
    let mut straggler = packets[6].clone();
    straggler.at = Duration::from_millis(290);
    packets.insert(10, straggler);
    assert_eq!(started(&play(&packets)), ['1', '2']);
}

#[test]
fn a_long_event_comes_in_segments() {
    // 20 s at 8 kHz: two full segments and a rest.
    let report = |end, duration| Report { event: Event(0), end, volume: 8, duration }.to_bytes().to_vec();
    let mut packets = Vec::new();
    for n in 1..=1000u32 {
        let ticks = n * 160;
        let segment = (ticks - 1) / 0xffff;
        packets.push(Sent {
            at: Duration::from_millis(u64::from(n) * 20),
            timestamp: 5u32.wrapping_sub(3000).wrapping_add(segment * 0xffff),
            marker: n == 1,
            payload: report(n == 1000, (ticks - segment * 0xffff) as u16),
        });
    }
    let changes = play(&packets);
    let start = 5u32.wrapping_sub(3000);
    assert_eq!(
        changes,
        [
            Change::Started { event: Event(0), timestamp: start, volume: 8 },
            Change::Ended { event: Event(0), timestamp: start, duration: 160_000, end_seen: true },
        ]
    );
}

#[test]
fn a_sender_that_moves_the_timestamp_along_presses_once() {
    let packets: Vec<_> = press(0, 8000, '5', 6)
        .into_iter()
        .enumerate()
        .map(|(n, sent)| Sent { timestamp: 8000 + n.min(5) as u32 * 160, ..sent })
        .collect();
    assert_eq!(started(&play(&packets)), ['5']);
}

#[test]
fn events_packed_into_one_packet_are_told_in_order() {
    let mut payload = Report { event: Event(1), end: true, volume: 10, duration: 400 }.to_bytes().to_vec();
    payload.extend(Report { event: Event(2), end: true, volume: 10, duration: 240 }.to_bytes());
    let sent = Sent { at: Duration::ZERO, timestamp: 100, marker: true, payload };
    let changes = play(&[sent.clone(), sent]);
    assert_eq!(started(&changes), ['1', '2']);
    assert_eq!(changes[3], Change::Ended { event: Event(2), timestamp: 500, duration: 240, end_seen: true });
}

#[test]
fn a_clock_that_jumped_back_does_not_deafen() {
    let mut packets = press(0, 3_000_000_000, '1', 5);
    packets.extend(press(3_000, 1_000, '2', 5));
    assert_eq!(started(&play(&packets)), ['1', '2']);
}

proptest! {
    /// As long as one packet of each press comes through, every press is told once and in order.
    #[test]
    fn any_loss_and_duplication(
        digits in "[0-9*#A-D]{1,12}", keep in proptest::collection::vec(0u8..4, 12 * 8), base: u32,
    ) {
        let mut packets = Vec::new();
        let mut keep = keep.into_iter();
        for (n, digit) in digits.chars().enumerate() {
            let timestamp = base.wrapping_add(n as u32 * 2400);
            let sent = press(n as u64 * 300, timestamp, digit, 5);
            let before = packets.len();
            for packet in &sent {
                match keep.next() {
                    Some(0) => {}
                    Some(3) => packets.extend([packet.clone(), packet.clone()]),
                    _ => packets.push(packet.clone()),
                }
            }
            if packets.len() == before {
                packets.push(sent[usize::from(n % 2 == 0) * 6].clone());
            }
        }
        let changes = play(&packets);
        prop_assert_eq!(started(&changes).iter().collect::<String>(), digits.clone());
        prop_assert_eq!(changes.len(), digits.len() * 2);
    }
}

/// One report in a packet.
fn reported(ssrc: u32, sequence: u16, payload_type: u8, timestamp: u32, report: [u8; 4]) -> Vec<u8> {
    let mut packet = Vec::new();
    let header = RtpHeader { ssrc, sequence, payload_type, timestamp, ..RtpHeader::default() };
    header.write(&mut packet).unwrap();
    packet.extend(report);
    packet
}

fn told(sources: &mut Sources) -> Vec<char> {
    started(&std::iter::from_fn(|| sources.poll()).collect::<Vec<_>>())
}

#[test]
fn each_ssrc_has_its_own_events_and_their_number_is_bounded() {
    let mut sources = Sources::default();
    let mut keys = Vec::new();
    for n in 0..100_u8 {
        // Timestamps that would be stragglers, were they of one sender.
        let packet = reported(n.into(), 7, 101, 1_000 - u32::from(n), [n % 10, 10, 0, 160]);
        sources.receive(Duration::from_millis(n.into()), &RtpView::parse(&packet).unwrap());
        keys.extend(told(&mut sources));
    }
    let pressed: Vec<char> = (0..100_u8).map(|n| char::from(b'0' + n % 10)).collect();
    assert_eq!(keys, pressed);
}

/// What comes of packets whose number nobody has announced.
fn suspected(packets: &[Vec<u8>]) -> Vec<char> {
    let mut sources = Sources::default();
    let mut keys = Vec::new();
    for (n, packet) in packets.iter().enumerate() {
        sources.suspect(Duration::from_millis(20 * n as u64), &RtpView::parse(packet).unwrap());
        keys.extend(told(&mut sources));
    }
    keys
}

#[test]
fn an_unannounced_event_is_taken_when_two_packets_agree() {
    let press = |n: u16| reported(1, n, 97, 800, [9, if n > 5 { 0x8a } else { 10 }, 0, (n * 10) as u8]);
    assert_eq!(suspected(&(1..9).map(press).collect::<Vec<_>>()), ['9'], "once, however many packets");
    assert_eq!(suspected(&[press(3), press(7)]), ['9']);
    assert_eq!(suspected(&[press(3)]), []);
    assert_eq!(suspected(&[press(3), press(3)]), [], "a network that doubles packets");
    assert_eq!(suspected(&[press(7), press(7), press(7)]), ['9'], "three ends of one number");
    assert_eq!(suspected(&[press(3), press(3), press(3)]), []);
}

#[test]
fn sound_of_four_bytes_under_an_unannounced_number_is_no_key() {
    // Silence descriptions and low-rate frames: the timestamp moves on with each.
    let frames: Vec<_> =
        (0..500_u16).map(|n| reported(1, n, 97, u32::from(n) * 160, [9, 10, 0, 160])).collect();
    assert_eq!(suspected(&frames), []);
    for wrong in [[16, 10, 0, 160], [9, 0x4a, 0, 160]] {
        assert_eq!(suspected(&[reported(1, 1, 97, 800, wrong), reported(1, 2, 97, 800, wrong)]), []);
    }
    let of = |payload_type| [1, 2].map(|n| reported(1, n, payload_type, 800, [9, 10, 0, 160]));
    assert_eq!(suspected(&of(0)), [], "PCMU");
    assert_eq!(suspected(&of(13)), [], "comfort noise");
    assert_eq!(suspected(&of(101)), ['9']);
    let mut shrinking = of(97);
    shrinking[1][15] = 80;
    assert_eq!(suspected(&shrinking), [], "a press does not grow shorter");
}

#[test]
fn a_sender_whose_clock_stands_still_is_heard() {
    let mut sources = Sources::default();
    let mut keys = Vec::new();
    for (n, event) in [1_u8, 1, 9, 9, 4].into_iter().enumerate() {
        let packet = reported(1, n as u16, 101, 0, [event, 10, 0, 160]);
        sources.receive(Duration::from_millis(20 * n as u64), &RtpView::parse(&packet).unwrap());
        keys.extend(told(&mut sources));
    }
    assert_eq!(keys, ['1', '9', '4']);
}
