use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;
use sidetone_events::Event;

use super::*;
use crate::testing::{MARK, at, narrator, started, upset};

fn spool() -> (tempfile::TempDir, SpoolFile) {
    let folder = tempfile::tempdir().unwrap();
    let file = SpoolFile::create(&folder.path().join("spool.db")).unwrap();
    (folder, file)
}

fn events(events: impl IntoIterator<Item = Event>) -> Batch {
    Batch { lost: 0, items: events.into_iter().map(|event| Item::Event(Box::new(event))).collect() }
}

fn ids(page: &Page) -> Vec<String> {
    let name = |entry: &Entry| match &entry.content {
        Content::Event { id, .. } => id.to_string(),
        Content::Erasure { call, before } => format!("{call} erased before {before}"),
    };
    page.entries.iter().map(name).collect()
}

/// The bytes on the disk, in the file and beside it.
fn on_disk(folder: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(folder).unwrap();
    files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_reader_gets_each_event_in_order_and_goes_on_where_it_acknowledged() {
    let (folder, mut file) = spool();
    let mut call = narrator(1);
    let told: Vec<Event> = (0..5).map(|_| started(&mut call)).collect();
    file.write(&events(told.clone()), at(1)).unwrap();
    let crm: ReaderName = "crm".parse().unwrap();
    let reader = SpoolFile::open(&folder.path().join("spool.db")).unwrap();
    let page = reader.read(reader.position(&crm).unwrap(), 3).unwrap();
    assert_eq!(ids(&page), told[..3].iter().map(|event| event.id.to_string()).collect::<Vec<_>>());
    assert_eq!((page.lost, page.until), (0, Position(3)));
    let Content::Event { json, .. } = &page.entries[0].content else { panic!("no event") };
    assert_eq!(serde_json::from_str::<Event>(json).unwrap(), told[0]);
    // Not acknowledged: the reader gets the same page again.
    assert_eq!(reader.read(reader.position(&crm).unwrap(), 3).unwrap(), page);
    reader.acknowledge(&crm, page.until, at(2)).unwrap();
    let rest = reader.read(reader.position(&crm).unwrap(), 100).unwrap();
    assert_eq!((rest.entries.len(), rest.until), (2, Position(5)));
    // A late acknowledgement moves no reader back.
    reader.acknowledge(&crm, Position(1), at(3)).unwrap();
    assert_eq!(reader.position(&crm).unwrap(), Position(3));
    assert!(matches!(
        reader.acknowledge(&crm, Position(6), at(3)),
        Err(SpoolError::Beyond { place: 6, last: 5 })
    ));
}

#[test]
fn an_event_that_is_written_twice_stands_there_once() {
    let (_folder, mut file) = spool();
    let mut call = narrator(1);
    let (first, second) = (started(&mut call), upset(&mut call));
    file.write(&events([first.clone()]), at(1)).unwrap();
    file.write(&events([first, second]), at(2)).unwrap();
    let page = file.read(Position(0), 9).unwrap();
    assert_eq!((page.entries.len(), page.lost), (2, 0));
}

#[test]
fn what_was_lost_leaves_its_places_empty_and_readers_know_how_many() {
    let (_folder, mut file) = spool();
    let mut call = narrator(1);
    file.write(&events([started(&mut call)]), at(1)).unwrap();
    file.write(&Batch { lost: 7, ..events([started(&mut call)]) }, at(1)).unwrap();
    let page = file.read(Position(0), 9).unwrap();
    assert_eq!((page.entries.len(), page.lost, page.until), (2, 7, Position(9)));
}

#[test]
fn what_is_erased_is_in_no_file_and_readers_are_told() {
    let (folder, mut file) = spool();
    let (mut one, mut other) = (narrator(1), narrator(2));
    let id = one.call().id;
    file.write(&events([started(&mut one), upset(&mut one), upset(&mut other)]), at(1)).unwrap();
    file.write(&Batch { lost: 0, items: vec![Item::Erasure(id, 3)] }, at(2)).unwrap();
    // Inferences after a new agreement stay.
    file.write(&events([upset(&mut one)]), at(3)).unwrap();
    let page = file.read(Position(0), 9).unwrap();
    assert_eq!(page.entries[3].content, Content::Erasure { call: id, before: 3 });
    let lines: Vec<String> = page.entries.iter().map(|entry| entry.content.to_line()).collect();
    assert!(lines[1].contains(r#""kind":"erased""#) && !lines[1].contains(MARK), "{}", lines[1]);
    assert!(lines[2].contains(MARK), "the other call's stays");
    assert_eq!(lines[3], format!(r#"{{"erasure":{{"before":3,"call":"{id}"}}}}"#));
    assert!(lines[4].contains(MARK), "what came after stays");

    let mut third = narrator(3);
    let before = on_disk(folder.path());
    assert!(holds(&before, MARK));
    for call in [one.call().id, other.call().id, third.call().id] {
        file.write(&Batch { lost: 0, items: vec![Item::Erasure(call, u64::MAX)] }, at(4)).unwrap();
    }
    assert!(file.checkpoint().unwrap());
    assert!(!holds(&on_disk(folder.path()), MARK), "overwritten where it stood, and the log is empty");
    let last = file.read(Position(0), 99).unwrap().entries.pop().unwrap();
    assert_eq!(last.content, Content::Erasure { call: third.call().id, before: u64::MAX });
    let _ = started(&mut third);
}

#[test]
fn an_event_of_another_version_that_cannot_be_read_is_not_kept_from_being_erased() {
    let (folder, mut file) = spool();
    let mut call = narrator(1);
    file.write(&events([upset(&mut call)]), at(1)).unwrap();
    let tampered = Connection::open(folder.path().join("spool.db")).unwrap();
    tampered.execute("UPDATE entry SET json = replace(json, 'event.v1', 'event.v9')", []).unwrap();
    file.write(&Batch { lost: 0, items: vec![Item::Erasure(call.call().id, 9)] }, at(2)).unwrap();
    let page = file.read(Position(0), 9).unwrap();
    assert_eq!((page.entries.len(), page.lost), (1, 1));
}

#[test]
fn a_file_of_somebody_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool.db");
    std::fs::write(&path, "{\"schema\":\"sidetone.event.v1\"}\n".repeat(200)).unwrap();
    assert!(matches!(SpoolFile::create(&path), Err(SpoolError::Foreign(_))));
    assert!(matches!(SpoolFile::examine(&path), Err(SpoolError::Foreign(_))));
    std::fs::remove_file(&path).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE customer (name TEXT)").unwrap();
    assert!(matches!(SpoolFile::create(&path), Err(SpoolError::Foreign(_))));
    other.close().unwrap();
    std::fs::remove_file(&path).unwrap();
    let newer = SpoolFile::create(&path).unwrap();
    newer.connection.execute_batch("PRAGMA user_version = 2").unwrap();
    assert!(newer.checkpoint().unwrap());
    let refused = SpoolFile::create(&path).unwrap_err();
    assert!(matches!(refused, SpoolError::Newer { found: 2, known: 1, .. }), "{refused}");
}

/// Asking whether it is a spool must not bring another program's database into SQLite's other mode.
#[test]
fn another_program_s_database_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("theirs.db");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE customer (name TEXT)").unwrap();
    other.close().unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(SpoolFile::examine(&path).is_err() && SpoolFile::create(&path).is_err());
    assert!(SpoolFile::open(&path).is_err());
    assert!(std::fs::read(&path).unwrap() == before);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_link_is_followed_by_whoever_examines_and_whoever_makes() {
    let folder = tempfile::tempdir().unwrap();
    let link = |name: &str, to: &str| {
        let path = folder.path().join(name);
        std::os::unix::fs::symlink(to, &path).unwrap();
        path
    };
    let (good, lost, round) =
        (link("good", "there.db"), link("lost", "nowhere/x.db"), link("round", "round"));
    for path in [&lost, &round] {
        assert!(SpoolFile::examine(path).is_err() && SpoolFile::create(path).is_err(), "{}", path.display());
    }
    assert!(SpoolFile::examine(&good).is_ok());
    SpoolFile::create(&good).unwrap();
    assert!(good.is_symlink() && folder.path().join("there.db").is_file());
    assert!(SpoolFile::create(&good).is_ok());
}

#[test]
fn examining_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    assert!(SpoolFile::examine(&folder.path().join("spool.db")).is_ok());
    assert!(SpoolFile::examine(&folder.path().join("nowhere/spool.db")).is_err());
    assert!(SpoolFile::examine(folder.path()).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn it_is_not_for_everyone_to_read() {
    let (folder, mut file) = spool();
    file.write(&events([started(&mut narrator(1))]), at(1)).unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o007, 0, "{}", file.path().display());
    }
}

#[test]
fn what_every_reader_has_kept_goes_and_what_one_lacks_stays() {
    let (_folder, mut file) = spool();
    let mut call = narrator(1);
    file.write(&events((0..10).map(|_| started(&mut call))), at(1)).unwrap();
    let (crm, store): (ReaderName, ReaderName) = ("crm".parse().unwrap(), "store".parse().unwrap());
    assert_eq!(file.trim(u64::MAX, None).unwrap(), 0);
    assert_eq!(file.status().unwrap().entries, 10, "nobody has kept anything yet");
    file.acknowledge(&crm, Position(8), at(2)).unwrap();
    file.acknowledge(&store, Position(3), at(2)).unwrap();
    assert_eq!(file.trim(u64::MAX, None).unwrap(), 0);
    let status = file.status().unwrap();
    assert_eq!((status.entries, status.first, status.last), (7, Some(Position(4)), Position(10)));
    assert_eq!(
        status.readers.iter().map(|reader| (&*reader.name, reader.behind)).collect::<Vec<_>>(),
        [("crm", 2), ("store", 7)]
    );
    file.forget(&store).unwrap();
    assert!(matches!(file.forget(&store), Err(SpoolError::Unknown(_))));
    file.trim(u64::MAX, None).unwrap();
    assert_eq!(file.status().unwrap().entries, 2);
    // A new reader begins with the oldest entry, and counts no loss from before.
    let late: ReaderName = "late".parse().unwrap();
    let page = file.read(file.position(&late).unwrap(), 9).unwrap();
    assert_eq!((page.entries.len(), page.lost), (2, 0));
}

#[test]
fn a_full_file_loses_its_oldest_and_a_reader_learns_how_many() {
    let (_folder, mut file) = spool();
    let mut call = narrator(1);
    let crm: ReaderName = "crm".parse().unwrap();
    file.acknowledge(&crm, Position(0), at(1)).unwrap();
    for _ in 0..10 {
        file.write(&events((0..500).map(|_| started(&mut call))), at(1)).unwrap();
    }
    let bound = file.bytes().unwrap() / 2;
    let unread = file.trim(bound, None).unwrap();
    assert!(unread >= 2_000 && file.bytes().unwrap() <= bound, "{unread}");
    assert!(file.bytes().unwrap() > bound - bound / 10, "no more goes than has to");
    let page = file.read(file.position(&crm).unwrap(), 1).unwrap();
    assert_eq!(page.lost, unread);
    // The freed room is used again.
    let size = || std::fs::metadata(file.path()).unwrap().len();
    let before = size();
    file.checkpoint().unwrap();
    drop(page);
    assert!(size() <= before + bound);
}

#[test]
fn what_is_too_old_goes_read_or_not() {
    let (_folder, mut file) = spool();
    let mut call = narrator(1);
    for day in 0..3 {
        file.write(&events([started(&mut call)]), at(day * 86_400_000)).unwrap();
    }
    file.acknowledge(&"crm".parse().unwrap(), Position(1), at(1)).unwrap();
    assert_eq!(file.trim(u64::MAX, Some(at(86_400_001))).unwrap(), 1, "one was read");
    assert_eq!(file.status().unwrap().first, Some(Position(3)));
}

#[test]
fn a_reader_has_a_plain_name() {
    for name in ["", "a b", "crm;", "naïve", &"x".repeat(65)] {
        assert!(name.parse::<ReaderName>().is_err(), "{name}");
    }
    assert!("crm-2.prod_a".parse::<ReaderName>().is_ok());
}

#[derive(Debug, Clone)]
enum Step {
    Write(Vec<(u8, bool)>),
    Lose(u8),
    Erase(u8),
    Read(usize),
    Again,
    Trim,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => proptest::collection::vec((0u8..3, any::<bool>()), 0..6).prop_map(Step::Write),
        1 => (1u8..4).prop_map(Step::Lose),
        1 => (0u8..3).prop_map(Step::Erase),
        3 => (1usize..7).prop_map(Step::Read),
        1 => Just(Step::Again),
        1 => Just(Step::Trim),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Under any sequence of writes, losses, erasures, trims and reopenings a reader gets each event once and in order,
    /// knows exactly how many it lacks, and gets nothing that had been erased before it read.
    #[test]
    fn a_reader_misses_nothing_that_was_written(steps in steps()) {
        let (folder, mut file) = spool();
        let reader: ReaderName = "crm".parse().unwrap();
        file.acknowledge(&reader, Position(0), at(0)).unwrap();
        let mut calls: Vec<_> = (0..3).map(narrator).collect();
        let (mut written, mut lost) = (Vec::new(), 0);
        let (mut got, mut lacks) = (Vec::new(), 0);
        let mut erased = std::collections::HashSet::new();
        let mut unwritten_loss = 0;
        for step in steps {
            match step {
                Step::Write(of) => {
                    let batch: Vec<Event> = of.iter().map(|(call, feels)| {
                        let call = &mut calls[usize::from(*call)];
                        if *feels { upset(call) } else { started(call) }
                    }).collect();
                    if !batch.is_empty() {
                        written.extend(batch.iter().map(|event| event.id.to_string()));
                        file.write(&Batch { lost: std::mem::take(&mut unwritten_loss), ..events(batch) }, at(1)).unwrap();
                    }
                }
                Step::Lose(many) => { lost += u64::from(many); unwritten_loss += u64::from(many); }
                Step::Erase(call) => {
                    let id = calls[usize::from(call)].call().id;
                    erased.extend(written.iter().filter(|event| event.starts_with(&id.to_string())).cloned());
                    file.write(&Batch { lost: 0, items: vec![Item::Erasure(id, u64::MAX)] }, at(1)).unwrap();
                }
                Step::Read(most) => {
                    let page = file.read(file.position(&reader).unwrap(), most).unwrap();
                    lacks += page.lost;
                    for entry in &page.entries {
                        if let Content::Event { id, json } = &entry.content {
                            prop_assert!(!(erased.contains(&id.to_string()) && json.contains(MARK)));
                            got.push(id.to_string());
                        }
                    }
                    file.acknowledge(&reader, page.until, at(1)).unwrap();
                }
                Step::Again => {
                    let from = file.position(&reader).unwrap();
                    prop_assert_eq!(file.read(from, 5).unwrap(), file.read(from, 5).unwrap());
                }
                Step::Trim => { prop_assert_eq!(file.trim(u64::MAX, None).unwrap(), 0); }
                Step::Reopen => file = SpoolFile::create(&folder.path().join("spool.db")).unwrap(),
            }
        }
        let page = file.read(file.position(&reader).unwrap(), usize::MAX).unwrap();
        lacks += page.lost;
        got.extend(page.entries.iter().filter_map(|entry| match &entry.content {
            Content::Event { id, .. } => Some(id.to_string()),
            Content::Erasure { .. } => None,
        }));
        prop_assert_eq!(got, written);
        prop_assert_eq!(lacks + unwritten_loss, lost);
    }
}

/// An event that is lost lacks in a copy; what a customer objects to would stand there for good.
#[test]
fn an_erasure_outlives_the_bounds_until_each_reader_has_had_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = SpoolFile::create(&folder.path().join("spool.db")).unwrap();
    let reader: ReaderName = "store".parse().unwrap();
    file.acknowledge(&reader, Position(0), at(0)).unwrap();
    let mut call = narrator(1);
    let id = CallId::new(at(0), 1);
    let event = Item::Event(Box::new(started(&mut call)));
    file.write(&Batch { lost: 0, items: vec![event, Item::Erasure(id, 2)] }, at(0)).unwrap();
    let later = (2..50).map(|number| Item::Event(Box::new(started(&mut narrator(number))))).collect();
    file.write(&Batch { lost: 0, items: later }, at(1)).unwrap();
    file.trim(0, None).unwrap();
    file.trim(u64::MAX, Some(at(86_400_000))).unwrap();
    let page = file.read(Position(0), 100).unwrap();
    let [Entry { position: Position(2), content: Content::Erasure { call, .. } }] = page.entries.as_slice()
    else {
        panic!("{page:?}");
    };
    assert_eq!(*call, id);
    file.acknowledge(&reader, page.until, at(2)).unwrap();
    file.trim(u64::MAX, None).unwrap();
    assert!(file.read(Position(0), 100).unwrap().entries.is_empty());
}
