//! Messages of our own.

use sidetone_sip::message::{RequestBuilder, ResponseBuilder, ack_to_failure, cancel};
use sidetone_sip::{Message, Method, Name};

use crate::{five, message};

const INVITE: &str = "INVITE sip:b@10.0.0.1:5070;x SIP/2.0\r\nvIa:SIP/2.0/UDP us;branch=z9hG4bKus\r\n\
Via: SIP/2.0/UDP 192.0.2.1;rport;branch=z9hG4bK1, SIP/2.0/TCP h;branch=z9hG4bK0\r\n\
f: \"A\"\r\n <sip:a@example.com>;tag=1\r\nto : <sip:b@example.com>\r\nCall-ID:x@y\r\nCSeq: 0007 INVITE\r\n\
Route: <sip:p;lr>\r\nTimestamp: 54\r\nProxy-Authorization: secret\r\nContent-Length: 1\r\n\r\nx";

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn responses_copy_byte_for_byte() {
    let request = message(INVITE);
    let out = ResponseBuilder::new(&request, 486).to_tag("t\r\nX: y").header("Retry-After", "5").build();
    assert_eq!(
        text(&out),
        "SIP/2.0 486 Busy Here\r\nvIa:SIP/2.0/UDP us;branch=z9hG4bKus\r\n\
         Via: SIP/2.0/UDP 192.0.2.1;rport;branch=z9hG4bK1, SIP/2.0/TCP h;branch=z9hG4bK0\r\n\
         f: \"A\"\r\n <sip:a@example.com>;tag=1\r\nto : <sip:b@example.com>;tag=t  X: y\r\nCall-ID:x@y\r\n\
         CSeq: 0007 INVITE\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"
    );
}

#[test]
fn trying_brings_the_timestamp_back() {
    let out = text(&ResponseBuilder::new(&message(INVITE), 100).build());
    assert!(out.starts_with("SIP/2.0 100 Trying\r\n") && out.contains("\r\nTimestamp: 54\r\n"));
    assert!(out.contains("\r\nto : <sip:b@example.com>\r\n"));
}

#[test]
fn responses_know_where_to_go() {
    let request = message(&INVITE.replace("vIa:SIP/2.0/UDP us;branch=z9hG4bKus\r\n", ""));
    let source = "198.51.100.7:40000".parse().unwrap();
    let out = message(&text(&ResponseBuilder::new(&request, 404).to_tag("t").source(source).build()));
    assert_eq!(out.top_via().unwrap().response_addr(), Some(source));
    assert_eq!(out.values(Name::Via).count(), 2);
    assert_eq!(out.to_tag(), Some("t"));
}

#[test]
fn an_existing_to_tag_stays() {
    let request = message(&INVITE.replace("<sip:b@example.com>", "<sip:b@example.com>;TAG=there"));
    let out = message(&text(&ResponseBuilder::new(&request, 481).to_tag("t").build()));
    assert_eq!(out.to_tag(), Some("there"));
}

#[test]
fn a_body_comes_with_its_type() {
    let out =
        message(&text(&ResponseBuilder::new(&message(INVITE), 200).body("text/plain", "hello").build()));
    assert_eq!(
        (out.body(), out.header(Name::ContentType).unwrap().value),
        (&b"hello"[..], &b"text/plain"[..])
    );
}

#[test]
fn cancel_and_ack() {
    let sent = message(INVITE);
    let expected = |method: &str, to: &str| {
        format!(
            "{method} sip:b@10.0.0.1:5070;x SIP/2.0\r\nVia: SIP/2.0/UDP us;branch=z9hG4bKus\r\nRoute: <sip:p;lr>\r\n\
             Max-Forwards: 70\r\nf: \"A\"\r\n <sip:a@example.com>;tag=1\r\n{to}\r\nCall-ID:x@y\r\n\
             CSeq: 7 {method}\r\nContent-Length: 0\r\n\r\n"
        )
    };
    assert_eq!(text(&cancel(&sent).unwrap()), expected("CANCEL", "to : <sip:b@example.com>"));
    let busy = format!(
        "SIP/2.0 486 x\r\n{}\r\n",
        five("INVITE").replace("To: <sip:b@example.com>", "T: <sip:b@example.com>;tag=z")
    );
    assert_eq!(
        text(&ack_to_failure(&sent, &message(&busy)).unwrap()),
        expected("ACK", "T: <sip:b@example.com>;tag=z")
    );
    assert!(cancel(&message(&busy)).is_none());
}

#[test]
fn requests() {
    let out = RequestBuilder::new(Method::OPTIONS, "sip:pbx")
        .header("Via", "SIP/2.0/UDP us;branch=z9hG4bKx")
        .header("From", "<sip:us>;tag=1")
        .header("To", "<sip:pbx>")
        .header("Call-ID", "c")
        .header("CSeq", "1 OPTIONS")
        .header("Max-Forwards", "70")
        .build();
    let out = Message::parse(out).unwrap();
    assert_eq!(out.method(), Some(Method::OPTIONS));
    assert_eq!(out.headers().count(), 7);
}
