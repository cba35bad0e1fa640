//! An agent plays a recorded call on their desk, and nothing of it is left: in a real browser.

use std::time::Duration;

use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Setup, Sidetone};
use sidetone_scenarios::{until, until_within};

use crate::browser::Seat;
use crate::stored::{Browser, agent, store, token};

fn start(net: &Net, folder: &std::path::Path) -> Sidetone {
    let mut setup = Setup::usual(net);
    let (spool, store) = (folder.join("spool.db"), folder.join("store.db"));
    setup.more = format!("[spool]\npath = {spool:?}\n[store]\npath = {store:?}\n");
    Sidetone::start(net, &setup)
}

#[test]
fn an_agent_practises_with_a_recorded_call_and_leaves_no_trace() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("store.db");
    let mut sidetone = start(&net, folder.path());
    let (ada, (supervisor, _)) = (agent("2001", &file), token("supervisor", &file));
    let at = net.at(host::SIDETONE, 9464);
    let (operator, _) = token("operator", &file);
    let tables = ["calls", "events", "affect", "outcomes", "surveys", "notes", "days"];
    let kept = || tables.map(|table| store(&["export", table], &file));
    let before = kept();

    let mut seat = Seat::at(at);
    seat.sign_in(&ada);
    seat.chromium.follow("#to-practice");
    seat.chromium.shows("as if it were yours");
    seat.chromium.follow("#start-late");
    assert_eq!(seat.chromium.path(), "/desk/practice/call");
    // The caller of this stretch is upset from the first word.
    seat.chromium.shows("Acknowledge first");
    seat.chromium.value("window.before = true");
    seat.chromium.click("#cue-acknowledged");
    seat.chromium.shows("Seen");
    // The sound is there, of its whole length, and goes on where the call is.
    until("the sound", || {
        let length = seat.chromium.value("document.querySelector('audio').duration");
        length.as_f64().filter(|length| *length > 40.0)
    });
    let place =
        "document.querySelector('audio').currentTime = 20; document.querySelector('audio').currentTime";
    assert_eq!(seat.chromium.value(place), 20.0);
    {
        let mut other = Seat::at(at);
        other.sign_in(&supervisor);
        other.chromium.shows("No call is up");
        other.open("/desk/practice/call");
        other.chromium.shows("This is not yours to see");
    }
    assert_eq!(sidetone.metric("sidetone_cues_total"), 0.0);
    // A cue that is taken away is gone at once, by the stream.
    seat.chromium.click("#cue-dismissed");
    until("the cue to go", || (!seat.chromium.text().contains("Acknowledge first")).then_some(()));
    until_within(Duration::from_secs(120), "the call's end", || {
        seat.chromium.text().contains("The recorded call is over").then_some(())
    });
    seat.chromium.shows("taken away after");
    seat.chromium.shows("Frustration");
    assert_eq!(seat.chromium.value("window.before"), true, "the page was not loaded again");
    assert_eq!(seat.chromium.complaints(), [] as [String; 0]);
    seat.chromium.follow("#live a.button");
    seat.chromium.follow("#start-hold");
    // It is heard first, and begins by itself.
    seat.chromium.shows("Stop");
    seat.chromium.follow("#practice-stop");
    assert_eq!(seat.chromium.path(), "/desk/practice");
    drop(seat);

    assert_eq!(sidetone.events(), [] as [serde_json::Value; 0]);
    assert_eq!(kept(), before, "the store has nothing that it had not before");
    {
        let mut browser = Browser::of(&sidetone);
        browser.sign_in(&operator, "/compliance");
        assert!(browser.get("/compliance").text.contains("Nobody has looked at a call yet."));
    }
    sidetone.stop();
    let log = sidetone.process().output();
    assert!(!log.contains("practice") && !log.contains("2001"), "{log}");
}

#[test]
fn without_script_it_plays_too() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("store.db");
    let mut sidetone = start(&net, folder.path());
    let ada = agent("2001", &file);
    let mut browser = Browser::of(&sidetone);
    browser.sign_in(&ada, "/desk");
    assert_eq!(browser.get("/desk/practice/call").header("location"), Some("/desk/practice"));
    assert_eq!(browser.get("/desk/practice/part").status, 404);
    let csrf = browser.get("/desk/practice").csrf();
    let home = "http://sidetone";
    assert_eq!(browser.post("/desk/practice", home, "csrf=other&call=whole").status, 403);
    assert_eq!(browser.post("/desk/practice", home, &format!("csrf={csrf}&call=none")).status, 404);
    assert_eq!(browser.post("/desk/practice", home, &format!("csrf={csrf}&call=whole")).status, 303);
    let page = until("the recorded call", || {
        let page = browser.get("/desk/practice/call");
        assert!(page.status == 200 && (page.text.contains(".wav") || page.header("refresh") == Some("1")));
        page.text.contains(".wav").then_some(page.text)
    });
    assert!(page.contains("http-equiv=\"refresh\"") && page.contains("/desk/practice/whole.wav"), "{page}");
    assert_eq!(browser.get("/desk/practice/..%2fwhole.wav").status, 404);
    assert_eq!(browser.post("/desk/practice/stop", home, &format!("csrf={csrf}")).status, 303);
    assert_eq!(browser.get("/desk/practice/part").status, 404);
    drop(browser);
    sidetone.stop();
}
