//! Agents in browsers, by WebSocket: registered with the PBX through Sidetone, called by the connection that they have
//! made, and kept out where the page or the bytes are wrong.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::version::{TLS12, TLS13};
use sidetone_scenarios::certificates::client;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Setup, Sidetone};
use sidetone_scenarios::sip::{Raw, answer};
use sidetone_scenarios::stream::{Line, Stream};
use sidetone_scenarios::trace::Seen;
use sidetone_scenarios::{GUARD, until};
use tungstenite::Message;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};

use super::tls::Keys;

const PAGE: &str = "https://agents.test";
const HANDSHAKES: &str = "sidetone_websocket_handshakes_total";
const CONTACT: &str = "sip:ag7@df7jal23ls0d.invalid;transport=ws";

struct Office {
    sidetone: Sidetone,
    pbx: Raw,
    config: Arc<ClientConfig>,
    at: SocketAddr,
    net: Net,
    _keys: Keys,
}

impl Office {
    /// Sidetone between browsers anywhere and a PBX by UDP.
    fn open(change: impl FnOnce(&mut Setup)) -> Self {
        let net = Net::lease();
        let keys = Keys::new(&net);
        let at = net.at(host::SIDETONE, 8443);
        let mut setup = Setup::usual(&net);
        setup.listen.push(format!("wss:{at}"));
        setup.sip = format!("{}websocket = {{ origins = [{PAGE:?}] }}\n", keys.sip(""));
        setup.trunk_keys = format!("allow_at = [\"wss:{at}\"]\n");
        change(&mut setup);
        let sidetone = Sidetone::start(&net, &setup);
        let pbx = Raw::bind(net.at(host::PBX, 5060), sidetone.sip());
        let config = client(keys.authority.file(), None, &[&TLS13, &TLS12]);
        Self { sidetone, pbx, config, at, net, _keys: keys }
    }

    /// TLS from an address that is in no `allow`.
    fn dial(&self) -> Stream {
        let stream = Stream::connect(self.net.at(host::STRANGER, 0), self.at).unwrap();
        stream.secure(&self.config, "sidetone.test").unwrap()
    }

    fn browser(&self) -> Line {
        Line::websocket(self.dial(), "sidetone.test:8443", Some(PAGE)).unwrap()
    }

    fn outcome(&self, outcome: &str) -> f64 {
        self.sidetone.series(HANDSHAKES, &[("outcome", outcome)])
    }

    /// Registers a browser with the PBX; gives the Path that the PBX has seen.
    fn register(&self, browser: &mut Line) -> Vec<String> {
        let more = format!(
            "Contact: <{CONTACT}>;reg-id=1;+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-000000000007>\"\r\n\
             Supported: path, gruu, outbound\r\nExpires: 600\r\n"
        );
        browser.send(&request("REGISTER", "sip:sidetone.test", "r1", &more, ""));
        let register = self.pbx.request_within(GUARD).expect("the REGISTER");
        assert!(register.start_line().starts_with("REGISTER "), "{}", register.start_line());
        let contact = register.header("Contact").unwrap();
        assert!(contact.contains("reg-id=1") && contact.contains("+sip.instance="), "{contact}");
        self.pbx.send(answer(&register, "200 OK", &format!("Contact: {contact};expires=600\r\n")).as_bytes());
        assert_eq!(browser.response().status(), Some(200));
        register.headers("Path")
    }

    /// A request of the PBX's that comes back by that Path.
    fn by_path(&self, method: &str, id: &str, path: &[String]) -> String {
        let route = format!("Route: {}\r\n", path.join(", "));
        self.pbx.request(method, CONTACT, id, &route)
    }
}

/// A request from the browser.
fn request(method: &str, uri: &str, id: &str, more: &str, body: &str) -> String {
    let contact =
        if more.contains("Contact:") { String::new() } else { format!("Contact: <{CONTACT};ob>\r\n") };
    let length = body.len();
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bK{id}{method}\r\n\
         From: <sip:ag7@sidetone.test>;tag={id}\r\nTo: <{uri}>\r\nCall-ID: {id}@ws\r\nCSeq: 1 {method}\r\n\
         Max-Forwards: 70\r\n{contact}{more}Content-Length: {length}\r\n\r\n{body}"
    )
}

fn starts(seen: &Seen, start: &str) -> bool {
    seen.start_line().starts_with(start)
}

#[test]
fn a_registered_agent_is_called_by_its_own_connection() {
    let office = Office::open(|_| {});
    let mut browser = office.browser();
    let path = office.register(&mut browser).join(", ");
    let path: Vec<String> = path.split(", ").map(str::to_owned).collect();
    assert_eq!(path.len(), 2, "{path:?}");
    assert!(path[1].ends_with(";transport=ws;lr;ob>"), "{path:?}");
    assert_eq!(office.sidetone.series("sidetone_sip_connections", &[("transport", "wss")]), 1.0);

    office.pbx.send(office.by_path("MESSAGE", "m1", &path).as_bytes());
    let message = browser.request();
    assert!(starts(&message, &format!("MESSAGE {CONTACT} SIP/2.0")), "{}", message.start_line());
    assert!(message.header("Route").is_none());
    assert!(message.header("Via").unwrap().starts_with("SIP/2.0/WSS "));
    browser.send(&answer(&message, "202 Accepted", ""));
    assert_eq!(office.pbx.response().status(), Some(202));

    // A second agent is reached by its own connection, though it shares the first one's Contact.
    let mut second = office.browser();
    let other = office.register(&mut second).join(", ");
    assert_ne!(path.join(", "), other);
    office.pbx.send(office.by_path("MESSAGE", "m2", &[other]).as_bytes());
    let message = second.request();
    second.send(&answer(&message, "202 Accepted", ""));
    assert_eq!(office.pbx.response().status(), Some(202));
    assert_eq!(browser.receive_within(Duration::from_millis(200)), None);

    // An agent that has left is told of as RFC 5626 has it, and no name is looked up for it.
    drop(browser);
    until("the connection to be closed", || {
        (office.sidetone.series("sidetone_sip_connections", &[("transport", "wss")]) == 1.0).then_some(())
    });
    office.pbx.send(office.by_path("MESSAGE", "m3", &path).as_bytes());
    let refused = office.pbx.response();
    assert_eq!(refused.start_line(), "SIP/2.0 430 Flow Failed");
    // Nobody else's token opens it either.
    let forged = [path[0].clone(), path[1].replace("path-", "path-0")];
    office.pbx.send(office.by_path("MESSAGE", "m4", &forged).as_bytes());
    assert_eq!(office.pbx.response().status(), Some(430));
    office.sidetone.finish();
}

fn sdp(at: SocketAddr) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio {1} RTP/AVP 0\r\n",
        at.ip(),
        at.port()
    )
}

fn with_sdp(response: &str, at: SocketAddr) -> String {
    let sdp = sdp(at);
    response.replace(
        "Content-Length: 0\r\n\r\n",
        &format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len()),
    )
}

/// The agent calls, the PBX hangs up: the BYE for a Contact that no name server knows goes by the connection.
#[test]
fn an_agent_s_own_call_from_invite_to_bye() {
    let office = Office::open(|_| {});
    let mut browser = office.browser();
    let body = sdp(office.net.at(host::STRANGER, 40_000));
    let invite =
        request("INVITE", "sip:+15550123@sidetone.test", "c1", "Content-Type: application/sdp\r\n", &body);
    browser.send(&invite);
    let invite = office.pbx.request_within(GUARD).expect("the INVITE");
    let routes = invite.headers("Record-Route").join(", ");
    let own = format!("<sip:{};lr", office.sidetone.sip());
    assert!(
        routes.starts_with(&own) && routes.contains(&format!("<sip:{};transport=ws;lr", office.at)),
        "{routes}"
    );
    let contact = format!("Contact: <sip:pbx@{}>\r\n", office.pbx.at());
    let ok = answer(&invite, "200 OK", &contact);
    office.pbx.send(with_sdp(&ok, office.net.at(host::PBX, 40_000)).as_bytes());
    let ok = browser.response();
    assert_eq!(ok.status(), Some(200));
    let back: String = ok
        .headers("Record-Route")
        .join(", ")
        .rsplit(", ")
        .map(|route| format!("Route: {route}\r\n"))
        .collect();
    let ack = request("ACK", &format!("sip:pbx@{}", office.pbx.at()), "c1", &back, "");
    browser
        .send(&ack.replace("To: <sip:pbx@", "To: <sip:+15550123@sidetone.test>;tag=raw\r\nX-Was: <sip:pbx@"));
    assert!(starts(&office.pbx.request_within(GUARD).expect("the ACK"), "ACK "));

    let route = routes.split(", ").map(|route| format!("Route: {route}\r\n")).collect::<String>();
    let bye = office.pbx.request("BYE", &format!("{CONTACT};ob"), "c1", &route);
    let at = office.pbx.at();
    let bye = bye
        .replace(&format!("From: <sip:raw@{at}>;tag=c1"), "From: <sip:+15550123@sidetone.test>;tag=raw")
        .replace(&format!("To: <{CONTACT};ob>"), "To: <sip:ag7@sidetone.test>;tag=c1")
        .replace("Call-ID: c1@raw", "Call-ID: c1@ws");
    office.pbx.send(bye.as_bytes());
    let bye = browser.request();
    assert!(starts(&bye, "BYE "), "{}", bye.start_line());
    browser.send(&answer(&bye, "200 OK", ""));
    assert_eq!(office.pbx.response().status(), Some(200));
    office.sidetone.finish();
}

#[test]
fn a_page_of_a_stranger_opens_nothing() {
    let office = Office::open(|_| {});
    let ask = |request: &str| {
        let mut stream = office.dial();
        stream.write_all(request.replace('\n', "\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer.lines().next().unwrap_or_default().to_owned()
    };
    let hello = format!(
        "GET / HTTP/1.1\nHost: sidetone.test\nUpgrade: websocket\nConnection: Upgrade\nOrigin: {PAGE}\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Protocol: sip\nSec-WebSocket-Version: 13\n\n"
    );
    for (from, to, outcome, status) in [
        (PAGE, "https://evil.test", "origin", "HTTP/1.1 403 Forbidden"),
        ("Sec-WebSocket-Protocol: sip\n", "", "subprotocol", "HTTP/1.1 400 Bad Request"),
        ("Protocol: sip", "Protocol: chat", "subprotocol", "HTTP/1.1 400 Bad Request"),
        ("GET", "POST", "method", "HTTP/1.1 405 Method Not Allowed"),
        ("Version: 13", "Version: 7", "version", "HTTP/1.1 426 Upgrade Required"),
        ("Upgrade: websocket\n", "", "no_upgrade", "HTTP/1.1 426 Upgrade Required"),
        ("HTTP/1.1", "SIP/2.0", "malformed", "HTTP/1.1 400 Bad Request"),
        (
            "Host: ",
            &format!("X: {}\nHost: ", "x".repeat(9_000)),
            "too_long",
            "HTTP/1.1 431 Request Header Fields Too Large",
        ),
    ] {
        let before = office.outcome(outcome);
        assert_eq!(ask(&hello.replacen(from, to, 1)), status, "{outcome}");
        until(outcome, || (office.outcome(outcome) == before + 1.0).then_some(()));
    }
    assert_eq!(office.outcome("opened"), 0.0);
    // A client that is no browser states no origin.
    let mut line = Line::websocket(office.dial(), "sidetone.test", None).unwrap();
    line.send(
        &request("OPTIONS", "sip:sidetone.test", "o1", "Max-Forwards: 0\r\n", "")
            .replace("Max-Forwards: 70\r\n", ""),
    );
    assert_eq!(line.response().status(), Some(200));
    // Without TLS there is nothing at all.
    let mut plain = Stream::connect(office.net.at(host::STRANGER, 0), office.at).unwrap();
    plain.write_all(hello.replace('\n', "\r\n").as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/"));
    office.sidetone.finish();
}

#[test]
fn frames_of_every_kind() {
    let office = Office::open(|_| {});
    let mut browser = office.browser();
    let ask = |id: &str| {
        request("OPTIONS", "sip:sidetone.test", id, "Max-Forwards: 0\r\n", "")
            .replace("Max-Forwards: 70\r\n", "")
    };
    // In binary, in fragments with a ping between them, and without a Content-Length (RFC 7118 §5).
    browser.socket().send(Message::binary(ask("b1"))).unwrap();
    assert_eq!(browser.response().status(), Some(200));
    let whole = ask("f1").replace("Content-Length: 0\r\n", "");
    let parts: Vec<&[u8]> = whole.as_bytes().chunks(100).collect();
    for (index, part) in parts.iter().enumerate() {
        let data = if index == 0 { Data::Text } else { Data::Continue };
        let frame = Frame::message(part.to_vec(), OpCode::Data(data), index + 1 == parts.len());
        browser.socket().send(Message::Frame(frame)).unwrap();
        browser.socket().send(Message::Ping("beat".into())).unwrap();
    }
    let mut pongs = 0;
    let answered = loop {
        match browser.socket().read().unwrap() {
            Message::Pong(_) => pongs += 1,
            Message::Text(text) => break text,
            other => panic!("{other:?}"),
        }
    };
    assert!(pongs > 0 && answered.starts_with("SIP/2.0 200 "), "{answered}");
    // The keep-alive of RFC 5626 §3.5.1.
    browser.socket().send(Message::text("\r\n\r\n")).unwrap();
    let pong = loop {
        if let Message::Text(text) = browser.socket().read().unwrap() {
            break text;
        }
    };
    assert_eq!(pong.as_str(), "\r\n");
    // Garbage in a message costs that message only.
    browser.socket().send(Message::text("\u{1f4a9} no SIP")).unwrap();
    browser.socket().send(Message::binary(vec![0xff; 5_000])).unwrap();
    browser.send(&ask("o2"));
    assert_eq!(browser.response().status(), Some(200));
    // A farewell is answered.
    browser.socket().close(None).unwrap();
    until("the close to be answered", || browser.socket().read().is_err().then_some(()));

    let wss = || office.sidetone.series("sidetone_sip_connections", &[("transport", "wss")]);
    // What is too large, in one frame or in many, or breaks the protocol, ends the connection with its code.
    for (what, frames, code) in [
        ("one frame", vec![Frame::message(vec![b'x'; 300_000], OpCode::Data(Data::Text), true)], 1009),
        (
            "many frames",
            (0..60)
                .map(|n| {
                    let data = if n == 0 { Data::Text } else { Data::Continue };
                    Frame::message(vec![b'x'; 5_000], OpCode::Data(data), false)
                })
                .collect(),
            1009,
        ),
        (
            "a stray continuation",
            vec![Frame::message(b"x".to_vec(), OpCode::Data(Data::Continue), true)],
            1002,
        ),
    ] {
        let mut line = office.browser();
        for frame in frames {
            // The far end may have closed it by then.
            let _ = line.socket().send(Message::Frame(frame));
        }
        let closed = loop {
            match line.socket().read() {
                Ok(Message::Close(frame)) => break frame.map(|frame| u16::from(frame.code)),
                Ok(_) => {}
                Err(error) => panic!("{what}: {error}"),
            }
        };
        assert_eq!(closed, Some(code), "{what}");
    }
    // Bytes that are no frames at all.
    let mut line = office.browser();
    let mut bytes = vec![0xff; 2_000];
    bytes.extend(b"OPTIONS sip:x SIP/2.0\r\n\r\n");
    let _ = line.socket().get_mut().write_all(&bytes);
    while line.socket().read().is_ok() {}
    drop(line);
    until("every connection to be closed", || (wss() == 0.0).then_some(()));
    office.sidetone.finish();
}

/// Browsers behind one address have a bound of their own, and leave room for everybody else.
#[test]
fn one_address_has_so_many_connections() {
    let office = Office::open(|setup| setup.sip.push_str("max_connections_of_source = 5\n"));
    let browsers: Vec<Line> = (0..5).map(|_| office.browser()).collect();
    let refused = Stream::connect(office.net.at(host::STRANGER, 0), office.at)
        .and_then(|stream| stream.secure(&office.config, "sidetone.test"));
    assert!(refused.is_err());
    let elsewhere = Stream::connect(office.net.at(host::ELSEWHERE, 0), office.at).unwrap();
    let elsewhere = elsewhere.secure(&office.config, "sidetone.test").unwrap();
    assert!(Line::websocket(elsewhere, "sidetone.test", Some(PAGE)).is_ok());
    assert_eq!(office.sidetone.series("sidetone_refused_total", &[("reason", "connection")]), 1.0);
    drop(browsers);
    office.sidetone.finish();
}
