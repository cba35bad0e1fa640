//! The log of receipts: what it keeps, and what it finds.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{moment, receipt};
use sha2::{Digest, Sha256};
use sidetone_consent::log::{LogError, Noted, Problem, Report, find, verify};
use sidetone_consent::{Entry, Log, Moment};
use tempfile::TempDir;

const BUILD: &str = "sidetone 0.1.0";

fn now() -> Moment {
    moment("2026-11-23T08:00:00Z")
}

fn open(folder: &Path) -> Log {
    Log::open(folder, BUILD, now()).unwrap().0
}

/// A day's log of `calls` calls, closed.
fn a_day(calls: usize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path());
    for call in 0..calls {
        log.append(&receipt(&format!("call-{call}"), "2026-11-23T09:00:00Z")).unwrap();
    }
    log.sync().unwrap();
    folder
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    files.sort();
    files
}

fn check(folder: &Path) -> Report {
    verify(folder, None).unwrap()
}

/// What is wrong, with the line.
fn problems(folder: &Path) -> Vec<(Option<usize>, Problem)> {
    check(folder).findings.into_iter().map(|finding| (finding.line, finding.problem)).collect()
}

/// Lets `change` at the lines of the (only) file.
fn tamper(folder: &Path, change: impl FnOnce(&mut Vec<String>)) {
    let file = &files(folder)[0];
    let mut lines: Vec<String> = fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect();
    change(&mut lines);
    fs::write(file, lines.join("\n") + "\n").unwrap();
}

/// As one who knows how it is done: the line with its hash made right again.
fn rehashed(line: &str) -> (String, String) {
    let (front, _) = line.rsplit_once(",\"hash\":\"").unwrap();
    let hash: String = Sha256::digest(front.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    (format!("{front},\"hash\":\"{hash}\"}}"), hash)
}

#[test]
fn a_day_verifies_and_its_receipts_are_found() {
    let folder = a_day(100);
    let report = check(folder.path());
    assert!(report.is_intact(), "{:?}", report.findings);
    assert_eq!((report.files, report.lines, report.receipts, report.first), (1, 101, 100, Some(1)));
    assert_eq!(report.head.unwrap().seq, 101);
    let (id, found) = find(folder.path(), "call-42").unwrap();
    assert_eq!(id, report.log.unwrap());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].entry, Entry::Receipt(Box::new(receipt("call-42", "2026-11-23T09:00:00Z"))));
    assert!(find(folder.path(), "call-100").unwrap().1.is_empty());
}

#[test]
fn an_edited_byte_is_found_wherever_it_is() {
    let folder = a_day(3);
    let file = files(folder.path())[0].clone();
    let good = fs::read(&file).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&file, &bad).unwrap();
        let report = check(folder.path());
        assert!(!report.is_intact(), "byte {at}");
        let line = good[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        assert_eq!(report.findings[0].line, Some(line), "byte {at}: {:?}", report.findings);
    }
}

#[test]
fn the_field_that_was_changed_is_named() {
    let folder = a_day(3);
    tamper(folder.path(), |lines| {
        lines[1] = lines[1].replace("\"outcome\":\"opted-out\"", "\"outcome\":\"given\"");
        lines[2] =
            lines[2].replace("\"queue\":\"billing\"", "\"queue\":\"sales\"").replace("carrier", "other");
    });
    let changed = |fields: &[&str]| Problem::Changed {
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
    };
    assert_eq!(
        problems(folder.path()),
        [(Some(2), changed(&["record.outcome"])), (Some(3), changed(&["queue", "trunk"]))]
    );
}

#[test]
fn a_line_rewritten_with_its_hash_is_found_by_the_next_one() {
    let folder = a_day(3);
    tamper(folder.path(), |lines| lines[1] = rehashed(&lines[1].replace("opted-out", "given")).0);
    assert_eq!(problems(folder.path()), [(Some(2), Problem::Replaced)]);
}

#[test]
fn the_newest_line_rewritten_with_its_hash_is_found_by_the_head() {
    let folder = a_day(3);
    tamper(folder.path(), |lines| lines[3] = rehashed(&lines[3].replace("opted-out", "given")).0);
    assert_eq!(problems(folder.path()), [(Some(4), Problem::NotTheHead)]);
}

#[test]
fn removed_swapped_and_repeated_lines_are_found() {
    let folder = a_day(5);
    tamper(folder.path(), |lines| drop(lines.drain(2..4)));
    assert_eq!(problems(folder.path()), [(Some(3), Problem::Missing { from: 3, to: 4 })]);

    let folder = a_day(5);
    tamper(folder.path(), |lines| lines.swap(2, 3));
    assert_eq!(problems(folder.path())[0], (Some(3), Problem::Missing { from: 3, to: 3 }));
    assert!(problems(folder.path()).contains(&(Some(4), Problem::OutOfOrder)));

    let folder = a_day(5);
    tamper(folder.path(), |lines| lines.insert(2, lines[1].clone()));
    assert_eq!(problems(folder.path()), [(Some(3), Problem::OutOfOrder)]);

    let folder = a_day(5);
    tamper(folder.path(), |lines| lines[2] = "{\"note\":\"hello\"}".to_owned());
    assert_eq!(problems(folder.path()), [(Some(3), Problem::Unreadable)]);
}

#[test]
fn lines_cut_off_at_the_end_are_found() {
    let folder = a_day(5);
    tamper(folder.path(), |lines| lines.truncate(4));
    assert_eq!(problems(folder.path()), [(None, Problem::CutOff { lines: 2 })]);
    fs::remove_file(folder.path().join("head.json")).unwrap();
    assert_eq!(problems(folder.path()), [(None, Problem::NoHead)]);
}

#[test]
fn a_chain_written_anew_is_found_by_a_head_that_was_noted() {
    let folder = a_day(3);
    let head = check(folder.path()).head.unwrap();
    let noted: Noted = format!("{}:{}", head.seq, &head.hash[..16]).parse().unwrap();
    assert!(verify(folder.path(), Some(&noted)).unwrap().is_intact());

    tamper(folder.path(), |lines| {
        let (line, mut hash) = rehashed(&lines[1].replace("opted-out", "given"));
        lines[1] = line;
        for line in &mut lines[2..] {
            let at = line.find("\"previous\":\"").unwrap() + 12;
            line.replace_range(at..at + 64, &hash);
            (*line, hash) = rehashed(line);
        }
        let head = format!("{{\"log\":\"{}\",\"seq\":4,\"hash\":\"{hash}\"}}\n", head.log);
        fs::write(folder.path().join("head.json"), head).unwrap();
    });
    assert!(check(folder.path()).is_intact(), "the folder alone can't tell");
    let report = verify(folder.path(), Some(&noted)).unwrap();
    assert_eq!((report.findings[0].line, &report.findings[0].problem), (Some(4), &Problem::NotAsNoted));

    let gone: Noted = "99:0123456789abcdef".parse().unwrap();
    assert_eq!(verify(folder.path(), Some(&gone)).unwrap().findings[0].problem, Problem::NotedIsGone);
    for wrong in ["4", "4:12", "x:0123456789abcdef", "4:0123456789ABCDEF"] {
        assert!(wrong.parse::<Noted>().is_err(), "{wrong}");
    }
}

#[test]
fn a_crash_at_any_byte_of_the_last_line_loses_no_other() {
    let folder = a_day(3);
    let file = files(folder.path())[0].clone();
    let synced = fs::read(&file).unwrap();
    let head = fs::read(folder.path().join("head.json")).unwrap();
    let mut log = open(folder.path());
    log.append(&receipt("torn", "2026-11-23T09:00:00Z")).unwrap();
    drop(log);
    let whole = fs::read(&file).unwrap();
    assert!(whole.len() > synced.len() + 500);
    let ends = whole.len() - 2..=whole.len();
    for length in (synced.len()..whole.len()).step_by(61).chain(ends) {
        fs::write(&file, &whole[..length]).unwrap();
        fs::write(folder.path().join("head.json"), &head).unwrap();
        let (mut log, opened) = Log::open(folder.path(), BUILD, now()).unwrap();
        assert_eq!(opened.damage, None, "at {length}");
        let kept = length >= whole.len() - 1;
        let torn = (length - synced.len()) as u64;
        assert_eq!(opened.recovered, (torn > 0 && !kept).then_some(torn), "at {length}");
        log.append(&receipt("after", "2026-11-23T09:00:00Z")).unwrap();
        log.sync().unwrap();
        drop(log);
        let report = check(folder.path());
        assert!(report.is_intact(), "at {length}: {:?}", report.findings);
        assert_eq!(report.receipts, 4 + u64::from(kept), "at {length}");
    }
}

#[test]
fn blocks_that_a_power_cut_left_empty_are_removed() {
    let folder = a_day(3);
    let file = files(folder.path())[0].clone();
    let mut bytes = fs::read(&file).unwrap();
    bytes.extend([0; 4096]);
    fs::write(&file, bytes).unwrap();
    let (log, opened) = Log::open(folder.path(), BUILD, now()).unwrap();
    assert_eq!((opened.recovered, opened.damage), (Some(4096), None));
    drop(log);
    let report = check(folder.path());
    assert!(report.is_intact());
    assert!(report.notes[0].contains("4096 bytes"), "{:?}", report.notes);
}

#[test]
fn a_crash_before_the_first_line_begins_again() {
    for content in ["", "{\"seq\":1,\"prev"] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("2026-11-22-000000000001.jsonl"), content).unwrap();
        drop(open(folder.path()));
        let report = check(folder.path());
        assert!(report.is_intact(), "{content}: {:?}", report.findings);
        assert_eq!(report.files, 1);
    }
    // The same in a file that was to follow another.
    let folder = a_day(2);
    fs::write(folder.path().join("2026-11-24-000000000004.jsonl"), "{\"seq\":4").unwrap();
    drop(open(folder.path()));
    let report = check(folder.path());
    assert!(report.is_intact(), "{:?}", report.findings);
    assert_eq!((report.files, report.lines), (2, 4));
}

#[test]
fn a_damaged_log_goes_on_in_another_file_and_stays_damaged() {
    for damage in ["changed", "cut off"] {
        let folder = a_day(3);
        tamper(folder.path(), |lines| match damage {
            "changed" => lines[2] = lines[2].replace("opted-out", "given"),
            _ => lines.truncate(3),
        });
        let before = problems(folder.path());
        assert_eq!(before.len(), 1);
        let (mut log, opened) = Log::open(folder.path(), BUILD, now()).unwrap();
        assert!(opened.damage.is_some(), "{damage}");
        log.append(&receipt("after", "2026-11-23T09:00:00Z")).unwrap();
        log.sync().unwrap();
        drop(log);
        let report = check(folder.path());
        assert_eq!(report.files, 2);
        assert_eq!(report.findings.len(), 1, "{damage}: {:?}", report.findings);
        assert!(report.notes.iter().any(|note| note.contains("after damage")), "{:?}", report.notes);
    }
}

#[test]
fn files_that_were_taken_away_are_missed() {
    let folder = a_day(2);
    let mut log = open(folder.path());
    for day in ["24", "25"] {
        log.append(&receipt(day, &format!("2026-11-{day}T09:00:00Z"))).unwrap();
    }
    log.sync().unwrap();
    drop(log);
    assert!(check(folder.path()).is_intact());
    let files = files(folder.path());
    assert_eq!(files.len(), 3);
    assert!(files[1].ends_with("2026-11-24-000000000004.jsonl"), "{files:?}");

    let aside = folder.path().join("aside");
    for (file, problem) in [
        (&files[0], Problem::Missing { from: 1, to: 3 }),
        (&files[1], Problem::Missing { from: 4, to: 5 }),
        (&files[2], Problem::CutOff { lines: 2 }),
    ] {
        fs::rename(file, &aside).unwrap();
        assert_eq!(
            problems(folder.path()).into_iter().map(|(_, problem)| problem).collect::<Vec<_>>(),
            [problem]
        );
        fs::rename(&aside, file).unwrap();
    }
    // All of them: the head remembers that there were some, and goes on counting.
    files.iter().for_each(|file| fs::remove_file(file).unwrap());
    assert_eq!(problems(folder.path())[0].1, Problem::Empty);
    let (log, opened) = Log::open(folder.path(), BUILD, now()).unwrap();
    assert!(opened.damage.unwrap().contains("7 lines"));
    drop(log);
    assert_eq!(problems(folder.path())[0].1, Problem::Missing { from: 1, to: 7 });
}

#[test]
fn what_is_too_old_goes_and_the_log_says_so() {
    let folder = a_day(2);
    let mut log = open(folder.path());
    for day in ["24", "25", "26"] {
        log.append(&receipt(day, &format!("2026-11-{day}T09:00:00Z"))).unwrap();
    }
    assert!(log.expire(moment("2026-11-26T10:00:00Z"), 30).unwrap().is_empty());
    // Two days before the 26th is the 24th: what ended before it goes, and the 23rd's file lasted until then.
    assert!(log.expire(moment("2026-11-26T10:00:00Z"), 2).unwrap().is_empty());
    assert_eq!(log.expire(moment("2026-11-27T10:00:00Z"), 2).unwrap().len(), 1);
    let report = check(folder.path());
    assert!(report.is_intact(), "{:?}", report.findings);
    assert!(report.notes[0].contains("up to number 3"), "{:?}", report.notes);
    // Everything old: the newest file stays all the same.
    assert_eq!(log.expire(moment("2027-11-27T10:00:00Z"), 2).unwrap().len(), 2);
    let report = check(folder.path());
    assert!(report.is_intact(), "{:?}", report.findings);
    assert_eq!((report.files, report.receipts), (1, 1));
    // A theft looks otherwise.
    drop(log);
    let file = &files(folder.path())[0];
    let text = fs::read_to_string(file).unwrap();
    fs::write(file, text.replace("\"through\":7", "\"through\":8")).unwrap();
    assert!(!check(folder.path()).is_intact());
}

#[test]
fn two_cannot_write() {
    let folder = a_day(1);
    let log = open(folder.path());
    assert!(matches!(Log::open(folder.path(), BUILD, now()), Err(LogError::Locked(_))));
    drop(log);
    drop(open(folder.path()));
}

#[test]
fn a_clock_that_was_put_back_begins_no_older_file() {
    let folder = a_day(1);
    let mut log = open(folder.path());
    log.append(&receipt("later", "2026-11-25T09:00:00Z")).unwrap();
    log.append(&receipt("earlier", "2026-11-20T09:00:00Z")).unwrap();
    log.sync().unwrap();
    assert_eq!(files(folder.path()).len(), 2);
    assert!(check(folder.path()).is_intact());
}

#[test]
fn one_file_can_be_looked_at_by_itself() {
    let folder = a_day(2);
    let mut log = open(folder.path());
    log.append(&receipt("next", "2026-11-24T09:00:00Z")).unwrap();
    log.sync().unwrap();
    let report = verify(&files(folder.path())[1], None).unwrap();
    assert!(report.is_intact());
    assert_eq!(report.notes.len(), 2, "{:?}", report.notes);
}

#[test]
fn anybody_can_check_a_line_without_this_program() {
    let folder = a_day(1);
    let text = fs::read_to_string(&files(folder.path())[0]).unwrap();
    for line in text.lines() {
        assert_eq!(rehashed(line).0, line);
    }
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = a_day(1);
    let mode = fs::metadata(&files(folder.path())[0]).unwrap().permissions().mode();
    assert_eq!(mode & 0o027, 0, "{mode:o}");
}
