//! Whether Asterisk has a call that has fallen silent: asked by a question that it must take for its peer's.

use sidetone_scenarios::asterisk::Asterisk;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::Sidetone;
use sidetone_scenarios::sip::Raw;

use crate::silence::{Caller, SILENT_PARTY, ended, question, start, until_kept, wait_for};

const WAITING: &str = "[trying-out](+)\nexten => 611,1,Answer()\n same => n,Wait(300)\n";

fn answered(net: &Net) -> (Sidetone, Asterisk, Caller) {
    let sidetone = start(net);
    let asterisk = Asterisk::start(net.v4(host::PBX), sidetone.sip(), WAITING);
    let raw = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    let caller = Caller::call(raw, "sip:611@sidetone.example", None);
    (sidetone, asterisk, caller)
}

/// The question bears a number that Asterisk has seen, and changes nothing for the requests behind it.
#[test]
fn it_has_the_call_and_says_so() {
    let net = Net::lease();
    let (sidetone, _asterisk, caller) = answered(&net);
    for round in 1..=2 {
        let asked = question(&caller.raw);
        caller.raw.answer(&asked, "200 OK");
        until_kept(&sidetone, f64::from(round));
    }
    caller.hang_up(2, None);
    assert_eq!(ended(&sidetone.finish()), "hangup");
}

#[test]
fn started_again_it_has_the_call_no_longer() {
    let net = Net::lease();
    let (sidetone, mut asterisk, caller) = answered(&net);
    asterisk.start_again();
    let bye = wait_for(&caller.raw, "BYE ", SILENT_PARTY);
    caller.raw.answer(&bye, "200 OK");
    assert_eq!(ended(&sidetone.finish()), "media-timeout");
}
