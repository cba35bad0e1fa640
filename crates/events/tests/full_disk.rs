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

/// A disk that can be filled: a small one of its own for root, and for everybody else a limit to how long files get,
/// which an event runs into in the same way, in the middle of its line.
enum Disk {
    Mounted(tempfile::TempDir),
    Limited(tempfile::TempDir),
}

/// Set in the process that ignores the signal by which the limit would end it.
const IGNORES_SIGXFSZ: &str = "SIDETONE_IGNORES_SIGXFSZ";

impl Disk {
    /// `None` when a process of its own has done the test `name`.
    fn of(kib: u32, name: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={kib}k");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        if mount.is_ok_and(|it| it.status.success()) {
            return Some(Self::Mounted(folder));
        }
        if std::env::var_os(IGNORES_SIGXFSZ).is_some() {
            return Some(Self::Limited(folder));
        }
        let test = std::env::current_exe().unwrap();
        let again = Command::new("sh")
            .args(["-c", "trap '' 25; exec \"$@\"", "sh"])
            .arg(test)
            .args(["--exact", name, "--nocapture"])
            .env(IGNORES_SIGXFSZ, "yes")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&again.stdout);
        assert!(
            again.status.success() && said.contains("1 passed"),
            "{said}\n{}",
            String::from_utf8_lossy(&again.stderr)
        );
        None
    }

    fn path(&self, name: &str) -> PathBuf {
        let (Self::Mounted(folder) | Self::Limited(folder)) = self;
        folder.path().join(name)
    }

    /// Leaves no room, or little of it, behind what is in `file`.
    fn fill(&self, file: &Path) {
        match self {
            Self::Mounted(_) => {
                std::fs::write(self.path("filler"), vec![0; 16 << 20]).unwrap_err();
            }
            Self::Limited(_) => limit(&(std::fs::metadata(file).unwrap().len() + 100).to_string()),
        }
    }

    fn make_room(&self) {
        match self {
            Self::Mounted(_) => std::fs::remove_file(self.path("filler")).unwrap(),
            Self::Limited(_) => limit("unlimited"),
        }
    }
}

/// Limits how long files of this process get, in bytes, until it says otherwise.
fn limit(bytes: &str) {
    let pid = std::process::id().to_string();
    let limited =
        Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}:")]).output().unwrap();
    assert!(limited.status.success(), "{}", String::from_utf8_lossy(&limited.stderr));
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Self::Mounted(folder) = self {
            let _ = Command::new("umount").arg("-l").arg(folder.path()).output();
        }
    }
}

fn call(narrator: &mut Narrator) -> Vec<Event> {
    let mut events = a_happening_of_each_kind();
    events.retain(|(_, it)| !matches!(it, Happening::Erased(_) | Happening::CallEnded(_)));
    events.into_iter().map(|(at, it)| narrator.tell(Duration::from_millis(at), it)).collect()
}

fn inferred(path: &Path, narrator: &Narrator) -> usize {
    let text = std::fs::read_to_string(path).unwrap();
    // The last line may be in the middle of being written.
    let events = text.lines().filter_map(|line| serde_json::from_str::<Event>(line).ok());
    events.filter(|event| event.call.id == narrator.call().id && event.infers()).count()
}

async fn until(what: impl Fn() -> bool) {
    while !what() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_full_disk_costs_events_and_no_erasure() {
    let Some(disk) = Disk::of(256, "a_full_disk_costs_events_and_no_erasure") else { return };
    let path = disk.path("events.jsonl");
    let file = FileConfig { path: path.clone(), max_bytes: 1 << 20, keep: 2, keep_days: 0, kinds: vec![] };
    let config = EventsConfig { file: Some(file), ..EventsConfig::default() };
    let bus = Bus::new();
    bus.keep_words(true);
    let sinks = Sinks::start(&config, &bus).unwrap();
    let (mut objects, mut others) = (narrator_of(1), narrator_of(2));
    let mine = call(&mut objects);
    mine.iter().for_each(|event| bus.publish(event.clone()));
    until(|| sinks.counts()[0].delivered == mine.len() as u64).await;
    assert!(inferred(&path, &objects) > 0);

    disk.fill(&path);
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

    disk.make_room();
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
