//! To whom INFO goes, in what form, and when it stops.

use sidetone_call::Nature;
use sidetone_sip::message::Name;
use sidetone_sip::notification::Counts;
use sidetone_sip::proxy::Answer;

use crate::office::{CARRIER, Office, PBX, RECV, carrier, carrier_calls, pbx, secs};

fn counts(office: &Office) -> Counts {
    office.proxy.filter_ref().legs_ref().ledger().counts("office")
}

#[test]
fn as_rfc_6086_has_it() {
    let mut office = Office::new();
    office.inbound(&[("Recv-Info", "foo, x-sidetone-affect")]);
    office.tell(Nature::Affect, "{\"kind\":\"affect.alert\"}");
    let info = office.info_taken(8);
    let value = |name: &str| info.headers_called(name).next().unwrap().text().into_owned();
    assert_eq!(value("Info-Package"), "x-sidetone-affect");
    assert_eq!(value("Content-Disposition"), "Info-Package");
    assert_eq!(value("Content-Type"), "application/json");
    assert_eq!(info.body(), b"{\"kind\":\"affect.alert\"}");
    assert_eq!(info.request_uri(), Some("sip:agent@203.0.113.20"));
    assert_eq!(value("From"), "\"Ada\" <sip:ada@carrier.example>;tag=c");
    assert_eq!(value("To"), "<sip:agent@office.example>;tag=p");
    assert_eq!(info.values(Name::Via).count(), 1);
    assert_eq!(info.values(Name::Route).count(), 0);
    assert_eq!(counts(&office), Counts { sent: 1, failed: 0, dropped: 0 });
}

#[test]
fn the_route_set_beyond_us_is_followed() {
    let mut office = Office::new();
    office.send(CARRIER, carrier_calls(7));
    office.take(CARRIER, "100 7");
    let invite = office.take(PBX, "INVITE 7");
    let routes: Vec<String> =
        invite.headers_named(Name::RecordRoute).map(|header| header.text().into_owned()).collect();
    // Two proxies of the office's, the last nearest to the agent.
    let mut answer = sidetone_sip::message::ResponseBuilder::new(&invite, 200).to_tag("p");
    for route in
        ["<sip:203.0.113.40;lr>, <sip:203.0.113.30;lr>"].into_iter().chain(routes.iter().map(String::as_str))
    {
        answer = answer.header("Record-Route", route);
    }
    let answer = answer.header("Contact", "<sip:agent@10.0.0.5>").header(RECV.0, RECV.1).build();
    office.send(PBX, answer);
    office.take(CARRIER, "200 7");
    let ack = carrier("ACK", 7, "").replace(
        "Route: <sip:192.0.2.1;lr>",
        "Route: <sip:192.0.2.1;lr>, <sip:203.0.113.30;lr>, <sip:203.0.113.40;lr>",
    );
    office.send(CARRIER, ack);
    office.take("203.0.113.30:5060", "ACK 7");
    office.tell(Nature::Affect, "{}");
    let info = office.take("203.0.113.30:5060", "INFO 8");
    assert_eq!(info.request_uri(), Some("sip:agent@10.0.0.5"));
    let routes: Vec<_> = info.headers_named(Name::Route).map(|header| header.text().into_owned()).collect();
    assert_eq!(routes, ["<sip:203.0.113.30;lr>", "<sip:203.0.113.40;lr>"]);
}

#[test]
fn who_does_not_list_the_package_is_told_nothing() {
    for header in [("X", "y"), ("Recv-Info", ""), ("Recv-Info", "nil"), ("Recv-Info", "other")] {
        let mut office = Office::new();
        office.inbound(&[header]);
        office.tell(Nature::Affect, "{}");
        office.nothing(PBX);
        assert_eq!(counts(&office), Counts::default());
    }
}

#[test]
fn it_may_change_its_mind_in_mid_call() {
    let mut office = Office::new();
    office.inbound(&[]);
    let listed = |office: &mut Office, number, value: &str| {
        let update = pbx("UPDATE", number, &format!("Recv-Info: {value}\r\n"));
        // Each in a transaction of its own, whatever its number.
        office.send(PBX, update.replace("z9hG4bK", &format!("z9hG4bK{value}{number}")));
        let update = office.take(CARRIER, &format!("UPDATE {number}"));
        office.answer(CARRIER, &update, 200, &[]);
        office.take(PBX, &format!("200 {number}"));
        office.tell(Nature::Affect, "{}");
    };
    listed(&mut office, 1, "x-sidetone-affect");
    let at = "203.0.113.20:5062";
    let info = office.take(at, "INFO 8");
    office.answer(PBX, &info, 200, &[]);
    listed(&mut office, 2, "nil");
    office.nothing(at);
    // What arrives late says nothing new.
    listed(&mut office, 1, "X-SIDETONE-AFFECT");
    office.nothing(at);
    // In an answer to the carrier's re-INVITE.
    office.send(CARRIER, carrier("INVITE", 8, ""));
    office.take(CARRIER, "100 8");
    let invite = office.take(PBX, "INVITE 9");
    office.answer(PBX, &invite, 200, &[RECV]);
    office.take(CARRIER, "200 8");
    office.send(CARRIER, carrier("ACK", 8, ""));
    office.take(PBX, "ACK 9");
    office.tell(Nature::Affect, "{}");
    office.take(PBX, "INFO 10");
}

#[test]
fn not_before_the_call_is_up_and_not_after_its_end() {
    let mut office = Office::new();
    office.send(CARRIER, carrier_calls(7));
    office.take(CARRIER, "100 7");
    let invite = office.take(PBX, "INVITE 7");
    office.answer(PBX, &invite, 180, &[RECV]);
    office.tell(Nature::Reading, "early");
    office.answer(PBX, &invite, 200, &[]);
    office.tell(Nature::Reading, "answered");
    office.nothing(PBX);
    office.send(CARRIER, carrier("ACK", 7, ""));
    office.take(PBX, "ACK 7");
    // The newest of what waited.
    let info = office.take(PBX, "INFO 8");
    assert_eq!(info.body(), b"answered");
    office.tell(Nature::Plain, "one more");
    office.send(CARRIER, carrier("BYE", 8, ""));
    let bye = office.take(PBX, "BYE 9");
    office.answer(PBX, &info, 200, &[]);
    office.nothing(PBX);
    office.answer(PBX, &bye, 200, &[]);
    office.tell(Nature::Plain, "too late");
    office.nothing(PBX);
    assert_eq!(counts(&office), Counts { sent: 1, failed: 0, dropped: 3 });
    office.pass(secs(60));
    assert!(office.proxy.filter_ref().legs_ref().is_empty());
    assert_eq!(office.proxy.transactions(), 0);
}

#[test]
fn one_at_a_time() {
    let mut office = Office::new();
    office.inbound(&[RECV]);
    office.tell(Nature::Affect, "first");
    for body in ["r1", "r2", "r3"] {
        office.tell(Nature::Reading, body);
    }
    office.tell(Nature::Affect, "last");
    let info = office.take(PBX, "INFO 8");
    office.nothing(PBX);
    office.answer(PBX, &info, 200, &[]);
    assert_eq!(office.info_taken(9).body(), b"r3");
    assert_eq!(office.info_taken(10).body(), b"last");
    assert_eq!(counts(&office), Counts { sent: 3, failed: 0, dropped: 2 });
}

#[test]
fn an_objection_takes_back_what_waits() {
    let mut office = Office::new();
    office.inbound(&[RECV]);
    office.tell(Nature::Plain, "first");
    office.tell(Nature::Affect, "upset");
    office.tell(Nature::Plain, "objection");
    office.withdraw();
    office.info_taken(8);
    assert_eq!(office.info_taken(9).body(), b"objection");
    office.nothing(PBX);
}

#[test]
fn an_objection_takes_back_what_would_be_sent_again() {
    let mut office = Office::new();
    office.inbound(&[RECV]);
    office.tell(Nature::Affect, "upset");
    let upset = office.take(PBX, "INFO 8");
    office.withdraw();
    assert_eq!(office.answers, [Answer::Recalled]);
    office.tell(Nature::Plain, "objection");
    let info = office.take(PBX, "INFO 9");
    assert_eq!(info.body(), b"objection");
    office.answer(PBX, &info, 200, &[]);
    office.pass(secs(40));
    office.nothing(PBX);
    // It has arrived after all: nobody minds.
    office.answer(PBX, &upset, 200, &[]);
    office.nothing(CARRIER);
    assert_eq!(counts(&office), Counts { sent: 1, failed: 0, dropped: 1 });
    office.carrier_asks("BYE", 8, 10, 200);
}

/// What a refusal does: whether the next is told all the same.
#[track_caller]
fn after(status: u16, next: bool) {
    let mut office = Office::new();
    office.inbound(&[RECV]);
    office.tell(Nature::Affect, "{}");
    let info = office.take(PBX, "INFO 8");
    office.answer(PBX, &info, status, &[]);
    office.nothing(CARRIER);
    office.tell(Nature::Affect, "{}");
    if next {
        office.take(PBX, "INFO 9");
    }
    office.nothing(PBX);
    assert_eq!(counts(&office).failed, 1);
    // The call goes on.
    office.carrier_asks("BYE", 8, if next { 10 } else { 9 }, 200);
}

#[test]
fn a_refusal_ends_it_and_not_the_call() {
    for status in [400, 405, 408, 415, 469, 481, 501, 603] {
        after(status, false);
    }
    for status in [491, 500, 503] {
        after(status, true);
    }
}

#[test]
fn a_package_refused_is_told_again_once_it_is_listed_again() {
    let mut office = Office::new();
    office.inbound(&[RECV]);
    office.tell(Nature::Affect, "{}");
    let info = office.take(PBX, "INFO 8");
    office.answer(PBX, &info, 469, &[("Recv-Info", "other")]);
    office.send(CARRIER, carrier("INVITE", 8, ""));
    office.take(CARRIER, "100 8");
    let invite = office.take(PBX, "INVITE 9");
    office.answer(PBX, &invite, 200, &[RECV]);
    office.take(CARRIER, "200 8");
    office.send(CARRIER, carrier("ACK", 8, ""));
    office.take(PBX, "ACK 9");
    office.tell(Nature::Affect, "{}");
    office.take(PBX, "INFO 10");
}

#[test]
fn silence_ends_it_and_not_the_call() {
    let mut office = Office::new();
    office.inbound(&[RECV]);
    office.tell(Nature::Affect, "{}");
    office.pass(secs(33));
    assert_eq!(office.answers, [Answer::Silence]);
    for _ in 0..11 {
        office.take(PBX, "INFO 8");
    }
    office.tell(Nature::Affect, "{}");
    office.nothing(PBX);
    office.carrier_asks("BYE", 8, 9, 200);
}

#[test]
fn failures_in_a_row_end_it() {
    let mut office = Office::new();
    office.inbound(&[RECV]);
    for number in [8, 9, 10] {
        office.tell(Nature::Affect, "{}");
        let info = office.take(PBX, &format!("INFO {number}"));
        office.answer(PBX, &info, 500, &[]);
    }
    office.tell(Nature::Affect, "{}");
    office.nothing(PBX);
}

/// The PBX calls: it is the one that sends the INVITE.
fn outbound(office: &mut Office, header: &str) {
    let out = |method: &str, to: &str, header: &str| {
        pbx(method, 30, header)
            .replace("To: \"Ada\" <sip:ada@carrier.example>;tag=c", to)
            .replace("sip:agent@203.0.113.20:5062", "sip:agent@203.0.113.20")
    };
    let invite = out("INVITE", "To: \"Ada\" <sip:ada@carrier.example>", header)
        .replace("sip:ada@198.51.100.10 SIP", "sip:ada@carrier.example SIP");
    office.send(PBX, invite);
    office.take(PBX, "100 30");
    let invite = office.take(CARRIER, "INVITE 30");
    office.answer(CARRIER, &invite, 180, &[]);
    office.take(PBX, "180 30");
    office.answer(CARRIER, &invite, 200, &[]);
    office.take(PBX, "200 30");
    office.send(PBX, out("ACK", "To: \"Ada\" <sip:ada@carrier.example>;tag=c", ""));
    office.take(CARRIER, "ACK 30");
}

#[test]
fn a_pbx_that_calls_is_told_too() {
    for (first, sent) in [(0, 3), (1, 4), (4_711, 4_714)] {
        let mut office = Office::new();
        outbound(&mut office, "Recv-Info: x-sidetone-affect\r\n");
        office.tell(Nature::Affect, "{}");
        let info = office.info_taken(1);
        assert_eq!(info.from_tag(), Some("c"));
        assert_eq!(info.request_uri(), Some("sip:agent@203.0.113.20"));
        office.tell(Nature::Affect, "{}");
        office.info_taken(2);
        office.carrier_asks("BYE", first, sent, 200);
    }
    let mut office = Office::new();
    outbound(&mut office, "");
    office.tell(Nature::Affect, "{}");
    office.nothing(PBX);
}

#[test]
fn a_dialog_that_need_not_come_by_us_is_left_alone() {
    let mut office = Office::new();
    office.send(CARRIER, carrier_calls(7));
    office.take(CARRIER, "100 7");
    let invite = office.take(PBX, "INVITE 7");
    let answer = sidetone_sip::message::ResponseBuilder::new(&invite, 200)
        .to_tag("p")
        .header("Contact", "<sip:agent@203.0.113.20>")
        .header(RECV.0, RECV.1);
    office.send(PBX, answer.build());
    office.take(CARRIER, "200 7");
    office.send(CARRIER, carrier("ACK", 7, ""));
    office.take(PBX, "ACK 7");
    office.tell(Nature::Affect, "{}");
    office.nothing(PBX);
}

#[test]
fn a_dialog_whose_invite_signs_its_number_is_left_alone() {
    let mut office = Office::new();
    let signed =
        "Identity: \"abc=\"\r\nIdentity-Info: <https://carrier.example/c>;alg=rsa-sha1\r\nContent-Length";
    office.send(CARRIER, carrier_calls(7).replace("Content-Length", signed));
    office.take(CARRIER, "100 7");
    let invite = office.take(PBX, "INVITE 7");
    office.answer(PBX, &invite, 180, &[RECV]);
    office.take(CARRIER, "180 7");
    office.pass(secs(170));
    office.answer(PBX, &invite, 183, &[RECV]);
    office.take(CARRIER, "183 7");
    office.pass(secs(170));
    office.answer(PBX, &invite, 200, &[RECV]);
    office.take(CARRIER, "200 7");
    office.send(CARRIER, carrier("ACK", 7, ""));
    office.take(PBX, "ACK 7");
    office.tell(Nature::Affect, "{}");
    office.nothing(PBX);
}

#[test]
fn one_call_id_can_hold_only_so_many_dialogs() {
    let mut office = Office::new();
    for number in 0..100 {
        let invite = carrier_calls(7).replace("tag=c", &format!("tag=c{number}"));
        office.send(CARRIER, invite.replace("z9hG4bKi7", &format!("z9hG4bKi{number}")));
        office.take(CARRIER, "100 7");
        let invite = office.take(PBX, "INVITE 7");
        office.answer(PBX, &invite, 180, &[RECV]);
        office.take(CARRIER, "180 7");
    }
    assert_eq!(office.proxy.filter_ref().legs_ref().len(), 16);
    office.pass(secs(400));
    assert!(office.proxy.filter_ref().legs_ref().is_empty());
}

#[test]
fn calls_that_come_to_nothing_are_forgotten() {
    let mut office = Office::new();
    office.send(CARRIER, carrier_calls(7));
    let invite = office.take(PBX, "INVITE 7");
    office.answer(PBX, &invite, 180, &[RECV]);
    assert_eq!(office.proxy.filter_ref().legs_ref().len(), 1);
    office.answer(PBX, &invite, 486, &[]);
    assert_eq!(office.proxy.filter_ref().legs_ref().len(), 0);
}
