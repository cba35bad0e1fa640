//! After an INFO has been slipped in, both sides still see one consistent dialog.

use sidetone_call::Nature;
use sidetone_sip::message::Name;

use crate::office::{CARRIER, Office, PBX, RECV, carrier, carrier_calls, pbx, secs};

/// A call in which one INFO has been taken: it was number 8, after the INVITE's 7.
fn told_once() -> Office {
    let mut office = Office::new();
    office.inbound(&[RECV]);
    office.tell(Nature::Affect, "{}");
    office.info_taken(8);
    office
}

#[test]
fn every_later_request_is_numbered_higher_and_its_answer_as_it_came() {
    let mut office = told_once();
    office.carrier_asks("INVITE", 8, 9, 200);
    office.send(CARRIER, carrier("ACK", 8, ""));
    office.take(PBX, "ACK 9");
    office.carrier_asks("UPDATE", 9, 10, 200);
    office.carrier_asks("INFO", 10, 11, 200);
    office.tell(Nature::Affect, "{}");
    office.info_taken(12);
    office.carrier_asks("OPTIONS", 14, 16, 200);
    office.carrier_asks("BYE", 15, 17, 200);
}

#[test]
fn the_filter_within_never_notices() {
    let mut office = told_once();
    office.carrier_asks("INVITE", 8, 9, 200);
    let seen = office.proxy.filter_ref().inner_ref();
    assert_eq!(seen.requests, ["7 INVITE", "7 ACK", "8 INVITE"]);
    assert_eq!(seen.responses, ["7 INVITE", "8 INVITE"]);
}

#[test]
fn an_ack_to_what_came_before_keeps_its_number() {
    let mut office = told_once();
    office.send(CARRIER, carrier("ACK", 7, ""));
    office.take(PBX, "ACK 7");
}

#[test]
fn retransmissions_are_what_they_were() {
    let mut office = told_once();
    let request = office.carrier_asks("UPDATE", 8, 9, 200);
    office.send(CARRIER, carrier("UPDATE", 8, ""));
    office.take(CARRIER, "200 8");
    office.nothing(PBX);
    // One that is lost is sent again as it was first, before an INFO that waits.
    office.send(CARRIER, carrier("UPDATE", 9, ""));
    let first = office.take(PBX, "UPDATE 10");
    office.tell(Nature::Affect, "{}");
    office.pass(secs(1));
    let again = office.take(PBX, "UPDATE 10");
    assert_eq!(first.as_bytes(), again.as_bytes());
    assert_eq!(request.call_id(), again.call_id());
    // A 2xx that comes twice has the caller's number both times, and so has its ACK.
    let mut office = told_once();
    let invite = office.carrier_asks("INVITE", 8, 9, 200);
    office.answer(PBX, &invite, 200, &[]);
    office.take(CARRIER, "200 8");
    for _ in 0..2 {
        office.send(CARRIER, carrier("ACK", 8, ""));
        office.take(PBX, "ACK 9");
    }
}

/// Were an INFO sent while a request of the carrier's is lost, delayed, or on its way by TCP for its size, the PBX
/// would see the higher number first, and have to refuse the lower with 500 (RFC 3261 §12.2.2).
#[test]
fn an_info_waits_for_the_carrier_s_request_to_be_answered() {
    let mut office = told_once();
    office.send(CARRIER, carrier("UPDATE", 8, ""));
    let update = office.take(PBX, "UPDATE 9");
    office.tell(Nature::Affect, "{}");
    office.nothing(PBX);
    office.answer(PBX, &update, 200, &[]);
    office.take(CARRIER, "200 8");
    office.info_taken(10);
    // Two at once, answered in another order.
    office.send(CARRIER, carrier("UPDATE", 9, ""));
    office.send(CARRIER, carrier("OPTIONS", 10, ""));
    let (update, options) = (office.take(PBX, "UPDATE 11"), office.take(PBX, "OPTIONS 12"));
    office.tell(Nature::Affect, "{}");
    office.answer(PBX, &options, 200, &[]);
    office.nothing(PBX);
    office.answer(PBX, &update, 500, &[]);
    office.take(CARRIER, "200 10");
    office.take(CARRIER, "500 9");
    office.info_taken(13);
}

#[test]
fn an_info_waits_for_the_ack_of_a_re_invite() {
    let mut office = told_once();
    office.send(CARRIER, carrier("INVITE", 8, ""));
    office.take(CARRIER, "100 8");
    let invite = office.take(PBX, "INVITE 9");
    office.tell(Nature::Affect, "{}");
    for _ in 0..2 {
        office.answer(PBX, &invite, 200, &[]);
        office.take(CARRIER, "200 8");
        office.nothing(PBX);
    }
    office.send(CARRIER, carrier("ACK", 8, ""));
    office.take(PBX, "ACK 9");
    office.info_taken(10);
    // A copy of that 2xx, still on its way, holds nothing up.
    office.answer(PBX, &invite, 200, &[]);
    office.take(CARRIER, "200 8");
    office.tell(Nature::Affect, "{}");
    office.info_taken(11);
    // One that fails is acknowledged by us.
    office.send(CARRIER, carrier("INVITE", 9, ""));
    office.take(CARRIER, "100 9");
    let invite = office.take(PBX, "INVITE 12");
    office.tell(Nature::Affect, "{}");
    office.nothing(PBX);
    office.answer(PBX, &invite, 488, &[]);
    office.take(PBX, "ACK 12");
    office.take(CARRIER, "488 9");
    office.info_taken(13);
}

#[test]
fn an_info_waits_no_longer_than_the_carrier_does() {
    let mut office = told_once();
    office.send(CARRIER, carrier("UPDATE", 8, ""));
    office.pass(secs(20));
    office.tell(Nature::Affect, "{}");
    office.pass(secs(12));
    for _ in 0..11 {
        office.take(PBX, "UPDATE 9");
    }
    office.take(CARRIER, "100 8");
    office.info_taken(10);
    // Of a re-INVITE that nobody answers we make an end ourselves.
    office.send(CARRIER, carrier("INVITE", 9, ""));
    office.pass(secs(20));
    office.tell(Nature::Affect, "{}");
    office.pass(secs(12));
    for _ in 0..7 {
        office.take(PBX, "INVITE 11");
    }
    office.take(CARRIER, "100 9");
    office.take(CARRIER, "408 9");
    office.info_taken(12);
}

#[test]
fn a_prack_names_the_invite_as_the_pbx_knows_it() {
    let mut office = told_once();
    office.send(CARRIER, carrier("INVITE", 8, "Supported: 100rel\r\n"));
    office.take(CARRIER, "100 8");
    let invite = office.take(PBX, "INVITE 9");
    office.answer(PBX, &invite, 183, &[("Require", "100rel"), ("RSeq", "4711")]);
    office.take(CARRIER, "183 8");
    office.send(CARRIER, carrier("PRACK", 9, "RAck: 4711  8\tINVITE\r\n"));
    let prack = office.take(PBX, "PRACK 10");
    assert_eq!(prack.header(Name::RAck).unwrap().value, b"4711 9 INVITE");
    office.answer(PBX, &prack, 200, &[]);
    office.take(CARRIER, "200 9");
}

#[test]
fn a_cancel_bears_the_number_of_its_invite() {
    let mut office = told_once();
    office.send(CARRIER, carrier("INVITE", 8, ""));
    office.take(CARRIER, "100 8");
    let invite = office.take(PBX, "INVITE 9");
    office.answer(PBX, &invite, 180, &[]);
    office.take(CARRIER, "180 8");
    let branch = "z9hG4bKINVITE8";
    office.send(CARRIER, carrier("CANCEL", 8, "").replace("z9hG4bKCANCEL8", branch));
    office.take(CARRIER, "200 8");
    let cancel = office.take(PBX, "CANCEL 9");
    assert_eq!(cancel.top_via().unwrap().branch(), invite.top_via().unwrap().branch());
    office.answer(PBX, &cancel, 200, &[]);
    office.answer(PBX, &invite, 487, &[]);
    office.take(CARRIER, "487 8");
    office.take(PBX, "ACK 9");
    office.carrier_asks("BYE", 9, 10, 200);
}

#[test]
fn a_challenge_is_answered_with_the_next_number() {
    for status in [401, 407] {
        let mut office = told_once();
        office.carrier_asks("INVITE", 8, 9, status);
        office.take(PBX, "ACK 9");
        office.carrier_asks("INVITE", 9, 10, 200);
        office.carrier_asks("BYE", 10, 11, status);
        office.carrier_asks("BYE", 11, 12, 200);
    }
}

#[test]
fn a_bye_that_is_refused_may_be_sent_again() {
    let mut office = told_once();
    office.carrier_asks("BYE", 8, 9, 503);
    office.pass(secs(120));
    office.tell(Nature::Plain, "the call is over as far as we know");
    office.nothing(PBX);
    office.carrier_asks("BYE", 9, 10, 200);
    office.pass(secs(41));
    assert!(office.proxy.filter_ref().legs_ref().is_empty());
    // That one finds no dialog any more, and is not waited for as long.
    let mut office = told_once();
    office.carrier_asks("BYE", 8, 9, 481);
    office.pass(secs(41));
    assert!(office.proxy.filter_ref().legs_ref().is_empty());
}

/// Two of the agent's phones answer: two dialogs of one INVITE, each with numbers of its own.
#[test]
fn each_dialog_of_a_forked_invite_has_its_own_numbers() {
    let mut office = Office::new();
    let within = |message: String, tag: &str| message.replace("tag=p", &format!("tag={tag}"));
    office.send(CARRIER, carrier_calls(7));
    office.take(CARRIER, "100 7");
    let invite = office.take(PBX, "INVITE 7");
    for (tag, status) in [("p1", 180), ("p2", 183), ("p2", 200), ("p1", 200)] {
        office.answer_as(PBX, tag, &invite, status, &[RECV]);
        let response = office.take(CARRIER, &format!("{status} 7"));
        assert_eq!(response.to_tag(), Some(tag));
    }
    // Of the first nobody has heard yet.
    office.send(CARRIER, within(carrier("ACK", 7, ""), "p2"));
    office.take(PBX, "ACK 7");
    for _ in 0..2 {
        office.tell(Nature::Affect, "{}");
        let info = office.take(PBX, &format!("INFO {}", if office.answers.is_empty() { 8 } else { 9 }));
        assert_eq!(info.to_tag(), Some("p2"));
        office.answer(PBX, &info, 200, &[]);
    }
    office.send(CARRIER, within(carrier("ACK", 7, ""), "p1"));
    office.take(PBX, "ACK 7");
    // What had waited there: both, as neither is a reading.
    for number in [8, 9] {
        assert_eq!(office.info_taken(number).to_tag(), Some("p1"));
    }
    office.tell(Nature::Affect, "{}");
    for _ in 0..2 {
        office.info_taken(10);
    }
    // The caller keeps the first. Both count from the INVITE's 7.
    for (tag, sent) in [("p2", 11), ("p1", 11)] {
        office.send(CARRIER, within(carrier("BYE", 8, ""), tag).replace("KBYE", &format!("K{tag}")));
        let bye = office.take(PBX, &format!("BYE {sent}"));
        assert_eq!(bye.to_tag(), Some(tag));
        office.answer(PBX, &bye, 200, &[]);
        office.take(CARRIER, "200 8");
    }
    office.pass(secs(60));
    assert!(office.proxy.filter_ref().legs_ref().is_empty());
}

/// A PBX that lists the package dies after its 180, and another takes the call.
#[test]
fn what_a_pbx_that_failed_has_said_is_not_held_for_the_next() {
    let mut office = Office::new();
    office.another = Some("203.0.113.21:5060");
    office.send(CARRIER, carrier_calls(7));
    office.take(CARRIER, "100 7");
    let invite = office.take(PBX, "INVITE 7");
    office.answer_as(PBX, "p0", &invite, 180, &[RECV]);
    office.take(CARRIER, "180 7");
    office.answer_as(PBX, "p0", &invite, 503, &[]);
    office.take(PBX, "ACK 7");
    let invite = office.take("203.0.113.21:5060", "INVITE 7");
    office.answer_as("203.0.113.21:5060", "p", &invite, 200, &[]);
    office.take(CARRIER, "200 7");
    office.send(CARRIER, carrier("ACK", 7, ""));
    office.take(PBX, "ACK 7");
    office.tell(Nature::Affect, "{}");
    office.nothing(PBX);
    office.carrier_asks("BYE", 8, 8, 200);
    office.pass(secs(400));
    assert!(office.proxy.filter_ref().legs_ref().is_empty());
}

#[test]
fn a_call_that_refreshes_itself_is_watched_for_as_long_as_it_lasts() {
    let mut office = told_once();
    for (number, method) in (8..16).zip(["UPDATE", "INVITE"].into_iter().cycle()) {
        office.pass(secs(12 * 3_600));
        office.carrier_asks(method, number, number + 1, 200);
        if method == "INVITE" {
            office.send(CARRIER, carrier("ACK", number, ""));
            office.take(PBX, &format!("ACK {}", number + 1));
        }
    }
    // The PBX may do it as well.
    office.pass(secs(24 * 3_600));
    office.send(PBX, pbx("UPDATE", 20, ""));
    let update = office.take(CARRIER, "UPDATE 20");
    office.answer(CARRIER, &update, 200, &[]);
    office.take(PBX, "200 20");
    office.pass(secs(24 * 3_600));
    office.carrier_asks("BYE", 16, 17, 200);
    office.pass(secs(60));
    assert!(office.proxy.filter_ref().legs_ref().is_empty());
}

#[test]
fn numbers_near_the_end_of_their_range_are_left_alone() {
    for number in [(1 << 31) - (1 << 16), (1 << 31) - 2, u32::MAX - 1] {
        let mut office = Office::new();
        office.send(CARRIER, carrier_calls(number));
        office.take(CARRIER, &format!("100 {number}"));
        let invite = office.take(PBX, &format!("INVITE {number}"));
        office.answer(PBX, &invite, 200, &[RECV]);
        office.take(CARRIER, &format!("200 {number}"));
        office.send(CARRIER, carrier("ACK", number, ""));
        office.take(PBX, &format!("ACK {number}"));
        for _ in 0..3 {
            office.tell(Nature::Affect, "{}");
        }
        office.nothing(PBX);
        office.carrier_asks("BYE", number + 1, number + 1, 200);
        office.pass(secs(60));
        assert!(office.proxy.filter_ref().legs_ref().is_empty());
    }
}

#[test]
fn what_comes_out_of_order_stays_out_of_order() {
    let mut office = told_once();
    office.carrier_asks("UPDATE", 9, 10, 200);
    // The PBX refuses it, as it would have without us (RFC 3261 §12.2.2).
    office.carrier_asks("OPTIONS", 8, 9, 500);
    office.carrier_asks("BYE", 10, 11, 200);
}

#[test]
fn requests_of_the_pbx_are_left_alone() {
    let mut office = told_once();
    office.send(PBX, pbx("UPDATE", 20, ""));
    let update = office.take(CARRIER, "UPDATE 20");
    office.answer(CARRIER, &update, 200, &[]);
    office.take(PBX, "200 20");
    office.tell(Nature::Affect, "{}");
    office.nothing(CARRIER);
    // It has moved: its Contact counts from now on.
    let info = office.take("203.0.113.20:5062", "INFO 9");
    assert_eq!(info.request_uri(), Some("sip:agent@203.0.113.20:5062"));
}

#[test]
fn a_transfer_s_reports_name_the_refer_as_the_carrier_knows_it() {
    let mut office = told_once();
    office.carrier_asks("REFER", 8, 9, 202);
    office.send(PBX, pbx("NOTIFY", 20, "Event: refer ; id=9\r\nSubscription-State: active\r\n"));
    let notify = office.take(CARRIER, "NOTIFY 20");
    assert_eq!(notify.header(Name::Event).unwrap().value, b"refer ; id=8");
    office.send(CARRIER, carrier("SUBSCRIBE", 9, "Event: refer;id=8;x=y\r\nExpires: 0\r\n"));
    let subscribe = office.take(PBX, "SUBSCRIBE 10");
    assert_eq!(subscribe.header(Name::Event).unwrap().value, b"refer;id=9;x=y");
}

#[test]
fn a_transfer_that_the_pbx_asked_for_keeps_the_pbx_s_number() {
    let mut office = told_once();
    office.send(PBX, pbx("REFER", 20, "Refer-To: <sip:x@y>\r\n"));
    let refer = office.take(CARRIER, "REFER 20");
    office.answer(CARRIER, &refer, 202, &[]);
    office.take(PBX, "202 20");
    // The carrier's reports bear the number of the PBX's REFER, which nobody has changed.
    office.send(CARRIER, carrier("NOTIFY", 8, "Event: refer;id=20\r\nSubscription-State: active\r\n"));
    let notify = office.take(PBX, "NOTIFY 9");
    assert_eq!(notify.header(Name::Event).unwrap().value, b"refer;id=20");
    office.answer(PBX, &notify, 200, &[]);
    office.take(CARRIER, "200 8");
    office.send(PBX, pbx("SUBSCRIBE", 21, "Event: refer;id=20\r\nExpires: 0\r\n"));
    let subscribe = office.take(CARRIER, "SUBSCRIBE 21");
    assert_eq!(subscribe.header(Name::Event).unwrap().value, b"refer;id=20");
}

#[test]
fn without_an_info_nothing_is_changed() {
    let mut office = Office::new();
    office.inbound(&[RECV]);
    let sent = carrier("UPDATE", 8, "");
    office.send(CARRIER, sent.clone());
    let arrived = office.take(PBX, "UPDATE 8");
    let cut = |text: &str| text.split_once("From:").unwrap().1.to_owned();
    assert_eq!(cut(&String::from_utf8_lossy(arrived.as_bytes())), cut(&sent));
}
