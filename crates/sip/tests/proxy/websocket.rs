//! Clients by WebSocket: registered with a Path that leads back to their connection (RFC 5626, RFC 7118), and reached
//! by that or not at all.

use std::net::SocketAddr;

use sidetone_call::Side;
use sidetone_sip::message::Name;
use sidetone_sip::proxy::{Destination, Listener, Neighbour, RouteKind, Settings, Steered};
use sidetone_sip::{Flow, Message, Transport};

use crate::sim::*;

const WSS: &str = "192.0.2.1:8443";
const BROWSER: &str = "198.51.100.10:50001";
const CONTACT: &str = "Contact: <sip:ag7@df7jal23ls0d.invalid;transport=ws>";

fn flow(remote: &str) -> Flow {
    Flow { transport: Transport::Wss, local: addr(WSS), remote: addr(remote) }
}

/// The carrier's network is the clients' here; the PBX is the registrar.
fn naming(at: SocketAddr) -> Option<Neighbour> {
    let side = if at.ip() == addr(PBX).ip() { Side::Pbx } else { Side::Trunk };
    Some(Neighbour { side, id: if at.ip() == addr(PBX2).ip() { 2 } else { 1 } })
}

fn net() -> Net {
    let mut listeners = settings().listeners;
    listeners.push(Listener::bound(Transport::Wss, addr(WSS)));
    let mut net = Net::with(Settings { listeners, ..settings() });
    net.proxy.name_peers(naming);
    net
}

fn connect(net: &mut Net, remote: &str) {
    net.proxy.flow_opened(flow(remote));
    net.connections.push(Destination::from(flow(remote)));
}

fn ws(message: Draft) -> Draft {
    message.via("SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bKw")
}

/// Registers the browser, and gives the Path that the registrar has seen.
fn register(net: &mut Net, supported: &str) -> Vec<String> {
    let request = ws(draft("REGISTER", BROWSER, "r1")).uri("sip:sidetone.example").header(supported);
    net.send_on(flow(BROWSER), request.without("Contact").header(CONTACT));
    let register = net.take(PBX, "REGISTER");
    net.send(PBX, reply_with(&register, 200, "b", PBX, &[]));
    net.take(BROWSER, "200");
    register.values(Name::Path).map(|value| String::from_utf8(value.to_vec()).unwrap()).collect()
}

fn call(from: &str, path: &[String], id: &str) -> Draft {
    let mut call = invite(from, id).uri("sip:ag7@df7jal23ls0d.invalid;transport=ws");
    for value in path {
        call = call.header(&format!("Route: {value}"));
    }
    call
}

fn record_routes(message: &Message) -> Vec<String> {
    message.values(Name::RecordRoute).map(|value| String::from_utf8(value.to_vec()).unwrap()).collect()
}

#[test]
fn a_registered_browser_is_called_by_its_own_connection() {
    let mut net = net();
    connect(&mut net, BROWSER);
    let path = register(&mut net, "Supported: path, gruu, outbound");
    assert_eq!(path[0], "<sip:path@192.0.2.1:5060;lr>");
    let (start, end) = path[1].split_at("<sip:path-".len() + 16);
    assert!(start.starts_with("<sip:path-"), "{path:?}");
    assert_eq!(end, "@192.0.2.1:8443;transport=ws;lr;ob>");

    net.send(PBX, call(PBX, &path, "c1"));
    net.take(PBX, "100");
    let arrived = net.arrived(BROWSER).unwrap();
    assert_eq!(arrived.to, Destination::from(flow(BROWSER)));
    let sent = arrived.message;
    assert_eq!(sent.request_uri(), Some("sip:ag7@df7jal23ls0d.invalid;transport=ws"));
    assert!(sent.header(Name::Route).is_none());
    assert!(sent.top_via().is_some_and(|via| via.transport == "WSS"));
    assert_eq!(
        record_routes(&sent),
        ["<sip:192.0.2.1:8443;transport=ws;lr>", "<sip:192.0.2.1:5060;lr>"],
        "the browser's side on top (RFC 5658)"
    );
    net.send_on(flow(BROWSER), reply(&sent, 486, "b", BROWSER));
    net.take(BROWSER, "ACK");
    net.take(PBX, "486");
    net.send(PBX, call(PBX, &[], "c1").ack("b"));
    net.finish();
}

#[test]
fn ob_stands_in_the_path_only_for_a_client_of_outbound_that_is_next_to_us() {
    for (supported, vias, expected) in [
        ("Supported: path", 1, false),
        ("Supported: path, outbound", 2, false),
        ("Supported: path, outbound", 1, true),
    ] {
        let mut net = net();
        connect(&mut net, BROWSER);
        let mut request = draft("REGISTER", BROWSER, "r1").uri("sip:sidetone.example").header(supported);
        if vias == 2 {
            request = request.header("Via: SIP/2.0/UDP inner.example;branch=z9hG4bKinner");
        }
        net.send_on(flow(BROWSER), request.without("Contact").header(CONTACT));
        let register = net.take(PBX, "REGISTER");
        let path = register.values(Name::Path).nth(1).unwrap();
        assert_eq!(path.ends_with(b";ob>"), expected, "{supported}, {vias}");
        net.finish();
    }
}

#[test]
fn a_token_is_worth_nothing_to_others_nor_once_its_connection_is_closed() {
    let mut net = net();
    connect(&mut net, BROWSER);
    let path = register(&mut net, "Supported: path, outbound");
    let led = |net: &Net| match &net.asked.last().unwrap().kind {
        RouteKind::Flow { to, .. } => *to,
        other => panic!("{other:?}"),
    };
    net.send(PBX2, call(PBX2, &path, "thief"));
    assert_eq!(led(&net), Steered::Foreign);
    net.send(PBX, call(PBX, &path, "c1"));
    assert_eq!(led(&net), Steered::To(flow(BROWSER).into()));
    net.proxy.flow_closed(&flow(BROWSER));
    net.send(PBX, call(PBX, &path, "c2"));
    assert_eq!(led(&net), Steered::Gone);
    connect(&mut net, BROWSER);
    net.send(PBX, call(PBX, &path, "c3"));
    assert_eq!(led(&net), Steered::Gone, "the address's next connection is somebody else's");
}

#[test]
fn a_connection_that_breaks_under_a_request_answers_430() {
    let mut net = net();
    connect(&mut net, BROWSER);
    let path = register(&mut net, "Supported: path, outbound");
    net.connections.clear();
    net.send(PBX, call(PBX, &path, "c1"));
    net.take(PBX, "100");
    let refused = net.take(PBX, "430");
    assert!(String::from_utf8_lossy(refused.as_bytes()).starts_with("SIP/2.0 430 Flow Failed\r\n"));
    net.send(PBX, call(PBX, &[], "c1").ack(refused.to_tag().unwrap()));
    net.finish();
}

/// Nobody listens at the address that a browser's Via states.
#[test]
fn an_answer_is_never_sent_to_the_address_in_a_browser_s_via() {
    let mut net = net();
    connect(&mut net, BROWSER);
    let request = draft("OPTIONS", BROWSER, "o1").via("SIP/2.0/WSS 198.51.100.10:6060;branch=z9hG4bKw");
    net.send_on(flow(BROWSER), request);
    let sent = net.take(PBX, "OPTIONS");
    net.connections.clear();
    net.send(PBX, reply(&sent, 200, "b", PBX));
    net.nothing("198.51.100.10:6060");
    assert_eq!(net.undelivered.len(), 1);
    net.finish();
}
