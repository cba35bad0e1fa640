//! Requests of our own: by UDP or, for their size, by TCP, and back to UDP if that fails.

use bytes::Bytes;
use sidetone_sip::Method;
use sidetone_sip::message::{Message, RequestBuilder};
use sidetone_sip::proxy::{Answer, Destination, Listener, NoFilter, OriginatedKey, Output, Proxy, Settings};
use sidetone_sip::{Flow, Transport};

use crate::office::{PBX, US, addr, secs};

fn proxy() -> Proxy<NoFilter> {
    let listeners =
        [Transport::Udp, Transport::Tcp].map(|transport| Listener::bound(transport, addr(US))).to_vec();
    Proxy::new(Settings::new(listeners), NoFilter, 7)
}

fn to(transport: Transport) -> Destination {
    Destination { transport, local: addr(US), remote: addr(PBX) }
}

fn originate(proxy: &mut Proxy<NoFilter>, size: usize) -> OriginatedKey {
    let head = RequestBuilder::new(Method::INFO, "sip:p@203.0.113.20")
        .header("From", "<sip:a@b>;tag=c")
        .header("To", "<sip:p@b>;tag=p")
        .header("Call-ID", "call")
        .header("CSeq", "8 INFO");
    proxy.originate(secs(1), to(Transport::Udp), head, Bytes::from(vec![b' '; size]))
}

fn sent(proxy: &mut Proxy<NoFilter>) -> (Message, Destination) {
    match proxy.poll() {
        Some(Output::Send { bytes, to, .. }) => (Message::parse(bytes).unwrap(), to),
        other => panic!("{other:?}"),
    }
}

fn answered(proxy: &mut Proxy<NoFilter>, key: OriginatedKey) -> Answer {
    match proxy.poll() {
        Some(Output::Answered { key: of, answer }) if of == key => answer,
        other => panic!("{other:?}"),
    }
}

fn respond(proxy: &mut Proxy<NoFilter>, request: &Message, by: Destination, status: &str) {
    let text = String::from_utf8_lossy(request.as_bytes()).replacen(
        "INFO sip:p@203.0.113.20 SIP/2.0",
        &format!("SIP/2.0 {status}"),
        1,
    );
    let flow = Flow { transport: by.transport, local: by.local, remote: by.remote };
    proxy.receive(secs(2), &flow, Bytes::from(text));
}

#[test]
fn a_small_one_is_answered() {
    let mut proxy = proxy();
    let key = originate(&mut proxy, 10);
    let (request, to) = sent(&mut proxy);
    assert_eq!(to.transport, Transport::Udp);
    respond(&mut proxy, &request, to, "100 Trying");
    assert!(proxy.poll().is_none());
    respond(&mut proxy, &request, to, "503 Busy\r\nRetry-After: 7 (soon);x=y");
    assert_eq!(answered(&mut proxy, key), Answer::Final { status: 503, retry_after: Some(secs(7)) });
    respond(&mut proxy, &request, to, "200 OK");
    assert!(proxy.poll().is_none(), "once is enough");
}

#[test]
fn a_large_one_goes_by_tcp_and_by_udp_if_that_is_refused() {
    let mut proxy = proxy();
    let key = originate(&mut proxy, 2_000);
    let (request, place) = sent(&mut proxy);
    assert_eq!(place, to(Transport::Tcp));
    assert_eq!(request.top_via().unwrap().transport, "TCP");
    proxy.send_failed(secs(1), &place);
    let (request, place) = sent(&mut proxy);
    assert_eq!(place, to(Transport::Udp));
    assert_eq!(request.top_via().unwrap().transport, "UDP");
    respond(&mut proxy, &request, place, "200 OK");
    assert_eq!(answered(&mut proxy, key), Answer::Final { status: 200, retry_after: None });
    // That is remembered.
    originate(&mut proxy, 2_000);
    assert_eq!(sent(&mut proxy).1, to(Transport::Udp));
}

#[test]
fn tcp_that_says_nothing_gives_way_to_udp() {
    let mut proxy = proxy();
    let key = originate(&mut proxy, 2_000);
    sent(&mut proxy);
    proxy.timeout(secs(1) + proxy.settings().failover_after);
    let (_, place) = sent(&mut proxy);
    assert_eq!(place, to(Transport::Udp));
    for second in 5..60 {
        proxy.timeout(secs(second));
    }
    while let Some(output) = proxy.poll() {
        if let Output::Answered { key: of, answer } = output {
            assert_eq!((of, answer), (key, Answer::Silence));
            return;
        }
    }
    panic!("no end");
}

#[test]
fn what_is_recalled_is_sent_no_further() {
    for size in [10, 2_000] {
        let mut proxy = proxy();
        let key = originate(&mut proxy, size);
        let (_, place) = sent(&mut proxy);
        proxy.recall(key);
        assert_eq!(answered(&mut proxy, key), Answer::Recalled);
        // Neither again, nor by UDP in place of TCP.
        proxy.send_failed(secs(1), &place);
        for second in 2..60 {
            proxy.timeout(secs(second));
        }
        proxy.recall(key);
        assert!(proxy.poll().is_none());
        assert_eq!(proxy.transactions(), 0);
    }
}

#[test]
fn calls_come_first() {
    let mut settings = Settings::new(vec![Listener::bound(Transport::Udp, addr(US))]);
    settings.max_transactions = 8;
    let mut proxy = Proxy::new(settings, NoFilter, 7);
    for _ in 0..4 {
        originate(&mut proxy, 10);
        sent(&mut proxy);
    }
    let key = originate(&mut proxy, 10);
    assert_eq!(answered(&mut proxy, key), Answer::Unsent);
    assert_eq!(proxy.transactions(), 4);
}

#[test]
fn what_cant_be_sent_ends_at_once() {
    let mut proxy = Proxy::new(Settings::new(vec![Listener::bound(Transport::Tcp, addr(US))]), NoFilter, 7);
    let key = originate(&mut proxy, 10);
    assert_eq!(answered(&mut proxy, key), Answer::Unsent);
    assert_eq!(proxy.transactions(), 0);
}
