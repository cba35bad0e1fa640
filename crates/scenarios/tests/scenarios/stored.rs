//! What happened in calls, asked of the store: by the command line, with a real call.

use std::io::BufRead;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde_json::{Value, json};
use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::rtp::speak;
use sidetone_scenarios::sidetone::{Setup, Sidetone, binary};
use sidetone_scenarios::sipp::Plan;
use sidetone_scenarios::{repository, until};

/// Runs `sidetone store …` on a file; what it printed.
pub(crate) fn store(arguments: &[&str], file: &std::path::Path) -> String {
    let output = Command::new(binary())
        .arg("store")
        .args(arguments)
        .args(["--store".as_ref(), file.as_os_str()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn rows(csv: &str) -> Vec<Vec<String>> {
    csv.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

/// Seven seconds of the demo's caller losing patience.
pub(crate) fn speech() -> Vec<i16> {
    let mut reader = hound::WavReader::open(repository().join("demo/caller.wav")).unwrap();
    reader.samples().map(Result::unwrap).skip(24 * 8_000).take(7 * 8_000).collect()
}

pub(crate) fn start(net: Net, folder: &std::path::Path) -> Call {
    let mut setup = Setup::usual(&net);
    let (spool, store) = (folder.join("spool.db"), folder.join("store.db"));
    setup.more = format!("[spool]\npath = {spool:?}\n[store]\npath = {store:?}\n");
    let mut uac = Plan::new("talk", "uac", net.at(host::TRUNK, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    let uas = Plan::new("talk", "uas", net.at(host::PBX, 5060));
    Call::start_with(net, &setup, uac, uas)
}

#[test]
fn a_call_is_in_the_store_while_it_is_up_and_after() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("store.db");
    let mut call = start(net, folder.path());
    call.answered();
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    let moments = || rows(&store(&["export", "affect"], &file)).len().saturating_sub(1);
    until("moments of the call in the store", || (moments() > 1).then_some(()));
    assert_eq!(call.sidetone.metric("sidetone_store_up"), 1.0);
    call.caller.open_gate();
    let told = call.finish(6);
    let affect = told.iter().filter(|event| event["kind"] == "affect.update").count();
    assert_eq!(moments(), affect, "each one, and each once");
    let calls = rows(&store(&["export", "calls"], &file));
    let column = |name: &str| {
        let index = calls[0].iter().position(|column| column == name).unwrap();
        calls[1][index].clone()
    };
    assert_eq!((calls.len(), column("cause")), (2, "hangup".to_owned()));
    assert_eq!(column("id"), told[0]["call"]["id"].as_str().unwrap());
    let end = told.last().unwrap();
    assert_eq!(column("judged_ms"), end["data"]["summary"]["analysis"]["judged_ms"].to_string());
    let status: Value = serde_json::from_str(&store(&["status", "--json"], &file)).unwrap();
    assert_eq!((&status["calls"], &status["feeds"][0]["lost"]), (&1.into(), &0.into()));
    // What an agent answers to a cue, and how long it stood, is kept apart.
    let apart = |event: &&Value| {
        event["kind"].as_str().is_some_and(|kind| kind.starts_with("cue.") && kind != "cue.shown")
    };
    assert_eq!(status["events"], told.len() - told.iter().filter(apart).count());
    assert_eq!(rows(&store(&["export", "days"], &file)).len(), 5, "by trunk, queue, team and tier");
}

/// Asks Sidetone's API with a token; the status, and the body.
pub(crate) fn ask(call: &Call, path: &str, token: &str) -> (u16, Value) {
    let (status, body) = call.sidetone.get_as(path, token).unwrap();
    (status, serde_json::from_str(&body).unwrap_or_default())
}

/// Sends JSON to Sidetone's API with a token; the status, and the body.
pub(crate) fn send(call: &Call, method: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
    let body = body.to_string();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n",
        body.len()
    );
    let (head, body) = call.sidetone.exchange(&head, &body).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(&body).unwrap_or_default())
}

/// What a supervisor, the call's agent and another one see of a call on pages, and add to it there.
fn on_pages(call: &Call, id: &str, [supervisor, ada, ben]: [&str; 3]) {
    let (one, notes, own) =
        (format!("/calls/{id}"), format!("/calls/{id}/notes"), format!("/calls/{id}/self-note"));
    let home = "http://sidetone";
    {
        let mut browser = Browser::new(call);
        assert_eq!(browser.sign_in(supervisor, "/live").status, 303);
        assert!(browser.get("/live?queue=billing").text.contains("billing"));
        assert!(browser.get("/calls?agent=2001&tier=vip").text.contains(&one));
        let page = browser.get(&one);
        assert!(
            page.text.contains("&lt;script&gt;alert(1)") && !page.text.contains("<script>alert"),
            "{}",
            page.text
        );
        assert!(!page.text.contains("I was calm"), "it is the agent's own");
        assert!(!browser.get("/calls").text.contains("Moments to learn from"), "they are for the agent");
        let csrf = page.csrf();
        let mut post = |form: &str| browser.post(&notes, home, form).status;
        assert_eq!(post(&format!("csrf={csrf}&kind=coaching&at=0:00&text=From+the+page")), 303);
        assert_eq!(post(&format!("csrf={csrf}&kind=coaching&at=&text=x")), 422);
        assert_eq!(post(&format!("csrf={csrf}&kind=note&at=99:59&text=x")), 422);
        assert_eq!(post("csrf=other&kind=note&text=x"), 403);
        assert_eq!(browser.post(&own, home, &format!("csrf={csrf}&text=x")).status, 403);
    }
    {
        let mut browser = Browser::new(call);
        assert_eq!(browser.sign_in(ada, "/calls").status, 303);
        let list = browser.get("/calls").text;
        assert!(list.contains(&one));
        // What a supervisor has noted is found without looking through all calls; what it says stands with the call.
        let (_, moments) = list.split_once("Moments to learn from").expect("moments");
        let (moments, _) = moments.split_once("</section>").unwrap();
        assert!(
            moments.contains(&format!("{one}#notes")) && moments.contains("A moment of empathy"),
            "{moments}"
        );
        assert!(!moments.contains("From the page"), "{moments}");
        assert!(!browser.get("/calls?outcome=upset").text.contains("Moments to learn from"));
        let page = browser.get(&one);
        assert!(page.text.contains("From the page") && page.text.contains("I was calm"), "{}", page.text);
        let csrf = page.csrf();
        assert_eq!(browser.post(&own, home, &format!("csrf={csrf}&text=I+listened")).status, 303);
        assert_eq!(browser.post(&own, home, "csrf=other&text=x").status, 403);
        assert_eq!(browser.post(&notes, home, &format!("csrf={csrf}&kind=note&text=x")).status, 403);
        assert!(browser.get(&one).text.contains("I listened"));
        assert_eq!(browser.get("/figures").status, 403);
        assert_eq!(browser.get("/live/wall").status, 403);
    }
    let mut browser = Browser::new(call);
    assert_eq!(browser.sign_in(ben, "/calls").status, 303);
    assert!(!browser.get("/calls").text.contains("Moments to learn from"), "they are another agent's");
    let csrf = browser.get("/calls").csrf();
    assert_eq!(browser.get(&one).status, 404);
    assert_eq!(browser.post(&own, home, &format!("csrf={csrf}&text=x")).status, 404);
}

/// Makes an agent's token; its secret.
pub(crate) fn agent(label: &str, file: &std::path::Path) -> String {
    let arguments = ["token", "create", label, "--role", "agent", "--agent", label, "--store"];
    let output = Command::new(binary()).args(arguments).arg(file).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_calls_agent_sees_it_and_what_is_added_to_it_and_another_agent_does_not() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("store.db");
    let mut call = start(net, folder.path());
    call.answered();
    let id = call.first_event()["call"]["id"].as_str().unwrap().to_owned();
    let sip_call_id = call.first_event()["call"]["sip_call_id"].as_str().unwrap().to_owned();
    for (name, value) in [("queue", "billing"), ("agent", "2001"), ("team", "north"), ("tier", "vip")] {
        call.sidetone.command(&["tell", &id, name, value]);
    }
    let (ada, ben) = (agent("2001", &file), agent("2002", &file));
    let ((supervisor, _), (crm, _)) = (token("supervisor", &file), token("integration", &file));
    until("the labels in the store", || {
        let (_, up) = ask(&call, "/api/v1/calls?queue=billing&tier=vip&team=north", &supervisor);
        up["calls"].get(0).filter(|found| found["agent"] == "2001").cloned()
    });
    let one = format!("/api/v1/calls/{id}");
    let added = |part: &str| format!("{one}/{part}");
    let post = |part: &str, token: &str, body: Value| send(&call, "POST", &added(part), token, &body);
    assert_eq!(post("outcome", &crm, json!({ "resolved": true, "reason": "refund" })).0, 204);
    let by_call_id = format!("/api/v1/calls/{sip_call_id}/survey");
    let survey = json!({ "empathy": 5, "comment": "<script>alert(1)</script>" });
    assert_eq!(send(&call, "POST", &by_call_id, &crm, &survey).0, 204);
    let (status, note) =
        post("notes", &supervisor, json!({ "kind": "empathy", "at_ms": 0, "text": "Well done" }));
    assert_eq!((status, &note["by"]), (201, &"supervisor".into()), "{note}");
    let late = json!({ "kind": "coaching", "at_ms": 9_999_999_999_u64, "text": "x" });
    assert_eq!(post("notes", &supervisor, late).0, 422);
    let own = json!({ "text": "I was calm" });
    assert_eq!(send(&call, "PUT", &added("self-note"), &ada, &own).0, 204);

    let (status, seen) = ask(&call, &one, &ada);
    assert_eq!(
        (status, &seen["survey"]["empathy"], &seen["outcome"]["reason"]),
        (200, &5.into(), &"refund".into())
    );
    assert_eq!(seen["notes"][0]["text"], "Well done");
    assert_eq!(ask(&call, &added("self-note"), &ada).1["note"]["text"], "I was calm");
    assert_eq!(ask(&call, "/api/v1/calls", &ada).1["calls"].as_array().unwrap().len(), 1);
    assert_eq!(ask(&call, "/api/v1/calls?agent=2001", &ben).1["calls"].as_array().unwrap().len(), 0);
    for path in [one.clone(), added("notes"), added("self-note")] {
        let (status, body) = ask(&call, &path, &ben);
        assert_eq!(status, 404, "{path}: {body}");
    }
    assert_eq!(send(&call, "PUT", &added("self-note"), &ben, &own).0, 404);
    for (part, token, body) in [
        ("outcome", &supervisor, json!({ "resolved": true })),
        ("survey", &ada, json!({ "empathy": 5 })),
        ("notes", &ada, json!({ "kind": "note", "text": "x" })),
        ("notes", &crm, json!({ "kind": "note", "text": "x" })),
    ] {
        assert_eq!(post(part, token, body).0, 403, "{part}");
    }
    for token in [&supervisor, &crm] {
        assert_eq!(ask(&call, &added("self-note"), token).0, 403);
        assert!(!ask(&call, &one, token).1.to_string().contains("I was calm"));
    }
    assert_eq!(ask(&call, "/api/v1/days", &ada).0, 403);
    let accesses =
        Command::new(binary()).args(["token", "accesses", "--json", "--store"]).arg(&file).output();
    let accesses: Value = serde_json::from_slice(&accesses.unwrap().stdout).unwrap();
    let noted = accesses.as_array().unwrap();
    let refused = noted.iter().filter(|it| it["action"] == "call.refused" && it["name"] == "2002").count();
    assert_eq!(refused, 4, "{accesses}");
    on_pages(&call, &id, [&supervisor, &ada, &ben]);
    let (_, metrics) = call.sidetone.get("/metrics").unwrap();
    assert!(!metrics.contains("\"2001\""), "an agent's label is a person's");
    call.caller.open_gate();
    let told = call.finish(6);
    let labelled = told.iter().rfind(|event| event["kind"] == "call.labelled").unwrap();
    assert_eq!((&labelled["data"]["agent"], &labelled["data"]["tier"]), (&"2001".into(), &"vip".into()));
}

/// Makes a token; its secret and its id.
pub(crate) fn token(role: &str, file: &std::path::Path) -> (String, String) {
    let output = Command::new(binary())
        .args(["token", "create", role, "--role", role, "--json", "--store"])
        .arg(file)
        .output()
        .unwrap();
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    (made["secret"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
}

#[test]
fn whoever_has_a_token_sees_what_its_role_allows() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("store.db");
    let mut call = start(net, folder.path());
    call.answered();
    let id = call.first_event()["call"]["id"].as_str().unwrap().to_owned();
    let (supervisor, supervisors) = token("supervisor", &file);
    let (director, _) = token("director", &file);
    let (operator, _) = token("operator", &file);
    let one = format!("/api/v1/calls/{id}");
    let up = until("the call in the store", || {
        let (status, up) = ask(&call, "/api/v1/calls?up=true", &supervisor);
        assert_eq!(status, 200, "{up}");
        up["calls"].get(0).cloned()
    });
    assert_eq!((&up["id"], &up["ended"]), (&Value::from(id.as_str()), &Value::Null));
    assert_eq!(ask(&call, &one, &supervisor).1["call"]["id"], id);
    for (path, token, status) in [
        (one.as_str(), director.as_str(), 403),
        ("/api/v1/calls", &operator, 403),
        ("/api/v1/days", &operator, 403),
        ("/api/v1/days", &director, 200),
        ("/api/v1/days?first=5&last=1", &director, 400),
        ("/api/v1/calls", "", 401),
        ("/api/v1/calls", "sidetone_0000", 401),
        ("/api/v1/calls/nobody", &supervisor, 404),
        ("/api/v1/calls?limit=0", &supervisor, 400),
        ("/api/v1/calls?after=x", &supervisor, 400),
        ("/api/v1/calls?unheard=of", &supervisor, 400),
        ("/api/v1/calls?outcome=happy", &supervisor, 400),
        ("/api/v1/calls?number=%2B4930", &supervisor, 200),
    ] {
        let (found, body) = ask(&call, path, token);
        assert_eq!(found, status, "{path}: {body}");
        if status >= 400 {
            assert_eq!(
                (&body["status"], body["detail"].is_string()),
                (&status.into(), true),
                "{path}: {body}"
            );
        }
    }
    let accesses =
        Command::new(binary()).args(["token", "accesses", "--json", "--store"]).arg(&file).output();
    let accesses: Value = serde_json::from_slice(&accesses.unwrap().stdout).unwrap();
    let noted: Vec<_> = accesses.as_array().unwrap().iter().map(|it| (&it["action"], &it["name"])).collect();
    let noted_as = ["calls.of_number", "call.read"].map(Value::from);
    assert_eq!(
        noted,
        [(&noted_as[0], &"supervisor".into()), (&noted_as[1], &"supervisor".into())],
        "{accesses}"
    );
    assert_eq!(accesses[1]["subject"], id);
    let revoked =
        Command::new(binary()).args(["token", "revoke", &supervisors, "--store"]).arg(&file).status();
    assert!(revoked.unwrap().success());
    assert_eq!(ask(&call, &one, &supervisor).0, 401);
    call.caller.open_gate();
    call.finish(6);
}

#[test]
fn a_refusal_empties_the_store_too() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("store.db");
    let mut call = start(net, folder.path());
    call.answered();
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    let moments = || rows(&store(&["export", "affect"], &file)).len().saturating_sub(1);
    until("moments of the call in the store", || (moments() > 0).then_some(()));
    let id = call.first_event()["call"]["id"].as_str().unwrap().to_owned();
    call.sidetone.command(&["tell", &id, "consent", "refused"]);
    until("the moments to be gone", || (moments() == 0).then_some(()));
    call.caller.open_gate();
    call.finish(6);
    let kinds = store(&["export", "events"], &file);
    assert!(
        !kinds.contains("affect.") && !kinds.contains(",conduct,") && kinds.contains("call.ended"),
        "{kinds}"
    );
    let status: Value = serde_json::from_str(&store(&["status", "--json"], &file)).unwrap();
    assert_eq!(status["calls"], 1);
}

/// A browser, as far as pages need one.
pub(crate) struct Browser<'a> {
    sidetone: &'a Sidetone,
    pub(crate) cookie: String,
}

/// An answer: its status, its head, and the page.
pub(crate) struct Page {
    pub(crate) status: u16,
    head: String,
    pub(crate) text: String,
}

impl Page {
    /// The value of the forms' token.
    pub(crate) fn csrf(&self) -> String {
        let (_, rest) = self.text.split_once("name=\"csrf\" value=\"").expect("a form");
        rest.split('"').next().unwrap().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.split_once(": ").filter(|(it, _)| it.eq_ignore_ascii_case(name)))
            .map(|it| it.1)
    }
}

impl<'a> Browser<'a> {
    pub(crate) fn new(call: &'a Call) -> Self {
        Self::of(&call.sidetone)
    }

    pub(crate) fn of(sidetone: &'a Sidetone) -> Self {
        Self { sidetone, cookie: String::new() }
    }

    fn send(&mut self, head: &str, body: &str) -> Page {
        let head = format!("{head}Cookie: {}\r\n", self.cookie);
        let (head, text) = self.sidetone.exchange(&head, body).unwrap();
        let page = Page { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head, text };
        if let Some(cookie) = page.header("set-cookie") {
            self.cookie = cookie.split(';').next().unwrap().to_owned();
        }
        page
    }

    pub(crate) fn get(&mut self, path: &str) -> Page {
        self.send(&format!("GET {path} HTTP/1.1\r\n"), "")
    }

    pub(crate) fn post(&mut self, path: &str, origin: &str, form: &str) -> Page {
        let head = format!(
            "POST {path} HTTP/1.1\r\nOrigin: {origin}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n",
            form.len()
        );
        self.send(&head, form)
    }

    pub(crate) fn sign_in(&mut self, token: &str, next: &str) -> Page {
        self.post("/sign-in", "http://sidetone", &format!("token={token}&next={next}"))
    }
}

#[test]
fn a_supervisor_signs_in_and_sees_the_call_and_a_director_does_not() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("store.db");
    let mut call = start(net, folder.path());
    call.answered();
    let id = call.first_event()["call"]["id"].as_str().unwrap().to_owned();
    let one = format!("/calls/{id}");
    let (supervisor, supervisors) = token("supervisor", &file);
    let (director, _) = token("director", &file);
    let (integration, _) = token("integration", &file);
    {
        let mut browser = Browser::new(&call);
        // Nobody has signed in: every page leads to the sign-in, and none tells anything.
        for path in ["/", "/live", "/live/wall", "/calls", &one, "/figures", "/figures.csv", "/live/changes"]
        {
            let page = browser.get(path);
            assert!(page.status == 303 && !page.text.contains(&id), "{path}: {} {}", page.head, page.text);
        }
        let gate = browser.get("/sign-in?next=/calls");
        assert_eq!(gate.status, 200);
        let policy = gate.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(gate.header("cache-control"), Some("no-store"));
        for (secret, status) in [("wrong", 401), ("", 401), (integration.as_str(), 401)] {
            assert_eq!(browser.sign_in(secret, "/calls").status, status);
        }
        let elsewhere = browser.post("/sign-in", "http://evil.example", &format!("token={supervisor}"));
        assert!(elsewhere.status == 403 && elsewhere.header("set-cookie").is_none());
        let led = browser.sign_in(&supervisor, "//evil.example");
        assert_eq!((led.status, led.header("location")), (303, Some("/")));
        let cookie = led.header("set-cookie").unwrap();
        assert!(
            cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && !cookie.contains(&supervisor)
        );

        let wall = until("the call on the wall", || {
            let wall = browser.get("/live");
            assert_eq!(wall.status, 200, "{}", wall.text);
            wall.text.contains(&id).then_some(wall)
        });
        assert!(wall.text.contains("lang=\"en\"") && browser.get("/live/wall?view=list").text.contains(&id));
        assert!(browser.get("/live?lang=de").text.contains("lang=\"de\""));
    }
    let mut browser = Browser::new(&call);
    browser.sign_in(&supervisor, "/");
    assert!(browser.get(&one).text.contains(&id));
    let list = browser.get("/calls");
    assert!(list.status == 200 && list.text.contains(&id));
    assert_eq!(browser.get("/calls/nobody").status, 404);
    assert!(browser.get("/calls?outcome=happy").status == 200, "a fault of the query is told on the page");
    // A number is asked for by a form, and stands hashed in the address that it leads to.
    let csrf = list.csrf();
    let led = browser.post("/calls", "http://sidetone", &format!("csrf={csrf}&number=%2B49301234567"));
    let location = led.header("location").unwrap().to_owned();
    assert!(
        led.status == 303 && location.contains("number=") && !location.contains("301234567"),
        "{location}"
    );
    assert_eq!(browser.get(&location).status, 200);
    assert_eq!(browser.post("/calls", "http://sidetone", "csrf=guess&number=1").status, 403);
    assert_eq!(browser.get("/figures").status, 200);
    assert!(browser.get("/figures.csv").header("content-type").unwrap().starts_with("text/csv"));

    let mut others = Browser::new(&call);
    others.sign_in(&director, "/");
    assert_eq!(others.get("/live").header("location"), Some("/figures"));
    for path in ["/calls", one.as_str(), "/live/wall", "/live/changes"] {
        let page = others.get(path);
        // The page tells the path that was asked for, in its links to other languages, and nothing of the call.
        assert!(page.status == 403 && !page.text.contains("carrier"), "{path}");
    }
    assert_eq!(others.get("/figures").status, 200);
    // Who leaves is out, with an old cookie too.
    let cookie = others.cookie.clone();
    assert_eq!(others.post("/sign-out", "http://sidetone", "csrf=guess").status, 403);
    let csrf = others.get("/figures").csrf();
    assert_eq!(others.post("/sign-out", "http://sidetone", &format!("csrf={csrf}")).status, 303);
    others.cookie = cookie;
    assert_eq!(others.get("/figures").status, 303);
    let revoked =
        Command::new(binary()).args(["token", "revoke", &supervisors, "--store"]).arg(&file).status();
    assert!(revoked.unwrap().success());
    assert_eq!(browser.get("/calls").status, 303, "a revoked token takes its sessions with it");
    call.caller.open_gate();
    call.finish(6);
}

/// The wall's stream says that there is something new soon after there is.
#[test]
fn the_wall_is_told_of_changes() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("store.db");
    let mut call = start(net, folder.path());
    let (supervisor, _) = token("supervisor", &file);
    let mut browser = Browser::new(&call);
    until("the sign-in", || (browser.sign_in(&supervisor, "/").status == 303).then_some(()));
    let head = format!("GET /live/changes HTTP/1.1\r\nCookie: {}\r\n", browser.cookie);
    call.answered();
    let stream = call.sidetone.open(&head);
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    let told =
        std::io::BufReader::new(stream).lines().map_while(Result::ok).find(|line| line.starts_with("data:"));
    assert_eq!(told.as_deref(), Some("data: changed"));
    call.caller.open_gate();
    call.finish(6);
}

/// Many screens share one answer about the calls that are up. It is never one of before what its reader knows already.
#[test]
fn a_wall_that_is_asked_for_after_a_change_shows_it_however_many_others_ask() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("store.db");
    let mut call = start(net, folder.path());
    call.answered();
    let id = call.first_event()["call"]["id"].as_str().unwrap().to_owned();
    let (supervisor, _) = token("supervisor", &file);
    let mut browser = Browser::new(&call);
    browser.sign_in(&supervisor, "/live");
    let cookie = browser.cookie.clone();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut other = Browser::new(&call);
            while !done.load(Relaxed) {
                other.cookie.clone_from(&cookie);
                other.get("/live/wall");
                std::thread::sleep(std::time::Duration::from_millis(30));
            }
        });
        let mut missed = Vec::new();
        for round in 0..20 {
            let queue = format!("queue-{round}");
            call.sidetone.command(&["tell", &id, "queue", &queue]);
            until("the change in the store", || {
                (ask(&call, &format!("/api/v1/calls/{id}"), &supervisor).1["call"]["queue"] == queue)
                    .then_some(())
            });
            if !browser.get("/live/wall").text.contains(&queue) {
                missed.push(queue);
            }
        }
        done.store(true, Relaxed);
        assert_eq!(missed, [] as [String; 0]);
    });
    call.caller.open_gate();
    call.finish(6);
}

/// An event that every reader has had is deleted from the spool; its log keeps it until it is emptied.
#[test]
fn calls_that_were_erased_on_request_stand_in_no_log() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let (spool, store) = (folder.path().join("spool.db"), folder.path().join("store.db"));
    let mut setup = Setup::usual(&net);
    let kept = format!("[spool]\npath = {spool:?}\n[store]\npath = {store:?}\n");
    setup.more = format!("[events]\nnumber_salt = \"a salt that this test keeps\"\n{kept}");
    let mut uac = Plan::new("talk", "uac", net.at(host::TRUNK, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    let uas = Plan::new("talk", "uas", net.at(host::PBX, 5060));
    let mut call = Call::start_with(net, &setup, uac, uas);
    call.answered();
    call.caller.open_gate();
    let id = call.first_event()["call"]["id"].as_str().unwrap().to_owned();
    let holds = |path: &std::path::Path, text: &str| {
        let bytes = std::fs::read(path).unwrap_or_default();
        bytes.windows(text.len()).any(|it| it == text.as_bytes())
    };
    let run = |arguments: &[&str]| {
        let output = Command::new(binary()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let status = ["spool", "status", "--json", "--spool", spool.to_str().unwrap()];
    // The spool is empty before the first event too, and its log holds one before it is committed.
    let log = folder.path().join("spool.db-wal");
    until("the call's end in the store", || {
        let calls = rows(&self::store(&["export", "calls"], &store));
        let ended = calls[0].iter().position(|column| column == "ended")?;
        calls.get(1).filter(|call| !call[ended].is_empty()).map(drop)
    });
    until("the spool to be empty", || (run(&status)["entries"] == 0).then_some(()));
    assert!(holds(&log, &id), "it would prove nothing");
    let config = call.sidetone.dir().join("sidetone.toml");
    let erased =
        run(&["store", "erase", "--json", "--number", "+15550100", "--config", config.to_str().unwrap()]);
    assert_eq!((&erased["calls"], &erased["spool_log_emptied"]), (&1.into(), &true.into()), "{erased}");
    for file in ["spool.db", "spool.db-wal", "store.db", "store.db-wal"] {
        // The store remembers that this id is not to come back, and nothing of the call.
        assert!(file == "store.db" || !holds(&folder.path().join(file), &id), "{file}");
    }
    call.finish(6);
}
