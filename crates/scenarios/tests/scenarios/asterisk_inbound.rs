//! A softphone at the carrier calls Asterisk through Sidetone.

use sidetone_scenarios::asterisk::Asterisk;
use sidetone_scenarios::audio;
use sidetone_scenarios::baresip::{Baresip, Codec};
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Setup, Sidetone};
use sidetone_scenarios::until;

fn carriers_phone(net: &Net, codec: Codec) -> Baresip {
    let ada = net.v4(host::TRUNK);
    Baresip::start(ada, &format!("+15550100@{ada}"), ";regint=0", codec, 1.0)
}

fn hang_up(mut phone: Baresip, sidetone: Sidetone) {
    phone.command("hangup", "");
    phone.wait_event("CALL_CLOSED");
    sidetone.finish();
}

fn echo(codec: Codec) {
    let net = Net::lease();
    let sidetone = Sidetone::start(&net, &Setup::for_softphones(&net));
    let folder = Asterisk::folder_of(net.v4(host::PBX));
    let dialplan = format!(
        "[trying-out](+)\nexten => 610,1,Answer()\n same => n,MixMonitor({folder}/recorded.wav,r({folder}/heard.wav))\n \
         same => n,Echo()\n"
    );
    let asterisk = Asterisk::start(net.v4(host::PBX), sidetone.sip(), &dialplan);
    let mut phone = carriers_phone(&net, codec);
    phone.command("dial", &format!("sip:610@{}", sidetone.sip()));
    phone.wait_event("CALL_ESTABLISHED");
    phone.wait_until_hears("the echo", phone.played());
    until("Asterisk's recording to be like what was said", || {
        let heard = audio::read_8k(&asterisk.file("heard.wav"));
        // The newest of it: a stutter of a busy machine passes.
        let newest = heard.get(heard.len().saturating_sub(12_000)..)?;
        (audio::likeness(phone.played(), newest) > 0.8).then_some(())
    });
    hang_up(phone, sidetone);
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

/// Asterisk's Transfer() sends REFER to the carrier, whose phone calls the new number, through Sidetone again.
#[test]
fn blind_transfer() {
    let net = Net::lease();
    let sidetone = Sidetone::start(&net, &Setup::for_softphones(&net));
    let dialplan = format!(
        "[trying-out](+)\nexten => 603,1,Answer()\n same => n,Transfer(PJSIP/sip:600@{})\n same => n,Hangup()\n",
        sidetone.sip()
    );
    let asterisk = Asterisk::start(net.v4(host::PBX), sidetone.sip(), &dialplan);
    let mut phone = carriers_phone(&net, Codec::Pcmu);
    phone.command("dial", &format!("sip:603@{}", sidetone.sip()));
    phone.wait_event("CALL_ESTABLISHED");
    phone.wait_event("TRANSFER");
    phone.wait_event("CALL_ESTABLISHED");
    phone.wait_until_hears("the echo at the new number", phone.played());
    assert!(asterisk.output().contains("[600@"), "the second call arrived");
    hang_up(phone, sidetone);
}

/// Asterisk finds Sidetone alive by OPTIONS, and loads every module that it is told to.
#[test]
fn the_shipped_configuration_loads_and_the_trunk_is_up() {
    let net = Net::lease();
    let sidetone = Sidetone::start(&net, &Setup::for_softphones(&net));
    let asterisk = Asterisk::start(net.v4(host::PBX), sidetone.sip(), "");
    // Left to itself, Asterisk asks at a random moment of the first half minute.
    let _ = asterisk.ask("pjsip qualify sidetone");
    until("a trunk that is up", || asterisk.ask("pjsip show aor sidetone").contains(" Avail").then_some(()));
    let output = asterisk.output();
    assert!(!output.contains("Error loading module") && !output.contains("declined to load"), "{output}");
    assert!(asterisk.ask("dialplan show trying-out").contains("'600'"));
    sidetone.finish();
}
