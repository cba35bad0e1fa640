//! Contacts that can't be reached, of neighbours for whom the shell wants them replaced.

use std::sync::Arc;

use crate::sim::*;
use sidetone_sip::message::Name;
use sidetone_sip::proxy::{Loss, Settings};

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
    let lost = net.proxy.poll_lost().unwrap();
    assert_eq!(lost.source.remote, addr(PBX));
    assert!(matches!(lost.why, Loss::Malformed(_)));
    let request = invite(CARRIER, "c1");
    net.send(CARRIER, &request);
    let sent = net.take(PBX, "INVITE");
    net.pass(secs(5));
    assert!(net.proxy.poll_lost().is_none());
    net.take(CARRIER, "100");
    let refusal = net.take(CARRIER, "503");
    // As long as the caller's transaction may stand, even a 2xx after a failure passes (RFC 3261 §16.7 step 5).
    net.send(PBX, reply(&sent, 200, "b", PBX));
    assert!(net.all(CARRIER).iter().any(|arrived| arrived.message.status() == Some(200)));
    net.send(CARRIER, request.ack(refusal.to_tag().unwrap()));
    net.pass(secs(6));
    assert!(net.proxy.poll_lost().is_none());
    net.send(PBX, reply(&sent, 200, "b", PBX));
    assert_eq!(net.proxy.poll_lost().map(|lost| lost.why), Some(Loss::TooLate));
}
