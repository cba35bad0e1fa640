//! What the proxy has no business with leaves byte for byte.

use crate::sim::*;

/// The message without the lines of those headers.
fn without(message: &[u8], names: &[&str]) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut dropping = false;
    let end = message.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 2;
    for line in message[..end].split_inclusive(|&b| b == b'\n') {
        if !matches!(line.first(), Some(b' ' | b'\t')) {
            let name = line.split(|&b| b == b':').next().unwrap().trim_ascii();
            dropping = names.iter().any(|n| n.as_bytes().eq_ignore_ascii_case(name));
        }
        if !dropping {
            kept.extend_from_slice(line);
        }
    }
    kept.extend_from_slice(&message[end..]);
    kept
}

const ODD: &str = "FrobNicate sip:%61b;x=y@Example.COM;Foo=bar SIP/2.0\r\n\
    v:SIP / 2.0 / UDP 198.51.100.10:5060 ;branch=z9hG4bKodd\r\n\
    mAx-FoRwArDs :  010 \r\n\
    f:\"J. \\\"R\\\"\"<sip:j@h>  ;tag = 1\r\n\
    TO :\r\n  sip:x@y\r\n\
    I: odd\r\n\
    cseq:0007   FrobNicate\r\n\
    Identity: eyJhbGciOiJFUzI1NiJ9..sig==;info=<https://c.example/c.cer>;alg=ES256;ppt=\"shaken\"\r\n\
    X-Empty:\r\n\
    X-Latin: caf\u{e9}\r\n\
    unknown-header\t:\tvalue,,\r\n\t folded \r\n\
    Subject: \r\n\
    l: 4\r\n\r\n\0\x01\r\n";

#[test]
fn an_odd_request_with_a_binary_body() {
    let mut net = Net::new();
    net.send(CARRIER, ODD);
    let sent = net.take(PBX, "FrobNicate");
    let ours = ["v", "Via", "Max-Forwards", "Record-Route"];
    assert_eq!(without(sent.as_bytes(), &ours), without(ODD.as_bytes(), &ours));
    assert_eq!(sent.max_forwards(), Some(Ok(9)));
    net.finish();
}

#[test]
fn an_odd_response() {
    let mut net = Net::new();
    net.send(CARRIER, invite(CARRIER, "c1"));
    net.take(CARRIER, "100");
    let sent = net.take(PBX, "INVITE");
    let text = String::from_utf8(reply(&sent, 200, "b", PBX)).unwrap();
    let (_, rest) = text.split_once("\r\n").unwrap();
    let odd = format!(
        "sip/2.0 299 \u{fffd} = 2**3 * 19\r\n{}",
        rest.replace("From:", "X-A :  b\r\n\tc\r\nfROM  :")
    );
    net.send(PBX, odd.clone());
    let got = net.take(CARRIER, "299");
    assert_eq!(without(got.as_bytes(), &["Via"]), without(odd.as_bytes(), &["Via"]));
    net.finish();
}

#[test]
fn in_dialog_requests_keep_everything_but_their_hops() {
    let mut net = Net::new();
    for method in ["INFO", "UPDATE", "REFER", "NOTIFY", "MESSAGE", "PRACK", "BYE", "X"] {
        let request = draft(method, CARRIER, method)
            .tagged("b")
            .uri(&format!("sip:bob@{PBX}"))
            .header("Route: <sip:192.0.2.1:5060;lr>")
            .header("Content-Type: application/x; q=\"a;b\"")
            .body("\u{0}binary\r\n\r\nbody");
        net.send(CARRIER, &request);
        let sent = net.take(PBX, method);
        let ours = ["Via", "Max-Forwards", "Record-Route", "Route"];
        assert_eq!(without(sent.as_bytes(), &ours), without(request.text().as_bytes(), &ours));
    }
    net.finish();
}
