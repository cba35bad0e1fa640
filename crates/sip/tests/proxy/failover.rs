//! Several targets, tried one after the other.

use sidetone_call::Side;
use sidetone_sip::message::Name;
use sidetone_sip::proxy::{Decision, Destination, Target};

use crate::sim::*;

fn two() -> (Net, Draft) {
    let mut net = Net::new();
    net.pbx = vec![udp(PBX), udp(PBX2)];
    let call = invite(CARRIER, "c1");
    net.send(CARRIER, &call);
    net.take(CARRIER, "100");
    (net, call)
}

fn answer_and_hang_up(net: &mut Net, peer: &str) {
    let sent = net.take(peer, "INVITE");
    net.send(peer, reply(&sent, 200, "b", peer));
    let dialog = Dialog::of_caller(&net.take(CARRIER, "200"));
    net.send(CARRIER, dialog.request("ACK", CARRIER, 1));
    net.take(peer, "ACK");
    net.send(CARRIER, dialog.request("BYE", CARRIER, 2));
    let bye = net.take(peer, "BYE");
    net.send(peer, reply(&bye, 200, "", peer));
    net.take(CARRIER, "200");
}

#[test]
fn a_silent_target_is_left_after_four_seconds() {
    let (mut net, _) = two();
    net.pass(ms(3990));
    let tries = net.all(PBX).len();
    assert_eq!(tries, 4, "at 0, 0.5, 1.5 and 3.5 s");
    net.nothing(PBX2);
    net.pass(ms(20));
    answer_and_hang_up(&mut net, PBX2);
    net.pass(secs(10));
    net.nothing(PBX);
    assert_eq!(net.proxy.counters().failovers, 1);
    let seen: Vec<_> = net.proxy.filter().requests.iter().take(2).map(|r| r.2).collect();
    assert_eq!(seen, [addr(PBX), addr(PBX2)], "the filter sees the request again");
    net.finish();
}

#[test]
fn any_response_at_all_keeps_the_target() {
    let (mut net, _) = two();
    let sent = net.take(PBX, "INVITE");
    net.send(PBX, reply(&sent, 100, "", PBX));
    net.pass(secs(60));
    net.nothing(PBX2);
    net.nothing(PBX);
    net.send(PBX, reply(&sent, 486, "b", PBX));
    net.take(CARRIER, "486");
    net.finish();
}

#[test]
fn a_503_goes_to_the_next_target_and_is_acknowledged() {
    let (mut net, _) = two();
    let sent = net.take(PBX, "INVITE");
    net.send(PBX, reply(&sent, 503, "b", PBX));
    net.take(PBX, "ACK");
    net.nothing(CARRIER);
    answer_and_hang_up(&mut net, PBX2);
    net.finish();
}

#[test]
fn an_unreachable_target_is_left_at_once() {
    let mut net = Net::new();
    net.pbx = vec![udp(PBX), udp(PBX2)];
    net.unreachable = vec![udp(PBX)];
    net.send(CARRIER, invite(CARRIER, "c1"));
    net.take(CARRIER, "100");
    answer_and_hang_up(&mut net, PBX2);
    net.finish();
}

#[test]
fn other_failures_are_forwarded_as_they_came() {
    for status in [302, 404, 486, 500, 600, 603] {
        let (mut net, call) = two();
        let sent = net.take(PBX, "INVITE");
        net.send(PBX, reply(&sent, status, "b", PBX));
        net.take(CARRIER, &status.to_string());
        net.send(CARRIER, call.ack("b"));
        net.nothing(PBX2);
        net.finish();
    }
}

#[test]
fn when_all_fail_with_503_the_last_one_is_forwarded_as_it_came() {
    let (mut net, _) = two();
    let sent = net.take(PBX, "INVITE");
    net.send(PBX, reply_with(&sent, 503, "one", PBX, &[("Retry-After", "1")]));
    let sent = net.take(PBX2, "INVITE");
    net.send(PBX2, reply_with(&sent, 503, "two", PBX2, &[("Retry-After", "2")]));
    let last = net.take(CARRIER, "503");
    assert_eq!(last.header(Name::RetryAfter).unwrap().text(), "2");
    assert_eq!(last.to_tag(), Some("two"));
    assert_eq!(net.proxy.filter().responses.len(), 1);
    assert!(net.proxy.filter().concluded.is_empty());
    net.finish();
}

#[test]
fn a_failure_that_was_received_beats_one_made_up_here() {
    let (mut net, _) = two();
    let sent = net.take(PBX, "INVITE");
    net.send(PBX, reply(&sent, 503, "one", PBX));
    net.pass(secs(33));
    assert_eq!(net.take(CARRIER, "503").to_tag(), Some("one"));
    net.finish();
}

#[test]
fn when_all_are_silent_the_caller_gets_503_and_when_to_try_again() {
    let (mut net, _) = two();
    net.pass(ms(7_990));
    net.nothing(CARRIER);
    net.pass(ms(20));
    let refused = net.take(CARRIER, "503");
    assert_eq!(refused.header(Name::RetryAfter).unwrap().text(), "5");
    assert_eq!(net.proxy.filter().concluded, [("INVITE".to_owned(), 503)]);
    assert_eq!(net.proxy.counters().unanswered, 1);
    net.all(PBX);
    net.all(PBX2);
    net.pass(secs(60));
    net.nothing(PBX);
    net.finish();
}

/// Its caller has had a 503: a target that rings after all rings for nobody.
#[test]
fn the_only_target_is_given_up_too_and_cancelled_if_it_rings_after_all() {
    let mut net = Net::new();
    net.send(CARRIER, invite(CARRIER, "c1"));
    net.take(CARRIER, "100");
    net.pass(ms(4_010));
    net.take(CARRIER, "503");
    let sent = net.all(PBX).remove(0).message;
    net.send(PBX, reply(&sent, 180, "b", PBX));
    let cancel = net.take(PBX, "CANCEL");
    net.send(PBX, reply(&cancel, 200, "b", PBX));
    net.send(PBX, reply(&sent, 487, "b", PBX));
    net.take(PBX, "ACK");
    net.nothing(CARRIER);
    net.pass(secs(60));
    net.finish();
}

/// A lost re-INVITE must not end a call that is up.
#[test]
fn within_a_dialog_silence_lasts_as_long_as_the_rfc_has_it() {
    let mut net = Net::new();
    let mut again = invite(CARRIER, "c1");
    again = again.tagged("b").header("Route: <sip:192.0.2.1:5060;lr>").uri(&format!("sip:b@{PBX}"));
    net.send(CARRIER, again);
    net.take(CARRIER, "100");
    net.pass(secs(31));
    net.nothing(CARRIER);
    net.pass(secs(2));
    net.take(CARRIER, "408");
    net.all(PBX);
    net.pass(secs(60));
    net.finish();
}

/// A host that is believed to be down is asked for a moment only.
#[test]
fn a_target_may_have_less_patience() {
    let mut net = Net::new();
    net.hold_routes = true;
    net.send(CARRIER, invite(CARRIER, "c1"));
    let query = net.asked.pop().unwrap();
    let target = |to| Target { patience: Some(ms(500)), ..Target::from(to) };
    let targets = vec![target(udp(PBX)), target(udp(PBX2))];
    net.decide(&query, Decision::Forward { from: Side::Trunk, targets });
    net.take(CARRIER, "100");
    net.pass(ms(990));
    net.nothing(CARRIER);
    net.pass(ms(20));
    net.take(CARRIER, "503");
    net.all(PBX);
    net.all(PBX2);
    net.pass(secs(60));
    net.finish();
}

#[test]
fn when_none_can_be_reached_the_caller_gets_503() {
    let mut net = Net::new();
    net.pbx = vec![udp(PBX), udp(PBX2)];
    net.unreachable = net.pbx.clone();
    net.send(CARRIER, invite(CARRIER, "c1"));
    net.take(CARRIER, "100");
    net.take(CARRIER, "503");
    assert_eq!(net.proxy.counters().transport_failures, 2);
    net.finish();
}

#[test]
fn a_silent_target_that_rings_after_all_is_cancelled() {
    let (mut net, _) = two();
    net.pass(secs(5));
    let late = net.take(PBX, "INVITE");
    net.all(PBX);
    let second = net.take(PBX2, "INVITE");
    net.send(PBX2, reply(&second, 180, "two", PBX2));
    net.take(CARRIER, "180");
    net.send(PBX, reply(&late, 180, "one", PBX));
    let cancel = net.take(PBX, "CANCEL");
    net.nothing(CARRIER);
    net.send(PBX, reply(&cancel, 200, "one", PBX));
    net.send(PBX, reply(&late, 487, "one", PBX));
    net.take(PBX, "ACK");
    net.nothing(CARRIER);
    net.send(PBX2, reply(&second, 200, "two", PBX2));
    assert_eq!(net.take(CARRIER, "200").to_tag(), Some("two"));
    net.finish();
}

#[test]
fn a_silent_target_that_accepts_after_all_wins_and_the_other_is_cancelled() {
    let (mut net, _) = two();
    net.pass(secs(5));
    let late = net.take(PBX, "INVITE");
    let second = net.take(PBX2, "INVITE");
    net.send(PBX2, reply(&second, 180, "two", PBX2));
    net.take(CARRIER, "180");
    net.all(PBX2);
    net.send(PBX, reply(&late, 200, "one", PBX));
    assert_eq!(net.take(CARRIER, "200").to_tag(), Some("one"));
    let cancel = net.take(PBX2, "CANCEL");
    net.send(PBX2, reply(&cancel, 200, "two", PBX2));
    net.send(PBX2, reply(&second, 487, "two", PBX2));
    net.take(PBX2, "ACK");
    net.nothing(CARRIER);
    net.finish();
}

#[test]
fn non_invite_requests_fail_over_too() {
    let mut net = Net::new();
    net.pbx = vec![udp(PBX), udp(PBX2)];
    net.send(CARRIER, draft("MESSAGE", CARRIER, "m1"));
    net.pass(ms(4100));
    let sent = net.take(PBX2, "MESSAGE");
    net.send(PBX2, reply(&sent, 202, "b", PBX2));
    net.take(CARRIER, "100"); // RFC 4320 §4.1, at 3.5 s
    net.take(CARRIER, "202");
    net.nothing(CARRIER);
    net.finish();
}

#[test]
fn failover_across_address_families() {
    let mut net = Net::new();
    net.pbx = vec![udp(PBX6), udp(PBX)];
    net.send(CARRIER, invite(CARRIER, "c1"));
    let sent = net.take(PBX6, "INVITE");
    assert_eq!(sent.top_via().unwrap().host, "[2001:db8::1]");
    net.send(PBX6, reply(&sent, 503, "b", PBX6));
    let sent = net.take(PBX, "INVITE");
    assert_eq!(sent.top_via().unwrap().host, "192.0.2.1");
    assert_eq!(
        net.proxy.filter().requests,
        [("INVITE".to_owned(), Side::Trunk, addr(PBX6)), ("INVITE".to_owned(), Side::Trunk, addr(PBX)),]
    );
    net.finish();
}

#[test]
fn a_decision_without_targets_is_480() {
    let mut net = Net::new();
    net.pbx.clear();
    net.send(CARRIER, invite(CARRIER, "c1"));
    net.take(CARRIER, "480");
    net.finish();
}

#[test]
fn a_target_may_have_its_own_request_uri() {
    let mut net = Net::new();
    net.hold_routes = true;
    net.send(CARRIER, invite(CARRIER, "c1"));
    let query = net.asked.remove(0);
    let target = |uri: Option<&str>, to: Destination| Target {
        rewrite_uri: uri.map(|u| u.parse().unwrap()),
        ..Target::from(to)
    };
    let targets = vec![target(Some("sip:100@pbx.example"), udp(PBX)), target(None, udp(PBX2))];
    net.decide(&query, Decision::Forward { from: Side::Trunk, targets });
    let sent = net.take(PBX, "INVITE");
    assert_eq!(sent.request_uri(), Some("sip:100@pbx.example"));
    net.send(PBX, reply(&sent, 503, "b", PBX));
    assert_eq!(net.take(PBX, "ACK").request_uri(), Some("sip:100@pbx.example"));
    assert_eq!(net.take(PBX2, "INVITE").request_uri(), Some("sip:+15550100@sidetone.example"));
    net.finish();
}
