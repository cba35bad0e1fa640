//! ICE would lead the media around us: it goes, unless the operator wants it left.

use sidetone_sip::anchor::{Ice, Settings};

use crate::script::{Caller, Script, audio_with, led};

const ICE: &str = "a=ice-ufrag:F7gI\r\na=ice-pwd:x9cml/YzichV2+XlhiMu8g\r\na=ice-options:trickle\r\n\
    a=candidate:1 1 UDP 2130706431 192.0.2.1 4000 typ host\r\na=candidate:1 2 UDP 2130706430 192.0.2.1 4001 typ host\r\n";

fn offer(ice: Ice) -> String {
    let mut s = Script::with(Settings { ice, ..Settings::default() });
    let sdp =
        audio_with("192.0.2.1", 4000, ICE).replace("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n") + "a=sendrecv\r\n";
    let out = s.request(Caller, "INVITE 1", None, &sdp).unwrap();
    assert_eq!(led(&out), "198.51.100.2:30002");
    String::from_utf8(out.body().to_vec()).unwrap()
}

#[test]
fn taken_out() {
    let text = offer(Ice::Strip);
    assert!(!text.contains("a=ice") && !text.contains("a=candidate"), "{text}");
    assert!(text.ends_with("a=fmtp:101 0-15\r\na=sendrecv\r\n"));
}

#[test]
fn left_in() {
    assert!(offer(Ice::Pass).contains(ICE));
}

#[test]
fn sdp_that_is_not_led_keeps_it() {
    let mut s = Script::new();
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\n{ICE}"
    );
    let out = s.request(Caller, "INVITE 1", None, &sdp).unwrap();
    assert_eq!(out.body(), sdp.as_bytes());
}
