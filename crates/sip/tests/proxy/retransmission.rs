//! What comes again is absorbed or answered from memory; what isn't answered is sent again (RFC 3261 §17).

use sidetone_sip::message::Name;
use sidetone_sip::proxy::Settings;

use crate::sim::*;

#[test]
fn a_repeated_invite_gets_the_last_response_again_and_goes_nowhere() {
    let mut net = Net::new();
    let call = invite(CARRIER, "c1");
    net.send(CARRIER, &call);
    net.take(CARRIER, "100");
    let sent = net.take(PBX, "INVITE");
    net.send(CARRIER, &call);
    net.take(CARRIER, "100");
    net.send(PBX, reply(&sent, 183, "b", PBX));
    let progress = net.take(CARRIER, "183");
    net.send(CARRIER, &call);
    assert_eq!(net.take(CARRIER, "183").as_bytes(), progress.as_bytes());
    net.send(PBX, reply(&sent, 404, "b", PBX));
    net.take(CARRIER, "404");
    net.send(CARRIER, &call);
    net.take(CARRIER, "404");
    net.send(CARRIER, call.ack("b"));
    net.send(CARRIER, &call);
    net.nothing(CARRIER);
    net.take(PBX, "ACK");
    net.nothing(PBX);
    assert_eq!(net.asked.len(), 1, "routed once");
    assert_eq!(net.proxy.counters().retransmissions_in, 4);
    net.finish();
}

#[test]
fn an_unanswered_invite_is_sent_at_doubling_intervals_until_timer_b() {
    let mut net = Net::with(Settings { failover_after: secs(60), ..settings() });
    net.send(CARRIER, invite(CARRIER, "c1"));
    let start = net.now;
    net.pass(secs(40));
    let times: Vec<_> = net.all(PBX).iter().map(|a| (a.at - start).as_millis()).collect();
    assert_eq!(times, [0, 500, 1500, 3500, 7500, 15_500, 31_500]);
    net.finish();
}

#[test]
fn copies_of_the_request_are_the_same_bytes() {
    let mut net = Net::new();
    net.send(CARRIER, invite(CARRIER, "c1"));
    net.pass(secs(4));
    let sent = net.all(PBX);
    assert_eq!(sent.len(), 4);
    assert!(sent.windows(2).all(|w| w[0].message.as_bytes() == w[1].message.as_bytes()));
    net.finish();
}

#[test]
fn an_unanswered_non_invite_is_sent_up_to_every_four_seconds_until_timer_f() {
    let mut net = Net::new();
    net.send(CARRIER, draft("MESSAGE", CARRIER, "m1"));
    let start = net.now;
    net.pass(secs(40));
    let times: Vec<_> = net.all(PBX).iter().map(|a| (a.at - start).as_millis()).collect();
    assert_eq!(times, [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    net.finish();
}

#[test]
fn after_a_provisional_response_a_non_invite_is_sent_every_four_seconds() {
    let mut net = Net::new();
    net.send(CARRIER, draft("MESSAGE", CARRIER, "m1"));
    let start = net.now;
    let sent = net.take(PBX, "MESSAGE");
    net.send(PBX, reply(&sent, 100, "", PBX));
    net.pass(secs(10));
    let times: Vec<_> = net.all(PBX).iter().map(|a| (a.at - start).as_millis()).collect();
    assert_eq!(times, [500, 4500, 8500]);
    net.finish();
}

#[test]
fn a_failure_is_repeated_until_its_ack_and_no_longer() {
    let mut net = Net::new();
    let call = invite(CARRIER, "c1");
    net.send(CARRIER, &call);
    net.take(CARRIER, "100");
    let sent = net.take(PBX, "INVITE");
    let start = net.now;
    net.send(PBX, reply(&sent, 486, "b", PBX));
    net.pass(secs(12));
    let times: Vec<_> = net.all(CARRIER).iter().map(|a| (a.at - start).as_millis()).collect();
    assert_eq!(times, [0, 500, 1500, 3500, 7500, 11_500]);
    net.send(CARRIER, call.ack("b"));
    net.pass(secs(4));
    net.send(CARRIER, call.ack("b"));
    net.nothing(CARRIER);
    net.finish();
}

#[test]
fn a_repeated_failure_is_acknowledged_again_and_not_forwarded() {
    let mut net = Net::new();
    net.send(CARRIER, invite(CARRIER, "c1"));
    net.take(CARRIER, "100");
    let sent = net.take(PBX, "INVITE");
    net.send(PBX, reply(&sent, 486, "b", PBX));
    let ack = net.take(PBX, "ACK");
    net.take(CARRIER, "486");
    net.send(PBX, reply(&sent, 486, "b", PBX));
    assert_eq!(net.take(PBX, "ACK").as_bytes(), ack.as_bytes());
    net.nothing(CARRIER);
    net.finish();
}

#[test]
fn a_repeated_bye_gets_its_200_again_and_a_repeated_200_is_absorbed() {
    let mut net = Net::new();
    let message = draft("MESSAGE", CARRIER, "m1");
    net.send(CARRIER, &message);
    let sent = net.take(PBX, "MESSAGE");
    net.send(CARRIER, &message);
    net.nothing(PBX);
    net.nothing(CARRIER);
    for _ in 0..2 {
        net.send(PBX, reply(&sent, 200, "b", PBX));
    }
    net.take(CARRIER, "200");
    net.nothing(CARRIER);
    net.send(CARRIER, &message);
    net.take(CARRIER, "200");
    net.nothing(PBX);
    net.finish();
}

#[test]
fn over_tcp_nothing_is_sent_again() {
    let mut net = Net::with(Settings { failover_after: secs(60), ..settings() });
    net.pbx = vec![tcp(PBX)];
    let call = invite(CARRIER, "c1").via(&format!("SIP/2.0/TCP {CARRIER};branch=z9hG4bKx"));
    net.send_tcp(CARRIER, &call);
    net.take(CARRIER, "100");
    net.pass(secs(20));
    let sent = net.take(PBX, "INVITE");
    net.nothing(PBX);
    net.send_tcp(PBX, reply(&sent, 486, "b", PBX));
    net.take(PBX, "ACK");
    net.take(CARRIER, "486");
    net.pass(secs(20));
    net.nothing(CARRIER);
    net.send_tcp(CARRIER, call.ack("b"));
    assert_eq!(net.proxy.transactions(), 0, "timers D, I and K are zero over TCP");
    net.finish();
}

#[test]
fn reliable_provisional_responses_and_their_copies_pass_each_time() {
    let mut net = Net::new();
    net.send(CARRIER, invite(CARRIER, "c1").header("Supported: 100rel"));
    net.take(CARRIER, "100");
    let sent = net.take(PBX, "INVITE");
    for _ in 0..3 {
        net.send(PBX, reply_with(&sent, 183, "b", PBX, &[("Require", "100rel"), ("RSeq", "1")]));
        assert_eq!(net.take(CARRIER, "183").header(Name::RSeq).unwrap().text(), "1");
    }
    let early = {
        net.send(PBX, reply_with(&sent, 183, "b", PBX, &[("Require", "100rel"), ("RSeq", "1")]));
        Dialog::of_caller(&net.take(CARRIER, "183"))
    };
    net.send(CARRIER, early.request("PRACK", CARRIER, 2).header("RAck: 1 1 INVITE"));
    let prack = net.take(PBX, "PRACK");
    assert_eq!(prack.header(Name::RAck).unwrap().text(), "1 1 INVITE");
    net.send(PBX, reply(&prack, 200, "", PBX));
    net.take(CARRIER, "200");
    net.send(PBX, reply(&sent, 200, "b", PBX));
    net.take(CARRIER, "200");
    net.finish();
}
