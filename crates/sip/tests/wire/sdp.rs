//! The edit of a description, line by line.

use std::net::SocketAddr;

use sidetone_call::LocalMedia;
use sidetone_sip::sdp::{Description, Ice, Place, SdpError, Stream, rewrite};

fn local(rtp: &str) -> Place {
    let rtp: SocketAddr = rtp.parse().unwrap();
    Place::Local(LocalMedia { rtp, rtcp: SocketAddr::new(rtp.ip(), rtp.port() + 1) })
}

fn led(text: &str, places: &[Place]) -> String {
    let description = Description::parse(text.as_bytes()).unwrap();
    let mut out = text.to_owned();
    for patch in rewrite(&description, &Stream::all(&description), places, &[], Ice::Strip).into_iter().rev()
    {
        out.replace_range(patch.at, std::str::from_utf8(&patch.with).unwrap());
    }
    out
}

#[test]
fn nothing_to_lead_nothing_edited() {
    let text = "v=0\r\nc=IN IP4 192.0.2.1\r\na=ice-lite\r\nm=audio 4000 RTP/AVP 0\r\n";
    assert_eq!(led(text, &[]), text);
    assert_eq!(led(text, &[Place::Untouched]), text);
}

#[test]
fn streams_led_to_different_addresses() {
    let text =
        "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\nm=video 4002 RTP/AVP 96\r\ni=x\r\na=y\r\n";
    assert_eq!(
        led(text, &[local("198.51.100.1:30000"), local("[2001:db8::1]:30002")]),
        "v=0\r\nc=IN IP4 198.51.100.1\r\nm=audio 30000 RTP/AVP 0\r\nm=video 30002 RTP/AVP 96\r\ni=x\r\n\
         c=IN IP6 2001:db8::1\r\na=y\r\n"
    );
}

#[test]
fn what_is_left_alone_keeps_the_session_s_address() {
    let text = "v=0\nc=IN IP4 192.0.2.1\nm=message 7 TCP/MSRP *\na=x\nm=audio 4000 RTP/AVP 0\n";
    assert_eq!(
        led(text, &[Place::Untouched, local("198.51.100.1:30000")]),
        "v=0\nc=IN IP4 198.51.100.1\nm=message 7 TCP/MSRP *\nc=IN IP4 192.0.2.1\na=x\nm=audio 30000 RTP/AVP 0\n"
    );
}

#[test]
fn a_hold_for_the_session_stays_one() {
    let text = "v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 4000 RTP/AVP 0\r\nm=message 7 TCP/MSRP *\r\n";
    assert_eq!(led(text, &[local("198.51.100.1:30000")]), text.replace("4000", "30000"));
    assert_eq!(
        led(text, &[local("[2001:db8::1]:30000")]),
        "v=0\r\nc=IN IP6 ::\r\nm=audio 30000 RTP/AVP 0\r\nm=message 7 TCP/MSRP *\r\nc=IN IP4 0.0.0.0\r\n"
    );
}

#[test]
fn rtcp_that_is_not_next_to_rtp_is_stated() {
    let apart = |rtp: &str, rtcp: &str| {
        Place::Local(LocalMedia { rtp: rtp.parse().unwrap(), rtcp: rtcp.parse().unwrap() })
    };
    let place = [apart("198.51.100.1:30000", "198.51.100.1:40000")];
    let text = "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\na=x";
    assert!(led(text, &place).ends_with("m=audio 30000 RTP/AVP 0\r\na=x\r\na=rtcp:40000"));
    assert!(led(&format!("{text}\r\n"), &place).ends_with("a=x\r\na=rtcp:40000\r\n"));
    let fax = "v=0\r\nc=IN IP4 192.0.2.1\r\nm=image 4000 udptl t38\r\n";
    assert_eq!(led(fax, &place), fax.replace("192.0.2.1", "198.51.100.1").replace("4000", "30000"));
}

#[test]
fn a_rejected_place_has_port_zero() {
    let text = "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000/2 RTP/AVP 0\r\n";
    assert_eq!(led(text, &[Place::Rejected]), text.replace("4000/2", "0"));
}

/// Whatever stands there, it leaves as a stream that nobody takes up, and no address of its author's with it.
#[test]
fn a_line_that_can_not_be_read_is_rejected() {
    for (port, left) in [("-", "0"), ("$", "0"), ("70000", "0"), ("-1", "0"), ("x/2", "0")] {
        let text = |port: &str, ip: &str| {
            format!("v=0\r\nc=IN IP4 192.0.2.1\r\nm=video {port} RTP/AVP 96\r\nc=IN IP4 {ip}\r\n")
        };
        let led = led(&text(port, "192.0.2.2"), &[Place::Rejected]);
        assert_eq!(led, text(left, "0.0.0.0").replace("192.0.2.1", "0.0.0.0"), "{port}");
    }
    let beside = "v=0\r\nc=IN IP4 192.0.2.1\r\nm=x\r\nm=audio 4000 RTP/AVP 0\r\n";
    assert_eq!(
        led(beside, &[Place::Rejected, local("198.51.100.1:30000")]),
        beside.replace("192.0.2.1", "198.51.100.1").replace("4000", "30000")
    );
}

#[test]
fn what_is_not_a_description() {
    let error = |text: &str| Description::parse(text.as_bytes()).unwrap_err();
    assert_eq!(error(""), SdpError::NoVersion);
    assert_eq!(error("s=-\r\n"), SdpError::NoVersion);
    assert!(Description::parse(b"m=audio 1 RTP/AVP 0\r\n").is_ok());
    assert_eq!(error(&format!("v=0\r\n{}", "a=x\r\n".repeat(3000))), SdpError::TooManyLines);
    assert!(Description::parse(b"v=0").is_ok());
}

/// Parsers differ in the c= that they take of several.
#[test]
fn every_connection_is_led() {
    let text = "v=0\r\nc=IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n\
                m=audio 4002 RTP/AVP 0\r\nc=IN IP4 192.0.2.3\r\nc=IN IP4 192.0.2.4/127\r\n";
    let led = led(text, &[local("198.51.100.1:30000"), local("198.51.100.1:30002")]);
    assert_eq!(led.matches("c=IN IP4 198.51.100.1\r\n").count(), 4, "{led}");
    assert!(!led.contains("192.0.2."), "{led}");
}

#[test]
fn a_connection_that_can_not_be_read_is_stated_anew() {
    for odd in ["192.0.2.1", "IN 192.0.2.1", "IN IP4", "IN IP4 192.0.2.1\u{fffd}", "", "in"] {
        for media in ["", "c=IN IP4 192.0.2.9\r\n"] {
            let text = format!("v=0\r\nc={odd}\r\nm=audio 4000 RTP/AVP 0\r\nc={odd}\r\n{media}a=x\r\n");
            let led = led(&text, &[local("198.51.100.1:30000")]);
            assert!(!led.contains("192.0.2."), "{led}");
            assert!(led.starts_with("v=0\r\nc=IN IP4 198.51.100.1"), "{led}");
        }
    }
    // What no datagram travels is none of our business.
    let phone = "v=0\r\nc=PSTN E164 +15550123\r\nm=audio 4000 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\n";
    assert!(led(phone, &[local("198.51.100.1:30000")]).contains("c=PSTN E164 +15550123\r\n"));
}

/// pjmedia takes a lone CR for a line's end; sofia-sip also passes over white space in front of a line, and does not
/// tell capitals in names.
#[test]
fn lines_are_read_as_the_most_lenient_parser_reads_them() {
    let text =
        "v=0\r\no=- 1 1 IN IP4 a\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=x\r\n";
    let spellings: [&dyn Fn(&str) -> String; 6] = [
        &|text| text.replace("\r\n", "\r"),
        &|text| text.replace("\r\n", "\n"),
        &|text| text.replace("m=", " m=").replace("c=", "\tc="),
        &|text| text.replace("m=", "m ="),
        &|text| text.replace("m=", "M=").replace("c=", "C="),
        &|text| text.replace("m=audio 4000", "m= audio\t4000"),
    ];
    for spell in spellings {
        let led = led(&spell(text), &[local("198.51.100.1:30000")]);
        assert_eq!(led, spell(text).replace("192.0.2.1", "198.51.100.1").replace("4000", "30000"));
    }
}

/// Other ways for the media than the m= and c= lines.
#[test]
fn attributes_that_lead_around_are_taken_out() {
    let around = [
        "a=candidate:1 1 UDP 1 192.0.2.1 4000 typ host",
        "a=Candidate:1 1 UDP 1 192.0.2.1 4000 typ host",
        "A=candidate:1 1 UDP 1 192.0.2.1 4000 typ host",
        " a= candidate :1 1 UDP 1 192.0.2.1 4000 typ host",
        "a=remote-candidates:1 192.0.2.1 4000",
        "a=altc:1 IP4 192.0.2.1 4000",
        "a=ALTC:1 IP4 192.0.2.1 4000",
        "a=alt:1 1 : x y 192.0.2.1 4000",
        "a=ccap:1 IN IP4 192.0.2.1 4000",
        "a=acap:2 candidate:1 1 UDP 1 192.0.2.1 4000 typ host",
        "a=acap:3 rtcp:4001 IN IP4 192.0.2.1",
        "a=visited-realm:1 realm.example IN IP4 192.0.2.1 4000",
        "a=secondary-realm:1 realm.example IN IP4 192.0.2.1 4000",
        "a=rtcp:x IN IP4 192.0.2.1",
    ];
    for line in around {
        for end in ["\r\n", "\n", "\r"] {
            let text = |odd: &str, ip: &str, port: u16| {
                format!("v=0{end}c=IN IP4 {ip}{end}{odd}m=audio {port} RTP/AVP 0{end}a=x{end}{odd}")
            };
            let led = led(&text(&format!("{line}{end}"), "192.0.2.1", 4000), &[local("198.51.100.1:30000")]);
            assert_eq!(led, text("", "198.51.100.1", 30_000), "{line}");
        }
    }
    // A capability of another kind stays.
    let stays = "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\na=acap:1 crypto:1 x\r\na=acap:1 acap:1 candidate:x\r\n\
                 a=pcfg:1 a=1\r\na=candidates\r\na=rtcp-fb:0 nack\r\n";
    let expected = stays.replace("192.0.2.1", "198.51.100.1").replace("4000", "30000");
    assert_eq!(led(stays, &[local("198.51.100.1:30000")]), expected);
}

#[test]
fn every_rtcp_line_is_led() {
    let text = "v=0\r\nc=IN IP4 192.0.2.1\r\na=rtcp:4009 IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\n\
                a=RTCP:4001 IN IP4 192.0.2.1\r\na=rtcp: 4003\r\na=rtcp:4005 x 192.0.2.1\r\na=rtcp:4007 \r\n";
    assert_eq!(
        led(text, &[local("198.51.100.1:30000")]),
        "v=0\r\nc=IN IP4 198.51.100.1\r\nm=audio 30000 RTP/AVP 0\r\na=RTCP:30001 IN IP4 198.51.100.1\r\n\
         a=rtcp: 30001\r\na=rtcp:30001\r\na=rtcp:30001 \r\n"
    );
}
