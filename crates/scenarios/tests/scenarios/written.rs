//! An agent has a mail or a chat read on their desk; nothing of it is kept.

use serde_json::json;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Setup, Sidetone};

use crate::browser::Seat;
use crate::stored::{Browser, agent, store, token};

const CHAT: &str = "Tom: I hate this stupid day.\n\
                    Eva: I want to cancel my contract.\n\
                    Tom: Sure?\n\
                    Eva: This is the third time I write. My card is 4111 1111 1111 1111.";

fn start(net: &Net, folder: &std::path::Path) -> Sidetone {
    let mut setup = Setup::usual(net);
    let (spool, store) = (folder.join("spool.db"), folder.join("store.db"));
    setup.more = format!("[spool]\npath = {spool:?}\n[store]\npath = {store:?}\n");
    Sidetone::start(net, &setup)
}

#[test]
fn a_chat_is_read_in_the_browser_once_its_customer_is_known() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("store.db");
    let mut sidetone = start(&net, folder.path());
    let ada = agent("2001", &file);
    let mut seat = Seat::at(net.at(host::SIDETONE, 9464));
    seat.sign_in(&ada);
    seat.chromium.follow("#to-written");
    seat.chromium.click("#kind-chat");
    seat.chromium.fill("#text", CHAT);
    seat.chromium.follow("#read");
    // Who of the two is the customer is asked and not guessed.
    seat.chromium.shows("Who of these is the customer?");
    seat.chromium.follow("button[value=Eva]");
    // To have written before weighs more than to want to cancel.
    seat.chromium.shows("stay with it until it is solved");
    seat.chromium.shows("wants to cancel");
    seat.chromium.shows("Messages of others, not read: 2.");
    let rows = "document.querySelectorAll('#content tbody tr').length";
    assert_eq!(seat.chromium.value(rows), 2, "the customer's two messages");
    assert!(!seat.chromium.overflows());
    assert_eq!(seat.chromium.complaints(), [] as [String; 0]);
    drop(seat);
    assert!(!store(&["export", "events"], &file).contains("cancel"));
    sidetone.stop();
    let log = sidetone.process().output();
    assert!(!log.contains("4111") && !log.contains("cancel my"), "{log}");
}

#[test]
fn a_mail_is_read_without_script_and_by_an_agents_own_token() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("store.db");
    let mut sidetone = start(&net, folder.path());
    let (ada, (supervisor, _)) = (agent("2001", &file), token("supervisor", &file));
    let home = "http://sidetone";
    {
        let mut browser = Browser::of(&sidetone);
        browser.sign_in(&ada, "/desk");
        let csrf = browser.get("/desk/written").csrf();
        let mail =
            "My+father+has+passed+away+and+I+need+to+close+his+account.%0A%0A%3E+Thank+you+for+your+order";
        assert_eq!(
            browser.post("/desk/written", home, &format!("csrf=other&kind=mail&text={mail}")).status,
            403
        );
        let page = browser.post("/desk/written", home, &format!("csrf={csrf}&kind=mail&text={mail}"));
        assert_eq!(page.status, 200, "{}", page.text);
        assert!(page.text.contains("Condolence before anything else"), "{}", page.text);
        assert_eq!(browser.post("/desk/written", home, &format!("csrf={csrf}&kind=mail&text=+")).status, 422);
        assert_eq!(browser.post("/desk/written", home, &format!("csrf={csrf}&kind=mail")).status, 422);
        let page = browser.post("/desk/written?lang=de", home, &format!("csrf={csrf}&kind=mail&text={mail}"));
        assert!(page.text.contains("Zuerst Anteilnahme"), "{}", page.text);
        let mut browser = Browser::of(&sidetone);
        browser.sign_in(&supervisor, "/live");
        assert_eq!(browser.get("/desk/written").status, 403);
    }
    // What a panel of a CRM asks for the agent who uses it.
    let asked = json!({ "messages": [{ "id": "7", "text": "I want to cancel my contract." }] });
    let (status, answer) = sidetone.post("/api/v1/text", &ada, &asked).unwrap();
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((status, &answer["suggestion"]["cue"]), (200, &"ask-what-led-to-it".into()), "{answer}");
    assert_eq!(
        answer["suggestion"]["others"]["de"]["line"].as_str().map(|it| it.contains("Erst fragen")),
        Some(true)
    );
    sidetone.stop();
}
