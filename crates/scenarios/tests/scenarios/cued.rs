//! Cues reach the agent who has the call, and nobody else answers them; with a real call.

use serde_json::{Value, json};
use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::rtp::speak;
use sidetone_scenarios::sidetone::Setup;
use sidetone_scenarios::sipp::Plan;
use sidetone_scenarios::until;

use crate::browser::Seat;
use crate::stored::{Browser, agent, ask, send, speech, token};

/// Two cues that anything said calls for, the second after the first is gone.
const CUES: &str = r#"
    [[cue]]
    id = "first"
    priority = 600
    when = ["call > 1s"]
    show = "10m"
    while_agent_talks = true
    line.en = "Hear them <out>."
    line.de = "Zuhören."
    reason.en = "They have only begun."

    [[cue]]
    id = "second"
    when = ["call > 1s", "queue = billing"]
    show = "10m"
    while_agent_talks = true
    line.en = "Name the invoice."
"#;

fn start(folder: &std::path::Path) -> Call {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    let (spool, store, cues) = (folder.join("spool.db"), folder.join("store.db"), folder.join("cues.toml"));
    std::fs::write(&cues, CUES).unwrap();
    setup.more = format!(
        "[spool]\npath = {spool:?}\n[store]\npath = {store:?}\n\
         [cues]\nshipped = false\nfiles = [{cues:?}]\ngap = \"0s\"\n"
    );
    let mut uac = Plan::new("talk", "uac", net.at(host::TRUNK, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    let uas = Plan::new("talk", "uas", net.at(host::PBX, 5060));
    Call::start_with(net, &setup, uac, uas)
}

/// Sidetone's id of the call: its first event may be a moment behind the answer.
fn id(call: &Call) -> String {
    until("the call's first event", || {
        call.sidetone.events().first().and_then(|event| event["call"]["id"].as_str().map(str::to_owned))
    })
}

fn told(call: &Call, kind: &str) -> Vec<Value> {
    call.sidetone.events().into_iter().filter(|event| event["kind"] == kind).collect()
}

#[test]
fn a_cue_is_shown_to_the_calls_agent_who_answers_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.db");
    let mut call = start(folder.path());
    call.answered();
    let id = id(&call);
    for (name, value) in [("queue", "billing"), ("agent", "2001"), ("team", "north")] {
        call.sidetone.command(&["tell", &id, name, value]);
    }
    let (ada, ben, (supervisor, _)) =
        (agent("2001", &file), agent("2002", &file), token("supervisor", &file));
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    let shown = until("a cue", || told(&call, "cue.shown").first().cloned());
    assert_eq!((&shown["data"]["cue"], &shown["data"]["number"]), (&"first".into(), &1.into()), "{shown}");
    let desk = |token: &str| ask(&call, "/api/v1/desk", token);
    let (status, seen) = desk(&ada);
    assert_eq!((status, &seen["call"]["cue"]["line"]), (200, &"Hear them <out>.".into()), "{seen}");
    assert_eq!(seen["call"]["queue"], "billing");
    assert_eq!(desk(&ben), (200, json!({ "call": null })));
    assert_eq!(desk(&supervisor).0, 403);

    let cue = |number: u32| format!("/api/v1/calls/{id}/cues/{number}");
    let answer = |number, token: &str, word: &str| {
        send(&call, "POST", &cue(number), token, &json!({ "answer": word })).0
    };
    assert_eq!(answer(1, &ben, "dismissed"), 404, "another agent's call is as if there were none");
    assert_eq!(answer(1, &supervisor, "dismissed"), 403);
    assert_eq!(answer(2, &ada, "acknowledged"), 409, "not shown yet");
    for _ in 0..2 {
        assert_eq!(answer(1, &ada, "acknowledged"), 204);
    }
    assert_eq!(told(&call, "cue.acknowledged").len(), 1, "told once");
    {
        let mut browser = Browser::new(&call);
        assert_eq!(browser.sign_in(&ada, "/desk").status, 303);
        let page = browser.get("/desk");
        assert!(page.text.contains("Hear them &lt;out&gt;.") && page.text.contains("They have only begun."));
        let csrf = page.csrf();
        let dismiss = format!("call={id}&number=1&answer=dismissed");
        let mut post = |form: &str| browser.post("/desk/answer", "http://sidetone", form).status;
        assert_eq!(post(&format!("csrf=other&{dismiss}")), 403);
        assert_eq!(post(&format!("csrf={csrf}&{dismiss}")), 303);
        assert_eq!(browser.get("/agent?ext=2001").header("location"), Some("/desk"));
        assert_eq!(browser.get("/agent?ext=2002").status, 403);
        assert_eq!(browser.get("/live").header("location"), Some("/desk"), "an agent's first page");
        let mut browser = Browser::new(&call);
        browser.sign_in(&supervisor, "/live");
        assert_eq!(browser.get("/desk").status, 403);
    }
    let cleared = until("the cue's end", || told(&call, "cue.cleared").first().cloned());
    assert_eq!((&cleared["data"]["number"], &cleared["data"]["why"]), (&1.into(), &"dismissed".into()));
    let second = until("the next cue", || told(&call, "cue.shown").get(1).cloned());
    assert_eq!((&second["data"]["cue"], &second["data"]["number"]), (&"second".into(), &2.into()));
    let one = format!("/api/v1/calls/{id}");
    let mine = until("the cues in the store", || {
        let (_, mine) = ask(&call, &one, &ada);
        (mine["cues"].as_array().is_some_and(|cues| cues.len() == 2)).then_some(mine)
    });
    let first = &mine["cues"][0];
    assert_eq!((&first["acknowledged"], &first["dismissed"]), (&true.into(), &true.into()), "{mine}");
    {
        let mut browser = Browser::new(&call);
        browser.sign_in(&ada, "/desk");
        let page = browser.get(&format!("/calls/{id}")).text;
        assert!(page.contains("Hear them &lt;out&gt;.") && page.contains("Taken away"), "{page}");
        let mut browser = Browser::new(&call);
        browser.sign_in(&supervisor, "/live");
        let page = browser.get(&format!("/calls/{id}")).text;
        assert!(page.contains("Cue: <bdi>Hear them") && !page.contains("Taken away"), "{page}");
    }
    // What a cue did for an agent is the agent's own.
    let (_, theirs) = ask(&call, &one, &supervisor);
    assert_eq!(theirs["cues"], json!([]));
    let kinds: Vec<&str> =
        theirs["events"].as_array().unwrap().iter().filter_map(|event| event["kind"].as_str()).collect();
    assert!(kinds.contains(&"cue.shown"), "{kinds:?}");
    // How long a cue stood tells it too.
    for private in ["cue.acknowledged", "cue.dismissed", "cue.cleared", "cue.judged"] {
        assert!(!kinds.contains(&private), "{private}");
    }
    assert_eq!(
        ask(&call, "/api/v1/cues", &supervisor),
        (200, json!({ "cues": [], "holdout": [] })),
        "one agent's"
    );

    call.sidetone.command(&["tell", &id, "consent", "refused"]);
    until("the cue's end by the objection", || {
        let (_, seen) = desk(&ada);
        seen["call"]["cue"].is_null().then_some(())
    });
    until("the cues' erasure", || {
        let (_, mine) = ask(&call, &one, &ada);
        let text = mine.to_string();
        (mine["cues"] == json!([]) && !text.contains("Name the invoice")).then_some(())
    });
    call.caller.open_gate();
    let events = call.finish(6);
    let end =
        events.iter().position(|event| event["kind"] == "consent.changed" && event["data"]["erased"] == true);
    assert!(events.iter().skip(end.unwrap() + 1).all(|event| event["kind"] != "cue.shown"));
}

/// The button that they pressed is gone with the cue; the keyboard goes on from where it was, not from the top.
#[test]
fn whoever_dismisses_a_cue_by_keyboard_keeps_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.db");
    let mut call = start(folder.path());
    call.answered();
    let id = id(&call);
    call.sidetone.command(&["tell", &id, "agent", "2001"]);
    let ada = agent("2001", &file);
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    until("a cue", || told(&call, "cue.shown").first().cloned());
    let mut seat = Seat::new(&call);
    seat.sign_in(&ada);
    seat.chromium.shows("Hear them");
    seat.chromium.value("document.getElementById('cue-dismissed').focus()");
    seat.chromium.press("Enter");
    seat.chromium.shows("Nothing to point out just now.");
    let within = "document.getElementById('live').contains(document.activeElement)";
    assert_eq!(seat.chromium.value(within), true);
    drop(seat);
    call.caller.open_gate();
    call.finish(6);
}

#[test]
fn a_cue_that_is_shown_at_the_end_ends_with_the_call() {
    let folder = tempfile::tempdir().unwrap();
    let mut call = start(folder.path());
    call.answered();
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    until("a cue", || told(&call, "cue.shown").first().cloned());
    call.caller.open_gate();
    let told = call.finish(6);
    let cleared: Vec<&Value> = told.iter().filter(|event| event["kind"] == "cue.cleared").collect();
    assert_eq!(cleared.len(), 1, "{cleared:?}");
    assert_eq!(cleared[0]["data"]["why"], "ended", "nobody has objected");
    assert_eq!(told.last().unwrap()["kind"], "call.ended");
}
