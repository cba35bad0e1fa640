//! Which requests are addressed to the proxy itself, and how they are answered.

use bytes::Bytes;
use sidetone_sip::message::Message;
use sidetone_sip::proxy::{Decision, Listener, NoFilter, Output, Proxy, RouteKind, RouteQuery, Settings};
use sidetone_sip::{Flow, Transport};

use crate::office::{PBX, US, addr, secs};

fn proxy() -> Proxy<NoFilter> {
    let mut settings = Settings::new(vec![Listener::bound(Transport::Udp, addr(US))]);
    settings.service_user = Some("sidetone".to_owned());
    Proxy::new(settings, NoFilter, 7)
}

fn request(method: &str, uri: &str, to: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.20;branch=z9hG4bK1\r\n\
         From: <sip:office@203.0.113.20>;tag=s\r\nTo: <sip:sidetone@192.0.2.1>{to}\r\nCall-ID: watch\r\n\
         CSeq: 1 {method}\r\nContact: <sip:office@203.0.113.20>\r\nContent-Length: 0\r\n\r\n"
    )
}

fn receive(proxy: &mut Proxy<NoFilter>, text: &str) {
    let flow = Flow { transport: Transport::Udp, local: addr(US), remote: addr(PBX) };
    proxy.receive(secs(1), &flow, Bytes::from(text.to_owned()));
}

fn asked(proxy: &mut Proxy<NoFilter>) -> Option<RouteQuery> {
    match proxy.poll()? {
        Output::Route(query) => Some(query),
        _ => None,
    }
}

fn sent(proxy: &mut Proxy<NoFilter>) -> Option<Message> {
    match proxy.poll()? {
        Output::Send { bytes, .. } => Message::parse(bytes).ok(),
        _ => None,
    }
}

#[test]
fn to_the_service_user_and_to_nobody_else() {
    for (method, uri, to, ours) in [
        ("SUBSCRIBE", "sip:sidetone@192.0.2.1", "", true),
        ("SUBSCRIBE", "sip:sidetone@192.0.2.1:5060;transport=udp", ";tag=x", true),
        ("BYE", "sip:sidetone@192.0.2.1", ";tag=x", true),
        ("SUBSCRIBE", "sip:+1555@192.0.2.1", "", false),
        ("SUBSCRIBE", "sip:192.0.2.1", "", false),
        ("SUBSCRIBE", "sip:sidetone@192.0.2.2", "", false),
        ("MESSAGE", "sip:sidetone@192.0.2.1", "", false),
        ("INVITE", "sip:sidetone@192.0.2.1", "", false),
    ] {
        let mut proxy = proxy();
        receive(&mut proxy, &request(method, uri, to));
        let query = asked(&mut proxy).unwrap();
        assert_eq!(matches!(query.kind, RouteKind::Service { .. }), ours, "{method} {uri}");
    }
}

#[test]
fn the_answer_has_the_tag_that_was_told() {
    let mut proxy = proxy();
    let subscribe = request("SUBSCRIBE", "sip:sidetone@192.0.2.1", "");
    receive(&mut proxy, &subscribe);
    let query = asked(&mut proxy).unwrap();
    let RouteKind::Service { request, tag, contact } = query.kind else { panic!("{:?}", query.kind) };
    assert_eq!(request, subscribe);
    assert_eq!(contact, "<sip:sidetone@192.0.2.1:5060>");
    let headers = vec![("Expires".to_owned(), "60".to_owned())];
    proxy.decide(secs(1), query.key, Decision::Accept { status: 200, headers });
    let answer = sent(&mut proxy).unwrap();
    assert_eq!((answer.status(), answer.to_tag()), (Some(200), Some(tag.as_str())));
    // It comes again, and so does the answer; nobody is asked again.
    receive(&mut proxy, &subscribe);
    assert_eq!(sent(&mut proxy).unwrap().as_bytes(), answer.as_bytes());
    assert!(proxy.poll().is_none());
}
