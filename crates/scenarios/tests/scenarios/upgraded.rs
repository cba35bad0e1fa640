//! A new process takes over from the one that runs: no call hangs up, and no packet is lost.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::rtp::speak;
use sidetone_scenarios::sidetone::{SESSIONS, Setup, Sidetone, binary, of_kind};
use sidetone_scenarios::sip::Raw;
use sidetone_scenarios::sipp::{Plan, Sipp};
use sidetone_scenarios::{GUARD, repository, until};

use crate::resumed::{accept, routes, with_sdp};

/// A setup whose calls are written down in Sidetone's own folder.
fn journalled(net: &Net) -> Setup {
    let mut setup = Setup::usual(net);
    setup.more = "[journal]\npath = \"calls.journal\"\n".to_owned();
    setup
}

fn answered(scenario: &str, setup: impl FnOnce(&Net) -> Setup) -> Call {
    let net = Net::lease();
    let setup = setup(&net);
    let mut uac = Plan::new(scenario, "uac", net.at(host::TRUNK, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    let uas = Plan::new(scenario, "uas", net.at(host::PBX, 5060));
    let mut call = Call::start_with(net, &setup, uac, uas);
    call.answered();
    call
}

/// Seven seconds of the demo's caller, who loses patience.
fn speech(part: usize) -> Vec<i16> {
    let mut reader = hound::WavReader::open(repository().join("demo/caller.wav")).unwrap();
    reader.samples().map(Result::unwrap).skip((24 + part * 7) * 8_000).take(7 * 8_000).collect()
}

fn view(call: &Call) -> Value {
    let calls = call.sidetone.command(&["calls", "--json"]);
    serde_json::from_str(calls.lines().next().expect("a call that is up")).unwrap()
}

/// Raises a flag at its end, by a panic too.
struct Raised<'a>(&'a AtomicBool);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Both parties go on sending, a packet each 20 ms, while something else is done; every packet must arrive, unchanged
/// and in order.
fn talking<R>(call: &mut Call, meanwhile: impl FnOnce(&mut Sidetone) -> R) -> R {
    let over = AtomicBool::new(false);
    let (caller, callee, sidetone) = (&mut call.caller_media, &mut call.callee_media, &mut call.sidetone);
    thread::scope(|scope| {
        let sends = scope.spawn(|| {
            let mut sent: [Vec<Vec<u8>>; 2] = Default::default();
            while !over.load(Relaxed) {
                for (end, sent) in [&mut *caller, &mut *callee].into_iter().zip(&mut sent) {
                    let packet = end.packet(false);
                    end.send(&packet);
                    sent.push(packet);
                }
                thread::sleep(Duration::from_millis(20));
            }
            (caller, callee, sent)
        });
        let result = {
            let _guard = Raised(&over);
            meanwhile(sidetone)
        };
        let (caller, callee, [from_caller, from_callee]) = sends.join().unwrap();
        for (to, sent) in [(&*callee, from_caller), (&*caller, from_callee)] {
            for (number, packet) in sent.iter().enumerate() {
                let arrived = until("a packet", || to.receive().map(|(packet, _)| packet));
                assert_eq!(&arrived, packet, "packet {number} of {}", sent.len());
            }
        }
        result
    })
}

#[test]
fn a_call_goes_on_in_the_next_process_without_one_packet_lost() {
    let mut call = answered("basic", journalled);
    call.talk("before");
    let before = view(&call);
    let old = call.sidetone.process().id();
    let told = talking(&mut call, |sidetone| sidetone.upgrade(&[]).unwrap());
    assert_ne!(told["pid"], old);
    assert_eq!((&told["calls"], &told["ended"]), (&1.into(), &0.into()), "{told}");
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    let after = view(&call);
    for key in ["id", "direction", "trunk", "pbx", "caller", "callee", "consent", "policy", "signalling"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    // And once more, by the process that took over.
    let again = talking(&mut call, |sidetone| sidetone.upgrade(&[]).unwrap());
    assert_ne!(again["pid"], told["pid"]);
    call.caller.open_gate();
    let events = call.finish(6);
    for kind in ["call.started", "call.answered", "call.ended"] {
        assert_eq!(of_kind(&events, kind).len(), 1, "{kind}");
    }
    let ended = of_kind(&events, "call.ended")[0];
    assert_eq!((&ended["data"]["cause"], &ended["data"]["by"]), (&"hangup".into(), &"customer".into()));
}

/// Of the caller's speech the new process knows all that the old one has heard.
#[test]
fn what_was_heard_before_an_upgrade_is_in_the_summary() {
    let mut call = answered("basic", journalled);
    speak(&mut call.caller_media, &mut call.callee_media, &speech(0));
    let before = until("the speech to be heard", || {
        view(&call)["conduct"]["customer"]["talk_ms"].as_u64().filter(|talk| *talk > 2_000)
    });
    call.sidetone.upgrade(&[]).unwrap();
    speak(&mut call.caller_media, &mut call.callee_media, &speech(1));
    call.caller.open_gate();
    let events = call.finish(6);
    let summary = &of_kind(&events, "call.ended")[0]["data"]["summary"];
    let talk = summary["conduct"]["customer"]["talk_ms"].as_u64();
    assert!(talk > Some(before + 1_500), "{before} before: {summary}");
}

/// New calls come all the time, while one process after another takes over: each is carried, in the old process or in
/// the new one, and none fails. `SIDETONE_CALLS` says how many, to see how long a hand-over takes.
#[test]
fn calls_that_begin_meanwhile_are_carried_all_the_same() {
    let calls: u32 = std::env::var("SIDETONE_CALLS").map_or(60, |calls| calls.parse().unwrap());
    let net = Net::lease();
    let mut setup = journalled(&net);
    setup.more.push_str("[limits]\ncalls = 10000\ncalls_per_second = 1000\n");
    setup.media = setup.media.replace("30000-30199", "20000-39999");
    let mut sidetone = Sidetone::start(&net, &setup);
    let (mut caller, mut callee) = Sipp::start_load(&net, &sidetone, calls, 10.max(calls / 40));
    for _ in 0..3 {
        let told = sidetone.upgrade(&[]).unwrap();
        assert_eq!(told["ended"], 0, "{told}");
    }
    caller.wait_sent("ACK", calls as usize);
    let told = sidetone.upgrade(&[]).unwrap();
    assert_eq!((&told["calls"], &told["ended"]), (&calls.into(), &0.into()), "{told}");
    println!("{told}");
    assert_eq!(sidetone.metric(SESSIONS), f64::from(calls));
    if calls > 200 {
        // SIPp's socket has no room for more gates at once; this was to see how long it takes.
        return;
    }
    caller.open_gates();
    caller.finish();
    callee.finish();
    let events = sidetone.finish();
    for kind in ["call.started", "call.ended"] {
        assert_eq!(of_kind(&events, kind).len(), calls as usize, "{kind}");
    }
}

/// A program in place of Sidetone.
fn program(folder: &Path, script: &str) -> String {
    let path = folder.join("program");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[test]
fn a_program_that_is_not_fit_takes_nothing_over() {
    let mut call = answered("basic", journalled);
    let folder = call.sidetone.dir().to_owned();
    let old = call.sidetone.process().id();
    let real = binary().display().to_string();
    let config = std::fs::read_to_string(folder.join("sidetone.toml")).unwrap();
    let bad = folder.join("bad.toml");
    for (script, changed, why) in [
        ("exit 3".to_owned(), String::new(), "it has ended"),
        ("echo nonsense >&0; sleep 5".to_owned(), String::new(), "not expected of it"),
        (
            format!("exec {real} run --take-over --config {}", bad.display()),
            config.replace("[media]", "[media]\nthreads = 0\nthreds = 1"),
            "threds",
        ),
        (
            format!("exec {real} run --take-over --config {}", bad.display()),
            config.replace("calls.journal", "others.journal"),
            "leave journal.path as it is",
        ),
    ] {
        std::fs::write(&bad, changed).unwrap();
        let program = program(&folder, &script);
        let error = talking(&mut call, |sidetone| sidetone.upgrade(&["--program", &program]).unwrap_err());
        assert!(error.to_string().contains(why), "{script}: {error}");
        assert!(error.to_string().contains("goes on as it was"), "{error}");
        assert_eq!(call.sidetone.process().id(), old);
    }
    // What takes effect by a restart alone stays: where another program has that address, nobody could go back.
    std::fs::write(folder.join("sidetone.toml"), config.replace(":9464", ":9465")).unwrap();
    let error = talking(&mut call, |sidetone| sidetone.upgrade(&[]).unwrap_err());
    assert!(error.to_string().contains("http of the configuration file changed"), "{error}");
    assert_eq!(call.sidetone.process().id(), old);
    call.talk("after");
    call.caller.open_gate();
    call.finish(6);
}

/// An upgrade that waits for a call that rings, until something happens; why it then was none.
fn called_off(sidetone: &Sidetone, happens: impl FnOnce()) -> String {
    let waited = || sidetone.output().matches("waiting for a moment").count();
    let before = waited();
    let error = thread::scope(|scope| {
        let waits = scope.spawn(move || {
            let program = binary().display().to_string();
            let arguments = ["upgrade", "--json", "--wait", "600", "--program", &program];
            sidetone.try_command(&arguments).unwrap_err()
        });
        until("it to wait", || (waited() > before).then_some(()));
        happens();
        waits.join().unwrap()
    });
    error.to_string()
}

/// A successor that dies while it waits costs nothing; and who ends the process in the midst of an upgrade ends it.
#[test]
fn what_ends_an_upgrade_while_it_waits() {
    let net = Net::lease();
    let mut setup = journalled(&net);
    setup.more.push_str("[limits]\ndrain = \"1s\"\n");
    let mut sidetone = Sidetone::start(&net, &setup);
    let mut callee = Sipp::start(Plan::new("ended-ringing", "uas", net.at(host::PBX, 5060)), sidetone.dir());
    let mut caller = Plan::new("ended-ringing", "uac", net.at(host::TRUNK, 5060));
    caller.remote = Some(sidetone.sip());
    let mut caller = Sipp::start(caller, sidetone.dir());
    caller.wait_response(180, "INVITE", 1);
    let id = sidetone.process().id();
    let kill = |signal: &str, id: &str| {
        assert!(std::process::Command::new("kill").args([signal, id]).status().unwrap().success());
    };
    let error = called_off(&sidetone, || {
        let pgrep = std::process::Command::new("ps").args(["-o", "pid=", "--ppid", &id.to_string()]).output();
        kill("-KILL", String::from_utf8(pgrep.unwrap().stdout).unwrap().trim());
    });
    assert!(error.contains("has ended while it waited") && error.contains("goes on as it was"), "{error}");
    assert_eq!(sidetone.metric(SESSIONS), 1.0);
    let error = called_off(&sidetone, || {
        let second = sidetone.try_command(&["upgrade"]).unwrap_err().to_string();
        assert!(second.contains("in the midst of another upgrade"), "{second}");
        kill("-TERM", &id.to_string());
    });
    assert!(error.contains("called off"), "{error}");
    caller.finish();
    callee.finish();
    assert!(sidetone.process().wait().success());
}

/// The other process would take new calls.
#[test]
fn while_no_new_calls_are_taken_there_is_no_upgrade() {
    let net = Net::lease();
    let mut sidetone = Sidetone::start(&net, &journalled(&net));
    sidetone.command(&["drain"]);
    let error = sidetone.upgrade(&[]).unwrap_err().to_string();
    assert!(error.contains("drain --cancel"), "{error}");
    sidetone.command(&["drain", "--cancel"]);
    sidetone.upgrade(&[]).unwrap();
    sidetone.finish();
}

/// It could run, takes the sockets, and breaks down over something that nobody could foresee.
#[test]
fn a_program_that_does_not_get_up_gives_the_calls_back() {
    let mut call = answered("basic", journalled);
    let folder = call.sidetone.dir().to_owned();
    let old = call.sidetone.process().id();
    let taken = std::net::TcpListener::bind(call.net.at(host::SIDETONE, 0)).unwrap();
    let config = std::fs::read_to_string(folder.join("sidetone.toml")).unwrap();
    let own = format!("listen = \"{}\"", call.net.at(host::SIDETONE, 9464));
    let bad = folder.join("bad.toml");
    std::fs::write(&bad, config.replace(&own, &format!("listen = \"{}\"", taken.local_addr().unwrap())))
        .unwrap();
    let real = binary().display().to_string();
    let program = program(&folder, &format!("exec {real} run --take-over --config {}", bad.display()));
    let before = view(&call);
    let error = talking(&mut call, |sidetone| {
        let error = sidetone.upgrade(&["--program", &program]).unwrap_err();
        sidetone.began_anew();
        error
    });
    assert!(error.to_string().contains("carry its calls on"), "{error}");
    assert_eq!(call.sidetone.process().id(), old);
    assert_eq!(view(&call)["id"], before["id"]);
    // It is whole: it can be upgraded still.
    talking(&mut call, |sidetone| sidetone.upgrade(&[]).unwrap());
    call.caller.open_gate();
    let events = call.finish(6);
    assert_eq!(of_kind(&events, "call.ended").len(), 1);
}

/// A call that rings can't be carried on, so it is waited for.
#[test]
fn a_call_that_rings_is_waited_for() {
    let net = Net::lease();
    let setup = journalled(&net);
    let mut uac = Plan::new("early-media", "uac", net.at(host::TRUNK, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    let uas = Plan::new("early-media", "uas", net.at(host::PBX, 5060));
    let mut call = Call::start_with(net, &setup, uac, uas);
    call.caller.wait_response(183, "INVITE", 1);
    call.aim();
    call.talk("early");
    let (sidetone, callee) = (&mut call.sidetone, &mut call.callee);
    let told = thread::scope(|scope| {
        let waits = scope.spawn(|| sidetone.upgrade(&[]).unwrap());
        callee.open_gate();
        waits.join().unwrap()
    });
    assert_eq!((&told["calls"], &told["ended"]), (&1.into(), &0.into()), "{told}");
    call.talk("answered");
    call.callee.open_gate();
    call.finish(6);
}

/// And where that takes too long, it ends as at an orderly end: its caller may try elsewhere, and nobody's phone goes
/// on ringing.
#[test]
fn a_call_that_rings_for_too_long_is_ended() {
    let net = Net::lease();
    let mut sidetone = Sidetone::start(&net, &journalled(&net));
    let mut callee = Sipp::start(Plan::new("ended-ringing", "uas", net.at(host::PBX, 5060)), sidetone.dir());
    let mut caller = Plan::new("ended-ringing", "uac", net.at(host::TRUNK, 5060));
    caller.remote = Some(sidetone.sip());
    let mut caller = Sipp::start(caller, sidetone.dir());
    caller.wait_response(180, "INVITE", 1);
    let told = sidetone.upgrade(&["--wait", "0"]).unwrap();
    assert_eq!((&told["calls"], &told["ended"]), (&0.into(), &1.into()), "{told}");
    caller.finish();
    callee.finish();
    let events = sidetone.finish();
    assert_eq!(of_kind(&events, "call.ended")[0]["data"]["cause"], "terminated");
}

/// Its answer would come to a process that knows nothing of it: it is waited for, and then a 503. The call goes on.
#[test]
fn who_waits_for_an_answer_to_a_re_invite_gets_one() {
    let net = Net::lease();
    let mut sidetone = Sidetone::start(&net, &journalled(&net));
    let carrier = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    let pbx = Raw::bind(net.at(host::PBX, 5060), sidetone.sip());
    let (more, offer) = with_sdp(&carrier);
    let invite = carrier.request("INVITE", "sip:+15550123@sidetone.example", "mid", &more);
    carrier.send(format!("{invite}{offer}").as_bytes());
    let received = pbx.request_within(GUARD).expect("the INVITE");
    accept(&pbx, &received, "agent");
    let ok = carrier.response();
    let route = routes(ok.headers("Record-Route").into_iter().rev());
    let target = format!("sip:raw@{}", pbx.at());
    let within = |request: String| request.replacen(">\r\nCall-ID", ">;tag=agent\r\nCall-ID", 1);
    carrier.send(within(carrier.request("ACK", &target, "mid", &route)).as_bytes());
    assert!(pbx.request_within(GUARD).expect("the ACK").start_line().starts_with("ACK "));
    until("the call to be written down", || (sidetone.metric("sidetone_journal_calls") == 1.0).then_some(()));

    let again = within(carrier.request("INVITE", &target, "mid", &format!("{route}{more}")))
        .replace("z9hG4bKmid", "z9hG4bKagain")
        .replace("CSeq: 1", "CSeq: 2");
    carrier.send(format!("{again}{offer}").as_bytes());
    assert!(pbx.request_within(GUARD).expect("the re-INVITE").start_line().starts_with("INVITE "));
    let told = sidetone.upgrade(&["--wait", "0"]).unwrap();
    assert_eq!((&told["calls"], &told["ended"]), (&1.into(), &0.into()), "{told}");
    let refused = carrier.response();
    assert_eq!((refused.status(), refused.header("CSeq").as_deref()), (Some(503), Some("2 INVITE")));
}

#[test]
fn without_a_journal_there_is_no_upgrade() {
    let mut call = answered("basic", Setup::usual);
    let error = call.sidetone.upgrade(&[]).unwrap_err();
    assert!(error.to_string().contains("journal.path"), "{error}");
    call.talk("after");
    call.caller.open_gate();
    call.finish(6);
}

/// systemd is told which process it watches over from now on.
#[test]
fn the_service_manager_is_told_who_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(sidetone_scenarios::GUARD)).unwrap();
    let net = Net::lease();
    let setup = journalled(&net);
    let mut sidetone = Sidetone::start_with(&net, &setup, &[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    let told = sidetone.upgrade(&[]).unwrap();
    let mut said = [0; 256];
    let length = manager.recv(&mut said).unwrap();
    let said = String::from_utf8_lossy(&said[..length]).into_owned();
    assert!(said.contains(&format!("MAINPID={}\n", told["pid"])), "{said}");
    sidetone.finish();
}

/// A journal that can't be written would give calls back as they were, and an objection with them.
#[test]
fn where_calls_can_not_be_written_down_there_is_no_upgrade() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let mut call = answered("talk", |net| {
        let mut setup = Setup::usual(net);
        setup.more = format!("[journal]\npath = {:?}\n", state.join("calls.journal"));
        setup
    });
    call.talk("before");
    // Its folder is gone, and can't be made again.
    std::fs::remove_dir_all(&state).unwrap();
    std::fs::write(&state, "in the way").unwrap();
    let error = call.sidetone.upgrade(&[]).unwrap_err();
    assert!(error.to_string().contains("journal.path"), "{error}");
    call.talk("meanwhile");
    std::fs::remove_file(&state).unwrap();
    let journal = state.join("calls.journal");
    until("the journal to be begun anew", || {
        (journal.exists() && call.sidetone.metric("sidetone_journal_calls") == 1.0).then_some(())
    });
    call.talk("begun anew");
    // Of a file alone that is gone the next process would find nothing. Once it is begun anew, an upgrade is one again:
    // on a slow machine that may come before the moment.
    std::fs::remove_file(&journal).unwrap();
    match call.sidetone.upgrade(&[]) {
        Err(error) => assert!(error.to_string().contains("can't be written down"), "{error}"),
        Ok(told) => assert_eq!(told["calls"], 1, "{told}"),
    }
    call.talk("afterwards");
    call.caller.open_gate();
    call.finish(6);
}
