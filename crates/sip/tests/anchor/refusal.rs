//! What is refused, and that nothing is left of it.

use sidetone_sip::anchor::Settings;

use crate::script::{Callee, Caller, Script, audio, led_all};

fn status(result: Result<sidetone_sip::Message, sidetone_sip::proxy::Refusal>) -> u16 {
    result.unwrap_err().status
}

#[test]
fn no_ports_for_a_new_call() {
    for left in [0, 1] {
        for body in [audio("192.0.2.1", 4000), String::new()] {
            let mut s = Script::new();
            s.anchor.media().left = Some(left);
            assert_eq!(status(s.request(Caller, "INVITE 1", None, &body)), 503);
            assert_eq!(s.facts(), ["started +15550100 to 4711", "ended by nobody: rejected 503"]);
            s.nothing_left();
        }
    }
}

#[test]
fn no_ports_for_one_more_stream() {
    let mut s = Script::new();
    s.talk();
    s.anchor.media().left = Some(1);
    let video = audio("192.0.2.1", 4000) + "m=video 4002 RTP/AVP 96\r\n";
    for (cseq, method) in [(2, "INVITE"), (3, "UPDATE")] {
        assert_eq!(status(s.request(Caller, &format!("{method} {cseq}"), Some("b"), &video)), 488);
        assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    }
    assert_eq!(s.anchor.counters().refused_ports, 2);
    assert_eq!(s.anchor.counters().refused_sdp, 0);
    s.bye(Callee, 1);
}

#[test]
fn an_offer_in_a_response_loses_what_there_are_no_ports_for() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, "").unwrap();
    s.anchor.media().left = Some(0);
    let offer = audio("10.0.0.2", 5000) + "m=video 5002 RTP/AVP 96\r\n";
    let out = s.response(Caller, 200, "INVITE 1", "b", &offer);
    assert!(String::from_utf8_lossy(out.body()).contains("m=audio 30000 "));
    assert!(String::from_utf8_lossy(out.body()).contains("m=video 0 "));
    assert_eq!(s.facts()[1..], ["answered"], "what isn't there isn't untappable");
    assert_eq!(s.anchor.counters().streams_dropped, 2);
}

#[test]
fn too_many_calls() {
    let mut s = Script::with(Settings { max_calls: 1, ..Settings::default() });
    s.talk();
    s.call_id = "call-2";
    assert_eq!(status(s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000))), 503);
    assert_eq!(s.anchor.counters().refused_full, 1);
    s.call_id = "call-1@example.com";
    s.bye(Caller, 2);
    s.call_id = "call-2";
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
}

#[test]
fn unreadable_sdp() {
    for (body, after) in [
        ("m=audio", "m=audio"),
        ("v=0\r\nm=audio x RTP/AVP 0\r\n", "v=0\r\nm=audio 0 RTP/AVP 0\r\n"),
        ("v=0\r\nm=audio 99999 RTP/AVP 0\r\n", "v=0\r\nm=audio 0 RTP/AVP 0\r\n"),
        ("\0\0\0", "\0\0\0"),
    ] {
        let mut s = Script::new();
        assert_eq!(status(s.request(Caller, "INVITE 1", None, body)), 400, "{body}");
        s.nothing_left();
        s.facts();
        s.talk();
        assert_eq!(status(s.request(Caller, "INVITE 2", Some("b"), body)), 400, "{body}");
        let out = s.response(Caller, 200, "UPDATE 3", "b", body);
        assert_eq!(out.body(), after.as_bytes());
        assert_eq!(s.facts(), ["untappable 0: unreadable"]);
        s.bye(Caller, 4);
    }
}

/// One m-line that can't be read costs that stream, not the call: on its way it is rejected, in offer and answer alike.
#[test]
fn one_unreadable_line_among_others() {
    let mut s = Script::new();
    let odd = "m=video - RTP/AVP 96\r\nc=IN IP4 10.0.0.9\r\n";
    let offer = s.request(Caller, "INVITE 1", None, &(audio("192.0.2.1", 4000) + odd)).unwrap();
    assert_eq!(led_all(&offer), ["198.51.100.2:30002", "198.51.100.2:0"]);
    let answer = s.response(Caller, 200, "INVITE 1", "b", &(audio("10.0.0.2", 5000) + odd));
    assert_eq!(led_all(&answer), ["198.51.100.1:30000", "198.51.100.1:0"]);
    assert!(!String::from_utf8_lossy(answer.body()).contains("c=IN IP4 10."));
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    assert_eq!(s.facts(), ["started +15550100 to 4711", "answered"], "what can be heard is heard");
    assert!(s.anchor.counters().unreadable >= 2);
}

#[test]
fn too_many_streams() {
    let mut s = Script::new();
    let many = audio("192.0.2.1", 4000) + &"m=audio 4002 RTP/AVP 0\r\n".repeat(16);
    assert_eq!(status(s.request(Caller, "INVITE 1", None, &many)), 488);
    s.nothing_left();
    let most = audio("192.0.2.1", 4000) + &"m=audio 4002 RTP/AVP 0\r\n".repeat(15);
    s.request(Caller, "INVITE 1", None, &most).unwrap();
    assert_eq!(s.anchor.media().reserved.len(), 32);
}

#[test]
fn too_many_streams_in_a_response() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, "").unwrap();
    let many = audio("10.0.0.2", 5000) + &"m=audio 4002 RTP/AVP 0\r\n".repeat(20);
    let out = s.response(Caller, 200, "INVITE 1", "b", &many);
    assert_eq!(String::from_utf8_lossy(out.body()).matches("m=audio 0 ").count(), 5);
    assert_eq!(s.anchor.media().reserved.len(), 32);
    s.bye(Caller, 2);
}

/// RFC 3264 §8: an m-line that was turned down keeps its place for the length of a call.
#[test]
fn m_lines_that_are_turned_down_are_not_counted() {
    let mut s = Script::new();
    let many = audio("192.0.2.1", 4000) + &"m=video 0 RTP/AVP 96\r\n".repeat(40);
    s.request(Caller, "INVITE 1", None, &many).unwrap();
    assert_eq!(s.anchor.media().reserved.len(), 2);
    let beyond =
        audio("192.0.2.1", 4000) + &"m=video 0 RTP/AVP 96\r\n".repeat(15) + "m=audio 4002 RTP/AVP 0\r\n";
    assert_eq!(status(Script::new().request(Caller, "INVITE 1", None, &beyond)), 488);
    let endless = audio("192.0.2.1", 4000) + &"m=video 0 RTP/AVP 96\r\n".repeat(64);
    assert_eq!(status(Script::new().request(Caller, "INVITE 1", None, &endless)), 488);
}
