//! What docs/EVENTS.md shows is what the code does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::path::Path;
use std::process::Command;

use common::{a_call, hasher};
use serde_json::Value;
use sidetone_events::Kind;
use sidetone_events::config::EventsConfig;

fn docs() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/EVENTS.md")).unwrap()
}

/// The fenced blocks of one language, in order, each with the heading it stands under.
fn blocks(language: &str) -> Vec<(String, String)> {
    let docs = docs();
    let (mut heading, mut blocks, mut open) = (String::new(), vec![], None::<String>);
    for line in docs.lines() {
        match &mut open {
            Some(block) if line == "```" => {
                blocks.push((heading.clone(), std::mem::take(block)));
                open = None;
            }
            Some(block) => *block += &format!("{line}\n"),
            None if line == format!("```{language}") => open = Some(String::new()),
            None if line.starts_with('#') => heading = line.trim_start_matches('#').trim().to_owned(),
            None => {}
        }
    }
    blocks
}

#[test]
fn every_kind_is_shown_as_it_is() {
    let blocks = blocks("json");
    for event in a_call() {
        let shown = blocks.iter().find(|(heading, _)| heading == event.kind().name());
        let shown: Value =
            serde_json::from_str(&shown.unwrap_or_else(|| panic!("no {}", event.kind())).1).unwrap();
        let event: Value = serde_json::from_str(&serde_json::to_string(&event).unwrap()).unwrap();
        assert_eq!(shown, event["data"]);
    }
    assert_eq!(blocks.len(), Kind::ALL.len() + 1, "and the envelope");
}

#[test]
fn the_configuration_shown_is_read() {
    for (heading, text) in blocks("toml") {
        let config: toml::Table = toml::from_str(&text).unwrap();
        let Some(events) = config.get("events") else {
            assert!(
                config.contains_key("spool"),
                "{heading}: neither [events] nor [spool], which is no sink of the bus"
            );
            continue;
        };
        let events: EventsConfig = events.clone().try_into().unwrap_or_else(|why| panic!("{heading}: {why}"));
        events.validate().unwrap();
    }
}

/// The commands and the Python that the page gives are run, where the machine has what they need.
#[test]
fn the_snippets_work() {
    let (_, script) = blocks("sh").into_iter().find(|(_, text)| text.contains("openssl")).unwrap();
    let hash = Command::new("sh").arg("-c").arg(script).env("SALT", "a salt for nothing but tests").output();
    if let Ok(output) = hash
        && output.status.success()
        && !output.stdout.is_empty()
    {
        let expected = hasher().hash("+49 30 1234567").unwrap().to_string();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), expected);
    }
    let (_, python) = blocks("python").remove(0);
    let check = "secret = b'a shared secret'; body = b'[{\"kind\":\"call.started\"}]'; time.time = lambda: 1772357420\n\
        good = 't=1772357400,v1=00,v1=e1967a62c411be6398049b01b5ac062e82797ac849a21e6f80a7b8838062ed5b'\n\
        print(is_from_sidetone(secret, good, body), is_from_sidetone(secret, good, body + b' '),\n\
              is_from_sidetone(b'other', good, body), is_from_sidetone(secret, good, body, 10))\n";
    if let Ok(output) = Command::new("python3").arg("-c").arg(python + check).output() {
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said.trim(), "True False False False", "{}", String::from_utf8_lossy(&output.stderr));
    }
}
