//! Peers older than the magic cookie: matched by what stays the same (RFC 3261 §17.2.3).

use crate::sim::*;

fn old(call: &str) -> Draft {
    invite(CARRIER, call).via(&format!("SIP/2.0/UDP {CARRIER}"))
}

#[test]
fn retransmission_cancel_and_ack_find_their_invite() {
    for via in [
        format!("SIP/2.0/UDP {CARRIER}"),
        format!("SIP/2.0/UDP {CARRIER};branch=1"),
        format!("SIP/2.0/UDP {CARRIER};branch=z9hG4bK"),
    ] {
        let mut net = Net::new();
        let call = old("c1").via(&via);
        net.send(CARRIER, &call);
        net.take(CARRIER, "100");
        let sent = net.take(PBX, "INVITE");
        net.send(CARRIER, &call);
        net.take(CARRIER, "100");
        net.nothing(PBX);
        net.send(PBX, reply(&sent, 180, "b", PBX));
        net.take(CARRIER, "180");
        net.send(CARRIER, call.cancel());
        net.take(CARRIER, "200");
        net.take(PBX, "CANCEL");
        net.send(PBX, reply(&sent, 487, "b", PBX));
        net.take(PBX, "ACK");
        net.take(CARRIER, "487");
        net.send(CARRIER, call.ack("b"));
        net.nothing(PBX);
        assert_eq!(net.proxy.counters().acks_absorbed, 1, "{via}");
        net.finish();
    }
}

#[test]
fn calls_at_the_same_time_are_told_apart() {
    let mut net = Net::new();
    for call in ["c1", "c2", "c3"] {
        net.send(CARRIER, old(call));
        net.take(PBX, "INVITE");
    }
    net.finish();
}

#[test]
fn the_ack_to_a_2xx_is_forwarded() {
    let mut net = Net::new();
    net.send(CARRIER, old("c1"));
    net.take(CARRIER, "100");
    let sent = net.take(PBX, "INVITE");
    net.send(PBX, reply(&sent, 200, "b", PBX));
    let ok = net.take(CARRIER, "200");
    net.send(
        CARRIER,
        Dialog::of_caller(&ok).request("ACK", CARRIER, 1).via(&format!("SIP/2.0/UDP {CARRIER}")),
    );
    net.take(PBX, "ACK");
    net.finish();
}
