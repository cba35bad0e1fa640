//! What an operator may say about events.
#![allow(clippy::unwrap_used)]

use std::io::Write;

use sidetone_events::config::EventsConfig;
use sidetone_events::{Kind, NumberHasher, Secret};
use sidetone_insight::Period;

const EVERYTHING: &str = r#"
stdout = true
queue = 512
number_salt = { file = "/run/credentials/number-salt" }

[file]
path = "/var/lib/sidetone/events.jsonl"
max_bytes = 67_108_864
keep = 7
keep_days = 30
kinds = ["affect.alert", "call.ended"]

[[webhook]]
url = "https://crm.example/hooks/sidetone"
secret = "0123456789abcdef"
old_secret = { file = "/run/credentials/old" }
kinds = ["affect.alert"]
batch = 32
timeout = "10s"
retry_after = "1s"
retry_at_most = "60s"
give_up_after = "15m"
ca_file = "/etc/sidetone/ca.pem"
allow_plain_http = false

[stream]
token = "0123456789abcdef"
replay = 1024
clients = 64
heartbeat = "15s"
"#;

#[test]
fn everything_can_be_said() {
    let config: EventsConfig = toml::from_str(EVERYTHING).unwrap();
    config.validate().unwrap();
    let file = config.file.unwrap();
    assert_eq!(file.kinds, [Kind::AffectAlert, Kind::CallEnded]);
    assert_eq!(config.webhooks.first().unwrap().give_up_after, Period::from_secs(900));
    assert_eq!(
        config.stream,
        sidetone_events::config::StreamConfig {
            token: Some(Secret::new("0123456789abcdef")),
            ..Default::default()
        }
    );
}

#[test]
fn nothing_need_be_said() {
    let config: EventsConfig = toml::from_str("").unwrap();
    assert_eq!(config, EventsConfig::default());
    config.validate().unwrap();
    assert!(!config.stdout && config.file.is_none() && config.webhooks.is_empty());
}

#[test]
fn unknown_keys_are_refused_by_name() {
    for (text, key) in [
        ("stdoud = true", "stdoud"),
        ("[file]\npath = \"x\"\nrotate = 1", "rotate"),
        ("[[webhook]]\nurl = \"x\"\nsecret = \"y\"\nretries = 3", "retries"),
        ("[stream]\nport = 1", "port"),
        ("number_salt = { path = \"x\" }", "path"),
        ("[file]\npath = \"x\"\nkinds = [\"call.vanished\"]", "call.vanished"),
    ] {
        let refused = toml::from_str::<EventsConfig>(text).unwrap_err().to_string();
        assert!(refused.contains(key), "{refused}");
    }
}

#[test]
fn what_cannot_be_meant_is_named() {
    for (text, why) in [
        ("queue = 0", "events.queue: must be 1 to 1000000"),
        ("[file]\npath = \"x\"\nkeep = 0", "events.file.keep: must be 1 to 1000"),
        ("[file]\npath = \"x\"\nmax_bytes = 5", "events.file.max_bytes: must be at least 4096"),
        ("[stream]\nheartbeat = \"0s\"", "events.stream.heartbeat: must be above 0"),
        ("[stream]\nreplay = 0", "events.stream.replay: must be 1 to 1000000"),
    ] {
        let config: EventsConfig = toml::from_str(text).unwrap();
        assert_eq!(config.validate().unwrap_err().to_string(), why);
    }
}

#[test]
fn secrets_are_neither_shown_nor_written_back() {
    let config: EventsConfig = toml::from_str(EVERYTHING).unwrap();
    let shown = format!("{config:?} {}", toml::to_string(&config).unwrap());
    assert!(!shown.contains("0123456789abcdef") && !shown.contains("/run/credentials"), "{shown}");
}

#[test]
fn a_secret_may_live_in_a_file_of_its_own() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "sixteen bytes and more").unwrap();
    let text = format!("number_salt = {{ file = \"{}\" }}", file.path().display());
    let config: EventsConfig = toml::from_str(&text).unwrap();
    let filed = NumberHasher::salted(&config.number_salt.unwrap()).unwrap();
    let inline = NumberHasher::salted(&Secret::new("sixteen bytes and more")).unwrap();
    assert_eq!(filed.hash("+4930123456789"), inline.hash("+4930123456789"), "the line end doesn't count");
    let missing = NumberHasher::salted(&Secret::in_file("/nowhere/salt")).unwrap_err().to_string();
    assert!(missing.starts_with("number_salt: can't read the secret in /nowhere/salt: "), "{missing}");
}
