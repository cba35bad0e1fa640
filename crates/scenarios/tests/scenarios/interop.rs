//! Messages that other systems send and that are not by the book: what a proxy need not read passes, and nothing that a
//! party says vanishes in silence.

use std::time::Duration;

use sidetone_scenarios::GUARD;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Setup, Sidetone};
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
    let kept: String = ["Via", "Record-Route", "From", "Call-ID", "CSeq"]
        .iter()
        .flat_map(|name| request.headers(name).into_iter().map(move |value| format!("{name}: {value}\r\n")))
        .collect();
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
        let invite = trunk.request("INVITE", URI, "contact", "");
        trunk.send(invite.as_bytes());
        let arrived = pbx.request_within(GUARD).expect("the call at the PBX");
        pbx.send(&accept(&arrived, contact, "", ""));
        let ok = trunk.response();
        assert_eq!(ok.status(), Some(200));
        let remote = ok.header("Contact").unwrap();
        let user = contact.split('@').next().unwrap();
        assert_eq!(remote, format!("<{user}@{}>", pbx.at()));
        let routes: String =
            ok.headers("Record-Route").iter().rev().map(|route| format!("Route: {route}\r\n")).collect();
        let within = |method: &str, cseq: u32| {
            trunk
                .request(method, remote.trim_matches(['<', '>']), &format!("in-{method}"), &routes)
                .replace(
                    &format!("To: <{}>", remote.trim_matches(['<', '>'])),
                    &format!("To: {}", ok.header("To").unwrap()),
                )
                .replace(&format!("tag=in-{method}"), "tag=contact")
                .replace(&format!("Call-ID: in-{method}@raw"), "Call-ID: contact@raw")
                .replace(&format!("CSeq: 1 {method}"), &format!("CSeq: {cseq} {method}"))
        };
        for (method, cseq) in [("ACK", 1), ("BYE", 2)] {
            trunk.send(within(method, cseq).as_bytes());
            let got = until(method, || {
                pbx.request_within(Duration::from_millis(100)).filter(|request| request.method() == method)
            });
            if method == "BYE" {
                pbx.answer(&got, "200 OK");
                assert_eq!(trunk.response().status(), Some(200));
            }
        }
        sidetone.finish();
    }
}
