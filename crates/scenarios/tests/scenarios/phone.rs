//! `sidetone demo --browser`, as somebody uses it: Chromium opens the page and calls with JsSIP by WebSocket and
//! DTLS-SRTP. Its microphone is a file with emotional speech.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use sidetone_scenarios::chromium::Chromium;
use sidetone_scenarios::demo::PhoneDemo;
use sidetone_scenarios::sidetone::of_kind;
use sidetone_scenarios::{repository, until, until_within};

/// Speech needs its time: the notice, then an alert's evidence.
const PATIENCE: Duration = Duration::from_secs(120);
/// Trust any certificate: that the demo's own is the right one is not what this is about.
const TRUSTING: &str = "--ignore-certificate-errors";
const ALLOWED: &str = "--use-fake-ui-for-media-stream";

/// A browser whose microphone hears the angry part of the demo's caller, over and over.
fn browser(demo: &PhoneDemo, more: &[&str]) -> Chromium {
    let file = demo.folder().join("microphone.wav");
    if !file.exists() {
        let mut reader = hound::WavReader::open(repository().join("demo/caller.wav")).unwrap();
        let mut writer = hound::WavWriter::create(&file, reader.spec()).unwrap();
        for sample in reader.samples::<i16>().skip(24 * 8_000).take(20 * 8_000) {
            writer.write_sample(sample.unwrap()).unwrap();
        }
        writer.finalize().unwrap();
    }
    let capture = format!("--use-file-for-fake-audio-capture={}", file.display());
    let mut arguments =
        vec!["--use-fake-device-for-media-stream", "--autoplay-policy=no-user-gesture-required", &capture];
    arguments.extend(more);
    Chromium::start_with(&arguments)
}

fn open(chromium: &mut Chromium, phone: SocketAddr, language: &str) {
    chromium.open(&format!("http://{phone}/?lang={language}"));
}

fn text(chromium: &mut Chromium, selector: &str) -> String {
    let text = chromium.value(&format!("document.querySelector('{selector}').textContent"));
    text.as_str().unwrap_or_default().to_owned()
}

/// Waits for an event of a kind.
fn told(demo: &PhoneDemo, kind: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    until_within(PATIENCE, kind, || {
        demo.events().into_iter().find(|event| event["kind"] == kind && is_it(&event["data"]))
    })["data"]
        .clone()
}

#[test]
fn a_browser_calls_by_wss_and_dtls_and_is_heard() {
    let demo = PhoneDemo::start(false);
    let mut chromium = browser(&demo, &[TRUSTING, ALLOWED]);
    open(&mut chromium, demo.phone, "en");
    chromium.shows("Ready to call");
    assert_eq!(text(&mut chromium, "#fact-signalling"), "WebSocket over TLS (wss)");
    assert_eq!(chromium.value("document.getElementById('phone-plain').hidden"), true);
    chromium.click("#phone-call");
    chromium.shows("In a call");

    let started = told(&demo, "call.started", |_| true);
    assert_eq!((&started["analysed"], &started["signalling"]["transport"]), (&false.into(), &"wss".into()));
    let tls = &started["signalling"]["tls"];
    assert_eq!(tls["version"], "1.3", "{tls}");
    assert!(tls["cipher"].as_str().unwrap().starts_with("TLS_"), "{tls}");
    let answered = told(&demo, "call.answered", |_| true);
    assert_eq!(answered["signalling"], serde_json::json!({ "transport": "udp", "tls": null }));
    let secured = told(&demo, "call.secured", |_| true);
    assert_eq!((&secured["leg"], &secured["security"]), (&"customer".into(), &"dtls".into()));
    told(&demo, "announcement", |data| data["phase"] == "finished" && data["toward"] == "customer");
    told(&demo, "consent.changed", |data| data["state"] == "given");
    told(&demo, "affect.update", |_| true);
    told(&demo, "affect.alert", |data| data["phase"] == "rising");
    until("the browser to hear the agent, and to tell how", || {
        let heard = chromium.value(
            "document.getElementById('fact-packets').textContent.match(/\\d+/g)?.every(it => it > 50)",
        );
        (heard == true).then_some(())
    });
    assert!(text(&mut chromium, "#fact-media").starts_with("DTLS 1."), "{}", chromium.text());
    assert_eq!(text(&mut chromium, "#fact-codec"), "opus");
    assert_eq!(chromium.value("document.getElementById('phone-sound').srcObject.active"), true);

    chromium.click("#phone-mute");
    chromium.shows("muted: nobody hears you");
    assert_eq!(chromium.value("document.getElementById('phone-mute').ariaPressed"), "true");
    chromium.click("#phone-hangup");
    chromium.shows("The call is over");
    let ended = told(&demo, "call.ended", |_| true);
    assert_eq!((&ended["cause"], &ended["by"]), (&"hangup".into(), &"customer".into()), "{ended}");
    assert_eq!(chromium.complaints(), [] as [String; 0]);

    // And once more: nothing of the first call is in the way.
    chromium.click("#phone-call");
    chromium.shows("In a call");
    until("a second call", || (of_kind(&demo.events(), "call.answered").len() == 2).then_some(()));
    // Who closes the page hangs up.
    chromium.open("about:blank");
    until("its end", || (of_kind(&demo.events(), "call.ended").len() == 2).then_some(()));
    assert_eq!(demo.stop()["calls"], 2);
}

#[test]
fn a_key_of_the_page_objects() {
    let demo = PhoneDemo::start(false);
    let mut chromium = browser(&demo, &[TRUSTING, ALLOWED]);
    open(&mut chromium, demo.phone, "en");
    chromium.shows("Ready to call");
    chromium.click("#phone-call");
    chromium.shows("In a call");
    told(&demo, "affect.update", |_| true);
    chromium.click("[data-key='9']");
    chromium.shows("Key pressed: 9");
    let objected = told(&demo, "consent.changed", |data| data["state"] == "opted-out");
    assert_eq!((&objected["by"], &objected["erased"]), (&"digit".into(), &true.into()), "{objected}");
    chromium.click("#phone-hangup");
    let ended = told(&demo, "call.ended", |_| true);
    assert_eq!(ended["summary"]["analysis"]["erased"], true, "{ended}");
    demo.stop();
}

#[test]
fn a_browser_that_knows_no_certificate_falls_back_and_says_so() {
    let demo = PhoneDemo::start(false);
    let mut chromium = browser(&demo, &[ALLOWED]);
    open(&mut chromium, demo.phone, "en");
    chromium.shows("Ready to call");
    chromium.shows("Signalling is not encrypted.");
    assert_eq!(text(&mut chromium, "#fact-signalling"), "WebSocket without TLS (ws)");
    // By keyboard alone, from the first to the last.
    chromium.value("document.getElementById('phone-call').focus()");
    chromium.press("Enter");
    chromium.shows("In a call");
    assert_eq!(chromium.value("document.activeElement.id"), "phone-hangup");
    assert_eq!(told(&demo, "call.started", |_| true)["signalling"]["transport"], "ws");
    assert_eq!(told(&demo, "call.secured", |_| true)["security"], "dtls");
    chromium.press("Enter");
    chromium.shows("The call is over");
    assert_eq!(chromium.value("document.activeElement.id"), "phone-call");
    told(&demo, "call.ended", |data| data["cause"] == "hangup");
    demo.stop();
}

#[test]
fn what_is_in_the_way_is_said_in_plain_words() {
    let demo = PhoneDemo::start(false);
    let mut refusing = browser(&demo, &["--deny-permission-prompts"]);
    let mut deaf = Chromium::start_with(&[ALLOWED]);
    for (chromium, said) in
        [(&mut refusing, "may not use the microphone"), (&mut deaf, "No microphone was found")]
    {
        open(chromium, demo.phone, "en");
        chromium.shows("Ready to call");
        chromium.click("#phone-call");
        chromium.shows(said);
        assert_eq!(chromium.value("document.getElementById('phone-fault').hidden"), false);
    }
    drop(deaf);
    // Two tabs, one agent.
    let (mut first, mut second) =
        (browser(&demo, &[TRUSTING, ALLOWED]), browser(&demo, &[TRUSTING, ALLOWED]));
    for chromium in [&mut first, &mut second] {
        open(chromium, demo.phone, "de");
        chromium.shows("Bereit zum Anruf");
        chromium.click("#phone-call");
        if chromium.text().contains("Im Gespräch") {
            continue;
        }
        until("an answer or a refusal", || {
            let text = chromium.text();
            (text.contains("Im Gespräch") || text.contains("in einem anderen Gespräch")).then_some(())
        });
    }
    assert!(first.text().contains("Im Gespräch"), "{}", first.text());
    assert!(second.text().contains("Der Agent ist in einem anderen Gespräch"), "{}", second.text());
    // Killed.
    drop(demo);
    first.shows("Die Verbindung zu Sidetone ist abgebrochen");
    second.click("#phone-call");
    second.shows("Sidetone ist nicht zu erreichen");
}

#[test]
fn the_phone_keeps_nobody_out_and_its_call_is_on_the_wall() {
    let demo = PhoneDemo::start(true);
    let (pages, supervisor) = demo.pages.clone().expect("pages");
    let mut chromium = browser(&demo, &[TRUSTING, ALLOWED]);
    let mut found = Vec::new();
    let mut look = |chromium: &mut Chromium, what: &str| {
        for (scheme, (width, height)) in
            [("light", (1280, 800)), ("dark", (390, 844)), ("dark", (1280, 800)), ("light", (390, 844))]
        {
            chromium.look(width, height, scheme);
            let barriers = chromium.barriers();
            found.extend(barriers.into_iter().map(|it| format!("{what}, {scheme}, {width}: {it}")));
            if chromium.overflows() {
                found.push(format!("{what} is wider than {width}"));
            }
        }
        chromium.look(1280, 800, "light");
    };
    for (language, ready) in [("en", "Ready to call"), ("de", "Bereit zum Anruf")] {
        open(&mut chromium, demo.phone, language);
        chromium.shows(ready);
        look(&mut chromium, language);
    }
    // As it looks where no certificate is taken, and after a failure.
    chromium.value("document.getElementById('phone-plain').hidden = false");
    chromium.value("document.getElementById('phone-fault').hidden = false");
    chromium.value("document.getElementById('phone-fault').textContent = 'Nobody has answered.'");
    look(&mut chromium, "all notices");
    open(&mut chromium, demo.phone, "en");
    chromium.shows("Ready to call");
    chromium.click("#phone-call");
    chromium.shows("In a call");
    look(&mut chromium, "in a call");
    assert!(found.is_empty(), "{} findings:\n{}", found.len(), found.join("\n"));

    let mut supervisors = Chromium::start();
    supervisors.open(&format!("http://{pages}/sign-in?lang=en"));
    supervisors.fill("#token", &supervisor);
    supervisors.follow("form button[type=submit]");
    until_within(PATIENCE, "the call on the wall", || supervisors.text().contains("Seems ").then_some(()));
    assert_eq!(chromium.complaints(), [] as [String; 0]);
    // Its own page tells how it travels, and how its media is protected.
    supervisors.follow("#live li.card a");
    supervisors.click("details.technical:last-of-type summary");
    supervisors.shows("wss");
    supervisors.shows("TLS 1.3");
    supervisors.shows("DTLS-SRTP");
    chromium.click("#phone-hangup");
    chromium.shows("The call is over");
    demo.stop();
}
