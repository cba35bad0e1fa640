//! Calls whose cues are withheld by lot, to learn whether cues help; with real calls.

use std::path::Path;

use serde_json::Value;
use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::rtp::speak;
use sidetone_scenarios::sidetone::{Setup, Sidetone};
use sidetone_scenarios::sipp::Plan;
use sidetone_scenarios::until;

use crate::stored::{Browser, agent, ask, speech, token};

/// Anything said calls for both; the second is always shown.
const CUES: &str = r#"
    [[cue]]
    id = "drawn"
    priority = 600
    when = ["call > 1s"]
    once = true
    show = "3s"
    while_agent_talks = true
    line.en = "Hear them out."

    [[cue]]
    id = "condolence"
    when = ["call > 1s"]
    once = true
    always = true
    while_agent_talks = true
    line.en = "Condolence first."
"#;

/// The lot gives half of the calls each kind: so many of one kind come once in thirty thousand times.
const MOST_CALLS: usize = 16;

fn parties(net: &Net) -> (Plan, Plan) {
    let mut uac = Plan::new("talk", "uac", net.at(host::TRUNK, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    (uac, Plan::new("talk", "uas", net.at(host::PBX, 5060)))
}

/// Sidetone as usual, with these cues, of which half the calls are drawn to have none.
fn setup(net: &Net, folder: &Path) -> Setup {
    let (spool, file) = (folder.join("spool.db"), folder.join("store.db"));
    let cues = folder.join("cues.toml");
    std::fs::write(&cues, CUES).unwrap();
    let mut setup = Setup::usual(net);
    setup.more = format!(
        "[spool]\npath = {spool:?}\n[store]\npath = {file:?}\n\
         [cues]\nshipped = false\nfiles = [{cues:?}]\ngap = \"0s\"\nholdout = 0.5\n"
    );
    setup
}

/// Copies of each call that make it one of a population in which none is told by itself.
const COPIES: u32 = 40;

/// Puts the calls of a store that nobody has open two days back, with so many copies of each, which four agents have.
fn multiply(file: &Path) {
    let database = rusqlite::Connection::open(file).unwrap();
    let back = 2 * 86_400_000;
    database
        .execute_batch(&format!(
            "BEGIN;
             UPDATE calls SET started = started - {back}, answered = answered - {back}, ended = ended - {back};
             CREATE TEMP TABLE calls_again AS SELECT * FROM calls;
             CREATE TEMP TABLE cues_again AS SELECT * FROM cues;"
        ))
        .unwrap();
    for copy in 0..COPIES {
        let agent = 2_001 + copy % 4;
        database
            .execute_batch(&format!(
                "UPDATE calls_again SET id = printf('%04d', {copy}) || substr(id, 5), agent = '{agent}';
                 UPDATE cues_again SET call = printf('%04d', {copy}) || substr(call, 5), agent = '{agent}';
                 INSERT INTO calls SELECT * FROM calls_again; INSERT INTO cues SELECT * FROM cues_again;"
            ))
            .unwrap();
    }
    database
        .execute_batch(
            "INSERT INTO stale_days (day) SELECT DISTINCT started / 86400000 FROM calls WHERE true
             ON CONFLICT (day) DO NOTHING; COMMIT",
        )
        .unwrap();
}

fn of<'a>(events: &'a [Value], id: &str, kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["call"]["id"] == id && event["kind"] == kind).collect()
}

#[test]
fn a_call_that_the_lot_has_drawn_shows_its_agent_no_cue_but_those_always_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.db");
    let net = Net::lease();
    let setup = setup(&net, folder.path());
    let (uac, uas) = parties(&net);
    let mut call = Call::start_with(net, &setup, uac, uas);
    let (mut shown, mut withheld) = (0_u32, 0_u32);
    let mut ids: Vec<String> = Vec::new();
    let (mut ada, mut supervisor) = (String::new(), String::new());
    while (shown == 0 || withheld == 0) && ids.len() < MOST_CALLS {
        if !ids.is_empty() {
            let (uac, uas) = parties(&call.net);
            call = call.followed_by(6, uac, uas);
        }
        call.answered();
        let id = until("the call's first event", || {
            let events = call.sidetone.events();
            let id = events.last().and_then(|event| event["call"]["id"].as_str().map(str::to_owned));
            id.filter(|id| !ids.contains(id))
        });
        call.sidetone.command(&["tell", &id, "agent", "2001"]);
        if ids.is_empty() {
            ada = agent("2001", &file);
            supervisor = token("supervisor", &file).0;
        }
        speak(&mut call.caller_media, &mut call.callee_media, &speech()[..4 * 8_000]);
        until("the cue that is always shown", || {
            let (_, seen) = ask(&call, "/api/v1/desk", &ada);
            let line = seen["call"]["cue"]["line"].as_str().map(str::to_owned);
            (line.as_deref() == Some("Condolence first.")).then_some(())
        });
        // The desk knows before the file does.
        let events = until("its event", || {
            let events = call.sidetone.events();
            let is_told = |event: &&Value| event["data"]["line"] == "Condolence first.";
            of(&events, &id, "cue.shown").iter().any(is_told).then_some(events)
        });
        let drawn: Vec<_> = of(&events, &id, "cue.withheld");
        let seen: Vec<_> = of(&events, &id, "cue.shown");
        let lines: Vec<_> = seen.iter().map(|event| event["data"]["line"].as_str().unwrap()).collect();
        let compared: Vec<_> =
            seen.iter().map(|event| event["data"]["compared"].as_bool().unwrap()).collect();
        if let [event] = drawn.as_slice() {
            withheld += 1;
            assert_eq!((&event["data"]["cue"], &event["data"]["number"]), (&"drawn".into(), &1.into()));
            assert_eq!((lines, compared), (vec!["Condolence first."], vec![false]));
        } else {
            shown += 1;
            assert_eq!((lines, compared), (vec!["Hear them out.", "Condolence first."], vec![true, false]));
        }
        call.caller.open_gate();
        ids.push(id);
    }
    assert!(shown > 0 && withheld > 0, "{shown} shown, {withheld} withheld");
    // So few calls are compared with nothing: who knows of one call by itself could tell from it what was felt there.
    let mut browser = Browser::new(&call);
    browser.sign_in(&supervisor, "/figures");
    let page = browser.get("/figures");
    assert_eq!(page.status, 200);
    assert!(!page.text.contains(&format!("{shown} with cues and {withheld} without")), "{}", page.text);
    assert_eq!(call.sidetone.metric("sidetone_cues_withheld_total"), f64::from(withheld));
    // Nobody sees afterwards what was withheld, neither the agent nor a supervisor.
    for (id, reader) in ids.iter().flat_map(|id| [(id, &ada), (id, &supervisor)]) {
        let (status, seen) = ask(&call, &format!("/api/v1/calls/{id}"), reader);
        assert_eq!(status, 200);
        assert!(!seen.to_string().contains("cue.withheld"), "{seen}");
        let cues = seen["cues"].as_array().unwrap().len();
        let kept = seen["events"].as_array().unwrap().iter().filter(|event| event["kind"] == "cue.shown");
        assert!(reader != &ada || kept.count() == cues, "{seen}");
    }
    call.finish(6);
    // Among many calls of several agents none is told by itself, and the page compares the two.
    multiply(&file);
    let net = Net::lease();
    let mut sidetone = Sidetone::start(&net, &self::setup(&net, folder.path()));
    let director = token("director", &file).0;
    for reader in [&supervisor, &director] {
        let mut browser = Browser::of(&sidetone);
        browser.sign_in(reader, "/figures");
        let page = until("the comparison", || {
            let page = browser.get("/figures").text;
            page.contains("With cues less without").then_some(page)
        });
        let counts =
            [shown, withheld].map(|calls| format!("<td class=\"right\">{}</td>", calls * (COPIES + 1)));
        assert!(page.contains(&counts.concat()), "{counts:?}: {page}");
        let (_, handling) = page.split_once("holdout\"").unwrap().1.split_once("Handle time").unwrap();
        let row = handling.split_once("</tr>").unwrap().0;
        assert!(row.contains(&format!("n {}", shown * (COPIES + 1))), "{row}");
        assert!(["with cues", "may be chance"].iter().any(|says| row.contains(says)), "{row}");
    }
    sidetone.stop();
}
