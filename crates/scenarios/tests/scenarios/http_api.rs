//! The HTTP face is what docs/openapi.json says: every path and method, every status, every body.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::schema::Schema;
use sidetone_scenarios::sidetone::{Setup, Sidetone, binary};
use sidetone_scenarios::sipp::Plan;
use sidetone_scenarios::{GUARD, repository};

const TOKEN: &str = "a token of the tests";
const STREAM_TOKEN: &str = "another token of the tests";

fn document() -> Value {
    let text = std::fs::read_to_string(repository().join("docs/openapi.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// An answer as it came.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let named = |(at, _): &&(String, String)| at.eq_ignore_ascii_case(name);
        self.headers.iter().find(named).map(|(_, value)| value.as_str())
    }
}

/// Sends a request with headers and a body; of a stream only what comes first is read.
fn ask(net: &Net, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut stream = TcpStream::connect(net.at(host::SIDETONE, 9464)).unwrap();
    stream.set_read_timeout(Some(GUARD)).unwrap();
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: sidetone\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        request.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    write!(stream, "{request}\r\n{body}").unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 4_096];
    // A stream of events has no end.
    while !String::from_utf8_lossy(&answer).contains("text/event-stream") || !answer.ends_with(b"\n\n\r\n") {
        match stream.read(&mut piece).unwrap() {
            0 => break,
            read => answer.extend_from_slice(&piece[..read]),
        }
    }
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Answer { status, headers, body: body.to_owned() }
}

/// Follows a `$ref` within the document.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.strip_prefix('#').unwrap()).expect(reference),
        None => value,
    }
}

/// Checks an answer against what is documented for its path, method and status.
fn documented(document: &Value, path: &str, method: &str, answer: &Answer) {
    let operation = &document["paths"][path][method.to_lowercase()];
    // A method that isn't documented is answered as it is for those that are.
    let any = document["paths"][path].as_object().unwrap();
    let operation = match operation {
        Value::Null => ["get", "post"].iter().find_map(|it| any.get(*it)).unwrap(),
        operation => operation,
    };
    let response = resolved(document, &operation["responses"][answer.status.to_string()]);
    assert!(response.is_object(), "{method} {path}: {} is not documented: {answer:?}", answer.status);
    for header in response["headers"].as_object().into_iter().flat_map(|it| it.keys()) {
        assert!(answer.header(header).is_some(), "{method} {path}: {header} is missing: {answer:?}");
    }
    let Some(content) = response["content"].as_object() else {
        return assert_eq!(answer.body, "", "{method} {path}");
    };
    let kind = answer.header("Content-Type").unwrap_or_else(|| panic!("{answer:?}"));
    let kind = kind.split(';').next().unwrap();
    assert!(content.contains_key(kind), "{method} {path}: {kind} is not documented");
    if matches!(kind, "application/json" | "application/problem+json") && method != "HEAD" {
        let mut schema = content[kind]["schema"].clone();
        schema["components"] = document["components"].clone();
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        Schema::of(&schema).assert_valid(&body);
        if answer.status >= 400 {
            assert_eq!(body["status"], answer.status);
        }
    }
}

fn setup(net: &Net) -> Setup {
    let mut setup = Setup::usual(net);
    setup.http = format!("token = {TOKEN:?}\n");
    setup.more = format!("[events.stream]\ntoken = {STREAM_TOKEN:?}\nclients = 1\n");
    setup
}

/// Makes a token of the store.
fn store_token(store: &Path, role: &str) -> String {
    let mut command = Command::new(binary());
    command.args(["token", "create", role, "--role", role, "--store"]).arg(store);
    if role == "agent" {
        command.args(["--agent", "2001"]);
    }
    let made = command.output();
    String::from_utf8(made.unwrap().stdout).unwrap().trim().to_owned()
}

#[test]
fn every_path_answers_as_it_is_documented() {
    let (net, document, folder) = (Net::lease(), document(), tempfile::tempdir().unwrap());
    let (spool, store) = (folder.path().join("spool.db"), folder.path().join("store.db"));
    let mut setup = setup(&net);
    setup.more.push_str(&format!("[spool]\npath = {spool:?}\n[store]\npath = {store:?}\n"));
    let (supervisor, operator) = (store_token(&store, "supervisor"), store_token(&store, "operator"));
    let (integration, agent) = (store_token(&store, "integration"), store_token(&store, "agent"));
    let sidetone = Sidetone::start(&net, &setup);
    let mut seen = BTreeSet::new();
    let mut check =
        |path: &str, method: &str, to: &str, headers: &[(&str, &str)], body: &str, status: u16| {
            let answer = ask(&net, method, to, headers, body);
            assert_eq!(answer.status, status, "{method} {to}: {answer:?}");
            documented(&document, path, method, &answer);
            seen.insert((path.to_owned(), status));
        };
    for path in ["/metrics", "/healthz", "/readyz", "/policy", "/openapi.json"] {
        check(path, "GET", path, &[], "", 200);
        check(path, "HEAD", path, &[], "", 200);
    }
    check("/policy", "GET", "/policy?lang=de", &[], "", 200);
    check("/policy", "GET", "/policy?lang=%zz&lang=en", &[], "", 400);
    let stream = ("Authorization", format!("bearer {STREAM_TOKEN}"));
    let stream: [(&str, &str); 1] = [(stream.0, &stream.1)];
    check("/events", "GET", "/events", &[], "", 401);
    check("/events", "GET", "/events?kind=nothing", &stream, "", 400);
    check("/events", "GET", "/events?kind=call.ended", &stream, "", 200);
    let (token, json) = (("Authorization", format!("Bearer {TOKEN}")), ("Content-Type", "application/json"));
    let token = (token.0, token.1.as_str());
    let long = json!({ "name": "queue", "value": "x".repeat(20_000) }).to_string();
    for (path, good) in [
        ("/api/calls/{id}/tell", r#"{"name":"queue","value":"billing"}"#),
        ("/api/calls/{id}/announce", r#"{"name":"notice","language":"de","to":"both"}"#),
    ] {
        let to = path.replace("{id}", "nobody@nowhere");
        check(path, "POST", &to, &[json], good, 401);
        check(path, "POST", &to, &[token, json], good, 404);
        check(path, "POST", &to, &[token, json], "{", 400);
        check(path, "POST", &to, &[token, json], "{}", 422);
        check(path, "POST", &to, &[token, json], &long, 413);
        check(path, "POST", &to, &[token], good, 415);
    }
    let unknown = r#"{"name":"shoe-size","value":"44"}"#;
    check("/api/calls/{id}/tell", "POST", "/api/calls/x/tell", &[token, json], unknown, 400);
    let bearer = |token: &str| ("Authorization", format!("Bearer {token}"));
    let (supervisor, operator) = (bearer(&supervisor), bearer(&operator));
    let supervisor = [(supervisor.0, supervisor.1.as_str())];
    let operator = [(operator.0, operator.1.as_str())];
    for (path, wrong) in [
        ("/api/v1/calls", "/api/v1/calls?limit=0"),
        ("/api/v1/days", "/api/v1/days?first=x"),
        ("/api/v1/cues", "/api/v1/cues?first=9&last=8"),
        ("/api/v1/topics", "/api/v1/topics?last=x"),
    ] {
        check(path, "GET", path, &supervisor, "", 200);
        check(path, "GET", wrong, &supervisor, "", 400);
        check(path, "GET", path, &operator, "", 403);
        check(path, "GET", path, &[], "", 401);
        let tag = ask(&net, "GET", path, &supervisor, "").header("ETag").unwrap().to_owned();
        let known = [supervisor[0], ("If-None-Match", tag.as_str())];
        check(path, "GET", path, &known, "", 304);
        check(path, "GET", path, &[supervisor[0], ("If-None-Match", "W/\"0\"")], "", 200);
        check(path, "GET", path, &[operator[0], known[1]], "", 403);
    }
    check("/api/v1/calls", "GET", "/api/v1/calls?direction=sideways", &supervisor, "", 400);
    check("/api/v1/calls", "GET", "/api/v1/calls?topic=weather", &supervisor, "", 400);
    check("/api/v1/calls", "GET", "/api/v1/calls?topic=repeat_contact", &supervisor, "", 200);
    check("/api/v1/calls/{id}", "GET", "/api/v1/calls/nobody", &supervisor, "", 404);
    check("/api/v1/calls/{id}", "GET", "/api/v1/calls/%FF", &supervisor, "", 400);
    check("/api/v1/calls/{id}", "GET", "/api/v1/calls/nobody", &operator, "", 403);
    check("/api/v1/calls/{id}", "GET", "/api/v1/calls/nobody", &[], "", 401);
    let (crm, agent) = (bearer(&integration), bearer(&agent));
    let crm = [(crm.0, crm.1.as_str()), json];
    let agent = [(agent.0, agent.1.as_str()), json];
    let supervisors = [supervisor[0], json];
    let long =
        json!({ "comment": "x".repeat(40_000), "text": "x".repeat(40_000), "kind": "note" }).to_string();
    for (part, method, writer, other, good) in [
        ("outcome", "POST", &crm, &supervisors, r#"{"resolved":true,"escalated":false,"reason":"refund"}"#),
        ("survey", "POST", &crm, &supervisors, r#"{"empathy":5,"resolved":true,"comment":"Danke"}"#),
        ("notes", "POST", &supervisors, &crm, r#"{"kind":"coaching","at_ms":5,"text":"x"}"#),
        ("self-note", "PUT", &agent, &supervisors, r#"{"text":"x"}"#),
    ] {
        let path = format!("/api/v1/calls/{{id}}/{part}");
        let to = format!("/api/v1/calls/nobody@nowhere/{part}");
        check(&path, method, &to, &[json], good, 401);
        check(&path, method, &to, other, good, 403);
        check(&path, method, &to, writer, good, 404);
        check(&path, method, &to, writer, "{", 400);
        check(&path, method, &to, writer, "{}", 422);
        check(&path, method, &to, writer, r#"{"unheard":"of"}"#, 422);
        check(&path, method, &to, writer, r#"{"empathy":9,"reason":"","text":"","kind":"note"}"#, 422);
        check(&path, method, &to, writer, &long, 413);
        check(&path, method, &to, &writer[..1], good, 415);
        check(&path, method, &format!("/api/v1/calls/%FF/{part}"), writer, good, 400);
    }
    {
        let (path, to) = ("/api/v1/calls/{id}/survey/link", "/api/v1/calls/nobody/survey/link");
        check(path, "POST", to, &[], "", 401);
        check(path, "POST", to, &supervisors, "", 403);
        check(path, "POST", to, &crm, "", 404);
        check(path, "POST", "/api/v1/calls/%FF/survey/link", &crm, "", 400);
        check(path, "GET", to, &crm, "", 405);
    }
    for (part, reader) in [("notes", &supervisors), ("self-note", &agent)] {
        let (path, to) = (format!("/api/v1/calls/{{id}}/{part}"), format!("/api/v1/calls/nobody/{part}"));
        check(&path, "GET", &to, reader, "", 404);
        check(&path, "GET", &to, &operator, "", 403);
        check(&path, "GET", &to, &[], "", 401);
    }
    for path in ["/api/v1/desk", "/api/v1/desk/events"] {
        check(path, "GET", path, &agent, "", 200);
        check(path, "GET", path, &supervisor, "", 403);
        check(path, "GET", path, &[], "", 401);
    }
    let path = "/api/v1/text";
    let good = r#"{"messages":[{"id":"7","text":"I want to cancel my contract today."},{"text":"Danke"}]}"#;
    let long = json!({ "messages": [{ "text": "x".repeat(600_000) }] }).to_string();
    let many = json!({ "messages": vec![json!({ "text": "x" }); 201] }).to_string();
    check(path, "POST", path, &crm, good, 200);
    check(path, "POST", path, &[json], good, 401);
    check(path, "POST", path, &agent, good, 200);
    check(path, "POST", path, &operator, good, 403);
    check(path, "POST", path, &crm, "{", 400);
    check(path, "POST", path, &crm, r#"{"messages":[]}"#, 422);
    check(path, "POST", path, &crm, &many, 422);
    check(path, "POST", path, &crm, &long, 413);
    check(path, "POST", path, &crm[..1], good, 415);
    let (path, to) = ("/api/v1/calls/{id}/cues/{number}", "/api/v1/calls/nobody/cues/1");
    let (good, longest) = (r#"{"answer":"dismissed"}"#, json!({ "answer": "x".repeat(5_000) }).to_string());
    check(path, "POST", to, &[json], good, 401);
    check(path, "POST", to, &supervisors, good, 403);
    check(path, "POST", to, &agent, good, 404);
    check(path, "POST", "/api/v1/calls/nobody/cues/one", &agent, good, 400);
    check(path, "POST", to, &agent, "{", 400);
    check(path, "POST", to, &agent, r#"{"answer":"perhaps"}"#, 422);
    check(path, "POST", to, &agent, &longest, 413);
    check(path, "POST", to, &agent[..1], good, 415);
    check("/api/v1/days", "GET", "/api/v1/days?by=queue", &supervisor, "", 200);
    check("/api/v1/days", "GET", "/api/v1/days?by=agent", &supervisor, "", 400);
    for path in document["paths"].as_object().unwrap().keys() {
        let to = path.replace("{id}", "x").replace("{number}", "1");
        let answer = ask(&net, "DELETE", &to, &[token, json], "");
        assert_eq!(answer.status, 405, "{path}: {answer:?}");
        assert!(answer.body.contains("this path takes "), "{path}: {answer:?}");
        documented(&document, path, "DELETE", &answer);
        // The methods are those of the document; HEAD goes with GET.
        let allowed = answer.header("Allow").unwrap().to_lowercase();
        let allowed: BTreeSet<&str> = allowed.split(',').filter(|it| *it != "head").collect();
        let methods = document["paths"][path].as_object().unwrap().keys().map(String::as_str);
        assert_eq!(allowed, methods.filter(|it| *it != "parameters").collect(), "{path}");
        assert!(seen.iter().any(|(at, _)| at == path), "{path} is described and not tried here");
    }
    sidetone.finish();
}

/// Errors that no route makes have the shape too.
#[test]
fn every_error_has_one_shape() {
    let (net, document) = (Net::lease(), document());
    let sidetone = Sidetone::usual(&net);
    let problem = json!({ "$ref": "#/components/schemas/Problem", "components": document["components"] });
    let problem = Schema::of(&problem);
    for (method, path, status) in [
        ("GET", "/", 404),
        ("GET", "/metrics/", 404),
        ("POST", "/no/such/path", 404),
        ("GET", "/%ff", 404),
        // Without http.token nothing can be changed here.
        ("POST", "/api/calls/x/tell", 404),
        ("PUT", "/metrics", 405),
        ("TRACE", "/healthz", 405),
    ] {
        let answer = ask(&net, method, path, &[], "");
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert!(problem.is_valid(&body), "{method} {path}: {body}");
    }
    sidetone.finish();
}

/// What is told of a call, and announced into it, is taken as documented.
#[test]
fn a_call_is_told_of_and_announced_into() {
    let (net, document) = (Net::lease(), document());
    let setup = setup(&net);
    let mut uac = Plan::new("talk", "uac", net.at(host::TRUNK, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    let uas = Plan::new("talk", "uas", net.at(host::PBX, 5060));
    let mut call = Call::start_with(net, &setup, uac, uas);
    call.answered();
    let calls: Value =
        serde_json::from_str(call.sidetone.command(&["calls", "--json"]).lines().next().unwrap()).unwrap();
    let id = calls["id"].as_str().unwrap();
    let token = format!("Bearer {TOKEN}");
    let headers = [("Authorization", token.as_str()), ("Content-Type", "application/json")];
    for (path, body, status) in [
        ("/api/calls/{id}/tell", r#"{"name":"queue","value":"billing"}"#, 204),
        ("/api/calls/{id}/announce", r#"{"name":"no-such-thing"}"#, 409),
        ("/api/calls/{id}/announce", r#"{"name":"notice"}"#, 202),
    ] {
        let answer = ask(&call.net, "POST", &path.replace("{id}", id), &headers, body);
        assert_eq!(answer.status, status, "{body}: {answer:?}");
        documented(&document, path, "POST", &answer);
    }
    call.caller.open_gate();
    call.finish(6);
}

/// Calls come first, so it runs; but where callers should be listened to, whoever watches over it has to know.
#[test]
fn a_model_that_cannot_be_loaded_fails_readiness_where_callers_should_be_listened_to() {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    setup.more = "[analysis]\nmodel = \"/dev/null\"\n".to_owned();
    let sidetone = Sidetone::start_until(&net, &setup, "/healthz");
    let (status, body) = sidetone.get("/readyz").unwrap();
    assert_eq!(status, 503);
    assert!(body.contains("the model could not be loaded"), "{body}");
    let (_, metrics) = sidetone.get("/metrics").unwrap();
    assert!(metrics.contains("sidetone_model_missing 1"), "{metrics}");
    assert!(metrics.contains("sidetone_threads_missed 0"), "{metrics}");
}

#[test]
fn a_sidetone_that_listens_to_nobody_is_ready_without_a_model() {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    setup.disclosure = "never".to_owned();
    setup.more = "[analysis]\nmodel = \"/dev/null\"\n".to_owned();
    let sidetone = Sidetone::start(&net, &setup);
    assert!(sidetone.get("/metrics").unwrap().1.contains("sidetone_model_missing 0"));
}
