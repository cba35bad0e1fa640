//! A call from the carrier to the PBX and its end, and the same the other way: who sees what.

use sidetone_call::Side;
use sidetone_sip::message::Name;

use crate::sim::*;

#[test]
fn a_call_from_carrier_to_pbx() {
    let mut net = Net::new();
    net.send(CARRIER, invite(CARRIER, "c1"));
    net.take(CARRIER, "100");
    let invite = net.take(PBX, "INVITE");
    assert_eq!(invite.request_uri(), Some("sip:+15550100@sidetone.example"));
    assert_eq!(invite.header(Name::MaxForwards).unwrap().text(), "69");
    assert_eq!(invite.values(Name::Via).count(), 2);
    assert_eq!(invite.header(Name::RecordRoute).unwrap().text(), "<sip:192.0.2.1:5060;lr>");
    assert_eq!(invite.body(), SDP.as_bytes());

    net.send(PBX, reply(&invite, 100, "", PBX));
    net.nothing(CARRIER);
    net.send(PBX, reply(&invite, 180, "b", PBX));
    let ringing = net.take(CARRIER, "180");
    assert_eq!(ringing.values(Name::Via).count(), 1);
    net.send(PBX, reply(&invite, 200, "b", PBX));
    let ok = net.take(CARRIER, "200");

    let caller = Dialog::of_caller(&ok);
    net.send(CARRIER, caller.request("ACK", CARRIER, 1));
    let ack = net.take(PBX, "ACK");
    assert_eq!(ack.request_uri(), Some("sip:bob@203.0.113.20:5060"));
    assert!(ack.header(Name::Route).is_none());

    let callee = Dialog::of_callee(&invite, "b");
    net.send(PBX, callee.request("BYE", PBX, 1));
    let bye = net.take(CARRIER, "BYE");
    assert!(bye.header(Name::RecordRoute).is_none());
    net.send(CARRIER, reply(&bye, 200, "", CARRIER));
    net.take(PBX, "200");
    net.nothing(PBX);
    net.nothing(CARRIER);

    let (carrier, pbx) = (addr(CARRIER), addr(PBX));
    let seen = net.proxy.filter();
    assert_eq!(
        seen.requests,
        [
            ("INVITE".into(), Side::Trunk, pbx),
            ("ACK".into(), Side::Trunk, pbx),
            ("BYE".into(), Side::Pbx, carrier)
        ]
    );
    assert_eq!(
        seen.responses,
        [(180, Side::Pbx, carrier), (200, Side::Pbx, carrier), (200, Side::Trunk, pbx)]
    );
    assert!(seen.concluded.is_empty());
    net.finish();
}

#[test]
fn a_call_from_pbx_to_carrier_that_is_refused() {
    let mut net = Net::new();
    net.send(PBX, invite(PBX, "c1"));
    net.take(PBX, "100");
    let invite = net.take(CARRIER, "INVITE");
    net.send(CARRIER, reply_with(&invite, 486, "b", CARRIER, &[("X-Reason", "at  lunch")]));
    let ack = net.take(CARRIER, "ACK");
    assert_eq!(ack.to_tag(), Some("b"));
    assert_eq!(ack.first_value(Name::Via), invite.first_value(Name::Via));
    assert_eq!(ack.values(Name::Via).count(), 1);
    let busy = net.take(PBX, "486");
    assert_eq!(busy.headers_called("X-Reason").next().unwrap().value, b"at  lunch");
    let ack =
        draft("ACK", PBX, "c1").via(&format!("SIP/2.0/UDP {PBX};branch=z9hG4bK-c1-INVITE-1")).tagged("b");
    net.send(PBX, ack);
    net.nothing(CARRIER);
    assert_eq!(net.proxy.counters().acks_absorbed, 1);
    net.finish();
}
