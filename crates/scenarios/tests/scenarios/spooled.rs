//! Events that a reader must not miss: kept over a kill, read by place, erased where customers object.

use std::process::Command;

use serde_json::Value;
use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::rtp::speak;
use sidetone_scenarios::sidetone::{Setup, Sidetone, binary, of_kind};
use sidetone_scenarios::sipp::Plan;
use sidetone_scenarios::{repository, until};

/// Runs `sidetone spool …` on a file; what it printed.
fn spool(arguments: &[&str], file: &std::path::Path) -> String {
    let output = Command::new(binary())
        .arg("spool")
        .args(arguments)
        .args(["--spool".as_ref(), file.as_os_str()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    assert_eq!(said, "", "nothing is amiss");
    String::from_utf8(output.stdout).unwrap()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Everything that was published and is not in the spool yet.
fn is_written(sidetone: &Sidetone) -> Option<()> {
    let metrics = sidetone.metrics();
    (metrics["sidetone_spool_events_total"] == metrics["sidetone_events_total"]
        && metrics["sidetone_spool_waiting"] == 0.0)
        .then_some(())
}

fn setup(net: &Net, file: &std::path::Path) -> Setup {
    let mut setup = Setup::usual(net);
    setup.more = format!("[spool]\npath = {file:?}\n");
    setup
}

fn call(net: Net, setup: &Setup) -> Call {
    let mut uac = Plan::new("talk", "uac", net.at(host::TRUNK, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    let uas = Plan::new("talk", "uas", net.at(host::PBX, 5060));
    Call::start_with(net, setup, uac, uas)
}

#[test]
fn a_kill_loses_no_event_that_was_written_and_a_reader_goes_on() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("spool.db");
    let setup = setup(&net, &file);
    let mut first = call(net, &setup);
    first.answered();
    first.talk("before the kill");
    until("the spool to have everything", || is_written(&first.sidetone));
    let told = first.sidetone.events();
    first.sidetone.process().kill();
    drop(first);

    let had = lines(&spool(&["read", "crm"], &file));
    assert_eq!(had, told, "what the events' file has, in its order");
    assert!(!of_kind(&had, "call.answered").is_empty());
    assert_eq!(spool(&["read", "crm"], &file), "", "acknowledged");

    // Another process goes on in the same file.
    let net = Net::lease();
    let setup = self::setup(&net, &file);
    let mut second = call(net, &setup);
    second.answered();
    second.talk("after the kill");
    second.caller.open_gate();
    let told = second.finish(6);
    assert_eq!(lines(&spool(&["read", "crm", "--peek"], &file)), told, "peeking acknowledges nothing");
    assert_eq!(lines(&spool(&["read", "crm"], &file)), told);
    let status: Value = serde_json::from_str(&spool(&["status", "--json"], &file)).unwrap();
    assert_eq!((&status["readers"][0]["name"], &status["readers"][0]["behind"]), (&"crm".into(), &0.into()));
    // One that comes later still gets what is there.
    let all = lines(&spool(&["read", "warehouse"], &file));
    assert!(all.ends_with(&told), "{} of {}", told.len(), all.len());
}

/// Seven seconds of the demo's caller losing patience.
fn speech() -> Vec<i16> {
    let mut reader = hound::WavReader::open(repository().join("demo/caller.wav")).unwrap();
    reader.samples().map(Result::unwrap).skip(24 * 8_000).take(7 * 8_000).collect()
}

#[test]
fn what_a_customer_objects_to_is_erased_and_readers_are_told() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("spool.db");
    let setup = setup(&net, &file);
    let mut call = call(net, &setup);
    call.answered();
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    let inferred = || {
        let lines = lines(&spool(&["read", "store", "--peek"], &file));
        lines.iter().filter(|line| line["kind"] == "affect.update").count()
    };
    until("an update in the spool", || (inferred() > 0).then_some(()));
    let id = call.first_event()["call"]["id"].as_str().unwrap().to_owned();
    call.sidetone.command(&["tell", &id, "consent", "refused"]);
    until("nothing to be owed", || {
        (inferred() == 0 && call.sidetone.metric("sidetone_spool_erasures_owed") == 0.0).then_some(())
    });
    call.caller.open_gate();
    call.finish(6);
    let read = lines(&spool(&["read", "store"], &file));
    let change = read.iter().position(|line| line["data"]["erased"] == true).unwrap();
    let (seq, erasure) = (&read[change]["seq"], &read[change + 1]["erasure"]);
    assert_eq!((&erasure["call"], &erasure["before"]), (&id.into(), seq));
    let bytes: Vec<u8> = ["spool.db", "spool.db-wal"]
        .iter()
        .flat_map(|name| std::fs::read(folder.path().join(name)).unwrap_or_default())
        .collect();
    let left = bytes.windows(13).filter(|window| window == b"affect.update").count();
    assert_eq!(left, 0, "not even in the file's empty room");
}
