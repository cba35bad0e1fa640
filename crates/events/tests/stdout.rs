//! Events on standard output, in a process of their own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::a_call;
use sidetone_events::config::EventsConfig;
use sidetone_events::{Bus, Event, Sinks};

const ROLE: &str = "SIDETONE_TEST_WRITES_EVENTS";
const FOREVER: Duration = Duration::from_secs(60);

/// Not a test by itself: what the other tests start.
#[test]
fn writes_events() {
    let Ok(rounds) = std::env::var(ROLE) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let lost = runtime.block_on(async {
        let bus = Bus::new();
        bus.keep_words(true);
        let config = EventsConfig { stdout: true, queue: 1_000_000, ..EventsConfig::default() };
        let sinks = Sinks::start(&config, &bus).unwrap();
        for _ in 0..rounds.parse::<u32>().unwrap() {
            a_call().into_iter().for_each(|event| bus.publish(event));
        }
        sinks.shutdown(FOREVER).await.into_iter().map(|counts| counts.dropped + counts.failed).sum::<u64>()
    });
    // 0: all was written; 7: some was lost. Anything else: it broke.
    std::process::exit(if lost == 0 { 0 } else { 7 });
}

fn child(rounds: u32) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writes_events", "--nocapture"])
        .env(ROLE, rounds.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn every_event_is_a_line() {
    let output = child(3).wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // The test runner's own heading comes on the same output.
    let events: Vec<Event> = text
        .lines()
        .filter_map(|line| line.find('{').and_then(|start| serde_json::from_str(&line[start..]).ok()))
        .collect();
    let expected: Vec<Event> = (0..3).flat_map(|_| a_call()).collect();
    assert_eq!(events, expected);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_reader_that_goes_away_does_no_harm() {
    let mut child = child(2_000);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("sidetone.event.v1")));
    assert!(first.is_some());
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(7), "it ends by itself, and says that some was lost");
}
