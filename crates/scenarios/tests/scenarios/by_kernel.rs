//! The kernel forwards what is settled, and the relay misses nothing of it.

use serde_json::Value;
use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::netns::{Machine, at};
use sidetone_scenarios::process::Process;
use sidetone_scenarios::rtp::{End, both_ways, rtcp_both_ways, speak};
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
        both_ways("until it is settled", caller, callee, 2);
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

/// Both parties on machines of their own, Sidetone on a third one.
struct Between {
    carrier: Machine,
    own: Machine,
    _office: Machine,
    sidetone: Sidetone,
    caller: Sipp,
    callee: Sipp,
    caller_media: End,
    callee_media: End,
}

impl Between {
    /// A call between `trunk` and `pbx`, each our own address and theirs; answered.
    fn machines(trunk: [&str; 2], pbx: [&str; 2], change: impl FnOnce(&mut Setup)) -> Self {
        let (carrier, own, office) = (Machine::new(), Machine::new(), Machine::new());
        let is_v6 = |ip: &str| ip.contains(':');
        let with = |ip: &str| format!("{ip}/{}", if is_v6(ip) { 64 } else { 24 });
        own.join("own", &[&with(trunk[0])], &carrier, "carrier", &[&with(trunk[1])]);
        own.join("own", &[&with(pbx[0])], &office, "office", &[&with(pbx[1])]);
        if is_v6(trunk[0]) && is_v6(pbx[0]) {
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
        setup.media = match (is_v6(trunk[0]), is_v6(pbx[0])) {
            (false, false) => format!("address_trunk = {:?}\naddress_pbx = {:?}\n", trunk[0], pbx[0]),
            (true, true) => format!("ipv6 = {:?}\n", trunk[0]),
            (false, true) => format!("address = {:?}\nipv6 = {:?}\n", trunk[0], pbx[0]),
            (true, false) => format!("address = {:?}\nipv6 = {:?}\n", pbx[0], trunk[0]),
        };
        setup.media.push_str("ports = \"30000-30199\"\n");
        change(&mut setup);
        let sidetone = own.within(|| Sidetone::start(&net, &required(setup)));
        let mut uac = Plan::new("basic", "uac", sip(trunk[1]));
        uac.remote = Some(sip(trunk[0]));
        let uas = Plan::new("basic", "uas", sip(pbx[1]));
        let mut callee_media = office.within(|| End::bind(uas.media));
        let mut callee = office.within(|| Sipp::start(uas, sidetone.dir()));
        let mut caller_media = carrier.within(|| End::bind(uac.media));
        let caller = carrier.within(|| Sipp::start(uac, sidetone.dir()));
        callee.wait_received("ACK", 1);
        caller_media.send_to(sidetone_scenarios::call::media_of(&caller.seen(), 0));
        callee_media.send_to(sidetone_scenarios::call::media_of(&callee.seen(), 0));
        Self { carrier, own, _office: office, sidetone, caller, callee, caller_media, callee_media }
    }

    fn settle(&mut self) -> u64 {
        let Self { own, sidetone, caller_media, callee_media, .. } = self;
        own.within(|| settle(sidetone, caller_media, callee_media))
    }

    fn finish(mut self) -> Vec<Value> {
        let Self { carrier, caller, .. } = &mut self;
        carrier.within(|| caller.open_gate());
        self.caller.finish();
        self.callee.finish();
        let Self { own, sidetone, .. } = self;
        own.within(|| sidetone.finish())
    }
}

/// While the program stands still the call goes on; afterwards it knows of every packet.
fn between_machines(trunk: [&str; 2], pbx: [&str; 2]) {
    let mut call = Between::machines(trunk, pbx, |_| {});
    let sent = call.settle();
    call.sidetone.process().signal("STOP");
    both_ways("the program stands still", &mut call.caller_media, &mut call.callee_media, 50);
    call.sidetone.process().signal("CONT");
    let legs = until("the counts to be up to date", || {
        let now = legs(&call.sidetone);
        now.iter().all(|leg| count(leg, "packets") == sent + 50).then_some(now)
    });
    for leg in &legs {
        assert!(count(leg, "by_kernel") >= 50, "{leg}");
        assert_eq!((count(leg, "lost"), count(leg, "rejected")), (0, 0));
    }
    // What isn't settled RTP comes to the program as before.
    rtcp_both_ways("between machines", &call.caller_media, &call.callee_media);
    call.caller_media.new_ssrc();
    both_ways("another SSRC", &mut call.caller_media, &mut call.callee_media, 20);
    call.finish();
}

/// A BPF file system, and a journal beside it.
struct Lasting {
    folder: tempfile::TempDir,
}

impl Lasting {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bpf = folder.path().join("bpf");
        std::fs::create_dir(&bpf).unwrap();
        let mounted =
            std::process::Command::new("mount").args(["-t", "bpf", "bpf"]).arg(&bpf).status().unwrap();
        assert!(mounted.success(), "this test mounts a BPF file system: run it as root");
        Self { folder }
    }

    fn of(&self, setup: &mut Setup) {
        let at = |name| self.folder.path().join(name);
        setup.media.push_str(&format!("kernel_pins = {:?}\n", at("bpf/sidetone")));
        setup.more.push_str(&format!("[journal]\npath = {:?}\n", at("calls.journal")));
    }

    fn pinned(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("bpf/sidetone")).map_or(0, Iterator::count)
    }
}

impl Drop for Lasting {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.folder.path().join("bpf")).status();
    }
}

/// The program is killed: not one packet is lost while there is none, and the next one knows of all that passed.
#[test]
fn a_call_outlives_the_program_without_one_packet_lost() {
    let lasting = Lasting::new();
    let mut call = Between::machines(["10.78.1.1", "10.78.1.2"], ["10.78.2.1", "10.78.2.2"], |setup| {
        lasting.of(setup);
    });
    call.settle();
    // Until the relay has told of the settled stream for the journal.
    for _ in 0..2 {
        let before = count(&legs(&call.sidetone)[0], "packets");
        until("another report of the relay's", || {
            both_ways("before", &mut call.caller_media, &mut call.callee_media, 5);
            (count(&legs(&call.sidetone)[0], "packets") > before).then_some(())
        });
    }
    until("it to be written down", || {
        let waiting = call.own.within(|| call.sidetone.metric("sidetone_journal_waiting"));
        (waiting == 0.0).then_some(())
    });
    call.sidetone.process().kill();
    both_ways("there is no program", &mut call.caller_media, &mut call.callee_media, 100);
    let Between { own, sidetone, .. } = &mut call;
    own.within(|| sidetone.start_anew());
    both_ways("there is one again", &mut call.caller_media, &mut call.callee_media, 20);
    let legs = until("what has passed meanwhile to be known", || {
        let now = legs(&call.sidetone);
        now.iter().all(|leg| count(leg, "packets") >= 120).then_some(now)
    });
    for leg in &legs {
        assert!(count(leg, "by_kernel") >= 100, "{leg}");
        assert_eq!((count(leg, "lost"), count(leg, "rejected")), (0, 0), "{leg}");
    }
    // It is the program's again: another SSRC comes to it, and settles anew.
    call.caller_media.new_ssrc();
    both_ways("another SSRC", &mut call.caller_media, &mut call.callee_media, 20);
    call.settle();
    call.finish();
    assert_eq!(lasting.pinned(), 0, "an orderly end leaves nothing in the kernel");
}

/// Another process takes over while the kernel forwards: nothing is lost, nothing waits, and the kernel goes on.
#[test]
fn an_upgrade_leaves_the_kernel_at_work() {
    let lasting = Lasting::new();
    let mut call = Between::machines(["10.83.1.1", "10.83.1.2"], ["10.83.2.1", "10.83.2.2"], |setup| {
        lasting.of(setup);
    });
    call.settle();
    let Between { own, sidetone, caller_media, callee_media, .. } = &mut call;
    let told = std::thread::scope(|scope| {
        let upgrade = scope.spawn(|| own.within(|| sidetone.upgrade(&[]).unwrap()));
        while !upgrade.is_finished() {
            both_ways("meanwhile", caller_media, callee_media, 5);
        }
        upgrade.join().unwrap()
    });
    assert_eq!((&told["calls"], &told["ended"]), (&1.into(), &0.into()), "{told}");
    assert_eq!(lasting.pinned(), 1);
    both_ways("afterwards", &mut call.caller_media, &mut call.callee_media, 100);
    let legs = until("what has passed to be known", || {
        let now = legs(&call.sidetone);
        now.iter().all(|leg| count(leg, "by_kernel") >= 100).then_some(now)
    });
    for leg in &legs {
        assert_eq!((count(leg, "lost"), count(leg, "rejected")), (0, 0), "{leg}");
    }
    call.finish();
    assert_eq!(lasting.pinned(), 0, "an orderly end leaves nothing in the kernel");
}

/// The next start does without the kernel: what the last one left there would else go on for good.
#[test]
fn what_was_left_in_the_kernel_is_taken_out_by_a_start_that_does_without_it() {
    let lasting = Lasting::new();
    let mut call = Between::machines(["10.81.1.1", "10.81.1.2"], ["10.81.2.1", "10.81.2.2"], |setup| {
        lasting.of(setup);
    });
    call.settle();
    call.sidetone.process().kill();
    assert_eq!(lasting.pinned(), 1);
    let config = call.sidetone.dir().join("sidetone.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("kernel = \"require\"", "kernel = \"off\"")).unwrap();
    let Between { own, sidetone, .. } = &mut call;
    own.within(|| sidetone.start_anew());
    assert_eq!(lasting.pinned(), 0);
    // The kernel unhooks a moment after it was told to.
    let legs = until("the program to know of it", || {
        both_ways("by the program", &mut call.caller_media, &mut call.callee_media, 5);
        let now = legs(&call.sidetone);
        now.iter().all(|leg| count(leg, "packets") >= 20).then_some(now)
    });
    assert!(legs.iter().all(|leg| count(leg, "rejected") == 0), "{legs:?}");
    call.finish();
}

/// Nobody carries the call on: nothing of it stays in the kernel.
#[test]
fn what_no_call_claims_is_taken_out_of_the_kernel() {
    let lasting = Lasting::new();
    let mut call = Between::machines(["10.79.1.1", "10.79.1.2"], ["10.79.2.1", "10.79.2.2"], |setup| {
        lasting.of(setup);
    });
    call.settle();
    call.sidetone.process().kill();
    std::fs::remove_file(lasting.folder.path().join("calls.journal")).unwrap();
    let _ = std::fs::remove_file(lasting.folder.path().join("calls.journal-wal"));
    both_ways("there is no program", &mut call.caller_media, &mut call.callee_media, 20);
    let Between { own, sidetone, .. } = &mut call;
    own.within(|| sidetone.start_anew());
    sidetone_scenarios::rtp::nothing("a call that nobody knows", &mut call.caller_media, &call.callee_media);
    // Its BYE passes all the same: the dialog is known by its mark.
    let Between { carrier, caller, .. } = &mut call;
    carrier.within(|| caller.open_gate());
    call.caller.finish();
    call.callee.finish();
    call.sidetone.stop();
    assert_eq!(lasting.pinned(), 0);
}

#[test]
fn a_call_between_machines_outlasts_a_program_that_stands_still() {
    between_machines(["10.77.1.1", "10.77.1.2"], ["10.77.2.1", "10.77.2.2"]);
}

#[test]
fn so_does_one_over_ipv6() {
    between_machines(["fd77:1::1", "fd77:1::2"], ["fd77:2::1", "fd77:2::2"]);
}

#[test]
fn so_does_one_from_ipv4_to_ipv6() {
    between_machines(["10.80.3.1", "10.80.3.2"], ["fd77:3::1", "fd77:3::2"]);
}

#[test]
fn so_does_one_from_ipv6_to_ipv4() {
    between_machines(["fd77:4::1", "fd77:4::2"], ["10.80.4.1", "10.80.4.2"]);
}

/// Packets to a carrier behind IPsec must not leave in the clear: they are the program's, and meet the policies.
#[test]
fn where_ipsec_policies_are_in_force_the_kernel_forwards_nothing() {
    let mut call = Between::machines(["10.80.1.1", "10.80.1.2"], ["10.80.2.1", "10.80.2.2"], |_| {});
    call.settle();
    let ways = |call: &Between| call.own.within(|| call.sidetone.metric("sidetone_kernel_ways"));
    // Of somebody else's traffic, so that what leaves here can be looked at.
    let policy = "xfrm policy add dir out src 10.99.0.0/16 dst 10.98.0.0/16 tmpl proto esp mode transport";
    call.own.ip(policy);
    until("no way to be left in the kernel", || (ways(&call) == 0.0).then_some(()));
    both_ways("by the program", &mut call.caller_media, &mut call.callee_media, 20);
    assert_eq!(ways(&call), 0.0);
    call.own.ip("xfrm policy flush");
    call.settle();
    call.finish();
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
