//! `sidetone check` says of a configuration what `sidetone run` would do with it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::common::{json_lines, sidetone, stdout};

/// What a configuration is made of; a case changes it.
const GOOD: &str = r#"
[sip]
listen = ["udp:127.77.0.1:5060", "tcp:127.77.0.1:5060"]
hostnames = ["edge.example"]
[media]
address = "127.77.0.1"
ports = "30000-38000"
[[trunk]]
name = "carrier"
allow = ["127.77.0.2"]
disclosure = "notice"
hosts = [{ to = "sip:127.77.0.2" }]
[[pbx]]
name = "asterisk"
allow = ["127.77.0.3"]
hosts = [{ to = "sip:127.77.0.3" }]
[http]
listen = "127.77.0.1:9464"
[health]
options_interval = "0s"
[control]
socket = "DIR/control.sock"
"#;

fn write(dir: &Path, text: &str) -> String {
    let file = dir.join("s.toml");
    std::fs::write(&file, text.replace("DIR", &dir.display().to_string())).unwrap();
    file.display().to_string()
}

/// Whether `sidetone run` gets ready for calls with this file.
fn runs(file: &str) -> bool {
    let mut process = Command::new(env!("CARGO_BIN_EXE_sidetone"))
        .args(["run", "--config", file])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stderr.take().unwrap()).lines();
    let ready = lines.map_while(Result::ok).any(|line| line.contains("sidetone is ready"));
    process.kill().unwrap();
    process.wait().unwrap();
    ready
}

#[test]
fn check_fails_exactly_where_run_would() {
    let more = |tables: &str| format!("{GOOD}{tables}");
    let other = |from: &str, to: &str| {
        assert!(GOOD.contains(from), "{from}");
        GOOD.replacen(from, to, 1)
    };
    // The text of each, and what is said of it: line, key, and the beginning of the remedy.
    let bad: Vec<(String, &[&str])> = vec![
        (
            more("[announcement.files.notice]\nen = \"/nowhere/notice.wav\"\n"),
            &[":24: ", "announcement.files.notice.en can't be played: /nowhere/notice.wav", "name a WAV"],
        ),
        (more("[announcement.files.notice]\nen = \"/dev/zero\"\n"), &["no regular file"]),
        (
            more("[events]\nnumber_salt = { file = \"/nowhere/salt\" }\n"),
            &[":24: ", "events.number_salt can't be used", "/nowhere/salt", "at least 16 bytes"],
        ),
        (more("[events]\nnumber_salt = \"short\"\n"), &["events.number_salt", "at least 16 bytes"]),
        (
            more("[events]\nnumber_salt = { file = \"/dev/zero\" }\n"),
            &["events.number_salt", "no regular file"],
        ),
        (more("[consent]\ndo_not_analyse = \"/dev/zero\"\n"), &["consent.do_not_analyse", "no regular file"]),
        (
            more("[consent]\ndo_not_analyse = \"DIR/s.toml\"\n"),
            &[":24: ", "consent.do_not_analyse", "sidetone consent exclude"],
        ),
        (more("[consent]\nreceipts = \"DIR/s.toml\"\n"), &[":24: ", "consent.receipts"]),
        (
            more("[events.file]\npath = \"/nowhere/events.jsonl\"\n"),
            &[":24: ", "events.file.path", "/nowhere/events.jsonl"],
        ),
        (more("[events.file]\npath = \"/dev/full\"\n"), &["events.file.path", "no regular file"]),
        (more("[events.stream]\ntoken = \"short\"\n"), &["events.stream.token"]),
        (
            more("[[events.webhook]]\nurl = \"ftp://x/\"\nsecret = \"sixteen bytes and more\"\n"),
            &["events.webhook"],
        ),
        (
            more("[[events.webhook]]\nurl = \"https://example.org/\"\nsecret = { file = \"/nowhere\" }\n"),
            &["events.webhook #1 secret", "/nowhere"],
        ),
        (
            more("[[consent.rules]]\nqueue = \"x\"\npolicy = \"notice\"\nannouncement = \"notise\"\n"),
            &["consent.rules #1 announcement `notise`", "did you mean `notice`?"],
        ),
        (
            other("listen = \"127.77.0.1:9464\"", "listen = \"127.77.0.1:5060\""),
            &[":18: ", "http.listen", "where SIP listens", "take another port"],
        ),
        (other("listen = \"127.77.0.1:9464\"", "listen = \"0.0.0.0:5060\""), &[":18: ", "http.listen"]),
        (
            other("listen = \"127.77.0.1:9464\"", "listen = \"127.77.0.1:9464\"\ntoken = \"short\""),
            &["http.token"],
        ),
        (
            other("30000-38000", "5000-38000"),
            &[":7: ", "media.ports 5000-38000 holds port 5060, on which SIP listens; move either"],
        ),
        (
            other("\"tcp:127.77.0.1:5060\"", "\"udp:127.77.0.1:5060\""),
            &[":3: ", "sip.listen #2 `udp:127.77.0.1:5060` stands here twice"],
        ),
        (
            other("sip:127.77.0.3", "sip:127.77.0.1"),
            &[":16: ", "pbx \"asterisk\" hosts #1 to `sip:127.77.0.1` is Sidetone itself"],
        ),
        (
            other("sip:127.77.0.2", "sip:127.77.0.1;transport=tcp"),
            &["trunk \"carrier\" hosts #1 to", "is Sidetone itself"],
        ),
        (other("sip:127.77.0.3", "sip:Edge.example"), &["is Sidetone itself, by sip.hostnames"]),
        (other("sip:127.77.0.3", "sip:0.0.0.0:5070"), &["no address of one host"]),
        (
            other("[\"127.77.0.2\"]", "[\"127.77.0.0/24\", \"127.77.0.3/32\"]"),
            &["pbx \"asterisk\" allow #1 `127.77.0.3/32` is allowed to trunk \"carrier\" too"],
        ),
        (
            other("[\"127.77.0.3\"]", "[\"127.0.0.0/8\"]").replace("[\"127.77.0.2\"]", "[\"127.77.0.0/24\"]"),
            &["pbx \"asterisk\" hosts #1 to `sip:127.77.0.3` is let in as trunk \"carrier\""],
        ),
        (
            other("disclosure = \"notice\"", "to = [\"asterix\"]"),
            &["trunk \"carrier\" to #1 `asterix`", "did you mean `asterisk`?"],
        ),
        (other("name = \"asterisk\"", "name = \"carrier\""), &["is taken by trunk \"carrier\""]),
        (
            other(
                "name = \"asterisk\"",
                "name = \"asterisk\"\nallow = [\"127.77.0.4\"]\nhosts = [{ to = \"sip:127.77.0.4\" }]\n[pbx.ami]\naddress = \"127.0.0.1:5038\"\nusername = \"x\"\nsecret_file = \"/nowhere/secret\"\n[[pbx]]\nname = \"second\"",
            ),
            &["pbx \"asterisk\" ami"],
        ),
        (other("DIR/control.sock", "DIR/s.toml"), &["control.socket", "something else than a socket"]),
        (other("DIR/control.sock", &format!("DIR/{}", "x".repeat(120))), &["control.socket", "longer"]),
        (more("[log]\nlevel = \"inof\"\n"), &[":24: ", "log.level `inof` is no level; did you mean `info`?"]),
        (more("[analysis]\nworkers = 100000\n"), &["analysis.workers"]),
        (more("[logg]\n"), &[":23: ", "logg is no key here; did you mean `log`?"]),
        (more("x = [\n"), &["this is no TOML"]),
    ];
    let dir = tempfile::tempdir().unwrap();
    for (number, (text, words)) in bad.iter().enumerate() {
        let dir = dir.path().join(number.to_string());
        std::fs::create_dir(&dir).unwrap();
        let file = write(&dir, text);
        let checked = sidetone(&["check", &file]);
        let said = String::from_utf8(checked.stdout).unwrap();
        assert!(!checked.status.success(), "{text}: {said}");
        for words in *words {
            assert!(said.contains(words), "no `{words}` in {said}");
        }
        assert!(!runs(&file), "{text} was checked as bad and runs");
        let json = &sidetone(&["check", "--json", &file]).stdout;
        let json: serde_json::Value = serde_json::from_slice(json).unwrap();
        assert_eq!(json["usable"], false, "{json}");
        assert!(
            json["problems"].as_array().unwrap().iter().any(|problem| problem["fatal"] == true),
            "{json}"
        );
    }
}

#[test]
fn a_good_configuration_is_checked_as_one_and_runs() {
    let dir = tempfile::tempdir().unwrap();
    for change in [
        ("", ""),
        // The PBX stands within the carrier's networks, and its entry is the narrower one.
        ("[\"127.77.0.2\"]", "[\"127.77.0.0/24\"]"),
    ] {
        let file = write(dir.path(), &GOOD.replacen(change.0, change.1, 1));
        let checked = sidetone(&["check", &file]);
        let said = String::from_utf8(checked.stdout).unwrap();
        assert!(checked.status.success() && said.ends_with("can be run\n"), "{said}");
        assert!(runs(&file), "{change:?}");
    }
}

/// Calls come first: this one fault does not keep them from being carried.
#[test]
fn a_model_that_cant_be_loaded_is_an_error_that_run_survives() {
    let dir = tempfile::tempdir().unwrap();
    for model in ["/nowhere/model", "/dev/zero", "DIR"] {
        let file = write(
            dir.path(),
            &format!("{GOOD}[analysis]\nmodel = \"{model}\"\n").replace("127.77.0", "127.77.1"),
        );
        let checked = sidetone(&["check", &file]);
        let said = String::from_utf8(checked.stdout).unwrap();
        assert!(!checked.status.success(), "{said}");
        assert!(
            said.contains("s.toml:24: error: analysis.model can't be used: ")
                && said.contains("calls would be carried"),
            "{said}"
        );
        assert!(runs(&file), "{model}");
    }
}

#[test]
fn what_works_and_is_seldom_meant_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let salt = dir.path().join("salt");
    std::fs::write(&salt, "sixteen bytes and more").unwrap();
    std::fs::set_permissions(&salt, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let file = write(
        dir.path(),
        &GOOD
            .replace("[\"127.77.0.2\"]", "[\"0.0.0.0/0\"]")
            .replace("30000-38000", "9000-38000")
            .replace("[health]", "[events]\nnumber_salt = { file = \"DIR/salt\" }\n[health]"),
    );
    let said = stdout(&["check", &file]);
    for words in [
        "lets everybody call as this carrier",
        "hold addresses in common",
        "port 9464, on which HTTP listens",
        "chmod o=",
    ] {
        assert!(said.contains(words), "no `{words}` in {said}");
    }
    let json = &json_lines(&["check", "--json", &file])[0];
    assert_eq!(json["usable"], true, "{json}");
}

#[test]
fn a_typo_does_not_keep_an_operator_from_the_calls_that_are_up() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), &GOOD.replace("[media]", "[medai]"));
    for command in [&["calls"][..], &["stats"], &["drain"], &["tail"], &["call", "x"]] {
        let output = sidetone(&[command, &["--config", &file]].concat());
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains("did you mean `media`?"), "{error}");
        assert!(
            error.contains("no running Sidetone could be reached at ") && error.contains("control.sock"),
            "{error}"
        );
    }
}

#[test]
fn errors_are_json_where_results_are() {
    for arguments in [
        &["calls", "--json", "--socket", "/nowhere"][..],
        &["calls", "--jsn", "--json"],
        &["run", "--json", "--config", "/nowhere"],
    ] {
        let output = sidetone(arguments);
        assert!(!output.status.success());
        let error = String::from_utf8(output.stderr).unwrap();
        for line in error.lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|why| panic!("{why}: {line}"));
        }
        assert!(error.lines().last().unwrap().contains("\"error\":"), "{error}");
    }
}
