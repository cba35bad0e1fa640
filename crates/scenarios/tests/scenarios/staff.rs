//! Those who run the service and answer for it, and people who sign in by a password.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use sidetone_scenarios::net::Net;
use sidetone_scenarios::sidetone::binary;
use sidetone_scenarios::until;

use crate::stored::{Browser, start, token};

/// Runs `sidetone user …` on a store, with a line of standard input; whether it succeeded, and what it printed.
fn user(arguments: &[&str], store: &Path, line: &str) -> (bool, String) {
    let mut command = Command::new(binary())
        .arg("user")
        .args(arguments)
        .args(["--store".as_ref(), store.as_os_str()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(command.stdin.take().unwrap(), "{line}").unwrap_or_default();
    let output = command.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn an_operator_sees_the_service_a_director_what_can_be_proved_and_neither_a_call() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("store.db");
    let mut call = start(net, folder.path());
    call.answered();
    let id = call.sidetone.events()[0]["call"]["id"].as_str().unwrap().to_owned();
    let one = format!("/calls/{id}");
    let roles = ["supervisor", "director", "operator"].map(|role| token(role, &file).0);
    let [supervisor, director, operator] = roles;
    {
        let mut browser = Browser::new(&call);
        for path in ["/operations", "/operations/state", "/compliance", "/compliance/report"] {
            assert_eq!(browser.get(path).status, 303, "{path}");
        }
        browser.sign_in(&operator, "/");
        assert_eq!(browser.get("/live").header("location"), Some("/operations"));
        let page = until("the call to be counted", || {
            let page = browser.get("/operations");
            page.text.contains("Ready for calls").then_some(page)
        });
        for told in [
            "sidetone_sessions",
            "no condition of the alert rules holds",
            "sidetone-",
            "No link is configured",
        ] {
            assert!(page.text.contains(told), "{told}: {}", page.text);
        }
        // Each name beside a figure is one that Prometheus gets; hosts and links have none where there are none.
        let (_, metrics) = call.sidetone.get("/metrics").unwrap();
        let names: Vec<&str> = page
            .text
            .split("class=\"metric\">")
            .skip(1)
            .filter_map(|rest| rest.split(['<', '{']).next())
            .filter(|name| name.starts_with("sidetone_"))
            .collect();
        assert!(names.len() > 25, "{names:?}");
        for name in names {
            let here = metrics.contains(&format!("# TYPE {name} "));
            assert!(here || ["sidetone_peer_up", "sidetone_link_up"].contains(&name), "{name}");
        }
        let part = browser.get("/operations/state").text;
        assert!(part.contains("/readyz") && !part.contains("<html"), "{part}");
        call.sidetone.command(&["drain"]);
        let part = browser.get("/operations/state").text;
        assert!(part.contains("Not ready for new calls") && part.contains("Draining"), "{part}");
        for path in ["/calls", &one, "/live/wall", "/live/changes", "/figures", "/figures.csv"] {
            let page = browser.get(path);
            assert!(page.status == 403 && !page.text.contains("carrier"), "{path}");
        }
    }
    {
        let mut browser = Browser::new(&call);
        browser.sign_in(&supervisor, "/");
        until("the call in the store", || (browser.get(&one).status == 200).then_some(()));
        for path in ["/operations", "/operations/state", "/compliance", "/compliance/report"] {
            assert_eq!(browser.get(path).status, 403, "{path}");
        }
    }
    let mut browser = Browser::new(&call);
    browser.sign_in(&director, "/");
    let page = browser.get("/compliance").text;
    for told in
        ["opened a call", &id, "No receipts are kept", "given-upstream", "no list", "/compliance/report"]
    {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert_eq!(browser.get("/operations").status, 403);
    let report = browser.get("/compliance/report");
    assert!(report.status == 200 && report.text.contains("Compliance report"), "{}", report.text);
    assert!(report.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    assert_eq!(browser.get("/compliance?after=nonsense").status, 200);
    assert!(browser.get("/compliance?after=1-0").text.contains("There are no older ones."));
    call.caller.open_gate();
    call.finish(6);
}

#[test]
fn people_sign_in_by_name_and_password_and_nobody_tries_without_end() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("store.db");
    let mut call = start(net, folder.path());
    call.answered();
    let add = |name: &str, password: &str| {
        user(&["add", name, "--role", "supervisor", "--password-stdin"], &file, password)
    };
    assert!(!add("Maria Keller", "short").0);
    let (added, said) = add("Maria Keller", "four words are enough");
    assert!(added && !said.contains("four words"), "{said}");
    let (again, said) = add("MARIA keller", "four words are enough");
    assert!(!again && said.contains("already"), "{said}");
    let (made, said) = user(&["add", "otto", "--role", "operator"], &file, "");
    let password = said.lines().next().unwrap();
    assert!(made && password.len() == 23, "{said}");
    let (_, tokens) =
        (0, Command::new(binary()).args(["token", "list", "--store"]).arg(&file).output().unwrap());
    assert!(!String::from_utf8_lossy(&tokens.stdout).contains("Maria"), "a person has no token to be used");

    let form = |name: &str, password: &str| format!("name={name}&password={password}&next=/live");
    let mut browser = Browser::new(&call);
    let gate = browser.get("/sign-in").text;
    assert!(gate.contains("name=\"password\"") && gate.contains("name=\"token\""), "{gate}");
    let here = "http://sidetone";
    let elsewhere = browser.post("/sign-in", "http://evil.example", &form("otto", password));
    assert_eq!(elsewhere.status, 403);
    let led = browser.post("/sign-in", here, &form("otto", password));
    assert_eq!((led.status, led.header("location")), (303, Some("/live")), "{}", led.text);
    let cookie = led.header("set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    assert!(browser.get("/operations").text.contains("otto"));
    // As many tries as the limit allows; then even the right password has to wait, and another name need not.
    let mut guesser = Browser::new(&call);
    for _ in 0..5 {
        let wrong = guesser.post("/sign-in", here, &form("maria+keller", "four+words"));
        assert!(wrong.status == 401 && wrong.text.contains("Nobody has this name and password"));
    }
    let right = form("Maria+Keller", "four+words+are+enough");
    let late = guesser.post("/sign-in", here, &right);
    assert_eq!(late.status, 429, "{}", late.text);
    assert!(late.header("retry-after").unwrap().parse::<u32>().unwrap() <= 30 && guesser.cookie.is_empty());
    assert_eq!(guesser.post("/sign-in", here, &form("nobody", "four+words")).status, 401);

    let (changed, _) = user(&["password", "Otto", "--password-stdin"], &file, "another four words");
    assert!(changed && browser.get("/operations").status == 303, "the session has ended");
    assert_eq!(browser.post("/sign-in", here, &form("otto", password)).status, 401);
    assert_eq!(browser.post("/sign-in", here, &form("otto", "another+four+words")).status, 303);
    assert!(user(&["disable", "otto"], &file, "").0 && browser.get("/operations").status == 303);
    assert_eq!(browser.post("/sign-in", here, &form("otto", "another+four+words")).status, 401);
    let (listed, people) = user(&["list"], &file, "");
    assert!(listed && people.contains("disabled") && people.contains("Maria Keller"), "{people}");
    call.caller.open_gate();
    call.finish(6);
}
