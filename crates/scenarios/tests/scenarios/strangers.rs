//! Whoever is in no `allow` list gets not one byte, whatever it sends, and everything of it is counted.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Setup, Sidetone};
use sidetone_scenarios::sip::Raw;
use sidetone_scenarios::until;

const METHODS: [&str; 15] = [
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "REGISTER",
    "PRACK",
    "UPDATE",
    "INFO",
    "REFER",
    "NOTIFY",
    "SUBSCRIBE",
    "PUBLISH",
    "MESSAGE",
    "FROBNICATE",
];

/// Everything that draws an answer from whoever is let in: well formed, and malformed in each way that has an answer of
/// its own.
fn forms(raw: &Raw, method: &str, own: &str) -> Vec<String> {
    let good = raw.request(method, "sip:+15550123@sidetone.example", method, "");
    let with = |from: &str, to: &str| good.replace(from, to);
    vec![
        good.clone(),
        raw.request(method, &format!("sip:{own}"), method, ""),
        raw.request(method, &format!("sip:sidetone@{own}"), method, "Event: x-sidetone-affect;call-id=x\r\n"),
        raw.request(method, &format!("sip:x@{own}"), method, &format!("Route: <sip:{own};lr>\r\n")),
        with("To: <sip:+15550123@sidetone.example>", "To: <sip:x@y>;tag=forged"),
        with("Max-Forwards: 70", "Max-Forwards: 0"),
        with("Max-Forwards: 70", "Max-Forwards: many"),
        with("Max-Forwards: 70", "Max-Forwards: 70\r\nProxy-Require: clairvoyance"),
        with("Max-Forwards: 70", "Max-Forwards: 70\r\nRoute: <<>"),
        with(" SIP/2.0\r\n", " SIP/3.0\r\n"),
        with(" sip:+15550123@sidetone.example SIP", " sips:+15550123@sidetone.example SIP"),
        with(" sip:+15550123@sidetone.example SIP", " unknown:scheme SIP"),
        with(" sip:+15550123@sidetone.example SIP", " sip:a@b?Subject=x SIP"),
        with(" sip:+15550123@sidetone.example SIP", " <sip:a@b> SIP"),
        with("CSeq: 1", "CSeq: 99999999999"),
        with(&format!("CSeq: 1 {method}"), "CSeq: 1 OTHER"),
        with("Call-ID: ", "X-Call-ID: "),
        with("To: ", "X-To: "),
        with("From: ", "From: x\r\nFrom: "),
        with("Via: SIP/2.0/UDP ", "Via: SIP/2.0/UDP ;;;"),
        with("Content-Length: 0", "Content-Length: 900"),
        with("Content-Length: 0", "Content-Length: nonsense"),
        with("Content-Length: 0", &format!("X: {}\r\nContent-Length: 0", "y".repeat(20_000))),
        with("Content-Length: 0", &format!("{}Content-Length: 0", "X: y\r\n".repeat(300))),
        format!("{} {}", good, "z".repeat(60_000)),
        good[..good.len() / 2].to_owned(),
        format!("\r\n\r\n{good}"),
    ]
}

fn strangers(sidetone: &Sidetone) -> usize {
    let (_, page) = sidetone.get("/metrics").unwrap();
    let line = page.lines().find(|line| line.starts_with("sidetone_refused_total{reason=\"stranger\"}"));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).expect("the count of strangers")
}

#[test]
fn a_stranger_hears_nothing_over_udp_whatever_it_sends() {
    let net = Net::lease();
    let sidetone = Sidetone::usual(&net);
    let stranger = Raw::bind(net.at(host::STRANGER, 5060), sidetone.sip());
    let pbx = Raw::bind(net.at(host::PBX, 5060), sidetone.sip());
    let own = sidetone.sip().to_string();
    let mut sent = 0;
    for method in METHODS {
        for form in forms(&stranger, method, &own) {
            stranger.send(form.as_bytes());
            sent += 1;
        }
        until("all of it to be counted", || (strangers(&sidetone) == sent).then_some(()));
    }
    // Responses draw no answer from anybody; these come from somewhere that nobody asked.
    for status in ["200 OK", "503 Service Unavailable", "xyz"] {
        let ok = stranger.request("INVITE", "sip:a@b", "r", "");
        let (_, rest) = ok.split_once("\r\n").unwrap();
        stranger.send(format!("SIP/2.0 {status}\r\n{rest}").as_bytes());
    }
    assert_eq!(stranger.receive_within(Duration::from_millis(500)), None);
    assert_eq!(pbx.receive_within(Duration::from_millis(100)), None);
    sidetone.finish();
}

#[test]
fn a_stranger_hears_nothing_over_tcp() {
    let net = Net::lease();
    let mut sidetone = Sidetone::usual(&net);
    let stranger = Raw::bind(net.at(host::STRANGER, 5060), sidetone.sip());
    let mut connections = 0;
    for method in ["OPTIONS", "INVITE", "CANCEL"] {
        for form in forms(&stranger, method, &sidetone.sip().to_string()) {
            // The kernel sends from 127.0.0.1, which is nobody's.
            let mut stream = TcpStream::connect(sidetone.sip()).unwrap();
            stream.set_read_timeout(Some(sidetone_scenarios::GUARD)).unwrap();
            let _ = stream.write_all(form.as_bytes());
            // It is hung up on; that may come as a reset.
            assert_eq!(stream.read(&mut [0; 64]).unwrap_or(0), 0, "{form}");
            connections += 1;
        }
    }
    // Every connection is counted, and the address is named once.
    assert_eq!(strangers(&sidetone), connections);
    let told = sidetone.process().output();
    assert_eq!(told.matches("a TCP connection came from an address in no `allow` list").count(), 1);
    sidetone.finish();
}

/// Knowing how a call was asked for gives nobody a say in it.
#[test]
fn a_cancel_with_the_caller_s_via_and_branch_is_acted_on_for_the_caller_only() {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    setup.more = format!(
        "[[trunk]]\nname = \"second\"\nhosts = [{{ to = \"sip:{}\" }}]\nallow = [\"{}\"]\n",
        net.at(host::ELSEWHERE, 5060),
        net.v4(host::ELSEWHERE)
    );
    let sidetone = Sidetone::start(&net, &setup);
    let caller = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    let pbx = Raw::bind(net.at(host::PBX, 5060), sidetone.sip());
    let invite = caller.request("INVITE", "sip:+15550123@sidetone.example", "victim", "");
    caller.send(invite.as_bytes());
    let received = pbx.request_within(sidetone_scenarios::GUARD).unwrap();
    pbx.answer(&received, "180 Ringing");
    assert_eq!(caller.response().status(), Some(180));
    let cancel = invite.replace("INVITE sip:", "CANCEL sip:").replace("1 INVITE", "1 CANCEL");
    let stranger = Raw::bind(net.at(host::STRANGER, 5060), sidetone.sip());
    stranger.send(cancel.as_bytes());
    assert_eq!(stranger.receive_within(Duration::from_millis(300)), None);
    let second = Raw::bind(net.at(host::ELSEWHERE, 5060), sidetone.sip());
    second.send(cancel.as_bytes());
    assert_eq!(second.response().status(), Some(481));
    assert_eq!(pbx.request_within(Duration::from_millis(200)), None, "nothing is cancelled");
    caller.send(cancel.as_bytes());
    assert_eq!(caller.response().status(), Some(200));
    let cancelled = pbx.request_within(sidetone_scenarios::GUARD).unwrap();
    assert!(cancelled.start_line().starts_with("CANCEL "));
    pbx.answer(&cancelled, "200 OK");
    pbx.answer(&received, "487 Request Terminated");
    let ended = caller.response();
    assert_eq!(ended.status(), Some(487));
    let tag = ended.header("To").unwrap();
    let ack = invite.replace("INVITE sip:", "ACK sip:").replace("1 INVITE", "1 ACK");
    caller.send(ack.replace("To: <sip:+15550123@sidetone.example>", &format!("To: {tag}")).as_bytes());
    sidetone.finish();
}

/// RFC 3261 §18.3: a stream can't do without Content-Length, and its sender is told so before the connection is closed.
#[test]
fn a_stream_without_a_usable_length_gets_its_400_and_then_the_end() {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    // The kernel's choice of source address for a connection to loopback.
    setup.allow_trunk.push("127.0.0.1".to_owned());
    let sidetone = Sidetone::start(&net, &setup);
    let raw = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    let good = raw.request("OPTIONS", &format!("sip:{}", sidetone.sip()), "length", "");
    for (length, status) in [
        ("", "400"),
        ("Content-Length: nonsense\r\n", "400"),
        ("Content-Length: -1\r\n", "400"),
        ("Content-Length: 0\r\nContent-Length: 4\r\n", "400"),
        ("Content-Length: 4000000000\r\n", "513"),
    ] {
        let request = good.replace("Content-Length: 0\r\n", length);
        let mut stream = TcpStream::connect(sidetone.sip()).unwrap();
        stream.set_read_timeout(Some(sidetone_scenarios::GUARD)).unwrap();
        // What follows is not read any more, and must not cost the answer.
        stream.write_all(format!("{request}{}", "body".repeat(2_000)).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{length:?}: {answer:?}");
        assert_eq!(answer.matches("SIP/2.0 ").count(), 1, "{answer}");
    }
    sidetone.finish();
}
