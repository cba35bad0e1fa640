//! The command line's own promises: help, completions, man pages, errors that say what to do.

use super::common::{json_lines, repository, sidetone, stdout};

#[test]
fn every_command_is_in_the_help_and_the_completions() {
    let help = stdout(&["--help"]);
    let completions = stdout(&["completions", "bash"]);
    for command in [
        "run",
        "check",
        "calls",
        "call",
        "tail",
        "trace",
        "stats",
        "drain",
        "reload",
        "tell",
        "announce",
        "analyze",
        "demo",
        "model",
        "consent",
        "compliance",
        "texts",
        "man",
    ] {
        assert!(help.contains(command) && completions.contains(command), "{command}");
    }
}

#[test]
fn man_pages_are_written() {
    let folder = tempfile::tempdir().unwrap();
    stdout(&["man", &folder.path().to_string_lossy()]);
    for page in ["sidetone.1", "sidetone-run.1", "sidetone-model-eval.1"] {
        assert!(folder.path().join(page).exists(), "{page}");
    }
}

#[test]
fn the_example_passes_the_check() {
    let checked = &json_lines(&["check", "--json", &repository("deploy/sidetone.example.toml")])[0];
    assert_eq!(checked["usable"], true, "{checked}");
    assert_eq!(checked["problems"].as_array().unwrap().len(), 0, "{checked}");
}

#[test]
fn a_broken_configuration_names_file_line_key_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.toml");
    let example = std::fs::read_to_string(repository("deploy/sidetone.example.toml")).unwrap();
    std::fs::write(&path, example.replace("\nudp_limit =", "\nudp_limmit =")).unwrap();
    let output = sidetone(&["check", &path.to_string_lossy()]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success());
    assert!(
        said.contains("s.toml:") && said.contains("udp_limmit") && said.contains("did you mean `udp_limit`"),
        "{said}"
    );
}

#[test]
fn without_a_running_sidetone_the_error_says_where_it_looked() {
    let output = sidetone(&["calls", "--socket", "/nonexistent/control.sock"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("/nonexistent/control.sock"), "{error}");
}

#[test]
fn the_embedded_model_states_what_it_is() {
    let info = &json_lines(&["model", "info", "--json"])[0];
    assert_eq!(info["meta"]["licence"], "open", "{info}");
    assert!(info["parameters"].as_u64().unwrap() <= 4_000_000);
    assert!(!info["meta"]["held_out"].as_array().unwrap().is_empty());
}

#[test]
fn an_error_says_each_cause_once_and_is_json_where_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.wav");
    std::fs::write(&text, "hello").unwrap();
    let said = |arguments: &[&str]| String::from_utf8(sidetone(arguments).stderr).unwrap();
    let salt = said(&["analyze", "--salt", "short", &text.to_string_lossy()]);
    assert!(salt.contains("--salt") && salt.matches("at least 16 bytes").count() == 1, "{salt}");
    let unread = said(&["--json", "analyze", &text.to_string_lossy()]);
    let unread: serde_json::Value = serde_json::from_str(unread.trim_end()).unwrap();
    assert!(unread["error"].as_str().unwrap().contains("neither audio"), "{unread}");
}

#[test]
fn help_names_every_way_to_say_which_call() {
    for command in ["call", "tell", "announce"] {
        let help = stdout(&[command, "--help"]);
        assert!(help.contains("last letters"), "{command}: {help}");
    }
    let trace = String::from_utf8(sidetone(&["trace"]).stderr).unwrap();
    assert!(trace.contains("--next"), "{trace}");
    let both = String::from_utf8(sidetone(&["trace", "abcdef", "--next", "1"]).stderr).unwrap();
    assert!(both.contains("cannot be used with"), "{both}");
}
