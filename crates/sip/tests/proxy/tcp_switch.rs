//! Large requests go over TCP, and over UDP after all if TCP doesn't work (RFC 3261 §18.1.1).

use sidetone_sip::message::Name;

use crate::sim::*;

fn large(call: &str) -> Draft {
    invite(CARRIER, call).header(&format!("X-Padding: {}", "x".repeat(1300)))
}

#[test]
fn a_large_invite_goes_over_tcp_and_its_answer_comes_back() {
    let mut net = Net::new();
    net.send(CARRIER, large("c1"));
    net.take(CARRIER, "100");
    let arrived = net.arrived(PBX).unwrap();
    assert_eq!(arrived.to, tcp(PBX));
    let sent = arrived.message;
    assert_eq!(sent.top_via().unwrap().transport, "TCP");
    assert_eq!(sent.values(Name::RecordRoute).count(), 2);
    net.send_tcp(PBX, reply(&sent, 200, "b", PBX));
    net.take(CARRIER, "200");
    net.pass(secs(10));
    net.nothing(PBX);
    assert_eq!(net.proxy.counters().tcp_switches, 1);
    net.finish();
}

#[test]
fn a_small_invite_stays_on_udp() {
    let mut net = Net::new();
    net.send(CARRIER, invite(CARRIER, "c1"));
    assert_eq!(net.arrived(PBX).unwrap().to, udp(PBX));
    net.finish();
}

#[test]
fn when_tcp_is_refused_it_goes_over_udp_and_the_next_at_once() {
    let mut net = Net::new();
    net.unreachable = vec![tcp(PBX)];
    net.send(CARRIER, large("c1"));
    let arrived = net.arrived(PBX).unwrap();
    assert_eq!(arrived.to, udp(PBX));
    assert_eq!(arrived.message.top_via().unwrap().transport, "UDP");
    assert_eq!(arrived.message.values(Name::RecordRoute).count(), 1);
    net.send(PBX, reply(&arrived.message, 486, "b", PBX));
    net.send(CARRIER, large("c2"));
    let counters = *net.proxy.counters();
    assert_eq!((counters.tcp_switches, counters.tcp_fallbacks, counters.failovers), (1, 1, 0));
    net.finish();
}

#[test]
fn when_tcp_is_a_black_hole_it_goes_over_udp_after_four_seconds() {
    let mut net = Net::new();
    net.send(CARRIER, large("c1"));
    assert_eq!(net.arrived(PBX).unwrap().to, tcp(PBX));
    net.pass(ms(4001));
    assert_eq!(net.arrived(PBX).unwrap().to, udp(PBX));
    net.send(CARRIER, large("c2"));
    assert_eq!(net.arrived(PBX).unwrap().to, udp(PBX));
    net.pass(secs(600));
    net.all(PBX);
    net.send(CARRIER, large("c3"));
    assert_eq!(net.arrived(PBX).unwrap().to, tcp(PBX), "tried again after ten minutes");
    net.finish();
}

#[test]
fn once_tcp_has_answered_udp_is_not_tried() {
    let mut net = Net::new();
    net.pbx = vec![udp(PBX), udp(PBX2)];
    net.send(CARRIER, large("c1"));
    let sent = net.take(PBX, "INVITE");
    net.send_tcp(PBX, reply(&sent, 503, "b", PBX));
    net.take(PBX, "ACK");
    net.nothing(PBX);
    assert_eq!(net.arrived(PBX2).unwrap().to, tcp(PBX2));
    net.finish();
}

#[test]
fn without_a_tcp_listener_it_stays_on_udp() {
    let mut net = Net::new();
    net.pbx = vec![udp(PBX6)];
    net.send(CARRIER, large("c1"));
    assert_eq!(net.arrived(PBX6).unwrap().to, udp(PBX6));
    net.finish();
}

#[test]
fn a_large_ack_switches_too_and_learns_from_refusal() {
    let mut net = Net::new();
    net.unreachable = vec![tcp(PBX)];
    let ack = draft("ACK", CARRIER, "a1").uri(&format!("sip:bob@{PBX}")).tagged("b").body(&"x".repeat(1300));
    net.send(CARRIER, &ack);
    net.nothing(PBX);
    net.send(CARRIER, &ack);
    assert_eq!(net.arrived(PBX).unwrap().to, udp(PBX));
    net.finish();
}
