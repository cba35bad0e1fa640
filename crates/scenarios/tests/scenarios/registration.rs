//! Registrations through Sidetone: a Contact is called by the registrar that accepted it, on the side of the peer that
//! registered it, and opens no other way to anybody.

use std::net::TcpListener;
use std::time::Duration;

use sidetone_scenarios::GUARD;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sip::Raw;

use super::relay::{Office, setup};

const SOON: Duration = Duration::from_millis(200);

/// Registers `contact` at `registrar`, which answers with that status and Contact.
fn register(from: &Raw, registrar: &Raw, id: &str, contact: &str, status: &str, listed: &str) {
    let request =
        from.request("REGISTER", "sip:registrar.example", id, "Expires: 600\r\nSupported: path\r\n");
    let own = format!("Contact: <sip:raw@{}>", from.at());
    from.send(request.replace(&own, &format!("Contact: <sip:user@{contact}>")).as_bytes());
    let register = registrar.request_within(GUARD).expect("the REGISTER");
    assert!(register.start_line().starts_with("REGISTER "), "{}", register.start_line());
    let kept: String = ["Via", "From", "Call-ID", "CSeq"]
        .iter()
        .flat_map(|name| register.headers(name).into_iter().map(move |value| format!("{name}: {value}\r\n")))
        .collect();
    let (to, listed) =
        (register.header("To").unwrap(), format!("Contact: <sip:user@{listed}>;expires=600\r\n"));
    let answer = format!("SIP/2.0 {status}\r\n{kept}To: {to};tag=r\r\n{listed}Content-Length: 0\r\n\r\n");
    registrar.send(answer.as_bytes());
    assert_eq!(from.response().status(), Some(status[..3].parse().unwrap()));
}

/// A request that comes by our Path to a Contact; the status of the answer, or none where it has passed.
fn reach(office: &Office, from: &Raw, method: &str, id: &str, contact: &str) -> Option<u16> {
    let path = format!("Route: <sip:path@{};lr>\r\n", office.sidetone.sip());
    let request = from.request(method, &format!("sip:user@{contact}"), id, &path);
    from.send(request.as_bytes());
    loop {
        match from.receive_within(Duration::from_millis(400))?.status() {
            Some(100) | None => {}
            status => return status,
        }
    }
}

#[test]
fn a_trunk_reaches_no_service_of_a_pbx_s_host_whatever_it_registers() {
    let net = Net::lease();
    let office = Office::open(&net, &setup(&net));
    let decoys: Vec<TcpListener> = [5038, 6379]
        .map(|port| TcpListener::bind(net.at(host::PBX, port)).unwrap())
        .into_iter()
        .inspect(|decoy| decoy.set_nonblocking(true).unwrap())
        .collect();
    let low = Raw::bind(net.at(host::PBX, 6969), office.sidetone.sip());
    let mut n = 0;
    for goal in [5038, 6379, 6969].map(|port| net.at(host::PBX, port)) {
        let tcp = format!("{goal};transport=tcp");
        // A registrar that lists whatever it is asked to changes nothing.
        for status in ["403 Forbidden", "200 OK"] {
            n += 1;
            register(&office.carrier, &office.pbx, &format!("r{n}"), &tcp, status, &tcp);
            for method in ["MESSAGE", "OPTIONS", "INVITE"] {
                for from in [&office.carrier, &office.second] {
                    for contact in [&tcp, &goal.to_string()] {
                        n += 1;
                        let status = reach(&office, from, method, &format!("m{n}"), contact);
                        assert_eq!(status, Some(403), "{method} {contact}");
                    }
                }
            }
        }
    }
    assert!(decoys.iter().all(|decoy| decoy.accept().is_err()));
    assert_eq!(low.request_within(SOON), None);
    office.nobody_got_anything();
    office.sidetone.finish();
}

/// The PBX registers with the carrier, from its usual port, for another that no configuration names.
#[test]
fn a_pbx_that_registers_with_the_carrier_is_called_at_its_contact_by_that_carrier_alone() {
    let net = Net::lease();
    let office = Office::open(&net, &setup(&net));
    let line = Raw::bind(net.at(host::PBX, 5099), office.sidetone.sip());
    let contact = line.at().to_string();
    register(&office.pbx, &office.carrier, "r1", &contact, "401 Unauthorized", &contact);
    assert_eq!(reach(&office, &office.carrier, "INVITE", "early", &contact), Some(403));
    register(&office.pbx, &office.carrier, "r2", &contact, "200 OK", &contact);
    assert_eq!(reach(&office, &office.second, "INVITE", "thief", &contact), Some(403));
    assert_eq!(line.request_within(SOON), None);
    assert_eq!(reach(&office, &office.carrier, "INVITE", "call", &contact), None);
    let invite = line.request_within(GUARD).expect("the INVITE at the Contact");
    assert!(invite.start_line().starts_with("INVITE sip:user@"), "{}", invite.start_line());
    line.answer(&invite, "486 Busy Here");
    assert_eq!(office.carrier.response().status(), Some(486));
    office.sidetone.finish();
}

/// An agent's telephone on the trunk's side registers with the PBX.
#[test]
fn a_telephone_on_the_trunk_s_side_is_called_by_the_pbx_that_it_registers_with() {
    let net = Net::lease();
    let office = Office::open(&net, &setup(&net));
    let phone = Raw::bind(net.at(host::TRUNK, 6060), office.sidetone.sip());
    let contact = phone.at().to_string();
    register(&phone, &office.pbx, "r1", &contact, "200 OK", &contact);
    assert_eq!(reach(&office, &office.other, "INVITE", "thief", &contact), Some(403));
    assert_eq!(reach(&office, &office.pbx, "INVITE", "call", &contact), None);
    let invite = phone.request_within(GUARD).expect("the INVITE at the telephone");
    phone.answer(&invite, "486 Busy Here");
    assert_eq!(office.pbx.response().status(), Some(486));
    // Where else it says that it is, on the PBX's side or at a service's port, nobody calls it.
    let goals = [net.at(host::TRUNK, 25), office.other.at(), net.at(host::ELSEWHERE, 6060)];
    for (n, goal) in goals.map(|goal| goal.to_string()).iter().enumerate() {
        register(&phone, &office.pbx, &format!("r{n}x"), goal, "200 OK", goal);
        assert_eq!(reach(&office, &office.pbx, "INVITE", &format!("c{n}"), goal), Some(403), "{goal}");
    }
    office.sidetone.finish();
}
