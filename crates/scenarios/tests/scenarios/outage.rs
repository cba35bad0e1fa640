//! What is kept survives what fails: PostgreSQL away in mid-load, Sidetone killed in mid-call.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::postgresql::PostgreSql;
use sidetone_scenarios::rtp::speak;
use sidetone_scenarios::sidetone::{Setup, Sidetone, binary};
use sidetone_scenarios::sipp::{Plan, Sipp};
use sidetone_scenarios::until;

use crate::browser::Seat;
use crate::stored::{Browser, rows, speech, store};

/// Calls that are up when PostgreSQL goes, in all of the first load, and in the second one.
const BEFORE: usize = 10;
const FIRST: usize = 20;
const SECOND: usize = 6;

/// Runs the binary with its configuration; what it printed.
fn run(sidetone: &Sidetone, arguments: &[&str]) -> String {
    let config = sidetone.dir().join("sidetone.toml");
    let output = Command::new(binary())
        .args(arguments)
        .args(["--config".as_ref(), config.as_os_str()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn load(sidetone: &Sidetone, dir: &Path, port: u16, calls: usize, net: &Net) -> Sipp {
    std::fs::create_dir_all(dir).unwrap();
    let mut caller = Plan::new("load", "uac", net.at(host::TRUNK, port));
    caller.remote = Some(sidetone.sip());
    caller.calls = u32::try_from(calls).unwrap();
    // Not as few at once as SIPp would make them by itself. And with Call-IDs of their own: the callee takes a call
    // that is like an ended one for that one's.
    let calls_of_its_own = format!("load-{port}-%u-%p@test");
    caller.options = ["-r", "5", "-l", "100", "-cid_str", &calls_of_its_own].map(str::to_owned).to_vec();
    Sipp::start(caller, dir)
}

/// The outage lasts until all has been looked at; `SIDETONE_OUTAGE_SECONDS` makes it longer.
#[test]
fn postgresql_may_be_away_in_mid_load_and_nothing_is_lost() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let mut server = PostgreSql::start();
    let mut setup = Setup::usual(&net);
    let spool = folder.path().join("spool.db");
    setup.more = format!(
        "[limits]\ncalls = 100\ncalls_per_second = 100\n[spool]\npath = {spool:?}\n[store]\npostgres = {:?}\n",
        server.connection()
    );
    // Nobody speaks in these calls, and nobody is to be asked for that whether they are still up.
    setup.media.push_str("timeout = \"1h\"\n");
    let sidetone = Sidetone::start(&net, &setup);
    until("the store", || (sidetone.metric("sidetone_store_up") == 1.0).then_some(()));
    let token = run(&sidetone, &["token", "create", "Sam", "--role", "supervisor"]);
    let token = token.trim();
    let mut browser = Browser::of(&sidetone);
    assert_eq!(browser.sign_in(token, "/").status, 303);
    let mut seat = Seat::at(net.at(host::SIDETONE, 9464));
    seat.sign_in(token);

    let mut callee = Plan::new("load", "uas", net.at(host::PBX, 5060));
    callee.calls = u32::try_from(FIRST + SECOND).unwrap();
    let mut callee = Sipp::start(callee, sidetone.dir());
    let mut first = load(&sidetone, &folder.path().join("first"), 5060, FIRST, &net);
    first.wait_sent("ACK", BEFORE);
    seat.chromium.shows("calls up");
    seat.chromium.value("window.before = true");
    server.stop();

    // Pages say so, whether they are open already or asked for now, and so do the API and the metrics.
    seat.chromium.shows("Not live at the moment");
    let page = until("the page to say so", || {
        let page = browser.get("/calls");
        (page.status == 503).then_some(page)
    });
    assert!(page.text.contains("The store cannot be reached"), "{}", page.text);
    assert!(page.header("refresh").is_some(), "it comes back by itself");
    let (status, body) = sidetone.get_as("/api/v1/calls", token).unwrap();
    assert_eq!(status, 503, "{body}");
    until("the metric", || (sidetone.metric("sidetone_store_up") == 0.0).then_some(()));
    assert_eq!(sidetone.get("/readyz").unwrap().0, 200, "calls need no store");
    // Calls begin, go on and end meanwhile.
    first.wait_sent("ACK", FIRST);
    first.open_gates();
    first.finish();
    let mut second = load(&sidetone, &folder.path().join("second"), 5070, SECOND, &net);
    second.wait_sent("ACK", SECOND);
    if let Ok(seconds) = std::env::var("SIDETONE_OUTAGE_SECONDS") {
        std::thread::sleep(std::time::Duration::from_secs(seconds.parse().unwrap()));
    }

    server.resume();
    // The page that was open finds its way back without being loaded again.
    seat.chromium.shows(&format!("{SECOND} calls up"));
    let hidden = "document.getElementById('live-state').hidden";
    until("the page to be live", || (seat.chromium.value(hidden) == true).then_some(()));
    assert_eq!(seat.chromium.value("window.before"), true);
    second.open_gates();
    second.finish();
    callee.finish();
    seat.chromium.shows("No call is up");
    assert_eq!(browser.get("/calls").status, 200, "the session has outlived it");
    sidetone.wait_until_idle();
    let told = sidetone.events();
    let status = until("every event in the store", || {
        let status: Value = serde_json::from_str(&run(&sidetone, &["store", "status", "--json"])).unwrap();
        (status["events"] == told.len()).then_some(status)
    });
    assert_eq!((&status["calls"], &status["feeds"][0]["lost"]), (&(FIRST + SECOND).into(), &0.into()));
    let calls = rows(&run(&sidetone, &["store", "export", "calls"]));
    let ended = calls[0].iter().position(|column| column == "ended").unwrap();
    assert!(calls.iter().skip(1).all(|call| !call[ended].is_empty()), "each has its end");
    drop(seat);
    sidetone.finish();
}

/// The sequence numbers of a table's rows.
fn numbers(table: &str, file: &Path) -> BTreeSet<u64> {
    let rows = rows(&store(&["export", table], file));
    let seq = rows[0].iter().position(|column| column == "seq").unwrap();
    // The data of events may hold line breaks and commas: a row of theirs that is none has no number there.
    rows.iter().skip(1).filter_map(|row| row.get(seq)?.parse().ok()).collect()
}

/// Killed while events come thick and fast, and not when all was quiet.
#[test]
fn what_the_spool_had_when_sidetone_was_killed_is_in_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, file) = (folder.path().join("spool.db"), folder.path().join("store.db"));
    let start = |net: Net| {
        let mut setup = Setup::usual(&net);
        setup.more = format!("[spool]\npath = {spool:?}\n[store]\npath = {file:?}\n");
        let mut uac = Plan::new("talk", "uac", net.at(host::TRUNK, 5060));
        uac.remote = Some(net.at(host::SIDETONE, 5060));
        let uas = Plan::new("talk", "uas", net.at(host::PBX, 5060));
        Call::start_with(net, &setup, uac, uas)
    };
    let mut killed = start(Net::lease());
    killed.answered();
    speak(&mut killed.caller_media, &mut killed.callee_media, &speech());
    until("updates", || {
        let events = killed.sidetone.events();
        (events.iter().filter(|event| event["kind"] == "affect.update").count() > 2).then_some(())
    });
    killed.sidetone.process().kill();
    let written: Vec<Value> = killed.sidetone.events();
    drop(killed);
    // The spool as it was left: what the store has not had yet.
    let peeked = Command::new(binary())
        .args(["spool", "read", "auditor", "--peek", "--spool"])
        .arg(&spool)
        .output()
        .unwrap();
    let left: BTreeSet<u64> = String::from_utf8(peeked.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64())
        .collect();
    let had: BTreeSet<u64> = &numbers("events", &file) | &numbers("affect", &file);

    let mut next = start(Net::lease());
    next.answered();
    next.caller.open_gate();
    next.finish(6);
    let id = written[0]["call"]["id"].as_str().unwrap();
    // What an agent answers is kept apart, and is no event of the store.
    let apart = |event: &&Value| {
        event["kind"].as_str().is_some_and(|kind| kind.starts_with("cue.") && kind != "cue.shown")
    };
    let apart: BTreeSet<u64> =
        written.iter().filter(apart).filter_map(|event| event["seq"].as_u64()).collect();
    let of_call = |table: &str| -> BTreeSet<u64> {
        let rows = rows(&store(&["export", table], &file));
        let column = |name: &str| rows[0].iter().position(|column| column == name).unwrap();
        let (call, seq) = (column("call"), column("seq"));
        let its = rows.iter().skip(1).filter(|row| row.get(call).is_some_and(|it| it == id));
        its.filter_map(|row| row.get(seq)?.parse().ok()).collect()
    };
    let now = &of_call("events") | &of_call("affect");
    for number in &(&left | &had) - &apart {
        assert!(now.contains(&number), "event {number} of the spool is lost; the store has {now:?}");
    }
    let last = now.last().copied().unwrap_or_default();
    let missing: Vec<u64> =
        (1..=last).filter(|number| !now.contains(number) && !apart.contains(number)).collect();
    assert_eq!(missing, [] as [u64; 0], "no hole up to {last}");
    assert!(last > 8, "it would prove little: {now:?}");
}
