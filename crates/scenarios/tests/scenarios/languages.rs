//! A third language of the pages is one more file, and nothing else.

use std::process::Command;

use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Setup, Sidetone, binary};

use crate::browser::Seat;
use crate::stored::{Browser, token};

/// What `sidetone texts` prints, with some of it in French.
fn french() -> String {
    let output = Command::new(binary()).arg("texts").output().unwrap();
    assert!(output.status.success());
    let mut file = String::from_utf8(output.stdout).unwrap();
    for (english, french) in [
        ("code = \"en\"", "code = \"fr\""),
        ("language_name = \"English\"", "language_name = \"Français\""),
        ("decimal = \".\"", "decimal = \",\""),
        ("live = \"Live\"", "live = \"En direct\""),
        ("calls = \"Calls\"", "calls = \"Appels\""),
        ("sign_in = \"Sign in\"", "sign_in = \"Se connecter\""),
        ("no_calls = \"No call yet\"", "no_calls = \"Pas encore d'appel\""),
    ] {
        assert!(file.contains(english), "{english}:\n{file}");
        file = file.replacen(english, french, 1);
    }
    file
}

#[test]
fn a_third_language_is_one_more_file() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("fr.toml");
    std::fs::write(&file, french()).unwrap();
    let (spool, store) = (folder.path().join("spool.db"), folder.path().join("store.db"));
    let mut setup = Setup::usual(&net);
    setup.http = format!("languages = [{file:?}]\n");
    setup.more = format!("[spool]\npath = {spool:?}\n[store]\npath = {store:?}\n");
    let mut sidetone = Sidetone::start(&net, &setup);
    let supervisor = token("supervisor", &store).0;
    {
        let mut browser = Browser::of(&sidetone);
        // Who asks for none of it gets what they had before.
        assert!(browser.get("/sign-in?lang=de").text.contains("hreflang=\"fr\""));
        browser.sign_in(&supervisor, "/calls");
        let page = browser.get("/calls?lang=fr").text;
        for part in
            ["<html lang=\"fr\" dir=\"ltr\">", "En direct", "Appels", "Pas encore d'appel", "Français"]
        {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
    // A browser that prefers it gets it, as any other.
    let mut seat = Seat::at(net.at(host::SIDETONE, 9464));
    seat.open("/sign-in?lang=fr");
    seat.chromium.fill("#token", &supervisor);
    seat.chromium.follow("form button[type=submit]");
    seat.chromium.shows("En direct");
    assert_eq!(seat.chromium.value("document.documentElement.lang"), "fr");
    assert_eq!(seat.chromium.barriers(), [] as [String; 0]);
    assert_eq!(seat.chromium.complaints(), [] as [String; 0]);
    drop(seat);
    sidetone.stop();
}

/// Some of it in Arabic, with the forms that Arabic has for counts.
fn arabic() -> String {
    let mut file = french();
    for (from, to) in [
        ("code = \"fr\"", "code = \"ar\""),
        ("language_name = \"Français\"", "language_name = \"العربية\""),
        ("live = \"En direct\"", "live = \"مباشر\""),
        ("writing = \"ltr\"", "writing = \"rtl\""),
        (
            "plural = \"one: i = 1 and v = 0\"",
            "plural = \"zero: n = 0; one: n = 1; two: n = 2; few: n % 100 = 3..10; many: n % 100 = 11..99\"",
        ),
    ] {
        assert!(file.contains(from), "{from}");
        file = file.replacen(from, to, 1);
    }
    let forms = "up = \"لا مكالمات | مكالمة واحدة | مكالمتان | {} مكالمات | {} مكالمة | {} مكالمة\"";
    // What else is counted is shown in English.
    let line = |line: &str| match line.split_once(" = ") {
        Some((name, text)) if text.contains(" | ") => {
            if name == "up" {
                forms.to_owned()
            } else {
                String::new()
            }
        }
        _ => line.to_owned(),
    };
    file.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_language_from_right_to_left_is_turned_around() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("ar.toml");
    std::fs::write(&file, arabic()).unwrap();
    let (spool, store) = (folder.path().join("spool.db"), folder.path().join("store.db"));
    let mut setup = Setup::usual(&net);
    setup.http = format!("languages = [{file:?}]\n");
    setup.more = format!("[spool]\npath = {spool:?}\n[store]\npath = {store:?}\n");
    let mut sidetone = Sidetone::start(&net, &setup);
    let supervisor = token("supervisor", &store).0;
    let mut seat = Seat::at(net.at(host::SIDETONE, 9464));
    seat.sign_in(&supervisor);
    // From right to left the name comes first on the right, and the navigation to the left of it.
    let order = "document.querySelector('.brand').getBoundingClientRect().x
        - document.querySelector('.top nav').getBoundingClientRect().x > 0";
    for (language, turned) in [("en", false), ("ar", true)] {
        seat.open(&format!("/live?lang={language}"));
        assert_eq!(seat.chromium.value(order), turned, "{language}");
    }
    assert_eq!(seat.chromium.value("document.documentElement.dir"), "rtl");
    seat.chromium.shows("لا مكالمات");
    for path in ["/live", "/calls", "/figures"] {
        for (width, height) in [(1280, 800), (390, 844)] {
            seat.chromium.look(width, height, "light");
            seat.open(&format!("{path}?lang=ar"));
            assert!(!seat.chromium.overflows(), "{path} is wider than {width}");
            assert_eq!(seat.chromium.barriers(), [] as [String; 0]);
        }
    }
    assert_eq!(seat.chromium.complaints(), [] as [String; 0]);
    drop(seat);
    sidetone.stop();
}

#[test]
fn a_file_with_a_fault_is_told_with_its_line_before_a_start() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("fr.toml");
    let mut setup = Setup::usual(&net);
    setup.http = format!("languages = [{file:?}]\n");
    let config = setup.written(&net, folder.path());
    let check = || {
        let output = Command::new(binary()).arg("check").arg("--elsewhere").arg(&config).output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    for (text, told) in [
        (
            french().replacen("live = \"En direct\"", "live = \"<b>En direct</b>\"", 1),
            "fr.toml, line 18: `pages.live` must have no `<`",
        ),
        (french().replacen("live = ", "life = ", 1), "no page has a text `pages.life`"),
        (String::from("[pages]\n"), "`pages.code` is missing"),
    ] {
        std::fs::write(&file, text).unwrap();
        let (usable, said) = check();
        assert!(!usable && said.contains("http.languages") && said.contains(told), "{said}");
    }
    // What is left out is shown in English, which is worth a warning.
    std::fs::write(&file, french().replacen("live = \"En direct\"\n", "", 1)).unwrap();
    let (usable, said) = check();
    assert!(usable && said.contains("lacks 1 texts") && said.contains("pages.live"), "{said}");
}
