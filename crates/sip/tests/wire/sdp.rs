//! The edit of a description, line by line.

use std::net::SocketAddr;

use sidetone_sip::sdp::{Description, Ice, LocalMedia, Place, SdpError, Stream, rewrite};

fn local(rtp: &str) -> Place {
    let rtp: SocketAddr = rtp.parse().unwrap();
    Place::Local(LocalMedia { rtp, rtcp: SocketAddr::new(rtp.ip(), rtp.port() + 1) })
}

fn led(text: &str, places: &[Place]) -> String {
    let description = Description::parse(text.as_bytes()).unwrap();
    let mut out = text.to_owned();
    for patch in rewrite(&description, &Stream::all(&description), places, Ice::Strip).into_iter().rev() {
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
