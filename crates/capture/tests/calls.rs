//! Calls in captures: who spoke, by which plan, and how it went.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::time::Duration;

use sidetone_call::Side;
use sidetone_capture::calls::{Customer, Happening, Options, Origin, Recording};

use common::talk::*;
use common::{ACK, SYN, tcp};

#[test]
fn an_ordinary_call() {
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    set_up(&mut talk, &call);
    talk.speak(&Voice::caller(), &Voice::callee(), 50);
    hang_up(&mut talk, &call);
    let (recordings, counters) = talk.heard(Options::default());
    let [recording] = &recordings[..] else { panic!("{} calls", recordings.len()) };
    assert_eq!(
        story(recording),
        [
            "plan trunk PCMU+PCMA pbx ",
            "ringing",
            "plan trunk PCMU+PCMA pbx PCMU",
            "answered",
            "50 from trunk, 50 from pbx",
            "ended by trunk: hangup",
        ]
    );
    let origin = Origin::Sip { call_id: "one".into(), from: "alice".into(), to: "bob".into() };
    assert_eq!(recording.origin(), &origin);
    assert_eq!(recording.began(), EPOCH + Duration::from_millis(10));
    assert_eq!(recording.ended(), Some(Duration::from_millis(30 + 1000 + 20)));
    assert_eq!(recording.packets(), 100);
    assert_eq!((counters.messages, counters.packets, counters.other), (6, 100, 0));
    assert!(recording.unknown_payload_types().is_empty());
}

#[test]
fn packets_come_back_byte_for_byte_with_their_times() {
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    set_up(&mut talk, &call);
    talk.speak(&Voice::caller(), &Voice::callee(), 5);
    let (recordings, _) = talk.heard(Options::default());
    let packets: Vec<_> = recordings[0]
        .replay()
        .filter_map(|(at, happening)| match happening {
            Happening::Packet { side, rtp, stream } => Some((at.as_millis(), side, rtp.to_vec(), stream)),
            _ => None,
        })
        .collect();
    let expected: Vec<_> = (0..5u16)
        .flat_map(|n| {
            let at = 30 + 20 * u128::from(n);
            [(at, Side::Trunk, Voice::caller().packet(n), 0), (at, Side::Pbx, Voice::callee().packet(n), 0)]
        })
        .collect();
    assert_eq!(packets, expected);
    assert_eq!(recordings[0].ended(), None, "the capture ends before the call");
    assert_eq!(recordings[0].duration(), Duration::from_millis(110));
}

#[test]
fn the_customer_may_be_the_callee() {
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    set_up(&mut talk, &call);
    talk.udp(CALLEE_RTP, CALLER_RTP, &Voice::callee().packet(0));
    let (recordings, _) = talk.heard(Options { customer: Some(Customer::Callee), ..Options::default() });
    let story = story(&recordings[0]);
    assert!(story.contains(&"plan trunk PCMU pbx PCMU+PCMA".to_owned()), "{story:?}");
    assert!(story.contains(&"1 from trunk, 0 from pbx".to_owned()), "{story:?}");
}

#[test]
fn early_media_comes_before_the_answer() {
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    let answer = sdp(CALLEE_RTP, "8", "");
    talk.sip(CALLER, CALLEE, &call.request("INVITE", 1, false, &sdp(CALLER_RTP, "0 8", ""))).sip(
        CALLEE,
        CALLER,
        &call.response("183 Session Progress", 1, "INVITE", &answer),
    );
    for n in 0..10 {
        talk.wait(20).udp(CALLEE_RTP, CALLER_RTP, &Voice { payload_type: 8, ..Voice::callee() }.packet(n));
    }
    talk.sip(CALLEE, CALLER, &call.response("200 OK", 1, "INVITE", &answer));
    let (recordings, _) = talk.heard(Options::default());
    let story = story(&recordings[0]);
    let place = |what: &str| {
        story.iter().position(|line| line == what).unwrap_or_else(|| panic!("{what}: {story:?}"))
    };
    assert!(place("ringing") < place("0 from trunk, 10 from pbx"));
    assert!(place("0 from trunk, 10 from pbx") < place("answered"));
}

#[test]
fn a_late_offer_is_answered_in_the_ack() {
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    talk.sip(CALLER, CALLEE, &call.request("INVITE", 1, false, ""))
        .sip(CALLEE, CALLER, &call.response("200 OK", 1, "INVITE", &sdp(CALLEE_RTP, "9 0", "")))
        .sip(CALLER, CALLEE, &call.request("ACK", 1, true, &sdp(CALLER_RTP, "9", "")))
        .speak(&Voice::caller(), &Voice::callee(), 3);
    let (recordings, _) = talk.heard(Options::default());
    let story = story(&recordings[0]);
    assert_eq!(story[story.len() - 2..], ["plan trunk G722 pbx G722+PCMU", "3 from trunk, 3 from pbx"]);
}

#[test]
fn hold_resume_and_a_new_address_with_a_new_codec() {
    const ELSEWHERE: &str = "10.0.0.9:7000";
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    set_up(&mut talk, &call);
    talk.sip(CALLEE, CALLER, &call.request_back("INVITE", 5, &sdp(CALLEE_RTP, "0", "a=sendonly\r\n")))
        .sip(
            CALLER,
            CALLEE,
            &call.response_back("200 OK", 5, "INVITE", &sdp(CALLER_RTP, "0", "a=recvonly\r\n")),
        )
        .wait(500)
        .sip(CALLEE, CALLER, &call.request_back("INVITE", 6, &sdp(CALLEE_RTP, "0", "")))
        .sip(CALLER, CALLEE, &call.response_back("200 OK", 6, "INVITE", &sdp(CALLER_RTP, "0", "")))
        .speak(&Voice::caller(), &Voice::callee(), 3)
        .sip(CALLER, CALLEE, &call.request("INVITE", 7, true, &sdp(ELSEWHERE, "9", "")))
        .sip(CALLEE, CALLER, &call.response("200 OK", 7, "INVITE", &sdp(CALLEE_RTP, "9", "")))
        .wait(200);
    let moved = Voice { src: ELSEWHERE, payload_type: 9, ..Voice::caller() };
    talk.speak(&moved, &Voice { dst: ELSEWHERE, payload_type: 9, ..Voice::callee() }, 4);
    let (recordings, counters) = talk.heard(Options::default());
    assert_eq!(recordings.len(), 1);
    let story = story(&recordings[0]);
    let kept: Vec<_> = story.iter().filter(|line| !line.starts_with("plan")).map(String::as_str).collect();
    assert_eq!(
        kept,
        [
            "ringing",
            "answered",
            "held by pbx",
            "resumed by pbx",
            "3 from trunk, 3 from pbx",
            "4 from trunk, 4 from pbx"
        ]
    );
    assert_eq!(story[story.len() - 2], "plan trunk G722 pbx G722");
    assert_eq!(counters.redundant, 0);
}

#[test]
fn a_refused_call_has_its_status() {
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    talk.sip(CALLER, CALLEE, &call.request("INVITE", 1, false, &sdp(CALLER_RTP, "0", "")))
        .sip(CALLEE, CALLER, &call.response("486 Busy Here", 1, "INVITE", ""))
        .sip(CALLER, CALLEE, &call.request("ACK", 1, true, ""));
    let (recordings, _) = talk.heard(Options::default());
    assert_eq!(story(&recordings[0]).last().unwrap(), "ended by pbx: rejected 486");
}

#[test]
fn a_cancelled_call() {
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    talk.sip(CALLER, CALLEE, &call.request("INVITE", 1, false, &sdp(CALLER_RTP, "0", "")))
        .sip(CALLER, CALLEE, &call.request("CANCEL", 1, false, ""))
        .sip(CALLEE, CALLER, &call.response("200 OK", 1, "CANCEL", ""))
        .sip(CALLEE, CALLER, &call.response("487 Request Terminated", 1, "INVITE", ""));
    let (recordings, _) = talk.heard(Options::default());
    assert_eq!(story(&recordings[0]).last().unwrap(), "ended by trunk: cancelled 487");
}

#[test]
fn a_challenged_call_is_one_call() {
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    let offer = sdp(CALLER_RTP, "0", "");
    talk.sip(CALLER, CALLEE, &call.request("INVITE", 1, false, &offer))
        .sip(CALLEE, CALLER, &call.response("407 Proxy Authentication Required", 1, "INVITE", ""))
        .sip(CALLER, CALLEE, &call.request("ACK", 1, true, ""))
        .sip(CALLER, CALLEE, &call.request("INVITE", 2, false, &offer))
        .sip(CALLEE, CALLER, &call.response("200 OK", 2, "INVITE", &sdp(CALLEE_RTP, "0", "")));
    hang_up(&mut talk, &call);
    let (recordings, _) = talk.heard(Options::default());
    assert_eq!(recordings.len(), 1);
    assert_eq!(story(&recordings[0]).last().unwrap(), "ended by trunk: hangup");
}

#[test]
fn encrypted_audio_is_told_not_heard() {
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    let secured = |address| {
        sdp(address, "0", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n").replace("RTP/AVP", "RTP/SAVP")
    };
    talk.sip(CALLER, CALLEE, &call.request("INVITE", 1, false, &secured(CALLER_RTP))).sip(
        CALLEE,
        CALLER,
        &call.response("200 OK", 1, "INVITE", &secured(CALLEE_RTP)),
    );
    let (recordings, _) = talk.heard(Options::default());
    assert!(story(&recordings[0]).contains(&"untappable: srtp".to_owned()));
}

#[test]
fn parties_behind_nat_are_known_by_whom_they_send_to() {
    const PUBLIC: &str = "198.51.100.7:40000";
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    let offer = sdp("192.168.1.20:4000", "0", "");
    talk.sip(CALLER, CALLEE, &call.request("INVITE", 1, false, &offer))
        .sip(CALLEE, CALLER, &call.response("200 OK", 1, "INVITE", &sdp(CALLEE_RTP, "0", "")))
        .speak(&Voice { src: PUBLIC, ..Voice::caller() }, &Voice { dst: PUBLIC, ..Voice::callee() }, 10);
    let (recordings, _) = talk.heard(Options::default());
    assert_eq!(recordings.len(), 1);
    assert_eq!(story(&recordings[0]).last().unwrap(), "10 from trunk, 10 from pbx");
}

#[test]
fn a_call_captured_on_both_sides_of_a_relay_is_heard_once() {
    const RELAY: &str = "10.0.0.5:5060";
    const TOWARD_CALLER: &str = "10.0.0.5:30000";
    const TOWARD_CALLEE: &str = "10.0.0.5:30002";
    let before = Call::new("one");
    let behind = Call { via: "Via: SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKp\r\n", ..before };
    let mut talk = Talk::new();
    let (offer, answer) = (sdp(CALLER_RTP, "0", ""), sdp(CALLEE_RTP, "0", ""));
    let (led_offer, led_answer) = (sdp(TOWARD_CALLEE, "0", ""), sdp(TOWARD_CALLER, "0", ""));
    talk.sip(CALLER, RELAY, &before.request("INVITE", 1, false, &offer))
        .sip(RELAY, CALLEE, &behind.request("INVITE", 1, false, &led_offer))
        .sip(CALLEE, RELAY, &behind.response("200 OK", 1, "INVITE", &answer))
        .sip(RELAY, CALLER, &before.response("200 OK", 1, "INVITE", &led_answer))
        .sip(CALLER, RELAY, &before.request("ACK", 1, true, ""))
        .sip(RELAY, CALLEE, &behind.request("ACK", 1, true, ""));
    for n in 0..50 {
        let (caller, callee) = (Voice::caller().packet(n), Voice::callee().packet(n));
        talk.udp(CALLER_RTP, TOWARD_CALLER, &caller).udp(TOWARD_CALLEE, CALLEE_RTP, &caller);
        talk.udp(CALLEE_RTP, TOWARD_CALLEE, &callee).udp(TOWARD_CALLER, CALLER_RTP, &callee).wait(20);
    }
    talk.sip(CALLER, RELAY, &before.request("BYE", 9, true, ""))
        .sip(RELAY, CALLEE, &behind.request("BYE", 9, true, ""))
        .sip(CALLEE, RELAY, &behind.response("200 OK", 9, "BYE", ""))
        .sip(RELAY, CALLER, &before.response("200 OK", 9, "BYE", ""));
    let (recordings, counters) = talk.heard(Options::default());
    assert_eq!(recordings.len(), 1);
    let story = story(&recordings[0]);
    assert_eq!(story[story.len() - 2..], ["50 from trunk, 50 from pbx", "ended by trunk: hangup"]);
    assert_eq!(counters.redundant, 100);
}

#[test]
fn a_refusal_captured_at_two_hops_ends_the_call_once() {
    let before = Call::new("one");
    let behind = Call { via: "Via: SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKp\r\n", ..before };
    let mut talk = Talk::new();
    let offer = sdp(CALLER_RTP, "0", "");
    talk.sip(CALLER, "10.0.0.5:5060", &before.request("INVITE", 1, false, &offer))
        .sip("10.0.0.5:5060", CALLEE, &behind.request("INVITE", 1, false, &offer))
        .sip(CALLEE, "10.0.0.5:5060", &behind.response("603 Decline", 1, "INVITE", ""))
        .sip("10.0.0.5:5060", CALLER, &before.response("603 Decline", 1, "INVITE", ""));
    let (recordings, _) = talk.heard(Options::default());
    assert_eq!(recordings.len(), 1);
    assert_eq!(story(&recordings[0]).last().unwrap(), "ended by pbx: rejected 603");
}

#[test]
fn calls_that_overlap_or_share_ports_stay_apart() {
    const THIRD: &str = "10.0.0.3:5060";
    let (mut talk, one, two) = (Talk::new(), Call::new("one"), Call::new("two"));
    set_up(&mut talk, &one);
    // Another caller, at the same time, on the callee's next port.
    let (offer, answer) = (sdp("10.0.0.3:4000", "0", ""), sdp("10.0.0.2:6002", "0", ""));
    talk.sip(THIRD, CALLEE, &two.request("INVITE", 1, false, &offer)).sip(
        CALLEE,
        THIRD,
        &two.response("200 OK", 1, "INVITE", &answer),
    );
    let third = Voice { src: "10.0.0.3:4000", dst: "10.0.0.2:6002", ssrc: 0xC, ..Voice::caller() };
    talk.speak(&Voice::caller(), &third, 20);
    hang_up(&mut talk, &one);
    // The first caller again, on the very same ports.
    let three = Call::new("three");
    set_up(&mut talk, &three);
    let again = |voice: Voice| Voice { first: voice.first + 500, ..voice };
    talk.speak(&again(Voice::caller()), &again(Voice::callee()), 7);
    let (recordings, _) = talk.heard(Options::default());
    let counts: Vec<_> = recordings.iter().map(Recording::packets).collect();
    assert_eq!(counts, [20, 20, 14]);
}

#[test]
fn audio_after_the_end_is_dropped() {
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    set_up(&mut talk, &call);
    hang_up(&mut talk, &call);
    talk.wait(4_000).speak(&Voice::caller(), &Voice::callee(), 1);
    let later = |voice: Voice| Voice { first: voice.first + 100, ..voice };
    talk.wait(2_000).speak(&later(Voice::caller()), &later(Voice::callee()), 30);
    let (recordings, counters) = talk.heard(Options::default());
    assert_eq!((recordings.len(), recordings[0].packets(), counters.redundant), (1, 2, 60));
}

#[test]
fn signalling_by_tcp_in_pieces() {
    const A: &str = "10.0.0.1:50000";
    let call = Call::new("one");
    let invite = call.request("INVITE", 1, false, &sdp(CALLER_RTP, "0", ""));
    let ok = call.response("200 OK", 1, "INVITE", &sdp(CALLEE_RTP, "0", ""));
    let mut talk = Talk::new();
    talk.frame(&tcp(A, CALLEE, 999, SYN, b""));
    // Late, in pieces, two messages in one segment, with a keep-alive before.
    let stream = format!("\r\n\r\n{invite}{}", call.request("ACK", 1, true, ""));
    let (head, tail) = stream.as_bytes().split_at(300);
    talk.wait(1).frame(&tcp(A, CALLEE, 1300, ACK, tail)).frame(&tcp(A, CALLEE, 1000, ACK, head));
    let (first, rest) = ok.as_bytes().split_at(5);
    talk.frame(&tcp(CALLEE, A, 70, ACK, first)).frame(&tcp(CALLEE, A, 75, ACK, rest));
    talk.speak(&Voice::caller(), &Voice::callee(), 3);
    let (recordings, counters) = talk.heard(Options::default());
    assert_eq!(story(&recordings[0]).last().unwrap(), "3 from trunk, 3 from pbx");
    assert_eq!((counters.messages, counters.malformed), (3, 0));
}

#[test]
fn a_stream_is_followed_again_behind_a_gap() {
    const A: &str = "10.0.0.1:50000";
    let call = Call::new("one");
    let invite = call.request("INVITE", 1, false, &sdp(CALLER_RTP, "0", ""));
    let mut talk = Talk::new();
    talk.frame(&tcp(A, CALLEE, 1000, ACK, &invite.as_bytes()[..100]));
    // The rest of the first INVITE was not captured; the next segment begins in the middle of another message.
    let later = format!("tail of something\r\na=sendrecv\r\n{invite}");
    talk.frame(&tcp(A, CALLEE, 40_000, ACK, later.as_bytes()));
    let (recordings, counters) = talk.heard(Options::default());
    assert_eq!((recordings.len(), counters.messages), (1, 1));
}

#[test]
fn video_and_rtcp_are_not_audio() {
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    let video = |address, port| sdp(address, "0", &format!("m=video {port} RTP/AVP 34\r\n"));
    talk.sip(CALLER, CALLEE, &call.request("INVITE", 1, false, &video(CALLER_RTP, 4002))).sip(
        CALLEE,
        CALLER,
        &call.response("200 OK", 1, "INVITE", &video(CALLEE_RTP, 6002)),
    );
    for n in 0..20 {
        talk.udp("10.0.0.1:4002", "10.0.0.2:6002", &Voice { payload_type: 34, ..Voice::caller() }.packet(n))
            .wait(20);
    }
    talk.udp("10.0.0.1:4001", "10.0.0.2:6001", &[0x80, 200, 0, 1, 0, 0, 0, 1]);
    talk.udp(CALLER_RTP, CALLEE_RTP, &[0x81, 201, 0, 1, 0, 0, 0, 1]);
    let (recordings, counters) = talk.heard(Options::default());
    assert_eq!((recordings.len(), recordings[0].packets(), counters.other), (1, 0, 22));
}

#[test]
fn memory_is_bounded_and_what_is_dropped_is_counted() {
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    set_up(&mut talk, &call);
    talk.speak(&Voice::caller(), &Voice::callee(), 100);
    let (recordings, counters) = talk.heard(Options { most_bytes: 20_000, ..Options::default() });
    assert!((20..60).contains(&recordings[0].packets()), "{}", recordings[0].packets());
    assert_eq!(recordings[0].packets() as u64 + counters.dropped, 200);
}

#[test]
fn clocks_that_jump_do_no_harm() {
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    set_up(&mut talk, &call);
    talk.udp(CALLER_RTP, CALLEE_RTP, &Voice::caller().packet(0));
    talk.now = Duration::from_secs(1);
    talk.udp(CALLER_RTP, CALLEE_RTP, &Voice::caller().packet(1));
    talk.now = Duration::from_secs(u64::from(u32::MAX));
    talk.udp(CALLER_RTP, CALLEE_RTP, &Voice::caller().packet(2));
    let (recordings, _) = talk.heard(Options::default());
    let times: Vec<_> = recordings[0].replay().map(|(at, _)| at).collect();
    assert!(times.is_sorted());
    assert!(recordings[0].duration() < Duration::from_secs(400 * 24 * 3600));
}
