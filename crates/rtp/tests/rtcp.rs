//! RTCP compounds (RFC 3550 §6, A.2) written out byte by byte.
use std::time::Duration;

use sidetone_rtp::rtcp::{Compound, Packet, RoundTrip, RtcpError};

const SR_WITH_BLOCK: [u8; 52] = [
    0x81, 200, 0, 12, 0, 0, 0, 0x0a, // sender report of 10, one block
    0xe6, 0x12, 0x34, 0x56, 0x80, 0, 0, 0, // NTP: half a second past
    0, 0, 0x1f, 0x40, // RTP 8000
    0, 0, 0, 50, 0, 0, 0x1f, 0x40, // 50 packets, 8000 octets
    0, 0, 0, 0x0b, 64, 0xff, 0xff, 0xfe, // on 11: a quarter lost, -2 in all
    0, 1, 0, 5, 0, 0, 0, 80, // highest 65541, jitter 80
    0x34, 0x56, 0x80, 0, 0, 0, 0x80, 0, // answers 0x34568000, after half a second
];
const SDES: [u8; 20] = [0x81, 202, 0, 4, 0, 0, 0, 0x0a, 1, 6, b'a', b'@', b'b', b'.', b'c', b'd', 0, 0, 0, 0];
const BYE: [u8; 16] = [0x81, 203, 0, 3, 0, 0, 0, 0x0a, 4, b'd', b'o', b'n', b'e', 0, 0, 0];

fn compound(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[test]
fn a_compound_is_read_whole() {
    let datagram =
        compound(&[&SR_WITH_BLOCK, &SDES, &[0x80, 204, 0, 2, 0, 0, 0, 10, b'n', b'a', b'm', b'e'], &BYE]);
    let packets: Vec<_> = Compound::parse(&datagram).unwrap().packets().collect();
    assert_eq!(packets.len(), 4);
    let Packet::SenderReport { ssrc: 10, info, blocks } = packets[0] else { panic!("{:?}", packets[0]) };
    assert_eq!((info.rtp_timestamp, info.packets, info.octets), (8000, 50, 8000));
    assert_eq!(info.reference(), 0x3456_8000);
    let block = blocks.iter().next().unwrap();
    assert_eq!((block.ssrc, block.cumulative_lost, block.highest_sequence), (11, -2, 65_541));
    assert!((block.loss_ratio() - 0.25).abs() < 1e-9);
    assert!((block.jitter_ms(8000) - 10.0).abs() < 1e-9);
    let Packet::Sdes(sdes) = packets[1] else { panic!("{:?}", packets[1]) };
    assert_eq!(sdes.cname(), Some(&b"a@b.cd"[..]));
    assert!(matches!(packets[2], Packet::Other { packet_type: 204, count: 0, body } if body.len() == 8));
    let Packet::Bye(bye) = packets[3] else { panic!("{:?}", packets[3]) };
    assert_eq!(bye.sources().collect::<Vec<_>>(), [10]);
    assert_eq!(bye.reason(), b"done");
}

#[test]
fn what_a_2_forbids_is_refused() {
    assert_eq!(Compound::parse(&[]), Err(RtcpError::Truncated { at: 0 }));
    assert_eq!(Compound::parse(&SDES), Err(RtcpError::FirstPacket(202)));
    assert!(Compound::parse_reduced(&SDES).is_ok());
    let mut other_version = SR_WITH_BLOCK;
    other_version[0] = 0x41;
    assert_eq!(Compound::parse(&other_version), Err(RtcpError::Version { version: 1, at: 0 }));
    let mut second = compound(&[&SR_WITH_BLOCK, &SDES]);
    second[52] = 0x01;
    assert_eq!(Compound::parse(&second), Err(RtcpError::Version { version: 0, at: 52 }));
    assert_eq!(Compound::parse(&SR_WITH_BLOCK[..51]), Err(RtcpError::Truncated { at: 0 }));
    let mut trailing = SR_WITH_BLOCK.to_vec();
    trailing.extend([0x80, 201]);
    assert_eq!(Compound::parse(&trailing), Err(RtcpError::Truncated { at: 52 }));
    let mut too_many = SR_WITH_BLOCK;
    too_many[0] = 0x82;
    assert_eq!(Compound::parse(&too_many), Err(RtcpError::Truncated { at: 0 }));
    let mut wordy = compound(&[&SR_WITH_BLOCK, &BYE]);
    wordy[52 + 8] = 200;
    assert_eq!(Compound::parse(&wordy), Err(RtcpError::Truncated { at: 52 }));
}

#[test]
fn padding_stands_at_the_end_only() {
    let mut padded = vec![0xa0, 201, 0, 2, 0, 0, 0, 9, 0, 0, 0, 4];
    let packets: Vec<_> = Compound::parse(&padded).unwrap().packets().collect();
    assert!(matches!(packets[..], [Packet::ReceiverReport { ssrc: 9, .. }]));
    let first = compound(&[&padded, &SDES]);
    assert_eq!(Compound::parse(&first), Err(RtcpError::Padding { at: 0 }));
    for wrong in [0, 3, 12, 255] {
        padded[11] = wrong;
        assert_eq!(Compound::parse(&padded), Err(RtcpError::Padding { at: 0 }), "{wrong}");
    }
}

#[test]
fn descriptions_of_several_sources() {
    let datagram = [
        0x82, 202, 0, 6, // two chunks
        0, 0, 0, 1, 1, 2, b'a', b'b', 0, 0, 0, 0, // ends on a word: four zeros
        0, 0, 0, 2, 1, 1, b'c', 2, 0, 0, 0, 0, // CNAME, an empty NAME, and the end
    ];
    let packets: Vec<_> = Compound::parse_reduced(&datagram).unwrap().packets().collect();
    let Packet::Sdes(sdes) = packets[0] else { panic!("{:?}", packets[0]) };
    let items: Vec<_> = sdes.items().map(|item| (item.ssrc, item.kind, item.value)).collect();
    assert_eq!(items, [(1, 1, &b"ab"[..]), (2, 1, b"c"), (2, 2, b"")]);
}

#[test]
fn the_round_trip_is_what_the_answer_did_not_wait() {
    let packets: Vec<_> = Compound::parse(&SR_WITH_BLOCK).unwrap().packets().collect();
    let Packet::SenderReport { info, blocks, .. } = packets[0] else { panic!("{:?}", packets[0]) };
    let block = blocks.iter().next().unwrap();
    let mut trip = RoundTrip::new();
    let s = Duration::from_secs_f64;
    assert_eq!(trip.answered(s(1.0), &block), None);
    // The block says: half a second ago I got the report of 11 with this very reference.
    trip.forwarded(s(10.0), 11, &info);
    assert_eq!(trip.answered(s(10.562_5), &block), Some(s(0.062_5)));
    assert_eq!(trip.answered(s(10.4), &block), None, "before it can have been answered");
    assert_eq!(trip.answered(s(90.0), &block), None, "implausibly long");
    for later in 0..4 {
        trip.forwarded(s(11.0), 100 + later, &info);
    }
    assert_eq!(trip.answered(s(12.0), &block), None, "forgotten");
}
