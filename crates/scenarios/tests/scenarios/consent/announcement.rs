//! The announcement in the stream: whole, once, in the listener's codec, through whatever happens to the call.

use std::collections::BTreeSet;

use sidetone_scenarios::call::{Call, Toward};
use sidetone_scenarios::rtp::{converse, speak};
use sidetone_scenarios::sidetone::of_kind;

use super::{
    Case, EVENTS, announcement, assert_one_stream, assert_told_once, correlation, header, heard_ms, id,
    phases, speech, start, states, talk, told, until_announcing, until_state,
};

#[test]
fn the_customer_is_told_in_one_unbroken_stream_and_then_listened_to() {
    let (mut call, _folder, payloads) = start("notice", "");
    until_announcing(&call);
    let arrived = talk(&mut call, 250);
    assert_one_stream(&arrived.at_a);
    let end = assert_told_once(&arrived.at_a, &payloads);
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
    assert_eq!(phases(&events), [("notice", "started"), ("notice", "finished")]);
    assert!(!of_kind(&events, "affect.update").is_empty());
}

#[test]
fn the_customer_who_is_called_is_told_too() {
    let (mut call, _folder, payloads) = Case { toward: Toward::Trunk, ..Case::default() }.answered();
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
    let (mut call, _folder, payloads) =
        Case { scenario: "reinvite-codec", seconds: 3.0, ..Case::default() }.answered();
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
    let kinds: BTreeSet<u8> = packets.iter().map(|packet| packet[1] & 0x7f).collect();
    assert_eq!(kinds, BTreeSet::from([0, 8]), "it began in the one and ended in the other");
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
    let (mut call, _folder, payloads) =
        Case { scenario: "hold-sendonly", seconds: 3.0, ..Case::default() }.answered();
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
fn an_announcement_laid_over_speech_leaves_both_to_be_heard() {
    let (mut call, _folder, payloads) = start("notice", "[announcement]\nmode = \"duck\"\n");
    let arrived = talk(&mut call, 200);
    until_state(&call, "given", "policy");
    assert_one_stream(&arrived.at_a);
    // When it begins, nothing of the agent's has been held back yet that could lie under it.
    let told_alone = told(&arrived.at_a, &payloads);
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
    call.sidetone.command(&["announce", &id(&call), "notice", "--to", "both"]);
    until_announcing(&call);
    let arrived = talk(&mut call, 250);
    for packets in [&arrived.at_a, &arrived.at_b] {
        assert_one_stream(packets);
        let end = assert_told_once(packets, &payloads);
        assert!(packets.len() > end + 10, "the other party is heard again");
    }
    call.caller.open_gate();
    let events = call.finish(6);
    let finished =
        of_kind(&events, "announcement").iter().filter(|e| e["data"]["phase"] == "finished").count();
    assert_eq!(finished, 2);
    assert_eq!(states(&events), [("given", "policy")]);
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

/// RFC 4733 §2.2: all packets of an event bear the timestamp of its beginning, or the PBX counts two presses.
#[test]
fn a_key_held_while_an_announcement_to_both_begins_is_one_press() {
    let (mut call, _folder, payloads) = Case { disclosure: "none", ..Case::default() }.answered();
    talk(&mut call, 20);
    let id = id(&call);
    let pressed = call.caller_media.timestamp();
    let Call { caller_media, callee_media, sidetone, .. } = &mut call;
    let arrived = converse(caller_media, callee_media, 100, |n, caller, _| {
        if n == 20 {
            sidetone.command(&["announce", &id, "notice", "--to", "both"]);
        }
        let Some(k) = n.checked_sub(10).filter(|k| *k < 60) else { return };
        let [high, low] = (160 * (k as u16 + 1)).to_be_bytes();
        let report = [5, if k >= 57 { 0x8a } else { 10 }, high, low];
        let event = caller.event_packet(EVENTS, k == 0, pressed, &report);
        caller.send(&event);
    });
    assert!(told(&arrived.at_b, &payloads) > 20, "the announcement began while the key was held");
    assert_one_stream(&arrived.at_b);
    let events: Vec<_> = arrived.at_b.iter().filter(|packet| packet[1] & 0x7f == EVENTS).collect();
    assert_eq!(events.len(), 60, "each of them passed");
    let timestamps: BTreeSet<u32> = events.iter().map(|packet| header(packet).2).collect();
    assert_eq!(timestamps, BTreeSet::from([pressed]));
    call.caller.open_gate();
    call.finish(6);
}
