//! Consent outlives the process: nobody is told twice, nobody is asked twice, and nobody is listened to who has not
//! been told to the end.

use sidetone_scenarios::rtp::{press, speak};
use sidetone_scenarios::sidetone::of_kind;
use sidetone_scenarios::until;
use tempfile::TempDir;

use super::{
    Case, EVENTS, assert_nobody_listened, assert_one_stream, assert_told_once, heard_ms, lines_that_infer,
    phases, speech, states, talk, told, until_announcing, until_state, view,
};

fn journal() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let more = format!("[journal]\npath = {:?}\n", folder.path().join("calls.journal"));
    (folder, more)
}

fn is_written_down(call: &sidetone_scenarios::call::Call) {
    until("the call to be written down", || {
        (call.sidetone.metric("sidetone_journal_waiting") == 0.0).then_some(())
    });
}

#[test]
fn who_was_told_is_listened_to_again_in_the_same_stream_and_is_heard_when_they_object() {
    let (_journal, more) = journal();
    let (mut call, _folder, payloads) = Case { more: &more, ..Case::default() }.answered();
    until_announcing(&call);
    let before = talk(&mut call, 250);
    assert_told_once(&before.at_a, &payloads);
    until_state(&call, "given", "policy");
    is_written_down(&call);

    call.sidetone.kill_and_start_anew();
    assert_eq!(view(&call)["consent"], "given");
    let after = talk(&mut call, 50);
    assert_eq!(told(&after.at_a, &payloads), 0, "nobody is told twice");
    // The listener sees one stream: numbers go on by the same constants.
    let joined: Vec<Vec<u8>> = before.at_a.last().into_iter().chain(&after.at_a).cloned().collect();
    assert_one_stream(&joined);
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    until("an update", || (!of_kind(&call.sidetone.events(), "affect.update").is_empty()).then_some(()));
    press(&mut call.caller_media, EVENTS, 9);
    until_state(&call, "opted-out", "digit");
    until("nothing to be left of it in any file", || {
        let folders = [call.sidetone.dir(), _journal.path()];
        folders.iter().all(|folder| lines_that_infer(folder).is_empty()).then_some(())
    });
    // Objecting outlives the process too.
    is_written_down(&call);
    call.sidetone.kill_and_start_anew();
    assert_eq!(view(&call)["consent"], "opted-out");
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert_eq!(heard_ms(&call), 0.0);
    call.caller.open_gate();
    let events = call.finish(6);
    assert_eq!(phases(&events), [("notice", "started"), ("notice", "finished")]);
}

#[test]
fn an_announcement_that_the_kill_cuts_off_is_not_played_again_and_nobody_is_listened_to() {
    let (_journal, more) = journal();
    let (mut call, _folder, payloads) = Case { more: &more, seconds: 4.0, ..Case::default() }.answered();
    until_announcing(&call);
    talk(&mut call, 60);
    is_written_down(&call);
    call.sidetone.kill_and_start_anew();
    call.caller_media.drain();
    let after = talk(&mut call, 250);
    assert_eq!(told(&after.at_a, &payloads), 0, "it is not played again");
    assert!(after.at_a.len() > 200, "the agent is heard instead");
    assert_one_stream(&after.at_a);
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert_nobody_listened(&call);
    call.caller.open_gate();
    let events = call.finish(6);
    assert_eq!(states(&events), [("announcing", "policy"), ("failed", "policy")]);
}

/// An announcement could not go on in another process, so an upgrade waits for its end.
#[test]
fn an_upgrade_waits_for_an_announcement() {
    let (_journal, more) = journal();
    let (mut call, _folder, payloads) = Case { more: &more, seconds: 4.0, ..Case::default() }.answered();
    until_announcing(&call);
    let told_now = talk(&mut call, 20);
    assert!(told(&told_now.at_a, &payloads) > 0);
    call.sidetone.upgrade(&[]).unwrap();
    assert_eq!(view(&call)["consent"], "given");
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    until("an update", || (!of_kind(&call.sidetone.events(), "affect.update").is_empty()).then_some(()));
    call.caller.open_gate();
    let events = call.finish(6);
    assert_eq!(phases(&events), [("notice", "started"), ("notice", "finished")]);
    assert_eq!(states(&events), [("announcing", "policy"), ("given", "policy")]);
}

#[test]
fn a_question_that_was_asked_may_still_be_answered() {
    let (_journal, more) = journal();
    let more = format!("{more}[consent]\npatience = \"60s\"\n");
    let (mut call, _folder, payloads) =
        Case { more: &more, disclosure: "opt-in", ..Case::default() }.answered();
    until_announcing(&call);
    talk(&mut call, 120);
    until_state(&call, "asked", "policy");
    is_written_down(&call);
    call.sidetone.kill_and_start_anew();
    assert_eq!(view(&call)["consent"], "asked");
    let after = talk(&mut call, 20);
    assert_eq!(told(&after.at_a, &payloads), 0);
    assert_nobody_listened(&call);
    press(&mut call.caller_media, EVENTS, 1);
    until_state(&call, "given", "digit");
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert!(heard_ms(&call) > 1_000.0);
    call.caller.open_gate();
    call.finish(6);
}
