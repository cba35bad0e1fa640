//! Whatever a peer could take for the session's description is led through us, or told.

use sidetone_sip::message::Message;

use crate::script::{Callee, Caller, Script, audio, audio_with, led};

/// A body, and the headers that describe it, for a party at an address and port.
type Body = fn(&str, u16) -> (String, String);

const SDP: &str = "Content-Type: application/sdp\r\n";
const DISPOSED: [&str; 5] = ["render", "alert", "early-session", "session;handling=optional", "x"];

fn typed(head: &str) -> impl Fn(&str, u16) -> (String, String) + use<'_> {
    move |ip, port| (head.to_owned(), audio(ip, port))
}

/// Parts: headers and content, as MIME has them.
fn mixed(kind: &str, parts: &[(&str, String)]) -> (String, String) {
    let mut body = String::new();
    for (head, content) in parts {
        body += &format!("--B\r\n{head}\r\n{content}\r\n");
    }
    (format!("Content-Type: multipart/{kind};boundary=B\r\n"), body + "--B--\r\n")
}

fn text(message: &Message) -> String {
    String::from_utf8_lossy(message.body()).into_owned()
}

/// A call with such bodies, both ways: nothing of the parties' own addresses passes, and the media come through us.
fn is_led(what: &str, body: impl Fn(&str, u16) -> (String, String)) {
    let mut s = Script::new();
    let (head, offer) = body("192.0.2.1", 4000);
    let out = s.request_with(Caller, "INVITE 1", None, &head, &offer).unwrap();
    let ours = |text: &str, ip: &str, port: &str| {
        text.replace("c=IN IP4 192.0.2.1", ip)
            .replace("c=IN IP4 10.0.0.2", ip)
            .replace("4000", port)
            .replace("5000", port)
    };
    assert_eq!(text(&out), ours(&offer, "c=IN IP4 198.51.100.2", "30002"), "{what}");
    let (head, answer) = body("10.0.0.2", 5000);
    let out = s.response_with(Caller, 200, "INVITE 1", "b", &head, &answer);
    assert_eq!(text(&out), ours(&answer, "c=IN IP4 198.51.100.1", "30000"), "{what}");
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000", "{what}");
    assert_eq!(s.facts(), ["started +15550100 to 4711", "answered"], "{what}");
    s.bye(Callee, 1);
}

#[test]
fn whatever_its_headers_say() {
    for disposition in DISPOSED {
        is_led(disposition, typed(&format!("{SDP}Content-Disposition: {disposition}\r\n")));
    }
    for kind in [
        "",
        "Content-Type: text/sdp\r\n",
        "Content-Type: Application/X-Sdp\r\n",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/octet-stream\r\n",
        "Content-Type: application\r\n",
        "Content-Type: \r\n",
        "Content-Type: text/plain\r\nContent-Type: application/sdp\r\n",
        "Content-Type: application/sdp\r\nContent-Type: multipart/mixed;boundary=B\r\n",
        "Content-Type: multipart/mixed;boundary=B\r\nContent-Type: application/sdp\r\n",
        "Content-Type: multipart/mixed;boundary=B\r\n",
        "Content-Type: multipart/mixed\r\n",
        "Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n",
        "Content-Type: application/sdp\r\nContent-Transfer-Encoding: base64\r\n",
        "Content-Type: application/sdp\r\nContent-Transfer-Encoding: 8bit\r\n",
    ] {
        // A line that is no header keeps the script from adding a type.
        is_led(kind, typed(&format!("X-No: Content-Type\r\n{kind}")));
        is_led(kind, |ip, port| {
            (format!("X-No: Content-Type\r\n{kind}"), format!("\r\n \r\n{}", audio(ip, port)))
        });
    }
    is_led("a byte order mark", |ip, port| {
        ("X-No: Content-Type\r\n".into(), format!("\u{feff}{}", audio(ip, port)))
    });
}

#[test]
fn every_description_of_a_multipart() {
    for kind in ["mixed", "alternative", "related"] {
        is_led(kind, |ip, port| mixed(kind, &[(SDP, audio(ip, port)), (SDP, audio(ip, port))]));
    }
    for disposition in DISPOSED {
        let head = format!("{SDP}Content-Disposition: {disposition}\r\n");
        is_led(disposition, |ip, port| mixed("mixed", &[(&head, audio(ip, port))]));
    }
    is_led("no type", |ip, port| mixed("mixed", &[("", audio(ip, port))]));
    is_led("another type", |ip, port| {
        mixed(
            "mixed",
            &[
                ("Content-Type: text/plain\r\n", "Hello".into()),
                ("Content-Type: text/x\r\n", audio(ip, port)),
            ],
        )
    });
    is_led("within another", |ip, port| {
        let (_, inner) = mixed("mixed", &[(SDP, audio(ip, port))]);
        let inner = inner.replace("--B", "--C");
        mixed("mixed", &[("Content-Type: multipart/mixed;boundary=C\r\n", inner)])
    });
    is_led("behind the closing line", |ip, port| {
        let (head, body) = mixed("mixed", &[(SDP, audio(ip, port))]);
        (head, format!("--B\r\n\r\nHello\r\n--B--\r\n{body}"))
    });
    is_led("in front of the first line", |ip, port| {
        let (head, body) = mixed("mixed", &[("Content-Type: text/plain\r\n", "Hello".into())]);
        (head, format!("{}\r\n{body}", audio(ip, port)))
    });
}

/// Media follow the first; for whoever takes the other one they come to the same ports of ours.
#[test]
fn two_descriptions_that_differ() {
    let mut s = Script::new();
    let second = audio("192.0.2.7", 4700) + "m=video 4702 RTP/AVP 96\r\n";
    let (head, body) = mixed("alternative", &[(SDP, audio("192.0.2.1", 4000)), (SDP, second)]);
    let out = text(&s.request_with(Caller, "INVITE 1", None, &head, &body).unwrap());
    assert_eq!(out.matches("m=audio 30002 ").count(), 2, "{out}");
    assert!(!out.contains("c=IN IP4 192.0.2.") && !out.contains("4702"), "{out}");
    s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    // Each must be one that may pass.
    let bad = ["m=audio 70000 RTP/AVP 0\r\n", "v=0\r\n"]
        .map(|more| more.repeat(if more == "v=0\r\n" { 3000 } else { 1 }));
    for second in bad {
        let mut s = Script::new();
        let (head, body) = mixed("mixed", &[(SDP, audio("192.0.2.1", 4000)), (SDP, second)]);
        assert_eq!(s.request_with(Caller, "INVITE 1", None, &head, &body).unwrap_err().status, 400);
    }
}

#[test]
fn an_early_session_beside_the_session_passes_and_is_told() {
    let early = "Content-Type: application/sdp\r\nContent-Disposition: early-session\r\n";
    let both = |ip: &str, port: u16| mixed("mixed", &[(early, audio(ip, port + 10)), (SDP, audio(ip, port))]);
    let mut s = Script::new();
    let (head, body) = both("192.0.2.1", 4000);
    let out = text(&s.request_with(Caller, "INVITE 1", None, &head, &body).unwrap());
    assert!(out.contains(&audio("192.0.2.1", 4010)) && out.contains("m=audio 30002 "), "{out}");
    // The answer to the early session stands alone, and belongs to what has passed.
    let alone = audio("10.0.0.2", 5010);
    let out = s.response_with(Caller, 183, "INVITE 1", "b", early, &alone);
    assert_eq!(text(&out), alone);
    let out = s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    assert_eq!(led(&out), "198.51.100.1:30000");
    assert_eq!(s.facts()[2..], ["answered", "untappable 0: not-relayed"]);
    assert_eq!(s.anchor.counters().early_sessions, 4, "each message passes twice here");
    s.bye(Caller, 2);
}

/// Encrypted, elsewhere, cut apart: nobody can lead it, so it is told.
#[test]
fn what_can_not_be_led_is_told() {
    let cases: [(&str, Body); 8] = [
        ("unreadable", |_, _| {
            ("Content-Type: message/external-body;access-type=URL;URL=x\r\n".into(), "\r\n".into())
        }),
        ("unreadable", |_, _| (format!("{SDP}Content-Transfer-Encoding: base64\r\n"), "dj0wDQo=".into())),
        ("unreadable", |ip, port| {
            mixed(
                "mixed",
                &[(SDP, audio(ip, port)), ("Content-Type: application/pkcs7-mime\r\n", "x".into())],
            )
        }),
        ("unreadable", |ip, port| {
            ("Content-Type: text/plain\r\n".into(), format!("Hello\r\n{}", audio(ip, port)))
        }),
        ("unreadable", |ip, port| {
            ("Content-Type: message/sipfrag\r\n".into(), format!("From: x\r\n\r\n{}", audio(ip, port)))
        }),
        ("unreadable", |ip, port| {
            let (head, body) = mixed("mixed", &[(SDP, audio(ip, port))]);
            (head.replace("boundary=B", "boundary=C"), body)
        }),
        ("unreadable", |ip, port| {
            let (head, body) = mixed("mixed", &[(SDP, audio(ip, port))]);
            (head, body.replace("\r\n", "\r"))
        }),
        ("unreadable", |ip, port| {
            let parts: Vec<_> = (0..9).map(|_| (SDP, audio(ip, port))).collect();
            mixed("mixed", &parts)
        }),
    ];
    for (reason, body) in cases {
        let told = format!("untappable 0: {reason}");
        let (head, sdp) = body("192.0.2.1", 4000);
        let mut s = Script::new();
        s.request_with(Caller, "INVITE 1", None, &head, &sdp).unwrap();
        s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
        assert_eq!(s.facts().iter().filter(|fact| **fact == told).count(), 1, "in an offer: {head}{sdp}");
        let mut s = Script::new();
        s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
        s.response_with(Caller, 200, "INVITE 1", "b", &head, &sdp);
        assert_eq!(s.facts().iter().filter(|fact| **fact == told).count(), 1, "in an answer: {head}{sdp}");
        let mut s = Script::new();
        s.talk();
        let _ = s.request_with(Callee, "INVITE 1", Some("b"), &head, &sdp);
        assert_eq!(s.facts(), [told], "in the middle of a call: {head}{sdp}");
    }
}

/// A sealed offer's answer passes as it is. The next offer that can be read is led again.
#[test]
fn a_call_is_led_again_after_a_sealed_offer() {
    let mut s = Script::new();
    s.talk();
    s.request_with(Callee, "INVITE 1", Some("b"), "Content-Type: application/pkcs7-mime\r\n", "opaque")
        .unwrap();
    let answer = s.response(Callee, 200, "INVITE 1", "b", &audio("192.0.2.1", 4000));
    assert_eq!(text(&answer), audio("192.0.2.1", 4000));
    assert_eq!(s.facts(), ["untappable 0: unreadable"]);
    let (offer, answer) = s.reinvite(Caller, 2, &audio("192.0.2.1", 4000), &audio("10.0.0.2", 5000));
    assert_eq!((led(&offer), led(&answer)), ("198.51.100.2:30002".into(), "198.51.100.1:30000".into()));
    s.bye(Caller, 3);
}

/// An answer may name another protocol than the offer, and some callers take it.
#[test]
fn an_answer_over_tcp_is_told() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000).replace("RTP/AVP", "AVP"));
    assert_eq!(s.facts()[1..], ["answered", "untappable 0: not-relayed"]);
}

/// Whatever else is in a body stays byte for byte.
#[test]
fn what_is_no_description_stays() {
    let xml = "<?xml version=\"1.0\"?>\r\n<a m=\"audio 4000\">\r\nx=y</a>";
    for (head, body) in [
        ("Content-Type: application/rs-metadata+xml\r\n", xml.to_owned()),
        ("Content-Type: text/plain\r\n", "a = b\r\nmm=audio 4000 RTP/AVP 0\r\nc=IN IP4 192.0.2.1".to_owned()),
        ("Content-Type: application/isup\r\n", "\u{1}m=\u{0}c=\r\n".to_owned()),
        (
            "Content-Type: multipart/mixed;boundary=B\r\n",
            format!("--B\r\nContent-Type: text/x\r\n\r\n{xml}\r\n--B--"),
        ),
    ] {
        let mut s = Script::new();
        let out = s.request_with(Caller, "INVITE 1", None, head, &body).unwrap();
        assert_eq!(text(&out), body);
        s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
        assert_eq!(s.facts()[1..], ["answered"], "{head}");
        s.request(Caller, "ACK 1", Some("b"), &audio_with("192.0.2.1", 4000, "a=sendrecv\r\n")).unwrap();
        assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    }
}
