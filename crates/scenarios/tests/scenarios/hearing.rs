//! Who is listened to: the customer, whichever way the call goes, and nobody where callers were not told.

use serde_json::Value;
use sidetone_scenarios::call::{Call, Toward};
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::repository;
use sidetone_scenarios::rtp::speak;
use sidetone_scenarios::sidetone::{Setup, of_kind};
use sidetone_scenarios::sipp::Plan;

/// Seven seconds of the demo's caller losing patience.
fn speech() -> Vec<i16> {
    let mut reader = hound::WavReader::open(repository().join("demo/caller.wav")).unwrap();
    let rate = reader.spec().sample_rate;
    assert_eq!(rate, 8_000);
    reader.samples().map(Result::unwrap).skip(24 * 8_000).take(7 * 8_000).collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Speaker {
    Customer,
    Agent,
}

struct Heard {
    events: Vec<Value>,
    /// Milliseconds of audio that reached the network.
    inferred_from: f64,
}

fn a_call(toward: Toward, speaker: Speaker, told: bool) -> Heard {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    if !told {
        setup.disclosure = "none".to_owned();
    }
    setup.trunk_keys = "analyse_outbound = true\n".to_owned();
    let (caller, callee) = match toward {
        Toward::Pbx => (host::TRUNK, host::PBX),
        Toward::Trunk => (host::PBX, host::TRUNK),
    };
    let mut uac = Plan::new("talk", "uac", net.at(caller, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    let uas = Plan::new("talk", "uas", net.at(callee, 5060));
    let mut call = Call::start_with(net, &setup, uac, uas);
    call.answered();
    let caller_speaks = (toward == Toward::Pbx) == (speaker == Speaker::Customer);
    let (mouth, ear) = if caller_speaks {
        (&mut call.caller_media, &mut call.callee_media)
    } else {
        (&mut call.callee_media, &mut call.caller_media)
    };
    speak(mouth, ear, &speech());
    let inferred_from = call.sidetone.metric("sidetone_analysis_audio_seconds_total") * 1e3;
    call.caller.open_gate();
    Heard { events: call.finish(6), inferred_from }
}

fn customer_is_heard(heard: &Heard) {
    let updates = of_kind(&heard.events, "affect.update");
    assert!(updates.len() >= 3, "{} updates in seven seconds of speech: {:?}", updates.len(), heard.events);
    assert!(heard.inferred_from > 2_000.0, "{} ms reached the network", heard.inferred_from);
    let ended = of_kind(&heard.events, "call.ended")[0];
    let talked = ended["data"]["summary"]["conduct"]["customer"]["talk_ms"].as_u64().unwrap();
    assert!((3_000..9_000).contains(&talked), "the customer talked for {talked} ms");
}

fn nothing_is_inferred(heard: &Heard) {
    assert_eq!(of_kind(&heard.events, "affect.update").len(), 0);
    assert_eq!(of_kind(&heard.events, "affect.alert").len(), 0);
    assert!(heard.inferred_from < 0.5, "{} ms reached the network", heard.inferred_from);
}

#[test]
fn the_customer_who_calls() {
    customer_is_heard(&a_call(Toward::Pbx, Speaker::Customer, true));
}

#[test]
fn the_customer_who_is_called() {
    customer_is_heard(&a_call(Toward::Trunk, Speaker::Customer, true));
}

#[test]
fn of_the_agent_only_conduct_is_measured() {
    let heard = a_call(Toward::Pbx, Speaker::Agent, true);
    assert_eq!(of_kind(&heard.events, "affect.alert").len(), 0);
    let conduct = &of_kind(&heard.events, "call.ended")[0]["data"]["summary"]["conduct"];
    assert!(conduct["agent"]["talk_ms"].as_u64().unwrap() > 3_000, "{conduct}");
    assert_eq!(conduct["customer"]["talk_ms"].as_u64().unwrap(), 0, "{conduct}");
    for update in of_kind(&heard.events, "affect.update") {
        assert!(
            update["data"]["valence"].is_null(),
            "nothing is inferred from a customer who is silent: {update}"
        );
    }
}

#[test]
fn nobody_where_callers_were_not_told() {
    let heard = a_call(Toward::Pbx, Speaker::Customer, false);
    nothing_is_inferred(&heard);
    assert_eq!(of_kind(&heard.events, "call.started")[0]["data"]["analysed"], false);
}
