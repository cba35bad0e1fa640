//! Loss, duplicates and reordering on the way to Sidetone: what arrives goes on as it arrived, and is counted for what
//! it is, whether the program or the kernel forwards it.

use serde_json::Value;
use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::rtp::both_ways;
use sidetone_scenarios::sidetone::{Setup, Sidetone, of_kind};
use sidetone_scenarios::sipp::{Plan, Sipp};
use sidetone_scenarios::until;
use sidetone_scenarios::weather::{Fates, Weather};

/// One of every twenty lost, some doubled, one of eight late by up to six packets: 120 ms.
const FOUL: Weather = Weather { lost: 5, doubled: 2, late: 12, latest: 6, seed: 1 };

fn customer(call: &Call) -> Fates {
    let id = call.sidetone.events()[0]["call"]["id"].as_str().unwrap().to_owned();
    let shown: Value = serde_json::from_str(&call.sidetone.command(&["call", &id, "--json"])).unwrap();
    let streams = if shown["streams"].is_null() { &shown["call"]["streams"] } else { &shown["streams"] };
    let count = |key: &str| streams[0]["customer"][key].as_u64().unwrap_or_else(|| panic!("{streams}"));
    Fates {
        packets: count("packets"),
        lost: count("lost"),
        duplicates: count("duplicates"),
        reordered: count("reordered"),
    }
}

fn in_foul_weather(kernel: &str) {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    setup.media.push_str(&format!("kernel = {kernel:?}\n"));
    let mut uac = Plan::new("basic", "uac", net.at(host::TRUNK, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    let uas = Plan::new("basic", "uas", net.at(host::PBX, 5060));
    let mut call = Call::start_with(net, &setup, uac, uas);
    call.answered();
    let ways = if kernel == "off" { 0.0 } else { 2.0 };
    let mut before = 0;
    until("both directions to be forwarded as they are to be", || {
        both_ways("fair weather", &mut call.caller_media, &mut call.callee_media, 2);
        before += 2;
        (call.sidetone.metric("sidetone_kernel_ways") == ways).then_some(())
    });
    let sent: Vec<Vec<u8>> = (0..1_000).map(|_| call.caller_media.packet(false)).collect();
    let carried = FOUL.carry(&sent);
    let mut arrived = Vec::new();
    for packet in &carried {
        call.caller_media.send(packet);
        arrived.push(until("the packet at the other end", || call.callee_media.receive()).0);
    }
    assert!(arrived == carried, "what arrives at the PBX is what came, in that order");
    assert!(call.callee_media.receive().is_none());
    let expected = Fates::of(&carried);
    let expected = Fates { packets: before + expected.packets, ..expected };
    assert!(expected.lost > 20 && expected.duplicates > 5 && expected.reordered > 50, "{expected:?}");
    until("the counts to be up to date", || (customer(&call).packets == expected.packets).then_some(()));
    assert_eq!(customer(&call), expected);
    call.caller.open_gate();
    let events = call.finish(6);
    let media = &of_kind(&events, "call.ended")[0]["data"]["media"]["customer"];
    assert_eq!((&media["packets"], &media["lost"]), (&expected.packets.into(), &expected.lost.into()));
}

#[test]
fn what_arrives_in_foul_weather_goes_on_as_it_arrived() {
    in_foul_weather("off");
}

#[test]
fn so_it_does_through_the_kernel() {
    in_foul_weather("require");
}

/// Each party loses one message of twenty that it sends, and one that comes to it. What is sent again gets through:
/// each call is set up once and ends once, and nothing is left of it.
#[test]
fn calls_are_set_up_and_end_in_foul_weather() {
    const CALLS: u32 = 60;
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    setup.media = setup.media.replace("30000-30199", "30000-30999");
    setup.more = "[limits]\ncalls = 200\ncalls_per_second = 100\n".to_owned();
    let sidetone = Sidetone::start(&net, &setup);
    let lossy = |part: &str, at| {
        let mut plan = Plan::new("lossy", part, at);
        plan.calls = CALLS;
        plan.options = ["-lost", "5", "-r", "20", "-l", "60"].map(str::to_owned).to_vec();
        plan
    };
    let mut callee = Sipp::start(lossy("uas", net.at(host::PBX, 5060)), sidetone.dir());
    let mut caller = lossy("uac", net.at(host::TRUNK, 5060));
    caller.remote = Some(sidetone.sip());
    let mut caller = Sipp::start(caller, sidetone.dir());
    caller.finish();
    callee.finish();
    assert!(
        sidetone.series("sidetone_sip_retransmissions_total", &[("direction", "out")]) > 0.0,
        "nothing was lost"
    );
    let events = sidetone.finish();
    for kind in ["call.started", "call.answered", "call.ended"] {
        assert_eq!(of_kind(&events, kind).len(), CALLS as usize, "{kind}");
    }
    let ended = of_kind(&events, "call.ended");
    assert!(ended.iter().all(|event| event["data"]["cause"] == "hangup"), "{ended:?}");
}
