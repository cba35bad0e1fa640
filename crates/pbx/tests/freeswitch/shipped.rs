//! What is shipped for FreeSWITCH is well-formed, and uses what there is.

use std::path::{Path, PathBuf};

/// Applications of mod_dptools and mod_callcenter, as FreeSWITCH 1.10 names them.
const APPLICATIONS: [&str; 10] =
    ["answer", "bridge", "callcenter", "echo", "event", "log", "playback", "set", "sleep", "transfer"];
const VARIABLES: [&str; 5] =
    ["SIDETONE_VALENCE", "SIDETONE_AROUSAL", "SIDETONE_STATE", "SIDETONE_ALERT", "SIDETONE_CONSENT"];

/// Variables that FreeSWITCH acts on: of mod_callcenter (`callcenter_function`), and of the core's bridge.
const SET: [&str; 2] = ["cc_base_score", "hangup_after_bridge"];
/// Commands of mod_commands.
const COMMANDS: [&str; 4] = ["uuid_getvar", "uuid_setvar", "bgapi", "originate"];

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/freeswitch")
}

fn files(extension: &str) -> Vec<(PathBuf, String)> {
    let folders = std::fs::read_dir(shipped()).unwrap().map(|it| it.unwrap().path()).filter(|it| it.is_dir());
    let files = folders.flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()));
    let files = files.filter(|file| file.extension().is_some_and(|it| it == extension));
    files.map(|file| (file.clone(), std::fs::read_to_string(file).unwrap())).collect()
}

#[test]
fn every_file_is_well_formed_and_every_application_known() {
    let files = files("xml");
    assert!(files.len() >= 6);
    for (file, text) in files {
        let document =
            roxmltree::Document::parse(&text).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        for action in document.descendants().filter(|it| it.has_tag_name("action")) {
            let application = action.attribute("application").unwrap();
            assert!(APPLICATIONS.contains(&application), "{}: {application}", file.display());
            if application == "set" {
                let name = action.attribute("data").unwrap().split('=').next().unwrap();
                assert!(SET.contains(&name), "{}: {name}", file.display());
            }
            if application == "event" {
                let data = action.attribute("data").unwrap();
                assert!(data.starts_with("Event-Name=CUSTOM,Event-Subclass=sidetone::tell,"), "{data}");
                for (name, value) in data.split(',').skip(2).map(|pair| pair.split_once('=').unwrap()) {
                    sidetone_consent::Telling::parse(name, value).unwrap();
                }
            }
        }
        for name in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            let known = !name.starts_with("SIDETONE_") || VARIABLES.contains(&name);
            assert!(known, "{}: {name}", file.display());
        }
    }
}

#[test]
fn scripts_use_commands_that_there_are() {
    let files = files("lua");
    assert!(!files.is_empty());
    for (file, text) in files {
        let commands = text.split("executeString(\"").skip(1).flat_map(|after| {
            let command = after.split('"').next().unwrap();
            // `bgapi` runs another command.
            command.split_whitespace().filter(|word| !word.starts_with('{')).take(2).collect::<Vec<_>>()
        });
        let commands: Vec<_> = commands.collect();
        assert!(commands.len() >= 3, "{commands:?}");
        for command in commands {
            assert!(COMMANDS.contains(&command), "{}: {command}", file.display());
        }
    }
}

/// Each `transfer` leads to an extension that is there, in the order in which FreeSWITCH looks.
#[test]
fn every_transfer_arrives() {
    let text = std::fs::read_to_string(shipped().join("dialplan/affect.xml")).unwrap();
    let document = roxmltree::Document::parse(&text).unwrap();
    let numbers: Vec<_> = document
        .descendants()
        .filter(|it| it.attribute("field") == Some("destination_number"))
        .map(|it| it.attribute("expression").unwrap().trim_matches(['^', '$', '(', ')']))
        .flat_map(|expression| expression.split('|'))
        .collect();
    let transfers = document.descendants().filter(|it| it.attribute("application") == Some("transfer"));
    let mut count = 0;
    for transfer in transfers {
        let (to, rest) = transfer.attribute("data").unwrap().split_once(' ').unwrap();
        assert_eq!(rest, "XML affect");
        assert!(numbers.contains(&to), "{to} is not among {numbers:?}");
        count += 1;
    }
    assert!(count >= 4);
    let at = |name: &str| text.find(&format!("name=\"{name}\"")).unwrap();
    assert!(at("bot-gives-up") < at("bot-turn") && at("queue-of-the-upset") < at("queue"), "the upset first");
}
