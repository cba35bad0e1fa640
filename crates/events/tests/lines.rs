//! JSON lines in a file, from the configuration to the last line.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::path::Path;
use std::time::Duration;

use common::{a_call, alert, cue, narrator};
use sidetone_call::Leg;
use sidetone_events::config::{EventsConfig, FileConfig};
use sidetone_events::{Bus, CallHeld, Event, Happening, Kind, Sinks};
use sidetone_insight::Alert;
use sidetone_insight::cues::{Cause, CueShown};

const FOREVER: Duration = Duration::from_secs(60);

fn config(path: &Path, max_bytes: u64, keep: u32) -> EventsConfig {
    let file = FileConfig { path: path.to_owned(), max_bytes, keep, keep_days: 0, kinds: vec![] };
    EventsConfig { file: Some(file), ..EventsConfig::default() }
}

fn read(path: &Path) -> Vec<Event> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    assert!(text.is_empty() || text.ends_with('\n'), "no line is left unfinished");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn every_event_is_a_line_and_shutdown_loses_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let bus = Bus::new();
    bus.keep_words(true);
    let sinks = Sinks::start(&config(&path, 1 << 20, 3), &bus).unwrap();
    a_call().into_iter().for_each(|event| bus.publish(event));
    let counts = sinks.shutdown(FOREVER).await;
    assert_eq!(read(&path), a_call());
    let file = counts.iter().find(|counts| counts.name == "file").unwrap();
    assert_eq!((file.delivered, file.dropped, file.failed), (a_call().len() as u64, 0, 0));
}

/// What was said is told to those who listen, and kept only where that is wanted.
#[tokio::test]
async fn words_are_not_kept_unless_they_may_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let bus = Bus::new();
    let sinks = Sinks::start(&config(&path, 1 << 20, 3), &bus).unwrap();
    let mut listening = bus.subscribe("tail", 64, &[]);
    let alert = Alert { phrase: Some("cancel my contract".to_owned()), ..alert() };
    let upset = narrator().tell(Duration::ZERO, Happening::AffectAlert(alert));
    let said = |condition: &str| Cause { condition: condition.to_owned(), value: None };
    let because = vec![said("said = bereavement"), said("tier = silver"), said("urgency > 0.5")];
    let cued = narrator().tell(Duration::ZERO, Happening::CueShown(CueShown { because, ..cue() }));
    a_call().into_iter().chain([upset, cued]).for_each(|event| bus.publish(event));
    sinks.shutdown(FOREVER).await;
    let kept = read(&path);
    assert_eq!(kept.len(), a_call().len() + 2, "a place is kept for each event");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("cancel") && !text.contains("words."), "{text}");
    let Happening::CueShown(cue) = &kept[kept.len() - 1].happening else { panic!("{kept:?}") };
    assert_eq!(cue.because, [said("tier = silver")], "nor what a cue took from words");
    let told = std::iter::from_fn(|| listening.try_recv()).map(|told| told.event.kind()).collect::<Vec<_>>();
    assert!(told.contains(&Kind::WordsFinal) && told.contains(&Kind::WordsTopic), "{told:?}");
}

#[tokio::test]
async fn rotation_keeps_an_unbroken_run_of_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let bus = Bus::new();
    bus.keep_words(true);
    let sinks = Sinks::start(&config(&path, 4_096, 3), &bus).unwrap();
    let mut narrator = narrator();
    for at in 0..400 {
        bus.publish(narrator.tell(Duration::from_millis(at), CallHeld { by: Leg::Agent }));
    }
    sinks.shutdown(FOREVER).await;
    let mut seqs = vec![];
    for number in [3, 2, 1] {
        let old = folder.path().join(format!("events.jsonl.{number}"));
        assert!(std::fs::metadata(&old).unwrap().len() <= 4_096);
        seqs.extend(read(&old).iter().map(|event| event.seq));
    }
    seqs.extend(read(&path).iter().map(|event| event.seq));
    assert_eq!(seqs.last(), Some(&400));
    assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4);
}

#[tokio::test]
async fn a_file_moved_away_is_opened_anew_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("events.jsonl"), folder.path().join("moved.jsonl"));
    let bus = Bus::new();
    bus.keep_words(true);
    let sinks = Sinks::start(&config(&path, 1 << 20, 3), &bus).unwrap();
    let events = a_call();
    bus.publish(events[0].clone());
    while sinks.counts()[0].delivered < 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    std::fs::rename(&path, &moved).unwrap();
    sinks.reopen();
    bus.publish(events[1].clone());
    sinks.shutdown(FOREVER).await;
    assert_eq!((read(&moved), read(&path)), (vec![events[0].clone()], vec![events[1].clone()]));
}

#[tokio::test]
async fn a_full_disk_loses_whole_events_and_counts_them() {
    // Every write to this device fails with "no space left".
    let bus = Bus::new();
    bus.keep_words(true);
    let sinks = Sinks::start(&config(Path::new("/dev/full"), 1 << 20, 3), &bus).unwrap();
    a_call().into_iter().for_each(|event| bus.publish(event));
    let counts = sinks.shutdown(FOREVER).await;
    assert_eq!((counts[0].delivered, counts[0].failed), (0, a_call().len() as u64));
}

#[tokio::test]
async fn a_file_may_hold_some_kinds_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ended.jsonl");
    let bus = Bus::new();
    bus.keep_words(true);
    let mut config = config(&path, 1 << 20, 3);
    config.file.as_mut().unwrap().kinds = vec![Kind::CallEnded];
    let sinks = Sinks::start(&config, &bus).unwrap();
    a_call().into_iter().for_each(|event| bus.publish(event));
    sinks.shutdown(FOREVER).await;
    assert_eq!(read(&path).iter().map(Event::kind).collect::<Vec<_>>(), [Kind::CallEnded]);
}
