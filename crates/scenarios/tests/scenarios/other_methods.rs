//! Methods beyond calls: known, unknown, and Sidetone's own OPTIONS.

use sidetone_scenarios::call::{Call, Toward};
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::Sidetone;
use sidetone_scenarios::sipp::{Plan, Sipp};

#[test]
fn a_method_that_nobody_knows() {
    let mut call = Call::start("unknown-method");
    call.answered();
    call.talk("answered");
    call.caller.wait_response(299, "FROBNICATE", 1);
    call.caller.open_gate();
    call.finish(10);
}

#[test]
fn message() {
    Call::start("message").finish(2);
}

#[test]
fn subscribe_and_notify() {
    Call::start("subscribe-notify").finish(8);
}

#[test]
fn publish() {
    Call::start("publish").finish(2);
}

#[test]
fn options_to_a_user() {
    Call::start("options").finish(2);
}

#[test]
fn options_to_sidetone_itself() {
    let net = Net::lease();
    let sidetone = Sidetone::usual(&net);
    let mut plan = Plan::new("options-ping", "uac", net.at(host::TRUNK, 5060));
    plan.remote = Some(sidetone.sip());
    Sipp::start(plan, sidetone.dir()).finish();
    sidetone.finish();
}

#[test]
fn register_with_path() {
    let mut call = Call::start_toward("register-path", Toward::Pbx);
    let register = call.callee.wait_received("REGISTER", 1);
    let path = register.header("Path").unwrap();
    let own = call.net.at(host::SIDETONE, 5060).to_string();
    assert!(path.contains(&own) && path.contains(";lr"), "{path}");
    call.finish(2);
}
