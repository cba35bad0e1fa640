//! How the shell is asked, and what its answers do.

use sidetone_sip::message::Name;
use sidetone_sip::proxy::{Decision, RouteKind};

use crate::sim::*;

#[test]
fn a_new_call_is_routed_by_configuration() {
    let mut net = Net::new();
    net.send(CARRIER, invite(CARRIER, "c1").header("Route: <sip:192.0.2.1:5060;lr>"));
    let query = &net.asked[0];
    assert_eq!(query.kind, RouteKind::Initial);
    assert_eq!(
        (query.method.as_str(), query.request_uri.as_str()),
        ("INVITE", "sip:+15550100@sidetone.example")
    );
    assert_eq!((query.source.remote, query.call_id.clone()), (addr(CARRIER), format!("c1@{CARRIER}")));
    assert!(net.take(PBX, "INVITE").header(Name::Route).is_none());
    net.finish();
}

#[test]
fn a_strict_router_before_us_is_understood() {
    let mut net = Net::new();
    let bye = draft("BYE", CARRIER, "b")
        .tagged("b")
        .uri("sip:192.0.2.1:5060;lr")
        .header(&format!("Route: <sip:bob@{PBX}>"));
    net.send(CARRIER, bye);
    assert_eq!(net.asked[0].request_uri, format!("sip:bob@{PBX}"));
    let sent = net.take(PBX, "BYE");
    assert_eq!(sent.request_uri(), Some(&*format!("sip:bob@{PBX}")));
    assert!(sent.header(Name::Route).is_none());
    net.finish();
}

#[test]
fn a_strict_router_after_us_gets_what_it_wants() {
    let mut net = Net::new();
    let bye = draft("BYE", CARRIER, "b")
        .tagged("b")
        .uri("sip:bob@far.example")
        .header("Route: <sip:192.0.2.1:5060;lr>")
        .header(&format!("Route: <sip:{PBX}>"));
    net.send(CARRIER, bye);
    let sent = net.take(PBX, "BYE");
    assert_eq!(sent.request_uri(), Some(&*format!("sip:{PBX}")));
    assert_eq!(sent.header(Name::Route).unwrap().text(), "<sip:bob@far.example>");
    net.finish();
}

#[test]
fn a_rejection_is_answered_and_its_ack_absorbed() {
    let mut net = Net::new();
    net.hold_routes = true;
    let call = invite(CARRIER, "c1");
    net.send(CARRIER, &call);
    let query = net.asked.remove(0);
    net.decide(
        &query,
        Decision::Reject {
            status: 503,
            reason: "No Capacity".into(),
            headers: vec![("Retry-After".into(), "7".into())],
        },
    );
    let no = net.take(CARRIER, "503");
    assert_eq!(no.header(Name::RetryAfter).unwrap().text(), "7");
    assert!(no.as_bytes().starts_with(b"SIP/2.0 503 No Capacity\r\n"));
    net.send(CARRIER, &call);
    net.take(CARRIER, "503");
    assert!(net.asked.is_empty(), "a copy isn't routed again");
    net.send(CARRIER, call.ack(no.to_tag().unwrap()));
    assert!(net.proxy.filter().concluded.is_empty(), "the passage has not seen it pass");
    net.finish();
}

#[test]
fn strangers_hear_nothing_at_all() {
    let mut net = Net::new();
    net.hold_routes = true;
    for method in ["INVITE", "REGISTER", "ACK"] {
        net.send(CARRIER, draft(method, CARRIER, method));
        let query = net.asked.remove(0);
        net.decide(&query, Decision::Drop);
    }
    assert_eq!(net.proxy.transactions(), 0);
    net.pass(secs(5));
    net.nothing(CARRIER);
    net.finish();
}

#[test]
fn a_rejected_ack_is_dropped() {
    let mut net = Net::new();
    net.hold_routes = true;
    net.send(CARRIER, draft("ACK", CARRIER, "a"));
    let query = net.asked.remove(0);
    net.decide(&query, Decision::Reject { status: 403, reason: "No".into(), headers: vec![] });
    net.nothing(CARRIER);
    assert_eq!(net.proxy.transactions(), 0);
    net.finish();
}

#[test]
fn what_the_filter_refuses_is_answered() {
    let mut net = Net::new();
    net.proxy.filter().refuse = Some(488);
    net.send(CARRIER, invite(CARRIER, "c1"));
    net.take(CARRIER, "100");
    net.take(CARRIER, "488");
    net.send(CARRIER, draft("ACK", CARRIER, "a").tagged("b").uri(&format!("sip:bob@{PBX}")));
    net.nothing(PBX);
    assert_eq!(net.proxy.counters().filter_refusals, 1);
    assert_eq!(net.proxy.filter().concluded, [("INVITE".to_owned(), 488)]);
    net.finish();
}
