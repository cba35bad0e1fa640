//! Whatever can't be heard is said: packets that no sound can be made of, and packets that are turned away.

use serde_json::{Value, json};
use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::host;
use sidetone_scenarios::rtp::{End, converse};
use sidetone_scenarios::sidetone::of_kind;

/// Ten seconds of packets at 20 ms, and two more.
const TWELVE_SECONDS: u32 = 600;

fn data<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    of_kind(events, kind).into_iter().map(|event| &event["data"]).collect()
}

#[test]
fn packets_of_a_number_that_nobody_has_listed_are_told_and_taken_back() {
    let mut call = Call::start("talk");
    call.answered();
    call.caller_media.payload_type(77);
    converse(&mut call.caller_media, &mut call.callee_media, TWELVE_SECONDS, |_, _, _| {});
    call.caller_media.payload_type(0);
    converse(&mut call.caller_media, &mut call.callee_media, 150, |_, _, _| {});
    call.caller.open_gate();
    let events = call.finish(6);
    let told = |state: &str| json!({"stream": 0, "reason": "unknown-payload-type", "leg": "customer", "state": state});
    assert_eq!(data(&events, "call.untappable"), [&told("lost"), &told("restored")]);
}

/// Neither the caller's SDP nor its signalling names the address that its media comes from.
#[test]
fn a_leg_whose_packets_are_all_rejected_is_told_with_its_source() {
    let mut call = Call::start("talk");
    call.answered();
    let mut elsewhere = End::bind(call.net.at(host::STRANGER, 40_000));
    elsewhere.send_to(call.caller_media.target());
    converse(&mut elsewhere, &mut call.callee_media, 400, |_, _, _| {});
    let source = format!("source=\"{}\"", call.net.v4(host::STRANGER));
    let log = call.sidetone.process().output();
    let warning =
        log.lines().find(|line| line.contains("media.latching")).expect("a line that names the remedy");
    assert!(warning.contains("WARN") && warning.contains(&source), "{warning}");
    assert!(call.sidetone.metric("sidetone_one_way_sessions_total") >= 1.0);
    call.caller.open_gate();
    let events = call.finish(6);
    let rejected = data(&events, "call.media").into_iter().find(|media| media["problem"] == "rejected");
    let rejected = rejected.expect("the event");
    assert_eq!((&rejected["state"], &rejected["leg"]), (&json!("lost"), &json!("customer")));
    let media = &data(&events, "call.ended")[0]["media"]["customer"];
    assert_eq!((&media["packets"], &media["rejected"]), (&json!(0), &json!(400)), "{media}");
}
