//! Receipts are written without making a call wait, and losses are told.

#![allow(clippy::unwrap_used)] // tests

mod common;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use common::{moment, receipt};
use sidetone_consent::log::{Counters, LogError, Store, Trouble, Writer, verify};
use sidetone_consent::{Log, Moment, Receipt};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kept {
    Receipt(String),
    Lost(u64),
    Expire(String, u32),
}

/// A disk that works when it is told to, and says when it was tried.
#[derive(Clone)]
struct Disk {
    works: Arc<AtomicBool>,
    kept: Arc<Mutex<Vec<Kept>>>,
    tried: Sender<()>,
}

impl Disk {
    fn keep(&self, what: Kept) -> Result<(), LogError> {
        let _ = self.tried.send(());
        if self.works.load(Ordering::SeqCst) {
            self.kept.lock().unwrap().push(what);
            return Ok(());
        }
        Err(LogError::File { path: "disk".into(), why: io::Error::other("full") })
    }
}

impl Store for Disk {
    fn append(&mut self, receipt: &Receipt) -> Result<(), LogError> {
        self.keep(Kept::Receipt(receipt.call.clone()))
    }
    fn append_lost(&mut self, receipts: u64) -> Result<(), LogError> {
        self.keep(Kept::Lost(receipts))
    }
    fn sync(&mut self) -> Result<(), LogError> {
        Ok(())
    }
    fn expire(&mut self, now: Moment, days: u32) -> Result<(), LogError> {
        self.kept.lock().unwrap().push(Kept::Expire(now.day(), days));
        Ok(())
    }
}

#[test]
fn a_disk_that_fails_for_a_while_loses_what_does_not_fit_the_queue_and_says_so() {
    let (tried, tries) = channel();
    let disk =
        Disk { works: Arc::new(AtomicBool::new(false)), kept: Arc::new(Mutex::new(Vec::new())), tried };
    let troubles = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&troubles);
    let alarm = move |trouble: Trouble| {
        told.lock().unwrap().push(match trouble {
            Trouble::Failing(_) => "failing".to_owned(),
            Trouble::Losing => "losing".to_owned(),
            Trouble::Over { lost } => format!("over, {lost} lost"),
            Trouble::NotExpiring(_) => "not expiring".to_owned(),
        });
    };
    let writer = Writer::start(disk.clone(), 2, None, moment("2026-11-23T00:00:00Z"), alarm).unwrap();
    assert!(writer.submit(receipt("1", "2026-11-23T09:00:00Z")));
    tries.recv().unwrap(); // it holds the first one, and fails to write it
    assert!(writer.submit(receipt("2", "2026-11-23T09:00:00Z")));
    assert!(writer.submit(receipt("3", "2026-11-23T09:00:00Z")));
    assert!(!writer.submit(receipt("4", "2026-11-23T09:00:00Z")));
    assert!(!writer.submit(receipt("5", "2026-11-23T09:00:00Z")));
    tries.recv().unwrap(); // tried again, so that the loss is seen
    let counters = writer.counters();
    assert_eq!((counters.waiting, counters.written, counters.lost), (3, 0, 2));
    disk.works.store(true, Ordering::SeqCst);
    let counters = writer.close();
    assert_eq!((counters.written, counters.lost, counters.waiting), (3, 2, 0));
    assert!(counters.failures >= 1);
    let kept = disk.kept.lock().unwrap().clone();
    let receipt = |call: &str| Kept::Receipt(call.to_owned());
    assert!(kept.contains(&Kept::Lost(2)), "{kept:?}");
    let receipts: Vec<_> = kept.iter().filter(|kept| matches!(kept, Kept::Receipt(_))).cloned().collect();
    assert_eq!(receipts, [receipt("1"), receipt("2"), receipt("3")]);
    let troubles = troubles.lock().unwrap().clone();
    assert_eq!(troubles[..2], ["failing", "losing"]);
    assert!(troubles.iter().any(|trouble| trouble.starts_with("over")), "{troubles:?}");
}

#[test]
fn a_disk_that_never_works_does_not_keep_the_program_from_ending() {
    let (tried, _tries) = channel();
    let disk =
        Disk { works: Arc::new(AtomicBool::new(false)), kept: Arc::new(Mutex::new(Vec::new())), tried };
    let writer = Writer::start(disk, 8, None, moment("2026-11-23T00:00:00Z"), |_| {}).unwrap();
    for call in ["1", "2", "3"] {
        assert!(writer.submit(receipt(call, "2026-11-23T09:00:00Z")));
    }
    let Counters { written, lost, waiting, .. } = writer.close();
    assert_eq!((written, lost, waiting), (0, 3, 0));
}

/// Panics at its first receipt.
struct Panicking {
    receipts: Arc<Mutex<Vec<String>>>,
    panicked: bool,
}

impl Store for Panicking {
    fn append(&mut self, receipt: &Receipt) -> Result<(), LogError> {
        assert!(std::mem::replace(&mut self.panicked, true), "tried out");
        self.receipts.lock().unwrap().push(receipt.call.clone());
        Ok(())
    }
    fn append_lost(&mut self, _receipts: u64) -> Result<(), LogError> {
        Ok(())
    }
    fn sync(&mut self) -> Result<(), LogError> {
        Ok(())
    }
    fn expire(&mut self, _now: Moment, _days: u32) -> Result<(), LogError> {
        unreachable!("tried out")
    }
}

#[test]
fn a_panic_in_writing_is_told_and_loses_no_receipt() {
    let receipts = Arc::new(Mutex::new(Vec::new()));
    let store = Panicking { receipts: Arc::clone(&receipts), panicked: false };
    let (tell, told) = channel();
    let alarm = move |trouble| {
        let _ = tell.send(trouble);
    };
    let writer = Writer::start(store, 8, Some(30), moment("2026-11-23T00:00:00Z"), alarm).unwrap();
    assert!(matches!(told.recv().unwrap(), Trouble::NotExpiring(LogError::Panicked)));
    assert!(writer.submit(receipt("1", "2026-11-23T09:00:00Z")));
    assert!(matches!(told.recv().unwrap(), Trouble::Failing(LogError::Panicked)));
    assert_eq!(writer.close().written, 1);
    assert_eq!(*receipts.lock().unwrap(), ["1"]);
}

#[test]
fn what_is_too_old_is_looked_for_once_a_day() {
    let (tried, _tries) = channel();
    let disk = Disk { works: Arc::new(AtomicBool::new(true)), kept: Arc::new(Mutex::new(Vec::new())), tried };
    let writer = Writer::start(disk.clone(), 8, Some(30), moment("2026-11-23T00:00:00Z"), |_| {}).unwrap();
    for ended in ["2026-11-23T09:00:00Z", "2026-11-24T09:00:00Z", "2026-11-24T10:00:00Z"] {
        assert!(writer.submit(receipt("1", ended)));
    }
    writer.close();
    let kept = disk.kept.lock().unwrap().clone();
    let days: Vec<_> = kept.iter().filter(|kept| matches!(kept, Kept::Expire(..))).cloned().collect();
    assert_eq!(days.first(), Some(&Kept::Expire("2026-11-23".into(), 30)));
    assert_eq!(days.last(), Some(&Kept::Expire("2026-11-24".into(), 30)));
    assert_eq!(days.len(), 2);
}

#[test]
fn a_thousand_receipts_reach_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let now = moment("2026-11-23T00:00:00Z");
    let (log, opened) = Log::open(folder.path(), "sidetone 0.1.0", now).unwrap();
    assert!(opened.new);
    let writer = Writer::start(log, 1_000, Some(30), now, |_| {}).unwrap();
    for call in 0..1_000 {
        assert!(writer.submit(receipt(&call.to_string(), "2026-11-23T09:00:00Z")));
    }
    assert_eq!(writer.close(), Counters { written: 1_000, ..Counters::default() });
    let report = verify(folder.path(), None).unwrap();
    assert!(report.is_intact());
    assert_eq!(report.receipts, 1_000);
}

/// What operators read: the file and the system's own word for it, no program's notation.
#[test]
fn troubles_are_told_in_words() {
    let full = || LogError::File {
        path: "/var/lib/sidetone/receipts/2026-11-23-000000000001.jsonl".into(),
        why: io::Error::from_raw_os_error(28),
    };
    for (trouble, said, is_over) in [
        (
            Trouble::Failing(full()),
            "can't be written: /var/lib/sidetone/receipts/2026-11-23-000000000001.jsonl: No space left",
            false,
        ),
        (Trouble::Losing, "are being lost", false),
        (Trouble::Over { lost: 0 }, "written again; none was lost", true),
        (Trouble::Over { lost: 7 }, "written again; 7 were lost", false),
        (Trouble::NotExpiring(full()), "can't be deleted: /var/lib", false),
    ] {
        let words = trouble.to_string();
        assert!(words.contains(said), "{words}");
        assert!(!words.contains(['{', '}', '"']), "{words}");
        assert_eq!(trouble.is_over(), is_over, "{words}");
    }
}
