//! What a call needs may run out: then new calls are refused, those that are up go on, and once there is more of it,
//! calls are carried again.

use std::path::PathBuf;
use std::process::Command;

use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Setup, Sidetone};
use sidetone_scenarios::sip::Raw;
use sidetone_scenarios::sipp::Plan;
use sidetone_scenarios::until;

/// More than there are sockets for that are bound ahead; fewer than the trunk's share.
const MOST: usize = 200;

/// A call that is up, and a carrier that may call as often as it likes; nobody answers it.
fn up(change: impl FnOnce(&mut Setup)) -> (Call, Raw) {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    setup.more = "[limits]\ncalls = 1000\ncalls_per_second = 1000\n".to_owned();
    change(&mut setup);
    let sidetone = Sidetone::start(&net, &setup);
    let carrier = Raw::bind(net.at(host::TRUNK, 5190), sidetone.sip());
    let mut caller = Plan::new("talk", "uac", net.at(host::TRUNK, 5060));
    caller.remote = Some(sidetone.sip());
    let callee = Plan::new("talk", "uas", net.at(host::PBX, 5060));
    let mut call = Call::through(net, sidetone, caller, callee);
    call.answered();
    call.talk("before");
    (call, carrier)
}

fn invite(carrier: &Raw, id: &str) {
    let ip = carrier.at().ip();
    let sdp = format!(
        "v=0\r\no=raw 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
    );
    let more = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n", sdp.len());
    carrier.send(
        format!("{}{sdp}", carrier.request("INVITE", "sip:+15550123@sidetone.example", id, &more)).as_bytes(),
    );
}

/// Calls until it is refused for want of ports. The PBX is silent: who waits for too long is refused for that.
fn call_until_refused(call: &Call, carrier: &Raw) {
    for number in 0..MOST {
        invite(carrier, &format!("call-{number}"));
    }
    loop {
        let answer = carrier.response();
        assert_eq!(answer.status(), Some(503), "{}", answer.start_line());
        if answer.start_line().contains("No Media Port") {
            assert!(answer.header("Retry-After").is_some());
            break;
        }
    }
    assert!(call.sidetone.series("sidetone_refused_total", &[("reason", "no_ports")]) > 0.0);
}

#[test]
fn when_ports_run_out_calls_are_refused_and_those_that_are_up_go_on() {
    let (mut call, carrier) = up(|setup| {
        setup.media = setup.media.replace("30000-30199", "30000-30015");
    });
    call_until_refused(&call, &carrier);
    call.talk("meanwhile");
}

fn limit(pid: u32, descriptors: usize) {
    let limit = format!("--nofile={descriptors}:");
    let limited = Command::new("prlimit").args(["--pid", &pid.to_string(), &limit]).status().unwrap();
    assert!(limited.success(), "prlimit (Debian: util-linux)");
}

#[test]
fn when_descriptors_run_out_calls_are_refused_and_those_that_are_up_go_on() {
    // Of ports there are more than enough.
    let (mut call, carrier) = up(|setup| {
        setup.media = setup.media.replace("30000-30199", "30000-31999");
    });
    let pid = call.sidetone.process().id();
    let open = std::fs::read_dir(PathBuf::from(format!("/proc/{pid}/fd"))).unwrap().count();
    // Some are left for who looks at metrics.
    limit(pid, open + 8);
    call_until_refused(&call, &carrier);
    call.talk("meanwhile");
    let before = call.sidetone.metric("sidetone_sessions");
    limit(pid, 4_096);
    until("calls to be carried again", || {
        invite(&carrier, &format!("again-{}", call.sidetone.metric("sidetone_uptime_seconds")));
        (call.sidetone.metric("sidetone_sessions") > before).then_some(())
    });
    call.talk("afterwards");
}
