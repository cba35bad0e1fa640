//! Told in early media, where policy says so: before the answer, and no second time after it.

use sidetone_scenarios::call::{Call, Toward};
use sidetone_scenarios::rtp::{converse, press, speak};
use tempfile::TempDir;

use super::{
    Case, EVENTS, assert_no_affect, assert_nobody_listened, assert_one_stream, assert_told_once, heard_ms,
    phases, speech, states, talk, told, until_announcing, until_state,
};

const EARLY: &str = "[consent]\nearly_media = true\n";

/// A call up to the 183 with SDP.
fn ringing(case: &Case<'_>) -> (Call, TempDir, Vec<Vec<u8>>) {
    let (mut call, folder, payloads) = case.begin();
    call.caller.wait_response(183, "INVITE", 1);
    call.aim();
    (call, folder, payloads)
}

fn early(seconds: f64) -> Case<'static> {
    Case { scenario: "early-media", seconds, more: EARLY, ..Case::default() }
}

#[test]
fn who_is_told_before_the_answer_is_listened_to_after_it() {
    let (mut call, _folder, payloads) = ringing(&early(1.5));
    until_announcing(&call);
    let arrived = talk(&mut call, 120);
    assert_one_stream(&arrived.at_a);
    assert_told_once(&arrived.at_a, &payloads);
    until_state(&call, "given", "policy");
    call.callee.open_gate();
    call.answered();
    let arrived = talk(&mut call, 60);
    assert_eq!(told(&arrived.at_a, &payloads), 0, "no second time");
    // One of those before may be late.
    assert!(arrived.at_b.len() >= 60, "the agent hears the customer: {} of 60", arrived.at_b.len());
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert!(heard_ms(&call) > 1_000.0);
    call.callee.open_gate();
    let events = call.finish(6);
    assert_eq!(states(&events), [("announcing", "policy"), ("given", "policy")]);
    assert_eq!(phases(&events), [("notice", "started"), ("notice", "finished")]);
}

#[test]
fn an_answer_in_mid_announcement_does_not_begin_it_again() {
    let (mut call, _folder, payloads) = ringing(&early(3.0));
    until_announcing(&call);
    let gate = &mut call.callee;
    let arrived = converse(&mut call.caller_media, &mut call.callee_media, 250, |n, _, _| {
        if n == 40 {
            gate.open_gate();
        }
    });
    call.callee.wait_received("ACK", 1);
    assert_one_stream(&arrived.at_a);
    assert_told_once(&arrived.at_a, &payloads);
    until_state(&call, "given", "policy");
    call.callee.open_gate();
    let events = call.finish(6);
    assert_eq!(states(&events), [("announcing", "policy"), ("given", "policy")]);
    assert_eq!(phases(&events), [("notice", "started"), ("notice", "finished")]);
}

#[test]
fn who_refuses_before_the_answer_is_never_listened_to() {
    let (mut call, _folder, payloads) = ringing(&early(4.0));
    until_announcing(&call);
    let arrived = converse(&mut call.caller_media, &mut call.callee_media, 80, |n, caller, _| {
        if n == 20 {
            press(caller, EVENTS, 9);
        }
    });
    until_state(&call, "opted-out", "digit");
    assert_one_stream(&arrived.at_a);
    assert!(told(&arrived.at_a, &payloads) < payloads.len() / 2, "it ends where the customer has refused");
    call.callee.open_gate();
    call.answered();
    let arrived = talk(&mut call, 60);
    assert_eq!(told(&arrived.at_a, &payloads), 0, "nor is the customer told again");
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert_nobody_listened(&call);
    call.callee.open_gate();
    let events = call.finish(6);
    assert_eq!(states(&events), [("announcing", "policy"), ("opted-out", "digit")]);
    assert_no_affect(&events);
}

#[test]
fn who_is_asked_before_the_answer_may_agree_after_it() {
    let more = format!("{EARLY}patience = \"60s\"\n");
    let case = Case { disclosure: "opt-in", more: &more, ..early(1.5) };
    let (mut call, _folder, payloads) = ringing(&case);
    until_announcing(&call);
    assert_told_once(&talk(&mut call, 120).at_a, &payloads);
    until_state(&call, "asked", "policy");
    call.callee.open_gate();
    call.answered();
    talk(&mut call, 20);
    assert_nobody_listened(&call);
    press(&mut call.caller_media, EVENTS, 1);
    until_state(&call, "given", "digit");
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert!(heard_ms(&call) > 1_000.0);
    call.callee.open_gate();
    let events = call.finish(6);
    assert_eq!(states(&events), [("announcing", "policy"), ("asked", "policy"), ("given", "digit")]);
}

#[test]
fn without_that_policy_early_media_is_the_pbx_s_alone() {
    let (mut call, _folder, payloads) = ringing(&Case { more: "", ..early(1.5) });
    call.talk("untouched to the last byte");
    assert!(phases(&call.sidetone.events()).is_empty());
    call.callee.open_gate();
    call.answered();
    until_announcing(&call);
    assert_told_once(&talk(&mut call, 120).at_a, &payloads);
    call.callee.open_gate();
    assert_eq!(states(&call.finish(6)), [("announcing", "policy"), ("given", "policy")]);
}

/// On a call to the customer early media reaches the agent, who need not be told.
#[test]
fn the_customer_who_is_called_is_told_after_the_answer() {
    let (mut call, _folder, payloads) = ringing(&Case { toward: Toward::Trunk, ..early(1.5) });
    call.talk("untouched to the last byte");
    assert!(phases(&call.sidetone.events()).is_empty());
    call.callee.open_gate();
    call.answered();
    until_announcing(&call);
    assert_told_once(&talk(&mut call, 120).at_b, &payloads);
    call.callee.open_gate();
    assert_eq!(states(&call.finish(6)), [("announcing", "policy"), ("given", "policy")]);
}
