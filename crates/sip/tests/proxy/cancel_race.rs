//! CANCEL against everything it can race with (RFC 3261 §9, §16.10).

use sidetone_sip::message::Name;

use crate::sim::*;

#[test]
fn a_ringing_call_is_cancelled_hop_by_hop() {
    let mut net = Net::new();
    let call = invite(CARRIER, "c1");
    net.send(CARRIER, &call);
    net.take(CARRIER, "100");
    let sent = net.take(PBX, "INVITE");
    net.send(PBX, reply(&sent, 180, "b", PBX));
    net.take(CARRIER, "180");

    net.send(CARRIER, call.cancel().header("Reason: SIP;cause=200;text=\"Call completed elsewhere\""));
    net.take(CARRIER, "200");
    let cancel = net.take(PBX, "CANCEL");
    assert_eq!(cancel.first_value(Name::Via), sent.first_value(Name::Via));
    assert_eq!(cancel.values(Name::Via).count(), 1);
    assert_eq!(cancel.request_uri(), sent.request_uri());
    assert_eq!(cancel.cseq().unwrap().number, 1);
    assert_eq!(
        cancel.header(Name::Reason).unwrap().text(),
        "SIP;cause=200;text=\"Call completed elsewhere\""
    );

    net.send(PBX, reply(&cancel, 200, "b", PBX));
    net.send(PBX, reply(&sent, 487, "b", PBX));
    net.take(PBX, "ACK");
    net.take(CARRIER, "487");
    net.send(CARRIER, call.ack("b"));
    net.nothing(PBX);
    net.nothing(CARRIER);
    assert!(net.proxy.filter().concluded.is_empty());
    net.finish();
}

#[test]
fn a_cancel_waits_for_the_first_provisional_response() {
    let mut net = Net::new();
    let call = invite(CARRIER, "c1");
    net.send(CARRIER, &call);
    net.take(CARRIER, "100");
    let sent = net.take(PBX, "INVITE");
    net.send(CARRIER, call.cancel());
    net.take(CARRIER, "200");
    net.nothing(PBX);
    net.send(PBX, reply(&sent, 100, "", PBX));
    let cancel = net.take(PBX, "CANCEL");
    net.send(PBX, reply(&cancel, 200, "b", PBX));
    net.send(PBX, reply(&sent, 487, "b", PBX));
    net.take(PBX, "ACK");
    net.take(CARRIER, "487");
    net.send(CARRIER, call.ack("b"));
    net.finish();
}

#[test]
fn a_cancel_in_waiting_loses_against_a_2xx() {
    let mut net = Net::new();
    let call = invite(CARRIER, "c1");
    net.send(CARRIER, &call);
    let sent = net.take(PBX, "INVITE");
    net.send(CARRIER, call.cancel());
    net.send(PBX, reply(&sent, 200, "b", PBX));
    net.nothing(PBX);
    let got: Vec<_> = net.all(CARRIER).iter().map(|a| describe(&a.message)).collect();
    assert_eq!(got, ["100", "200", "200"]);
    net.finish();
}

#[test]
fn a_2xx_that_crosses_the_cancel_is_forwarded() {
    let mut net = Net::new();
    let call = invite(CARRIER, "c1");
    net.send(CARRIER, &call);
    let sent = net.take(PBX, "INVITE");
    net.send(PBX, reply(&sent, 180, "b", PBX));
    net.send(CARRIER, call.cancel());
    let cancel = net.take(PBX, "CANCEL");
    net.all(CARRIER);
    net.send(PBX, reply(&sent, 200, "b", PBX));
    net.send(PBX, reply(&cancel, 481, "b", PBX));
    let ok = net.take(CARRIER, "200");
    assert_eq!(ok.cseq().unwrap().method.as_str(), "INVITE");
    net.nothing(CARRIER);
    net.finish();
}

#[test]
fn a_cancel_after_the_final_response_has_no_effect() {
    for status in [200, 486] {
        let mut net = Net::new();
        let call = invite(CARRIER, "c1");
        net.send(CARRIER, &call);
        let sent = net.take(PBX, "INVITE");
        net.send(PBX, reply(&sent, status, "b", PBX));
        net.all(PBX);
        net.all(CARRIER);
        net.send(CARRIER, call.cancel());
        net.take(CARRIER, "200");
        net.nothing(PBX);
        net.finish();
    }
}

#[test]
fn a_cancel_that_meets_no_invite_is_answered_481() {
    let mut net = Net::new();
    net.send(CARRIER, invite(CARRIER, "c1").cancel());
    net.take(CARRIER, "481");
    // A CANCEL meets INVITEs only.
    let options = draft("OPTIONS", CARRIER, "c2");
    net.send(CARRIER, &options);
    let sent = net.take(PBX, "OPTIONS");
    net.send(CARRIER, options.cancel());
    net.take(CARRIER, "481");
    net.nothing(PBX);
    net.send(PBX, reply(&sent, 200, "b", PBX));
    net.take(CARRIER, "200");
    assert_eq!(net.proxy.counters().stray_cancels, 2);
    net.finish();
}

#[test]
fn a_cancel_before_the_route_is_known_ends_the_call_here() {
    let mut net = Net::new();
    net.hold_routes = true;
    let call = invite(CARRIER, "c1");
    net.send(CARRIER, &call);
    net.send(CARRIER, call.cancel());
    net.take(CARRIER, "200");
    net.take(CARRIER, "487");
    assert!(net.proxy.filter().concluded.is_empty(), "the passage has not seen it pass");
    let query = net.asked.remove(0);
    let late = net.route(&query);
    net.decide(&query, late);
    net.nothing(PBX);
    net.finish();
}

#[test]
fn a_repeated_cancel_is_answered_each_time_and_forwarded_once() {
    let mut net = Net::new();
    let call = invite(CARRIER, "c1");
    net.send(CARRIER, &call);
    net.take(CARRIER, "100");
    let sent = net.take(PBX, "INVITE");
    net.send(PBX, reply(&sent, 100, "", PBX));
    for _ in 0..3 {
        net.send(CARRIER, call.cancel());
        net.take(CARRIER, "200");
    }
    net.take(PBX, "CANCEL");
    net.nothing(PBX);
    net.finish();
}

#[test]
fn a_cancel_is_retransmitted_until_it_is_answered() {
    let mut net = Net::new();
    let call = invite(CARRIER, "c1");
    net.send(CARRIER, &call);
    let sent = net.take(PBX, "INVITE");
    net.send(PBX, reply(&sent, 100, "", PBX));
    net.send(CARRIER, call.cancel());
    net.pass(ms(1600));
    let cancels = net.all(PBX);
    assert_eq!(cancels.len(), 3, "at once, after 500 ms, after 1.5 s");
    net.send(PBX, reply(&cancels[0].message, 200, "b", PBX));
    net.pass(secs(5));
    net.nothing(PBX);
    net.finish();
}

#[test]
fn a_callee_that_ignores_the_cancel_is_given_up_after_64_t1() {
    let mut net = Net::new();
    let call = invite(CARRIER, "c1");
    net.send(CARRIER, &call);
    let sent = net.take(PBX, "INVITE");
    net.send(PBX, reply(&sent, 180, "b", PBX));
    net.send(CARRIER, call.cancel());
    net.all(CARRIER);
    net.pass(ms(31_900));
    net.nothing(CARRIER);
    net.pass(ms(200));
    net.take(CARRIER, "487");
    assert_eq!(net.proxy.filter().concluded, [("INVITE".to_owned(), 487)]);
    net.send(CARRIER, call.ack("x"));
    net.finish();
}

#[test]
fn a_silent_callee_is_given_up_by_timer_b_with_487_when_cancelled() {
    let mut net = Net::new();
    net.pbx = vec![udp(PBX), udp(PBX2)];
    let call = invite(CARRIER, "c1");
    net.send(CARRIER, &call);
    net.send(CARRIER, call.cancel());
    net.all(CARRIER);
    net.pass(secs(33));
    net.take(CARRIER, "487");
    net.nothing(PBX2); // no failover for a call that nobody wants any more
    net.finish();
}

#[test]
fn a_503_after_the_cancel_is_forwarded_and_not_failed_over() {
    let mut net = Net::new();
    net.pbx = vec![udp(PBX), udp(PBX2)];
    let call = invite(CARRIER, "c1");
    net.send(CARRIER, &call);
    let sent = net.take(PBX, "INVITE");
    net.send(CARRIER, call.cancel());
    net.all(CARRIER);
    net.send(PBX, reply(&sent, 503, "b", PBX));
    net.take(CARRIER, "503");
    net.nothing(PBX2);
    net.finish();
}
