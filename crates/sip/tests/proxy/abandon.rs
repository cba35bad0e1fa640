//! The process ends while calls are being set up: no phone rings on, and no caller waits.

use sidetone_sip::message::Name;

use crate::sim::*;

/// Sends 503 to the caller, which acknowledges it.
fn refused(net: &mut Net, call: &Draft) {
    let refusal = net.take(CARRIER, "503");
    assert!(refusal.header(Name::RetryAfter).is_some());
    let tag = refusal.to_tag().unwrap().to_owned();
    net.send(CARRIER, call.ack(&tag));
}

#[test]
fn a_call_that_rings_or_has_early_media_is_cancelled_and_refused() {
    for status in [100, 180, 183] {
        let mut net = Net::new();
        let call = invite(CARRIER, "c1");
        net.send(CARRIER, &call);
        net.take(CARRIER, "100");
        let sent = net.take(PBX, "INVITE");
        net.send(PBX, reply(&sent, status, "b", PBX));
        net.all(CARRIER);
        assert_eq!(net.proxy.abandoned(), 0);
        net.proxy.abandon(net.now);
        net.drain();
        let cancel = net.take(PBX, "CANCEL");
        assert_eq!(cancel.first_value(Name::Via), sent.first_value(Name::Via));
        refused(&mut net, &call);
        assert_eq!(net.proxy.abandoned(), 1, "the PBX has not confirmed");
        net.send(PBX, reply(&cancel, 200, "b", PBX));
        net.send(PBX, reply(&sent, 487, "b", PBX));
        net.take(PBX, "ACK");
        assert_eq!(net.proxy.abandoned(), 0);
        net.nothing(CARRIER);
        net.finish();
    }
}

#[test]
fn a_silent_host_is_sent_the_cancel_with_its_first_word() {
    let mut net = Net::new();
    let call = invite(CARRIER, "c1");
    net.send(CARRIER, &call);
    net.take(CARRIER, "100");
    let sent = net.take(PBX, "INVITE");
    net.proxy.abandon(net.now);
    net.drain();
    refused(&mut net, &call);
    net.nothing(PBX);
    net.send(PBX, reply(&sent, 180, "b", PBX));
    let cancel = net.take(PBX, "CANCEL");
    net.send(PBX, reply(&cancel, 200, "b", PBX));
    net.send(PBX, reply(&sent, 487, "b", PBX));
    net.take(PBX, "ACK");
    assert_eq!(net.proxy.abandoned(), 0);
    net.finish();
}

/// Its hosts are still being looked up.
#[test]
fn a_call_whose_way_is_not_known_yet_is_refused_and_goes_nowhere() {
    let mut net = Net::new();
    net.hold_routes = true;
    let call = invite(CARRIER, "c1");
    net.send(CARRIER, &call);
    net.proxy.abandon(net.now);
    net.drain();
    refused(&mut net, &call);
    let query = net.asked.pop().unwrap();
    let decision = net.route(&query);
    net.decide(&query, decision);
    net.nothing(PBX);
    assert_eq!(net.proxy.abandoned(), 0);
    net.finish();
}

#[test]
fn what_has_its_answer_is_left_alone() {
    let mut net = Net::new();
    let call = invite(CARRIER, "c1");
    net.send(CARRIER, &call);
    net.take(CARRIER, "100");
    let sent = net.take(PBX, "INVITE");
    net.send(PBX, reply(&sent, 407, "b", PBX));
    net.take(PBX, "ACK");
    net.take(CARRIER, "407");
    net.proxy.abandon(net.now);
    net.drain();
    net.nothing(PBX);
    net.nothing(CARRIER);
    assert_eq!(net.proxy.abandoned(), 0);
    net.send(CARRIER, call.ack("b"));
    net.finish();
}
