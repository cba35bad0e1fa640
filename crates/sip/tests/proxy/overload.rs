//! Full tables: refused without state, and what is in a dialog still gets through.

use sidetone_call::Side;
use sidetone_sip::message::Name;
use sidetone_sip::proxy::Neighbour;

use crate::sim::*;

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

/// Long requests count as several: what is bounded is memory.
#[test]
fn long_requests_fill_the_room_sooner() {
    let mut net = Net::with(sidetone_sip::proxy::Settings { max_transactions: 100, ..settings() });
    let long = "x".repeat(40_000);
    let mut passed = 0;
    for n in 0..20 {
        net.send_tcp(CARRIER, draft("MESSAGE", CARRIER, &format!("m{n}")).body(&long));
        passed += net.anywhere().filter(|arrived| describe(&arrived.message).contains("MESSAGE")).count();
    }
    // Each counts as ten, and so does its target.
    assert_eq!((passed, net.proxy.counters().overloaded), (5, 15));
}

/// A carrier that fills its share leaves room for the PBX's calls, and can still end its own.
#[test]
fn no_peer_has_all_the_transactions() {
    let mut net = Net::with(sidetone_sip::proxy::Settings { max_transactions: 100, ..settings() });
    net.proxy.name_peers(|source| match source.ip() {
        ip if ip == addr(CARRIER).ip() => Some(Neighbour { side: Side::Trunk, id: 1 }),
        ip if ip == addr(PBX).ip() => Some(Neighbour { side: Side::Pbx, id: 2 }),
        _ => None,
    });
    let mut sent = Vec::new();
    for n in 0..60 {
        net.send(CARRIER, invite(CARRIER, &format!("c{n}")));
        sent.extend(net.arrived(PBX));
    }
    // A request and its target each: the thirty-eighth begins below the share, and ends it.
    assert_eq!((sent.len(), net.proxy.transactions()), (38, 76));
    assert_eq!(net.proxy.counters().overloaded, 22);
    net.all(CARRIER);
    net.send(PBX, invite(PBX, "out"));
    net.take(CARRIER, "INVITE");
    net.send(PBX, reply(&sent[0].message, 200, "b", PBX));
    let dialog = Dialog::of_caller(&net.take(CARRIER, "200"));
    net.send(CARRIER, dialog.request("ACK", CARRIER, 1));
    net.all(PBX);
    net.send(CARRIER, dialog.request("BYE", CARRIER, 2));
    let bye = net.take(PBX, "BYE");
    net.send(PBX, reply(&bye, 200, "", PBX));
    net.take(CARRIER, "200");
    net.pass(secs(400));
    for n in 0..60 {
        net.send(CARRIER, invite(CARRIER, &format!("again{n}")));
    }
    assert_eq!(net.proxy.transactions(), 76, "what has ended counts no more");
    net.finish();
}
