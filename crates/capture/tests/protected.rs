//! SRTP in captures, with keys in SDP: each party's packets opened with that party's key, or not heard at all.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use data_encoding::BASE64;
use sidetone_call::{Keying, Side, Suite, Untappable};
use sidetone_capture::calls::{Counters, Happening, Options, Protected, Recording};
use sidetone_rtp::RtpView;
use sidetone_srtp::{MOST_TRAILER, Outbound};

use common::talk::*;

const DEFAULT: Suite = Suite::AesCm128Sha1_80;

fn keying(suite: Suite, seed: u8) -> Keying {
    let secret: Vec<u8> = (0..suite.key_length() + suite.salt_length()).map(|n| n as u8 ^ seed).collect();
    Keying::new(suite, &secret).unwrap()
}

fn line(tag: u32, suite: Suite, seed: u8) -> String {
    format!("a=crypto:{tag} {suite} inline:{}\r\n", BASE64.encode(keying(suite, seed).key_and_salt()))
}

/// A description of SRTP.
fn secure(address: &str, lines: &str) -> String {
    sdp(address, "0", lines).replace("RTP/AVP", "RTP/SAVP")
}

/// A voice under a key.
struct Sealed {
    voice: Voice,
    outbound: Outbound,
}

impl Sealed {
    fn new(voice: Voice, suite: Suite, seed: u8) -> Self {
        Self { voice, outbound: Outbound::new(keying(suite, seed)).unwrap() }
    }

    fn packet(&mut self, n: u16) -> Vec<u8> {
        let clear = self.voice.packet(n);
        let mut buffer = clear.clone();
        buffer.resize(clear.len() + MOST_TRAILER, 0);
        let length = self.outbound.protect(&mut buffer, clear.len()).unwrap();
        buffer.truncate(length);
        buffer
    }
}

/// Both voices, 20 ms a packet.
fn speak(talk: &mut Talk, voices: &mut [&mut Sealed], from: u16, count: u16) {
    for n in from..from + count {
        for sealed in &mut *voices {
            let packet = sealed.packet(n);
            talk.udp(sealed.voice.src, sealed.voice.dst, &packet);
        }
        talk.wait(20);
    }
}

fn set_up_with(talk: &mut Talk, call: &Call, offer: &str, answer: &str) {
    talk.sip(CALLER, CALLEE, &call.request("INVITE", 1, false, offer))
        .sip(CALLEE, CALLER, &call.response("200 OK", 1, "INVITE", answer))
        .sip(CALLER, CALLEE, &call.request("ACK", 1, true, ""));
}

/// The packets of a party, which must be those that the voice sent before they were protected.
fn came(recording: &Recording, side: Side, voice: &Voice) -> usize {
    let mut count = 0;
    for (_, happening) in recording.replay() {
        if let Happening::Packet { side: from, rtp, .. } = happening
            && from == side
        {
            let n = RtpView::parse(rtp).unwrap().sequence().wrapping_sub(voice.first);
            assert_eq!(rtp, voice.packet(n), "packet {n} is not as it was");
            count += 1;
        }
    }
    count
}

fn one(talk: Talk) -> (Recording, Counters) {
    let (mut recordings, counters) = talk.heard(Options::default());
    assert_eq!(recordings.len(), 1);
    (recordings.remove(0), counters)
}

fn tappable(recording: &Recording) -> Vec<Result<(), Untappable>> {
    let plans = recording.replay().filter_map(|(_, happening)| match happening {
        Happening::Plan { plan, .. } => Some(plan.tappable),
        _ => None,
    });
    plans.collect()
}

fn untappable(recording: &Recording) -> Vec<(Option<Side>, Untappable)> {
    let facts = recording.replay().filter_map(|(_, happening)| match happening {
        Happening::Untappable { side, reason, .. } => Some((side, reason)),
        _ => None,
    });
    facts.collect()
}

#[test]
fn each_party_is_opened_with_its_own_key_in_every_suite() {
    for suite in Suite::ALL {
        let (mut talk, call) = (Talk::new(), Call::new("one"));
        let (offer, answer) =
            (secure(CALLER_RTP, &line(1, suite, 1)), secure(CALLEE_RTP, &line(1, suite, 2)));
        set_up_with(&mut talk, &call, &offer, &answer);
        let mut caller = Sealed::new(Voice::caller(), suite, 1);
        let mut callee = Sealed::new(Voice::callee(), suite, 2);
        speak(&mut talk, &mut [&mut caller, &mut callee], 0, 30);
        hang_up(&mut talk, &call);
        let (recording, counters) = one(talk);
        assert_eq!(came(&recording, Side::Trunk, &caller.voice), 30, "{suite}");
        assert_eq!(came(&recording, Side::Pbx, &callee.voice), 30, "{suite}");
        assert_eq!((counters.opened, counters.sealed), (60, 0), "{suite}");
        assert_eq!(untappable(&recording), [], "{suite}");
        assert!(tappable(&recording).iter().all(Result::is_ok), "{suite}: {:?}", tappable(&recording));
    }
}

#[test]
fn of_several_lines_the_answer_takes_one_and_early_media_comes_before_it() {
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    let lines = line(1, Suite::AeadAes256Gcm, 1) + &line(2, DEFAULT, 3) + &line(3, Suite::AesCm128Sha1_32, 5);
    let mut caller = Sealed::new(Voice::caller(), DEFAULT, 3);
    let mut callee = Sealed::new(Voice::callee(), DEFAULT, 2);
    talk.sip(CALLER, CALLEE, &call.request("INVITE", 1, false, &secure(CALLER_RTP, &lines)));
    speak(&mut talk, &mut [&mut callee], 0, 20);
    talk.sip(
        CALLEE,
        CALLER,
        &call.response("200 OK", 1, "INVITE", &secure(CALLEE_RTP, &line(2, DEFAULT, 2))),
    )
    .sip(CALLER, CALLEE, &call.request("ACK", 1, true, ""));
    speak(&mut talk, &mut [&mut caller, &mut callee], 20, 20);
    let (recording, counters) = one(talk);
    assert_eq!(came(&recording, Side::Trunk, &caller.voice), 20);
    assert_eq!(came(&recording, Side::Pbx, &callee.voice), 40);
    assert_eq!((counters.opened, counters.sealed), (60, 0));
}

#[test]
fn new_keys_of_a_re_invite_are_taken_up_at_whichever_packet_they_begin() {
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    let (offer, answer) =
        (secure(CALLER_RTP, &line(1, DEFAULT, 1)), secure(CALLEE_RTP, &line(1, DEFAULT, 2)));
    set_up_with(&mut talk, &call, &offer, &answer);
    let mut caller = Sealed::new(Voice::caller(), DEFAULT, 1);
    let mut callee = Sealed::new(Voice::callee(), DEFAULT, 2);
    speak(&mut talk, &mut [&mut caller, &mut callee], 0, 20);
    let (offer, answer) =
        (secure(CALLER_RTP, &line(1, DEFAULT, 7)), secure(CALLEE_RTP, &line(1, DEFAULT, 8)));
    talk.sip(CALLER, CALLEE, &call.request("INVITE", 2, true, &offer));
    // The caller changes at its offer, the callee some packets behind its answer.
    let mut caller = Sealed::new(Voice::caller(), DEFAULT, 7);
    speak(&mut talk, &mut [&mut caller, &mut callee], 20, 10);
    talk.sip(CALLEE, CALLER, &call.response("200 OK", 2, "INVITE", &answer));
    speak(&mut talk, &mut [&mut caller, &mut callee], 30, 10);
    let mut callee = Sealed::new(Voice::callee(), DEFAULT, 8);
    speak(&mut talk, &mut [&mut caller, &mut callee], 40, 20);
    let (recording, counters) = one(talk);
    assert_eq!(came(&recording, Side::Trunk, &caller.voice), 60);
    assert_eq!(came(&recording, Side::Pbx, &callee.voice), 60);
    assert_eq!((counters.opened, counters.sealed), (120, 0));
}

#[test]
fn a_roll_over_in_mid_call_and_one_long_before_the_capture() {
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    let (offer, answer) =
        (secure(CALLER_RTP, &line(1, DEFAULT, 1)), secure(CALLEE_RTP, &line(1, DEFAULT, 2)));
    set_up_with(&mut talk, &call, &offer, &answer);
    let mut caller = Sealed::new(Voice { first: 65_520, ..Voice::caller() }, DEFAULT, 1);
    let mut callee = Sealed::new(Voice::callee(), DEFAULT, 2);
    callee.outbound.resume(callee.voice.ssrc, 37, callee.voice.first - 1);
    speak(&mut talk, &mut [&mut caller, &mut callee], 0, 60);
    let (recording, counters) = one(talk);
    assert_eq!(came(&recording, Side::Trunk, &caller.voice), 60);
    assert_eq!(came(&recording, Side::Pbx, &callee.voice), 60, "count 37 is found by a search");
    assert_eq!(counters.sealed, 0);
}

#[test]
fn a_capture_that_begins_in_mid_call_has_the_keys_of_a_later_re_invite() {
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    let mut caller = Sealed::new(Voice::caller(), DEFAULT, 1);
    let mut callee = Sealed::new(Voice::callee(), DEFAULT, 2);
    for sealed in [&mut caller, &mut callee] {
        sealed.outbound.resume(sealed.voice.ssrc, 3, sealed.voice.first - 1);
    }
    speak(&mut talk, &mut [&mut caller, &mut callee], 0, 30);
    let (offer, answer) =
        (secure(CALLER_RTP, &line(1, DEFAULT, 1)), secure(CALLEE_RTP, &line(1, DEFAULT, 2)));
    talk.sip(CALLER, CALLEE, &call.request("INVITE", 5, true, &offer)).sip(
        CALLEE,
        CALLER,
        &call.response("200 OK", 5, "INVITE", &answer),
    );
    speak(&mut talk, &mut [&mut caller, &mut callee], 30, 30);
    let (recordings, counters) = talk.heard(Options::default());
    let heard: usize = recordings.iter().map(Recording::packets).sum();
    assert_eq!((heard, counters.opened, counters.sealed), (120, 120, 0));
    for recording in &recordings {
        came(recording, Side::Trunk, &caller.voice);
        came(recording, Side::Pbx, &callee.voice);
    }
}

#[test]
fn without_a_key_nobody_is_heard_and_the_call_says_why() {
    let wrong_length = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1j\r\n";
    let unknown = "a=crypto:1 F8_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n";
    for lines in [line(1, DEFAULT, 9), wrong_length.to_owned(), unknown.to_owned(), String::new()] {
        let (mut talk, call) = (Talk::new(), Call::new("one"));
        set_up_with(&mut talk, &call, &secure(CALLER_RTP, &lines), &secure(CALLEE_RTP, &lines));
        let mut caller = Sealed::new(Voice::caller(), DEFAULT, 1);
        let mut callee = Sealed::new(Voice::callee(), DEFAULT, 2);
        speak(&mut talk, &mut [&mut caller, &mut callee], 0, 200);
        let (recording, counters) = one(talk);
        assert_eq!(recording.packets(), 0, "no noise: {lines}");
        assert_eq!((counters.opened, counters.sealed), (0, 400));
        assert_eq!(untappable(&recording), [(None, Untappable::Srtp)], "{lines}");
        assert_eq!(tappable(&recording).last(), Some(&Err(Untappable::Srtp)));
        assert_eq!(recording.protected(Side::Pbx), Protected { opened: 0, sealed: 200 });
    }
}

#[test]
fn one_party_may_be_heard_where_the_other_has_no_key() {
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    let (offer, answer) =
        (secure(CALLER_RTP, &line(1, DEFAULT, 1)), secure(CALLEE_RTP, &line(1, DEFAULT, 2)));
    set_up_with(&mut talk, &call, &offer, &answer);
    let mut caller = Sealed::new(Voice::caller(), DEFAULT, 1);
    let mut callee = Sealed::new(Voice::callee(), DEFAULT, 99);
    speak(&mut talk, &mut [&mut caller, &mut callee], 0, 30);
    let (recording, _) = one(talk);
    assert_eq!(came(&recording, Side::Trunk, &caller.voice), 30);
    assert_eq!(untappable(&recording), [(Some(Side::Pbx), Untappable::Srtp)]);
    assert!(tappable(&recording).iter().all(Result::is_ok));
}

#[test]
fn what_is_offered_beside_rtp_is_opened_if_it_is_taken_up_and_plain_if_not() {
    for taken in [true, false] {
        let (mut talk, call) = (Talk::new(), Call::new("one"));
        let offer = sdp(CALLER_RTP, "0", &line(1, DEFAULT, 1));
        let answer = sdp(CALLEE_RTP, "0", &if taken { line(1, DEFAULT, 2) } else { String::new() });
        set_up_with(&mut talk, &call, &offer, &answer);
        let (mut caller, mut callee) =
            (Sealed::new(Voice::caller(), DEFAULT, 1), Sealed::new(Voice::callee(), DEFAULT, 2));
        if taken {
            speak(&mut talk, &mut [&mut caller, &mut callee], 0, 100);
        } else {
            talk.speak(&caller.voice, &callee.voice, 100);
        }
        let (recording, counters) = one(talk);
        assert_eq!(came(&recording, Side::Trunk, &caller.voice), 100, "{taken}");
        assert_eq!(came(&recording, Side::Pbx, &callee.voice), 100, "{taken}");
        assert_eq!(counters.opened, if taken { 200 } else { 0 });
        assert_eq!(untappable(&recording), [], "{taken}");
    }
}

/// A proxy between, which ends SRTP: of one Call-ID, and each leg with keys of its own, or one of them plain.
#[test]
fn legs_of_one_call_have_keys_of_their_own() {
    const PROXY: &str = "10.0.0.9:5060";
    const INNER: &str = "10.0.0.9:7000"; // toward the callee
    const OUTER: &str = "10.0.0.9:8000"; // toward the caller
    for (outer, inner) in [(true, true), (true, false), (false, true)] {
        let (mut talk, call) = (Talk::new(), Call::new("one"));
        let describe = |address: &str, is_secure: bool, seed| {
            if is_secure { secure(address, &line(1, DEFAULT, seed)) } else { sdp(address, "0", "") }
        };
        talk.sip(CALLER, PROXY, &call.request("INVITE", 1, false, &describe(CALLER_RTP, outer, 1)))
            .sip(PROXY, CALLEE, &call.request("INVITE", 1, false, &describe(INNER, inner, 3)))
            .sip(CALLEE, PROXY, &call.response("200 OK", 1, "INVITE", &describe(CALLEE_RTP, inner, 2)))
            .sip(PROXY, CALLER, &call.response("200 OK", 1, "INVITE", &describe(OUTER, outer, 4)))
            .sip(CALLER, PROXY, &call.request("ACK", 1, true, ""))
            .sip(PROXY, CALLEE, &call.request("ACK", 1, true, ""));
        let caller = Voice { dst: OUTER, ..Voice::caller() };
        let callee = Voice { dst: INNER, ..Voice::callee() };
        let mut hops = [
            (outer, Sealed::new(caller, DEFAULT, 1)),
            (inner, Sealed::new(Voice { src: INNER, dst: CALLEE_RTP, ..caller }, DEFAULT, 3)),
            (inner, Sealed::new(callee, DEFAULT, 2)),
            (outer, Sealed::new(Voice { src: OUTER, dst: CALLER_RTP, ..callee }, DEFAULT, 4)),
        ];
        for n in 0..40 {
            for (is_secure, hop) in &mut hops {
                let packet = if *is_secure { hop.packet(n) } else { hop.voice.packet(n) };
                talk.udp(hop.voice.src, hop.voice.dst, &packet);
            }
            talk.wait(20);
        }
        let (recording, counters) = one(talk);
        assert_eq!(came(&recording, Side::Trunk, &caller), 40, "{outer} {inner}");
        assert_eq!(came(&recording, Side::Pbx, &callee), 40, "{outer} {inner}");
        assert_eq!((counters.sealed, untappable(&recording)), (0, vec![]), "{outer} {inner}");
        assert!(tappable(&recording).last().unwrap().is_ok(), "{outer} {inner}");
    }
}

#[test]
fn damaged_packets_are_counted_and_left_out() {
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    let (offer, answer) =
        (secure(CALLER_RTP, &line(1, DEFAULT, 1)), secure(CALLEE_RTP, &line(1, DEFAULT, 2)));
    set_up_with(&mut talk, &call, &offer, &answer);
    let mut caller = Sealed::new(Voice::caller(), DEFAULT, 1);
    for n in 0..200_u16 {
        let mut packet = caller.packet(n);
        match n % 4 {
            0 => packet.truncate(12 + usize::from(n) % 170),
            1 => *packet.last_mut().unwrap() ^= 1,
            _ => {}
        }
        talk.udp(CALLER_RTP, CALLEE_RTP, &packet).wait(20);
    }
    let (recording, counters) = one(talk);
    assert_eq!(came(&recording, Side::Trunk, &caller.voice), 100);
    assert_eq!((counters.opened, counters.sealed), (100, 100));
    assert_eq!(recording.protected(Side::Trunk), Protected { opened: 100, sealed: 100 });
}

#[test]
fn ten_thousand_sources_cost_no_more_than_their_bounds() {
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    let lines: String = (1..=16).map(|tag| line(tag, DEFAULT, tag as u8)).collect();
    set_up_with(&mut talk, &call, &secure(CALLER_RTP, &lines), &secure(CALLEE_RTP, &line(1, DEFAULT, 2)));
    for ssrc in 0..10_000 {
        let mut stranger = Sealed::new(Voice { ssrc, ..Voice::caller() }, DEFAULT, 200);
        let packet = stranger.packet(0);
        talk.udp(CALLER_RTP, CALLEE_RTP, &packet).wait(1);
    }
    let mut callee = Sealed::new(Voice::callee(), DEFAULT, 2);
    speak(&mut talk, &mut [&mut callee], 0, 20);
    let (recording, counters) = one(talk);
    assert_eq!(came(&recording, Side::Pbx, &callee.voice), 20);
    assert_eq!((counters.opened, counters.sealed), (20, 10_000));
}

#[test]
fn no_format_of_what_was_read_shows_a_key() {
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    let (offer, answer) =
        (secure(CALLER_RTP, &line(1, DEFAULT, 1)), secure(CALLEE_RTP, &line(1, DEFAULT, 2)));
    set_up_with(&mut talk, &call, &offer, &answer);
    let mut caller = Sealed::new(Voice::caller(), DEFAULT, 1);
    speak(&mut talk, &mut [&mut caller], 0, 3);
    let (recording, _) = one(talk);
    let shown = format!("{recording:?}");
    let key = keying(DEFAULT, 1);
    assert!(!shown.contains(&BASE64.encode(key.key_and_salt())), "{shown}");
    assert!(!shown.contains(&format!("{:?}", key.key())), "{shown}");
}

/// The party's numbers begin anew with its new key: one that the old key has seen is no repetition under the new.
#[test]
fn numbers_that_begin_anew_under_another_key_are_heard() {
    let (mut talk, call) = (Talk::new(), Call::new("one"));
    let callee = secure(CALLEE_RTP, &line(1, DEFAULT, 2));
    set_up_with(&mut talk, &call, &secure(CALLER_RTP, &line(1, DEFAULT, 1)), &callee);
    let mut caller = Sealed::new(Voice::caller(), DEFAULT, 1);
    speak(&mut talk, &mut [&mut caller], 0, 30);
    talk.sip(CALLER, CALLEE, &call.request("INVITE", 2, true, &secure(CALLER_RTP, &line(1, DEFAULT, 3))))
        .sip(CALLEE, CALLER, &call.response("200 OK", 2, "INVITE", &callee))
        .sip(CALLER, CALLEE, &call.request("ACK", 2, true, ""));
    let mut caller = Sealed::new(Voice::caller(), DEFAULT, 3);
    speak(&mut talk, &mut [&mut caller], 0, 30);
    hang_up(&mut talk, &call);
    let (_, counters) = one(talk);
    assert_eq!((counters.opened, counters.sealed), (60, 0));
}
