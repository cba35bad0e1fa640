//! Packets inside packets, as mirrors, tunnels and capture agents deliver them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use sidetone_capture::datagrams::Unread;
use sidetone_capture::pcap::Link;

use common::{addr, ipv4, read, udp};

const SRC: &str = "10.0.0.1:4000";
const DST: &str = "10.0.0.2:6000";

fn inner() -> Vec<u8> {
    udp(SRC, DST, b"hello")
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn ethernet(ether_type: u16, packet: &[u8]) -> Vec<u8> {
    join(&[&[2; 12], &ether_type.to_be_bytes(), packet])
}

/// An IPv4 packet between two routers.
fn between(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4("192.0.2.1", "192.0.2.2", protocol, payload)
}

fn by_udp(port: u16, payload: &[u8]) -> Vec<u8> {
    udp("192.0.2.1:50000", &format!("192.0.2.2:{port}"), payload)
}

#[test]
fn every_way_leads_to_the_datagram_inside() {
    let ip = inner();
    let frame = ethernet(0x0800, &ip);
    let label = [0, 0x64, 1, 64];
    let cases: Vec<(&str, Link, Vec<u8>)> = vec![
        (
            "three VLAN tags",
            Link::Ethernet,
            ethernet(0x88A8, &join(&[&[0, 7, 0x81, 0, 0, 5, 0x81, 0, 0, 6, 8, 0], &ip])),
        ),
        (
            "802.2 SNAP",
            Link::Ethernet,
            ethernet(ip.len() as u16 + 8, &join(&[&[0xAA, 0xAA, 3, 0, 0, 0, 8, 0], &ip])),
        ),
        ("PPPoE", Link::Ethernet, ethernet(0x8864, &join(&[&[0x11, 0, 0, 1, 0, 99, 0, 0x21], &ip]))),
        ("PPPoE, short protocol", Link::PppoeSession, join(&[&[0x11, 0, 0, 1, 0, 99, 0x21], &ip])),
        ("MPLS", Link::Ethernet, ethernet(0x8847, &join(&[&[0, 0x64, 0, 64], &label, &ip]))),
        ("pseudowire", Link::Ethernet, ethernet(0x8847, &join(&[&label, &[0; 4], &frame]))),
        ("PPP", Link::Ppp, join(&[&[0xFF, 3, 0, 0x21], &ip])),
        ("PPP with direction", Link::PppWithDirection, join(&[&[1, 0xFF, 3, 0x21], &ip])),
        ("Cisco HDLC", Link::CiscoHdlc, join(&[&[0x0F, 0, 8, 0], &ip])),
        (
            "netfilter log",
            Link::NetfilterLog,
            join(&[&[2, 0, 0, 1, 5, 0, 1, 0, 7, 0, 0, 0], &[(ip.len() + 4) as u8, 0, 9, 0], &ip]),
        ),
        ("IP in IP", Link::Ip, between(4, &ip)),
        ("6in4 number", Link::Ip, between(41, &ip)),
        ("GRE", Link::Ip, between(47, &join(&[&[0, 0, 8, 0], &ip]))),
        ("GRE with all options", Link::Ip, between(47, &join(&[&[0xB0, 0, 8, 0], &[0; 12], &ip]))),
        ("GRE of Ethernet", Link::Ip, between(47, &join(&[&[0, 0, 0x65, 0x58], &frame]))),
        (
            "PPTP",
            Link::Ip,
            between(47, &join(&[&[0x30, 0x81, 0x88, 0x0B], &[0; 12], &[0xFF, 3, 0, 0x21], &ip])),
        ),
        ("ERSPAN I", Link::Ip, between(47, &join(&[&[0, 0, 0x88, 0xBE], &frame]))),
        (
            "ERSPAN II",
            Link::Ip,
            between(47, &join(&[&[0x10, 0, 0x88, 0xBE, 0, 0, 0, 1], &[0x10; 8], &frame])),
        ),
        (
            "ERSPAN III",
            Link::Ip,
            between(47, &join(&[&[0x10, 0, 0x22, 0xEB, 0, 0, 0, 1], &[0x20; 12], &frame])),
        ),
        (
            "ERSPAN III, platform",
            Link::Ip,
            between(47, &join(&[&[0x10, 0, 0x22, 0xEB, 0, 0, 0, 1], &[0x21; 12], &[0; 8], &frame])),
        ),
        ("EtherIP", Link::Ip, between(97, &join(&[&[0x30, 0], &frame]))),
        ("MPLS in IP", Link::Ip, between(137, &join(&[&label, &ip]))),
        ("VXLAN", Link::Ip, by_udp(4789, &join(&[&[8, 0, 0, 0, 0, 0, 1, 0], &frame]))),
        ("VXLAN of Linux", Link::Ip, by_udp(8472, &join(&[&[8, 0, 0, 0, 0, 0, 1, 0], &frame]))),
        ("VXLAN-GPE", Link::Ip, by_udp(4790, &join(&[&[0x0C, 0, 0, 1, 0, 0, 1, 0], &ip]))),
        ("Geneve", Link::Ip, by_udp(6081, &join(&[&[1, 0, 0x65, 0x58, 0, 0, 1, 0], &[0; 4], &frame]))),
        ("GTP-U", Link::Ip, by_udp(2152, &join(&[&[0x30, 255, 0, 0, 0, 0, 0, 1], &ip]))),
        (
            "GTP-U with extension",
            Link::Ip,
            by_udp(2152, &join(&[&[0x34, 255, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 0, 0], &ip])),
        ),
        ("L2TP", Link::Ip, by_udp(1701, &join(&[&[0x40, 2, 0, 99, 0, 1, 0, 1, 0xFF, 3, 0, 0x21], &ip]))),
        ("TZSP", Link::Ip, by_udp(37008, &join(&[&[1, 0, 0, 1, 10, 1, 7, 0, 1], &frame]))),
        (
            "VXLAN over VXLAN",
            Link::Ip,
            by_udp(
                4789,
                &join(&[
                    &[8, 0, 0, 0, 0, 0, 1, 0],
                    &ethernet(0x0800, &by_udp(4789, &join(&[&[8, 0, 0, 0, 0, 0, 2, 0], &frame]))),
                ]),
            ),
        ),
    ];
    for (name, link, frame) in cases {
        let (datagrams, counters) = read(link, std::slice::from_ref(&frame));
        assert_eq!(datagrams.len(), 1, "{name}: {counters:?}");
        assert_eq!((datagrams[0].src, datagrams[0].dst), (addr(SRC), addr(DST)), "{name}");
        assert_eq!(&datagrams[0].payload[..], b"hello", "{name}");
        assert_eq!(counters.malformed, 0, "{name}");
        // None of its beginnings makes it invent a datagram.
        for length in 0..frame.len() - 5 {
            let (datagrams, _) = read(link, &[frame[..length].to_vec()]);
            assert!(datagrams.iter().all(|datagram| datagram.payload.len() < 200), "{name}, {length} bytes");
        }
    }
}

#[test]
fn audio_on_a_tunnels_port_stays_audio() {
    let rtp = [&[0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1][..], &[7; 160]].concat();
    for port in [4789, 4790, 6081, 2152, 1701, 37008, 8472] {
        let (datagrams, counters) = read(Link::Ip, &[by_udp(port, &rtp)]);
        assert_eq!((datagrams.len(), counters.tunnelled), (1, 0), "{port}");
        assert_eq!(datagrams[0].payload.len(), rtp.len());
    }
}

#[test]
fn messages_that_agents_export_keep_their_addresses() {
    let chunk = |kind: u16, value: &[u8]| {
        join(&[&[0, 0], &kind.to_be_bytes(), &(value.len() as u16 + 6).to_be_bytes(), value])
    };
    let chunks = [
        chunk(1, &[2]),
        chunk(3, &[10, 0, 0, 1]),
        chunk(4, &[10, 0, 0, 2]),
        chunk(7, &4000u16.to_be_bytes()),
        chunk(8, &6000u16.to_be_bytes()),
        chunk(9, &1_700_000_000u32.to_be_bytes()),
        chunk(10, &250_000u32.to_be_bytes()),
        chunk(15, b"hello"),
    ]
    .concat();
    let hep = join(&[b"HEP3", &(chunks.len() as u16 + 6).to_be_bytes(), &chunks]);
    let tag =
        |kind: u16, value: &[u8]| join(&[&kind.to_be_bytes(), &(value.len() as u16).to_be_bytes(), value]);
    let exported = [
        tag(12, b"sip\0"),
        tag(20, &[10, 0, 0, 1]),
        tag(21, &[10, 0, 0, 2]),
        tag(25, &4000u32.to_be_bytes()),
        tag(26, &6000u32.to_be_bytes()),
        tag(0, &[]),
        b"hello".to_vec(),
    ]
    .concat();
    for (link, frame, at) in
        [(Link::Ip, by_udp(9060, &hep), 1_700_000_000_250), (Link::ExportedPdu, exported, 1000)]
    {
        let (datagrams, _) = read(link, &[frame]);
        assert_eq!((datagrams[0].src, datagrams[0].dst), (addr(SRC), addr(DST)));
        assert_eq!((&datagrams[0].payload[..], datagrams[0].at.as_millis()), (&b"hello"[..], at));
    }
}

#[test]
fn a_relays_channel_data_is_what_it_carries() {
    let rtp = [0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 5, 6, 7, 8];
    let channel = join(&[&[0x40, 1, 0, 16], &rtp]);
    let (datagrams, _) = read(Link::Ip, &[udp(SRC, "192.0.2.9:3478", &channel)]);
    assert_eq!(&datagrams[0].payload[..], rtp);
}

#[test]
fn what_is_not_read_is_named() {
    let esp = between(50, &[0; 40]);
    let frames = [
        ethernet(0x88E5, &[0; 40]),
        ethernet(0x0800, &esp),
        ethernet(0x0800, &esp),
        ethernet(0x0806, &[0; 28]),
    ];
    let file = common::capture(Link::Ethernet, &frames);
    let mut datagrams = sidetone_capture::datagrams::Datagrams::new(&file[..]).unwrap();
    assert_eq!(datagrams.by_ref().count(), 0);
    let unread = datagrams.unread();
    assert_eq!(unread[0], (Unread::IpProtocol(50), 2));
    assert!(unread.contains(&(Unread::EtherType(0x88E5), 1)));
    let ordinary: Vec<_> = unread.iter().filter(|(unread, _)| unread.is_ordinary()).collect();
    assert_eq!(ordinary, [&(Unread::EtherType(0x0806), 1)]);
}

#[test]
fn tunnels_within_tunnels_end() {
    let mut packet = inner();
    for _ in 0..1000 {
        packet = between(4, &packet);
        if packet.len() > 60_000 {
            break;
        }
    }
    let (datagrams, counters) = read(Link::Ip, &[packet]);
    assert_eq!((datagrams.len(), counters.malformed), (0, 1));
}
