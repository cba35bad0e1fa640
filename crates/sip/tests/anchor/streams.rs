//! m-lines: added, removed, recycled, rejected, beyond the relay's reach.

use crate::script::{Callee, Caller, Script, audio, led_all};

fn with_video(ip: &str, port: u16, video: u16) -> String {
    format!("{}m=video {video} RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n", audio(ip, port))
}

#[test]
fn a_rejected_m_line_stays_rejected() {
    let mut s = Script::new();
    let offer = s.request(Caller, "INVITE 1", None, &with_video("192.0.2.1", 4000, 4002)).unwrap();
    assert_eq!(led_all(&offer), ["198.51.100.2:30002", "198.51.100.2:30006"]);
    let answer = s.response(Caller, 200, "INVITE 1", "b", &with_video("10.0.0.2", 5000, 0));
    assert_eq!(led_all(&answer), ["198.51.100.1:30000", "198.51.100.1:0"]);
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    assert_eq!(s.media(1), "? - ?");
}

#[test]
fn added_removed_recycled() {
    let mut s = Script::new();
    s.talk();
    let (offer, _) =
        s.reinvite(Caller, 2, &with_video("192.0.2.1", 4000, 4002), &with_video("10.0.0.2", 5000, 5002));
    let added = led_all(&offer);
    assert_eq!(s.media(1), "192.0.2.1:4002 - 10.0.0.2:5002");
    assert_eq!(s.facts(), ["untappable 1: not-audio"]);
    let (offer, answer) =
        s.reinvite(Callee, 3, &with_video("10.0.0.2", 5000, 0), &with_video("192.0.2.1", 4000, 0));
    assert_eq!(led_all(&offer)[1], "198.51.100.1:0");
    assert_eq!(led_all(&answer)[1], "198.51.100.2:0");
    assert_eq!(s.media(1), "? - ?");
    // The same place, for something else: the same ports.
    let text = |ip: &str, port: u16| format!("{}m=text {port} RTP/AVP 98\r\n", audio(ip, port - 2));
    let (offer, _) = s.reinvite(Caller, 4, &text("192.0.2.1", 4002), &text("10.0.0.2", 5002));
    assert_eq!(led_all(&offer), added);
    assert_eq!(s.media(1), "192.0.2.1:4002 - 10.0.0.2:5002");
    s.bye(Caller, 5);
}

#[test]
fn addresses_by_m_line() {
    let mut s = Script::new();
    let sdp = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\n\
               m=video 4002 RTP/AVP 96\r\ni=title\r\nc=IN IP4 192.0.2.2/127\r\na=x\r\n";
    let offer = s.request(Caller, "INVITE 1", None, sdp).unwrap();
    let expected = sdp
        .replace("4000", "30002")
        .replace("c=IN IP4 192.0.2.1", "c=IN IP4 198.51.100.2")
        .replace("4002", "30006")
        .replace("192.0.2.2/127", "198.51.100.2");
    assert_eq!(std::str::from_utf8(offer.body()).unwrap(), expected);
}

#[test]
fn a_session_address_beside_media_addresses() {
    let mut s = Script::new();
    let sdp = audio("192.0.2.1", 4000) + "m=video 4002 RTP/AVP 96\r\nc=IN IP4 192.0.2.2\r\n";
    let offer = s.request(Caller, "INVITE 1", None, &sdp).unwrap();
    assert_eq!(led_all(&offer), ["198.51.100.2:30002", "198.51.100.2:30006"]);
    assert!(!std::str::from_utf8(offer.body()).unwrap().contains("c=IN IP4 192.0.2"));
}

#[test]
fn tcp_stays_where_it_was() {
    let mut s = Script::new();
    let sdp =
        audio("192.0.2.1", 4000) + "m=message 7654 TCP/MSRP *\r\na=path:msrp://192.0.2.1:7654/x;tcp\r\n";
    let offer = s.request(Caller, "INVITE 1", None, &sdp).unwrap();
    assert_eq!(led_all(&offer), ["198.51.100.2:30002", "192.0.2.1:7654"]);
    s.response(Caller, 200, "INVITE 1", "b", &(audio("10.0.0.2", 5000) + "m=message 0 TCP/MSRP *\r\n"));
    assert_eq!(s.media(1), "none");
    assert_eq!(s.anchor.media().reserved.len(), 2);
}

#[test]
fn m_lines_without_any_address_get_one() {
    let mut s = Script::new();
    let sdp = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\n";
    let offer = s.request(Caller, "INVITE 1", None, sdp).unwrap();
    let text = std::str::from_utf8(offer.body()).unwrap();
    assert!(text.contains("m=audio 30002 RTP/AVP 0\r\nc=IN IP4 198.51.100.2\r\na=sendrecv\r\n"), "{text}");
}

#[test]
fn a_name_for_an_address() {
    let mut s = Script::new();
    let sdp = audio("192.0.2.1", 4000).replace("c=IN IP4 192.0.2.1", "c=IN IP4 media.carrier.example");
    let offer = s.request(Caller, "INVITE 1", None, &sdp).unwrap();
    assert_eq!(led_all(&offer), ["198.51.100.2:30002"]);
    s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000", "where the signalling comes from");
    assert_eq!(s.plan(0).trunk.signalled_from, Some("192.0.2.1".parse().unwrap()));
}

#[test]
fn no_media_is_sent_to_multicast_or_broadcast() {
    for ip in ["224.2.1.1/127", "255.255.255.255"] {
        let mut s = Script::new();
        s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
        s.response(Caller, 200, "INVITE 1", "b", &audio(ip, 5000));
        assert_eq!(s.media(0), "192.0.2.1:4000 - ?");
    }
}
