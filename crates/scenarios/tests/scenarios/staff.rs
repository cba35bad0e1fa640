//! Those who run the service and answer for it, and people who sign in by a password.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

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
    let id = call.first_event()["call"]["id"].as_str().unwrap().to_owned();
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
    // As many tries as are answered at once; then even the right password has to wait for its turn, and is let in.
    let mut guesser = Browser::new(&call);
    for _ in 0..5 {
        let wrong = guesser.post("/sign-in", here, &form("maria+keller", "four+words"));
        assert!(wrong.status == 401 && wrong.text.contains("Nobody has this name and password"));
    }
    let began = Instant::now();
    let right = form("Maria+Keller", "four+words+are+enough");
    assert_eq!(guesser.post("/sign-in", here, &right).status, 303);
    assert!((3..=10).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
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

/// A page that stays open is no way around the end of a session.
#[test]
fn the_walls_stream_ends_soon_after_its_reader_has_signed_out() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("store.db");
    let mut call = start(net, folder.path());
    call.answered();
    let (supervisor, _) = token("supervisor", &file);
    let mut browser = Browser::new(&call);
    until("the sign-in", || (browser.sign_in(&supervisor, "/").status == 303).then_some(()));
    let csrf = browser.get("/live").csrf();
    let mut stream =
        call.sidetone.open(&format!("GET /live/changes HTTP/1.1\r\nCookie: {}\r\n", browser.cookie));
    assert_eq!(browser.post("/sign-out", "http://sidetone", &format!("csrf={csrf}")).status, 303);
    let began = Instant::now();
    std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    assert!(began.elapsed().as_secs() < 12, "{:?}", began.elapsed());
    call.caller.open_gate();
    call.finish(6);
}

/// Filters are one person's; the agent's page may be embedded by nobody who is not configured; a wrong address is told.
#[test]
fn a_filter_is_kept_and_a_wrong_address_is_a_page() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("store.db");
    let mut call = start(net, folder.path());
    call.answered();
    let (supervisor, _) = token("supervisor", &file);
    let mut browser = Browser::new(&call);
    until("the sign-in", || (browser.sign_in(&supervisor, "/").status == 303).then_some(()));
    let here = "http://sidetone";
    let csrf = browser.get("/calls?outcome=upset").csrf();
    let kept = browser.post(
        "/calls/filters",
        here,
        &format!("csrf={csrf}&name=My+upset+%3Ccalls%3E&query=%3Foutcome%3Dupset"),
    );
    assert_eq!((kept.status, kept.header("location")), (303, Some("/calls?outcome=upset")), "{}", kept.text);
    let list = browser.get("/calls").text;
    assert!(
        list.contains("href=\"/calls?outcome=upset\"") && list.contains("My upset &lt;calls&gt;"),
        "{list}"
    );
    for (name, query) in
        [("x", "https://evil.example"), ("x", "%3Foutcome%3Dangry"), ("", "%3Foutcome%3Dupset")]
    {
        let refused = browser.post("/calls/filters", here, &format!("csrf={csrf}&name={name}&query={query}"));
        let is_kept =
            refused.status == 303 && refused.header("location").is_some_and(|it| it.contains("evil"));
        assert!(!is_kept, "{query}");
    }
    assert_eq!(
        browser.post("/calls/filters", here, "csrf=guess&name=x&query=%3Foutcome%3Dupset").status,
        403
    );
    let other =
        browser.post("/calls/filters/forget", here, &format!("csrf={csrf}&name=My+upset+%3Ccalls%3E"));
    assert_eq!(other.status, 303);
    assert!(!browser.get("/calls").text.contains("My upset"));

    let wrong = call.sidetone.exchange("GET /cals HTTP/1.1\r\nAccept: text/html,*/*\r\n", "").unwrap();
    assert!(wrong.0.starts_with("HTTP/1.1 404") && wrong.1.contains("There is no such page"), "{wrong:?}");
    assert!(wrong.0.to_lowercase().contains("content-security-policy"), "{}", wrong.0);
    let program = call.sidetone.exchange("GET /cals HTTP/1.1\r\n", "").unwrap();
    assert!(program.1.starts_with('{'), "{program:?}");
    call.caller.open_gate();
    call.finish(6);
}
