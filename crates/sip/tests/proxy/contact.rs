//! Contacts that can't be reached, of neighbours for whom the shell wants them replaced.

use std::sync::Arc;

use sidetone_sip::message::{Flaw, Name};
use sidetone_sip::proxy::{Decision, DropReason, Settings};

use crate::sim::*;

/// The PBX in its container names an address that leads nowhere, and is reached all the same.
#[test]
fn an_unreachable_contact_becomes_the_source() {
    let mut net = Net::new();
    net.proxy.fix_contacts(Arc::new(|source| source == addr(PBX)));
    net.send(CARRIER, invite(CARRIER, "c1"));
    let sent = net.take(PBX, "INVITE");
    let theirs = sent.header(Name::Contact).unwrap().text().into_owned();
    assert!(theirs.contains(CARRIER), "the carrier's own stays: {theirs}");
    let ok = String::from_utf8(reply(&sent, 200, "b", PBX)).unwrap();
    let contact = ok.lines().find(|line| line.starts_with("Contact:")).unwrap().to_owned();
    net.send(PBX, ok.replace(&contact, "Contact: \"Queue\" <sip:asterisk@019f9ae299f5:5060;ob>;x=y"));
    net.take(CARRIER, "100");
    let ok = net.take(CARRIER, "200");
    assert_eq!(ok.header(Name::Contact).unwrap().text(), format!("\"Queue\" <sip:asterisk@{PBX};ob>;x=y"));
    let dialog = Dialog::of_caller(&ok);
    net.send(CARRIER, dialog.request("ACK", CARRIER, 1));
    net.take(PBX, "ACK");
    net.send(CARRIER, dialog.request("BYE", CARRIER, 2));
    let bye = net.take(PBX, "BYE");
    net.send(PBX, reply(&bye, 200, "", PBX));
    net.take(CARRIER, "200");
    net.finish();
}

/// What is dropped is told, and by whom it came.
#[test]
fn what_goes_nowhere_is_told() {
    let mut net = Net::with(Settings { failover_after: secs(4), ..settings() });
    net.send(PBX, "SIP/2.0 200 OK\r\nVia: x\r\n\r\n");
    let lost = net.proxy.poll_dropped().unwrap();
    assert_eq!(lost.source.remote, addr(PBX));
    assert!(matches!(lost.why, DropReason::Malformed(_)));
    let request = invite(CARRIER, "c1");
    net.send(CARRIER, &request);
    let sent = net.take(PBX, "INVITE");
    net.pass(secs(5));
    assert!(net.proxy.poll_dropped().is_none());
    net.take(CARRIER, "100");
    let refusal = net.take(CARRIER, "503");
    // As long as the caller's transaction may stand, even a 2xx after a failure passes (RFC 3261 §16.7 step 5).
    net.send(PBX, reply(&sent, 200, "b", PBX));
    assert!(net.all(CARRIER).iter().any(|arrived| arrived.message.status() == Some(200)));
    net.send(CARRIER, request.ack(refusal.to_tag().unwrap()));
    net.pass(secs(6));
    assert!(net.proxy.poll_dropped().is_none());
    net.send(PBX, reply(&sent, 200, "b", PBX));
    assert_eq!(net.proxy.poll_dropped().map(|lost| lost.why), Some(DropReason::TooLate));
}

/// A PBX that says no after its caller was told that nobody answers.
#[test]
fn a_failure_that_comes_too_late_is_told() {
    let mut net = Net::with(Settings { failover_after: secs(4), ..settings() });
    net.send(CARRIER, invite(CARRIER, "c1"));
    let sent = net.take(PBX, "INVITE");
    net.pass(secs(5));
    net.send(PBX, reply(&sent, 486, "b", PBX));
    assert_eq!(net.proxy.poll_dropped().map(|lost| lost.why), Some(DropReason::TooLate));
    assert_eq!(net.proxy.counters().stray_responses, 1);
    assert!(net.all(PBX).iter().any(|arrived| describe(&arrived.message) == "ACK"));
}

/// RFC 3261 §18.3: a response that is shorter than it says is discarded; §7.1: methods are compared with case. Either
/// way the call goes on as if it had not come, and whoever runs this hears why.
#[test]
fn a_response_that_may_not_be_taken_is_counted_and_told() {
    let mut net = Net::new();
    net.send(CARRIER, invite(CARRIER, "c1"));
    let sent = net.take(PBX, "INVITE");
    net.take(CARRIER, "100");
    let ok = String::from_utf8(reply(&sent, 200, "b", PBX)).unwrap();
    net.send(PBX, ok.replace("Content-Length: 0", "Content-Length: 10"));
    assert_eq!(net.proxy.poll_dropped().map(|lost| lost.why), Some(DropReason::Malformed(Flaw::ShortBody)));
    assert_eq!(net.proxy.counters().malformed_dropped, 1);
    net.send(PBX, ok.replace("CSeq: 1 INVITE", "CSeq: 1 invite"));
    assert_eq!(net.proxy.poll_dropped().map(|lost| lost.why), Some(DropReason::OtherMethod));
    assert_eq!(net.proxy.counters().stray_responses, 1);
    net.nothing(CARRIER);
    net.send(PBX, ok);
    net.take(CARRIER, "200");
    assert!(net.proxy.poll_dropped().is_none());
    // A request that is shorter than it says gets its 400.
    net.send(CARRIER, invite(CARRIER, "c2").text().replace("Content-Length: ", "Content-Length: 9"));
    net.take(CARRIER, "400");
    net.nothing(PBX);
    net.finish();
}

/// Nothing may be answered to an ACK, so that nobody but the log says that one was dropped.
#[test]
fn an_ack_that_leads_nowhere_is_told() {
    let mut net = Net::new();
    net.hold_routes = true;
    net.send(CARRIER, draft("ACK", CARRIER, "c1").tagged("b"));
    let asked = net.asked.pop().unwrap();
    net.decide(&asked, Decision::Drop);
    assert_eq!(net.proxy.poll_dropped().map(|lost| lost.why), Some(DropReason::Ack));
    net.send(CARRIER, draft("ACK", CARRIER, "c2").tagged("b"));
    let asked = net.asked.pop().unwrap();
    net.decide(&asked, Decision::Reject { status: 403, reason: "No Relay".into(), headers: Vec::new() });
    assert_eq!(net.proxy.poll_dropped().map(|lost| lost.why), Some(DropReason::Ack));
    net.nothing(CARRIER);
    net.finish();
}
