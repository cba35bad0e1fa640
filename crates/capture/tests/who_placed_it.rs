//! Who placed a call is not the customer where the capture contradicts it: diallers, click-to-dial, transfers,
//! telephones that call and are called. Nobody may be judged there until somebody says who the customer is.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use sidetone_call::Side;
use sidetone_capture::calls::{Doubt, Known, Options, Recording};

use common::talk::*;

const PBX: &str = "10.3.3.3:5060";
const CUSTOMER: (&str, &str) = ("10.1.1.10:5060", "10.1.1.10:4000");
const AGENT: (&str, &str) = ("10.2.2.20:5060", "10.2.2.20:6000");
const COLLEAGUE: (&str, &str) = ("10.2.2.21:5060", "10.2.2.21:6000");
/// Where the PBX has the audio of the customer, of the agent and of another agent.
const AT_PBX: [&str; 3] = ["10.3.3.3:7002", "10.3.3.3:7000", "10.3.3.3:7004"];

/// A leg from one signalling and audio address to another, with headers to add.
struct Leg {
    id: &'static str,
    from: (&'static str, &'static str),
    to: (&'static str, &'static str),
    tag: &'static str,
    headers: &'static str,
}

impl Leg {
    const fn new(
        id: &'static str,
        from: (&'static str, &'static str),
        to: (&'static str, &'static str),
    ) -> Self {
        Self { id, from, to, tag: "caller", headers: "" }
    }

    fn message(&self, start: &str, cseq: &str, to_tag: bool, sdp: &str) -> String {
        let Self { id, from: (from, _), to: (to, _), tag, headers } = self;
        let to_tag = if to_tag { format!(";tag={tag}-called") } else { String::new() };
        let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "{start}\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{tag}{}\r\nFrom: <sip:1@{from}>;tag={tag}\r\n\
             To: <sip:2@{to}>{to_tag}\r\nCall-ID: {id}\r\nCSeq: {cseq}\r\nMax-Forwards: 70\r\n{headers}{kind}\
             Content-Length: {}\r\n\r\n{sdp}",
            cseq.replace(' ', ""),
            sdp.len()
        )
    }

    fn set_up(&self, talk: &mut Talk) {
        let (from, to) = (self.from, self.to);
        let uri = format!("sip:2@{} SIP/2.0", to.0);
        talk.sip(
            from.0,
            to.0,
            &self.message(&format!("INVITE {uri}"), "1 INVITE", false, &sdp(from.1, "0", "")),
        )
        .sip(to.0, from.0, &self.message("SIP/2.0 200 OK", "1 INVITE", true, &sdp(to.1, "0", "")))
        .sip(from.0, to.0, &self.message(&format!("ACK {uri}"), "1 ACK", true, ""));
    }

    fn hang_up(&self, talk: &mut Talk) {
        let uri = format!("BYE sip:2@{} SIP/2.0", self.to.0);
        talk.sip(self.from.0, self.to.0, &self.message(&uri, "2 BYE", true, "")).sip(
            self.to.0,
            self.from.0,
            &self.message("SIP/2.0 200 OK", "2 BYE", true, ""),
        );
    }
}

/// Audio: no two payloads alike; `seed` is whose voice it is.
fn speech(ssrc: u32, n: u16, seed: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(n.to_be_bytes());
    packet.extend((u32::from(n) * 160).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    let mut state = u32::from(n).wrapping_mul(2_654_435_761).wrapping_add(seed.wrapping_mul(97));
    packet.extend((0..160).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    }));
    packet
}

/// A second of audio each way: from, to, and whose voice.
fn speak(talk: &mut Talk, ways: &[(&str, &str, u32)]) {
    for n in 0..50 {
        for (way, (from, to, voice)) in (0x100..).zip(ways) {
            talk.udp(from, to, &speech(way, n, *voice));
        }
        talk.wait(20);
    }
}

const THE_CUSTOMER: u32 = 1;
const THE_AGENT: u32 = 2;

/// Both legs of a conversation through the PBX; `recoded` where it makes other payloads of the same voices.
fn bridged(talk: &mut Talk, recoded: bool) {
    let again = if recoded { 10 } else { 0 };
    speak(
        talk,
        &[
            (CUSTOMER.1, AT_PBX[0], THE_CUSTOMER),
            (AT_PBX[1], AGENT.1, THE_CUSTOMER + again),
            (AGENT.1, AT_PBX[1], THE_AGENT),
            (AT_PBX[0], CUSTOMER.1, THE_AGENT + again),
        ],
    );
}

fn named(customer: &str) -> Options {
    Options { customer: Some(customer.parse().unwrap()), ..Options::default() }
}

/// What is known of each call: the customer, and the doubt.
fn told(calls: &[Recording]) -> Vec<(Known, Option<Doubt>)> {
    calls.iter().map(|call| (call.customer(), call.doubt())).collect()
}

fn ip(address: &str) -> std::net::IpAddr {
    common::addr(address).ip()
}

const TO_CUSTOMER: Leg = Leg::new("to-customer", (PBX, AT_PBX[0]), CUSTOMER);
const TO_AGENT: Leg = Leg::new("to-agent", (PBX, AT_PBX[1]), AGENT);
const FROM_CUSTOMER: Leg = Leg::new("from-customer", CUSTOMER, (PBX, AT_PBX[0]));

#[test]
fn where_a_dialler_has_called_both_nobody_is_judged_whichever_it_called_first() {
    for legs in [[TO_CUSTOMER, TO_AGENT], [TO_AGENT, TO_CUSTOMER]] {
        let mut talk = Talk::new();
        legs.iter().for_each(|leg| leg.set_up(&mut talk));
        bridged(&mut talk, false);
        legs.iter().for_each(|leg| leg.hang_up(&mut talk));
        let capture = talk.bytes();
        let (calls, counters) = heard(&capture, Options::default());
        assert_eq!(told(&calls), [(Known::No, Some(Doubt::LegsContradict))]);
        assert_eq!(counters.other_views, 1);
        // Both were called, so that neither word names one of them.
        for word in ["caller", "callee"] {
            assert_eq!(heard(&capture, named(word)).0[0].customer(), Known::No, "{word}");
        }
        // Each is named by the address of its own leg, and by no address of the dialler.
        let sides = [Side::Trunk, Side::Pbx].map(|side| calls[0].address(side).unwrap());
        assert!(
            sides.contains(&common::addr(CUSTOMER.1)) && sides.contains(&common::addr(AGENT.1)),
            "{sides:?}"
        );
        for (customer, voice) in [(CUSTOMER.1, THE_CUSTOMER), ("10.2.2.20", THE_AGENT)] {
            let (calls, _) = heard(&capture, named(customer));
            assert_eq!(calls[0].customer(), Known::Named, "{customer}");
            let first = calls[0].replay().find_map(|(_, happening)| match happening {
                sidetone_capture::calls::Happening::Packet { side: Side::Trunk, rtp, .. } => {
                    Some(rtp.to_vec())
                }
                _ => None,
            });
            assert_eq!(first.unwrap()[12..], speech(0, 0, voice)[12..], "{customer}");
        }
        assert_eq!(heard(&capture, named("10.3.3.3")).0[0].customer(), Known::No);
    }
}

#[test]
fn a_dialler_that_recodes_is_known_by_its_two_calls_at_once() {
    for legs in [[TO_CUSTOMER, TO_AGENT], [TO_AGENT, TO_CUSTOMER]] {
        let mut talk = Talk::new();
        legs.iter().for_each(|leg| leg.set_up(&mut talk));
        bridged(&mut talk, true);
        legs.iter().for_each(|leg| leg.hang_up(&mut talk));
        let (calls, _) = talk.heard(Options::default());
        assert_eq!(told(&calls), [(Known::No, Some(Doubt::Connects(ip(PBX)))); 2]);
    }
}

#[test]
fn calls_to_one_host_at_once_and_to_several_one_by_one_are_a_trunks() {
    let second = Leg { id: "second", tag: "second", ..Leg::new("second", CUSTOMER, (PBX, AT_PBX[1])) };
    let second = Leg { from: (CUSTOMER.0, "10.1.1.10:4002"), ..second };
    let (mut talk, elsewhere) = (Talk::new(), Leg::new("third", (CUSTOMER.0, "10.1.1.10:4004"), AGENT));
    FROM_CUSTOMER.set_up(&mut talk);
    second.set_up(&mut talk);
    speak(&mut talk, &[(CUSTOMER.1, AT_PBX[0], 1), (AT_PBX[0], CUSTOMER.1, 2)]);
    FROM_CUSTOMER.hang_up(&mut talk);
    second.hang_up(&mut talk);
    elsewhere.set_up(&mut talk);
    speak(&mut talk, &[("10.1.1.10:4004", AGENT.1, 3), (AGENT.1, "10.1.1.10:4004", 4)]);
    let (calls, _) = talk.heard(Options::default());
    assert_eq!(told(&calls), [(Known::Signalled, None); 3]);
}

#[test]
fn a_call_on_both_sides_of_a_pbx_is_its_callers() {
    for proxy in [AGENT, (CUSTOMER.0, AGENT.1)] {
        // In the second round one proxy stands before the PBX on both sides.
        let to_agent = Leg::new("to-agent", (PBX, AT_PBX[1]), proxy);
        let mut talk = Talk::new();
        FROM_CUSTOMER.set_up(&mut talk);
        to_agent.set_up(&mut talk);
        bridged(&mut talk, false);
        let (calls, counters) = talk.heard(Options::default());
        assert_eq!((told(&calls), counters.other_views), (vec![(Known::Signalled, None)], 1));
        assert_eq!(calls[0].voice(Side::Trunk).from, Some(common::addr(CUSTOMER.1)));
    }
}

#[test]
fn a_telephone_that_is_called_and_calls_is_not_a_customers() {
    // The agent consults a colleague, by the PBX, while the customer waits.
    let consult = Leg::new("consult", (AGENT.0, "10.2.2.20:6002"), (PBX, AT_PBX[2]));
    let on = Leg::new("on", (PBX, "10.3.3.3:7006"), COLLEAGUE);
    let mut talk = Talk::new();
    FROM_CUSTOMER.set_up(&mut talk);
    TO_AGENT.set_up(&mut talk);
    bridged(&mut talk, false);
    consult.set_up(&mut talk);
    on.set_up(&mut talk);
    speak(
        &mut talk,
        &[
            ("10.2.2.20:6002", AT_PBX[2], 5),
            ("10.3.3.3:7006", COLLEAGUE.1, 5),
            (COLLEAGUE.1, "10.3.3.3:7006", 6),
            (AT_PBX[2], "10.2.2.20:6002", 6),
        ],
    );
    let (calls, _) = talk.heard(Options::default());
    assert_eq!(
        told(&calls),
        [(Known::Signalled, None), (Known::No, Some(Doubt::CallsAndIsCalled(ip(AGENT.0))))]
    );
}

#[test]
fn of_calls_both_ways_between_two_hosts_one_was_placed_by_an_agent() {
    let back = Leg::new("back", (PBX, AT_PBX[1]), (CUSTOMER.0, "10.1.1.10:4002"));
    let mut talk = Talk::new();
    FROM_CUSTOMER.set_up(&mut talk);
    speak(&mut talk, &[(CUSTOMER.1, AT_PBX[0], 1), (AT_PBX[0], CUSTOMER.1, 2)]);
    FROM_CUSTOMER.hang_up(&mut talk);
    back.set_up(&mut talk);
    speak(&mut talk, &[(AT_PBX[1], "10.1.1.10:4002", 3), ("10.1.1.10:4002", AT_PBX[1], 4)]);
    let capture = talk.bytes();
    let (calls, _) = heard(&capture, Options::default());
    assert!(told(&calls).iter().all(|(customer, _)| *customer == Known::No), "{:?}", told(&calls));
    // The carrier's address names the customer of both.
    let (calls, _) = heard(&capture, named("10.1.1.10"));
    assert!(calls.iter().all(|call| call.customer() == Known::Named));
    assert_eq!(calls.iter().map(Recording::customer_was_called).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn third_party_call_control_leaves_who_called_open() {
    // Each leg carries the other party's address: audio goes past the one who has called both.
    let to_agent = Leg::new("to-agent", (PBX, CUSTOMER.1), AGENT);
    let to_customer = Leg::new("to-customer", (PBX, AGENT.1), CUSTOMER);
    let mut talk = Talk::new();
    to_customer.set_up(&mut talk);
    to_agent.set_up(&mut talk);
    speak(&mut talk, &[(CUSTOMER.1, AGENT.1, THE_CUSTOMER), (AGENT.1, CUSTOMER.1, THE_AGENT)]);
    let (calls, _) = talk.heard(Options::default());
    assert_eq!(told(&calls), [(Known::No, Some(Doubt::SharedAddress)); 2]);
}

#[test]
fn a_call_that_continues_another_and_a_call_id_of_two_callers_leave_it_open() {
    for (headers, doubt) in [
        ("Referred-By: <sip:agent@pbx.example>\r\n", Some(Doubt::Referred)),
        ("b: <sip:agent@pbx.example>\r\n", Some(Doubt::Referred)),
        ("Replaces: one@pbx;to-tag=a;from-tag=b\r\n", Some(Doubt::Replaces)),
        ("Diversion: <sip:200@pbx.example>;reason=no-answer\r\n", None),
    ] {
        let mut talk = Talk::new();
        Leg { headers, ..FROM_CUSTOMER }.set_up(&mut talk);
        speak(&mut talk, &[(CUSTOMER.1, AT_PBX[0], 1), (AT_PBX[0], CUSTOMER.1, 2)]);
        let (calls, _) = talk.heard(Options::default());
        let known = if doubt.is_some() { Known::No } else { Known::Signalled };
        assert_eq!(told(&calls), [(known, doubt)], "{headers}");
    }
    let mut talk = Talk::new();
    TO_AGENT.set_up(&mut talk);
    Leg { id: TO_AGENT.id, tag: "other", ..TO_CUSTOMER }.set_up(&mut talk);
    bridged(&mut talk, false);
    let (calls, _) = talk.heard(Options::default());
    assert!(told(&calls).iter().all(|(customer, _)| *customer == Known::No), "{:?}", told(&calls));
}
