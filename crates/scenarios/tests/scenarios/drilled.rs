//! Drills: each part that listens, tells or keeps is broken in mid-call. Media go on as they came, as long as it is
//! broken; somebody who looks can see it; afterwards all is well again by itself.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sidetone_scenarios::asterisk::Asterisk;
use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::rtp::{End, ulaw};
use sidetone_scenarios::sidetone::{Setup, Sidetone, of_kind};
use sidetone_scenarios::sipp::Plan;
use sidetone_scenarios::{repository, until};

/// A drill under way. It ends when this is dropped.
struct Drill {
    fault: &'static str,
    _line: UnixStream,
}

/// Breaks a part until the drill is dropped, or for ten minutes.
fn begin(sidetone: &Sidetone, fault: &'static str) -> Drill {
    let mut line = UnixStream::connect(sidetone.dir().join("control.sock")).unwrap();
    writeln!(line, "{}", json!({ "do": "chaos", "fault": fault, "seconds": 600 })).unwrap();
    let mut answer = String::new();
    BufReader::new(&line).read_line(&mut answer).unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer, json!({ "drill": "begun", "fault": fault }));
    Drill { fault, _line: line }
}

fn is_on(sidetone: &Sidetone, fault: &str) -> bool {
    sidetone.series("sidetone_drill", &[("fault", fault)]) == 1.0
}

impl Drill {
    /// Ends it; that it has lasted until now is asserted.
    fn end(self, sidetone: &Sidetone) {
        let fault = self.fault;
        assert!(is_on(sidetone, fault), "{fault} was on all the time");
        drop(self);
        until("the end of the drill", || (!is_on(sidetone, fault)).then_some(()));
    }
}

/// Eight seconds of the demo's caller.
fn speech() -> Vec<i16> {
    let mut reader = hound::WavReader::open(repository().join("demo/caller.wav")).unwrap();
    reader.samples().map(Result::unwrap).skip(24 * 8_000).take(8 * 8_000).collect()
}

/// The caller speaks, the agent is silent, at the pace of speech; every packet comes to the other end as it was sent.
fn speak(call: &mut Call, speech: &[i16]) {
    let (caller, agent) = (&mut call.caller_media, &mut call.callee_media);
    let ways = |caller: &End, agent: &End, at_agent: &mut Vec<Vec<u8>>, at_caller: &mut Vec<Vec<u8>>| {
        at_agent.extend(std::iter::from_fn(|| agent.receive()).map(|(packet, _)| packet));
        at_caller.extend(std::iter::from_fn(|| caller.receive()).map(|(packet, _)| packet));
    };
    let (mut by_caller, mut by_agent) = (Vec::new(), Vec::new());
    let (mut at_agent, mut at_caller) = (Vec::new(), Vec::new());
    let start = Instant::now();
    for (n, frame) in (1_u32..).zip(speech.chunks_exact(160)) {
        let spoken: Vec<u8> = frame.iter().map(|sample| ulaw(*sample)).collect();
        by_caller.push(caller.packet_of(n == 1, &spoken));
        by_agent.push(agent.packet_of(n == 1, &[0xff; 160]));
        caller.send(by_caller.last().unwrap());
        agent.send(by_agent.last().unwrap());
        ways(caller, agent, &mut at_agent, &mut at_caller);
        let next = start + Duration::from_millis(20) * n;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    until("all packets", || {
        ways(caller, agent, &mut at_agent, &mut at_caller);
        (at_agent.len() >= by_caller.len() && at_caller.len() >= by_agent.len()).then_some(())
    });
    assert!(at_agent == by_caller && at_caller == by_agent, "each packet as it was sent, in order, once");
}

fn call(net: Net, sidetone: Sidetone) -> Call {
    let mut caller = Plan::new("talk", "uac", net.at(host::TRUNK, 5060));
    caller.remote = Some(sidetone.sip());
    let callee = Plan::new("talk", "uas", net.at(host::PBX, 5060));
    let mut call = Call::through(net, sidetone, caller, callee);
    call.answered();
    call
}

/// Hangs up; what is left for the next call.
fn hang_up(mut call: Call) -> (Net, Sidetone) {
    call.caller.open_gate();
    call.caller.finish();
    call.callee.finish();
    let Call { net, sidetone, .. } = call;
    sidetone.wait_until_idle();
    (net, sidetone)
}

fn updates(sidetone: &Sidetone) -> usize {
    of_kind(&sidetone.events(), "affect.update").len()
}

/// The network, and the threads that run it.
#[test]
fn what_listens_may_break_and_calls_have_nothing_of_it() {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    setup.more = "[chaos]\nwindows = [\"daily 00:00-24:00\"]\n".to_owned();
    let speech = speech();
    let (mut net, mut sidetone) = (net, None);
    let started =
        |net: &Net, sidetone: Option<Sidetone>| sidetone.unwrap_or_else(|| Sidetone::start(net, &setup));
    // What shows it, and whether a call that was up is listened to afterwards.
    for (fault, shown, goes_on) in [
        ("model-frozen", "sidetone_threads_missed", true),
        ("model-slow", "sidetone_analysis_shed_packets_total", true),
        ("model-nan", "sidetone_analysis_failed_total", true),
        ("relay-panics", "sidetone_task_panics_total", true),
        ("model-panics", "sidetone_analysis_panics_total", false),
        ("hear-panics", "sidetone_analysis_panics_total", false),
    ] {
        let running = started(&net, sidetone.take());
        let before = running.metric(shown);
        let mut call = call(net, running);
        speak(&mut call, &speech[..3 * 8_000]);
        let drill = begin(&call.sidetone, fault);
        speak(&mut call, &speech[..3 * 8_000]);
        while call.sidetone.metric(shown) <= before {
            speak(&mut call, &speech[..8_000]);
        }
        drill.end(&call.sidetone);
        if fault == "model-frozen" {
            until("the thread to be found again", || (call.sidetone.metric(shown) == 0.0).then_some(()));
        }
        if goes_on {
            let told = updates(&call.sidetone);
            while updates(&call.sidetone) <= told {
                speak(&mut call, &speech[3 * 8_000..5 * 8_000]);
            }
        }
        let (its_net, running) = hang_up(call);
        let (status, _) = running.get("/readyz").unwrap();
        assert_eq!(status, 200, "after {fault}");
        (net, sidetone) = (its_net, Some(running));
    }
    let events = sidetone.unwrap().finish();
    for update in of_kind(&events, "affect.update") {
        let data = &update["data"];
        assert!(data["valence"].is_number() && data["arousal"].is_number(), "{update}");
    }
    assert_eq!(of_kind(&events, "call.ended").len(), 6);
}

/// Takes what webhooks post, for as long as the test lasts.
fn receiver(at: SocketAddr) -> std::sync::mpsc::Receiver<String> {
    let listener = TcpListener::bind(at).unwrap();
    let (posted, posts) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let mut length = 0;
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                if let Some(stated) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = stated.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            if reader.read_exact(&mut body).is_err() || posted.send(String::from_utf8(body).unwrap()).is_err()
            {
                return;
            }
            let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
            reader.get_mut().write_all(answer).unwrap();
        }
    });
    posts
}

fn keeping(folder: &Path, webhook: SocketAddr) -> String {
    format!(
        "[chaos]\nwindows = [\"daily 00:00-24:00\"]\n[journal]\npath = {:?}\n[spool]\npath = {:?}\n[store]\npath = \
         {:?}\n[consent]\nreceipts = {:?}\n[[events.webhook]]\nurl = \"http://{webhook}/\"\nsecret = \"{}\"\n",
        folder.join("calls.journal"),
        folder.join("spool.db"),
        folder.join("store.db"),
        folder.join("receipts"),
        "x".repeat(32),
    )
}

/// What keeps and tells: each is caught up on afterwards, to the last event and receipt.
#[test]
fn what_keeps_and_tells_may_break_and_catches_up() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let webhook = net.at(host::SECOND, 8080);
    let posts = receiver(webhook);
    let mut setup = Setup::usual(&net);
    setup.more = keeping(folder.path(), webhook);
    let sidetone = Sidetone::start(&net, &setup);
    let speech = speech();
    let mut call = call(net, sidetone);
    speak(&mut call, &speech[..2 * 8_000]);
    for (fault, shown) in [
        ("webhook", "sidetone_sink_retries_total"),
        ("store", "sidetone_store_failures_total"),
        ("reader", "sidetone_sink_dropped_total"),
        ("log", "sidetone_drill"),
        ("disk-full", "sidetone_spool_failures_total"),
    ] {
        // Sinks are counted one by one, and the reader of a drill is there as long as it lasts.
        let count = |sidetone: &Sidetone| -> f64 {
            let page = sidetone.get("/metrics").unwrap().1;
            let lines = page.lines().filter(|line| line.starts_with(shown));
            lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
        };
        let before = count(&call.sidetone);
        let drill = begin(&call.sidetone, fault);
        speak(&mut call, &speech[..3 * 8_000]);
        while count(&call.sidetone) <= before {
            speak(&mut call, &speech[..2 * 8_000]);
        }
        drill.end(&call.sidetone);
    }
    // Failing for more than three seconds, the journal was removed; it is begun anew.
    until("the journal", || (call.sidetone.metric("sidetone_journal_calls") == 1.0).then_some(()));
    until("the store", || (call.sidetone.metric("sidetone_store_up") == 1.0).then_some(()));
    until("the log", || call.sidetone.output().contains("the drill is over").then_some(()));
    let drill = begin(&call.sidetone, "receipts");
    let (net, sidetone) = hang_up(call);
    until("the receipt to fail", || (sidetone.metric("sidetone_receipt_failures_total") > 0.0).then_some(()));
    drill.end(&sidetone);
    until("the receipt", || (sidetone.metric("sidetone_receipts_total") == 1.0).then_some(()));
    until("all in the store", || {
        let metrics = sidetone.metrics();
        let [told, stored] =
            ["sidetone_events_total", "sidetone_store_events_total"].map(|name| metrics[name]);
        (stored >= told).then_some(())
    });
    assert_eq!(sidetone.series("sidetone_spool_events_total", &[("outcome", "lost")]), 0.0);
    let events = sidetone.finish();
    let mut posted = Vec::new();
    while let Ok(post) = posts.recv_timeout(Duration::from_secs(1)) {
        let events: Vec<Value> = serde_json::from_str(&post).unwrap();
        posted.extend(events.into_iter().map(|event| event["id"].as_str().unwrap().to_owned()));
    }
    for event in &events {
        let id = event["id"].as_str().unwrap();
        assert_eq!(posted.iter().filter(|posted| *posted == id).count(), 1, "{event} by the webhook, once");
    }
    drop(net);
}

/// A journal that was begun anew knows the calls that were up.
#[test]
fn a_call_outlives_a_full_disk_and_then_the_process() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let mut setup = Setup::usual(&net);
    setup.more = format!(
        "[chaos]\nwindows = [\"daily 00:00-24:00\"]\n[journal]\npath = {:?}\n",
        folder.path().join("calls.journal")
    );
    let sidetone = Sidetone::start(&net, &setup);
    let mut call = call(net, sidetone);
    call.talk("before");
    let drill = begin(&call.sidetone, "disk-full");
    let error = call.sidetone.upgrade(&[]).unwrap_err();
    assert!(error.to_string().contains("a drill is under way"), "{error}");
    until("the journal to be removed", || {
        call.talk("meanwhile");
        (call.sidetone.metric("sidetone_journal_calls") == 0.0).then_some(())
    });
    drill.end(&call.sidetone);
    until("the journal", || (call.sidetone.metric("sidetone_journal_calls") == 1.0).then_some(()));
    // Its media are told once a second.
    until("all of it", || (call.sidetone.metric("sidetone_journal_waiting") == 0.0).then_some(()));
    std::thread::sleep(Duration::from_millis(1_500));
    call.sidetone.kill_and_start_anew();
    assert_eq!(call.sidetone.metric("sidetone_journal_recovered_calls_total"), 1.0);
    call.talk("afterwards");
    let (_net, sidetone) = hang_up(call);
    sidetone.finish();
}

#[test]
fn links_to_a_pbx_that_break_are_made_again() {
    let net = Net::lease();
    let _asterisk = Asterisk::start(net.v4(host::PBX), net.at(host::SIDETONE, 5060), "");
    let mut setup = Setup::usual(&net);
    setup.more = format!(
        "[pbx.ami]\naddress = \"{}\"\nusername = \"sidetone\"\nsecret = \"change-me\"\n\
         [chaos]\nwindows = [\"daily 00:00-24:00\"]\n",
        net.at(host::PBX, 5038)
    );
    let sidetone = Sidetone::start(&net, &setup);
    let is = |up: f64| (sidetone.series("sidetone_link_up", &[("kind", "ami")]) == up).then_some(());
    until("the link", || is(1.0));
    let drill = begin(&sidetone, "pbx");
    until("the link to break", || is(0.0));
    drill.end(&sidetone);
    until("the link again", || is(1.0));
    sidetone.finish();
}

/// As an operator holds one.
#[test]
fn a_drill_is_held_in_its_window_and_reported_on() {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    let refused = Sidetone::start(&net, &setup);
    let error = refused.try_command(&["chaos", "reader", "--for", "1"]).unwrap_err().stderr;
    assert!(error.contains("set chaos.windows"), "{error}");
    let error = refused.try_command(&["chaos", "webhook", "--for", "1"]).unwrap_err().stderr;
    assert!(error.contains("no webhook is told"), "{error}");
    refused.finish();
    setup.more = "[chaos]\nwindows = [\"daily 00:00-24:00\"]\n".to_owned();
    let sidetone = Sidetone::start(&net, &setup);
    let mut call = call(net, sidetone);
    call.talk("before");
    let said = call.sidetone.command(&["chaos", "model-frozen", "--for", "12"]);
    assert!(
        said.contains("none lost here") && said.contains("hear-0") && said.contains("recovered"),
        "{said}"
    );
    let said = call.sidetone.command(&["chaos", "relay-panics", "--for", "1", "--json"]);
    let report: Value = serde_json::from_str(said.trim()).unwrap();
    assert!(report["rose"]["task_panics"].as_u64() >= Some(1), "{report}");
    assert!(report["recovered_after_s"].is_number(), "{report}");
    call.talk("afterwards");
    let (_net, sidetone) = hang_up(call);
    sidetone.finish();
}
