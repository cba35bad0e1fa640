//! Agents reached over the trunk are no customers: a mobile that the call is forwarded to, a home office, a call-back.

use std::path::PathBuf;

use serde_json::Value;
use sidetone_scenarios::call::{Call, Toward};
use sidetone_scenarios::rtp::speak;
use sidetone_scenarios::sidetone::{binary, of_kind};
use sidetone_scenarios::until;
use tempfile::TempDir;

use super::{
    Case, assert_no_affect, assert_nobody_listened, heard_ms, id, lines_that_infer, speech, start, states,
    talk, told, until_state,
};

/// The party on the trunk's side, whom the PBX has called, speaks; returns the events.
fn is_taken_for_an_agent(case: &Case<'_>) -> Vec<Value> {
    let (mut call, _folder, payloads) = case.answered();
    let arrived = talk(&mut call, 60);
    assert_eq!(told(&arrived.at_b, &payloads), 0, "nobody is told of what will not be");
    speak(&mut call.callee_media, &mut call.caller_media, &speech());
    assert_nobody_listened(&call);
    call.caller.open_gate();
    let events = call.finish(6);
    assert_no_affect(&events);
    assert_eq!(of_kind(&events, "call.ended")[0]["data"]["summary"], Value::Null);
    events
}

fn outbound() -> Case<'static> {
    Case { toward: Toward::Trunk, disclosure: "given-upstream", ..Case::default() }
}

/// A list on which this number stands.
fn list_of(number: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("agent-numbers");
    let exclude = ["consent", "exclude", number, "--list", list.to_str().unwrap()];
    let done = std::process::Command::new(binary()).args(exclude).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    (folder, list)
}

#[test]
fn whom_the_pbx_calls_is_no_customer_until_somebody_says_so() {
    let events = is_taken_for_an_agent(&Case { analyse_outbound: false, ..outbound() });
    assert_eq!(states(&events), [("excluded", "policy")]);
    assert_eq!(of_kind(&events, "call.started")[0]["data"]["analysed"], false);
}

/// A call of the PBX's whose INVITE and answer bear these headers.
fn said<'a>(by_pbx: &'a [&'a str], by_carrier: &'a [&'a str], analyse_outbound: bool) -> Case<'a> {
    Case { scenario: "customer-said", caller: by_pbx, callee: by_carrier, analyse_outbound, ..outbound() }
}

const NOTHING: &[&str] = &["-key", "said", "X-Nothing: 1"];
const CUSTOMER: &[&str] = &["-key", "said", "X-Sidetone-Customer: yes"];

#[test]
fn the_pbx_s_word_makes_whom_it_calls_a_customer() {
    let (mut call, _folder, _) = said(CUSTOMER, NOTHING, false).answered();
    until_state(&call, "given", "policy");
    speak(&mut call.callee_media, &mut call.caller_media, &speech());
    until("an update", || (!of_kind(&call.sidetone.events(), "affect.update").is_empty()).then_some(()));
    call.caller.open_gate();
    call.finish(6);
}

#[test]
fn the_carrier_s_word_makes_a_customer_of_nobody() {
    let events = is_taken_for_an_agent(&said(NOTHING, CUSTOMER, false));
    assert_eq!(states(&events), [("excluded", "policy")]);
}

#[test]
fn a_call_that_was_diverted_on_its_way_out_reaches_whoever() {
    for header in [
        "Diversion: <sip:101@pbx.example>;reason=no-answer",
        "History-Info: <sip:101@pbx.example>;index=1, <sip:service@c.example;cause=302>;index=1.1",
    ] {
        let events = is_taken_for_an_agent(&said(&["-key", "said", header], NOTHING, true));
        assert_eq!(states(&events), [("excluded", "policy")]);
    }
}

#[test]
fn who_calls_from_an_agent_s_own_number_is_no_customer() {
    let (_list, list) = list_of("+1 555-0100");
    let more = format!("[consent]\nagent_numbers = {list:?}\n");
    let case = Case { more: &more, disclosure: "given-upstream", ..Case::default() };
    let (mut call, _folder, _) = case.answered();
    // Whatever is said of it.
    let error = call.sidetone.try_command(&["tell", &id(&call), "customer", "yes"]).unwrap_err().stderr;
    assert!(error.contains("`excluded`, which is final"), "{error}");
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert_nobody_listened(&call);
    call.caller.open_gate();
    let events = call.finish(6);
    assert_eq!(states(&events), [("excluded", "policy")]);
    assert_no_affect(&events);
}

#[test]
fn what_was_inferred_of_somebody_who_turns_out_to_be_an_agent_is_erased() {
    let (mut call, _folder, _): (Call, _, _) = start("given-upstream", "");
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    until("an update", || (!of_kind(&call.sidetone.events(), "affect.update").is_empty()).then_some(()));
    call.sidetone.command(&["tell", &id(&call), "customer", "no"]);
    until_state(&call, "excluded", "policy");
    until("nothing to be left of it in any file", || {
        lines_that_infer(call.sidetone.dir()).is_empty().then_some(())
    });
    let heard = heard_ms(&call);
    let error = call.sidetone.try_command(&["tell", &id(&call), "customer", "yes"]).unwrap_err().stderr;
    assert!(error.contains("`excluded`, which is final"), "{error}");
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert_eq!(heard_ms(&call), heard, "and it stays so");
    call.caller.open_gate();
    call.finish(6);
}
