//! Over TCP responses go back on the connection of their request, or to the address in Via if it is gone
//! (RFC 3261 §18.2.2).

use crate::sim::*;

const EPHEMERAL: &str = "198.51.100.10:40001";

fn call() -> Draft {
    invite(EPHEMERAL, "c1").via(&format!("SIP/2.0/TCP {CARRIER};branch=z9hG4bKt"))
}

#[test]
fn on_the_connection_of_the_request() {
    let mut net = Net::new();
    net.send_tcp(EPHEMERAL, call());
    let trying = net.arrived(EPHEMERAL).unwrap();
    assert_eq!((trying.to, trying.connect), (tcp(EPHEMERAL), false));
    net.finish();
}

#[test]
fn to_the_stated_address_once_the_connection_is_gone() {
    let mut net = Net::new();
    net.send_tcp(EPHEMERAL, call());
    net.take(EPHEMERAL, "100");
    let sent = net.take(PBX, "INVITE");
    net.connections.clear();
    net.send(PBX, reply(&sent, 180, "b", PBX));
    let ringing = net.arrived(CARRIER).unwrap();
    assert_eq!((ringing.to, ringing.connect, describe(&ringing.message)), (tcp(CARRIER), true, "180".into()));
    net.send(PBX, reply(&sent, 200, "b", PBX));
    net.take(CARRIER, "200");
    net.nothing(EPHEMERAL);
    net.finish();
}

#[test]
fn a_2xx_that_finds_the_connection_gone_is_not_lost() {
    let mut net = Net::new();
    net.send_tcp(EPHEMERAL, call());
    let sent = net.take(PBX, "INVITE");
    net.connections.clear();
    net.send(PBX, reply(&sent, 200, "b", PBX));
    net.take(CARRIER, "200");
    net.finish();
}

#[test]
fn if_that_fails_too_it_is_told() {
    for status in [200, 486] {
        let mut net = Net::new();
        net.send_tcp(EPHEMERAL, call());
        let sent = net.take(PBX, "INVITE");
        net.connections.clear();
        net.unreachable = vec![tcp(CARRIER)];
        net.send(PBX, reply(&sent, status, "b", PBX));
        net.nothing(CARRIER);
        let told: Vec<_> = net.undelivered.iter().map(describe).collect();
        assert_eq!(told, [status.to_string()]);
        assert_eq!(net.proxy.counters().undelivered, 1);
        net.finish();
    }
}

/// The connection is the address in Via, so that there is no other to turn to; nor is a request without a transaction
/// better off.
#[test]
fn an_answer_without_another_way_is_told() {
    let mut net = Net::new();
    net.send_tcp(CARRIER, invite(CARRIER, "c1").via(&format!("SIP/2.0/TCP {CARRIER};branch=z9hG4bKt")));
    let sent = net.take(PBX, "INVITE");
    net.connections.clear();
    net.send(PBX, reply(&sent, 200, "b", PBX));
    assert_eq!(net.proxy.counters().undelivered, 1);
    net.finish();
}

/// A transaction that is over with its answer (RFC 3261 §17.2.2) is no reason to lose that.
#[test]
fn the_answer_to_any_other_request_goes_to_the_stated_address_too() {
    let mut net = Net::new();
    let options = draft("OPTIONS", EPHEMERAL, "c1").via(&format!("SIP/2.0/TCP {CARRIER};branch=z9hG4bKt"));
    net.send_tcp(EPHEMERAL, options);
    let sent = net.take(PBX, "OPTIONS");
    net.connections.clear();
    net.send(PBX, reply(&sent, 200, "b", PBX));
    net.take(CARRIER, "200");
    assert!(net.undelivered.is_empty());
    net.finish();
}

#[test]
fn a_content_length_is_stated_where_a_stream_needs_it() {
    let mut net = Net::new();
    net.send_tcp(EPHEMERAL, call());
    let sent = net.take(PBX, "INVITE");
    let ok = String::from_utf8(reply(&sent, 180, "b", PBX)).unwrap();
    net.send(PBX, ok.replace("Content-Length: 0\r\n", ""));
    net.take(EPHEMERAL, "100");
    let ringing = net.take(EPHEMERAL, "180");
    assert_eq!(ringing.headers_called("Content-Length").count(), 1);
    net.finish();
}
