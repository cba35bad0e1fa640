//! Requests that nobody finishes: each timer ends them, and says so where the RFCs want it said.

use sidetone_sip::proxy::Settings;

use crate::sim::*;

#[test]
fn timer_b_ends_a_call_whose_target_may_be_silent_for_as_long() {
    let mut net = Net::with(Settings { failover_after: secs(60), ..settings() });
    let call = invite(CARRIER, "c1");
    net.send(CARRIER, &call);
    net.take(CARRIER, "100");
    net.pass(ms(31_999));
    net.nothing(CARRIER);
    net.pass(ms(1));
    net.take(CARRIER, "408");
    net.send(CARRIER, call.ack("x"));
    assert_eq!(net.proxy.counters().timeouts, 1);
    net.finish();
}

#[test]
fn timer_c_cancels_a_call_that_rings_for_ever_and_says_408() {
    let mut net = Net::new();
    net.send(CARRIER, invite(CARRIER, "c1"));
    net.take(CARRIER, "100");
    let sent = net.take(PBX, "INVITE");
    net.send(PBX, reply(&sent, 180, "b", PBX));
    net.take(CARRIER, "180");
    // Each provisional response starts it anew, 100 doesn't.
    net.pass(secs(100));
    net.send(PBX, reply(&sent, 183, "b", PBX));
    net.take(CARRIER, "183");
    net.pass(secs(100));
    net.send(PBX, reply(&sent, 100, "", PBX));
    net.pass(secs(84));
    net.nothing(PBX);
    net.pass(secs(2));
    let cancel = net.take(PBX, "CANCEL");
    net.nothing(CARRIER);
    net.send(PBX, reply(&cancel, 200, "b", PBX));
    net.send(PBX, reply(&sent, 487, "b", PBX));
    net.take(CARRIER, "408");
    assert_eq!(net.proxy.filter().concluded, [("INVITE".to_owned(), 408)]);
    assert_eq!(net.proxy.counters().timer_c, 1);
    net.finish();
}

#[test]
fn a_call_that_is_answered_as_timer_c_fires_is_answered() {
    let mut net = Net::new();
    net.send(CARRIER, invite(CARRIER, "c1"));
    let sent = net.take(PBX, "INVITE");
    net.send(PBX, reply(&sent, 180, "b", PBX));
    net.all(CARRIER);
    net.pass(secs(186));
    net.take(PBX, "CANCEL");
    net.send(PBX, reply(&sent, 200, "b", PBX));
    net.take(CARRIER, "200");
    net.finish();
}

#[test]
fn a_callee_that_dies_while_ringing_is_given_up_after_timer_c_and_64_t1() {
    let mut net = Net::new();
    net.send(CARRIER, invite(CARRIER, "c1"));
    let sent = net.take(PBX, "INVITE");
    net.send(PBX, reply(&sent, 180, "b", PBX));
    net.all(CARRIER);
    net.pass(secs(216));
    net.nothing(CARRIER);
    net.pass(secs(2));
    net.take(CARRIER, "408");
    net.finish();
}

#[test]
fn timer_f_ends_a_non_invite_without_a_word() {
    let mut net = Net::new();
    let message = draft("MESSAGE", CARRIER, "m1");
    net.send(CARRIER, &message);
    net.pass(secs(3));
    net.nothing(CARRIER);
    net.pass(secs(1));
    net.take(CARRIER, "100"); // RFC 4320 §4.1
    net.pass(secs(40));
    net.nothing(CARRIER);
    assert_eq!(net.proxy.filter().concluded, [("MESSAGE".to_owned(), 408)]);
    assert_eq!(net.proxy.transactions(), 0);
    net.finish();
}

#[test]
fn a_408_to_a_non_invite_is_not_forwarded_but_the_request_is_still_absorbed() {
    let mut net = Net::new();
    let message = draft("MESSAGE", CARRIER, "m1");
    net.send(CARRIER, &message);
    let sent = net.take(PBX, "MESSAGE");
    net.send(PBX, reply(&sent, 408, "b", PBX));
    net.nothing(CARRIER);
    net.pass(secs(1));
    net.send(CARRIER, &message);
    net.nothing(PBX);
    assert_eq!(net.proxy.filter().concluded, [("MESSAGE".to_owned(), 408)]);
    net.finish();
}

#[test]
fn a_provisional_response_to_a_non_invite_stays_here() {
    let mut net = Net::new();
    net.send(CARRIER, draft("MESSAGE", CARRIER, "m1"));
    let sent = net.take(PBX, "MESSAGE");
    net.send(PBX, reply(&sent, 183, "b", PBX));
    net.nothing(CARRIER);
    net.send(PBX, reply(&sent, 200, "b", PBX));
    net.take(CARRIER, "200");
    net.finish();
}

#[test]
fn a_failure_that_is_never_acknowledged_is_forgotten_after_timer_h() {
    let mut net = Net::new();
    net.send(CARRIER, invite(CARRIER, "c1"));
    let sent = net.take(PBX, "INVITE");
    net.send(PBX, reply(&sent, 486, "b", PBX));
    net.pass(ms(31_900));
    assert_ne!(net.proxy.transactions(), 0);
    net.pass(ms(200));
    assert_eq!(net.proxy.transactions(), 0);
    net.finish();
}

#[test]
fn an_undecided_request_gets_100_after_200_ms_and_503_in_the_end() {
    let mut net = Net::new();
    net.hold_routes = true;
    net.send(CARRIER, invite(CARRIER, "c1"));
    net.pass(ms(199));
    net.nothing(CARRIER);
    net.pass(ms(1));
    net.take(CARRIER, "100");
    net.pass(secs(5));
    net.take(CARRIER, "503");
    net.nothing(PBX);
    net.finish();
}

#[test]
fn an_undecided_ack_is_forgotten() {
    let mut net = Net::new();
    net.hold_routes = true;
    net.send(CARRIER, draft("ACK", CARRIER, "a1").tagged("b").uri("sip:bob@203.0.113.20"));
    assert_eq!(net.proxy.transactions(), 1);
    net.pass(secs(6));
    assert_eq!(net.proxy.transactions(), 0);
    net.nothing(CARRIER);
    net.finish();
}
