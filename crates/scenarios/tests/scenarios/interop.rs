//! Messages that other systems send and that are not by the book: what a proxy need not read passes, and nothing that a
//! party says vanishes in silence.

use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use sidetone_scenarios::GUARD;
use sidetone_scenarios::dns::NameServer;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Host, Setup, Sidetone};
use sidetone_scenarios::sip::Raw;
use sidetone_scenarios::trace::Seen;
use sidetone_scenarios::until;

const URI: &str = "sip:+15550123@sidetone.example";

fn sdp(c: &str, more: &str) -> String {
    format!("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\n{c}t=0 0\r\nm=audio 4000 RTP/AVP 0\r\n{more}")
}

fn with_sdp(head: &str, sdp: &str) -> Vec<u8> {
    let stated = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n", sdp.len());
    format!("{}{sdp}", head.replace("Content-Length: 0\r\n", &stated)).into_bytes()
}

/// A 200 to a request, with a Contact and further header lines.
fn accept(request: &Seen, contact: &str, more: &str, sdp: &str) -> Vec<u8> {
    let kept = kept(request);
    let to = request.header("To").unwrap();
    let head = format!(
        "SIP/2.0 200 OK\r\n{kept}To: {to};tag=b1\r\nContact: <{contact}>\r\n{more}Content-Length: 0\r\n\r\n"
    );
    if sdp.is_empty() { head.into_bytes() } else { with_sdp(&head, sdp) }
}

#[test]
fn odd_headers_pass_both_ways() {
    let net = Net::lease();
    let sidetone = Sidetone::usual(&net);
    let trunk = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    let pbx = Raw::bind(net.at(host::PBX, 5060), sidetone.sip());
    let c = format!("c=IN IP4 {}\r\n", net.v4(host::TRUNK));
    let plain = |id: &str| trunk.request("INVITE", URI, id, "");
    let from = format!("From: <sip:raw@{}>", trunk.at());
    for (n, request) in [
        plain("odd0").replace("CSeq", "X Bad Name: 1\r\nCSeq"),
        plain("odd1").replace("CSeq", "garbage line\r\nCSeq"),
        plain("odd2").replace(&from, "From: \"Anonymous\" sip:anonymous@192.0.2.1"),
        plain("odd3").replace(&from, "From: \"\"unknown\"\" <sip:100@192.0.2.1>"),
        plain("odd4").replace(&from, "From: \"Sami\\\" <sip:100@192.0.2.1>"),
        plain("odd5").replace(";tag=odd5", ";tag=odd5;"),
    ]
    .into_iter()
    .enumerate()
    {
        trunk.send(&with_sdp(&request, &sdp(&c, "m=video - RTP/AVP 96\r\n")));
        let invite = pbx.request_within(GUARD).unwrap_or_else(|| panic!("case {n} at the PBX"));
        assert!(String::from_utf8_lossy(&invite.bytes).contains("m=video 0 RTP/AVP 96"), "case {n}");
        let odd = ["X Bad Name: 1\r\n", "garbage\r\n"][n % 2];
        let answer = sdp(&format!("c=IN IP4 {}\r\n", net.v4(host::PBX)), "m=video $ RTP/AVP 96\r\n");
        pbx.send(&accept(&invite, &format!("sip:y@{}", pbx.at()), odd, &answer));
        let ok = trunk.response();
        let text = String::from_utf8_lossy(&ok.bytes).into_owned();
        assert_eq!(ok.status(), Some(200), "case {n}: {text}");
        assert!(text.contains(odd), "case {n}: {text}");
        assert!(!text.contains(&format!("c=IN IP4 {}", net.v4(host::PBX))), "case {n}: {text}");
    }
}

/// What can't be passed on is at least told and counted.
#[test]
fn an_answer_that_is_dropped_is_told_and_counted() {
    let net = Net::lease();
    let mut sidetone = Sidetone::usual(&net);
    let pbx = Raw::bind(net.at(host::PBX, 5060), sidetone.sip());
    pbx.send(
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n\r\n",
    );
    until("a line in the log", || {
        sidetone.process().output().contains("a SIP message was dropped").then_some(())
    });
    assert!(sidetone.metric("sidetone_sip_rejected_total") >= 1.0);
    assert!(sidetone.process().output().contains("missing header"));
    sidetone.finish();
}

/// Lengths and methods that differ from what was sent: RFC 3261 §18.3 and §7.1 have such an answer dropped, not mended.
#[test]
fn an_answer_that_contradicts_itself_is_told_and_the_next_one_passes() {
    let net = Net::lease();
    let mut sidetone = Sidetone::usual(&net);
    let trunk = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    let pbx = Raw::bind(net.at(host::PBX, 5060), sidetone.sip());
    trunk.send(trunk.request("INVITE", URI, "odd", "").as_bytes());
    let invite = pbx.request_within(GUARD).unwrap();
    let ok = String::from_utf8(accept(&invite, &format!("sip:y@{}", pbx.at()), "", "")).unwrap();
    for (odd, told) in [
        (ok.replace("Content-Length: 0", "Content-Length: 10"), "shorter"),
        (ok.replace("1 INVITE", "1 invite"), "names another method"),
    ] {
        assert_ne!(odd, ok);
        pbx.send(odd.as_bytes());
        until("a line in the log", || sidetone.process().output().contains(told).then_some(()));
    }
    pbx.send(ok.as_bytes());
    assert_eq!(trunk.response().status(), Some(200));
}

/// Bytes that are not UTF-8, as some devices put into a Call-ID, pass as they are, and make a call like any other.
#[test]
fn a_call_id_in_latin_1_passes_byte_for_byte() {
    let net = Net::lease();
    let sidetone = Sidetone::usual(&net);
    let trunk = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    let pbx = Raw::bind(net.at(host::PBX, 5060), sidetone.sip());
    let latin = |text: &[u8]| -> Vec<u8> {
        String::from_utf8_lossy(text)
            .chars()
            .map(|c| if c == '\u{fffd}' { 0xe9 } else { u8::try_from(c).unwrap() })
            .collect()
    };
    let c = |host| format!("c=IN IP4 {}\r\n", net.v4(host));
    let plain = trunk.request("INVITE", URI, "latin", "");
    let invite = plain.replace("Call-ID: latin", "Call-ID: b\u{fffd}b\u{fffd}");
    let invite = with_sdp(&invite, &sdp(&c(host::TRUNK), ""));
    trunk.send(&latin(&invite));
    let arrived = pbx.request_within(GUARD).expect("the call at the PBX");
    let line: &[u8] = b"Call-ID: b\xe9b\xe9@raw\r\n";
    let has_it = |seen: &Seen| seen.bytes.windows(line.len()).any(|bytes| bytes == line);
    assert!(has_it(&arrived), "{}", String::from_utf8_lossy(&arrived.bytes));
    let contact = format!("sip:y@{}", pbx.at());
    pbx.send(&latin(&accept(&arrived, &contact, "", &sdp(&c(host::PBX), ""))));
    let ok = trunk.response();
    assert_eq!(ok.status(), Some(200));
    assert!(has_it(&ok));
    for (method, cseq) in [("ACK", 1), ("BYE", 2)] {
        let request = within(&trunk, &ok, method, cseq);
        trunk.send(&latin(request.as_bytes()));
        let got = pbx.request_within(GUARD).expect(method);
        assert!(has_it(&got) && got.method() == method);
        if method == "BYE" {
            let to = got.header("To").unwrap();
            let answer = format!("SIP/2.0 200 OK\r\n{}To: {to}\r\nContent-Length: 0\r\n\r\n", kept(&got));
            pbx.send(&latin(answer.as_bytes()));
            assert_eq!(trunk.response().status(), Some(200));
        }
    }
    let events = sidetone.finish();
    assert_eq!(events.iter().filter(|event| event["kind"] == "call.ended").count(), 1);
}

/// A PBX in a container names its own host: with `fix_contact` ACK and BYE find it all the same.
#[test]
fn a_contact_that_leads_nowhere_is_fixed() {
    for contact in ["sip:asterisk@019f9ae299f5:5060", "sip:y@10.255.255.1:5060"] {
        let net = Net::lease();
        let mut setup = Setup::usual(&net);
        setup.pbx_more = "fix_contact = true\n".to_owned();
        let sidetone = Sidetone::start(&net, &setup);
        let trunk = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
        let pbx = Raw::bind(net.at(host::PBX, 5060), sidetone.sip());
        let ok = call(&trunk, &pbx, "contact", contact);
        let user = contact.split('@').next().unwrap();
        assert_eq!(ok.header("Contact").unwrap(), format!("<{user}@{}>", pbx.at()));
        up_and_over(&trunk, &pbx, &ok);
        sidetone.finish();
    }
}

/// A party that names a third one's address, over TCP and at any port, is reached where it was heard; one that names
/// another address in its `allow` is reached there.
#[test]
fn a_dialog_leads_to_its_own_parties_only() {
    let net = Net::lease();
    let sidetone = Sidetone::usual(&net);
    let trunk = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    let pbx = Raw::bind(net.at(host::PBX, 5060), sidetone.sip());
    let third = Raw::bind(net.at(host::STRANGER, 5070), sidetone.sip());
    let door = TcpListener::bind(net.at(host::STRANGER, 2525)).unwrap();
    door.set_nonblocking(true).unwrap();
    let privileged = UdpSocket::bind(net.at(host::SECOND, 161)).unwrap();
    privileged.set_nonblocking(true).unwrap();
    for (n, contact) in [
        third.at().to_string(),
        format!("{};transport=tcp", net.at(host::STRANGER, 2525)),
        net.at(host::SECOND, 161).to_string(),
        "10.255.255.1:5060".to_owned(),
    ]
    .iter()
    .enumerate()
    {
        let ok = call(&trunk, &pbx, &format!("third{n}"), &format!("sip:y@{contact}"));
        up_and_over(&trunk, &pbx, &ok);
    }
    assert_eq!(third.receive_within(Duration::from_millis(100)), None);
    assert!(door.accept().is_err(), "somebody knocked");
    assert!(privileged.recv_from(&mut [0; 64]).is_err(), "no service of the system is written to");
    let second = Raw::bind(net.at(host::SECOND, 5080), sidetone.sip());
    let ok = call(&trunk, &pbx, "second", &format!("sip:y@{}", second.at()));
    up_and_over(&trunk, &second, &ok);
    sidetone.finish();
}

/// Whoever may not send a request to a host has no name server asked for it either.
#[test]
fn a_route_that_will_be_refused_is_not_looked_up() {
    let (net, dir) = (Net::lease(), tempfile::tempdir().unwrap());
    let hosts = [("pbx.test", net.v4(host::PBX).into()), ("third.test", net.v4(host::STRANGER).into())];
    let names = NameServer::start(&net, dir.path(), 60, &hosts, &[]);
    let mut setup = Setup::usual(&net);
    setup.sip = format!("nameservers = [\"{}\"]\n", names.at());
    setup.pbx.push(Host { to: "sip:pbx.test:5060".to_owned(), priority: 2, certificate_name: None });
    let sidetone = Sidetone::start(&net, &setup);
    let trunk = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    let pbx = Raw::bind(net.at(host::PBX, 5060), sidetone.sip());
    let by = |name: &str| format!("Route: <sip:{};lr>\r\nRoute: <sip:{name};lr>\r\n", sidetone.sip());
    for method in ["INVITE", "MESSAGE", "OPTIONS"] {
        let id = format!("third-{method}");
        trunk.send(trunk.request(method, "sip:x@far.test", &id, &by("third.test:5060")).as_bytes());
        assert_eq!(trunk.response().status(), Some(403));
    }
    // In a dialog too: it is no host that the other party has named.
    let ok = call(&trunk, &pbx, "dialog", &format!("sip:y@{}", pbx.at()));
    let ack = within(&trunk, &ok, "ACK", 1);
    trunk.send(ack.as_bytes());
    assert_eq!(pbx.request_within(GUARD).unwrap().method(), "ACK");
    let astray =
        within(&trunk, &ok, "INFO", 2).replace(&format!("INFO sip:y@{}", pbx.at()), "INFO sip:y@third.test");
    trunk.send(astray.as_bytes());
    assert_eq!(trunk.response().status(), Some(403));
    for kind in ["A", "AAAA", "SRV"] {
        assert_eq!(names.asked(kind, "third.test"), 0, "{kind}");
    }
    trunk.send(trunk.request("MESSAGE", "sip:x@far.test", "named", &by("pbx.test:5060")).as_bytes());
    let through = pbx.request_within(GUARD).expect("a configured name leads to its host");
    pbx.answer(&through, "200 OK");
    assert_eq!(trunk.response().status(), Some(200));
    assert!(names.asked("A", "pbx.test") > 0);
}

/// What an answer repeats of a request, but for To.
fn kept(request: &Seen) -> String {
    ["Via", "Record-Route", "From", "Call-ID", "CSeq"]
        .iter()
        .flat_map(|name| request.headers(name).into_iter().map(move |value| format!("{name}: {value}\r\n")))
        .collect()
}

/// A call from the carrier that the PBX answers with that Contact; gives the 200 that has come back.
fn call(trunk: &Raw, pbx: &Raw, id: &str, contact: &str) -> Seen {
    trunk.send(trunk.request("INVITE", URI, id, "").as_bytes());
    let arrived = pbx.request_within(GUARD).expect("the call at the PBX");
    pbx.send(&accept(&arrived, contact, "", ""));
    let ok = trunk.response();
    assert_eq!(ok.status(), Some(200), "{}", ok.start_line());
    ok
}

/// A request of the caller's within the dialog that a 200 has made.
fn within(trunk: &Raw, ok: &Seen, method: &str, cseq: u32) -> String {
    let routes: String =
        ok.headers("Record-Route").iter().rev().map(|route| format!("Route: {route}\r\n")).collect();
    let contact = ok.header("Contact").unwrap();
    let target = contact.trim_matches(['<', '>']);
    let from = ok.header("From").unwrap();
    let tag = from.split(";tag=").nth(1).unwrap();
    let id = format!("{tag}-{cseq}-{method}");
    trunk
        .request(method, target, &id, &routes)
        .replace(&format!(";tag={id}"), &format!(";tag={tag}"))
        .replace(&format!("To: <{target}>"), &format!("To: {}", ok.header("To").unwrap()))
        .replace(&format!("Call-ID: {id}@raw"), &format!("Call-ID: {}", ok.header("Call-ID").unwrap()))
        .replace(&format!("CSeq: 1 {method}"), &format!("CSeq: {cseq} {method}"))
}

/// The caller's ACK and BYE arrive at that host.
fn up_and_over(trunk: &Raw, at: &Raw, ok: &Seen) {
    for (method, cseq) in [("ACK", 1), ("BYE", 2)] {
        trunk.send(within(trunk, ok, method, cseq).as_bytes());
        let got = until(method, || {
            at.request_within(Duration::from_millis(100)).filter(|request| request.method() == method)
        });
        if method == "BYE" {
            at.answer(&got, "200 OK");
            assert_eq!(trunk.response().status(), Some(200));
        }
    }
}
