//! TCP streams read from the segments that were captured of them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use sidetone_capture::datagrams::{Datagram, Transport};
use sidetone_capture::pcap::Link;

use common::{ACK, FIN, SYN, addr, read, tcp};

const A: &str = "10.0.0.1:40000";
const B: &str = "10.0.0.2:5060";

/// What one side said: stretches of bytes that follow on each other.
fn said(datagrams: &[Datagram], src: &str) -> Vec<String> {
    let mut stretches: Vec<String> = Vec::new();
    for datagram in datagrams.iter().filter(|datagram| datagram.src == addr(src)) {
        let text = String::from_utf8(datagram.payload.to_vec()).unwrap();
        match (datagram.transport, stretches.last_mut()) {
            (Transport::Tcp { follows: true }, Some(last)) => last.push_str(&text),
            (Transport::Tcp { follows: true }, None) => panic!("follows on nothing"),
            _ => stretches.push(text),
        }
    }
    stretches
}

#[test]
fn segments_in_order_both_ways() {
    let frames = [
        tcp(A, B, 99, SYN, b""),
        tcp(B, A, 499, SYN | ACK, b""),
        tcp(A, B, 100, ACK, b"INVITE "),
        tcp(B, A, 500, ACK, b"SIP/2.0 "),
        tcp(A, B, 107, ACK, b"sip:b"),
        tcp(B, A, 508, ACK | FIN, b"100"),
    ];
    let (datagrams, counters) = read(Link::Ip, &frames);
    assert_eq!(said(&datagrams, A), ["INVITE sip:b"]);
    assert_eq!(said(&datagrams, B), ["SIP/2.0 100"]);
    assert_eq!(counters.stream_gaps, 0);
}

#[test]
fn late_repeated_and_overlapping_segments() {
    let frames = [
        tcp(A, B, 99, SYN, b""),
        tcp(A, B, 104, ACK, b"efgh"),
        tcp(A, B, 112, ACK, b"mn"),
        tcp(A, B, 100, ACK, b"abcd"),
        tcp(A, B, 100, ACK, b"abcdef"),
        tcp(A, B, 106, ACK, b"ghijkl"),
        tcp(A, B, 106, ACK, b"gh"),
    ];
    let (datagrams, counters) = read(Link::Ip, &frames);
    assert_eq!(said(&datagrams, A), ["abcdefghijklmn"]);
    assert_eq!(counters.stream_gaps, 0);
}

#[test]
fn a_connection_that_was_open_before_the_capture() {
    let frames = [tcp(A, B, 7000, ACK, b""), tcp(A, B, 7000, ACK, b"ab"), tcp(A, B, 7002, ACK, b"cd")];
    assert_eq!(said(&read(Link::Ip, &frames).0, A), ["abcd"]);
}

#[test]
fn sequence_numbers_wrap_around() {
    let frames = [tcp(A, B, u32::MAX - 1, ACK, b"ab"), tcp(A, B, 2, ACK, b"ef"), tcp(A, B, 0, ACK, b"cd")];
    assert_eq!(said(&read(Link::Ip, &frames).0, A), ["abcdef"]);
}

#[test]
fn bytes_that_never_came_leave_a_gap() {
    let frames = [tcp(A, B, 100, ACK, b"ab"), tcp(A, B, 200, ACK, b"yz"), tcp(A, B, 300, ACK, b"!")];
    let (datagrams, counters) = read(Link::Ip, &frames);
    assert_eq!(said(&datagrams, A), ["ab", "yz", "!"]);
    assert_eq!(counters.stream_gaps, 2);
}

#[test]
fn what_waits_is_bounded() {
    let mut frames = vec![tcp(A, B, 100, ACK, b"ab")];
    frames.extend((0..70).map(|n| tcp(A, B, 200 + n, ACK, b"x")));
    let (datagrams, counters) = read(Link::Ip, &frames);
    // The stream goes on when 65 segments wait, not at the end of the capture.
    assert_eq!(datagrams[1].at.as_secs(), 66);
    assert_eq!(said(&datagrams, A), ["ab".to_owned(), "x".repeat(70)]);
    assert_eq!(counters.stream_gaps, 1);
}

#[test]
fn a_new_connection_between_the_same_ports() {
    let frames = [
        tcp(A, B, 99, SYN, b""),
        tcp(A, B, 100, ACK, b"first"),
        tcp(A, B, 3_000_000_000, SYN, b""),
        tcp(A, B, 3_000_000_001, ACK, b"second"),
        tcp(A, B, 50, ACK, b"third, whose opening was not captured"),
    ];
    let (datagrams, counters) = read(Link::Ip, &frames);
    assert_eq!(said(&datagrams, A), ["first", "second", "third, whose opening was not captured"]);
    assert_eq!(counters.stream_gaps, 0);
}

#[test]
fn more_streams_than_are_followed() {
    let mut frames = Vec::new();
    for round in 0..2u32 {
        for port in 10_000..12_000 {
            frames.push(tcp(&format!("10.0.0.1:{port}"), B, 100 + round * 2, ACK, b"ab"));
        }
    }
    let (datagrams, _) = read(Link::Ip, &frames);
    assert_eq!(datagrams.len(), 4000);
    // Each was forgotten when its second segment came, which therefore doesn't claim to follow.
    assert!(datagrams.iter().all(|d| d.transport == Transport::Tcp { follows: false }));
}
