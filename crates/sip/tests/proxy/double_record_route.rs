//! Two Record-Routes where the two sides reach us differently (RFC 5658), and both popped on the way.

use sidetone_sip::Message;
use sidetone_sip::message::Name;

use crate::sim::*;

fn record_routes(message: &Message) -> Vec<&str> {
    message.values(Name::RecordRoute).map(|v| std::str::from_utf8(v).unwrap()).collect()
}

#[test]
fn from_tcp_to_udp_and_back_within_the_dialog() {
    let mut net = Net::new();
    net.send_tcp(CARRIER, invite(CARRIER, "c1").via(&format!("SIP/2.0/TCP {CARRIER};branch=z9hG4bKx")));
    net.take(CARRIER, "100");
    let sent = net.take(PBX, "INVITE");
    assert_eq!(
        record_routes(&sent),
        ["<sip:192.0.2.1:5060;lr>", "<sip:192.0.2.1:5060;transport=tcp;lr>"],
        "the neighbour's side on top"
    );
    net.send(PBX, reply(&sent, 200, "b", PBX));
    let ok = net.take(CARRIER, "200");
    assert_eq!(record_routes(&ok).len(), 2);

    let caller = Dialog::of_caller(&ok);
    assert_eq!(caller.routes[0], "<sip:192.0.2.1:5060;transport=tcp;lr>");
    net.send_tcp(CARRIER, caller.request("ACK", CARRIER, 1));
    let ack = net.arrived(PBX).unwrap();
    assert_eq!((ack.to, describe(&ack.message)), (udp(PBX), "ACK".to_owned()));
    assert!(ack.message.header(Name::Route).is_none(), "both were ours");

    let callee = Dialog::of_callee(&sent, "b");
    assert_eq!(callee.routes[0], "<sip:192.0.2.1:5060;lr>");
    net.send(PBX, callee.request("BYE", PBX, 1));
    let bye = net.take(CARRIER, "BYE");
    assert!(bye.header(Name::Route).is_none());
    net.finish();
}

#[test]
fn from_ipv4_to_ipv6() {
    let mut net = Net::new();
    net.pbx = vec![udp(PBX6)];
    net.send(CARRIER, invite(CARRIER, "c1"));
    net.take(CARRIER, "100");
    let sent = net.take(PBX6, "INVITE");
    assert_eq!(record_routes(&sent), ["<sip:[2001:db8::1]:5060;lr>", "<sip:192.0.2.1:5060;lr>"]);
    net.send(PBX6, reply(&sent, 200, "b", PBX6));
    let ok = net.take(CARRIER, "200");
    net.send(CARRIER, Dialog::of_caller(&ok).request("BYE", CARRIER, 2));
    let bye = net.take(PBX6, "BYE");
    assert!(bye.header(Name::Route).is_none());
    assert_eq!(bye.request_uri(), Some("sip:bob@[2001:db8::20]:5060"));
    net.finish();
}

#[test]
fn one_is_enough_where_both_sides_reach_us_alike() {
    let mut net = Net::new();
    net.send(CARRIER, invite(CARRIER, "c1").header("Record-Route: <sip:sbc.example;lr>"));
    let sent = net.take(PBX, "INVITE");
    assert_eq!(record_routes(&sent), ["<sip:192.0.2.1:5060;lr>", "<sip:sbc.example;lr>"]);
    net.finish();
}

#[test]
fn which_methods_leave_a_trace() {
    for (method, traced) in [
        ("INVITE", true),
        ("SUBSCRIBE", true),
        ("REFER", true),
        ("NOTIFY", true),
        ("FROBNICATE", true),
        ("MESSAGE", false),
        ("OPTIONS", false),
        ("PUBLISH", false),
        ("INFO", false),
    ] {
        let mut net = Net::new();
        net.send(CARRIER, draft(method, CARRIER, "c1"));
        assert_eq!(net.take(PBX, method).header(Name::RecordRoute).is_some(), traced, "{method}");
        let uri = format!("sip:bob@{PBX}");
        net.send(CARRIER, draft(method, CARRIER, "c2").tagged("b").uri(&uri));
        let in_dialog = net.all(PBX).pop().unwrap().message;
        assert_eq!(in_dialog.header(Name::RecordRoute).is_some(), method == "NOTIFY", "{method}");
        net.finish();
    }
}
