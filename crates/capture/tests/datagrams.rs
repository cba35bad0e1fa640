//! From frames to datagrams: what stands before IP, both IPs, and fragments.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use sidetone_capture::datagrams::{Counters, Transport};
use sidetone_capture::pcap::Link;

use common::{addr, ipv4, ipv4_fragment, ipv6, read, udp, udp_segment};

const UDP: u8 = 17;

/// Payloads of the datagrams in a capture.
fn payloads(link: Link, frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
    read(link, frames).0.iter().map(|datagram| datagram.payload.to_vec()).collect()
}

#[test]
fn both_ip_versions_keep_their_addresses_and_times() {
    let frames = [
        udp("10.1.2.3:5060", "10.9.8.7:16384", b"four"),
        udp("[2001:db8::1]:5060", "[2001:db8::2]:16384", b"six"),
    ];
    let (datagrams, counters) = read(Link::Ip, &frames);
    assert_eq!((datagrams[0].src, datagrams[0].dst), (addr("10.1.2.3:5060"), addr("10.9.8.7:16384")));
    assert_eq!(
        (datagrams[1].src, datagrams[1].dst),
        (addr("[2001:db8::1]:5060"), addr("[2001:db8::2]:16384"))
    );
    assert_eq!(datagrams.iter().map(|d| d.at.as_secs()).collect::<Vec<_>>(), [1, 2]);
    assert!(datagrams.iter().all(|d| d.transport == Transport::Udp));
    let mut expected = Counters::default();
    expected.frames = 2;
    assert_eq!(counters, expected);
}

#[test]
fn every_link_type_is_looked_through() {
    let ip = udp("10.0.0.1:1", "10.0.0.2:2", b"hello");
    let v6 = udp("[::1]:1", "[::2]:2", b"hello");
    let prefixed = |prefix: &[u8]| [prefix.to_vec(), ip.clone()].concat();
    let prefixed6 = |prefix: &[u8]| [prefix.to_vec(), v6.clone()].concat();
    let macs = [0u8; 12];
    let cooked = [0u8; 14];
    let cases = [
        (Link::Ip, ip.clone()),
        (Link::Loopback, prefixed(&[2, 0, 0, 0])),
        (Link::Loopback, prefixed(&[0, 0, 0, 2])),
        (Link::Ethernet, prefixed(&[&macs[..], &[8, 0]].concat())),
        (Link::Ethernet, prefixed6(&[&macs[..], &[0x86, 0xDD]].concat())),
        (Link::Ethernet, prefixed(&[&macs[..], &[0x81, 0, 0, 7, 8, 0]].concat())),
        (Link::Ethernet, prefixed(&[&macs[..], &[0x88, 0xA8, 0, 7, 0x81, 0, 0, 9, 8, 0]].concat())),
        (Link::LinuxCooked, prefixed(&[&cooked[..], &[8, 0]].concat())),
        (Link::LinuxCooked2, prefixed6(&[&[0x86, 0xDD], &[0; 18][..]].concat())),
    ];
    for (link, frame) in cases {
        assert_eq!(payloads(link, std::slice::from_ref(&frame)), [b"hello"], "{link:?} {frame:?}");
    }
}

#[test]
fn padding_of_short_ethernet_frames_is_no_payload() {
    let mut frame = [vec![0; 12], vec![8, 0], udp("10.0.0.1:1", "10.0.0.2:2", b"x")].concat();
    frame.resize(60, 0xEE);
    assert_eq!(payloads(Link::Ethernet, &[frame]), [b"x"]);
}

#[test]
fn what_is_not_ours_is_counted() {
    let macs = [0u8; 12];
    let arp = [&macs[..], &[8, 6], &[0; 28]].concat();
    let short = vec![1, 2, 3];
    let icmp = [&macs[..], &[8, 0], &ipv4("10.0.0.1", "10.0.0.2", 1, b"ping")].concat();
    let mut cut = [&macs[..], &[8, 0], &udp("10.0.0.1:1", "10.0.0.2:2", b"only half of this")].concat();
    cut.truncate(50);
    let bad =
        [&macs[..], &[8, 0], &ipv4("10.0.0.1", "10.0.0.2", UDP, &[0, 1, 0, 2, 0xFF, 0xFF, 0, 0])].concat();
    let (datagrams, counters) = read(Link::Ethernet, &[arp, short, icmp, cut, bad]);
    assert!(datagrams.is_empty());
    let expected = (5, 1, 1, 2, 1);
    let Counters { frames, not_ip, not_transport, malformed, cut, .. } = counters;
    assert_eq!((frames, not_ip, not_transport, malformed, cut), expected);
}

#[test]
fn ipv4_options_are_passed_over() {
    let mut packet = udp("10.0.0.1:1", "10.0.0.2:2", b"hello");
    packet[0] = 0x46;
    packet[3] += 4;
    packet.splice(20..20, [1, 1, 1, 0]);
    assert_eq!(payloads(Link::Ip, &[packet]), [b"hello"]);
}

#[test]
fn ipv6_extension_headers_are_passed_over() {
    let extensions = [
        vec![60, 0, 0, 0, 0, 0, 0, 0], // hop by hop, then destination options
        vec![43, 1],
        vec![0; 14],                   // of 16 bytes, then routing
        vec![51, 0, 0, 0, 0, 0, 0, 0], // then authentication
        vec![44, 4],
        vec![0; 22], // of 24 bytes, then a fragment that is whole (RFC 6946)
        vec![UDP, 0, 0, 0, 0, 0, 0, 9],
        udp_segment(1, 2, b"hello"),
    ];
    assert_eq!(payloads(Link::Ip, &[ipv6("::1", "::2", 0, &extensions.concat())]), [b"hello"]);
}

#[test]
fn endless_extension_headers_are_malformed() {
    let packet = ipv6("::1", "::2", 0, &[0; 8].repeat(100));
    assert_eq!(read(Link::Ip, &[packet]).1.malformed, 1);
}

#[test]
fn fragments_come_together_in_any_order() {
    let segment = udp_segment(1, 2, &(0..=255).collect::<Vec<u8>>());
    let piece = |range: std::ops::Range<usize>| {
        let more = range.end < segment.len();
        ipv4_fragment("10.0.0.1", "10.0.0.2", UDP, 7, range.start, more, &segment[range])
    };
    let pieces = [piece(0..96), piece(96..200), piece(200..264)];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
        let mut frames: Vec<_> = order.iter().map(|n| pieces[*n].clone()).collect();
        frames.insert(1, frames[0].clone()); // captured twice
        let (datagrams, counters) = read(Link::Ip, &frames);
        assert_eq!(datagrams.len(), 1, "{order:?}");
        assert_eq!(datagrams[0].payload, (0..=255).collect::<Vec<u8>>());
        assert_eq!(counters.fragments_lost, 0);
    }
}

#[test]
fn ipv6_fragments_come_together() {
    let segment = udp_segment(5060, 5061, &[7; 3000]);
    let piece = |range: std::ops::Range<usize>| {
        let word = range.start as u16 | u16::from(range.end < segment.len());
        let header = [&[UDP, 0][..], &word.to_be_bytes(), &[0, 0, 0, 1]].concat();
        ipv6("::1", "::2", 44, &[header, segment[range].to_vec()].concat())
    };
    let frames = [piece(1400..2800), piece(0..1400), piece(2800..3008)];
    assert_eq!(payloads(Link::Ip, &frames), [[7; 3000]]);
}

#[test]
fn fragments_that_overlap_or_contradict_are_given_up() {
    let piece =
        |offset, more, bytes: &[u8]| ipv4_fragment("10.0.0.1", "10.0.0.2", UDP, 7, offset, more, bytes);
    let segment = udp_segment(1, 2, &[1; 24]);
    let contradictions = [
        [piece(0, true, &segment[..16]), piece(8, true, &segment[8..24])],
        [piece(8, false, &segment[8..24]), piece(0, true, &segment[..24])],
        [piece(16, false, &segment[16..]), piece(32, true, &segment[..8])],
        [piece(16, false, &segment[16..]), piece(8, false, &segment[8..16])],
        [piece(0, true, &segment[..16]), piece(16, true, &segment[16..31])],
        [piece(0, true, &segment[..16]), piece(65_528, false, &segment)],
    ];
    for frames in contradictions {
        let (datagrams, counters) = read(Link::Ip, &frames);
        assert!(datagrams.is_empty());
        assert_eq!(counters.fragments_lost, 1);
    }
}

#[test]
fn packets_in_the_making_are_bounded() {
    let frames: Vec<_> =
        (0..1000).map(|id| ipv4_fragment("10.0.0.1", "10.0.0.2", UDP, id, 0, true, &[0; 64])).collect();
    let (datagrams, counters) = read(Link::Ip, &frames);
    assert!(datagrams.is_empty());
    assert_eq!(counters.fragments_lost, 1000);
}
