//! `sips`: by TLS on every hop (RFC 3261 §26.2.2, RFC 5630), and calls that only cross from TLS to another transport.

use sidetone_sip::message::Name;
use sidetone_sip::proxy::{Destination, Listener, Settings};
use sidetone_sip::{Flow, Message, Transport};

use crate::sim::*;

const TLS: &str = "192.0.2.1:5061";

fn tls(remote: &str) -> Destination {
    Destination { transport: Transport::Tls, local: addr(TLS), remote: addr(remote) }
}

fn flow(remote: &str) -> Flow {
    Flow { transport: Transport::Tls, local: addr(TLS), remote: addr(remote) }
}

fn net(pbx: Vec<Destination>) -> Net {
    let mut listeners = settings().listeners;
    listeners.push(Listener::bound(Transport::Tls, addr(TLS)));
    let mut net = Net::with(Settings { listeners, alias: true, ..settings() });
    net.pbx = pbx;
    net.connections.push(tls(CARRIER));
    net
}

fn record_routes(message: &Message) -> Vec<&str> {
    message.values(Name::RecordRoute).map(|v| std::str::from_utf8(v).unwrap()).collect()
}

fn secured(id: &str) -> Draft {
    invite(CARRIER, id).via("SIP/2.0/TLS 198.51.100.10:5061;branch=z9hG4bKs").uri("sips:bob@example.com")
}

#[test]
fn from_tls_to_udp_each_side_has_its_own_record_route() {
    let mut net = net(vec![udp(PBX)]);
    net.send_on(flow(CARRIER), secured("c1").uri("sip:bob@example.com"));
    net.take(CARRIER, "100");
    let sent = net.take(PBX, "INVITE");
    assert_eq!(record_routes(&sent), ["<sip:192.0.2.1:5060;lr>", "<sip:192.0.2.1:5061;transport=tls;lr>"]);
    net.send(PBX, reply(&sent, 200, "b", PBX));
    let ok = net.take(CARRIER, "200");
    let caller = Dialog::of_caller(&ok);
    net.send_on(flow(CARRIER), caller.request("ACK", CARRIER, 1));
    let ack = net.take(PBX, "ACK");
    assert!(ack.header(Name::Route).is_none(), "both were ours");
    net.finish();
}

#[test]
fn a_sips_request_goes_by_tls_and_leaves_sips_record_routes() {
    let mut net = net(vec![udp(PBX), tls(PBX2)]);
    net.send_on(flow(CARRIER), secured("c1"));
    net.take(CARRIER, "100");
    net.nothing(PBX);
    let arrived = net.arrived(PBX2).unwrap();
    assert_eq!(arrived.to, tls(PBX2));
    let sent = arrived.message;
    assert_eq!(record_routes(&sent), ["<sips:192.0.2.1:5061;lr>"]);
    let via = sent.top_via().unwrap();
    assert_eq!((via.transport, via.params.find("alias").is_some()), ("TLS", true), "RFC 5923 §5");
    net.send_on(flow(PBX2), reply(&sent, 486, "b", PBX2));
    net.take(PBX2, "ACK");
    net.take(CARRIER, "486");
    net.finish();
}

#[test]
fn without_a_hop_by_tls_a_sips_request_ends_here() {
    let mut net = net(vec![udp(PBX), tcp(PBX2)]);
    net.send_on(flow(CARRIER), secured("c1"));
    let refused = net.take(CARRIER, "480");
    let warning = refused.headers_called("Warning").next().unwrap();
    assert_eq!(warning.text(), "380 192.0.2.1:5061 \"SIPS Not Allowed\"");
    for peer in [PBX, PBX2] {
        net.nothing(peer);
    }
    net.finish();
}

#[test]
fn a_sips_request_in_the_clear_is_refused() {
    let mut net = net(vec![tls(PBX)]);
    net.send(CARRIER, invite(CARRIER, "c1").uri("sips:bob@example.com"));
    net.take(CARRIER, "416");
    net.send_tcp(CARRIER, invite(CARRIER, "c2").uri("sips:bob@example.com"));
    net.take(CARRIER, "416");
    net.nothing(PBX);
}
