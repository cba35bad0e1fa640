use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::file::Standing;
use crate::{Parts, examine};

const ONE: CallKey = CallKey(1);
const BIG: CallKey = CallKey(u64::MAX);

fn config(folder: &tempfile::TempDir) -> JournalConfig {
    // Its folder is made too.
    JournalConfig { path: folder.path().join("state/calls.journal"), keep_seconds: 120 }
}

fn parts(of: &[(Part, &[u8])]) -> Parts {
    of.iter().map(|(part, content)| (*part, content.to_vec())).collect()
}

#[test]
fn the_next_process_finds_the_newest_of_each_part_and_its_clock_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, life) = Journal::open(&config(&folder), None).unwrap();
    assert_eq!((life.standing, life.calls.len()), (Standing::New, 0));
    journal.settle(0, 0);
    let pen = journal.pen();
    pen.write(ONE, Part::Signalling, Some(b"first".to_vec()));
    pen.write(ONE, Part::Book, Some(b"book".to_vec()));
    pen.write(ONE, Part::Signalling, Some(b"second".to_vec()));
    pen.write(BIG, Part::Media, Some(b"media".to_vec()));
    pen.write(CallKey(3), Part::Book, Some(b"over".to_vec()));
    pen.erase(CallKey(3));
    pen.write(CallKey(4), Part::Book, None);
    assert_eq!(journal.counters().calls, 2);
    journal.close();
    let (journal, next) = Journal::open(&config(&folder), None).unwrap();
    assert_eq!(next.standing, Standing::GoesOn);
    let apart = next.epoch.max(life.epoch) - next.epoch.min(life.epoch);
    assert!(apart < Duration::from_secs(60), "{apart:?}");
    assert_eq!(next.calls.len(), 2);
    assert_eq!(next.calls[&ONE], parts(&[(Part::Signalling, b"second"), (Part::Book, b"book")]));
    assert_eq!(next.calls[&BIG], parts(&[(Part::Media, b"media")]));
    // What is not carried on is closed, and gone.
    journal.pen().erase(BIG);
    drop(journal);
    let (journal, last) = Journal::open(&config(&folder), None).unwrap();
    assert_eq!(last.calls.keys().collect::<Vec<_>>(), [&ONE]);
    journal.settle(1, 2);
    assert_eq!((journal.counters().carried_on, journal.counters().given_up), (1, 2));
}

#[test]
fn what_was_erased_is_nowhere_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(&config(&folder), None).unwrap();
    let said = b"the customer seemed upset".repeat(100);
    journal.settle(0, 0);
    journal.pen().write(ONE, Part::Insight, Some(said));
    journal.close();
    let (journal, _) = Journal::open(&config(&folder), None).unwrap();
    journal.pen().write(ONE, Part::Insight, None);
    // While it is open: nobody has to end a process for it.
    for _ in 0..600 {
        if journal.counters().written == 1 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    for file in std::fs::read_dir(folder.path().join("state")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(16).any(|window| window == b"customer seemed "));
    }
}

#[test]
fn calls_that_nobody_carried_on_in_time_are_over() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(&config(&folder), None).unwrap();
    journal.settle(0, 0);
    journal.pen().write(ONE, Part::Book, Some(b"book".to_vec()));
    journal.close();
    let reopen = |sql: &str| {
        let connection = rusqlite::Connection::open(config(&folder).path).unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);
        Journal::open(&config(&folder), None).unwrap().1
    };
    let old = reopen("UPDATE life SET alive = alive - 200 * 1000000000");
    assert!(matches!(old.standing, Standing::Over(_)), "{old:?}");
    assert_eq!(old.calls.len(), 1);
    let elsewhere = reopen("UPDATE life SET boot = 'another'");
    assert_eq!(elsewhere.standing, Standing::Over("the machine has started anew"));
    let ahead = reopen("UPDATE life SET epoch = epoch + 100000 * 1000000000");
    assert!(matches!(ahead.standing, Standing::Over(_)), "{ahead:?}");
    let unmarked = reopen("UPDATE life SET boot = NULL");
    assert!(matches!(unmarked.standing, Standing::Over(_)), "{unmarked:?}");
}

#[test]
fn foreign_newer_older_and_damaged_files_and_those_of_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    let refused = || Journal::open(&config, None).unwrap_err();
    std::fs::create_dir(config.path.parent().unwrap()).unwrap();
    std::fs::write(&config.path, "not a journal").unwrap();
    assert!(matches!(refused(), JournalError::Foreign(_)));
    assert!(examine(&config.path).is_err());
    std::fs::remove_file(&config.path).unwrap();
    let other = rusqlite::Connection::open(&config.path).unwrap();
    other.execute_batch("CREATE TABLE x (y)").unwrap();
    drop(other);
    assert!(matches!(refused(), JournalError::Foreign(_)));
    std::fs::remove_file(&config.path).unwrap();

    let (journal, _) = Journal::open(&config, None).unwrap();
    journal.settle(0, 0);
    journal.pen().write(ONE, Part::Book, Some(vec![7; 20_000]));
    // Whoever looks at the file in this process takes no lock away.
    examine(&config.path).unwrap();
    assert!(matches!(refused(), JournalError::Held(_)));
    journal.close();
    assert!(examine(&config.path).is_ok());
    assert_eq!(std::fs::metadata(&config.path).unwrap().permissions().mode() & 0o777, 0o600);

    let version = |version: u32| {
        let connection = rusqlite::Connection::open(&config.path).unwrap();
        connection.execute_batch(&format!("PRAGMA user_version = {version}")).unwrap();
    };
    version(2);
    assert!(matches!(refused(), JournalError::Newer { found: 2, known: 1, .. }));
    version(1);

    let bytes = std::fs::read(&config.path).unwrap();
    let mut damaged = bytes.clone();
    for byte in &mut damaged[4_096..] {
        *byte ^= 0x5a;
    }
    std::fs::write(&config.path, damaged).unwrap();
    let (journal, life) = Journal::open(&config, None).unwrap();
    assert_eq!(life.calls.len(), 0);
    assert!(folder.path().join("state/calls.journal.damaged").exists());
    drop(journal);
}

#[test]
fn a_part_that_is_too_large_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(&config(&folder), None).unwrap();
    journal.settle(0, 0);
    journal.pen().write(ONE, Part::Book, Some(vec![b'x'; MOST_BYTES]));
    journal.pen().write(ONE, Part::Media, Some(vec![b'x'; MOST_BYTES + 1]));
    journal.close();
    let (_, life) = Journal::open(&config(&folder), None).unwrap();
    assert_eq!(life.calls[&ONE].keys().collect::<Vec<_>>(), [&Part::Book]);
}

#[test]
fn calls_that_processes_break_down_over_are_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(&config(&folder), None).unwrap();
    journal.settle(0, 0);
    journal.pen().write(ONE, Part::Book, Some(b"book".to_vec()));
    journal.close();
    let broken_down = || {
        let (journal, life) = Journal::open(&config(&folder), None).unwrap();
        journal.close();
        life.standing
    };
    for _ in 0..3 {
        assert_eq!(broken_down(), Standing::GoesOn);
    }
    assert_eq!(broken_down(), Standing::Over("processes have broken down over them"));
    // One that settles them begins anew.
    let (journal, _) = Journal::open(&config(&folder), None).unwrap();
    journal.settle(1, 0);
    journal.close();
    assert_eq!(broken_down(), Standing::GoesOn);
}

#[test]
fn a_start_that_fails_makes_no_call_younger() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(&config(&folder), None).unwrap();
    journal.settle(0, 0);
    journal.pen().write(ONE, Part::Book, Some(b"book".to_vec()));
    journal.close();
    let connection = rusqlite::Connection::open(config(&folder).path).unwrap();
    connection.execute_batch("UPDATE life SET alive = alive - 200 * 1000000000").unwrap();
    drop(connection);
    for _ in 0..2 {
        let (journal, life) = Journal::open(&config(&folder), None).unwrap();
        assert!(matches!(life.standing, Standing::Over(_)), "{life:?}");
        journal.close();
    }
}

/// A disk of the test's own, with room for little.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", "size=512k", "tmpfs"]).arg(folder.path()).status();
        assert!(mounted.unwrap().success(), "this test mounts a disk: run it as root");
        Self(folder)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).status();
    }
}

/// The customer objects while the disk is full: the next process must not find them agreeing.
#[test]
fn a_full_disk_costs_the_journal_and_no_objection() {
    let disk = SmallDisk::new();
    let config = config(&disk.0);
    let (journal, _) = Journal::open(&config, None).unwrap();
    journal.settle(0, 0);
    journal.pen().write(ONE, Part::Book, Some(b"agrees".to_vec()));
    let until = |what: &str, is: &dyn Fn() -> bool| {
        for _ in 0..6_000 {
            if is() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("waited a minute in vain for {what}");
    };
    until("the agreement to be written", &|| journal.counters().written == 1);
    let filler = disk.0.path().join("filler");
    // It is written until there is no room.
    let _ = std::fs::write(&filler, vec![0; 1 << 20]);
    journal.pen().write(ONE, Part::Book, Some([&b"objects"[..], &[b' '; 100_000]].concat()));
    until("the journal to be given up", &|| !config.path.exists());
    assert!(journal.counters().failures > 0);
    journal.close();
    std::fs::remove_file(filler).unwrap();
    let (_, life) = Journal::open(&config, None).unwrap();
    assert_eq!((life.standing.clone(), life.calls.len()), (Standing::New, 0));
}

/// Keys are nowhere in the file; the next process has them, if it has the secret.
#[test]
fn what_holds_keys_is_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let seal = |secret: u8| Seal::by(&[secret; 16]);
    let secret = b"{\"inline\":\"d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\"}";
    let (journal, _) = Journal::open(&config(&folder), seal(1)).unwrap();
    journal.settle(0, 0);
    let pen = journal.pen();
    assert!(pen.seals());
    pen.write_secret(ONE, Part::Signalling, secret);
    pen.write(ONE, Part::Book, Some(b"book".to_vec()));
    journal.close();
    for file in ["state/calls.journal", "state/calls.journal-wal"] {
        let bytes = std::fs::read(folder.path().join(file)).unwrap_or_default();
        assert!(!bytes.windows(6).any(|bytes| bytes == b"inline"), "{file}");
    }
    let (journal, life) = Journal::open(&config(&folder), seal(1)).unwrap();
    assert_eq!(life.calls[&ONE], parts(&[(Part::Signalling, secret), (Part::Book, b"book")]));
    journal.close();
    for other in [seal(2), None] {
        let (journal, life) = Journal::open(&config(&folder), other).unwrap();
        assert_eq!(life.calls[&ONE], parts(&[(Part::Book, b"book")]));
        journal.close();
    }
    // Who can't seal writes nothing, and leaves nothing that is not true any more.
    let (journal, _) = Journal::open(&config(&folder), None).unwrap();
    journal.pen().write_secret(ONE, Part::Signalling, secret);
    journal.close();
    let (_, life) = Journal::open(&config(&folder), seal(1)).unwrap();
    assert_eq!(life.calls[&ONE], parts(&[(Part::Book, b"book")]));
}
