//! Calls outlive the process: it is killed in their midst and started anew, and they go on as if nothing had been.

use serde_json::Value;
use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::rtp::{both_ways, nothing, one_way, rtcp_both_ways, speak};
use sidetone_scenarios::sidetone::{SESSIONS, Setup, Sidetone, of_kind};
use sidetone_scenarios::sipp::{Plan, Sipp};
use sidetone_scenarios::{repository, until};
use tempfile::TempDir;

/// A setup whose calls are written down; the folder holds the journal.
fn journalled(net: &Net) -> (Setup, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut setup = Setup::usual(net);
    setup.more = format!("[journal]\npath = {:?}\n", folder.path().join("calls.journal"));
    (setup, folder)
}

/// A call of that scenario, answered.
fn answered(scenario: &str, change: impl FnOnce(&mut Setup)) -> (Call, TempDir) {
    let net = Net::lease();
    let (mut setup, folder) = journalled(&net);
    change(&mut setup);
    let mut uac = Plan::new(scenario, "uac", net.at(host::TRUNK, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    let uas = Plan::new(scenario, "uas", net.at(host::PBX, 5060));
    let mut call = Call::start_with(net, &setup, uac, uas);
    call.answered();
    (call, folder)
}

fn is_written_down(call: &Call) {
    until("the call to be written down", || {
        let metric = |name| call.sidetone.metric(name);
        (metric("sidetone_journal_calls") == 1.0 && metric("sidetone_journal_waiting") == 0.0).then_some(())
    });
}

fn view(call: &Call) -> Value {
    let calls = call.sidetone.command(&["calls", "--json"]);
    serde_json::from_str(calls.lines().next().expect("a call that is up")).unwrap()
}

fn leg<'a>(view: &'a Value, party: &str) -> &'a Value {
    &view["streams"][0][party]
}

/// Seven seconds of the demo's caller losing patience.
fn speech() -> Vec<i16> {
    let mut reader = hound::WavReader::open(repository().join("demo/caller.wav")).unwrap();
    reader.samples().map(Result::unwrap).skip(24 * 8_000).take(7 * 8_000).collect()
}

#[test]
fn a_call_goes_on_after_a_kill_under_its_name_with_its_sound_and_its_counts() {
    let (mut call, _journal) = answered("basic", |_| {});
    call.talk("before");
    is_written_down(&call);
    let before = view(&call);
    let consent = until("consent", || {
        of_kind(&call.sidetone.events(), "consent.changed").first().map(|it| (*it).clone())
    });
    assert_eq!(consent["data"]["state"], "given");

    call.sidetone.kill_and_start_anew();
    call.talk("after");
    rtcp_both_ways("after", &call.caller_media, &call.callee_media);
    let after = view(&call);
    for key in ["id", "direction", "trunk", "pbx", "caller", "callee", "consent", "policy", "signalling"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    assert_eq!((&after["phase"], &after["analysed"]), (&"talking".into(), &true.into()));
    assert!(after["age_ms"].as_u64() >= before["age_ms"].as_u64(), "{after}");
    // Whose packets may come, and how many have, is what it was; a stranger gets in no more than before.
    for party in ["customer", "agent"] {
        let packets = until("the packets of both lives", || {
            let now = view(&call);
            (leg(&now, party)["packets"].as_u64() >= Some(20)).then_some(now)
        });
        assert_eq!(leg(&packets, party)["rejected"], 0, "{packets}");
    }
    assert_eq!(
        call.sidetone.series("sidetone_journal_recovered_calls_total", &[("outcome", "carried_on")]),
        1.0
    );

    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    call.caller.open_gate();
    let events = call.finish(6);
    let kinds: Vec<&str> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "call.started").count(), 1, "{kinds:?}");
    assert_eq!(of_kind(&events, "consent.changed").len(), 1, "consent is not asked for twice");
    let ended = of_kind(&events, "call.ended")[0];
    assert_eq!((&ended["data"]["cause"], &ended["data"]["by"]), (&"hangup".into(), &"customer".into()));
    let heard = ended["data"]["summary"]["analysis"]["speech_ms"].as_u64().unwrap();
    assert!(heard > 3_000, "the caller is listened to again: {ended}");
}

#[test]
fn a_call_that_is_held_is_resumed_and_changed_after_a_kill() {
    let (mut call, _journal) = answered("hold-sendonly", |_| {});
    call.talk("before");
    call.caller.open_gate();
    call.callee.wait_received("ACK", 2);
    call.aim();
    one_way("music on hold", &mut call.caller_media, &call.callee_media, 20);
    is_written_down(&call);
    call.sidetone.kill_and_start_anew();
    assert_eq!(view(&call)["phase"], "held");
    one_way("music goes on", &mut call.caller_media, &call.callee_media, 20);
    call.caller.open_gate();
    call.callee.wait_received("ACK", 3);
    call.aim();
    call.talk("resumed");
    call.caller.open_gate();
    let events = call.finish(12);
    for kind in ["call.held", "call.resumed"] {
        assert_eq!(of_kind(&events, kind).len(), 1, "{kind}");
    }
}

#[test]
fn a_party_that_moves_to_another_address_is_found_there_after_a_kill() {
    let (mut call, _journal) = answered("reinvite-address", |_| {});
    call.talk("before");
    is_written_down(&call);
    call.sidetone.kill_and_start_anew();
    call.talk("after");
    call.caller.open_gate();
    call.callee.wait_received("ACK", 2);
    call.caller.open_gate();
    call.finish(9);
}

/// What was heard before the kill, and where consent stands, is in the summary.
#[test]
fn what_was_heard_before_a_kill_is_in_the_summary() {
    let (mut call, _journal) = answered("basic", |_| {});
    // Longer than it may take until what was inferred is written down.
    speak(&mut call.caller_media, &mut call.callee_media, &[speech(), speech()].concat());
    let heard = until("the view of it", || view(&call)["affect"].as_object().cloned());
    is_written_down(&call);
    call.sidetone.kill_and_start_anew();
    assert_eq!(
        view(&call)["affect"]["leg"],
        heard["leg"],
        "it is shown again, before anything more was heard"
    );
    call.caller.open_gate();
    let events = call.finish(6);
    let summary = &of_kind(&events, "call.ended")[0]["data"]["summary"];
    assert!(summary["analysis"]["speech_ms"].as_u64() > Some(3_000), "{summary}");
    assert!(summary["sentiment"].is_object(), "{summary}");
}

/// One life after another: what one has carried on, the next one does too.
#[test]
fn a_call_outlives_one_process_after_another() {
    let (mut call, _journal) = answered("basic", |_| {});
    let id = view(&call)["id"].clone();
    for life in 0..4 {
        both_ways(&format!("life {life}"), &mut call.caller_media, &mut call.callee_media, 5);
        is_written_down(&call);
        call.sidetone.kill_and_start_anew();
        assert_eq!(view(&call)["id"], id);
    }
    call.talk("at last");
    call.caller.open_gate();
    let events = call.finish(6);
    assert_eq!(of_kind(&events, "call.ended").len(), 1);
}

/// A stranger gains nothing from the death of the process: the latch is what it was.
#[test]
fn a_stranger_does_not_get_in_by_the_gap() {
    let (mut call, _journal) = answered("basic", |_| {});
    // Long enough for the relay to have told whom it has latched.
    for _ in 0..2 {
        let before = leg(&view(&call), "agent")["packets"].as_u64();
        until("another report of the relay's", || {
            both_ways("before", &mut call.caller_media, &mut call.callee_media, 5);
            (leg(&view(&call), "agent")["packets"].as_u64() > before).then_some(())
        });
    }
    is_written_down(&call);
    call.sidetone.kill_and_start_anew();
    // The carrier's own address, another port: permitted, but another party is latched.
    let mut stranger = sidetone_scenarios::rtp::End::bind(call.net.at(host::TRUNK, 39_998));
    stranger.send_to(call.caller_media.target());
    nothing("a stranger in the gap", &mut stranger, &call.callee_media);
    call.talk("the party itself");
    call.caller.open_gate();
    call.finish(6);
}

/// Nobody carries it on: it has its last event and its receipt all the same.
#[test]
fn a_call_that_nobody_carries_on_in_time_is_closed_with_its_receipt() {
    let receipts = tempfile::tempdir().unwrap();
    let folder = receipts.path().to_owned();
    let (mut call, journal) = answered("basic", |setup| {
        setup.more = setup.more.replace("[journal]\n", "[journal]\nkeep_seconds = 1\n")
            + &format!("[consent]\nreceipts = {folder:?}\n");
    });
    call.talk("before");
    is_written_down(&call);
    let id = view(&call)["id"].clone();
    call.sidetone.process().kill();
    // As if an hour had passed since.
    let database = rusqlite::Connection::open(journal.path().join("calls.journal")).unwrap();
    database
        .execute("UPDATE life SET alive = alive - 3600000000000, epoch = epoch - 3600000000000", [])
        .unwrap();
    drop(database);
    call.sidetone.start_anew();
    let ended = until("the call's end", || {
        of_kind(&call.sidetone.events(), "call.ended").first().map(|event| (*event).clone())
    });
    assert_eq!((&ended["call"]["id"], &ended["data"]["cause"]), (&id, &"terminated".into()));
    assert_eq!(call.sidetone.series("sidetone_journal_recovered_calls_total", &[("outcome", "closed")]), 1.0);
    assert_eq!(call.sidetone.metric("sidetone_journal_calls"), 0.0);
    assert_eq!(call.sidetone.command(&["calls", "--json"]), "");
    until("the receipt", || {
        let files = std::fs::read_dir(receipts.path()).unwrap();
        let mut texts = files.filter_map(|file| std::fs::read_to_string(file.unwrap().path()).ok());
        texts.any(|text| text.contains(id.as_str().unwrap())).then_some(())
    });
    // Its parties hang up in vain, but get an answer: their dialog is known by its mark.
    call.caller.open_gate();
    call.caller.finish();
    call.callee.finish();
    call.sidetone.finish();
}

/// A good many calls are carried on, none is left behind, and all of them end as they would have. `SIDETONE_CALLS` says
/// how many, to see how long it takes; the log says that.
#[test]
fn all_calls_are_carried_on() {
    let calls: u32 = std::env::var("SIDETONE_CALLS").map_or(100, |calls| calls.parse().unwrap());
    let net = Net::lease();
    let (mut setup, _journal) = journalled(&net);
    setup.media = setup.media.replace("30000-30199", "20000-39999");
    setup.more.push_str("[limits]\ncalls = 10000\ncalls_per_second = 1000\n");
    let mut sidetone = Sidetone::start(&net, &setup);
    let (mut caller, mut callee) = Sipp::start_load(&net, &sidetone, calls, 50);
    caller.wait_sent("ACK", calls as usize);
    until("all calls to be written down", || {
        let metric = |name| sidetone.metric(name);
        let all = metric("sidetone_journal_calls") == f64::from(calls);
        (all && metric("sidetone_journal_waiting") == 0.0).then_some(())
    });
    sidetone.kill_and_start_anew();
    let carried_on = sidetone.series("sidetone_journal_recovered_calls_total", &[("outcome", "carried_on")]);
    assert_eq!(carried_on, f64::from(calls));
    assert_eq!(sidetone.metric(SESSIONS), f64::from(calls));
    println!("{}", sidetone.output().lines().filter(|line| line.contains("took_ms")).collect::<String>());
    if calls > 200 {
        // SIPp's socket has no room for more gates at once; this was to see how long it takes.
        return;
    }
    caller.open_gates();
    caller.finish();
    callee.finish();
    let events = sidetone.finish();
    assert_eq!(of_kind(&events, "call.ended").len(), calls as usize);
}
