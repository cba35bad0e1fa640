//! What others may try with the pages: a caller by their name, another site by a frame or a form.

use std::io::{BufRead, BufReader};

use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Setup, Sidetone};
use sidetone_scenarios::sipp::Plan;
use sidetone_scenarios::until;

use crate::browser::Seat;
use crate::stored::{Browser, ask, start, store, token};

/// A part of the name in sip-test-scenarios/hostile-name.
const NAME: &str = "Ada Hostile";

/// A display name is in no event, and so nowhere that is made of events.
#[test]
fn a_callers_display_name_is_on_no_page_in_no_answer_and_in_no_export() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let (spool, file) = (folder.path().join("spool.db"), folder.path().join("store.db"));
    let mut setup = Setup::usual(&net);
    setup.more = format!("[spool]\npath = {spool:?}\n[store]\npath = {file:?}\n");
    let mut uac = Plan::new("hostile-name", "uac", net.at(host::TRUNK, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    let uas = Plan::new("talk", "uas", net.at(host::PBX, 5060));
    let mut call = Call::start_with(net, &setup, uac, uas);
    call.answered();
    let came = call.callee.wait_received("INVITE", 1).bytes;
    assert!(String::from_utf8_lossy(&came).contains(NAME), "the PBX has it as it came");
    let (supervisor, _) = token("supervisor", &file);
    let id = call.first_event()["call"]["id"].as_str().unwrap().to_owned();
    let one = format!("/api/v1/calls/{id}");
    until("the call in the store", || (ask(&call, &one, &supervisor).0 == 200).then_some(()));
    let mut seat = Seat::new(&call);
    seat.sign_in(&supervisor);
    for path in ["/live", "/live?view=list", "/calls", &format!("/calls/{id}")] {
        seat.open(path);
        let whole = seat.chromium.value("document.documentElement.outerHTML");
        assert!(!whole.as_str().unwrap().contains("Hostile"), "{path}");
        assert_eq!(seat.chromium.value("document.images.length"), 0, "{path}");
    }
    assert_eq!(seat.chromium.complaints(), [] as [String; 0]);
    assert!(!ask(&call, &one, &supervisor).1.to_string().contains("Hostile"));
    let shown = call.sidetone.command(&["calls", "--json"]);
    assert!(shown.contains(&id) && !shown.contains("Hostile"), "{shown}");
    call.caller.open_gate();
    let told = call.finish(6);
    assert!(told.iter().all(|event| !event.to_string().contains("Hostile")));
    for table in ["calls", "events"] {
        assert!(!store(&["export", table], &file).contains("Hostile"), "{table}");
    }
}

/// The status of the stream of all events, asked for with these headers.
fn listening(sidetone: &Sidetone, headers: &str) -> String {
    let mut line = String::new();
    let answer = sidetone.open(&format!("GET /events HTTP/1.1\r\n{headers}"));
    BufReader::new(answer).read_line(&mut line).unwrap();
    line.split(' ').nth(1).unwrap().to_owned()
}

/// People reach the port of the pages by a proxy: none of them may follow all calls there.
#[test]
fn events_of_all_calls_are_for_this_machine_or_whoever_has_the_streams_token() {
    let proxies =
        ["X-Forwarded-For: 203.0.113.9\r\n", "Via: 1.1 proxy\r\n", "Forwarded: for=203.0.113.9\r\n"];
    let secret = "a token of the stream's own";
    for token in [None, Some(secret)] {
        let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
        let (spool, file) = (folder.path().join("spool.db"), folder.path().join("store.db"));
        let mut setup = Setup::usual(&net);
        setup.more = format!("[spool]\npath = {spool:?}\n[store]\npath = {file:?}\n");
        if let Some(token) = token {
            setup.more += &format!("[events.stream]\ntoken = {token:?}\n");
        }
        let sidetone = Sidetone::start(&net, &setup);
        assert_eq!(listening(&sidetone, ""), if token.is_some() { "401" } else { "200" });
        for proxy in proxies {
            assert_eq!(listening(&sidetone, proxy), "401", "{proxy}");
            let shown = listening(&sidetone, &format!("{proxy}Authorization: Bearer {secret}\r\n"));
            assert_eq!(shown, if token.is_some() { "200" } else { "401" }, "{proxy}");
        }
        sidetone.finish();
    }
}

/// Whoever has signed in opens a page of somebody else's.
#[test]
fn another_site_can_neither_frame_a_page_nor_post_a_form_to_it() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("store.db");
    let server = format!("http://{}", net.at(host::SIDETONE, 9464));
    let mut call = start(net, folder.path());
    call.answered();
    let id = call.first_event()["call"]["id"].as_str().unwrap().to_owned();
    let (supervisor, _) = token("supervisor", &file);
    let notes = format!("/api/v1/calls/{id}/notes");
    until("the call in the store", || (ask(&call, &notes, &supervisor).0 == 200).then_some(()));
    let mut seat = Seat::new(&call);
    seat.sign_in(&supervisor);
    let mut browser = Browser::new(&call);
    browser.sign_in(&supervisor, "/live");
    for path in ["/live", "/calls", "/sign-in", &format!("/calls/{id}")] {
        let page = browser.get(path);
        assert_eq!(page.header("x-frame-options"), Some("DENY"), "{path}");
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
    }
    drop(browser);
    for (action, fields) in [
        (format!("/calls/{id}/notes"), "<input name=kind value=note><input name=text value=x>"),
        ("/sign-out".to_owned(), ""),
    ] {
        let form = format!(
            "<form method=post action='{server}{action}'><input name=csrf value=x>{fields}<button>Win</button></form>"
        );
        seat.chromium.open(&format!("data:text/html,{form}"));
        seat.chromium.follow("button");
        assert!(seat.chromium.path().starts_with("/sign-in"), "{action}: the cookie came along");
    }
    assert_eq!(ask(&call, &notes, &supervisor).1["notes"], serde_json::json!([]));
    seat.open("/live");
    assert_eq!(seat.chromium.path(), "/live", "still signed in");
    drop(seat);
    call.caller.open_gate();
    call.finish(6);
}
