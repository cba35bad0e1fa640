//! Messages that a proxy has to pass on: everything that isn't its business leaves byte for byte.

use sidetone_sip::message::Name;

use super::sim::{CARRIER, Net, PBX, invite};
use super::{Fate, fate_of, fixture, without};

/// What a proxy changes (RFC 3261 §16.6, RFC 3327).
const HOPS: [&str; 6] = ["Via", "v", "Max-Forwards", "Record-Route", "Route", "Path"];

/// Forwarded like any other request.
pub(super) const NAMES: &[&str] = &[
    // RFC 4475 §3.1.1, valid messages.
    "wsinv",
    "intmeth",
    "esc01",
    "escnull",
    "esc02",
    "lwsdisp",
    "longreq",
    "semiuri",
    "transports",
    // §3.1.2, invalid, but in parts that a proxy doesn't read; rejecting them is allowed, not asked for.
    "baddate",
    "regbadct",
    "badaspec",
    "baddn",
    "quotbal",
    // §3.3.3: a scheme that nobody here need know, since configuration says where requests go.
    "unkscm",
    "novelsc",
    // §3.2: told apart as RFC 2543 does.
    "badbranch",
    // §3.3: for the far end to judge.
    "unksm2",
    "invut",
    "regaut01",
    "cparam01",
    "cparam02",
    "regescrt",
    "sdp01",
    // §3.4
    "inv2543",
    // RFC 5118
    "ipv6-good",
    "port-ambiguous",
    "port-unambiguous",
    "via-received-param-with-delim",
    "via-received-param-no-delim",
    "ipv6-in-sdp",
    "mult-ip-in-header",
    "mult-ip-in-sdp",
    "ipv4-mapped-ipv6",
    "ipv6-bug-abnf-3-colons",
    "ipv6-correct-abnf-2-colons",
];

/// Valid, and tested one by one below.
pub(super) const APART: &[&str] = &["dblreq", "mpart01", "unreason", "noreason"];

#[test]
fn forwarded_byte_for_byte() {
    for name in NAMES {
        let original = fixture(name);
        let Fate::Forwarded(sent) = fate_of(original.clone()) else { panic!("{name} was not forwarded") };
        let (got, wanted) = (without(sent.as_bytes(), &HOPS), without(&original, &HOPS));
        assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(&wanted), "{name}");
        assert_eq!(got, wanted, "{name}");
    }
}

#[test]
fn wsinv_keeps_its_vias_below_ours_and_counts_down_from_0068() {
    let Fate::Forwarded(sent) = fate_of(fixture("wsinv")) else { panic!() };
    assert_eq!(sent.max_forwards(), Some(Ok(67)));
    let vias: Vec<_> = sent.values(Name::Via).collect();
    assert_eq!(vias.len(), 4);
    assert!(vias[1].ends_with(b"192.0.2.2;branch=390skdjuw;received=198.51.100.99"));
    assert!(sent.header(Name::Route).unwrap().value.starts_with(b"<sip:services.example.com;lr"));
}

#[test]
fn longreq_keeps_all_34_vias() {
    let Fate::Forwarded(sent) = fate_of(fixture("longreq")) else { panic!() };
    assert_eq!(sent.values(Name::Via).count(), 35);
}

/// §3.1.1.8: what follows the first message in its datagram is not part of it.
#[test]
fn dblreq() {
    let original = fixture("dblreq");
    let Fate::Forwarded(sent) = fate_of(original.clone()) else { panic!("not forwarded") };
    let first = original.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(without(sent.as_bytes(), &HOPS), without(&original[..first], &HOPS));
}

/// §3.1.1.11. Its Route names a strict router, which gets itself as Request-URI and the target as last Route.
#[test]
fn mpart01() {
    let original = fixture("mpart01");
    let Fate::Forwarded(sent) = fate_of(original.clone()) else { panic!("not forwarded") };
    assert_eq!(sent.request_uri(), Some("sip:127.0.0.1:5080"));
    assert_eq!(sent.header(Name::Route).unwrap().value, b"<sip:kumiko@example.org>");
    let rest = |m: &[u8]| {
        let kept = without(m, &HOPS);
        kept[kept.iter().position(|&b| b == b'\n').unwrap()..].to_vec()
    };
    assert_eq!(rest(sent.as_bytes()), rest(&original));
}

/// The response, as if it answered a call that is under way: with that call's Vias, Call-ID and From.
fn as_answer(net: &mut Net, name: &str) -> Vec<u8> {
    net.send(CARRIER, invite(CARRIER, "c1"));
    net.take(CARRIER, "100");
    let sent = net.take(PBX, "INVITE");
    let response = String::from_utf8(fixture(name)).unwrap();
    let vias: Vec<_> = sent.values(Name::Via).map(|v| String::from_utf8(v.to_vec()).unwrap()).collect();
    let of = |name: Name| sent.header(name).unwrap().text().into_owned();
    let line = |name: &str| response.lines().find(|l| l.starts_with(name)).unwrap().to_owned();
    response
        .replace(&line("Via:"), &format!("Via: {}", vias.join(",")))
        .replace(&line("Call-ID:"), &format!("Call-ID: {}", of(Name::CallId)))
        .replace(&line("From:"), &format!("From: {}", of(Name::From)))
        .into_bytes()
}

/// §3.1.1.12
#[test]
fn unreason() {
    let mut net = Net::new();
    let answer = as_answer(&mut net, "unreason");
    net.send(PBX, answer.clone());
    let got = net.take(CARRIER, "200");
    assert_eq!(without(got.as_bytes(), &["Via"]), without(&answer, &["Via"]));
    net.finish();
}

/// §3.1.1.13: a 100 ends here, but it is understood.
#[test]
fn noreason() {
    let mut net = Net::new();
    let answer = as_answer(&mut net, "noreason");
    net.send(PBX, answer);
    net.nothing(CARRIER);
    net.pass(super::sim::secs(30));
    net.nothing(PBX);
    assert_eq!(net.proxy.counters().responses_in.0[0], 1);
    net.finish();
}
