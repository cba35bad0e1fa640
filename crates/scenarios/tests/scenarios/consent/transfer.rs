//! The customer is passed on while being told: one voice, one stream, and a refusal that holds where they arrive.

use sidetone_scenarios::call::{Call, Toward, media_of};
use sidetone_scenarios::net::host;
use sidetone_scenarios::rtp::{End, converse, press, speak};
use sidetone_scenarios::sidetone::of_kind;
use sidetone_scenarios::until;

use super::{
    Case, EVENTS, assert_no_affect, assert_nobody_listened, assert_one_stream, assert_told_once, heard_ms,
    lines_that_infer, phases, plans, speech, states, talk, told, until_announcing, until_state,
};

/// The agent refers the customer elsewhere and hangs up, in the middle of the announcement.
fn is_cut_off_cleanly(scenario: &str) {
    let (mut call, _folder, payloads) = Case { scenario, seconds: 4.0, ..Case::default() }.answered();
    until_announcing(&call);
    let gate = &mut call.callee;
    let arrived = converse(&mut call.caller_media, &mut call.callee_media, 150, |n, _, _| {
        if n == 40 {
            gate.open_gate();
        }
    });
    assert_one_stream(&arrived.at_a);
    let told = told(&arrived.at_a, &payloads);
    assert!((10..payloads.len()).contains(&told), "{told} of {}", payloads.len());
    assert_nobody_listened(&call);
    assert_eq!(call.sidetone.metric("sidetone_announcement_failures_total"), 0.0, "hanging up is no failure");
    let events = call.finish(12);
    assert_eq!(states(&events), [("announcing", "policy")]);
    assert_eq!(phases(&events), [("notice", "started"), ("notice", "interrupted")]);
}

#[test]
fn a_blind_transfer_in_mid_announcement() {
    is_cut_off_cleanly("transfer-blind");
}

#[test]
fn an_attended_transfer_in_mid_announcement() {
    is_cut_off_cleanly("transfer-attended");
}

/// The call that the customer makes because of the transfer.
fn arrives(call: Call, scenario: &str) -> Call {
    let (mut uac, uas) = plans(&call.net, scenario, Toward::Pbx);
    uac.called = "+15550142".to_owned();
    let mut call = call.followed_by(12, uac, uas);
    call.answered();
    call
}

fn refusal_holds(scenario: &str, next: &str, messages: usize) {
    let (mut call, _folder, payloads) = Case { scenario, seconds: 4.0, ..Case::default() }.answered();
    until_announcing(&call);
    let arrived = converse(&mut call.caller_media, &mut call.callee_media, 60, |n, caller, _| {
        if n == 20 {
            press(caller, EVENTS, 9);
        }
    });
    until_state(&call, "opted-out", "digit");
    assert_one_stream(&arrived.at_a);
    call.callee.open_gate();
    let mut call = arrives(call, next);
    let arrived = talk(&mut call, 60);
    assert_eq!(told(&arrived.at_a, &payloads), 0, "who has refused is not told again");
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert_nobody_listened(&call);
    call.caller.open_gate();
    let events = call.finish(messages);
    assert_eq!(states(&events), [("announcing", "policy"), ("opted-out", "digit"), ("opted-out", "digit")]);
    assert_no_affect(&events);
}

#[test]
fn a_refusal_holds_through_a_blind_transfer() {
    refusal_holds("transfer-blind", "talk", 6);
}

#[test]
fn a_refusal_holds_through_an_attended_transfer() {
    refusal_holds("transfer-attended", "replaces", 5);
}

/// Only a refusal is taken along: consent is asked for anew.
#[test]
fn who_was_told_is_told_again_after_a_transfer() {
    let (mut call, _folder, payloads) = Case { scenario: "transfer-blind", ..Case::default() }.answered();
    until_announcing(&call);
    talk(&mut call, 120);
    until_state(&call, "given", "policy");
    call.callee.open_gate();
    let mut call = arrives(call, "talk");
    let before = heard_ms(&call);
    until_announcing(&call);
    let arrived = talk(&mut call, 120);
    assert_one_stream(&arrived.at_a);
    let end = assert_told_once(&arrived.at_a, &payloads);
    let since_told = 20.0 * (arrived.at_a.len() - end) as f64;
    assert!(heard_ms(&call) - before <= since_told + 100.0, "nothing of before it was told again");
    call.caller.open_gate();
    let told = [("announcing", "policy"), ("given", "policy")];
    assert_eq!(states(&call.finish(6)), [told, told].concat());
}

/// To the customer it is one conversation.
#[test]
fn a_refusal_after_a_transfer_clears_what_was_inferred_before_it() {
    let case = Case { scenario: "transfer-blind", disclosure: "given-upstream", ..Case::default() };
    let (mut call, _folder, _) = case.answered();
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    until("an update", || (!of_kind(&call.sidetone.events(), "affect.update").is_empty()).then_some(()));
    call.callee.open_gate();
    let mut call = arrives(call, "talk");
    assert!(!lines_that_infer(call.sidetone.dir()).is_empty());
    press(&mut call.caller_media, EVENTS, 9);
    until_state(&call, "opted-out", "digit");
    until("nothing to be left of it in any file", || {
        lines_that_infer(call.sidetone.dir()).is_empty().then_some(())
    });
    call.caller.open_gate();
    call.finish(6);
}

/// As most PBXs do it: the dialog with the customer stays, and other media come from elsewhere.
#[test]
fn the_pbx_may_pass_the_call_on_within_itself() {
    let (mut call, _folder, payloads) =
        Case { scenario: "update", seconds: 3.0, ..Case::default() }.answered();
    until_announcing(&call);
    let mut arrived = talk(&mut call, 50).at_a;
    call.callee.open_gate();
    call.callee.wait_response(200, "UPDATE", 1);
    call.callee_media = End::bind(call.net.at(host::PBX, 40_010));
    call.callee_media.new_ssrc();
    call.aim();
    arrived.extend(talk(&mut call, 200).at_a);
    assert_one_stream(&arrived);
    let end = assert_told_once(&arrived, &payloads);
    assert!(arrived.len() > end + 10, "the new agent is heard, in the same stream");
    until_state(&call, "given", "policy");
    call.caller.open_gate();
    assert_eq!(states(&call.finish(8)), [("announcing", "policy"), ("given", "policy")]);
}

/// Two have answered; the first hangs up while the customer is being told.
#[test]
fn a_second_answer_in_mid_announcement() {
    let (mut call, _folder, payloads) =
        Case { scenario: "forked-2xx", seconds: 3.0, ..Case::default() }.begin();
    let mut second = End::bind(call.net.at(host::PBX, 40_010));
    second.new_ssrc();
    call.callee.wait_received("ACK", 2);
    call.aim();
    second.send_to(media_of(&call.callee.seen(), 0));
    until_announcing(&call);
    let mut arrived = talk(&mut call, 50).at_a;
    call.caller.open_gate();
    call.caller.wait_response(200, "BYE", 1);
    arrived.extend(converse(&mut call.caller_media, &mut second, 200, |_, _, _| {}).at_a);
    assert_one_stream(&arrived);
    let end = assert_told_once(&arrived, &payloads);
    assert!(arrived.len() > end + 10, "the second is heard, in the same stream");
    until_state(&call, "given", "policy");
    call.caller.open_gate();
    let events = call.finish(11);
    assert_eq!(states(&events), [("announcing", "policy"), ("given", "policy")]);
    assert_eq!(phases(&events), [("notice", "started"), ("notice", "finished")]);
    assert_eq!(of_kind(&events, "call.answered").len(), 1);
}
