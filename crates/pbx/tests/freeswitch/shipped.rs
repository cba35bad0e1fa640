//! What is shipped for FreeSWITCH is well-formed, and uses what there is.

use std::path::{Path, PathBuf};

/// Applications of mod_dptools and mod_callcenter, as FreeSWITCH 1.10 names them.
const APPLICATIONS: [&str; 11] = [
    "answer",
    "bridge",
    "callcenter",
    "echo",
    "event",
    "execute_extension",
    "log",
    "playback",
    "set",
    "sleep",
    "transfer",
];
const VARIABLES: [&str; 5] =
    ["SIDETONE_VALENCE", "SIDETONE_AROUSAL", "SIDETONE_STATE", "SIDETONE_ALERT", "SIDETONE_CONSENT"];

/// Variables that FreeSWITCH acts on: of mod_callcenter (`callcenter_function`), and of the core's bridge and transfer.
const SET: [&str; 3] = ["cc_base_score", "force_transfer_context", "hangup_after_bridge"];
/// Commands of mod_commands and mod_lua.
const COMMANDS: [&str; 4] = ["uuid_getvar", "uuid_setvar", "luarun", "originate"];

/// Where the files are.
pub(crate) fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/freeswitch")
}

/// Where the sounds are that both PBXs play.
pub(crate) fn sounds() -> PathBuf {
    shipped().join("../asterisk/sounds")
}

fn text(file: &str) -> String {
    std::fs::read_to_string(shipped().join(file)).unwrap()
}

/// A setting of a file of configuration.
fn param(file: &str, name: &str) -> String {
    let text = text(file);
    let document = roxmltree::Document::parse(&text).unwrap();
    let param =
        document.descendants().find(|it| it.has_tag_name("param") && it.attribute("name") == Some(name));
    param.unwrap_or_else(|| panic!("{file} has no {name}")).attribute("value").unwrap().to_owned()
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
        let commands =
            text.split("executeString(\"").skip(1).map(|after| after.split([' ', '"']).next().unwrap());
        let commands: Vec<_> = commands.collect();
        assert!(commands.len() >= 3, "{commands:?}");
        for command in commands {
            assert!(COMMANDS.contains(&command), "{}: {command}", file.display());
        }
    }
}

/// `fs_cli` runs the last `-x` only; and it must be told of the socket once that listens elsewhere.
#[test]
fn the_commands_of_the_readme_all_run() {
    let readme = text("README.md");
    let blocks = readme.split("```sh\n").skip(1).map(|it| it.split("```").next().unwrap());
    let lines: Vec<&str> = blocks.flat_map(str::lines).filter(|it| it.starts_with("fs_cli")).collect();
    assert!(lines.iter().all(|line| line.matches("-x ").count() == 1), "{lines:?}");
    let at = |command: &str| {
        lines.iter().position(|it| it.contains(command)).unwrap_or_else(|| panic!("{command} is missing"))
    };
    assert!(at("reloadacl") < at("sofia profile sidetone start"), "the profile's list comes first");
    let moved = at("reload mod_event_socket");
    let socket = "autoload_configs/event_socket.conf.xml";
    let (ip, port) = (param(socket, "listen-ip"), param(socket, "listen-port"));
    let told = format!("fs_cli -H {ip} -P {port} -p {} ", param(socket, "password"));
    for (number, line) in lines.iter().enumerate() {
        assert_eq!(line.starts_with(&told), number > moved, "{line}");
    }
    // fs_cli on that machine comes from the address that it connects to.
    let list = param(socket, "apply-inbound-acl");
    let acl = text("autoload_configs/acl.conf.xml");
    let acl = roxmltree::Document::parse(&acl).unwrap();
    let list = acl.descendants().find(|it| it.attribute("name") == Some(&*list)).unwrap();
    assert!(list.children().any(|it| it.attribute("cidr") == Some(&*format!("{ip}/32"))), "{ip} is let in");
    assert!(readme.contains(&format!("address = \"{ip}:{port}\"")));
}

#[test]
fn the_profile_takes_late_offers_and_outlives_no_dead_call() {
    let profile = "sip_profiles/sidetone.xml";
    assert_eq!(param(profile, "enable-3pcc"), "true");
    let example = std::fs::read_to_string(shipped().join("../sidetone.example.toml")).unwrap();
    let media: toml::Value = toml::from_str(&example).unwrap();
    let ours = media["media"]["timeout"].as_str().unwrap().strip_suffix('s').unwrap().parse::<u32>().unwrap();
    for name in ["rtp-timeout-sec", "rtp-hold-timeout-sec"] {
        assert!(
            param(profile, name).parse::<u32>().unwrap() > ours,
            "{name}: Sidetone ends a dead call first"
        );
    }
}

/// A stock installation has no such user.
#[test]
fn the_readme_says_who_has_to_exist() {
    let script = text("scripts/sidetone_supervisor.lua");
    let user = script.split("local supervisor = \"user/").nth(1).unwrap().split('"').next().unwrap();
    assert!(text("README.md").contains(&format!("<user id=\"{user}\">")));
}

/// Each way within a dialplan leads to an extension that is there, in the order in which FreeSWITCH looks.
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
    let leads = |it: &roxmltree::Node<'_, '_>| {
        matches!(it.attribute("application"), Some("transfer" | "execute_extension"))
    };
    let transfers = document.descendants().filter(leads);
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
