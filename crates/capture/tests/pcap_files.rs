//! pcap and pcapng files: byte orders, clocks, blocks, and the damage that is found in the wild.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::time::Duration;

use sidetone_capture::pcap::{Link, PcapError, Reader, Writer};

use common::addr;

type Frames = Vec<(Duration, Link, Vec<u8>)>;

fn frames(file: &[u8]) -> (Frames, Option<PcapError>) {
    let mut reader = Reader::new(file).unwrap();
    let mut frames = Vec::new();
    loop {
        match reader.next_frame() {
            Ok(Some(frame)) => frames.push((frame.at, frame.link, frame.bytes.to_vec())),
            Ok(None) => return (frames, None),
            Err(error) => {
                assert!(reader.next_frame().unwrap().is_none(), "damage is reported once");
                return (frames, Some(error));
            }
        }
    }
}

#[test]
fn classic_in_both_byte_orders_and_clocks() {
    let nanos = Duration::new(1_700_000_000, 123_456_000);
    for (magic, fraction) in [(0xA1B2_C3D4u32, 123_456u32), (0xA1B2_3C4D, 123_456_000)] {
        for big in [false, true] {
            let word = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
            let mut file = word(magic).to_vec();
            file.extend([0; 12]);
            file.extend(word(65_535));
            file.extend(word(113 | 0x1000_0000)); // with the bits that tell of a frame check sequence
            for field in [1_700_000_000, fraction, 3, 90] {
                file.extend(word(field));
            }
            file.extend(b"abc");
            assert_eq!(frames(&file).0, [(nanos, Link::LinuxCooked, b"abc".to_vec())]);
        }
    }
}

#[test]
fn what_the_writer_writes_the_reader_reads() {
    let mut writer = Writer::of_link(Vec::new(), Link::Ethernet).unwrap();
    let at = Duration::new(1_234_567_890, 987_654_321);
    writer.frame(at, b"one").unwrap();
    writer.frame(at * 2, b"").unwrap();
    let file = writer.into_inner();
    let (all, damage) = frames(&file);
    assert_eq!(all, [(at, Link::Ethernet, b"one".to_vec()), (at * 2, Link::Ethernet, vec![])]);
    assert!(damage.is_none());
}

#[test]
fn the_writer_refuses_what_udp_cannot_carry() {
    let mut writer = Writer::new(Vec::new()).unwrap();
    let (v4, v6) = (addr("10.0.0.1:1"), addr("[::1]:1"));
    assert!(writer.udp(Duration::ZERO, v4, v6, b"x").is_err());
    assert!(writer.udp(Duration::ZERO, v4, v4, &vec![0; 65_536]).is_err());
    assert!(writer.udp(Duration::ZERO, v4, v4, &vec![0; 65_507]).is_ok());
}

#[test]
fn a_file_cut_in_the_middle_of_a_frame_ends_before_it() {
    let mut writer = Writer::of_link(Vec::new(), Link::Ethernet).unwrap();
    writer.frame(Duration::ZERO, b"whole").unwrap();
    writer.frame(Duration::ZERO, b"cut short").unwrap();
    let file = writer.into_inner();
    for cut in 1..25 {
        let (all, damage) = frames(&file[..file.len() - cut]);
        assert_eq!((all.len(), damage.is_none()), (1, true), "{cut} bytes missing");
    }
}

#[test]
fn a_frame_longer_than_any_is_damage() {
    let mut writer = Writer::of_link(Vec::new(), Link::Ethernet).unwrap();
    writer.frame(Duration::ZERO, b"whole").unwrap();
    let mut file = writer.into_inner();
    file.extend([0xFF; 64]);
    let (all, damage) = frames(&file);
    assert_eq!(all.len(), 1);
    assert!(matches!(damage, Some(PcapError::Damaged { offset: 61, .. })), "{damage:?}");
}

#[test]
fn what_is_no_capture_is_told() {
    for bytes in [&b"RIFF"[..], b"", b"\xd4\xc3"] {
        assert!(matches!(Reader::new(bytes), Err(PcapError::NotACapture)));
    }
    assert!(matches!(Reader::new(&b"\xd4\xc3\xb2\xa1\x02\0"[..]), Err(PcapError::Damaged { .. })));
}

/// Builds pcapng blocks in one byte order.
#[derive(Clone, Copy)]
struct Blocks {
    big: bool,
}

impl Blocks {
    fn half(self, n: u16) -> Vec<u8> {
        if self.big { n.to_be_bytes().to_vec() } else { n.to_le_bytes().to_vec() }
    }

    fn word(self, n: u32) -> Vec<u8> {
        if self.big { n.to_be_bytes().to_vec() } else { n.to_le_bytes().to_vec() }
    }

    fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let mut padded = body.to_vec();
        padded.resize(body.len().next_multiple_of(4), 0);
        let length = self.word(padded.len() as u32 + 12);
        [self.word(kind), length.clone(), padded, length].concat()
    }

    fn section(self) -> Vec<u8> {
        self.block(0x0A0D_0D0A, &[self.word(0x1A2B_3C4D), vec![0, 1, 0, 0], vec![0xFF; 8]].concat())
    }

    fn interface(self, link: u16, snap: u32, options: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let mut body = [self.half(link), vec![0, 0], self.word(snap)].concat();
        for (code, value) in options {
            body.extend(self.half(*code));
            body.extend(self.half(value.len() as u16));
            body.extend(value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        self.block(1, &body)
    }

    fn enhanced(self, interface: u32, ticks: u64, bytes: &[u8]) -> Vec<u8> {
        let head = [interface, (ticks >> 32) as u32, ticks as u32, bytes.len() as u32, 1500];
        let body = [head.map(|n| self.word(n)).concat(), bytes.to_vec()].concat();
        self.block(6, &body)
    }
}

#[test]
fn ng_in_both_byte_orders() {
    let at = Duration::from_micros(1_700_000_000_123_456);
    for big in [false, true] {
        let b = Blocks { big };
        let offset: Vec<u8> = if big {
            1_000_000_000i64.to_be_bytes().to_vec()
        } else {
            1_000_000_000i64.to_le_bytes().to_vec()
        };
        let file = [
            b.section(),
            b.interface(1, 0, &[]),
            b.interface(276, 0, &[(2, b"eth0".to_vec()), (9, vec![9]), (14, offset), (0, vec![])]),
            b.interface(101, 0, &[(9, vec![0x80 | 10])]),
            b.block(0x0BAD, b"unknown"),
            b.enhanced(0, at.as_micros() as u64, b"micro"),
            b.enhanced(1, 700_000_000_123_456_789, b"nano"),
            b.enhanced(2, (3 << 10) + 512, b"binary"),
        ]
        .concat();
        let (all, damage) = frames(&file);
        assert!(damage.is_none(), "{damage:?}");
        let expected = [
            (at, Link::Ethernet, b"micro".to_vec()),
            (Duration::from_nanos(1_700_000_000_123_456_789), Link::LinuxCooked2, b"nano".to_vec()),
            (Duration::from_millis(3_500), Link::Ip, b"binary".to_vec()),
        ];
        assert_eq!(all, expected);
    }
}

#[test]
fn ng_sections_start_over_even_in_another_byte_order() {
    let (little, big) = (Blocks { big: false }, Blocks { big: true });
    let file = [
        little.section(),
        little.interface(1, 0, &[]),
        little.enhanced(0, 1, b"a"),
        big.section(),
        big.interface(113, 0, &[]),
        big.enhanced(0, 2, b"b"),
    ]
    .concat();
    let links: Vec<Link> = frames(&file).0.iter().map(|frame| frame.1).collect();
    assert_eq!(links, [Link::Ethernet, Link::LinuxCooked]);
}

#[test]
fn ng_simple_and_obsolete_packets() {
    let b = Blocks { big: false };
    let obsolete = [vec![0, 0, 0, 0], b.word(0), b.word(7), b.word(3), b.word(3), b"old".to_vec()].concat();
    let simple = [b.word(1000), b"simp".to_vec()].concat();
    let file = [b.section(), b.interface(1, 4, &[]), b.block(2, &obsolete), b.block(3, &simple)].concat();
    let at = Duration::from_micros(7);
    let expected = [(at, Link::Ethernet, b"old".to_vec()), (at, Link::Ethernet, b"simp".to_vec())];
    assert_eq!(frames(&file).0, expected);
}

#[test]
fn ng_contradictions_are_damage_after_what_was_good() {
    let b = Blocks { big: false };
    let good = [b.section(), b.interface(1, 0, &[]), b.enhanced(0, 1, b"good")].concat();
    let mut longer_than_its_block = b.enhanced(0, 1, b"data");
    longer_than_its_block[20] = 200;
    let bad = [
        b.enhanced(9, 1, b"no such interface"),
        b.block(6, &[0; 8]),
        longer_than_its_block,
        [6, 0, 0, 0, 4, 0, 0, 0].to_vec(),
        b.block(0x0A0D_0D0A, &[0; 16]),
        b.block(1, &[]),
    ];
    for block in bad {
        let (all, damage) = frames(&[good.clone(), block, good.clone()].concat());
        assert_eq!(all.len(), 1);
        assert!(matches!(damage, Some(PcapError::Damaged { .. })));
    }
}

#[test]
fn ng_with_endless_interfaces_is_refused() {
    let b = Blocks { big: false };
    let file = [b.section(), b.interface(1, 0, &[]).repeat(5000)].concat();
    assert!(matches!(frames(&file).1, Some(PcapError::Damaged { .. })));
}

#[test]
fn clocks_with_absurd_resolutions_do_no_harm() {
    let b = Blocks { big: false };
    for resolution in [0, 19, 20, 38, 39, 127, 128, 192, 255] {
        for offset in [i64::MIN, -1, 0, i64::MAX] {
            let options = [(9, vec![resolution]), (14, offset.to_le_bytes().to_vec())];
            let file = [b.section(), b.interface(1, 0, &options), b.enhanced(0, u64::MAX, b"x")].concat();
            assert_eq!(frames(&file).0.len(), 1);
        }
    }
}

/// The sum over which an Internet checksum is taken (RFC 1071): all ones if the checksum is right.
fn folded(bytes: &[u8]) -> u32 {
    let mut sum: u32 =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    sum
}

#[test]
fn written_packets_have_right_checksums() {
    for payload in [&b"even"[..], b"odd", b"", &[0xFF; 1400]] {
        let v4 = common::udp("192.0.2.1:5060", "198.51.100.9:16384", payload);
        assert_eq!(folded(&v4[..20]), 0xFFFF);
        let length = (v4.len() - 20) as u16;
        assert_eq!(folded(&[&v4[12..20], &[0, 17], &length.to_be_bytes(), &v4[20..]].concat()), 0xFFFF);
        let v6 = common::udp("[2001:db8::1]:5060", "[2001:db8::2]:16384", payload);
        let length = (v6.len() - 40) as u16;
        assert_eq!(folded(&[&v6[8..40], &[0, 17], &length.to_be_bytes(), &v6[40..]].concat()), 0xFFFF);
    }
}
