//! Callers say how a call was: by a link, in a browser; and by a key, to a real Asterisk.

use std::process::Command;

use serde_json::{Value, json};
use sidetone_scenarios::asterisk::Asterisk;
use sidetone_scenarios::baresip::{Baresip, Codec};
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Setup, Sidetone, binary};
use sidetone_scenarios::{repository, until};

use crate::browser::Seat;
use crate::stored::{Browser, ask, send, start, token};

#[test]
fn a_caller_answers_by_a_link_without_a_sign_in() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("store.db");
    let mut call = start(net, folder.path());
    call.answered();
    let id = call.first_event()["call"]["id"].as_str().unwrap().to_owned();
    let ((crm, _), (supervisor, _)) = (token("integration", &file), token("supervisor", &file));
    let one = format!("/api/v1/calls/{id}");
    until("the call in the store", || (ask(&call, &one, &supervisor).0 == 200).then_some(()));
    let link = format!("{one}/survey/link");
    let (status, made) = send(&call, "POST", &link, &crm, &json!(null));
    assert_eq!(status, 201, "{made}");
    let path = made["path"].as_str().unwrap();
    assert_eq!(send(&call, "POST", &link, &supervisor, &json!(null)).0, 403);

    let mut seat = Seat::new(&call);
    seat.open(&format!("{path}?lang=en"));
    seat.chromium.shows("Did you feel understood?");
    assert_eq!(seat.chromium.barriers(), [] as [String; 0]);
    for (width, height) in [(390, 844), (1280, 800)] {
        seat.chromium.look(width, height, "dark");
        assert!(!seat.chromium.overflows(), "{width}");
    }
    // Nothing is answered yet.
    seat.chromium.follow("form button[type=submit]");
    seat.chromium.shows("Nothing is answered yet");
    seat.chromium.click("input[name=empathy][value='4'] + span");
    seat.chromium.fill("#comment", "<img src=x onerror=alert(1)> patient \u{202e}and kind");
    seat.chromium.follow("form button[type=submit]");
    seat.chromium.shows("Thank you!");
    seat.open(path);
    seat.chromium.shows("You have answered already");
    assert_eq!(seat.chromium.complaints(), [] as [String; 0]);
    let (_, seen) = ask(&call, &one, &supervisor);
    assert_eq!(
        (&seen["survey"]["empathy"], &seen["survey"]["resolved"]),
        (&4.into(), &Value::Null),
        "{seen}"
    );

    // A supervisor reads it as text, and a link that there is not tells nothing.
    seat.sign_in(&supervisor);
    seat.open(&format!("/calls/{id}"));
    seat.chromium.shows("patient");
    assert_eq!(seat.chromium.value("document.querySelectorAll('main img').length"), 0);
    assert_eq!(seat.chromium.complaints(), [] as [String; 0]);
    let mut browser = Browser::new(&call);
    for wrong in ["/survey/0".to_owned(), format!("/survey/{}", "0".repeat(64)), format!("{path}0")] {
        let page = browser.get(&wrong);
        assert!(page.status == 404 && !page.text.contains(&id), "{wrong}");
        assert_eq!(browser.post(&wrong, "http://elsewhere", "empathy=5").status, 404);
    }
    assert_eq!(browser.get(path).header("x-frame-options"), Some("DENY"));
    drop(browser);
    drop(seat);
    call.caller.open_gate();
    call.finish(6);
}

/// The shipped recipe: the caller presses a key, and Asterisk posts it.
#[test]
fn asterisk_asks_by_key_and_posts_the_score() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let (spool, file) = (folder.path().join("spool.db"), folder.path().join("store.db"));
    let mut setup = Setup::for_softphones(&net);
    setup.more = format!("[spool]\npath = {spool:?}\n[store]\npath = {file:?}\n");
    let sidetone = Sidetone::start(&net, &setup);
    let (crm, _) = token("integration", &file);
    let recipe = std::fs::read_to_string(repository().join("deploy/asterisk/survey.conf")).unwrap();
    let api = format!("http://{}/api/v1", net.at(host::SIDETONE, 9464));
    let dialplan = format!(
        "[globals](+)\nSIDETONE_API = {api}\nSIDETONE_TOKEN = {crm}\nSIDETONE_QUESTION = silence/5\n\
         [trying-out](+)\nexten => 611,1,Answer()\n same => n,Gosub(sidetone-survey,s,1)\n same => n,Hangup()\n{recipe}"
    );
    let more = ["res_curl", "func_curl", "func_uri", "func_strings", "app_read", "func_logic"];
    let asterisk = Asterisk::start_with(net.v4(host::PBX), sidetone.sip(), &dialplan, |etc, _| {
        let path = etc.join("modules.conf");
        let mut modules = std::fs::read_to_string(&path).unwrap();
        for module in more {
            if !modules.contains(&format!("{module}.so")) {
                modules.push_str(&format!("load = {module}.so\n"));
            }
        }
        std::fs::write(path, modules).unwrap();
    });
    let ada = net.v4(host::TRUNK);
    let mut phone = Baresip::start(ada, &format!("+15550100@{ada}"), ";regint=0", Codec::Pcmu, 1.0);
    phone.command("dial", &format!("sip:611@{}", sidetone.sip()));
    phone.wait_event("CALL_ESTABLISHED");
    until("the question", || asterisk.output().contains("Read").then_some(()));
    phone.command("sndcode", "5");
    let surveys = || -> Vec<String> {
        let output = Command::new(binary())
            .args(["store", "export", "surveys", "--store"])
            .arg(&file)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().lines().skip(1).map(str::to_owned).collect()
    };
    let kept = until("the survey in the store", || surveys().first().cloned());
    assert!(kept.split(',').any(|field| field == "5"), "{kept}");
    drop(phone);
    drop(asterisk);
    drop(sidetone);
}
