//! Asterisk and a softphone without Sidetone between them: what the other `asterisk_*` tests rest on.

use sidetone_scenarios::asterisk::Asterisk;
use sidetone_scenarios::baresip::{Baresip, Codec};
use sidetone_scenarios::net::{Net, host};

fn echo(codec: Codec) {
    let net = Net::lease();
    let _asterisk = Asterisk::start(net.v4(host::PBX), net.at(host::TRUNK, 5060), "");
    let ada = net.v4(host::TRUNK);
    let mut phone = Baresip::start(ada, &format!("ada@{ada}"), ";regint=0", codec, 1.0);
    phone.command("dial", &format!("sip:600@{}", net.v4(host::PBX)));
    phone.wait_event("CALL_ESTABLISHED");
    phone.wait_until_hears("the echo", phone.played());
    phone.command("hangup", "");
    phone.wait_event("CALL_CLOSED");
}

#[test]
fn g711() {
    echo(Codec::Pcmu);
}

#[test]
fn g722() {
    echo(Codec::G722);
}

#[test]
fn opus() {
    echo(Codec::Opus);
}
