//! What a customer objects to is erased: from the file, from its rotated fellows, and from what is still on its way.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{a_happening_of_each_kind, narrator_of};
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use sidetone_consent::{Medium, Policy, Source, State};
use sidetone_events::config::{EventsConfig, FileConfig};
use sidetone_events::{Bus, ConsentChanged, Event, Happening, Kind, Narrator, Sinks, Timestamp};

const FOREVER: Duration = Duration::from_secs(60);

fn config(path: &Path, max_bytes: u64, kinds: &[Kind]) -> EventsConfig {
    let file = FileConfig { path: path.to_owned(), max_bytes, keep: 9, keep_days: 0, kinds: kinds.to_vec() };
    EventsConfig { file: Some(file), ..EventsConfig::default() }
}

/// A call up to its last event, which is kept back.
fn call(narrator: &mut Narrator) -> Vec<Event> {
    let mut events = a_happening_of_each_kind();
    events.retain(|(_, happening)| !matches!(happening, Happening::Erased(_) | Happening::CallEnded(_)));
    events.into_iter().map(|(at, it)| narrator.tell(Duration::from_millis(at), it)).collect()
}

fn objection(narrator: &mut Narrator) -> Event {
    let by = Source::Digit(Medium::TelephoneEvent);
    let change = ConsentChanged { state: State::OptedOut, policy: Policy::Notice, by, erased: true };
    narrator.tell(Duration::from_secs(100), change)
}

/// All files of the folder, by name.
fn files(folder: &Path) -> Vec<(PathBuf, u64, String)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let inode = std::fs::metadata(&path).unwrap().ino();
            let text = std::fs::read_to_string(&path).unwrap();
            (path, inode, text)
        })
        .collect();
    files.sort();
    files
}

fn events(folder: &Path) -> Vec<Event> {
    let files = files(folder);
    let lines = files.iter().flat_map(|(_, _, text)| text.lines());
    let mut events: Vec<Event> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    events.sort_by_key(|event| event.id.to_string());
    events.sort_by_key(|event| (event.call.id, event.seq));
    events
}

fn of<'a>(events: &'a [Event], narrator: &Narrator) -> Vec<&'a Event> {
    events.iter().filter(|event| event.call.id == narrator.call().id).collect()
}

async fn until_written(sinks: &Sinks, events: usize) {
    while sinks.counts()[0].delivered < events as u64 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn an_objection_takes_its_call_s_estimates_out_of_every_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let bus = Bus::new();
    bus.keep_words(true);
    // A file holds some eight events: the calls are spread over several.
    let sinks = Sinks::start(&config(&path, 4_096, &[]), &bus).unwrap();
    let (mut objects, mut stays) = (narrator_of(1), narrator_of(2));
    let (mine, theirs) = (call(&mut objects), call(&mut stays));
    for (mine, theirs) in mine.iter().zip(&theirs) {
        bus.publish(mine.clone());
        bus.publish(theirs.clone());
    }
    until_written(&sinks, mine.len() + theirs.len()).await;
    let before = files(folder.path());
    assert!(before.len() > 2, "rotated");

    let last = objection(&mut objects);
    bus.publish(last.clone());
    sinks.shutdown(FOREVER).await;

    let after = files(folder.path());
    let text: String = after.iter().map(|(_, _, text)| text.as_str()).collect();
    for word in ["affect.update", "affect.alert", "\"conduct\""] {
        assert_eq!(text.matches(word).count(), 1, "{word} of the other call only");
    }
    let events = events(folder.path());
    assert_eq!(of(&events, &stays), theirs.iter().collect::<Vec<_>>(), "another's events are as they were");
    let kept: Vec<Event> = mine.iter().map(Event::without_inferences).chain([last]).collect();
    assert_eq!(of(&events, &objects), kept.iter().collect::<Vec<_>>(), "numbers without a gap");
    for (path, inode, text) in &before {
        let Some(now) = after.iter().find(|(_, it, _)| it == inode) else {
            panic!("{path:?} is another file")
        };
        assert!(now.2.len() >= text.len(), "whoever follows the file reads on where they were");
    }
    assert!(!folder.path().join("events.jsonl.erasing").exists());
}

#[tokio::test]
async fn it_finds_the_file_that_a_log_rotator_has_moved_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let bus = Bus::new();
    bus.keep_words(true);
    let sinks = Sinks::start(&config(&path, 1 << 20, &[]), &bus).unwrap();
    let mut objects = narrator_of(1);
    let mine = call(&mut objects);
    mine.iter().for_each(|event| bus.publish(event.clone()));
    until_written(&sinks, mine.len()).await;
    std::fs::rename(&path, folder.path().join("archive-20260301")).unwrap();
    sinks.reopen();
    bus.publish(objection(&mut objects));
    sinks.shutdown(FOREVER).await;
    let events = events(folder.path());
    assert_eq!(events.len(), mine.len() + 1);
    assert!(!events.iter().any(Event::infers));
}

#[tokio::test]
async fn a_file_of_estimates_alone_is_cleared_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("affect.jsonl");
    let bus = Bus::new();
    bus.keep_words(true);
    let kinds = [Kind::AffectUpdate, Kind::AffectAlert];
    let sinks = Sinks::start(&config(&path, 1 << 20, &kinds), &bus).unwrap();
    let mut objects = narrator_of(1);
    call(&mut objects).into_iter().for_each(|event| bus.publish(event));
    until_written(&sinks, 2).await;
    bus.publish(objection(&mut objects));
    sinks.shutdown(FOREVER).await;
    assert_eq!(events(folder.path()).iter().map(Event::kind).collect::<Vec<_>>(), [Kind::Erased; 2]);
}

/// Killed between the objection and the end of its erasure: the note is there, and one line is half overwritten.
#[tokio::test]
async fn what_a_crash_interrupted_is_done_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let (mut objects, mut stays) = (narrator_of(1), narrator_of(2));
    let (mine, theirs) = (call(&mut objects), call(&mut stays));
    let last = objection(&mut objects);
    let mut text = String::new();
    for event in mine.iter().chain(&theirs).chain([&last]) {
        let line = serde_json::to_string(event).unwrap();
        if event == &mine[5] {
            let kind = line.find("\"kind\"").unwrap();
            let torn =
                format!("{}\"kind\":\"erased\",\"data\":{{}}}}   {}", &line[..kind], &line[kind + 29..]);
            assert_eq!(torn.len(), line.len());
            text += &torn;
        } else {
            text += &line;
        }
        text.push('\n');
    }
    std::fs::write(folder.path().join("events.jsonl.2"), &text).unwrap();
    let note = folder.path().join("events.jsonl.erasing");
    std::fs::write(&note, format!("{} {}\nhalf a li", last.call.id, last.seq)).unwrap();

    let sinks = Sinks::start(&config(&path, 1 << 20, &[]), &Bus::new()).unwrap();
    sinks.shutdown(FOREVER).await;
    assert!(!note.exists());
    let events = events(folder.path());
    assert!(!of(&events, &objects).iter().any(|event| event.infers()));
    assert_eq!(of(&events, &objects).len(), mine.len() + 1);
    assert_eq!(of(&events, &stays), theirs.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn nobody_is_given_afterwards_what_was_still_on_its_way() {
    let bus = Bus::new();
    bus.keep_words(true);
    let mut all = bus.subscribe("all", 100, &[]);
    let mut some = bus.subscribe("some", 100, &[Kind::AffectAlert, Kind::ConsentChanged]);
    let mut objects = narrator_of(1);
    let mine = call(&mut objects);
    mine.iter().for_each(|event| bus.publish(event.clone()));
    bus.publish(objection(&mut objects));
    let agreed_anew = objects.tell(Duration::from_secs(200), Happening::AffectUpdate(common::update()));
    bus.publish(agreed_anew.clone());
    let got: Vec<Event> =
        std::iter::from_fn(|| all.try_recv()).map(|published| published.event.clone()).collect();
    assert_eq!(got.len(), mine.len() + 2);
    assert_eq!(got.iter().filter(|event| event.infers()).collect::<Vec<_>>(), [&agreed_anew]);
    let got: Vec<Kind> = std::iter::from_fn(|| some.try_recv()).map(|it| it.event.kind()).collect();
    assert_eq!(got, [Kind::ConsentChanged, Kind::ConsentChanged]);
}

/// Lines older than the limit go, those of the same file that are not stay.
#[tokio::test]
async fn no_event_is_kept_longer_than_was_said() {
    const DAY: u64 = 86_400_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let now = Timestamp::now().unix_millis();
    let days_ago = |days: u64, entropy| {
        let began = Timestamp::from_unix_millis(now - days * DAY);
        let mut narrator = Narrator::new(common::call(entropy), began);
        let event = narrator.tell(Duration::ZERO, Happening::Conduct(common::conduct(false)));
        serde_json::to_string(&event).unwrap() + "\n"
    };
    std::fs::write(&path, days_ago(9, 1) + &days_ago(2, 2)).unwrap();
    std::fs::write(folder.path().join("events.jsonl.1"), days_ago(30, 3) + &days_ago(6, 4)).unwrap();
    std::fs::write(folder.path().join("events.jsonl.2"), days_ago(40, 5)).unwrap();
    let mut config = config(&path, 1 << 20, &[]);
    config.file.as_mut().unwrap().keep_days = 7;
    let sinks = Sinks::start(&config, &Bus::new()).unwrap();
    sinks.shutdown(FOREVER).await;
    let kept: Vec<u64> =
        events(folder.path()).iter().map(|event| (now - event.time.unix_millis()) / DAY).collect();
    assert_eq!(kept.len(), 2);
    assert!(kept.iter().all(|days| *days < 7), "{kept:?}");
}

fn zipped(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn unzipped(path: &Path) -> String {
    let mut text = String::new();
    MultiGzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

/// A log rotator has moved the file away and compressed it while the call was up.
#[tokio::test]
async fn it_is_taken_out_of_a_file_that_a_log_rotator_has_compressed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let bus = Bus::new();
    bus.keep_words(true);
    let sinks = Sinks::start(&config(&path, 1 << 20, &[]), &bus).unwrap();
    let (mut objects, mut stays) = (narrator_of(1), narrator_of(2));
    let (mine, theirs) = (call(&mut objects), call(&mut stays));
    mine.iter().chain(&theirs).for_each(|event| bus.publish(event.clone()));
    until_written(&sinks, mine.len() + theirs.len()).await;
    // As gzip does it: the new file beside the old one, which then goes.
    let (archive, opaque) = (beside(&path, ".1.gz"), beside(&path, "-20260228.xz"));
    std::fs::write(&archive, zipped(&std::fs::read_to_string(&path).unwrap())).unwrap();
    std::fs::set_permissions(&archive, std::fs::Permissions::from_mode(0o604)).unwrap();
    let written = std::time::SystemTime::now() - Duration::from_secs(600);
    std::fs::File::options().append(true).open(&archive).unwrap().set_modified(written).unwrap();
    std::fs::write(&opaque, "no matter").unwrap();
    let old = beside(&path, "-20200101.gz");
    std::fs::write(&old, "from before the call: it is not even looked into").unwrap();
    std::fs::File::options().append(true).open(&old).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    std::fs::remove_file(&path).unwrap();
    sinks.reopen();
    bus.publish(objection(&mut objects));
    let counts = sinks.shutdown(FOREVER).await;
    assert_eq!(
        (counts[0].erasures_owed, counts[0].erasures_beyond),
        (0, 1),
        "the xz file can't be looked into"
    );

    let left: Vec<Event> =
        unzipped(&archive).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected: Vec<Event> = mine.iter().map(Event::without_inferences).chain(theirs).collect();
    assert_eq!(left, expected);
    let metadata = std::fs::metadata(&archive).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o604);
    assert_eq!(metadata.modified().unwrap(), written, "rotators tell by its time when a file is to go");
    let mut names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(
        names,
        ["events.jsonl", "events.jsonl-20200101.gz", "events.jsonl-20260228.xz", "events.jsonl.1.gz"]
    );
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// A rotator that copies the file and cuts it short (`copytruncate`): what stands where a line stood is another line.
#[tokio::test]
async fn it_finds_the_copy_of_a_file_that_was_cut_short() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let bus = Bus::new();
    bus.keep_words(true);
    let sinks = Sinks::start(&config(&path, 1 << 20, &[]), &bus).unwrap();
    let mut objects = narrator_of(1);
    let mine = call(&mut objects);
    mine.iter().for_each(|event| bus.publish(event.clone()));
    until_written(&sinks, mine.len()).await;
    std::fs::copy(&path, beside(&path, ".1")).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    bus.publish(objection(&mut objects));
    sinks.shutdown(FOREVER).await;
    let events = events(folder.path());
    assert!(!events.iter().any(Event::infers), "{events:#?}");
    assert_eq!(events.len(), mine.len() + 1);
}

/// Somebody has made copies while the call was up, and everything of ours is where it was.
#[tokio::test]
async fn it_finds_copies_that_were_made_beside_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let bus = Bus::new();
    bus.keep_words(true);
    let sinks = Sinks::start(&config(&path, 1 << 20, &[]), &bus).unwrap();
    let mut objects = narrator_of(1);
    let mine = call(&mut objects);
    mine.iter().for_each(|event| bus.publish(event.clone()));
    until_written(&sinks, mine.len()).await;
    let (copy, archive) = (beside(&path, "-20260228"), beside(&path, ".gz"));
    std::fs::copy(&path, &copy).unwrap();
    std::fs::write(&archive, zipped(&std::fs::read_to_string(&path).unwrap())).unwrap();
    bus.publish(objection(&mut objects));
    sinks.shutdown(FOREVER).await;
    for text in [std::fs::read_to_string(&copy).unwrap(), unzipped(&archive)] {
        let left: Vec<Event> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(left, mine.iter().map(Event::without_inferences).collect::<Vec<_>>());
    }
}
