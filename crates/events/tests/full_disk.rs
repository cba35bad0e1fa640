//! A full disk under the events file: events are lost and counted, what a customer objects to is erased all the same.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::{a_happening_of_each_kind, narrator_of};
use sidetone_consent::{Medium, Policy, Source, State};
use sidetone_events::config::{EventsConfig, FileConfig};
use sidetone_events::{Bus, ConsentChanged, Event, Happening, Kind, Narrator, Sinks};

/// A disk of so many KiB, which only root can make.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    fn of(kib: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={kib}k");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        mount.is_ok_and(|it| it.status.success()).then_some(Self { folder })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Takes all the room that is left.
    fn fill(&self) -> PathBuf {
        let filler = self.path("filler");
        std::fs::write(&filler, vec![0; 16 << 20]).unwrap_err();
        filler
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.folder.path()).output();
    }
}

fn call(narrator: &mut Narrator) -> Vec<Event> {
    let mut events = a_happening_of_each_kind();
    events.retain(|(_, it)| !matches!(it, Happening::Erased(_) | Happening::CallEnded(_)));
    events.into_iter().map(|(at, it)| narrator.tell(Duration::from_millis(at), it)).collect()
}

fn inferred(path: &Path, narrator: &Narrator) -> usize {
    let text = std::fs::read_to_string(path).unwrap();
    let events = text.lines().map(|line| serde_json::from_str::<Event>(line).unwrap());
    events.filter(|event| event.call.id == narrator.call().id && event.infers()).count()
}

async fn until(what: impl Fn() -> bool) {
    while !what() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_full_disk_costs_events_and_no_erasure() {
    let Some(disk) = Disk::of(256) else {
        eprintln!("not tried: only root can mount a small disk");
        return;
    };
    let path = disk.path("events.jsonl");
    let file = FileConfig { path: path.clone(), max_bytes: 1 << 20, keep: 2, keep_days: 0, kinds: vec![] };
    let config = EventsConfig { file: Some(file), ..EventsConfig::default() };
    let bus = Bus::new();
    let sinks = Sinks::start(&config, &bus).unwrap();
    let (mut objects, mut others) = (narrator_of(1), narrator_of(2));
    let mine = call(&mut objects);
    mine.iter().for_each(|event| bus.publish(event.clone()));
    until(|| sinks.counts()[0].delivered == mine.len() as u64).await;
    assert!(inferred(&path, &objects) > 0);

    let filler = disk.fill();
    // Some may still find room in the file's last page.
    while sinks.counts()[0].failed == 0 {
        call(&mut others).into_iter().for_each(|event| bus.publish(event));
        until(|| sinks.counts()[0].queued == 0).await;
    }
    let by = Source::Digit(Medium::TelephoneEvent);
    let change = ConsentChanged { state: State::OptedOut, policy: Policy::Notice, by, erased: true };
    bus.publish(objects.tell(Duration::from_secs(100), change));
    until(|| inferred(&path, &objects) == 0).await;
    until(|| !disk.path("events.jsonl.erasing").exists()).await;
    assert_eq!(sinks.counts()[0].erasures_owed, 0);

    std::fs::remove_file(filler).unwrap();
    let before = sinks.counts()[0].delivered;
    call(&mut others).into_iter().for_each(|event| bus.publish(event));
    until(|| sinks.counts()[0].delivered > before).await;
    sinks.shutdown(Duration::from_secs(60)).await;
    let text = std::fs::read_to_string(&path).unwrap();
    // Every line whole, the one that the disk had no room for included.
    let kinds: Vec<Kind> =
        text.lines().map(|line| serde_json::from_str::<Event>(line).unwrap().kind()).collect();
    assert!(kinds.iter().filter(|kind| **kind == Kind::Erased).count() > 1, "{kinds:?}");
}
