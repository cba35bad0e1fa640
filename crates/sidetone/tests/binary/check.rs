//! `sidetone check` says of a configuration what `sidetone run` would do with it.

use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

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

/// `sidetone run` with this file, when it is ready for calls or has ended; and what else it says.
fn started(file: &str) -> (Child, bool, Lines<BufReader<ChildStderr>>) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_sidetone"))
        .args(["run", "--config", file])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
    let ready = lines.by_ref().map_while(Result::ok).any(|line| line.contains("sidetone is ready"));
    (process, ready, lines)
}

/// Whether `sidetone run` gets ready for calls with this file.
fn runs(file: &str) -> bool {
    let (mut process, ready, _) = started(file);
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
            &[
                ":24: ",
                "events.number_salt can't be used",
                "/nowhere/salt",
                "make that file, or mend its path",
            ],
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
        (more("[language]\ncalls = 0\n"), &[":24: ", "language.calls", "must be 1 to 100000"]),
        (more("[language]\nworkers = 20000\n"), &[":24: ", "language.workers", "0 takes one"]),
        (
            more("[[events.webhook]]\nurl = \"ftp://x/\"\nsecret = \"sixteen bytes and more\"\n"),
            &["events.webhook"],
        ),
        (
            more("[[events.webhook]]\nurl = \"https://example.org/\"\nsecret = { file = \"/nowhere\" }\n"),
            &["events.webhook #1 secret", "/nowhere"],
        ),
        (
            more(
                "[[events.webhook]]\nurl = \"https://a.example/\"\nsecret = \"sixteen bytes and more\"\n[[events.webhook]]\nurl = \"https://b.example/\"\nsecret = \"sixteen bytes and more\"\nbatch = 0\n",
            ),
            &[":29: ", "events.webhook #2 batch must be"],
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
    fails_as_run_does(&bad);
}

#[test]
fn check_fails_where_run_could_have_no_socket_or_file() {
    let more = |tables: &str| format!("{GOOD}{tables}");
    let other = |from: &str, to: &str| {
        assert!(GOOD.contains(from), "{from}");
        GOOD.replacen(from, to, 1)
    };
    let bad: Vec<(String, &[&str])> = vec![
        (
            other(
                "listen = \"127.77.0.1:9464\"",
                "listen = \"127.77.0.1:9464\"\ntoken = \"/etc/sidetone/api-token\"",
            ),
            &[":19: ", "http.token is a path", "write { file = "],
        ),
        (
            more("[events]\nnumber_salt = \"/var/lib/sidetone/salt\"\n"),
            &["events.number_salt is a path, which would itself be the secret"],
        ),
        (
            other("[media]", "failover_after = \"0s\"\n[media]"),
            &[":5: ", "sip.failover_after must be at least 500ms"],
        ),
        (more("[limits]\ncalls = 9223372036854775807\n"), &[":24: ", "limits.calls is more than 1000000"]),
        (other("DIR/control.sock", ""), &[":22: ", "control.socket is empty"]),
        (
            other("DIR/control.sock", "/proc/sidetone/control.sock"),
            &[":22: ", "control.socket", "name a place"],
        ),
        (other("DIR/control.sock", "DIR/s.toml/control.sock"), &["control.socket", "name a place"]),
        (more("[consent]\nreceipts = \"/proc/receipts\"\n"), &[":24: ", "consent.receipts"]),
        (more("[events.file]\npath = \"/proc/events.jsonl\"\n"), &[":24: ", "events.file.path"]),
        (
            other("\"udp:127.77.0.1:5060\"", "\"udp:192.0.2.77:5060\""),
            &[":3: ", "sip.listen #1 names 192.0.2.77, and no interface", "write one that it has: 1"],
        ),
        (other("\"tcp:127.77.0.1:5060\"", "\"tcp:192.0.2.77:5060\""), &["sip.listen #2 names 192.0.2.77"]),
        (
            other("listen = \"127.77.0.1:9464\"", "listen = \"[2001:db8::77]:9464\""),
            &[":18: ", "http.listen names 2001:db8::77, and no interface"],
        ),
        (
            other("address = \"127.77.0.1\"", "address = \"192.0.2.77\""),
            &[":6: ", "media.address names 192.0.2.77, and no interface"],
        ),
        (
            other("address = \"127.77.0.1\"", "address_pbx = \"192.0.2.77\""),
            &[":6: ", "media.address_pbx names 192.0.2.77"],
        ),
        (
            other("address = \"127.77.0.1\"", "address = \"0.0.0.0\""),
            &[":6: ", "media.address is 0.0.0.0, the wildcard", "write an address of this machine"],
        ),
        (
            other("address = \"127.77.0.1\"", "address_trunk = \"0.0.0.0\""),
            &["media.address_trunk is 0.0.0.0"],
        ),
        (other("address = \"127.77.0.1\"", "ipv6 = \"::\""), &[":6: ", "media.ipv6 is ::, the wildcard"]),
        (other("address = \"127.77.0.1\"", "ipv6 = \"ff02::1\""), &["media.ipv6 is ff02::1, a multicast"]),
        (other("address = \"127.77.0.1\"", "address = \"224.0.0.1\""), &["is 224.0.0.1, a multicast"]),
        (
            other("address = \"127.77.0.1\"", "address = \"255.255.255.255\""),
            &["is 255.255.255.255, the broadcast address"],
        ),
        (
            other("address = \"127.77.0.1\"", "address = \"127.255.255.255\""),
            &[":6: ", "media.address `127.255.255.255` is a broadcast address here"],
        ),
        (
            other("udp:127.77.0.1", "udp:224.0.0.1"),
            &["sip.listen", "224.0.0.1:5060 is no address of one host"],
        ),
        (other("sip:127.77.0.3", "sip:255.255.255.255"), &["no address of one host"]),
    ];
    fails_as_run_does(&bad);
}

/// Names that can't be looked up, addresses that are none, and one file for two purposes: each breaks every call, or
/// destroys a file, and shows in nothing else.
#[test]
fn check_fails_on_hosts_that_are_none_and_on_files_that_are_two_things() {
    let more = |tables: &str| format!("{GOOD}{tables}");
    let other = |from: &str, to: &str| {
        assert!(GOOD.contains(from), "{from}");
        GOOD.replacen(from, to, 1)
    };
    let link = |table: &str| other("[http]", &format!("[pbx.{table}\n[http]"));
    let list = "[consent]\ndo_not_analyse = \"DIR/list\"\n";
    let events = "[events.file]\npath = \"DIR/one\"\n";
    let salt = "[events]\nnumber_salt = { file = \"DIR/salt\" }\n";
    let bad: Vec<(String, &[&str])> = vec![
        (
            other("sip:127.77.0.3", "sip:127.0.0.266:5060"),
            &[":16: ", "pbx \"asterisk\" hosts #1 to `127.0.0.266` looks like an address and is none"],
        ),
        (other("sip:127.77.0.2", "sip:127.77.0.02"), &[":12: ", "may not begin with 0"]),
        (other("sip:127.77.0.2", "sip:[::1"), &["trunk \"carrier\" hosts #1 to", "in brackets"]),
        (other("sip:127.77.0.2", "sip:127.77.0.2:70000"), &["from 1 to 65535"]),
        (other("sip:127.77.0.2", "sip:127.77.0.2:0"), &["from 1 to 65535"]),
        (other("sip:127.77.0.2", "sip:my_carrier"), &["holds an underscore", "write its address"]),
        (other("edge.example", "edge.example:5060"), &[":4: ", "sip.hostnames #1", "write \"edge.example\""]),
        (other("edge.example", "sip:edge.example"), &["sip.hostnames #1", "write \"edge.example\""]),
        (other("edge.example", ""), &["sip.hostnames #1 is empty"]),
        (other("edge.example", "300.1.1.1"), &["sip.hostnames #1 `300.1.1.1` looks like an address"]),
        (
            link("ami]\naddress = \"tcp://127.77.0.3:5038\"\nusername = \"x\"\nsecret = \"x\""),
            &[":18: ", "pbx \"asterisk\" ami.address begins with tcp://, and is no URL; write HOST:PORT"],
        ),
        (
            link("esl]\naddress = \"127.77.0.3\"\npassword = \"x\""),
            &["pbx \"asterisk\" esl.address names no port; write HOST:PORT"],
        ),
        (
            link("esl]\naddress = \"127.77.0.300:8021\"\npassword = \"x\""),
            &["pbx \"asterisk\" esl.address `127.77.0.300` looks like an address"],
        ),
        (
            link("ari]\nurl = \"127.77.0.3:8088\"\nusername = \"x\"\npassword = \"x\""),
            &["pbx \"asterisk\" ari.url", "write for example http://192.0.2.20:8088/ari"],
        ),
        (
            link("ari]\nurl = \"http://127.77.0.3:80880/ari\"\nusername = \"x\"\npassword = \"x\""),
            &["pbx \"asterisk\" ari.url names no port from 1 to 65535"],
        ),
        (
            more(&format!("{list}{}", events.replace("one", "list"))),
            &[":26: ", "events.file.path DIR/list is the file of consent.do_not_analyse too"],
        ),
        (
            more(&format!("{list}agent_numbers = \"DIR/./list\"\n")),
            &[":25: ", "consent.agent_numbers", "is the file of consent.do_not_analyse too"],
        ),
        (
            more(&format!("{salt}{}", events.replace("one", "linked"))),
            &[":26: ", "events.file.path DIR/linked is the file of events.number_salt too"],
        ),
        (
            other("[media]", "dialog_key = \"DIR/salt\"\n[media]")
                .replace("[health]", "token = { file = \"DIR/salt\" }\n[health]"),
            &["http.token", "is the file of sip.dialog_key too"],
        ),
        (
            more(&events.replace("one", "s.toml")),
            &[":24: ", "events.file.path DIR/s.toml is this configuration itself"],
        ),
        (
            other("[health]", "token = { file = \"DIR/s.toml\" }\n[health]"),
            &["http.token", "is this configuration itself"],
        ),
        (
            more(&format!("[consent]\nreceipts = \"DIR/kept\"\n{}", events.replace("one", "kept/head.json"))),
            &["events.file.path", "lies among the receipts"],
        ),
        (
            more(&format!("{}{}", list.replace("list", "one.1"), events)),
            &[":24: ", "consent.do_not_analyse", "is a name that events.file.path keeps"],
        ),
    ];
    let dir = tempfile::tempdir().unwrap();
    fails_as_run_does_in(dir.path(), &bad, |dir| {
        std::fs::write(dir.join("salt"), "0123456789abcdef").unwrap();
        std::fs::hard_link(dir.join("salt"), dir.join("linked")).unwrap();
        std::fs::create_dir(dir.join("kept")).unwrap();
    });
}

/// What can be meant, but hardly is: it is said, and Sidetone runs.
#[test]
fn check_warns_of_secrets_that_look_like_paths_and_of_an_odd_ari() {
    let dir = tempfile::tempdir().unwrap();
    for (from, to, words) in [
        (
            "[health]",
            "token = \"/secrets/sidetone/api-token\"\n[health]",
            "s.toml:19: warning: http.token looks like a path",
        ),
        (
            "[http]",
            "[pbx.ami]\naddress = \"127.77.0.3:5038\"\nusername = \"x\"\nsecret = \"./ami.secret\"\n[http]",
            "s.toml:20: warning: pbx \"asterisk\" ami.secret looks like a path",
        ),
        (
            "[http]",
            "[pbx.ari]\nurl = \"http://127.77.0.3:8088\"\nusername = \"x\"\npassword = \"x\"\n[http]",
            "s.toml:18: warning: pbx \"asterisk\" ari.url does not end in /ari",
        ),
        (
            "[http]",
            "[pbx.ari]\nurl = \"http://127.77.0.3/ari\"\nusername = \"x\"\npassword = \"x\"\n[http]",
            "s.toml:18: warning: pbx \"asterisk\" ari.url names no port",
        ),
        (
            "[media]",
            "dialog_key = \"0123456789abcdef\"\n[media]",
            "s.toml:5: warning: sip.dialog_key `0123456789abcdef` is taken for a file",
        ),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let file = write(dir.path(), &GOOD.replacen(from, to, 1));
        let said = stdout(&["check", &file]);
        assert!(said.contains(words), "no `{words}` in {said}");
        assert!(!sidetone(&["check", "--strict", &file]).status.success());
    }
}

/// Each of these is refused by both, with these words.
fn fails_as_run_does(bad: &[(String, &[&str])]) {
    let dir = tempfile::tempdir().unwrap();
    fails_as_run_does_in(dir.path(), bad, |_| {});
}

/// The same, each in a folder of its own that has been made ready. `DIR` in the words is that folder.
fn fails_as_run_does_in(dir: &Path, bad: &[(String, &[&str])], ready: impl Fn(&Path)) {
    for (number, (text, words)) in bad.iter().enumerate() {
        let dir = dir.join(number.to_string());
        std::fs::create_dir(&dir).unwrap();
        ready(&dir);
        let file = write(&dir, text);
        let checked = sidetone(&["check", &file]);
        let said = String::from_utf8(checked.stdout).unwrap();
        assert!(!checked.status.success(), "{text}: {said}");
        for words in *words {
            let words = words.replace("DIR", &dir.display().to_string());
            assert!(said.contains(&words), "no `{words}` in {said}");
        }
        assert!(!runs(&file), "{text} was checked as bad and runs");
        if number > 0 {
            continue;
        }
        let json = &sidetone(&["check", "--json", &file]).stdout;
        let json: serde_json::Value = serde_json::from_slice(json).unwrap();
        assert_eq!((&json["runs"], &json["usable"]), (&false.into(), &false.into()), "{json}");
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

/// Calls come first: this one fault does not keep them from being carried, and a start that depends on `check` neither.
#[test]
fn a_model_that_cant_be_loaded_is_an_error_that_check_and_run_survive() {
    let dir = tempfile::tempdir().unwrap();
    for model in ["/nowhere/model", "/dev/zero", "DIR"] {
        let file = write(
            dir.path(),
            &format!("{GOOD}[analysis]\nmodel = \"{model}\"\n").replace("127.77.0", "127.77.1"),
        );
        let said = stdout(&["check", &file]);
        assert!(
            said.contains("s.toml:24: error: analysis.model can't be used: ")
                && said.contains("calls would be carried")
                && said.ends_with("can be run, but not as it is meant\n"),
            "{said}"
        );
        let json = &json_lines(&["check", "--json", &file])[0];
        assert_eq!((&json["runs"], &json["usable"]), (&true.into(), &false.into()), "{json}");
        assert!(!sidetone(&["check", "--strict", &file]).status.success());
        assert!(runs(&file), "{model}");
    }
}

/// What shows only when sockets are bound is said like everything else, and known to `check` where no Sidetone is up
/// that could have them.
#[test]
fn a_socket_that_is_taken_is_named_with_its_line_and_a_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let good = GOOD.replace("127.77.0", "127.77.2");
    let udp = std::net::UdpSocket::bind("127.77.2.1:5060").unwrap();
    let tcp = std::net::TcpListener::bind("127.77.2.1:9464").unwrap();
    let served = std::os::unix::net::UnixListener::bind(dir.path().join("served.sock")).unwrap();
    let file = write(dir.path(), &good);
    let checked = sidetone(&["check", &file]);
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(!checked.status.success(), "{said}");
    for words in [
        "s.toml:3: error: sip.listen #1 `udp:127.77.2.1:5060` is in use already; ",
        "s.toml:18: error: http.listen `127.77.2.1:9464` is in use already; ",
        "or take another port",
    ] {
        assert!(said.contains(words), "{said}");
    }
    assert!(stdout(&["check", "--elsewhere", &file]).ends_with("can be run\n"));
    // The sockets of a Sidetone that is up, as far as `check` can tell: nothing speaks against its configuration.
    let file = write(dir.path(), &good.replace("control.sock", "served.sock"));
    assert!(stdout(&["check", &file]).ends_with("can be run\n"));
    let said = |file: &str| String::from_utf8(sidetone(&["run", "--config", file]).stderr).unwrap();
    assert!(said(&file).contains("s.toml:3: error: sip.listen #1 `udp:127.77.2.1:5060` is in use already; "));
    drop(udp);
    assert!(said(&file).contains("s.toml:18: error: http.listen `127.77.2.1:9464` is in use already; "));
    drop(tcp);
    let said = said(&file);
    assert!(
        said.contains("s.toml:22: error: control.socket ")
            && said.contains("another Sidetone serves it; stop"),
        "{said}"
    );
    drop(served);
}

#[test]
fn a_dialog_key_that_cant_be_had_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("short"), "x").unwrap();
    for path in ["DIR/no/dialog.key", "DIR/short", "DIR"] {
        let file =
            write(dir.path(), &GOOD.replacen("[media]", &format!("dialog_key = \"{path}\"\n[media]"), 1));
        let said = stdout(&["check", &file]);
        assert!(said.contains("s.toml:5: warning: sip.dialog_key ") && said.contains("16 bytes"), "{said}");
    }
    let file = write(dir.path(), &GOOD.replacen("[media]", "dialog_key = \"DIR/dialog.key\"\n[media]", 1));
    assert!(!stdout(&["check", &file]).contains("dialog_key"));
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

/// Callers whose words are recognised are told so: by what comes along, or by the operator, who says that it does.
#[test]
fn an_announcement_that_may_not_speak_of_words_is_warned_of_where_words_are_recognised() {
    let dir = tempfile::tempdir().unwrap();
    let announcements = concat!(env!("CARGO_MANIFEST_DIR"), "/../announce/announcements");
    let own = format!("[announcement.files.notice]\nen = \"{announcements}/pt/notice.opus\"\n");
    let of_words =
        format!("[announcement.files.notice-words]\nen = \"{announcements}/pt/notice-words.opus\"\n");
    let on = "[language]\nenabled = true\n";
    let warns = |tables: &[&str]| {
        let file = write(dir.path(), &format!("{GOOD}{}", tables.concat()));
        stdout(&["check", &file]).contains("announcement.files.notice.en")
    };
    assert!(warns(&[on, &own]));
    assert!(!warns(&[on]) && !warns(&[&own]) && !warns(&[on, &own, &of_words]));
}

/// What `check` refuses a reload refuses too, and nothing of it is in force then.
#[test]
fn reload_takes_what_check_takes_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let good = GOOD.replace("127.77.0", "127.77.3");
    let file = write(dir.path(), &good);
    let (mut process, ready, log) = started(&file);
    assert!(ready);
    let reload = || {
        let output = sidetone(&["reload", "--config", &file]);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.success(), said)
    };
    for (more, words) in [
        (
            "[[consent.rules]]\nqueue = \"x\"\npolicy = \"notice\"\nannouncement = \"notise\"\n",
            &["s.toml:26: error: consent.rules #1 announcement `notise`", "did you mean `notice`?"][..],
        ),
        (
            "[announcement.files.notice]\nen = \"/nowhere.wav\"\n",
            &["s.toml:24: error: announcement.files.notice.en"],
        ),
        ("[events]\nnumber_salt = { file = \"/nowhere/salt\" }\n", &["s.toml:24: error: events.number_salt"]),
        ("[events.file]\npath = \"/proc/events\"\n", &["s.toml:24: error: events.file.path"]),
        ("[log]\nlevel = \"debgu\"\n", &["s.toml:24: error: log.level"]),
    ] {
        let log = if more.starts_with("[log]") { "" } else { "[log]\nlevel = \"debug\"\n" };
        write(dir.path(), &format!("{good}{more}{log}"));
        let (done, said) = reload();
        assert!(!done && said.contains("the old configuration stays in force"), "{said}");
        for words in words {
            assert!(said.contains(words), "no `{words}` in {said}");
        }
    }
    // A recording that is there, which this process has not loaded.
    let wav = dir.path().join("new.wav");
    let mut writer = hound::WavWriter::create(
        &wav,
        hound::WavSpec {
            channels: 1,
            sample_rate: 8_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        },
    )
    .unwrap();
    (0..8_000).for_each(|n| writer.write_sample(if n % 20 < 10 { 3_000_i16 } else { -3_000 }).unwrap());
    writer.finalize().unwrap();
    write(
        dir.path(),
        &format!(
            "{good}[announcement.files.new]\nen = \"DIR/new.wav\"\n[[consent.rules]]\nqueue = \"x\"\npolicy = \"notice\"\nannouncement = \"new\"\n"
        ),
    );
    let (done, told) = reload();
    assert!(!done && told.contains("`new` is no announcement") && told.contains("after a restart"), "{told}");
    write(dir.path(), &format!("{good}[analysis]\nmodel = \"/nowhere\"\n"));
    let (done, told) = reload();
    assert!(done && told.contains("reloaded") && told.contains("analysis.model can't be used"), "{told}");
    process.kill().unwrap();
    process.wait().unwrap();
    let log: Vec<String> = log.map_while(Result::ok).collect();
    assert!(!log.iter().any(|line| line.contains(" DEBUG ")), "{log:#?}");
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
