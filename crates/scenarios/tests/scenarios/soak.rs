//! Calls come and go, again and again: what they took is given back. `make soak` does so for an hour.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::rtp::speak;
use sidetone_scenarios::sidetone::{Setup, Sidetone};
use sidetone_scenarios::sipp::{Plan, Sipp};
use sidetone_scenarios::{repository, until};

/// Rounds of a short soak. The first one fills what is kept for good: pools, caches, the allocator's own.
const ROUNDS: usize = 4;
/// Calls of a round that are up together.
const CALLS: u32 = 100;
/// What a round may leave on top of the one before without being a leak that anybody would notice: pages that the
/// allocator keeps, receipts and events on their way to the disk.
const GROWTH: u64 = 8 << 20;

/// What the process holds when no call is up.
#[derive(Debug, Clone, Copy)]
struct Held {
    bytes: u64,
    descriptors: usize,
    threads: u64,
}

fn held(sidetone: &mut Sidetone) -> Held {
    let process = PathBuf::from(format!("/proc/{}", sidetone.process().id()));
    let status = std::fs::read_to_string(process.join("status")).unwrap();
    let number = |name: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let descriptors = std::fs::read_dir(process.join("fd")).unwrap().count();
    // Without the pages of files, which the system takes and gives back as it likes.
    Held { bytes: number("RssAnon:") * 1_024, descriptors, threads: number("Threads:") }
}

/// Three seconds of the demo's caller.
fn speech() -> Vec<i16> {
    let mut reader = hound::WavReader::open(repository().join("demo/caller.wav")).unwrap();
    reader.samples().map(Result::unwrap).skip(24 * 8_000).take(3 * 8_000).collect()
}

/// A hundred calls together, one that is cancelled, one that finds its callee busy, one that is listened to.
fn round(net: Net, sidetone: Sidetone) -> (Net, Sidetone) {
    let (trunk, pbx) = (net.at(host::TRUNK, 5060), net.at(host::PBX, 5060));
    let plans = |scenario: &str| {
        let mut caller = Plan::new(scenario, "uac", trunk);
        caller.remote = Some(sidetone.sip());
        (caller, Plan::new(scenario, "uas", pbx))
    };
    let (mut caller, mut callee) = Sipp::start_load(&net, &sidetone, CALLS, 200);
    caller.wait_sent("ACK", CALLS as usize);
    caller.open_gates();
    caller.finish();
    callee.finish();
    for scenario in ["cancel", "busy"] {
        let (caller, callee) = plans(scenario);
        let mut callee = Sipp::start(callee, sidetone.dir());
        let mut caller = Sipp::start(caller, sidetone.dir());
        caller.finish();
        callee.finish();
    }
    let (caller, callee) = plans("basic");
    let mut call = Call::through(net, sidetone, caller, callee);
    call.answered();
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    call.caller.open_gate();
    call.caller.finish();
    call.callee.finish();
    let Call { net, sidetone, .. } = call;
    sidetone.wait_until_idle();
    (net, sidetone)
}

#[test]
fn a_soak_leaves_everything_as_it_was() {
    let minutes = std::env::var("SIDETONE_SOAK_MINUTES").ok().map(|minutes| minutes.parse().unwrap());
    let until_then = minutes.map(|minutes: u64| Instant::now() + Duration::from_secs(minutes * 60));
    let (mut net, folder) = (Net::lease(), tempfile::tempdir().unwrap());
    let mut setup = Setup::usual(&net);
    setup.media = setup.media.replace("30000-30199", "30000-31999");
    setup.more = format!(
        "[limits]\ncalls = 1000\ncalls_per_second = 1000\n[journal]\npath = {:?}\n[spool]\npath = {:?}\n[store]\npath = \
         {:?}\n[consent]\nreceipts = {:?}\n",
        folder.path().join("calls.journal"),
        folder.path().join("spool"),
        folder.path().join("store"),
        folder.path().join("receipts"),
    );
    let mut sidetone = Sidetone::start(&net, &setup);
    let mut rounds: Vec<Held> = Vec::new();
    while until_then.map_or(rounds.len() < ROUNDS, |then| Instant::now() < then) {
        (net, sidetone) = round(net, sidetone);
        // Sockets of ended calls are closed, and new ones bound for calls to come, a moment later.
        let first = rounds.first().copied();
        let now = until("the descriptors of the first round", || {
            let now = held(&mut sidetone);
            first.is_none_or(|first| now.descriptors <= first.descriptors).then_some(now)
        });
        println!(
            "round {}: {} MiB, {} descriptors, {} threads",
            rounds.len() + 1,
            now.bytes >> 20,
            now.descriptors,
            now.threads
        );
        rounds.push(now);
    }
    let (first, last) = (rounds[0], rounds[rounds.len() - 1]);
    assert_eq!(last.threads, first.threads, "{rounds:?}");
    // What the first quarter has come to is what it takes; the last quarter may take no more.
    let most = |rounds: &[Held]| rounds.iter().map(|held| held.bytes).max().unwrap();
    let quarter = rounds.len().div_ceil(4);
    let (before, after) = (most(&rounds[..2 * quarter]), most(&rounds[rounds.len() - quarter..]));
    assert!(after <= before + GROWTH, "{before} bytes at first, {after} at last: {rounds:?}");
    assert_eq!(sidetone.metric("sidetone_journal_calls"), 0.0);
    sidetone.finish();
    drop(net);
}
