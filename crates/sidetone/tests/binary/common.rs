//! What the tests of the binary share.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use sidetone_scenarios::schema::Schema;

/// Runs the binary to its end.
pub(crate) fn sidetone(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sidetone")).args(arguments).output().unwrap()
}

/// Standard output, of a run that must succeed.
pub(crate) fn stdout(arguments: &[&str]) -> String {
    let output = sidetone(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Standard output as a JSON object a line.
pub(crate) fn json_lines(arguments: &[&str]) -> Vec<Value> {
    stdout(arguments).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A file of the repository.
pub(crate) fn repository(path: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.join(path).to_string_lossy().into_owned()
}

/// Checks events against the committed schema.
pub(crate) fn assert_valid(events: &[Value]) {
    let schema = Schema::of(&serde_json::from_str(sidetone_events::SCHEMA).unwrap());
    for event in events {
        schema.assert_valid(event);
    }
}

/// Events of one kind.
pub(crate) fn of_kind<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["kind"] == kind).collect()
}
