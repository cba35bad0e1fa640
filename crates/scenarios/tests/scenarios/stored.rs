//! What happened in calls, asked of the store: by the command line, with a real call.

use std::process::Command;

use serde_json::Value;
use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::rtp::speak;
use sidetone_scenarios::sidetone::{Setup, binary};
use sidetone_scenarios::sipp::Plan;
use sidetone_scenarios::{repository, until};

/// Runs `sidetone store …` on a file; what it printed.
fn store(arguments: &[&str], file: &std::path::Path) -> String {
    let output = Command::new(binary())
        .arg("store")
        .args(arguments)
        .args(["--store".as_ref(), file.as_os_str()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn rows(csv: &str) -> Vec<Vec<String>> {
    csv.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

/// Seven seconds of the demo's caller losing patience.
fn speech() -> Vec<i16> {
    let mut reader = hound::WavReader::open(repository().join("demo/caller.wav")).unwrap();
    reader.samples().map(Result::unwrap).skip(24 * 8_000).take(7 * 8_000).collect()
}

fn start(net: Net, folder: &std::path::Path) -> Call {
    let mut setup = Setup::usual(&net);
    let (spool, store) = (folder.join("spool.db"), folder.join("store.db"));
    setup.more = format!("[spool]\npath = {spool:?}\n[store]\npath = {store:?}\n");
    let mut uac = Plan::new("talk", "uac", net.at(host::TRUNK, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    let uas = Plan::new("talk", "uas", net.at(host::PBX, 5060));
    Call::start_with(net, &setup, uac, uas)
}

#[test]
fn a_call_is_in_the_store_while_it_is_up_and_after() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("store.db");
    let mut call = start(net, folder.path());
    call.answered();
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    let moments = || rows(&store(&["export", "affect"], &file)).len().saturating_sub(1);
    until("moments of the call in the store", || (moments() > 1).then_some(()));
    assert_eq!(call.sidetone.metric("sidetone_store_up"), 1.0);
    call.caller.open_gate();
    let told = call.finish(6);
    let affect = told.iter().filter(|event| event["kind"] == "affect.update").count();
    assert_eq!(moments(), affect, "each one, and each once");
    let calls = rows(&store(&["export", "calls"], &file));
    let column = |name: &str| {
        let index = calls[0].iter().position(|column| column == name).unwrap();
        calls[1][index].clone()
    };
    assert_eq!((calls.len(), column("cause")), (2, "hangup".to_owned()));
    assert_eq!(column("id"), told[0]["call"]["id"].as_str().unwrap());
    let end = told.last().unwrap();
    assert_eq!(column("judged_ms"), end["data"]["summary"]["analysis"]["judged_ms"].to_string());
    let status: Value = serde_json::from_str(&store(&["status", "--json"], &file)).unwrap();
    assert_eq!((&status["calls"], &status["lost"]), (&1.into(), &0.into()));
    assert_eq!(status["events"], told.len());
    assert_eq!(rows(&store(&["export", "days"], &file)).len(), 2);
}

#[test]
fn a_refusal_empties_the_store_too() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("store.db");
    let mut call = start(net, folder.path());
    call.answered();
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    let moments = || rows(&store(&["export", "affect"], &file)).len().saturating_sub(1);
    until("moments of the call in the store", || (moments() > 0).then_some(()));
    let id = call.sidetone.events()[0]["call"]["id"].as_str().unwrap().to_owned();
    call.sidetone.command(&["tell", &id, "consent", "refused"]);
    until("the moments to be gone", || (moments() == 0).then_some(()));
    call.caller.open_gate();
    call.finish(6);
    let kinds = store(&["export", "events"], &file);
    assert!(
        !kinds.contains("affect.") && !kinds.contains(",conduct,") && kinds.contains("call.ended"),
        "{kinds}"
    );
    let status: Value = serde_json::from_str(&store(&["status", "--json"], &file)).unwrap();
    assert_eq!(status["calls"], 1);
}
