//! Where the customer has to agree, or the PBX to announce: until then nobody listens.

use sidetone_scenarios::rtp::{press, speak};
use sidetone_scenarios::sidetone::of_kind;

use super::{
    EVENTS, assert_no_affect, assert_nobody_listened, heard_ms, id, speech, start, states, talk, until_state,
};

#[test]
fn only_who_agrees_is_listened_to_where_that_is_asked() {
    let (mut call, _folder, _) = start("opt-in", "[consent]\npatience = \"60s\"\n");
    talk(&mut call, 100);
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert_eq!(heard_ms(&call), 0.0);
    press(&mut call.caller_media, EVENTS, 1);
    until_state(&call, "given", "digit");
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert!(heard_ms(&call) > 1_000.0);
    call.caller.open_gate();
    let events = call.finish(6);
    assert_eq!(states(&events), [("announcing", "policy"), ("asked", "policy"), ("given", "digit")]);
}

#[test]
fn silence_is_no_agreement() {
    let (mut call, _folder, _) = start("opt-in", "[consent]\npatience = \"1s\"\n");
    talk(&mut call, 100);
    until_state(&call, "declined", "policy");
    // Who presses 1 for sales in a menu later on has agreed to nothing.
    press(&mut call.caller_media, EVENTS, 1);
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert_nobody_listened(&call);
    call.caller.open_gate();
    let events = call.finish(6);
    assert_eq!(states(&events), [("announcing", "policy"), ("asked", "policy"), ("declined", "policy")]);
    assert_no_affect(&events);
}

#[test]
fn the_pbx_may_announce_and_say_so() {
    let (mut call, _folder, _) = start("announce-elsewhere", "");
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert_eq!(heard_ms(&call), 0.0);
    let id = id(&call);
    call.sidetone.command(&["tell", &id, "consent", "announced"]);
    until_state(&call, "given", "cli");
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert!(heard_ms(&call) > 1_000.0);
    call.sidetone.command(&["tell", &id, "consent", "refused"]);
    until_state(&call, "opted-out", "cli");
    let heard = heard_ms(&call);
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert_eq!(heard_ms(&call), heard, "nothing more reached the model");
    call.caller.open_gate();
    let events = call.finish(6);
    assert_eq!(states(&events), [("given", "cli"), ("opted-out", "cli")]);
    assert!(of_kind(&events, "announcement").is_empty(), "it was the PBX's to announce");
}

#[test]
fn who_refuses_before_the_pbx_has_announced_is_never_listened_to() {
    let (mut call, _folder, _) = start("announce-elsewhere", "");
    let id = id(&call);
    call.sidetone.command(&["tell", &id, "consent", "refused"]);
    until_state(&call, "opted-out", "cli");
    for (name, value) in [("consent", "announced"), ("consent", "granted"), ("analysis", "start")] {
        let error = call.sidetone.try_command(&["tell", &id, name, value]).unwrap_err().stderr;
        assert!(error.contains("`opted-out`, which is final"), "{error}");
    }
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert_nobody_listened(&call);
    call.caller.open_gate();
    let events = call.finish(6);
    assert_eq!(states(&events), [("opted-out", "cli")]);
    assert_no_affect(&events);
}

#[test]
fn the_pbx_may_say_that_the_customer_has_agreed() {
    let (mut call, _folder, _) = start("opt-in", "[consent]\npatience = \"60s\"\n");
    talk(&mut call, 100);
    until_state(&call, "asked", "policy");
    call.sidetone.command(&["tell", &id(&call), "consent", "granted"]);
    until_state(&call, "given", "cli");
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert!(heard_ms(&call) > 1_000.0);
    call.caller.open_gate();
    call.finish(6);
}
