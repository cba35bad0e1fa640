use std::path::PathBuf;

use super::*;
use crate::entry::{Content, Page, Position};
use crate::testing::{MARK, ended, narrator, started, upset};

fn config(folder: &Path) -> SpoolConfig {
    SpoolConfig { path: folder.join("spool.db"), max_bytes: 1 << 30, keep_days: 0 }
}

fn read(path: &Path) -> Page {
    SpoolFile::open(path).unwrap().read(Position(0), usize::MAX).unwrap()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{what}: not within half a minute");
}

fn holds(path: &Path, text: &str) -> bool {
    let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", path.display()));
    ["", "-wal", "-shm"].iter().any(|suffix| {
        let bytes = std::fs::read(beside(suffix)).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[test]
fn what_is_handed_over_is_written_in_order_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let spool = Spool::start(&config).unwrap();
    let mut call = narrator(1);
    let mut told = vec![started(&mut call)];
    told.extend((0..3_000).map(|_| upset(&mut call)));
    told.push(ended(&mut call));
    told.iter().cloned().for_each(|event| spool.append(event));
    spool.close();
    let counters = spool.counters();
    assert_eq!((counters.written, counters.lost, counters.waiting), (3_002, 0, 0));
    let page = read(&config.path);
    let ids: Vec<String> = page
        .entries
        .iter()
        .map(|entry| match &entry.content {
            Content::Event { id, .. } => id.to_string(),
            Content::Erasure { .. } => panic!("nothing was erased"),
        })
        .collect();
    assert_eq!(ids, told.iter().map(|event| event.id.to_string()).collect::<Vec<_>>());
}

#[test]
fn an_erasure_takes_out_what_stands_before_it_and_leaves_no_note() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let spool = Spool::start(&config).unwrap();
    let mut call = narrator(1);
    spool.append(started(&mut call));
    spool.append(upset(&mut call));
    until("written", || spool.counters().written == 2);
    assert!(holds(&config.path, MARK));
    spool.erase(call.call().id, u64::MAX);
    until("erased", || spool.counters().erasures_owed == 0);
    assert!(!holds(&config.path, MARK));
    assert!(!note_of(&config.path).exists());
    assert!(matches!(read(&config.path).entries.last().unwrap().content, Content::Erasure { .. }));
}

/// The process was killed between the objection and the erasing: only the note is left.
#[test]
fn an_erasure_that_a_kill_came_before_is_made_good_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let mut call = narrator(1);
    let spool = Spool::start(&config).unwrap();
    spool.append(upset(&mut call));
    spool.close();
    assert!(holds(&config.path, MARK));
    Owed::read(note_of(&config.path)).add(&Erasure { call: call.call().id, before: u64::MAX });
    let again = Spool::start(&config).unwrap();
    until("made good", || again.counters().erasures_owed == 0);
    assert!(!holds(&config.path, MARK));
    assert!(matches!(read(&config.path).entries.last().unwrap().content, Content::Erasure { .. }));
}

/// A reader with an old snapshot of the file keeps the log from being emptied: the erasure stays owed until the reader
/// lets go.
#[test]
fn a_reader_in_the_way_leaves_an_erasure_owed() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let mut file = SpoolFile::create(&config.path).unwrap();
    let mut call = narrator(1);
    let batch = Batch { lost: 0, items: vec![Item::Event(Box::new(upset(&mut call)))] };
    file.write(&batch, Timestamp::now()).unwrap();
    let other = rusqlite::Connection::open(&config.path).unwrap();
    other.execute_batch("BEGIN; SELECT COUNT(*) FROM entry;").unwrap();
    let item = Item::Erasure(call.call().id, u64::MAX);
    file.write(&Batch { lost: 0, items: vec![item] }, Timestamp::now()).unwrap();
    assert!(!file.checkpoint().unwrap());
    // And nobody is kept from writing meanwhile.
    let reader = SpoolFile::open(&config.path).unwrap();
    reader.acknowledge(&"crm".parse().unwrap(), Position(1), Timestamp::now()).unwrap();
    other.execute_batch("COMMIT").unwrap();
    assert!(file.checkpoint().unwrap());
    assert!(!holds(&config.path, MARK));
}

/// Another process writes for longer than a command waits: the events wait in memory, and none is lost.
#[test]
fn events_wait_while_the_file_can_not_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let spool = Spool::start(&config).unwrap();
    let mut call = narrator(1);
    let other = rusqlite::Connection::open(&config.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for _ in 0..50 {
        spool.append(upset(&mut call));
    }
    until("a try failed", || spool.counters().failures > 0);
    assert_eq!((spool.counters().written, spool.counters().waiting), (0, 50));
    other.execute_batch("COMMIT").unwrap();
    until("written", || spool.counters().written == 50);
    assert_eq!(read(&config.path).entries.len(), 50);
}

#[test]
fn a_file_that_cannot_be_had_is_told_at_the_start() {
    let config = config(Path::new("/nowhere/at/all"));
    assert!(matches!(Spool::start(&config), Err(SpoolError::Open { .. })));
}

fn goes_on_after(harm: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let reader = "crm".parse().unwrap();
    let spool = Spool::start(&config).unwrap();
    let mut call = narrator(1);
    for _ in 0..5 {
        spool.append(upset(&mut call));
    }
    until("written", || spool.counters().written == 5);
    let file = SpoolFile::open(&config.path).unwrap();
    file.acknowledge(&reader, Position(2), Timestamp::now()).unwrap();
    drop(file);
    until("the reader is known", || !spool.counters().readers.is_empty());
    harm(&config.path);
    for _ in 0..3 {
        spool.append(upset(&mut call));
    }
    until("written anew", || spool.counters().written == 8);
    spool.close();
    assert!(spool.counters().failures > 0);
    let file = SpoolFile::open(&config.path).unwrap();
    let page = file.read(file.position(&reader).unwrap(), 99).unwrap();
    assert_eq!((page.entries.len(), page.lost, page.until), (3, 3, Position(8)));
}

#[test]
fn a_file_that_is_deleted_under_it_is_begun_anew_and_readers_know_what_they_lack() {
    goes_on_after(|path| std::fs::remove_file(path).unwrap());
}

/// Whoever still reads the old file keeps its log from being removed.
#[test]
fn so_is_one_that_is_deleted_while_a_reader_has_it_open() {
    let mut reader = None;
    goes_on_after(|path| {
        let connection = rusqlite::Connection::open(path).unwrap();
        connection.execute_batch("BEGIN; SELECT COUNT(*) FROM entry;").unwrap();
        reader = Some(connection);
        std::fs::remove_file(path).unwrap();
    });
}

#[test]
fn so_is_one_that_is_moved_away() {
    goes_on_after(|path| std::fs::rename(path, path.with_extension("old")).unwrap());
}

#[test]
fn so_is_one_that_is_emptied() {
    goes_on_after(|path| std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(0).unwrap());
}

#[test]
fn a_damaged_file_is_moved_aside_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let mut call = narrator(1);
    let spool = Spool::start(&config).unwrap();
    for _ in 0..200 {
        spool.append(upset(&mut call));
    }
    spool.close();
    drop(spool);
    let mut bytes = std::fs::read(&config.path).unwrap();
    let length = bytes.len();
    bytes[4_096..length / 2].fill(0xa5);
    std::fs::write(&config.path, &bytes).unwrap();
    let again = Spool::start(&config).unwrap();
    again.append(upset(&mut call));
    again.close();
    assert_eq!(again.counters().written, 1);
    let aside = std::fs::read_dir(folder.path()).unwrap();
    let aside = aside.filter(|file| file.as_ref().unwrap().path().to_string_lossy().contains(".damaged-"));
    assert_eq!(aside.count(), 1);
}

/// POSIX takes all of a process's locks on a file away when it closes any descriptor of that file, and SQLite would
/// then take the spool for one that nobody has open.
#[test]
fn examining_a_spool_that_this_process_writes_takes_no_lock_away() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let mut file = SpoolFile::create(&config.path).unwrap();
    let mut call = narrator(1);
    let batch = Batch { lost: 0, items: vec![Item::Event(Box::new(upset(&mut call)))] };
    file.write(&batch, Timestamp::now()).unwrap();
    let held = || {
        let metadata = std::fs::metadata(&config.path).unwrap();
        let inode = format!(":{} ", std::os::unix::fs::MetadataExt::ino(&metadata));
        std::fs::read_to_string("/proc/locks").unwrap().lines().filter(|line| line.contains(&inode)).count()
    };
    assert!(held() > 0, "SQLite holds a lock on a database in this mode for as long as it is open");
    SpoolFile::examine(&config.path).unwrap();
    drop(SpoolFile::open(&config.path).unwrap());
    assert!(held() > 0);
}

#[test]
fn a_second_writer_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let first = Spool::start(&config).unwrap();
    assert!(matches!(Spool::start(&config), Err(SpoolError::Held(_))));
    assert!(matches!(SpoolFile::examine(&config.path), Err(SpoolError::Held(_))));
    drop(first);
    assert!(SpoolFile::examine(&config.path).is_ok() && Spool::start(&config).is_ok());
}
