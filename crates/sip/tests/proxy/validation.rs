//! What is refused before it is routed (RFC 3261 §16.3), and that no state is kept for it.

use sidetone_sip::message::Name;

use crate::sim::*;

#[track_caller]
fn refused(request: impl Into<Vec<u8>>, status: &str) -> sidetone_sip::Message {
    let mut net = Net::new();
    net.send(CARRIER, request);
    let response = net.take(CARRIER, status);
    net.nothing(PBX);
    assert_eq!(net.proxy.transactions(), 0);
    assert!(response.to_tag().is_some());
    response
}

#[test]
fn schemes_that_cannot_be_sent_to() {
    refused(invite(CARRIER, "c").uri("sips:bob@example.com"), "416");
    refused(invite(CARRIER, "c").uri("sip:bob@ex*mple.com"), "400");
    refused(invite(CARRIER, "c").uri("sip:bob@example.com?Subject=x"), "400");
}

/// Configuration says where they go, so nobody here has to understand them; an emergency call least of all.
#[test]
fn telephone_numbers_emergency_calls_and_unknown_schemes_are_routed() {
    for uri in ["tel:+15550100", "urn:service:sos", "urn:service:sos.police", "mailto:bob@example.com"] {
        let mut net = Net::new();
        net.send(CARRIER, invite(CARRIER, "c").uri(uri));
        assert_eq!(net.take(PBX, "INVITE").request_uri(), Some(uri));
        net.finish();
    }
}

/// RFC 3261 §16.3 step 1, both ways: neither a 400 for the caller nor a call that is answered and never hears of it.
#[test]
fn a_line_that_is_no_header_passes_with_the_rest() {
    for odd in ["X Bad Name: 1", "garbage", "X-Foo(1): bob"] {
        let mut net = Net::new();
        net.send(CARRIER, invite(CARRIER, "c").header(odd));
        let sent = net.take(PBX, "INVITE");
        let line = format!("\r\n{odd}\r\n");
        let has_it = |m: &sidetone_sip::Message| String::from_utf8_lossy(m.as_bytes()).contains(&line);
        assert!(has_it(&sent), "{odd}");
        let accepted = String::from_utf8(reply(&sent, 200, "b", PBX)).unwrap();
        net.send(PBX, accepted.replacen("\r\n", &line, 1));
        net.take(CARRIER, "100");
        assert!(has_it(&net.take(CARRIER, "200")), "{odd}");
    }
}

#[test]
fn options_that_a_proxy_would_have_to_support() {
    let response =
        refused(invite(CARRIER, "c").header("Proxy-Require: foo, bar").header("Proxy-Require: baz"), "420");
    assert_eq!(response.header(Name::Unsupported).unwrap().text(), "foo, bar, baz");
    let mut net = Net::new();
    net.send(CARRIER, invite(CARRIER, "c").header("Require: whatever"));
    net.take(PBX, "INVITE"); // for the far end to judge
    net.finish();
}

#[test]
fn max_forwards_and_route_that_cannot_be_read() {
    refused(invite(CARRIER, "c").without("Max-Forwards").header("Max-Forwards: 300"), "400");
    refused(invite(CARRIER, "c").header("Route: <sip:p1;lr>, nonsense"), "400");
}

#[test]
fn form() {
    let text = invite(CARRIER, "c").text();
    let reason = |request: String, status| match refused(request, status).start() {
        sidetone_sip::StartLine::Response { reason, .. } => String::from_utf8_lossy(reason).into_owned(),
        sidetone_sip::StartLine::Request { .. } => unreachable!(),
    };
    assert_eq!(reason(text.replace("1 INVITE", "1 BYE"), "400"), "Bad Request (CSeq method differs)");
    assert_eq!(reason(text.replace("SIP/2.0\r\nVia", "SIP/7.0\r\nVia"), "505"), "Version Not Supported");
    assert_eq!(
        reason(text.replace("Content-Length: ", "Content-Length: 9"), "400"),
        "Bad Request (body shorter than Content-Length)"
    );
}

#[test]
fn an_ack_is_never_answered() {
    let mut net = Net::new();
    let ack = draft("ACK", CARRIER, "a");
    net.send(CARRIER, ack.clone().uri("sips:x@y"));
    net.send(CARRIER, ack.text().replace("1 ACK", "x ACK"));
    net.send(CARRIER, ack.clone().header("Route: nonsense"));
    net.nothing(CARRIER);
    net.nothing(PBX);
    net.finish();
}

#[test]
fn keep_alives_and_noise_are_counted() {
    let mut net = Net::new();
    net.send(CARRIER, "\r\n\r\n");
    net.send(CARRIER, "");
    net.send(CARRIER, "GET / HTTP/1.1\r\n\r\n");
    net.send(CARRIER, vec![0, 1, 2, 255]);
    net.nothing(CARRIER);
    let counters = net.proxy.counters();
    assert_eq!((counters.keep_alives, counters.malformed_dropped), (2, 2));
    net.finish();
}
