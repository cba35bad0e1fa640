//! A full disk under the receipts: what finds no room is written when there is some again, and the log stays whole.

#![allow(clippy::unwrap_used)] // tests

mod common;

use std::process::Command;

use common::{moment, receipt};
use sidetone_consent::Log;
use sidetone_consent::log::{Writer, verify};

/// A disk of so many KiB at a folder; `None` for whoever is not root.
fn disk(folder: &std::path::Path, kib: u32) -> Option<Mounted> {
    let size = format!("size={kib}k");
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder).output();
    mount.is_ok_and(|it| it.status.success()).then(|| Mounted(folder.to_owned()))
}

struct Mounted(std::path::PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn receipts_that_find_no_room_are_lost_and_the_log_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = disk(folder.path(), 64) else {
        eprintln!("not tried: only root can mount a small disk");
        return;
    };
    let now = moment("2026-11-23T08:00:00Z");
    let receipts = folder.path().join("receipts");
    let (log, _) = Log::open(&receipts, "sidetone 0.1.0", now).unwrap();
    let filler = folder.path().join("filler");
    std::fs::write(&filler, vec![0; 1 << 20]).unwrap_err();
    let writer = Writer::start(log, 2, None, now, |_| {}).unwrap();
    let mut calls = 0;
    // The last page has room for some; of the others two wait, and one is held.
    while writer.counters().lost == 0 || writer.counters().failures == 0 {
        calls += 1;
        writer.submit(receipt(&format!("call-{calls}"), "2026-11-23T09:00:00Z"));
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    std::fs::remove_file(&filler).unwrap();
    let counters = writer.close();
    assert_eq!(counters.written + counters.lost, calls, "{counters:?}");
    let report = verify(&receipts, None).unwrap();
    assert!(report.is_intact(), "{report:?}");
    assert_eq!((report.receipts, report.lost), (counters.written, counters.lost), "{report:?}");
}
