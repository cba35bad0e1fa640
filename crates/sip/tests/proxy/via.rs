//! Where responses go: received, rport, sent-by, and whose Via they need on top (RFC 3261 §18.2, RFC 3581).

use sidetone_sip::message::Name;

use crate::sim::*;

const NATTED: &str = "198.51.100.10:40001";

#[test]
fn behind_a_nat_with_rport_the_response_goes_to_the_source() {
    let mut net = Net::new();
    net.send(NATTED, draft("MESSAGE", NATTED, "m1").via("SIP/2.0/UDP 10.0.0.9:5060;rport;branch=z9hG4bKn"));
    let sent = net.take(PBX, "MESSAGE");
    let via = sent.values(Name::Via).nth(1).unwrap();
    assert_eq!(
        std::str::from_utf8(via).unwrap(),
        "SIP/2.0/UDP 10.0.0.9:5060;rport=40001;branch=z9hG4bKn;received=198.51.100.10"
    );
    net.send(PBX, reply(&sent, 200, "b", PBX));
    net.take(NATTED, "200");
    net.finish();
}

#[test]
fn without_rport_it_goes_to_the_source_address_and_the_stated_port() {
    let mut net = Net::new();
    net.send(NATTED, draft("MESSAGE", NATTED, "m1").via("SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bKn"));
    let sent = net.take(PBX, "MESSAGE");
    net.send(PBX, reply(&sent, 200, "b", PBX));
    net.take("198.51.100.10:5070", "200");
    net.send(NATTED, draft("MESSAGE", NATTED, "m2").via("SIP/2.0/UDP phone.example;branch=z9hG4bKm"));
    let sent = net.take(PBX, "MESSAGE");
    net.send(PBX, reply(&sent, 200, "b", PBX));
    net.take("198.51.100.10:5060", "200");
    net.finish();
}

#[test]
fn nobody_can_have_responses_sent_to_a_third_party() {
    let mut net = Net::new();
    net.send(
        CARRIER,
        draft("MESSAGE", CARRIER, "m1")
            .via("SIP/2.0/UDP 192.0.2.99;maddr=192.0.2.98;received=192.0.2.97;branch=z9hG4bKn"),
    );
    let sent = net.take(PBX, "MESSAGE");
    net.send(PBX, reply(&sent, 200, "b", PBX));
    let ok = net.take(CARRIER, "200");
    assert_eq!(ok.top_via().unwrap().received(), Some(addr(CARRIER).ip()));
    net.finish();
}

#[test]
fn vias_on_one_line_lose_only_the_first() {
    let mut net = Net::new();
    let two = format!("SIP/2.0/UDP {CARRIER};branch=z9hG4bKn,SIP/2.0/TCP far.example;branch=z9hG4bKf");
    net.send(CARRIER, draft("MESSAGE", CARRIER, "m1").via(&two));
    let sent = net.take(PBX, "MESSAGE");
    let text = String::from_utf8(reply(&sent, 200, "b", PBX)).unwrap();
    // A neighbour that folds all Vias into one line.
    let all: Vec<_> = sent.values(Name::Via).map(|v| String::from_utf8(v.to_vec()).unwrap()).collect();
    let rest: String = text.split_inclusive("\r\n").filter(|l| !l.starts_with("Via:")).collect();
    let (line, rest) = rest.split_once("\r\n").unwrap();
    net.send(PBX, format!("{line}\r\nv: {}\r\n{rest}", all.join(" ,\r\n ")));
    let ok = net.take(CARRIER, "200");
    let left: Vec<_> = ok.values(Name::Via).collect();
    assert_eq!(left, [all[1].as_bytes(), all[2].as_bytes()]);
    net.finish();
}

#[test]
fn a_response_whose_top_via_is_not_ours_is_dropped_and_counted() {
    let mut net = Net::new();
    net.send(CARRIER, draft("MESSAGE", CARRIER, "m1"));
    let sent = net.take(PBX, "MESSAGE");
    let ok = String::from_utf8(reply(&sent, 200, "b", PBX)).unwrap();
    for wrong in [
        ok.replace("UDP 192.0.2.1:5060", "UDP 192.0.2.2:5060"),
        ok.replace("UDP 192.0.2.1:5060", "UDP 192.0.2.1:5061"),
        ok.replace("branch=z9hG4bKst", "branch=z9hG4bKts"),
    ] {
        net.send(PBX, wrong);
    }
    assert_eq!(net.proxy.counters().misdirected_responses, 3);
    // Ours, but guessed, or to another method.
    let (head, tail) = ok.split_once("z9hG4bKst").unwrap();
    net.send(PBX, format!("{head}z9hG4bKst{}{}{}", &tail[..8], "0".repeat(16), &tail[24..]));
    net.send(PBX, ok.replace("1 MESSAGE", "1 INVITE"));
    net.send(PBX, ok.replace("1 MESSAGE", "1 CANCEL"));
    assert_eq!(net.proxy.counters().stray_responses, 3);
    net.nothing(CARRIER);
    net.send(PBX, ok);
    net.take(CARRIER, "200");
    net.finish();
}

#[test]
fn a_response_that_would_end_here_is_dropped() {
    let mut net = Net::new();
    net.send(CARRIER, draft("MESSAGE", CARRIER, "m1"));
    let sent = net.take(PBX, "MESSAGE");
    let ok = String::from_utf8(reply(&sent, 200, "b", PBX)).unwrap();
    let second = ok.lines().filter(|l| l.starts_with("Via:")).nth(1).unwrap().to_owned() + "\r\n";
    net.send(PBX, ok.replace(&second, ""));
    net.nothing(CARRIER);
    net.finish();
}
