//! Frames made by hand, for the captures that the tests read.
#![allow(dead_code)] // each test file uses its own part

pub(crate) mod talk;

use std::net::SocketAddr;
use std::time::Duration;

use sidetone_capture::datagrams::{Counters, Datagram, Datagrams};
use sidetone_capture::pcap::{Link, Writer};

pub(crate) fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// A capture of `frames`, one a second.
pub(crate) fn capture(link: Link, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = Writer::of_link(Vec::new(), link).unwrap();
    for (second, frame) in (1..).zip(frames) {
        writer.frame(Duration::from_secs(second), frame).unwrap();
    }
    writer.into_inner()
}

/// What such a capture gives when read.
pub(crate) fn read(link: Link, frames: &[Vec<u8>]) -> (Vec<Datagram>, Counters) {
    let file = capture(link, frames);
    let mut datagrams = Datagrams::new(&file[..]).unwrap();
    let all = datagrams.by_ref().collect();
    assert!(datagrams.damage().is_none());
    (all, datagrams.counters())
}

/// The IP packet that the crate's own writer makes of a UDP datagram.
pub(crate) fn udp(src: &str, dst: &str, payload: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new()).unwrap();
    writer.udp(Duration::ZERO, addr(src), addr(dst), payload).unwrap();
    writer.into_inner().split_off(24 + 16)
}

/// An IPv4 packet.
pub(crate) fn ipv4(src: &str, dst: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_fragment(src, dst, protocol, 0, 0, false, payload)
}

/// An IPv4 fragment; `offset` in bytes.
pub(crate) fn ipv4_fragment(
    src: &str,
    dst: &str,
    protocol: u8,
    id: u16,
    offset: usize,
    more: bool,
    payload: &[u8],
) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend(((payload.len() + 20) as u16).to_be_bytes());
    packet.extend(id.to_be_bytes());
    packet.extend(((offset / 8) as u16 | u16::from(more) << 13).to_be_bytes());
    packet.extend([64, protocol, 0, 0]);
    for ip in [src, dst] {
        packet.extend(ip.parse::<std::net::Ipv4Addr>().unwrap().octets());
    }
    packet.extend(payload);
    packet
}

/// An IPv6 packet whose payload begins with what `next` says.
pub(crate) fn ipv6(src: &str, dst: &str, next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([next, 64]);
    for ip in [src, dst] {
        packet.extend(ip.parse::<std::net::Ipv6Addr>().unwrap().octets());
    }
    packet.extend(payload);
    packet
}

/// A UDP header and payload.
pub(crate) fn udp_segment(src_port: u16, dst_port: u16, payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::new();
    for field in [src_port, dst_port, payload.len() as u16 + 8, 0] {
        segment.extend(field.to_be_bytes());
    }
    segment.extend(payload);
    segment
}

pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const ACK: u8 = 16;

/// An IPv4 packet with a TCP segment.
pub(crate) fn tcp(src: &str, dst: &str, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let (src, dst) = (addr(src), addr(dst));
    let mut segment = Vec::new();
    segment.extend(src.port().to_be_bytes());
    segment.extend(dst.port().to_be_bytes());
    segment.extend(sequence.to_be_bytes());
    segment.extend([0, 0, 0, 0, 6 << 4, flags, 255, 255, 0, 0, 0, 0]);
    segment.extend([1, 1, 1, 0]); // options
    segment.extend(payload);
    ipv4(&src.ip().to_string(), &dst.ip().to_string(), 6, &segment)
}
