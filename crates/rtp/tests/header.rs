//! The header view against packets written out byte by byte (RFC 3550 §5.1).
use proptest::prelude::*;
use sidetone_rtp::{RtpError, RtpHeader, RtpMut, RtpView};

#[test]
fn csrc_extension_and_padding_are_not_payload() {
    let packet = [
        0b1011_0010,
        0x80 | 96,
        0x12,
        0x34,
        0,
        0,
        1,
        0,
        0xde,
        0xad,
        0xbe,
        0xef, // fixed
        0,
        0,
        0,
        1,
        0,
        0,
        0,
        2, // two CSRC
        0xbe,
        0xde,
        0,
        1,
        0x10,
        0xff,
        0,
        0, // one-word extension
        1,
        2,
        3, // payload
        0,
        0,
        3, // padding
    ];
    let view = RtpView::parse(&packet).unwrap();
    assert_eq!(view.payload(), [1, 2, 3]);
    assert_eq!(view.header_len(), 28);
    assert_eq!(view.payload_type(), 96);
    assert!(view.marker());
    assert_eq!(view.sequence(), 0x1234);
    assert_eq!(view.timestamp(), 256);
    assert_eq!(view.ssrc(), 0xdead_beef);
}

#[test]
fn what_does_not_fit_is_refused() {
    let fixed = |first: u8| {
        let mut packet = [0u8; 12];
        packet[0] = first;
        packet
    };
    assert_eq!(RtpView::parse(&fixed(0x80)[..11]), Err(RtpError::Truncated { need: 12, have: 11 }));
    assert_eq!(RtpView::parse(&fixed(0x40)), Err(RtpError::Version(1)));
    assert_eq!(RtpView::parse(&fixed(0x81)), Err(RtpError::Truncated { need: 16, have: 12 }));
    assert_eq!(RtpView::parse(&fixed(0x90)), Err(RtpError::Truncated { need: 16, have: 12 }));
    assert_eq!(RtpView::parse(&fixed(0xa0)), Err(RtpError::Truncated { need: 13, have: 12 }));
    let mut padded = fixed(0xa0).to_vec();
    padded.push(0);
    assert_eq!(RtpView::parse(&padded), Err(RtpError::Padding(0)));
    padded[12] = 2;
    assert_eq!(RtpView::parse(&padded), Err(RtpError::Padding(2)));
    padded[12] = 1;
    assert_eq!(RtpView::parse(&padded).unwrap().payload(), []);
    // Fifteen CSRC and an extension that claims 65,535 words.
    let mut greedy = fixed(0x9f).to_vec();
    greedy.extend([0; 60]);
    greedy.extend([0, 0, 0xff, 0xff]);
    assert_eq!(RtpView::parse(&greedy), Err(RtpError::Truncated { need: 76 + 65_535 * 4, have: 76 }));
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        payload_type in 0u8..128, marker: bool, sequence: u16, timestamp: u32, ssrc: u32, payload: Vec<u8>,
    ) {
        let header = RtpHeader { payload_type, marker, sequence, timestamp, ssrc };
        let mut packet = Vec::new();
        header.write(&mut packet).unwrap();
        packet.extend_from_slice(&payload);
        let view = RtpView::parse(&packet).unwrap();
        prop_assert_eq!(view.payload(), &payload[..]);
        let read = RtpHeader {
            payload_type: view.payload_type(),
            marker: view.marker(),
            sequence: view.sequence(),
            timestamp: view.timestamp(),
            ssrc: view.ssrc(),
        };
        prop_assert_eq!(read, header);
    }

    #[test]
    fn a_rewrite_changes_what_it_names_and_nothing_else(
        body in proptest::collection::vec(any::<u8>(), 0..40),
        csrc in 0u8..4, payload_type in 0u8..128, marker: bool, sequence: u16, timestamp: u32, ssrc: u32,
    ) {
        let mut packet = vec![0x80 | csrc, 0x55, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
        packet.extend(vec![0xcc; usize::from(csrc) * 4]);
        packet.extend(&body);
        let before = packet.clone();
        let mut rewrite = RtpMut::parse(&mut packet).unwrap();
        rewrite.set_sequence(sequence);
        rewrite.set_timestamp(timestamp);
        rewrite.set_ssrc(ssrc);
        rewrite.set_marker(marker);
        rewrite.set_payload_type(payload_type).unwrap();
        prop_assert!(rewrite.set_payload_type(128).is_err());
        let view = RtpView::parse(&packet).unwrap();
        prop_assert_eq!(
            (view.sequence(), view.timestamp(), view.ssrc(), view.marker(), view.payload_type()),
            (sequence, timestamp, ssrc, marker, payload_type)
        );
        prop_assert_eq!(packet[0], before[0]);
        prop_assert_eq!(&packet[12..], &before[12..]);
    }
}

#[test]
fn a_payload_type_of_eight_bits_is_refused() {
    let mut out = Vec::new();
    let header = RtpHeader { payload_type: 128, ..RtpHeader::default() };
    assert_eq!(header.write(&mut out), Err(RtpError::PayloadType(128)));
    assert!(out.is_empty());
}
