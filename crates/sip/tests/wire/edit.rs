//! An edit touches what it names and nothing else.

use std::net::SocketAddr;

use sidetone_sip::message::HopsExhausted;
use sidetone_sip::{Edit, Message, Name};

use crate::message;

const INVITE: &str = "INVITE sip:b@example.com SIP/2.0\r\n\
v:  SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1 ,\r\n  SIP/2.0/TCP 192.0.2.9;branch=z9hG4bK0\r\n\
VIA: SIP/2.0/UDP h;branch=z9hG4bKold\r\n\
from: \"A, B\" <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: x@y\r\nCSeq: 1 INVITE\r\n\
Route: <sip:p1.example.com;lr>,<sip:p2.example.com;lr>\r\nX-Odd :  \tvalue \r\n\
Max-Forwards:70\r\nl: 4\r\n\r\nbody";

fn edited(edit: impl FnOnce(&Message, &mut Edit)) -> String {
    let m = message(INVITE);
    let mut changes = Edit::new();
    edit(&m, &mut changes);
    String::from_utf8(changes.apply(&m).to_vec()).unwrap()
}

#[test]
fn nothing() {
    let m = message(INVITE);
    let out = Edit::new().apply(&m);
    assert_eq!(out.as_ptr(), m.as_bytes().as_ptr(), "not even a copy");
}

#[test]
fn vias() {
    let pushed = edited(|m, e| e.push_via(m, "SIP/2.0/UDP us;branch=z9hG4bKus"));
    assert_eq!(pushed, INVITE.replace("v:  SIP", "Via: SIP/2.0/UDP us;branch=z9hG4bKus\r\nv:  SIP"));
    let popped = edited(|m, e| e.pop_via(m));
    assert_eq!(popped, INVITE.replace("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1 ,\r\n  ", ""));
    let first =
        "v:  SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1 ,\r\n  SIP/2.0/TCP 192.0.2.9;branch=z9hG4bK0\r\n";
    assert_eq!(edited(|m, e| _ = e.remove_first_values(m, Name::Via, 2)), INVITE.replace(first, ""));
    assert_eq!(
        message(&edited(|m, e| _ = e.remove_first_values(m, Name::Route, 9))).header(Name::Route).map(|_| ()),
        None
    );
}

#[test]
fn values_in_front_of_others() {
    let m = message(INVITE);
    let mut e = Edit::new();
    assert_eq!(e.remove_first_values(&m, Name::Route, 1), 1);
    assert_eq!(e.remove_first_values(&m, Name::Path, 1), 0);
    let out = String::from_utf8(e.apply(&m).to_vec()).unwrap();
    assert_eq!(out, INVITE.replace("<sip:p1.example.com;lr>,", ""));
}

#[test]
fn everything_a_proxy_does_at_once() {
    let out = edited(|m, e| {
        e.push_via(m, "SIP/2.0/UDP us;branch=z9hG4bKus");
        e.fill_received(m, "198.51.100.7:5061".parse().unwrap());
        e.count_down_hops(m, 70).unwrap();
        e.push_first(m, Name::RecordRoute, "<sip:us;lr>");
        e.remove_first_values(m, Name::Route, 1);
        e.set_request_uri(m, "sip:c@10.0.0.1:5070");
        e.splice_body(m, 0..1, "longer b");
        e.append(m, "X-New", "1\r\nInjected: yes");
        e.state_content_length();
    });
    let expected = INVITE
        .replace("sip:b@example.com SIP", "sip:c@10.0.0.1:5070 SIP")
        .replace("v:  SIP", "Via: SIP/2.0/UDP us;branch=z9hG4bKus\r\nv:  SIP")
        .replace("z9hG4bK1 ,", "z9hG4bK1;received=198.51.100.7 ,")
        .replace("z9hG4bKold\r\n", "z9hG4bKold\r\nRecord-Route: <sip:us;lr>\r\n")
        .replace("<sip:p1.example.com;lr>,", "")
        .replace("Max-Forwards:70", "Max-Forwards:69")
        .replace("l: 4\r\n", "l: 11\r\nX-New: 1  Injected: yes\r\n")
        .replace("\r\nbody", "\r\nlonger body");
    assert_eq!(out, expected);
}

#[test]
fn where_the_request_came_from() {
    let filled = |via: &str, source: &str| {
        let text = INVITE.replace("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1", via);
        let m = message(&text);
        let mut e = Edit::new();
        e.fill_received(&m, source.parse::<SocketAddr>().unwrap());
        let out = message(std::str::from_utf8(&e.apply(&m)).unwrap());
        let top = String::from_utf8(out.first_value(Name::Via).unwrap().to_vec()).unwrap();
        assert_eq!(out.values(Name::Via).count(), 3);
        top
    };
    let b = "branch=z9hG4bK1";
    for (via, source, expected) in [
        (format!("SIP/2.0/UDP 192.0.2.1:5060;{b}"), "192.0.2.1:9", format!("SIP/2.0/UDP 192.0.2.1:5060;{b}")),
        (format!("SIP/2.0/UDP h;{b}"), "192.0.2.1:9", format!("SIP/2.0/UDP h;{b};received=192.0.2.1")),
        (
            format!("SIP/2.0/UDP 192.0.2.1;rport;{b}"),
            "192.0.2.1:9",
            format!("SIP/2.0/UDP 192.0.2.1;rport=9;{b};received=192.0.2.1"),
        ),
        (
            format!("SIP/2.0/UDP 192.0.2.1;{b};rport="),
            "192.0.2.1:9",
            format!("SIP/2.0/UDP 192.0.2.1;{b};rport=9;received=192.0.2.1"),
        ),
        (format!("SIP/2.0/UDP [::1];{b}"), "[::1]:9", format!("SIP/2.0/UDP [::1];{b}")),
        (
            format!("SIP/2.0/UDP [::1];{b}"),
            "[2001:db8::1]:9",
            format!("SIP/2.0/UDP [::1];{b};received=2001:db8::1"),
        ),
        (format!("SIP/2.0/UDP 192.0.2.1;{b}"), "[::ffff:192.0.2.1]:9", format!("SIP/2.0/UDP 192.0.2.1;{b}")),
        // A sender doesn't get to say where it came from.
        (
            format!("SIP/2.0/UDP h;received=10.9.9.9;{b}"),
            "192.0.2.1:9",
            format!("SIP/2.0/UDP h;received=192.0.2.1;{b}"),
        ),
        (
            format!("SIP/2.0/UDP h;rport=1;received=10.9.9.9;{b}"),
            "192.0.2.1:9",
            format!("SIP/2.0/UDP h;rport=9;received=192.0.2.1;{b}"),
        ),
    ] {
        assert_eq!(filled(&via, source), expected);
    }
}

#[test]
fn hops() {
    assert!(edited(|m, e| e.count_down_hops(m, 70).unwrap()).contains("Max-Forwards:69\r\n"));
    let set = |value: &str| {
        let m = message(&INVITE.replace("Max-Forwards:70\r\n", value));
        let mut e = Edit::new();
        e.count_down_hops(&m, 70)?;
        let out = message(std::str::from_utf8(&e.apply(&m)).unwrap());
        Ok::<_, HopsExhausted>(out.header(Name::MaxForwards).unwrap().text().into_owned())
    };
    assert_eq!(set("Max-Forwards: 0\r\n"), Err(HopsExhausted));
    assert_eq!(set("Max-Forwards: 1\r\n").unwrap(), "0");
    assert_eq!(set("").unwrap(), "70");
    assert_eq!(set("Max-Forwards: 300\r\n").unwrap(), "70");
    assert_eq!(set("Max-Forwards:\r\n").unwrap(), "70");
}

#[test]
fn bodies() {
    assert!(edited(|m, e| e.set_body(m, "")).ends_with("l: 0\r\n\r\n"));
    assert!(edited(|m, e| e.set_body(m, "0123456789")).ends_with("l: 10\r\n\r\n0123456789"));
    // Same length, nothing to correct.
    assert!(edited(|m, e| e.splice_body(m, 1..3, "OD")).ends_with("l: 4\r\n\r\nbODy"));
    assert!(edited(|m, e| e.splice_body(m, 4..4, "!")).ends_with("l: 5\r\n\r\nbody!"));
    assert!(edited(|m, e| e.splice_body(m, 4..900, "!")).ends_with("l: 5\r\n\r\nbody!"));
    let m = message(&INVITE.replace("l: 4\r\n", ""));
    let mut e = Edit::new();
    e.state_content_length();
    assert!(e.apply(&m).ends_with(b"Content-Length: 4\r\n\r\nbody"));
    let mut e = Edit::new();
    e.set_body(&m, "bodies");
    assert!(e.apply(&m).ends_with(b"Content-Length: 6\r\n\r\nbodies"));
    let m = message(&INVITE.replace("l: 4\r\n\r\nbody", "l: 0\r\n\r\n"));
    let mut e = Edit::new();
    e.set_body(&m, "now there is one");
    assert!(e.apply(&m).ends_with(b"l: 16\r\n\r\nnow there is one"));
}

#[test]
fn the_last_word_on_the_same_place_counts() {
    let out = edited(|m, e| {
        e.set_request_uri(m, "sip:first");
        e.set_request_uri(m, "sip:second");
        let odd = m.headers_called("x-odd").next().unwrap();
        e.replace_value(&odd, "new");
        e.remove(&odd);
    });
    assert_eq!(
        out,
        INVITE.replace("sip:b@example.com SIP", "sip:second SIP").replace("X-Odd :  \tvalue \r\n", "")
    );
}

#[test]
fn insertions_at_one_place_stand_in_order() {
    let out = edited(|m, e| {
        e.push_first(m, Name::RecordRoute, "<sip:one;lr>");
        e.push_first(m, Name::RecordRoute, "<sip:two;lr>");
    });
    assert!(out.contains("z9hG4bKold\r\nRecord-Route: <sip:one;lr>\r\nRecord-Route: <sip:two;lr>\r\nfrom:"));
}
