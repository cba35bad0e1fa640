//! REGISTER leaves a Path (RFC 3327), and requests that come back by it go on to the registered contact.

use sidetone_sip::message::Name;
use sidetone_sip::proxy::RouteKind;

use crate::sim::*;

#[test]
fn a_registration_and_a_request_that_follows_its_path() {
    let mut net = Net::new();
    let phone = "198.51.100.10:6060";
    net.send(phone, draft("REGISTER", phone, "r1").uri("sip:sidetone.example").header("Supported: path"));
    let register = net.take(PBX, "REGISTER");
    assert_eq!(register.header(Name::Path).unwrap().text(), "<sip:path@192.0.2.1:5060;lr>");
    assert!(register.header(Name::RecordRoute).is_none());
    net.send(PBX, reply_with(&register, 200, "b", PBX, &[("Path", "<sip:path@192.0.2.1:5060;lr>")]));
    net.take(phone, "200");

    let call =
        invite(PBX, "c1").uri(&format!("sip:alice@{phone}")).header("Route: <sip:path@192.0.2.1:5060;lr>");
    net.send(PBX, call);
    assert!(
        matches!(&net.asked.last().unwrap().kind, RouteKind::Onward { next_hop } if next_hop.as_str() == format!("sip:alice@{phone}"))
    );
    let sent = net.take(phone, "INVITE");
    assert!(sent.header(Name::Route).is_none());
    assert!(sent.header(Name::RecordRoute).is_some());
    net.finish();
}

/// RFC 3327 §5.2: whoever registers has to ask for it.
#[test]
fn without_support_for_it_no_path_is_left() {
    let mut net = Net::new();
    net.send(CARRIER, draft("REGISTER", CARRIER, "r1").header("Supported: outbound"));
    let register = net.take(PBX, "REGISTER");
    assert!(register.header(Name::Path).is_none());
    assert_eq!(register.header(Name::Supported).unwrap().text(), "outbound");
    net.finish();
}

#[test]
fn a_path_that_is_there_already_stays_below() {
    let mut net = Net::new();
    let register = draft("REGISTER", CARRIER, "r1").header("Supported: gruu, PATH");
    net.send(CARRIER, register.header("Path: <sip:p2.example;lr>"));
    let register = net.take(PBX, "REGISTER");
    let path: Vec<_> = register.values(Name::Path).map(|v| std::str::from_utf8(v).unwrap()).collect();
    assert_eq!(path, ["<sip:path@192.0.2.1:5060;lr>", "<sip:p2.example;lr>"]);
    net.finish();
}

#[test]
fn a_change_of_transport_leaves_two_the_registrars_on_top() {
    let mut net = Net::new();
    net.pbx = vec![udp(PBX6)];
    net.send_tcp(CARRIER, draft("REGISTER", CARRIER, "r1").header("Supported: path"));
    let register = net.take(PBX6, "REGISTER");
    let path: Vec<_> = register.values(Name::Path).map(|v| std::str::from_utf8(v).unwrap()).collect();
    assert_eq!(path, ["<sip:path@[2001:db8::1]:5060;lr>", "<sip:path@192.0.2.1:5060;transport=tcp;lr>"]);
    net.finish();
}
