//! Full tables: refused without state, and what is in a dialog still gets through.

use crate::sim::*;
use sidetone_sip::message::Name;

#[test]
fn new_requests_get_503_with_retry_after_and_dialogs_can_still_end() {
    let mut net = Net::with(sidetone_sip::proxy::Settings { max_transactions: 100, ..settings() });
    let mut sent = Vec::new();
    for n in 0..50 {
        net.send(CARRIER, invite(CARRIER, &format!("c{n}")));
        sent.push(net.take(PBX, "INVITE"));
    }
    net.all(CARRIER);
    assert_eq!(net.proxy.transactions(), 100, "a request and its target each");
    let one_more = invite(CARRIER, "late");
    net.send(CARRIER, &one_more);
    let refusal = net.take(CARRIER, "503");
    assert_eq!(refusal.header(Name::RetryAfter).unwrap().text(), "5");
    net.send(CARRIER, one_more.ack(refusal.to_tag().unwrap()));
    net.nothing(PBX);
    assert_eq!(net.proxy.transactions(), 100);
    assert_eq!(net.proxy.counters().overloaded, 1);

    net.send(PBX, reply(&sent[0], 200, "b", PBX));
    let dialog = Dialog::of_caller(&net.take(CARRIER, "200"));
    net.send(CARRIER, dialog.request("ACK", CARRIER, 1));
    net.take(PBX, "ACK");
    net.send(CARRIER, dialog.request("BYE", CARRIER, 2));
    let bye = net.take(PBX, "BYE");
    net.send(PBX, reply(&bye, 200, "", PBX));
    net.take(CARRIER, "200");
    net.finish();
}

#[test]
fn a_flood_does_not_grow_anything() {
    let mut net = Net::with(sidetone_sip::proxy::Settings { max_transactions: 100, ..settings() });
    for n in 0..2000 {
        net.send(CARRIER, invite(CARRIER, &format!("c{n}")));
        net.send(CARRIER, draft("BYE", CARRIER, &format!("b{n}")).tagged("x").uri(&format!("sip:b@{PBX}")));
        assert!(net.proxy.transactions() <= 126);
    }
    net.finish();
}
