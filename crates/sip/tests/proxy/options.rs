//! OPTIONS: answered when meant for us, passed on when not; and OPTIONS of our own.

use sidetone_sip::message::Name;

use crate::sim::*;

#[test]
fn a_ping_is_answered_without_state() {
    let mut net = Net::new();
    for uri in ["sip:192.0.2.1", "sip:192.0.2.1:5060;transport=udp", "sip:[2001:db8::1]"] {
        net.send(CARRIER, draft("OPTIONS", CARRIER, "o1").uri(uri));
        let ok = net.take(CARRIER, "200");
        assert!(ok.to_tag().is_some());
        assert!(ok.header(Name::Allow).unwrap().text().contains("INVITE"));
    }
    net.nothing(PBX);
    assert_eq!(net.proxy.transactions(), 0);
    assert!(net.asked.is_empty());
    net.finish();
}

#[test]
fn one_for_somebody_is_passed_on() {
    let mut net = Net::new();
    net.send(CARRIER, draft("OPTIONS", CARRIER, "o1").uri("sip:ping@192.0.2.1"));
    net.take(PBX, "OPTIONS");
    net.send(CARRIER, draft("OPTIONS", CARRIER, "o2").uri("sip:elsewhere.example"));
    net.take(PBX, "OPTIONS");
    net.finish();
}

#[test]
fn one_that_is_only_routed_through_us_is_passed_on() {
    let mut net = Net::new();
    net.send(
        CARRIER,
        draft("OPTIONS", CARRIER, "o1").uri("sip:192.0.2.1").header(&format!("Route: <sip:{PBX};lr>")),
    );
    net.take(PBX, "OPTIONS");
    net.finish();
}

#[test]
fn a_probe_reports_what_the_neighbour_answers() {
    let mut net = Net::new();
    net.proxy.probe(net.now, udp(PBX), "sip:203.0.113.20");
    net.drain();
    let probe = net.take(PBX, "OPTIONS");
    assert_eq!(probe.request_uri(), Some("sip:203.0.113.20"));
    net.send(PBX, reply(&probe, 100, "", PBX));
    assert!(net.probed.is_empty());
    net.send(PBX, reply(&probe, 405, "b", PBX));
    net.send(PBX, reply(&probe, 405, "b", PBX));
    assert_eq!(net.probed, [Some(405)]);
    net.finish();
}

#[test]
fn a_probe_that_is_not_answered_or_cannot_be_sent_reports_nothing() {
    let mut net = Net::new();
    net.proxy.probe(net.now, udp(PBX), "sip:203.0.113.20");
    net.pass(ms(3999));
    assert!(net.probed.is_empty());
    net.pass(ms(1));
    assert_eq!(net.probed, [None]);
    net.unreachable = vec![tcp(PBX)];
    net.proxy.probe(net.now, tcp(PBX), "sip:203.0.113.20;transport=tcp");
    net.drain();
    assert_eq!(net.probed, [None, None]);
    net.finish();
}
