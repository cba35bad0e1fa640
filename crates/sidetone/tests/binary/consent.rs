//! Receipts, the list of those who are never analysed, and the compliance report, as an officer uses them.

use std::fs;
use std::path::Path;

use sidetone_consent::machine::{Input, Machine};
use sidetone_consent::policy::{Facts, LawfulBasis, Settings};
use sidetone_consent::{Log, Moment, Policy, Receipt};

use super::common::{json_lines, repository, sidetone, stdout};

/// A day with a receipt of each of `calls`.
fn a_day(folder: &Path, calls: &[&str]) {
    let ended: Moment = "2026-11-23T09:00:00Z".parse().unwrap();
    let settings = Settings { lawful_basis: Some(LawfulBasis::Consent), ..Settings::default() };
    let decision = settings.decide(&Facts { trunk_policy: Policy::GivenUpstream, ..Facts::default() });
    let mut log = Log::open(folder, "sidetone test", ended).unwrap().0;
    for call in calls {
        let mut machine = Machine::new(settings.terms(&decision, false), std::time::Duration::ZERO);
        machine.input(std::time::Duration::from_secs(2), Input::Answered);
        machine.input(std::time::Duration::from_secs(9), Input::Ended);
        log.append(&Receipt {
            call: (*call).to_owned(),
            started: Moment::from_unix_millis(ended.unix_millis() - 9_000),
            ended,
            to_customer: false,
            customer: Some("0123456789abcdef01234567".parse().unwrap()),
            dialled: None,
            trunk: "carrier".to_owned(),
            queue: None,
            tier: None,
            call_type: None,
            reason: decision.reason.clone(),
            lawful_basis: settings.lawful_basis,
            record: machine.record(),
            node: None,
            build: "sidetone test".to_owned(),
            model: None,
        })
        .unwrap();
    }
    log.sync().unwrap();
}

#[test]
fn an_edited_receipt_is_found_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().to_str().unwrap();
    a_day(folder.path(), &["one", "two", "three"]);
    let said = stdout(&["consent", "verify", log]);
    assert!(said.contains("3 receipts in 1 files") && said.contains("intact"), "{said}");
    let head = said.lines().find_map(|line| line.strip_prefix("head ")).unwrap().to_owned();
    assert!(
        stdout(&["consent", "verify", log, "--head", &head]).contains("as it was when the head was noted")
    );
    let report = &json_lines(&["consent", "verify", log, "--json"])[0];
    assert_eq!((&report["intact"], &report["report"]["receipts"]), (&true.into(), &3.into()));

    let file = folder.path().join("2026-11-23-000000000001.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("\"outcome\":\"given\"", "\"outcome\":\"asked\"", 1)).unwrap();
    let output = sidetone(&["consent", "verify", log]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success());
    assert!(said.contains("000000000001.jsonl:2: was changed, in record.outcome"), "{said}");
    assert!(said.contains("NOT INTACT"), "{said}");
}

#[test]
fn a_receipt_is_shown_and_exported() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().to_str().unwrap();
    a_day(folder.path(), &["one", "two"]);
    let said = stdout(&["consent", "show", log, "two"]);
    assert!(said.contains("call      two") && said.contains("told before the call gets here"), "{said}");
    assert_eq!(json_lines(&["consent", "show", log, "two", "--json"])[0]["receipt"]["call"], "two");
    let vcon = &json_lines(&["consent", "export", log, "two", "--vcon"])[0];
    assert_eq!(vcon["attachments"][0]["purpose"], "lawful_basis");
    for (arguments, next) in [
        (["consent", "show", log, "three"], "ids stand in the events"),
        (["consent", "show", "/nonexistent", "two"], "the folder that `consent.receipts` names"),
    ] {
        let output = sidetone(&arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(next), "{error}");
    }
}

#[test]
fn numbers_go_on_and_off_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    let list = path.to_str().unwrap();
    let with = |command: &'static str, number: &'static str| {
        stdout(&["consent", command, number, "--list", list, "--country", "49"])
    };
    assert!(with("exclude", "030 1234567").contains("never analysed from the next call on"));
    assert!(with("check", "+49301234567").contains("on the list"));
    assert!(with("check", "anonymous").contains("no number"));
    assert!(!fs::read_to_string(&path).unwrap().contains("1234567"));
    assert!(with("include", "0049301234567").contains("off the list"));
    assert!(with("check", "030 1234567").contains("not on the list"));
    assert!(
        stdout(&["consent", "exclude", "030 1234567", "--list", list]).contains("without a country code")
    );
    for command in ["check", "include"] {
        let output = sidetone(&["consent", command, "+49301234567", "--list", "/nonexistent"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("/nonexistent is no list yet; `sidetone consent exclude NUMBER`"), "{said}");
    }
    let output = sidetone(&["consent", "check", "1", "--list", "/nonexistent"]);
    assert!(!output.status.success());
}

#[test]
fn a_list_made_with_the_configurations_salt_wants_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list");
    let config = folder.path().join("s.toml");
    let example = fs::read_to_string(repository("deploy/sidetone.example.toml")).unwrap();
    let text = example.replacen("\n[consent]\n", &format!("\n[consent]\ndo_not_analyse = {list:?}\n"), 1);
    let text = text.replacen("\n[events]\n", "\n[events]\nnumber_salt = \"sixteen bytes and more\"\n", 1);
    fs::write(&config, text).unwrap();
    let (list, config) = (list.to_str().unwrap(), config.to_str().unwrap());
    stdout(&["consent", "exclude", "+49301234567", "--config", config]);
    assert!(stdout(&["consent", "check", "+49301234567", "--config", config]).contains("on the list"));
    let output = sidetone(&["consent", "check", "+49301234567", "--list", list]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("--config"), "{error}");
}

#[test]
fn the_agents_own_numbers_have_a_list_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let (list, agents) = (folder.path().join("list"), folder.path().join("agents"));
    let config = folder.path().join("s.toml");
    let example = fs::read_to_string(repository("deploy/sidetone.example.toml")).unwrap();
    let keys = format!("\n[consent]\ndo_not_analyse = {list:?}\nagent_numbers = {agents:?}\n");
    fs::write(&config, example.replacen("\n[consent]\n", &keys, 1)).unwrap();
    let config = config.to_str().unwrap();
    stdout(&["consent", "exclude", "+491701234567", "--agents", "--config", config]);
    assert!(
        stdout(&["consent", "check", "+491701234567", "--agents", "--config", config])
            .contains("on the list")
    );
    assert!(agents.exists() && !list.exists());
    let output = sidetone(&["consent", "exclude", "1", "--agents", "--list", list.to_str().unwrap()]);
    assert!(!output.status.success());
}

#[test]
fn the_report_states_paths_gates_and_checksums() {
    let config = repository("deploy/sidetone.example.toml");
    let said = stdout(&["compliance", "report", "--config", &config]);
    for part in ["customer-voice-affect", "agent-conduct", "Weights: SHA-256", "What is kept", "no code for"]
    {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let report = &json_lines(&["compliance", "report", "--json", "--config", &config])[0];
    let model = &json_lines(&["model", "info", "--json"])[0];
    assert_eq!(report["model"]["sha256"], model["sha256"]);
    assert_eq!(report["program_sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn the_report_names_every_place_that_keeps_what_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (config, spool) = (folder.path().join("s.toml"), folder.path().join("spool.db"));
    let example = fs::read_to_string(repository("deploy/sidetone.example.toml")).unwrap();
    let with_spool = example.replacen("\n# [spool]\n", &format!("\n[spool]\npath = {spool:?}\n"), 1);
    fs::write(&config, with_spool.replacen("\n# [pbx.sip] ", "\n[pbx.sip] ", 1)).unwrap();
    let config = config.to_str().unwrap();
    let report = &json_lines(&["compliance", "report", "--json", "--config", config])[0];
    let places: Vec<_> = report["retention"].as_array().unwrap().iter().map(|it| &it["at"]).collect();
    for place in ["spool", "pbx.0.sip", "http./events"] {
        assert!(places.iter().any(|it| *it == place), "{place} of {places:?}");
    }
}

#[test]
fn the_report_can_be_had_as_a_page() {
    let config = repository("deploy/sidetone.example.toml");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    let file = file.to_str().unwrap();
    let report = &json_lines(&["compliance", "report", "--json", "--html", file, "--config", &config])[0];
    let page = fs::read_to_string(file).unwrap();
    for fact in [&report["model"]["sha256"], &report["program_sha256"], &report["made"]] {
        assert!(page.contains(fact.as_str().unwrap()), "{fact}");
    }
    assert!(stdout(&["compliance", "report", "--html", file, "--config", &config]).contains(file));
    let nowhere = sidetone(&["compliance", "report", "--html", "/nonexistent/r.html", "--config", &config]);
    assert!(!nowhere.status.success());
}

#[test]
fn what_looks_like_an_option_is_no_number() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list");
    for slip in ["-5", "-49301234567", " -5"] {
        let output = sidetone(&["consent", "exclude", slip, "--list", &list.to_string_lossy()]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains("no telephone number"), "{slip}: {error}");
    }
}
