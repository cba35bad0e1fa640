//! Callers are told, in one unbroken stream, and decide; before that, and after they object, nobody listens.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sidetone_announce::{Clip, Encoded};
use sidetone_codec::Codec;
use sidetone_scenarios::call::{Call, Toward};
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::rtp::{Arrived, converse, press, speak};
use sidetone_scenarios::sidetone::{Setup, of_kind};
use sidetone_scenarios::sipp::Plan;
use sidetone_scenarios::{repository, until};

/// Payload type of telephone-events in the scenario.
const EVENTS: u8 = 101;

/// So much speech, as an operator's own recording.
fn recording(folder: &Path, seconds: f64) -> PathBuf {
    let length = (seconds * 8_000.0) as usize;
    let mut reader = hound::WavReader::open(repository().join("demo/agent.wav")).unwrap();
    let path = folder.join("announcement.wav");
    let mut writer = hound::WavWriter::create(&path, reader.spec()).unwrap();
    let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
    let loudest = (0..samples.len() - length).step_by(4_000).max_by_key(|from| {
        samples[*from..from + length].iter().map(|x| i64::from(x.unsigned_abs())).sum::<i64>()
    });
    for sample in &samples[loudest.unwrap()..][..length] {
        writer.write_sample(*sample).unwrap();
    }
    writer.finalize().unwrap();
    path
}

/// The payloads that a listener is to get.
fn payloads(path: &Path) -> Vec<Vec<u8>> {
    let clip = Clip::read("announcement", Cursor::new(std::fs::read(path).unwrap()), -23.0).unwrap();
    let encoded = Encoded::new(&clip, &Codec::Pcmu, 20).unwrap();
    (0..encoded.packets()).map(|n| encoded.payload(n).unwrap().to_vec()).collect()
}

fn start(disclosure: &str, more: &str) -> (Call, tempfile::TempDir, Vec<Vec<u8>>) {
    start_toward(disclosure, more, Toward::Pbx)
}

fn start_toward(disclosure: &str, more: &str, toward: Toward) -> (Call, tempfile::TempDir, Vec<Vec<u8>>) {
    start_scenario("talk", 1.5, disclosure, more, toward)
}

fn start_scenario(
    scenario: &str,
    seconds: f64,
    disclosure: &str,
    more: &str,
    toward: Toward,
) -> (Call, tempfile::TempDir, Vec<Vec<u8>>) {
    let folder = tempfile::tempdir().unwrap();
    let recording = recording(folder.path(), seconds);
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    setup.disclosure = disclosure.to_owned();
    setup.more = format!(
        "{more}\n[announcement.files.notice]\nen = {recording:?}\n[announcement.files.opt-in]\nen = {recording:?}\n"
    );
    let (caller, callee) = match toward {
        Toward::Pbx => (host::TRUNK, host::PBX),
        Toward::Trunk => (host::PBX, host::TRUNK),
    };
    let mut uac = Plan::new(scenario, "uac", net.at(caller, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    let uas = Plan::new(scenario, "uas", net.at(callee, 5060));
    let mut call = Call::start_with(net, &setup, uac, uas);
    call.answered();
    let payloads = payloads(&recording);
    (call, folder, payloads)
}

fn header(packet: &[u8]) -> (u32, u16, u32) {
    (
        u32::from_be_bytes(packet[8..12].try_into().unwrap()),
        u16::from_be_bytes(packet[2..4].try_into().unwrap()),
        u32::from_be_bytes(packet[4..8].try_into().unwrap()),
    )
}

/// One SSRC, no sequence number left out, timestamps that run on.
fn assert_one_stream(packets: &[Vec<u8>]) {
    for pair in packets.windows(2) {
        let (before, after) = (header(&pair[0]), header(&pair[1]));
        assert_eq!(after.0, before.0, "SSRC");
        assert_eq!(after.1, before.1.wrapping_add(1), "sequence");
        // A machine that stood still for a moment makes a pause, which is marked as one.
        let marked = pair[1][1] & 0x80 != 0;
        if pair[1][1] & 0x7f == 0 && pair[0][1] & 0x7f == 0 && !marked {
            assert_eq!(after.2.wrapping_sub(before.2), 160, "timestamp");
        }
    }
}

/// Where the announcement stands among packets: its first and last.
fn announcement(packets: &[Vec<u8>], payloads: &[Vec<u8>]) -> (usize, usize) {
    // It begins with silence, which others may send too.
    let sounding = |payload: &Vec<u8>| payload.iter().any(|byte| *byte != payload[0]);
    let word = payloads.iter().position(sounding).unwrap_or(0);
    let at = packets.iter().position(|packet| packet[12..] == payloads[word]).expect("its first word");
    (at - word, at - word + payloads.len())
}

fn states(events: &[Value]) -> Vec<(&str, &str)> {
    of_kind(events, "consent.changed")
        .iter()
        .map(|event| (event["data"]["state"].as_str().unwrap(), event["data"]["by"].as_str().unwrap()))
        .collect()
}

fn speech() -> Vec<i16> {
    let mut reader = hound::WavReader::open(repository().join("demo/caller.wav")).unwrap();
    reader.samples().map(Result::unwrap).skip(24 * 8_000).take(5 * 8_000).collect()
}

fn talk(call: &mut Call, packets: u32) -> Arrived {
    converse(&mut call.caller_media, &mut call.callee_media, packets, |_, _, _| {})
}

/// Waits for a state, and who brought it about.
fn until_state(call: &Call, state: &str, by: &str) {
    until(state, || states(&call.sidetone.events()).contains(&(state, by)).then_some(()));
}

fn until_announcing(call: &Call) {
    until("the announcement", || {
        (!of_kind(&call.sidetone.events(), "announcement").is_empty()).then_some(())
    });
}

fn heard_ms(call: &Call) -> f64 {
    call.sidetone.metric("sidetone_analysis_audio_seconds_total") * 1e3
}

#[test]
fn the_customer_is_told_in_one_unbroken_stream_and_then_listened_to() {
    let (mut call, _folder, payloads) = start("notice", "");
    until_announcing(&call);
    let arrived = talk(&mut call, 250);
    assert_one_stream(&arrived.at_a);
    let (first, end) = announcement(&arrived.at_a, &payloads);
    for (packet, payload) in arrived.at_a[first..end].iter().zip(&payloads) {
        assert_eq!(&packet[12..], payload, "every packet of the announcement, and nothing between");
    }
    assert!(arrived.at_a.len() > end + 20, "the agent is heard again");
    // The agent hears the customer all the time, byte for byte.
    assert_eq!(arrived.at_b.len(), 250);
    let since_told = 20.0 * (arrived.at_a.len() - end) as f64;
    assert!(heard_ms(&call) <= since_told + 100.0, "nothing of before it was told");
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert!(heard_ms(&call) > 1_000.0);
    call.caller.open_gate();
    let events = call.finish(6);
    assert_eq!(states(&events), [("announcing", "policy"), ("given", "policy")]);
    let phases: Vec<_> =
        of_kind(&events, "announcement").iter().map(|event| event["data"]["phase"].clone()).collect();
    assert_eq!(phases, ["started", "finished"]);
    assert!(!of_kind(&events, "affect.update").is_empty());
}

#[test]
fn the_customer_who_is_called_is_told_too() {
    let (mut call, _folder, payloads) = start_toward("notice", "", Toward::Trunk);
    until_announcing(&call);
    let arrived = talk(&mut call, 120);
    until_state(&call, "given", "policy");
    assert_one_stream(&arrived.at_b);
    announcement(&arrived.at_b, &payloads);
    assert!(arrived.at_a.iter().all(|packet| packet[12..] != payloads[3]), "the agent hears none of it");
    call.caller.open_gate();
    assert_eq!(states(&call.finish(6)), [("announcing", "policy"), ("given", "policy")]);
}

#[test]
fn the_codec_may_change_in_mid_announcement() {
    let (mut call, _folder, payloads) = start_scenario("reinvite-codec", 3.0, "notice", "", Toward::Pbx);
    until_announcing(&call);
    let gate = &mut call.caller;
    let arrived = converse(&mut call.caller_media, &mut call.callee_media, 300, |n, caller, callee| {
        if n == 40 {
            gate.open_gate();
        } else if n == 80 {
            caller.payload_type(8);
            callee.payload_type(8);
        }
    });
    assert_one_stream(&arrived.at_a);
    let ulaw = |byte: &u8| f64::from(sidetone_codec::g711::from_ulaw(*byte));
    let alaw = |byte: &u8| f64::from(sidetone_codec::g711::from_alaw(*byte));
    let clip: Vec<f64> = payloads.iter().flatten().map(ulaw).collect();
    let (first, _) = announcement(&arrived.at_a, &payloads[..20]);
    let packets = &arrived.at_a[first..first + payloads.len()];
    let kinds: std::collections::BTreeSet<u8> = packets.iter().map(|packet| packet[1] & 0x7f).collect();
    assert_eq!(kinds, std::collections::BTreeSet::from([0, 8]), "it began in the one and ended in the other");
    let heard: Vec<f64> = packets
        .iter()
        .flat_map(|packet| {
            let decode: fn(&u8) -> f64 = if packet[1] & 0x7f == 8 { alaw } else { ulaw };
            packet[12..].iter().map(decode).collect::<Vec<f64>>()
        })
        .collect();
    assert!(correlation(&heard, &clip) > 0.99, "not a sample is left out or repeated");
    call.caller.open_gate();
    assert_eq!(states(&call.finish(9)), [("announcing", "policy"), ("given", "policy")]);
}

#[test]
fn a_customer_who_holds_in_mid_announcement_is_told_when_back() {
    let (mut call, _folder, payloads) = start_scenario("hold-sendonly", 3.0, "notice", "", Toward::Pbx);
    until_announcing(&call);
    let gate = &mut call.caller;
    let arrived = converse(&mut call.caller_media, &mut call.callee_media, 450, |n, _, _| {
        if n == 50 || n == 180 {
            gate.open_gate();
        }
    });
    let whole = payloads.len();
    let told = arrived.at_a.iter().filter(|packet| payloads.contains(&packet[12..].to_vec())).count();
    assert!((whole..2 * whole).contains(&told), "{told} of {whole} packets");
    until_state(&call, "given", "policy");
    call.caller.open_gate();
    assert_eq!(states(&call.finish(12)), [("announcing", "policy"), ("given", "policy")]);
}

#[test]
fn who_presses_nine_while_being_told_is_never_listened_to() {
    let (mut call, _folder, _) = start_scenario("talk", 4.0, "notice", "", Toward::Pbx);
    until_announcing(&call);
    let arrived = converse(&mut call.caller_media, &mut call.callee_media, 100, |n, caller, _| {
        if n == 20 {
            press(caller, EVENTS, 9);
        }
    });
    assert_one_stream(&arrived.at_a);
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert_eq!(heard_ms(&call), 0.0, "not one frame reached the model");
    call.caller.open_gate();
    let events = call.finish(6);
    assert_eq!(states(&events), [("announcing", "policy"), ("opted-out", "digit")]);
    assert!(of_kind(&events, "affect.update").is_empty());
    assert_eq!(of_kind(&events, "call.ended")[0]["data"]["summary"], Value::Null);
}

#[test]
fn who_presses_nine_later_is_forgotten() {
    let (mut call, _folder, _) = start("notice", "");
    talk(&mut call, 100);
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    until("an update", || (!of_kind(&call.sidetone.events(), "affect.update").is_empty()).then_some(()));
    press(&mut call.caller_media, EVENTS, 9);
    until("the objection", || {
        states(&call.sidetone.events()).contains(&("opted-out", "digit")).then_some(())
    });
    let heard = heard_ms(&call);
    assert!(heard > 1_000.0);
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert_eq!(heard_ms(&call), heard, "nothing more reached the model");
    call.caller.open_gate();
    let events = call.finish(6);
    let objection = events.iter().position(|event| event["data"]["state"] == "opted-out").unwrap();
    assert_eq!(events[objection]["data"]["erased"], true);
    assert!(of_kind(&events[objection..], "affect.update").is_empty());
    let summary = &of_kind(&events, "call.ended")[0]["data"]["summary"];
    assert_eq!(summary["analysis"]["erased"], true);
}

#[test]
fn a_key_in_the_sound_counts_like_any_other() {
    let (mut call, _folder, _) = start("notice", "");
    talk(&mut call, 100);
    let nine: Vec<i16> = (0..2_400)
        .map(|n| {
            let t = f64::from(n) / 8_000.0 * std::f64::consts::TAU;
            (6_000.0 * (852.0 * t).sin() + 6_000.0 * (1_477.0 * t).sin()) as i16
        })
        .collect();
    speak(&mut call.caller_media, &mut call.callee_media, &nine);
    until("the objection", || {
        states(&call.sidetone.events()).contains(&("opted-out", "digit-in-band")).then_some(())
    });
    call.caller.open_gate();
    call.finish(6);
}

#[test]
fn only_who_agrees_is_listened_to_where_that_is_asked() {
    let (mut call, _folder, _) = start("opt-in", "[consent]\npatience = \"60s\"\n");
    talk(&mut call, 100);
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert_eq!(heard_ms(&call), 0.0);
    press(&mut call.caller_media, EVENTS, 1);
    until("the agreement", || states(&call.sidetone.events()).contains(&("given", "digit")).then_some(()));
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert!(heard_ms(&call) > 1_000.0);
    call.caller.open_gate();
    let events = call.finish(6);
    assert_eq!(states(&events), [("announcing", "policy"), ("asked", "policy"), ("given", "digit")]);
}

#[test]
fn silence_is_no_agreement() {
    let (mut call, _folder, _) = start("opt-in", "[consent]\npatience = \"1s\"\n");
    talk(&mut call, 100);
    until("the end of patience", || {
        states(&call.sidetone.events()).contains(&("declined", "policy")).then_some(())
    });
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert_eq!(heard_ms(&call), 0.0);
    call.caller.open_gate();
    call.finish(6);
}

#[test]
fn the_pbx_may_announce_and_say_so() {
    let (mut call, _folder, _) = start("announce-elsewhere", "");
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert_eq!(heard_ms(&call), 0.0);
    let id = call.sidetone.command(&["calls", "--json"]);
    let id =
        serde_json::from_str::<Value>(id.lines().next().unwrap()).unwrap()["id"].as_str().unwrap().to_owned();
    call.sidetone.command(&["tell", &id, "consent", "announced"]);
    until("consent", || states(&call.sidetone.events()).contains(&("given", "cli")).then_some(()));
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert!(heard_ms(&call) > 1_000.0);
    call.sidetone.command(&["tell", &id, "consent", "refused"]);
    until("the refusal", || states(&call.sidetone.events()).contains(&("opted-out", "cli")).then_some(()));
    call.caller.open_gate();
    call.finish(6);
}

#[test]
fn an_announcement_laid_over_speech_leaves_both_to_be_heard() {
    let (mut call, _folder, payloads) = start("notice", "[announcement]\nmode = \"duck\"\n");
    let arrived = talk(&mut call, 200);
    until_state(&call, "given", "policy");
    assert_one_stream(&arrived.at_a);
    let sounding = |payload: &[u8]| payload.iter().any(|byte| *byte != payload[0]);
    let alone = |packet: &&Vec<u8>| sounding(&packet[12..]) && payloads.contains(&packet[12..].to_vec());
    // When it begins, nothing of the agent's has been held back yet that could lie under it.
    let told_alone = arrived.at_a.iter().filter(alone).count();
    assert!(told_alone < payloads.len() / 2, "it is heard over the agent: {told_alone} packets alone");
    let decode = |payload: &[u8]| -> Vec<f64> {
        payload.iter().map(|byte| f64::from(sidetone_codec::g711::from_ulaw(*byte))).collect()
    };
    let clip: Vec<f64> = payloads.iter().flat_map(|payload| decode(payload)).collect();
    let heard: Vec<f64> = arrived.at_a.iter().flat_map(|packet| decode(&packet[12..])).collect();
    let best = (0..heard.len() - clip.len())
        .step_by(160)
        .map(|from| correlation(&heard[from..from + clip.len()], &clip))
        .fold(0.0, f64::max);
    assert!((0.2..0.99).contains(&best), "correlation with the announcement alone: {best}");
    call.caller.open_gate();
    assert_eq!(states(&call.finish(6)), [("announcing", "policy"), ("given", "policy")]);
}

#[test]
fn an_operator_may_announce_to_both_parties() {
    let (mut call, _folder, payloads) = start("given-upstream", "");
    talk(&mut call, 20);
    let calls = call.sidetone.command(&["calls", "--json"]);
    let calls: Value = serde_json::from_str(calls.lines().next().unwrap()).unwrap();
    call.sidetone.command(&["announce", calls["id"].as_str().unwrap(), "notice", "--to", "both"]);
    until_announcing(&call);
    let arrived = talk(&mut call, 250);
    for packets in [&arrived.at_a, &arrived.at_b] {
        assert_one_stream(packets);
        let (first, end) = announcement(packets, &payloads);
        assert!(
            packets[first..end].iter().zip(&payloads).all(|(packet, payload)| packet[12..] == payload[..])
        );
        assert!(packets.len() > end + 10, "the other party is heard again");
    }
    call.caller.open_gate();
    let events = call.finish(6);
    let finished =
        of_kind(&events, "announcement").iter().filter(|e| e["data"]["phase"] == "finished").count();
    assert_eq!(finished, 2);
    assert_eq!(states(&events), [("given", "policy")]);
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(1.0)
}

#[test]
fn hanging_up_in_mid_announcement_leaves_nothing_behind_but_a_receipt() {
    let receipts = tempfile::tempdir().unwrap();
    let more = format!("[consent]\nreceipts = {:?}\n", receipts.path());
    let (mut call, _folder, _) = start("notice", &more);
    talk(&mut call, 30);
    call.caller.open_gate();
    let dir = receipts.path().to_owned();
    let events = call.finish(6);
    assert!(!states(&events).iter().any(|(state, _)| *state == "given"));
    let text: String = std::fs::read_dir(dir)
        .unwrap()
        .filter_map(|entry| std::fs::read_to_string(entry.unwrap().path()).ok())
        .collect();
    assert!(text.contains("\"policy\":\"notice\""), "{text}");
    assert!(!text.contains("15550100"), "no number");
}

#[test]
fn a_header_of_the_carrier_s_may_refuse_and_the_pbx_s_is_believed() {
    let (mut call, _folder, payloads) = start_scenario("consent-header", 1.5, "notice", "", Toward::Pbx);
    let arrived = talk(&mut call, 60);
    assert!(arrived.at_a.iter().all(|packet| !payloads[20..40].contains(&packet[12..].to_vec())));
    let calls = call.sidetone.command(&["calls", "--json"]);
    let calls: Value = serde_json::from_str(calls.lines().next().unwrap()).unwrap();
    assert_eq!((&calls["queue"], &calls["consent"]), (&"billing".into(), &"opted-out".into()));
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert_eq!(heard_ms(&call), 0.0);
    call.caller.open_gate();
    assert_eq!(states(&call.finish(6)), [("opted-out", "trunk-header")]);
}
