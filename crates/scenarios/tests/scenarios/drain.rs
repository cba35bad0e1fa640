//! Graceful end under load: no call is lost, none is taken; what isn't answered by the end is ended toward both sides.

use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{SESSIONS, Setup, Sidetone, of_kind};
use sidetone_scenarios::sip::Raw;
use sidetone_scenarios::sipp::{Plan, Sipp};
use sidetone_scenarios::until;

const CALLS: u32 = 10;

/// Ten calls, all up when this returns, and until their gates are opened.
fn under_load(net: &Net, sidetone: &Sidetone) -> (Sipp, Sipp) {
    let mut callee = Plan::new("load", "uas", net.at(host::PBX, 5060));
    callee.calls = CALLS;
    let callee = Sipp::start(callee, sidetone.dir());
    let mut caller = Plan::new("load", "uac", net.at(host::TRUNK, 5060));
    caller.remote = Some(sidetone.sip());
    caller.calls = CALLS;
    caller.options = ["-r", "50"].map(str::to_owned).to_vec();
    let mut caller = Sipp::start(caller, sidetone.dir());
    caller.wait_sent("ACK", CALLS as usize);
    assert_eq!(sidetone.metric(SESSIONS), f64::from(CALLS));
    (caller, callee)
}

fn refused(net: &Net, sidetone: &Sidetone) {
    let raw = Raw::bind(net.at(host::TRUNK, 5095), sidetone.sip());
    raw.send(raw.request("INVITE", "sip:+15550123@sidetone.example", "late", "").as_bytes());
    let answer = raw.response();
    assert_eq!(answer.status(), Some(503));
    assert!(answer.header("Retry-After").is_some());
}

#[test]
fn sigterm_lets_calls_end_and_takes_no_new_ones() {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    setup.more = "[limits]\ncalls = 40\ncalls_per_second = 100\ndrain = \"120s\"\n".to_owned();
    let mut sidetone = Sidetone::start(&net, &setup);
    let (mut caller, mut callee) = under_load(&net, &sidetone);
    sidetone.process().signal("TERM");
    until("no longer ready", || {
        (sidetone.get("/readyz").is_none_or(|(status, _)| status == 503)).then_some(())
    });
    refused(&net, &sidetone);
    caller.open_gates();
    caller.finish();
    callee.finish();
    assert!(sidetone.process().wait().success());
}

#[test]
fn a_drained_sidetone_stays_up_and_can_be_opened_again() {
    let net = Net::lease();
    let sidetone = Sidetone::usual(&net);
    let (mut caller, mut callee) = under_load(&net, &sidetone);
    sidetone.command(&["drain"]);
    refused(&net, &sidetone);
    caller.open_gates();
    caller.finish();
    callee.finish();
    sidetone.command(&["drain", "--cancel"]);
    let (mut caller, mut callee) = under_load(&net, &sidetone);
    caller.open_gates();
    caller.finish();
    callee.finish();
    sidetone.finish();
}

/// A phone would ring on, and its caller wait, for a call that nobody carries any more.
#[test]
fn a_call_that_rings_at_the_end_is_cancelled_and_refused() {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    setup.more = "[limits]\ndrain = \"1s\"\n".to_owned();
    let mut sidetone = Sidetone::start(&net, &setup);
    let mut callee = Sipp::start(Plan::new("ended-ringing", "uas", net.at(host::PBX, 5060)), sidetone.dir());
    let mut caller = Plan::new("ended-ringing", "uac", net.at(host::TRUNK, 5060));
    caller.remote = Some(sidetone.sip());
    let mut caller = Sipp::start(caller, sidetone.dir());
    caller.wait_response(180, "INVITE", 1);
    sidetone.process().signal("TERM");
    // Both are content only with what they were promised: 503 and its ACK here, CANCEL, 487 and its ACK there.
    caller.finish();
    callee.finish();
    assert!(sidetone.process().wait().success());
    let events = sidetone.events();
    assert_eq!(of_kind(&events, "call.answered").len(), 0);
    assert_eq!(of_kind(&events, "call.ended")[0]["data"]["cause"], "terminated");
}
