//! Several To-tags: the newest answer steers until the first 2xx, then that dialog does until its BYE.

use crate::script::{Callee, Caller, Script, audio, led};

fn ring_twice(s: &mut Script) {
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    s.response(Caller, 183, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    s.response(Caller, 183, "INVITE 1", "c", &audio("10.0.0.3", 6000));
}

#[test]
fn the_newest_preview_then_the_first_to_answer() {
    let mut s = Script::new();
    ring_twice(&mut s);
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.3:6000, early");
    s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    // The other goes on ringing: too late.
    s.response(Caller, 183, "INVITE 1", "c", &audio("10.0.0.3", 6002));
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    assert_eq!(s.facts(), ["started +15550100 to 4711", "ringing", "answered"]);
    s.bye(Caller, 2);
}

#[test]
fn a_second_2xx_takes_over_when_the_first_is_hung_up() {
    let mut s = Script::new();
    ring_twice(&mut s);
    s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    s.request(Caller, "ACK 1", Some("b"), "").unwrap();
    let second = s.response(Caller, 200, "INVITE 1", "c", &audio("10.0.0.3", 6000));
    assert_eq!(led(&second), "198.51.100.1:30000");
    s.request(Caller, "ACK 1", Some("c"), "").unwrap();
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    s.request(Caller, "BYE 2", Some("b"), "").unwrap();
    s.response(Caller, 200, "BYE 2", "b", "");
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.3:6000");
    assert_eq!(s.anchor.calls(), 1);
    s.request(Callee, "BYE 1", Some("c"), "").unwrap();
    s.response(Callee, 200, "BYE 1", "c", "");
    s.nothing_left();
    let facts = s.facts();
    assert_eq!(facts[2..], ["answered", "ended by pbx: hangup"]);
}

#[test]
fn a_second_2xx_that_is_hung_up_at_once_leaves_no_trace() {
    let mut s = Script::new();
    ring_twice(&mut s);
    s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    s.response(Caller, 200, "INVITE 1", "c", &audio("10.0.0.3", 6000));
    s.request(Caller, "BYE 2", Some("c"), "").unwrap();
    s.response(Caller, 200, "BYE 2", "c", "");
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    s.bye(Caller, 3);
}

#[test]
fn offer_and_answer_are_kept_apart_by_dialog() {
    let mut s = Script::new();
    let reliable = "Require: 100rel\r\nRSeq: 1\r\n";
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    s.response_with(Caller, 183, "INVITE 1", "b", reliable, &audio("10.0.0.2", 5000));
    s.response_with(Caller, 183, "INVITE 1", "c", reliable, &audio("10.0.0.3", 6000));
    s.request(Caller, "UPDATE 3", Some("b"), &audio("192.0.2.1", 4100)).unwrap();
    s.response(Caller, 200, "UPDATE 3", "b", &audio("10.0.0.2", 5100));
    assert_eq!(s.media(0), "192.0.2.1:4100 - 10.0.0.2:5100, early");
    s.response(Caller, 200, "INVITE 1", "c", "");
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.3:6000");
}

#[test]
fn an_early_dialog_that_ends_gives_way() {
    let mut s = Script::new();
    ring_twice(&mut s);
    s.response(Caller, 199, "INVITE 1", "c", "");
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000, early");
    s.request(Caller, "BYE 2", Some("b"), "").unwrap();
    s.response(Caller, 200, "BYE 2", "b", "");
    assert_eq!(s.media(0), "192.0.2.1:4000 - ?, early");
    assert_eq!(s.anchor.calls(), 1);
    s.response(Caller, 487, "INVITE 1", "b", "");
    s.nothing_left();
}

#[test]
fn a_fork_bomb_is_bounded() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    for i in 0..200 {
        let out = s.response(Caller, 183, "INVITE 1", &format!("t{i}"), &audio("10.0.0.2", 5000 + i));
        assert_eq!(led(&out), "198.51.100.1:30000");
    }
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5199, early");
    s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.7", 7000));
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.7:7000");
    s.bye(Caller, 2);
}

/// Forked before it came to us: two branches with one Call-ID, From tag and CSeq.
#[test]
fn one_branch_failing_does_not_end_the_other() {
    let mut s = Script::new();
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    s.branch = "z9hG4bKother";
    s.request(Caller, "INVITE 1", None, &audio("192.0.2.1", 4000)).unwrap();
    s.response(Caller, 486, "INVITE 1", "c", "");
    assert_eq!(s.anchor.calls(), 1);
    s.branch = "z9hG4bKcaller";
    s.response(Caller, 200, "INVITE 1", "b", &audio("10.0.0.2", 5000));
    assert_eq!(s.media(0), "192.0.2.1:4000 - 10.0.0.2:5000");
    s.bye(Caller, 2);
}
