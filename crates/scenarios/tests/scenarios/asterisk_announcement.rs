//! A real softphone is told, in whichever codec it speaks, while Asterisk talks on; and afterwards hears Asterisk.

use sidetone_announce::{Clip, clip};
use sidetone_codec::Resampler;
use sidetone_scenarios::asterisk::Asterisk;
use sidetone_scenarios::baresip::{Baresip, Codec};
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Setup, Sidetone, of_kind};
use sidetone_scenarios::{audio, repository, until};

/// The announcement that comes with Sidetone, at 8 kHz.
fn announcement() -> Vec<f64> {
    let path = repository().join("crates/announce/announcements/en/notice.opus");
    let clip = Clip::open(&path, -23.0).unwrap();
    let mut narrow = Vec::new();
    Resampler::new(clip::RATE, 8_000).unwrap().push(clip.pcm(), &mut narrow);
    narrow.iter().map(|x| f64::from(*x) / 32_768.0).collect()
}

fn told(codec: Codec) {
    let net = Net::lease();
    let mut setup = Setup::for_softphones(&net);
    setup.disclosure = "notice".to_owned();
    let sidetone = Sidetone::start(&net, &setup);
    let _asterisk = Asterisk::start(net.v4(host::PBX), sidetone.sip(), "");
    let ada = net.v4(host::TRUNK);
    let mut phone = Baresip::start(ada, &format!("+15550100@{ada}"), ";regint=0", codec, 1.0);
    phone.command("dial", &format!("sip:600@{}", sidetone.sip()));
    phone.wait_event("CALL_ESTABLISHED");
    until("consent", || {
        let events = sidetone.events();
        of_kind(&events, "consent.changed")
            .iter()
            .any(|event| event["data"]["state"] == "given")
            .then_some(())
    });
    let announcement = announcement();
    // The seconds of it that hold speech are there, and nothing beside them: no double voice, no gap.
    until("all of the announcement in the softphone's own recording", || {
        let heard = phone.heard();
        let spoken = |second: &&[f64]| second.iter().map(|x| x * x).sum::<f64>() > 1.0;
        // From where its recording has surely begun: the announcement begins with silence.
        let seconds: Vec<f64> = announcement[800..]
            .chunks_exact(8_000)
            .filter(spoken)
            .map(|second| audio::likeness(&heard, second))
            .collect();
        // A busy machine may make the softphone stutter now and then.
        let clear = seconds.iter().filter(|likeness| **likeness > 0.75).count();
        (clear + 2 >= seconds.len() && clear > 5).then_some(())
    });
    phone.wait_until_hears("the echo afterwards", phone.played());
    phone.command("hangup", "");
    phone.wait_event("CALL_CLOSED");
    sidetone.finish();
}

#[test]
fn g711() {
    told(Codec::Pcmu);
}

#[test]
fn g722() {
    told(Codec::G722);
}

#[test]
fn opus() {
    told(Codec::Opus);
}
