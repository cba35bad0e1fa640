//! `sidetone demo`, as a newcomer runs it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::common::{assert_valid, json_lines, of_kind};

#[test]
fn the_demo_carries_a_call_byte_for_byte_and_hears_it() {
    let mut lines = json_lines(&["demo", "--json"]);
    let verdict = lines.pop().unwrap();
    assert_eq!(verdict["succeeded"], true, "{verdict}");
    for way in ["caller_to_agent", "agent_to_caller"] {
        assert_eq!(verdict["demo"][way]["byte_identical"], true, "{verdict}");
    }
    assert_valid(&lines);
    for kind in ["call.started", "call.answered", "affect.update", "conduct", "call.ended"] {
        assert!(!of_kind(&lines, kind).is_empty(), "no {kind} came");
    }
}

/// A demo that a service manager or a closed terminal ends leaves nothing behind: not its store, not its tokens.
#[test]
fn the_demo_takes_its_folder_along_when_it_is_terminated() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_sidetone"))
        .args(["demo", "--pages"])
        .env("TMPDIR", folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(demo.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut told = Vec::new();
    while !told.iter().any(|line: &String| line.contains("as an operator")) {
        told.push(said.next().unwrap_or_else(|| panic!("{told:?}")));
    }
    assert!(said.next().unwrap().contains("sidetone_"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let pid = demo.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    drop(said);
    assert!(!demo.wait().unwrap().success());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
