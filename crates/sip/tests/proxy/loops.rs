//! Requests that come round again, and hops that run out (RFC 3261 §16.3, RFC 5393).

use sidetone_sip::Message;

use crate::sim::*;

/// The message as a neighbour that sends everything back would: with a Via of its own.
fn bounced(sent: &Message, by: &str, n: u32) -> Vec<u8> {
    let text = String::from_utf8(sent.as_bytes().to_vec()).unwrap();
    let (line, rest) = text.split_once("\r\n").unwrap();
    format!("{line}\r\nVia: SIP/2.0/UDP {by};branch=z9hG4bK-bounce-{n}\r\n{rest}").into_bytes()
}

#[test]
fn a_request_that_comes_round_unchanged_is_a_loop() {
    let mut net = Net::new();
    // A carrier that sends what it gets straight back.
    net.send(PBX, invite(PBX, "c1"));
    let first = net.take(CARRIER, "INVITE");
    net.pbx = vec![udp(CARRIER)];
    net.send(CARRIER, bounced(&first, CARRIER, 1));
    net.take(CARRIER, "100");
    let second = net.take(CARRIER, "INVITE");
    net.send(CARRIER, bounced(&second, CARRIER, 2));
    let loop_detected = net.take(CARRIER, "482");
    assert!(loop_detected.to_tag().is_some());
    assert_eq!(net.proxy.counters().loops, 1);
    net.finish();
}

#[test]
fn a_call_that_the_pbx_forwards_outside_passes_here_twice() {
    // Same Request-URI, same Call-ID: only the side that it comes from differs.
    let mut net = Net::new();
    net.send(CARRIER, invite(CARRIER, "c1"));
    net.take(CARRIER, "100");
    let first = net.take(PBX, "INVITE");
    net.send(PBX, bounced(&first, PBX, 1));
    net.take(PBX, "100");
    net.take(CARRIER, "INVITE");
    net.finish();
}

#[test]
fn a_spiral_with_another_request_uri_passes() {
    let mut net = Net::new();
    net.send(CARRIER, invite(CARRIER, "c1"));
    let first = net.take(PBX, "INVITE");
    let spiral = String::from_utf8(bounced(&first, CARRIER, 1)).unwrap();
    let spiral = spiral.replacen("sip:+15550100@sidetone.example", "sip:+15550199@sidetone.example", 1);
    net.send(CARRIER, spiral);
    net.take(PBX, "INVITE");
    net.finish();
}

#[test]
fn hops_run_out() {
    let mut net = Net::new();
    let zero =
        |method: &str| draft(method, CARRIER, method).without("Max-Forwards").header("Max-Forwards: 0");
    net.send(CARRIER, zero("INVITE"));
    net.take(CARRIER, "483");
    net.send(CARRIER, zero("MESSAGE"));
    net.take(CARRIER, "483");
    net.send(CARRIER, zero("OPTIONS"));
    net.take(CARRIER, "200");
    net.send(CARRIER, zero("ACK"));
    net.nothing(CARRIER);
    net.nothing(PBX);
    assert_eq!(net.proxy.transactions(), 0);
    net.finish();
}

#[test]
fn without_max_forwards_there_are_seventy() {
    let mut net = Net::new();
    net.send(CARRIER, draft("MESSAGE", CARRIER, "m1").without("Max-Forwards"));
    assert_eq!(net.take(PBX, "MESSAGE").max_forwards(), Some(Ok(70)));
    net.send(CARRIER, draft("MESSAGE", CARRIER, "m2").without("Max-Forwards").header("Max-Forwards: 1"));
    let got = net.all(PBX);
    assert_eq!(got.last().unwrap().message.max_forwards(), Some(Ok(0)));
    net.finish();
}

#[test]
fn the_ack_to_a_stateless_refusal_is_absorbed() {
    let mut net = Net::new();
    let call = invite(CARRIER, "c1").without("Max-Forwards").header("Max-Forwards: 0");
    net.send(CARRIER, &call);
    let tag = net.take(CARRIER, "483").to_tag().unwrap().to_owned();
    net.send(CARRIER, call.ack(&tag).uri("sip:bob@203.0.113.20"));
    net.nothing(PBX);
    assert!(net.asked.is_empty());
    assert_eq!(net.proxy.counters().acks_absorbed, 1);
    net.finish();
}
