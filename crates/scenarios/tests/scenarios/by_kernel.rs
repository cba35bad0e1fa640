//! The kernel forwards what is settled, and the relay misses nothing of it.

use serde_json::Value;
use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::netns::{Machine, at};
use sidetone_scenarios::process::Process;
use sidetone_scenarios::rtp::{End, rtcp_both_ways, speak};
use sidetone_scenarios::sidetone::{Host, Setup, Sidetone, of_kind};
use sidetone_scenarios::sipp::{Plan, Sipp};
use sidetone_scenarios::{repository, until};

fn required(mut setup: Setup) -> Setup {
    setup.media.push_str("kernel = \"require\"\n");
    setup
}

/// Talks until both directions are the kernel's; gives how many packets each has sent.
fn settle(sidetone: &Sidetone, caller: &mut End, callee: &mut End) -> u64 {
    let mut sent = 0;
    until("both directions in the kernel", || {
        sidetone_scenarios::rtp::both_ways("until it is settled", caller, callee, 2);
        sent += 2;
        (sidetone.metric("sidetone_kernel_ways") == 2.0).then_some(sent)
    })
}

fn legs(sidetone: &Sidetone) -> [Value; 2] {
    // One call, and so one line.
    let call: Value = serde_json::from_str(&sidetone.command(&["calls", "--json"])).unwrap();
    let id = call["id"].as_str().unwrap_or_else(|| panic!("{call}"));
    let call: Value = serde_json::from_str(&sidetone.command(&["call", id, "--json"])).unwrap();
    let stream = if call["streams"].is_null() { &call["call"]["streams"][0] } else { &call["streams"][0] };
    ["customer", "agent"].map(|party| stream[party].clone())
}

fn count(leg: &Value, key: &str) -> u64 {
    leg[key].as_u64().unwrap_or_else(|| panic!("no {key} in {leg}"))
}

/// Both parties on machines of their own. While the program stands still the call goes on; afterwards it knows of every
/// packet.
fn between_machines(trunk: [&str; 2], pbx: [&str; 2], prefix: u8) {
    let (carrier, own, office) = (Machine::new(), Machine::new(), Machine::new());
    let with = |ip: &str| format!("{ip}/{prefix}");
    own.join("own", &[&with(trunk[0])], &carrier, "carrier", &[&with(trunk[1])]);
    own.join("own", &[&with(pbx[0])], &office, "office", &[&with(pbx[1])]);
    if trunk[0].contains(':') {
        // It has one address over IPv6, which carrier and PBX reach on different ways.
        office.ip(&format!("route add {}/128 via {}", trunk[0], pbx[0]));
    }
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    let sip = |ip: &str| at(ip, 5060);
    setup.listen = vec![format!("udp:{}", sip(trunk[0])), format!("udp:{}", sip(pbx[0]))];
    setup.trunk = vec![Host::udp(sip(trunk[1]), 1)];
    setup.pbx = vec![Host::udp(sip(pbx[1]), 1)];
    (setup.allow_trunk, setup.allow_pbx) = (vec![trunk[1].to_owned()], vec![pbx[1].to_owned()]);
    setup.media = match prefix {
        24 => format!("address_trunk = {:?}\naddress_pbx = {:?}\n", trunk[0], pbx[0]),
        _ => format!("ipv6 = {:?}\n", trunk[0]),
    };
    setup.media.push_str("ports = \"30000-30199\"\n");
    let mut sidetone = own.within(|| Sidetone::start(&net, &required(setup)));
    let mut uac = Plan::new("basic", "uac", sip(trunk[1]));
    uac.remote = Some(sip(trunk[0]));
    let uas = Plan::new("basic", "uas", sip(pbx[1]));
    let mut callee_media = office.within(|| End::bind(uas.media));
    let mut callee = office.within(|| Sipp::start(uas, sidetone.dir()));
    let mut caller_media = carrier.within(|| End::bind(uac.media));
    let mut caller = carrier.within(|| Sipp::start(uac, sidetone.dir()));
    callee.wait_received("ACK", 1);
    caller_media.send_to(sidetone_scenarios::call::media_of(&caller.seen(), 0));
    callee_media.send_to(sidetone_scenarios::call::media_of(&callee.seen(), 0));
    let sent = own.within(|| settle(&sidetone, &mut caller_media, &mut callee_media));

    sidetone.process().signal("STOP");
    sidetone_scenarios::rtp::both_ways("the program stands still", &mut caller_media, &mut callee_media, 50);
    sidetone.process().signal("CONT");
    let legs = until("the counts to be up to date", || {
        let now = legs(&sidetone);
        now.iter().all(|leg| count(leg, "packets") == sent + 50).then_some(now)
    });
    for leg in &legs {
        assert!(count(leg, "by_kernel") >= 50, "{leg}");
        assert_eq!((count(leg, "lost"), count(leg, "rejected")), (0, 0));
    }
    // What isn't settled RTP comes to the program as before.
    rtcp_both_ways("between machines", &caller_media, &callee_media);
    caller_media.new_ssrc();
    sidetone_scenarios::rtp::both_ways("another SSRC", &mut caller_media, &mut callee_media, 20);
    carrier.within(|| caller.open_gate());
    caller.finish();
    callee.finish();
    own.within(|| sidetone.finish());
}

#[test]
fn a_call_between_machines_outlasts_a_program_that_stands_still() {
    between_machines(["10.77.1.1", "10.77.1.2"], ["10.77.2.1", "10.77.2.2"], 24);
}

#[test]
fn so_does_one_over_ipv6() {
    between_machines(["fd77:1::1", "fd77:1::2"], ["fd77:2::1", "fd77:2::2"], 64);
}

/// Seven seconds of the demo's caller losing patience.
fn speech() -> Vec<i16> {
    let mut reader = hound::WavReader::open(repository().join("demo/caller.wav")).unwrap();
    reader.samples().map(Result::unwrap).skip(24 * 8_000).take(7 * 8_000).collect()
}

#[test]
fn a_caller_is_heard_through_the_kernel() {
    let net = Net::lease();
    let setup = required(Setup::usual(&net));
    let mut uac = Plan::new("basic", "uac", net.at(host::TRUNK, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    let uas = Plan::new("basic", "uas", net.at(host::PBX, 5060));
    let mut call = Call::start_with(net, &setup, uac, uas);
    call.answered();
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    let legs = until("the counts to be up to date", || {
        let now = legs(&call.sidetone);
        now.iter().all(|leg| count(leg, "packets") == 350).then_some(now)
    });
    for leg in &legs {
        let by_kernel = count(leg, "by_kernel");
        assert!(by_kernel > 300, "{by_kernel} of 350 packets went through the kernel");
        assert_eq!((count(leg, "unheard"), count(leg, "lost")), (0, 0));
    }
    call.talk("after the speech");
    call.caller.open_gate();
    let events = call.finish(6);
    let ended = of_kind(&events, "call.ended")[0];
    assert!(
        ended["data"]["summary"]["analysis"]["speech_ms"].as_u64().is_some_and(|ms| ms > 3_000),
        "{ended}"
    );
    assert!(!of_kind(&events, "affect.update").is_empty());
}

/// A Sidetone that has these privileges and no other.
fn privileged(capabilities: &str, net: &Net, dir: &std::path::Path) -> Process {
    let config = required(Setup::usual(net)).written(net, dir);
    let mut arguments: Vec<String> = ["--bounding-set", "--inh-caps"]
        .iter()
        .flat_map(|set| [(*set).to_owned(), format!("-all{capabilities}")])
        .collect();
    arguments.push(sidetone_scenarios::sidetone::binary().display().to_string());
    arguments.extend(["run", "--config"].map(str::to_owned));
    arguments.push(config.display().to_string());
    Process::start("sidetone", std::path::Path::new("setpriv"), &arguments, dir)
}

#[test]
fn two_capabilities_are_all_that_it_takes() {
    let (net, dir) = (Net::lease(), tempfile::tempdir().unwrap());
    let mut sidetone = privileged(",+bpf,+net_admin", &net, dir.path());
    until("Sidetone to be ready", || {
        let said = sidetone.output();
        assert!(sidetone.is_running(), "{said}");
        (said.contains("the kernel forwards settled media") && said.contains("sidetone is ready"))
            .then_some(())
    });
}

#[test]
fn a_start_that_requires_the_kernel_without_the_right_says_so() {
    let (net, dir) = (Net::lease(), tempfile::tempdir().unwrap());
    let mut sidetone = privileged("", &net, dir.path());
    assert!(!sidetone.wait().success());
    let said = sidetone.output();
    assert!(said.contains("media.kernel") && said.contains("CAP_BPF"), "{said}");
}
