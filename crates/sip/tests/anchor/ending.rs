//! How calls end, and that the table returns to zero.

use std::time::Duration;

use sidetone_call::{CallKey, Cause};
use sidetone_sip::anchor::Settings;

use crate::script::{Callee, Caller, Script, audio};

fn ringing() -> Script {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    s.response(Caller, 180, "INVITE 1", "b", "");
    assert_eq!(s.facts(), ["started +15550100 to 4711", "ringing"]);
    s
}

#[test]
fn failures_say_who_and_why() {
    for (status, fact) in [
        (302, "ended by pbx: rejected 302"),
        (404, "ended by pbx: rejected 404"),
        (486, "ended by pbx: rejected 486"),
        (487, "ended by trunk: cancelled 487"),
        (503, "ended by pbx: rejected 503"),
        (603, "ended by pbx: rejected 603"),
    ] {
        let mut s = ringing();
        s.response(Caller, status, "INVITE 1", "b", "");
        assert_eq!(s.facts(), [fact]);
        s.nothing_left();
    }
}

#[test]
fn failures_of_the_proxy_s_own() {
    for (status, fact) in [
        (408, "ended by nobody: no-answer 408"),
        (487, "ended by trunk: cancelled 487"),
        (503, "ended by nobody: no-answer 503"),
        (500, "ended by nobody: rejected 500"),
    ] {
        let mut s = ringing();
        s.concluded(Caller, "INVITE 1", None, status);
        assert_eq!(s.facts(), [fact]);
        s.nothing_left();
    }
}

#[test]
fn cancel_that_comes_too_late() {
    let mut s = ringing();
    s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    s.request(Caller, "ACK 1", Some("b"), "").unwrap();
    assert_eq!(s.facts(), ["answered"]);
    s.bye(Caller, 2);
    assert_eq!(s.facts(), ["ended by trunk: hangup"]);
}

#[test]
fn a_challenge_is_not_the_end() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    s.response(Caller, 407, "INVITE 1", "x", "");
    s.now += Duration::from_millis(50);
    s.request(Caller, "INVITE 2", None, &audio("192.0.2.1", 4000)).unwrap();
    s.response(Caller, 200, "INVITE 2", "b", &audio("10.0.0.2", 5000));
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    assert_eq!(s.facts(), ["started +15550100 to 4711", "answered"]);
    s.bye(Callee, 1);
}

#[test]
fn a_challenge_that_nobody_meets_is() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    s.response(Caller, 401, "INVITE 1", "x", "");
    assert_eq!(s.anchor.next_timeout(), Some(s.now + Duration::from_secs(32)));
    s.anchor.timeout(s.now + Duration::from_secs(32));
    assert_eq!(s.facts(), ["started +15550100 to 4711", "ended by pbx: rejected 401"]);
    s.nothing_left();
}

#[test]
fn bye_counts_whatever_answers_it() {
    for status in [200, 403, 408, 481, 500] {
        let mut s = Script::new();
        s.talk();
        s.request(Callee, "BYE 1", Some("b"), "").unwrap();
        assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000", "media goes on till the answer");
        s.response(Callee, status, "BYE 1", "b", "");
        assert_eq!(s.facts(), ["ended by pbx: hangup"], "{status}");
        s.nothing_left();
    }
}

#[test]
fn bye_without_an_answer() {
    let mut s = Script::new();
    s.talk();
    s.request(Caller, "BYE 2", Some("b"), "").unwrap();
    s.concluded(Caller, "BYE 2", Some("b"), 408);
    s.nothing_left();
    assert_eq!(s.facts(), ["ended by trunk: hangup"]);

    s.talk();
    s.request(Caller, "BYE 2", Some("b"), "").unwrap();
    s.anchor.timeout(s.now + Settings::default().bye_timeout);
    s.nothing_left();
    assert_eq!(s.facts(), ["ended by trunk: hangup"]);
}

#[test]
fn a_challenged_bye_does_not_count() {
    let mut s = Script::new();
    s.talk();
    s.request(Caller, "BYE 2", Some("b"), "").unwrap();
    s.response(Caller, 401, "BYE 2", "b", "");
    assert_eq!(s.anchor.calls(), 1);
    s.bye(Caller, 3);
}

#[test]
fn both_hang_up_at_once() {
    let mut s = Script::new();
    s.talk();
    s.request(Caller, "BYE 2", Some("b"), "").unwrap();
    s.request(Callee, "BYE 1", Some("b"), "").unwrap();
    s.response(Caller, 200, "BYE 2", "b", "");
    s.response(Callee, 481, "BYE 1", "b", "");
    assert_eq!(s.facts(), ["ended by trunk: hangup"]);
    s.nothing_left();
}

#[test]
fn ended_by_silence_or_by_hand() {
    for cause in [Cause::MediaTimeout, Cause::Terminated] {
        let mut s = Script::new();
        s.talk();
        assert!(s.anchor.terminate(s.now, CallKey(1), cause));
        assert!(!s.anchor.terminate(s.now, CallKey(1), cause));
        assert_eq!(s.facts(), [format!("ended by nobody: {}", cause.as_str())]);
        s.nothing_left();
    }
}

#[test]
fn time_limits() {
    let mut s = ringing();
    let limit = s.anchor.next_timeout().unwrap();
    s.now += Duration::from_secs(100);
    s.response(Caller, 180, "INVITE 1", "b", "");
    s.anchor.timeout(limit);
    assert_eq!(s.anchor.calls(), 1, "a provisional response buys time");
    s.anchor.timeout(limit + Duration::from_secs(100));
    assert_eq!(s.facts(), ["ended by nobody: failed"]);
    s.nothing_left();

    s.talk();
    s.anchor.timeout(s.now + Settings::default().max_duration);
    assert_eq!(s.facts(), ["ended by nobody: failed"]);
    assert_eq!(s.anchor.counters().reaped, 2);
    s.nothing_left();
}

#[test]
fn a_thousand_calls_leave_nothing() {
    let mut s = Script::new();
    for i in 0..1000u32 {
        s.now += Duration::from_millis(1);
        s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
        if i % 3 == 0 {
            s.response(Caller, 486, "INVITE 1", "b", "");
        } else {
            s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
            s.bye(if i % 2 == 0 { Caller } else { Callee }, 2);
        }
        s.nothing_left();
        s.facts();
    }
    assert_eq!(s.anchor.media().released.len(), 1000);
}

#[test]
fn facts_that_nobody_takes_are_bounded() {
    let mut s = Script::with(Settings { max_calls: 8, ..Settings::default() });
    for _ in 0..100 {
        s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
        s.response(Caller, 486, "INVITE 1", "b", "");
    }
    assert_eq!(s.facts().len(), 64);
    assert_eq!(s.anchor.counters().facts_lost, 136);
}

/// Whoever answered should give up by itself after 64 × T1 without an ACK (RFC 3261 §13.3.1.4). Not everybody does, and
/// media that comes from there would keep the call up for nobody.
#[test]
fn an_answer_that_did_not_reach_the_caller_is_told_unless_an_ack_comes() {
    let answered = || {
        let mut s = ringing();
        s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
        assert_eq!(s.facts(), ["answered"]);
        s
    };
    let mut s = answered();
    assert!(s.undelivered("INVITE 1", "b") && s.undelivered("INVITE 1", "b"));
    s.now += Duration::from_secs(31);
    s.anchor.timeout(s.now);
    assert!(s.facts().is_empty());
    s.now += Duration::from_secs(1);
    s.anchor.timeout(s.now);
    assert_eq!(s.facts(), ["unacknowledged"]);
    // Nobody has hung it up.
    s.now += Settings::default().bye_timeout;
    s.anchor.timeout(s.now);
    assert_eq!(s.facts(), ["ended by nobody: failed"]);
    s.nothing_left();

    for first in [false, true] {
        let mut s = answered();
        if first {
            s.request(Caller, "ACK 1", Some("b"), "").unwrap();
        }
        assert_eq!(s.undelivered("INVITE 1", "b"), !first);
        s.request(Caller, "ACK 1", Some("b"), "").unwrap();
        s.now += Duration::from_secs(3_600);
        s.anchor.timeout(s.now);
        assert!(s.facts().is_empty(), "the ACK has come, before or after");
    }
}
