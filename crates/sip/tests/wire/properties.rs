//! The fuzz bodies, over bytes at random and over texts near to what is meant.

use proptest::collection::vec;
use proptest::prelude::*;
use sidetone_sip::fuzz;

/// Pieces of SIP, put together at random.
fn near_sip() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "INVITE sip:a@b SIP/2.0\r\n",
        "SIP/2.0 200 OK\r\n",
        "OPTIONS tel:+1 SIP/2.0\r\n",
        "\r\n",
        "\r\n\r\n",
        "\n",
        " ",
        ",",
        ";",
        "\"",
        "Via: SIP/2.0/UDP h;branch=z9hG4bKa\r\n",
        "v: SIP / 2.0 / TCP [::1]:1 ; rport\r\n , SIP/2.0/UDP x\r\n",
        "From: <sip:a@b>;tag=1\r\n",
        "t: \"x\" <sip:a@b>\r\n",
        "Call-ID: x\r\n",
        "CSeq: 1 INVITE\r\n",
        "CSeq: 1 OPTIONS\r\n",
        "Content-Length: 3\r\n",
        "l: 0\r\n",
        "l:\r\n 2\r\n",
        "Max-Forwards: 70\r\n",
        "Max-Forwards: 0\r\n",
        "Route: <sip:a;lr>,<sip:b;lr>\r\n",
        "Subject : x\r\n  y\r\n",
        "Content-Type: multipart/mixed;boundary=b\r\n",
        "--b\r\n",
        "--b--\r\n",
        "Content-Type: application/sdp\r\n",
        "v=0\r\n",
        "X-\u{e9}: z\r\n",
        "abc",
        "\0",
        "\u{fe}",
    ]);
    vec(piece, 0..24).prop_map(|pieces| pieces.concat().into_bytes())
}

/// A message that is well formed but for what is drawn.
fn nearly_right() -> impl Strategy<Value = Vec<u8>> {
    (near_sip(), near_sip(), any::<prop::sample::Index>(), any::<u8>(), 0..4usize).prop_map(
        |(more, body, at, byte, harm)| {
            let mut text = format!("INVITE sip:b@h SIP/2.0\r\n{}", crate::five("INVITE")).into_bytes();
            text.extend(more);
            text.extend_from_slice(b"\r\n");
            text.extend(body);
            if harm == 0 {
                let at = at.index(text.len());
                text[at] = byte;
            }
            text
        },
    )
}

fn near_sdp() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "v=0\r\n",
        "o=- 1 1 IN IP4 192.0.2.1\r\n",
        "c=IN IP4 192.0.2.1\r\n",
        "c=IN IP6 2001:db8::9\r\n",
        "c=IN IP4 0.0.0.0\r\n",
        "c=IN  IP4  224.1.1.1/127/2\n",
        "c=IN IP4 host.example\r\n",
        "m=audio 4000 RTP/AVP 0 8 101\r\n",
        "m=audio 0 RTP/AVP 0\r\n",
        "m=video 4002/2 RTP/SAVPF 96\n",
        "m=image 4006 udptl t38\r\n",
        "m=message 7 TCP/MSRP *\r\n",
        "a=sendonly\r\n",
        "a=rtcp-mux\r\n",
        "a=rtcp:4001\r\n",
        "a=rtcp:4001 IN IP4 192.0.2.7\r\n",
        "a=rtcp:0\r\n",
        "a=candidate:1 1 UDP 1 192.0.2.1 4000 typ host\r\n",
        "a=ice-ufrag:x\r\n",
        "i=title\r\n",
        "a=rtpmap:101 telephone-event/8000\r\n",
        "a=fmtp:101 0-15\r\n",
        "b=AS:64\r\n",
        "junk\r\n",
        "\r\n",
        "a=ptime:20",
    ]);
    vec(piece, 0..20).prop_map(|pieces| format!("v=0\r\n{}", pieces.concat()).into_bytes())
}

fn near_values() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "sip:",
        "SIPS:",
        "tel:+1-2",
        "a",
        "b@",
        "@",
        "example.com",
        "[2001:db8::1]",
        "[",
        ":5060",
        ":0",
        ";lr",
        ";transport=tcp",
        ";tag=x",
        ";",
        "=",
        "?",
        "&",
        "%41",
        "%",
        "%zz",
        "<",
        ">",
        "\"",
        "\\",
        ",",
        " ",
        "\r\n ",
        "SIP/2.0/UDP ",
        "h;branch=z9hG4bK",
        ";rport",
        ";received=::1",
        "1 INVITE",
        "99999999999",
        "\u{e9}",
        "\0",
    ]);
    vec(piece, 0..12).prop_map(|pieces| pieces.concat().into_bytes())
}

/// Messages of one dialog and a subscription, with what a peer may say in them, one behind another.
fn near_notification() -> impl Strategy<Value = Vec<u8>> {
    let start = prop::sample::select(vec![
        "0INVITE sip:agent@pbx SIP/2.0\r\nFrom: <sip:a@b>;tag=c\r\nTo: <sip:p@b>\r\nCSeq: 1 INVITE\r\n",
        "1SIP/2.0 200 OK\r\nFrom: <sip:a@b>;tag=c\r\nTo: <sip:p@b>;tag=p\r\nCSeq: 1 INVITE\r\n",
        "1SIP/2.0 180 OK\r\nFrom: <sip:a@b>;tag=c\r\nTo: <sip:p@b>;tag=p\r\nCSeq: 1 INVITE\r\n",
        "0ACK sip:agent@pbx SIP/2.0\r\nFrom: <sip:a@b>;tag=c\r\nTo: <sip:p@b>;tag=p\r\nCSeq: 1 ACK\r\n",
        "0PRACK sip:agent@pbx SIP/2.0\r\nFrom: <sip:a@b>;tag=c\r\nTo: <sip:p@b>;tag=p\r\nCSeq: 4294967295 PRACK\r\n",
        "0UPDATE sip:agent@pbx SIP/2.0\r\nFrom: <sip:a@b>;tag=c\r\nTo: <sip:p@b>;tag=p\r\nCSeq: 2 UPDATE\r\n",
        "1UPDATE sip:a@b SIP/2.0\r\nFrom: <sip:p@b>;tag=p\r\nTo: <sip:a@b>;tag=c\r\nCSeq: 2 UPDATE\r\n",
        "1NOTIFY sip:a@b SIP/2.0\r\nFrom: <sip:p@b>;tag=p\r\nTo: <sip:a@b>;tag=c\r\nCSeq: 3 NOTIFY\r\n",
        "1INVITE sip:a@b SIP/2.0\r\nFrom: <sip:p@b>;tag=p\r\nTo: <sip:a@b>\r\nCSeq: 7 INVITE\r\n",
        "0SIP/2.0 200 OK\r\nFrom: <sip:p@b>;tag=p\r\nTo: <sip:a@b>;tag=c\r\nCSeq: 7 INVITE\r\n",
        "1SUBSCRIBE sip:sidetone@us SIP/2.0\r\nFrom: <sip:p@b>;tag=s\r\nTo: <sip:us@b>\r\nCSeq: 1 SUBSCRIBE\r\n",
        "1SUBSCRIBE sip:sidetone@us SIP/2.0\r\nFrom: <sip:p@b>;tag=s\r\nTo: <sip:us@b>;tag=us\r\nCSeq: 2 SUBSCRIBE\r\n",
    ]);
    let header = prop::sample::select(vec![
        "Contact: <sip:p@192.0.2.9>\r\n",
        "Contact: *\r\n",
        "Record-Route: <sip:192.0.2.1;lr>\r\n",
        "Record-Route: <sip:p1;lr>, <sip:192.0.2.1:5060;lr>\r\n",
        "Record-Route: <sip:strict>\r\n",
        "Recv-Info: x-sidetone-affect\r\n",
        "Recv-Info: nil\r\n",
        "Recv-Info: \r\n",
        "RAck: 1 1 INVITE\r\n",
        "RAck: 99999999999 x\r\n",
        "Event: refer;id=2\r\n",
        "Event: x-sidetone-affect;call-id=\"x\";id=9\r\n",
        "Event: x-sidetone-affect;call-id=\r\n",
        "Expires: 0\r\n",
        "Expires: 4294967296\r\n",
        "Accept: */*\r\n",
        "\u{e9}: \"\r\n",
    ]);
    let message = (start, vec(header, 0..6)).prop_map(|(start, headers)| {
        format!("{start}Call-ID: x\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n{}\r\n", headers.concat())
    });
    vec(message, 0..12).prop_map(|messages| messages.join("\0").into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn message_of_any_bytes(data in vec(any::<u8>(), 0..400)) { fuzz::message(&data); }
    #[test]
    fn message_of_pieces(data in near_sip()) { fuzz::message(&data); }
    #[test]
    fn message_nearly_right(data in nearly_right()) { fuzz::message(&data); }
    #[test]
    fn framing_of_any_bytes(data in vec(any::<u8>(), 0..400)) { fuzz::framing(&data); }
    #[test]
    fn framing_of_pieces(chunk in any::<u8>(), mut data in vec(near_sip(), 1..4)) {
        data.insert(0, vec![chunk]);
        fuzz::framing(&data.concat());
    }
    #[test]
    fn values_of_any_bytes(data in vec(any::<u8>(), 0..60)) { fuzz::values(&data); }
    #[test]
    fn values_of_pieces(data in near_values()) { fuzz::values(&data); }
    #[test]
    fn sdp_of_any_bytes(data in vec(any::<u8>(), 0..300)) { fuzz::sdp(&data); }
    #[test]
    fn sdp_of_pieces(data in near_sdp()) { fuzz::sdp(&data); }
    #[test]
    fn conversations_of_any_kind(data in vec(any::<u8>(), 0..800)) { fuzz::conversation(&data); }

    #[test]
    fn anchor_of_any_steps(data in vec(any::<u8>(), 0..240)) { fuzz::anchor(&data); }

    #[test]
    fn notification_of_any_bytes(data in vec(any::<u8>(), 0..300)) {
        fuzz::notification(&data);
    }

    #[test]
    fn notification_of_pieces(data in near_notification()) {
        fuzz::notification(&data);
    }
}
