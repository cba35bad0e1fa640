//! SDP as one part of a body, and SDP that can't be reached.

use crate::script::{Callee, Caller, Script, audio};

const MIXED: &str = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"unique boundary 1\"\r\n";

fn mixed(sdp: &str, more: &str) -> String {
    format!(
        "preamble\r\n--unique boundary 1\r\nContent-Type: application/ISUP; version=nxv3\r\n\
         Content-Disposition: signal; handling=optional\r\n\r\n\u{1}\u{0}I\u{0}v=0\u{3}\r\n\
         --unique boundary 1\r\nContent-Type: application/sdp\r\n{more}\r\n{sdp}\r\n\
         --unique boundary 1--\r\nepilogue"
    )
}

#[test]
fn isup_beside_sdp() {
    let mut s = Script::new();
    let body = mixed(&audio("192.0.2.1", 4000), "");
    let out = s.request_with(Caller, "INVITE 1", None, MIXED, &body).unwrap();
    let expected =
        body.replace("c=IN IP4 192.0.2.1", "c=IN IP4 198.51.100.2").replace("m=audio 4000", "m=audio 30002");
    assert_eq!(String::from_utf8_lossy(out.body()), expected);
    let answer = mixed(&audio("10.0.0.2", 5000), "");
    s.response_with(Caller, 200, "INVITE 1", "b", MIXED, &answer);
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    s.bye(Callee, 1);
}

#[test]
fn the_part_s_own_length_is_kept_true() {
    let mut s = Script::new();
    let sdp = audio("192.0.2.1", 4000);
    let body = mixed(&sdp, &format!("Content-Length: {}\r\n", sdp.len()));
    let out = s.request_with(Caller, "INVITE 1", None, MIXED, &body).unwrap();
    let length = sdp.len() + "198.51.100.2".len() - "192.0.2.1".len() + "30002".len() - "4000".len();
    assert!(String::from_utf8_lossy(out.body()).contains(&format!("\r\nContent-Length: {length}\r\n")));
}

#[test]
fn without_sdp_it_is_a_late_offer() {
    let mut s = Script::new();
    let isup = "Content-Type: application/ISUP\r\n";
    s.request_with(Caller, "INVITE 1", None, isup, "\u{1}\u{0}I").unwrap();
    s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    s.request(Caller, "ACK 1", Some("b"), &audio("192.0.2.1", 4000)).unwrap();
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
}

#[test]
fn what_is_sealed_passes_and_so_does_its_answer() {
    for head in [
        "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n",
        "Content-Type: multipart/signed;boundary=x\r\n",
        "Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n",
    ] {
        let mut s = Script::new();
        let out = s.request_with(Caller, "INVITE 1", None, head, "opaque").unwrap();
        assert_eq!(out.body(), b"opaque");
        let answer = audio("10.0.0.2", 5000);
        let out = s.response(Caller, 200, "INVITE 1", "b", &answer);
        assert_eq!(out.body(), answer.as_bytes(), "anchored by half");
        assert_eq!(s.facts()[1..], ["answered", "untappable 0: unreadable"]);
        s.bye(Caller, 2);
    }
}
