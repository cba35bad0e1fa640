//! A full disk under the receipts: what finds no room is written when there is some again, and the log stays whole.

#![allow(clippy::unwrap_used)] // tests

mod common;

use std::path::Path;
use std::process::Command;

use common::{moment, receipt};
use sidetone_consent::Log;
use sidetone_consent::log::{Writer, verify};

/// A disk that can be filled, at a folder: a small one of its own for root, and for everybody else a limit to how long
/// files get, which a receipt runs into in the same way, in the middle of its line.
struct Disk<'a> {
    folder: &'a Path,
    mounted: bool,
}

/// Set in the process that ignores the signal by which the limit would end it.
const IGNORES_SIGXFSZ: &str = "SIDETONE_IGNORES_SIGXFSZ";

impl<'a> Disk<'a> {
    /// `None` when a process of its own has done the test `name`.
    fn of(folder: &'a Path, kib: u32, name: &str) -> Option<Self> {
        let size = format!("size={kib}k");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder).output();
        let mounted = mount.is_ok_and(|it| it.status.success());
        if mounted || std::env::var_os(IGNORES_SIGXFSZ).is_some() {
            return Some(Self { folder, mounted });
        }
        let again = Command::new("sh")
            .args(["-c", "trap '' 25; exec \"$@\"", "sh"])
            .arg(std::env::current_exe().unwrap())
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

    /// Leaves no room, or room for little more than a receipt, behind what is in the newest file of `receipts`.
    fn fill(&self, receipts: &Path) {
        if self.mounted {
            std::fs::write(self.folder.join("filler"), vec![0; 1 << 20]).unwrap_err();
            return;
        }
        let sizes = std::fs::read_dir(receipts).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
        limit(&(sizes.max().unwrap() + 2_000).to_string());
    }

    fn make_room(&self) {
        if self.mounted {
            std::fs::remove_file(self.folder.join("filler")).unwrap();
        } else {
            limit("unlimited");
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

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        if self.mounted {
            let _ = Command::new("umount").arg("-l").arg(self.folder).output();
        }
    }
}

#[test]
fn receipts_that_find_no_room_are_lost_and_the_log_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let name = "receipts_that_find_no_room_are_lost_and_the_log_says_so";
    let Some(disk) = Disk::of(folder.path(), 64, name) else { return };
    let now = moment("2026-11-23T08:00:00Z");
    let receipts = folder.path().join("receipts");
    let (log, _) = Log::open(&receipts, "sidetone 0.1.0", now).unwrap();
    disk.fill(&receipts);
    let writer = Writer::start(log, 2, None, now, |_| {}).unwrap();
    let mut calls = 0;
    // The last page has room for some; of the others two wait, and one is held.
    while writer.counters().lost == 0 || writer.counters().failures == 0 {
        calls += 1;
        writer.submit(receipt(&format!("call-{calls}"), "2026-11-23T09:00:00Z"));
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    disk.make_room();
    let counters = writer.close();
    assert_eq!(counters.written + counters.lost, calls, "{counters:?}");
    let report = verify(&receipts, None).unwrap();
    assert!(report.is_intact(), "{report:?}");
    assert_eq!((report.receipts, report.lost), (counters.written, counters.lost), "{report:?}");
}
