//! Every way to say no, and everyone who is never asked: from then on not one frame reaches the model.

use serde_json::{Value, json};
use sidetone_scenarios::call::Call;
use sidetone_scenarios::rtp::{build, converse, press, speak};
use sidetone_scenarios::sidetone::{binary, of_kind};
use sidetone_scenarios::until;

use super::{
    Case, EVENTS, TOKEN, assert_no_affect, assert_nobody_listened, assert_one_stream, header, heard_ms, id,
    lines_that_infer, speech, start, states, talk, told, until_announcing, until_state, view,
};

#[test]
fn who_presses_nine_while_being_told_is_never_listened_to() {
    let (mut call, _folder, _) = Case { seconds: 4.0, ..Case::default() }.answered();
    until_announcing(&call);
    let arrived = converse(&mut call.caller_media, &mut call.callee_media, 100, |n, caller, _| {
        if n == 20 {
            press(caller, EVENTS, 9);
        }
    });
    assert_one_stream(&arrived.at_a);
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert_nobody_listened(&call);
    call.caller.open_gate();
    let events = call.finish(6);
    assert_eq!(states(&events), [("announcing", "policy"), ("opted-out", "digit")]);
    assert_no_affect(&events);
    assert_eq!(of_kind(&events, "call.ended")[0]["data"]["summary"], Value::Null);
}

#[test]
fn a_header_of_the_carrier_s_may_refuse_and_the_pbx_s_is_believed() {
    let (mut call, _folder, payloads) = Case { scenario: "consent-header", ..Case::default() }.answered();
    let arrived = talk(&mut call, 60);
    assert_eq!(told(&arrived.at_a, &payloads), 0, "who has refused is not told");
    let view = view(&call);
    assert_eq!((&view["queue"], &view["consent"]), (&"billing".into(), &"opted-out".into()));
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert_nobody_listened(&call);
    call.caller.open_gate();
    let events = call.finish(6);
    assert_eq!(states(&events), [("opted-out", "trunk-header")]);
    assert_no_affect(&events);
}

/// A customer is told, listened to, and objects: what was inferred is erased, and not one more frame reaches the model.
fn is_forgotten(scenario: &str, by: &str, messages: usize, refuse: impl FnOnce(&mut Call)) {
    let (mut call, _folder, _) = Case { scenario, ..Case::default() }.answered();
    talk(&mut call, 100);
    until_state(&call, "given", "policy");
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    until("an update", || (!of_kind(&call.sidetone.events(), "affect.update").is_empty()).then_some(()));
    assert!(!lines_that_infer(call.sidetone.dir()).is_empty());
    refuse(&mut call);
    until_state(&call, "opted-out", by);
    until("nothing to be left of it in any file", || {
        lines_that_infer(call.sidetone.dir()).is_empty().then_some(())
    });
    let heard = heard_ms(&call);
    assert!(heard > 1_000.0);
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert_eq!(heard_ms(&call), heard, "nothing more reached the model");
    call.caller.open_gate();
    let events = call.finish(messages);
    let objection = events.iter().position(|event| event["data"]["state"] == "opted-out").unwrap();
    assert_eq!(events[objection]["data"]["erased"], true);
    assert_no_affect(&events[objection..]);
    assert_eq!(of_kind(&events, "call.ended")[0]["data"]["summary"]["analysis"]["erased"], true);
    assert_eq!(states(&events), [("announcing", "policy"), ("given", "policy"), ("opted-out", by)]);
}

#[test]
fn by_key_as_a_telephone_event() {
    is_forgotten("talk", "digit", 6, |call| press(&mut call.caller_media, EVENTS, 9));
}

/// While the caller's audio goes on, events come between it that are numbered by themselves.
fn press_between(call: &mut Call, ssrc: impl Fn(u32) -> u32, first: u16) {
    let (audio, _, timestamp) = header(&call.caller_media.packet(false));
    converse(&mut call.caller_media, &mut call.callee_media, 60, |n, caller, _| {
        let Some(k) = n.checked_sub(20).filter(|k| *k < 9) else { return };
        let [high, low] = (160 * (k.min(5) as u16 + 1)).to_be_bytes();
        let report = [9, if k >= 5 { 0x8a } else { 10 }, high, low];
        let sequence = first.wrapping_add(k as u16);
        caller.send(&build(EVENTS, k == 0, sequence, timestamp, ssrc(audio), &report));
    });
}

#[test]
fn by_key_under_an_ssrc_of_its_own() {
    is_forgotten("talk", "digit", 6, |call| press_between(call, |_| 0x9999, 7_000));
}

#[test]
fn by_key_in_a_count_of_its_own_far_from_the_audio_s() {
    is_forgotten("talk", "digit", 6, |call| press_between(call, |audio| audio, 40_000));
}

#[test]
fn by_key_under_a_number_that_nobody_has_listed() {
    is_forgotten("talk", "digit", 6, |call| press(&mut call.caller_media, 97, 9));
}

#[test]
fn by_key_in_the_sound() {
    is_forgotten("talk", "digit-in-band", 6, |call| {
        let nine: Vec<i16> = (0..2_400)
            .map(|n| {
                let t = f64::from(n) / 8_000.0 * std::f64::consts::TAU;
                (6_000.0 * (852.0 * t).sin() + 6_000.0 * (1_477.0 * t).sin()) as i16
            })
            .collect();
        speak(&mut call.caller_media, &mut call.callee_media, &nine);
    });
}

#[test]
fn by_key_in_an_info() {
    is_forgotten("opt-out-info", "digit-info", 8, |call| call.caller.open_gate());
}

#[test]
fn by_the_command_line() {
    is_forgotten("talk", "cli", 6, |call| {
        call.sidetone.command(&["tell", &id(call), "consent", "refused"]);
    });
}

#[test]
fn by_http() {
    is_forgotten("talk", "api", 6, |call| {
        let path = format!("/api/calls/{}/tell", id(call));
        let refused = json!({ "name": "consent", "value": "refused" });
        let post = |token: &str| call.sidetone.post(&path, token, &refused).unwrap().0;
        assert_eq!(post("another token"), 401);
        assert_ne!(view(call)["consent"], "opted-out", "only with the token");
        assert_eq!(post(TOKEN), 204);
    });
}

/// Who is never told and never listened to, whatever else is said.
fn is_left_alone(case: &Case<'_>, state: (&str, &str)) {
    let (mut call, _folder, payloads) = case.answered();
    call.talk("untouched to the last byte");
    let id = id(&call);
    for (name, value) in [("consent", "granted"), ("analysis", "start")] {
        // Taken or not, the answer says how it stands.
        let told = call.sidetone.try_command(&["tell", &id, name, value]);
        let answer = told.unwrap_or_else(|error| error.stderr);
        assert!(answer.contains(state.0), "{answer}");
    }
    let arrived = talk(&mut call, 60);
    assert_eq!(told(&arrived.at_a, &payloads), 0);
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert_nobody_listened(&call);
    call.caller.open_gate();
    let events = call.finish(6);
    assert_eq!(states(&events), [state]);
    assert_no_affect(&events);
    assert!(of_kind(&events, "announcement").is_empty());
    assert_eq!(of_kind(&events, "call.ended")[0]["data"]["summary"], Value::Null);
}

#[test]
fn who_stands_on_the_list_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("do-not-analyse");
    let exclude = ["consent", "exclude", "+1 555-0100", "--list", list.to_str().unwrap()];
    let done = std::process::Command::new(binary()).args(exclude).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    let more = format!("[consent]\ndo_not_analyse = {list:?}\n");
    is_left_alone(&Case { more: &more, ..Case::default() }, ("excluded", "list"));
}

#[test]
fn where_nobody_is_to_be_told_nobody_is_listened_to() {
    let more = "[[consent.rules]]\ntrunk = \"carrier\"\npolicy = \"never\"\n";
    is_left_alone(&Case { more, ..Case::default() }, ("excluded", "policy"));
}

#[test]
fn the_bereaved_are_left_alone() {
    let callee = &["-key", "tier", "Bereavement"];
    is_left_alone(&Case { scenario: "empathy-tier", callee, ..Case::default() }, ("excluded", "policy"));
}

#[test]
fn whose_health_it_is_about_is_left_alone() {
    let callee = &["-key", "tier", "health"];
    let case = Case { scenario: "empathy-tier", disclosure: "given-upstream", callee, ..Case::default() };
    is_left_alone(&case, ("excluded", "policy"));
}

#[test]
fn what_was_inferred_of_a_call_that_turns_out_to_be_about_health_is_erased() {
    let (mut call, _folder, _) = start("given-upstream", "");
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    until("an update", || (!of_kind(&call.sidetone.events(), "affect.update").is_empty()).then_some(()));
    call.sidetone.command(&["tell", &id(&call), "tier", "health"]);
    until_state(&call, "excluded", "policy");
    let heard = heard_ms(&call);
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert_eq!(heard_ms(&call), heard, "nothing more reached the model");
    call.caller.open_gate();
    let events = call.finish(6);
    let end = events.iter().position(|event| event["data"]["state"] == "excluded").unwrap();
    assert_eq!(events[end]["data"]["erased"], true);
    assert_no_affect(&events[end..]);
}
