//! The fuzz bodies, run as properties: no input makes a reader panic, hang or invent bytes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use proptest::prelude::*;
use sidetone_capture::fuzz;
use sidetone_capture::pcap::Link;

/// A good file to be damaged.
fn wav_file() -> Vec<u8> {
    let mut file =
        b"RIFF\x30\0\0\0WAVEfmt \x10\0\0\0\x01\0\x02\0\x40\x1f\0\0\0\x7d\0\0\x04\0\x10\0data".to_vec();
    file.extend(64u32.to_le_bytes());
    file.extend([7; 64]);
    file
}

fn pcap_file() -> Vec<u8> {
    let fragment =
        |offset, more| common::ipv4_fragment("10.0.0.1", "10.0.0.2", 17, 1, offset, more, &[0; 16]);
    let frames = [
        common::udp("10.0.0.1:5060", "10.0.0.2:5060", b"OPTIONS sip:x SIP/2.0\r\n\r\n"),
        common::udp("[::1]:4000", "[::1]:4002", &[0x80; 172]),
        fragment(0, true),
        fragment(16, false),
        common::tcp("10.0.0.1:1", "10.0.0.2:2", 10, common::SYN, b""),
        common::tcp("10.0.0.1:1", "10.0.0.2:2", 16, common::ACK, b"later"),
        common::tcp("10.0.0.1:1", "10.0.0.2:2", 11, common::ACK, b"early"),
    ];
    common::capture(Link::Ip, &frames)
}

/// A good pcapng file: section, interface, enhanced packet.
fn pcapng_file() -> Vec<u8> {
    let packet = common::udp("10.0.0.1:5060", "10.0.0.2:5060", b"abcd");
    let block = |kind: u32, body: Vec<u8>| {
        let length = (body.len() as u32 + 12).to_le_bytes();
        [&kind.to_le_bytes()[..], &length, &body, &length].concat()
    };
    let length = (packet.len() as u32).to_le_bytes();
    [
        block(0x0A0D_0D0A, [&[0x4D, 0x3C, 0x2B, 0x1A, 1, 0, 0, 0][..], &[0xFF; 8]].concat()),
        block(1, vec![101, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0, 6, 0, 0, 0]),
        block(6, [&[0; 12][..], &length, &length, &packet].concat()),
    ]
    .concat()
}

/// A good capture of a call with its audio, and of audio without a call.
fn call_file() -> Vec<u8> {
    use common::talk::*;
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    set_up(&mut talk, &call);
    talk.speak(&Voice::caller(), &Voice::callee(), 2);
    hang_up(&mut talk, &call);
    let (there, back) = (("10.0.0.7:1000", "10.0.0.8:2000"), ("10.0.0.8:2000", "10.0.0.7:1000"));
    let [there, back] = [there, back].map(|(src, dst)| Voice { src, dst, ..Voice::caller() });
    talk.speak(&there, &back, 12);
    talk.frame(&common::tcp(
        "10.0.0.1:50000",
        "10.0.0.2:5060",
        1,
        common::ACK,
        call.request("INVITE", 1, false, "").as_bytes(),
    ));
    talk.bytes()
}

/// A file with some bytes changed and its end cut off.
fn damaged(file: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let length = file.len();
    let changes = prop::collection::vec((0..length, any::<u8>()), 0..8);
    (changes, 0..=length).prop_map(move |(changes, end)| {
        let mut file = file.clone();
        for (at, byte) in changes {
            file[at] = byte;
        }
        file.truncate(end);
        file
    })
}

/// SIP of one call in any order with any bytes in it, RTP, or anything.
fn hostile_payload() -> impl Strategy<Value = Vec<u8>> {
    use common::talk::*;
    let call = Call::new("one");
    let (offer, answer) = (sdp(CALLER_RTP, "0 8 101", ""), sdp(CALLEE_RTP, "0", "a=inactive\r\n"));
    let crypto = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n";
    let protected = sdp(CALLER_RTP, "0", crypto).replace("RTP/AVP", "RTP/SAVP");
    let messages = vec![
        call.request("INVITE", 1, false, &offer),
        call.request("INVITE", 2, true, ""),
        call.request("INVITE", 3, true, &protected),
        call.response("200 OK", 3, "INVITE", &protected),
        call.request("ACK", 1, true, &answer),
        call.request("BYE", 9, true, ""),
        call.request("CANCEL", 1, false, ""),
        call.request("UPDATE", 4, true, &offer),
        call.request_back("INVITE", 3, &answer),
        call.request_back("PRACK", 3, &offer),
        call.response("183 Session Progress", 1, "INVITE", &answer),
        call.response("200 OK", 1, "INVITE", &answer),
        call.response("200 OK", 9, "BYE", ""),
        call.response("487 Request Terminated", 1, "INVITE", ""),
        call.response_back("200 OK", 3, "INVITE", &offer),
    ];
    let message =
        (prop::sample::select(messages), prop::option::of((any::<prop::sample::Index>(), any::<u8>())));
    let message = message.prop_map(|(message, change)| {
        let mut bytes = message.into_bytes();
        if let Some((index, byte)) = change {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        bytes
    });
    prop_oneof![
        6 => message,
        3 => (0..50u16).prop_map(|n| Voice::caller().packet(n)),
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ]
}

proptest! {
    // Each opens hundreds of packets.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn damaged_protected_calls(bytes in prop_oneof![
        damaged(include_bytes!("fixtures/baresip-sdes.pcap").to_vec()),
        damaged(include_bytes!("fixtures/baresip-dtls.pcap").to_vec()),
    ]) {
        fuzz::protected_calls(&bytes, include_bytes!("fixtures/baresip-dtls.keys"));
    }
}

proptest! {
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        fuzz::wav(&bytes);
        fuzz::pcap(&bytes);
        fuzz::frames(&bytes);
        fuzz::handshakes(&bytes);
    }

    #[test]
    fn damaged_wav(bytes in damaged(wav_file())) {
        fuzz::wav(&bytes);
    }

    #[test]
    fn damaged_audio(bytes in prop_oneof![
        damaged(include_bytes!("fixtures/call.flac").to_vec()),
        damaged(include_bytes!("fixtures/call-opus.ogg").to_vec()),
        damaged(include_bytes!("fixtures/call-vorbis.ogg").to_vec()),
    ]) {
        fuzz::audio(&bytes);
    }

    #[test]
    fn damaged_captures(bytes in prop_oneof![damaged(pcap_file()), damaged(pcapng_file())]) {
        fuzz::pcap(&bytes);
        fuzz::datagrams(&bytes);
    }

    #[test]
    fn damaged_calls(bytes in damaged(call_file())) {
        fuzz::calls(&bytes);
    }

    #[test]
    fn damaged_handshakes(bytes in damaged(include_bytes!("fixtures/baresip-dtls.keys").to_vec())) {
        fuzz::handshakes(&bytes);
    }

    #[test]
    fn hostile_datagrams_of_calls(
        datagrams in prop::collection::vec((0..4usize, 0..4usize, hostile_payload()), 0..40)
    ) {
        const WHO: [&str; 4] = ["10.0.0.1:5060", "10.0.0.2:5060", "10.0.0.1:4000", "10.0.0.2:6000"];
        let mut talk = common::talk::Talk::new();
        for (src, dst, payload) in datagrams {
            talk.wait(20).udp(WHO[src], WHO[dst], &payload);
        }
        fuzz::calls(&talk.bytes());
    }

    #[test]
    fn udp_survives_the_way_through_a_file(
        src in any::<(u32, u16)>(), dst in any::<(u32, u16)>(), payload in prop::collection::vec(any::<u8>(), 0..2000)
    ) {
        let [src, dst] = [src, dst].map(|(ip, port)| format!("{}:{port}", std::net::Ipv4Addr::from(ip)));
        let (datagrams, _) = common::read(Link::Ip, &[common::udp(&src, &dst, &payload)]);
        prop_assert_eq!(&datagrams[0].payload[..], &payload[..]);
        prop_assert_eq!((datagrams[0].src, datagrams[0].dst), (common::addr(&src), common::addr(&dst)));
    }
}
