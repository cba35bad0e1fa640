//! An operator follows one call: by `sidetone trace`, and in the log.

use std::process::{Child, Command, Stdio};

use serde_json::Value;
use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Setup, Sidetone, binary};
use sidetone_scenarios::sipp::Plan;
use sidetone_scenarios::until;

/// Numbers that the scenarios call from and to.
const NUMBERS: [&str; 2] = ["5550100", "5550123"];

/// `sidetone trace`, its output in a file.
fn trace(sidetone: &Sidetone, name: &str, arguments: &[&str]) -> Child {
    let output = std::fs::File::create(sidetone.dir().join(name)).unwrap();
    Command::new(binary())
        .arg("trace")
        .args(arguments)
        .args(["--socket".as_ref(), sidetone.dir().join("control.sock").as_os_str()])
        .stdout(Stdio::from(output))
        .spawn()
        .unwrap()
}

fn told(sidetone: &Sidetone, name: &str) -> String {
    std::fs::read_to_string(sidetone.dir().join(name)).unwrap()
}

fn plans(net: &Net, scenario: &str) -> (Plan, Plan) {
    let mut uac = Plan::new(scenario, "uac", net.at(host::TRUNK, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    (uac, Plan::new(scenario, "uas", net.at(host::PBX, 5060)))
}

#[test]
fn the_next_call_is_drawn_and_captured_without_its_numbers() {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    setup.more.push_str("[log]\nlevel = \"debug,hyper=info\"\n");
    let sidetone = Sidetone::start(&net, &setup);
    let capture = sidetone.dir().join("call.pcap");
    let mut ladder = trace(&sidetone, "ladder", &["--next", "1", "--pcap", &capture.display().to_string()]);
    let mut lines = trace(&sidetone, "lines", &["--next", "1", "--json"]);
    until("both traces to wait", || {
        let both =
            told(&sidetone, "ladder").contains("waiting") && told(&sidetone, "lines").contains("waiting");
        both.then_some(())
    });
    let (uac, uas) = plans(&net, "basic");
    let mut call = Call::through(net, sidetone, uac, uas);
    call.answered();
    call.talk("answered");
    call.caller.open_gate();
    call.caller.finish();
    call.callee.finish();
    assert!(ladder.wait().unwrap().success() && lines.wait().unwrap().success());

    let drawn = told(&call.sidetone, "ladder");
    for arrow in [
        "─ INVITE ",
        "180 Ringing",
        "200 OK ─",
        "─ ACK ",
        "─ BYE ",
        "200 OK (BYE)",
        "* call in from carrier",
        "* answered",
        "PCMU",
    ] {
        assert!(drawn.contains(arrow), "no {arrow} in\n{drawn}");
    }
    let lines: Vec<Value> =
        told(&call.sidetone, "lines").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let methods: Vec<&str> =
        lines.iter().filter(|line| line["way"] == "in").filter_map(|line| line["method"].as_str()).collect();
    assert_eq!(methods, ["INVITE", "ACK", "BYE"]);
    let captured = std::fs::read(&capture).unwrap();
    let log = call.sidetone.process().output();
    let shown = format!("{drawn}\n{lines:?}\n{}\n{log}", String::from_utf8_lossy(&captured));
    for number in NUMBERS {
        assert!(!shown.contains(number), "a number is shown: {shown}");
    }
    // The capture is one that is read: two legs of one call.
    let analysed = Command::new(binary()).args(["analyze", &capture.display().to_string()]).output().unwrap();
    let said = String::from_utf8_lossy(&[analysed.stdout, analysed.stderr].concat()).into_owned();
    assert!(!said.contains("panicked"), "{said}");
    assert!(captured.windows(7).any(|bytes| bytes == b"INVITE "), "SIP stands in the capture");

    // The log tells the same story: each line that concerns the call names it twice.
    let id = lines.iter().find_map(|line| line["event"]["call"]["id"].as_str()).unwrap();
    for words in ["call started", "call answered", "call ended", "media agreed", " received call="] {
        assert!(log.contains(words), "no `{words}` in the log:\n{log}");
    }
    let sip_call_id = lines.iter().find_map(|line| line["sip_call_id"].as_str()).unwrap();
    for line in log.lines().filter(|line| line.contains(id)) {
        assert!(line.contains(sip_call_id), "{line}");
    }
    // A message's own lines too, of the first message and of the last: whoever looks for one id finds all of the call.
    for message in
        [" INVITE sip:", " Via: SIP/2.0/UDP", " v=0", " BYE sip:", " CSeq: 2 BYE", " SIP/2.0 200 OK"]
    {
        let said: Vec<&str> =
            log.lines().filter(|line| line.starts_with("    ") && line.contains(message)).collect();
        assert!(!said.is_empty(), "no `{message}` in the log");
        for line in said {
            assert!(line.contains(id) && line.contains(sip_call_id), "{line}");
        }
    }
    assert!(!log.contains(&format!("call=- sip_call_id={sip_call_id}")), "{log}");
    // What happens stands below the message that it comes of, and the clock never runs backwards.
    let place = |words: &str| {
        drawn.lines().position(|line| line.contains(words)).unwrap_or_else(|| panic!("{words}"))
    };
    assert!(place("* call in from") > place("─ INVITE "));
    assert!(place("* answered") > place("200 OK ─"));
    assert!(place("* ended: hangup") > place("─ BYE "));
    let clock: Vec<f64> = drawn.lines().filter_map(|line| line.get(..8)?.trim().parse().ok()).collect();
    assert!(clock.len() > 10 && clock.is_sorted(), "{drawn}");
    call.sidetone.finish();
}

#[test]
fn a_refusal_stands_in_the_log_with_its_status_and_side() {
    let mut call = Call::start("busy");
    call.caller.finish();
    call.callee.finish();
    let log = until("the refusal to be logged", || {
        let log = call.sidetone.process().output();
        (log.contains("INVITE refused") && log.contains("call ended")).then_some(log)
    });
    let line = log.lines().find(|line| line.contains("INVITE refused")).unwrap();
    for words in ["status=486", "by=\"pbx\"", "caller=\"carrier\"", "sip_call_id="] {
        assert!(line.contains(words), "no {words} in {line}");
    }
    assert_eq!(log.matches("INVITE refused").count(), 1, "{log}");
    let ended = log.lines().find(|line| line.contains("call ended")).unwrap();
    assert!(ended.contains("status=486") && ended.contains("sip_call_id="), "{ended}");
    call.sidetone.finish();
}

#[test]
fn a_call_that_is_up_is_followed_from_now_on_and_one_that_is_not_is_refused() {
    let mut call = Call::start("basic");
    call.answered();
    call.talk("answered");
    let error = call.sidetone.try_command(&["trace", "no-such-call"]).unwrap_err().stderr;
    assert!(error.contains("no call no-such-call is up"), "{error}");
    // Nor does it cost the capture of an earlier call, or leave an empty one.
    let (old, new) = (call.sidetone.dir().join("old.pcap"), call.sidetone.dir().join("new.pcap"));
    std::fs::write(&old, "precious").unwrap();
    for capture in [&old, &new] {
        let arguments = ["trace", "no-such-call", "--pcap", capture.to_str().unwrap()];
        call.sidetone.try_command(&arguments).unwrap_err();
    }
    assert_eq!(std::fs::read_to_string(&old).unwrap(), "precious");
    assert!(!new.exists());
    let calls = call.sidetone.command(&["calls", "--json"]);
    let id: Value = serde_json::from_str(&calls).unwrap();
    let id = id["id"].as_str().unwrap();
    let mut ladder = trace(&call.sidetone, "ladder", &[&id[id.len() - 6..]]);
    until("the trace to begin", || told(&call.sidetone, "ladder").contains("was not watched").then_some(()));
    call.caller.open_gate();
    call.caller.finish();
    call.callee.finish();
    assert!(ladder.wait().unwrap().success());
    let drawn = told(&call.sidetone, "ladder");
    assert!(drawn.contains("BYE") && drawn.contains("* ended: hangup"), "{drawn}");
    let stats = call.sidetone.command(&["stats"]);
    assert!(stats.contains("1 started") && stats.contains("packets forwarded"), "{stats}");
    call.sidetone.finish();
}
