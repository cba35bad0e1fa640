//! Faulty files, and the messages about them.

use std::path::Path;

use super::*;

/// As [`load`], from text.
fn parse(text: &str) -> Loaded<Config> {
    let file = Path::new("s.toml");
    let config = shape::read(file, text)?;
    let problems = explained(file, text, check(&config));
    if problems.iter().any(|problem| problem.fatal) { Err(problems) } else { Ok((config, problems)) }
}

fn problems(text: &str) -> Vec<String> {
    let problems = parse(text).map_or_else(|problems| problems, |(_, warnings)| warnings);
    problems.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn only_problem(text: &str) -> String {
    let mut problems = problems(text);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.remove(0)
}

const GOOD: &str = r#"
[sip]
listen = ["udp:127.0.0.1:5060"]
[media]
[[trunk]]
name = "carrier"
allow = ["192.0.2.1"]
disclosure = "given-upstream"
hosts = [{ to = "sip:192.0.2.1" }]
[[pbx]]
name = "asterisk"
allow = ["192.0.2.2"]
hosts = [{ to = "sip:192.0.2.2" }]
"#;

#[test]
fn a_good_file_has_no_problems() {
    assert_eq!(problems(GOOD), Vec::<String>::new());
}

#[test]
fn an_agent_has_one_team() {
    let teams = |text: &str| format!("{GOOD}[teams]\n{text}");
    let good = teams("billing = [\"2001\", \"2002\"]\n\"night shift\" = [\"2003\"]\n");
    assert_eq!(problems(&good), Vec::<String>::new());
    let twice = teams("billing = [\"2001\"]\nsales = [\"2002\", \"2001\"]\n");
    let said = only_problem(&twice);
    assert!(said.contains("an agent of `sales` is named in `billing` too"), "{said}");
    let said = only_problem(&teams("billing = [\"\"]\n"));
    assert!(said.contains("1 to 64 printable characters"), "{said}");
}

#[test]
fn keys_in_sdp_that_all_can_read_are_warned_of() {
    let with = |security: &str| GOOD.replace("[media]", &format!("[media]\n[media.security]\n{security}"));
    let said = only_problem(&with("trunk = \"terminate\""));
    assert!(said.contains("media.security.trunk") && said.contains("s.toml:6"), "{said}");
    assert!(said.contains("`sip:192.0.2.1`") && said.contains("keying_trunk = \"dtls\""), "{said}");
    let said = only_problem(&with("pbx = \"require\""));
    assert!(said.contains("media.security.pbx") && said.contains("`sip:192.0.2.2`"), "{said}");
    for quiet in ["trunk = \"plain\"", "trunk = \"terminate\"\nkeying_trunk = \"dtls\""] {
        assert_eq!(problems(&with(quiet)), Vec::<String>::new(), "{quiet}");
    }
}

#[test]
fn an_unknown_key_is_named_with_its_line_its_peer_and_the_likely_one() {
    let text = GOOD.replace("disclosure", "disclosur");
    assert_eq!(
        only_problem(&text),
        "s.toml:8: error: trunk \"carrier\" disclosur is no key here; did you mean `disclosure`?"
    );
}

#[test]
fn an_unknown_word_is_answered_with_the_likely_one() {
    for (from, to, said) in [
        (
            "\"given-upstream\"",
            "\"given-upstram\"",
            "s.toml:8: error: trunk \"carrier\" disclosure `given-upstram` is not known; did you mean `given-upstream`?",
        ),
        (
            "[media]",
            "[media]\nlatching = \"signaled\"",
            "s.toml:5: error: media.latching `signaled` is not known; did you mean `signalled`?",
        ),
        (
            "hosts = [{ to = \"sip:192.0.2.2\" }]",
            "hosts = [{ to = \"sip:192.0.2.2\" }]\nto = [\"carier\"]",
            "s.toml:14: error: pbx \"asterisk\" to #1 `carier` is no peer on the other side; did you mean `carrier`?",
        ),
        (
            "[media]",
            "[events.file]\npath = \"/tmp/e\"\nkinds = [\"affect.alerts\"]\n[media]",
            "s.toml:6: error: events.file.kinds #1 `affect.alerts` is not known; did you mean `affect.alert`?",
        ),
        (
            "[media]",
            "[[consent.rules]]\ntrunk = \"carier\"\npolicy = \"never\"\n[media]",
            "s.toml:5: error: consent.rules #1 trunk `carier` is no trunk; did you mean `carrier`?",
        ),
    ] {
        let told = only_problem(&GOOD.replacen(from, to, 1));
        assert!(told.starts_with(said), "{told}");
    }
}

#[test]
fn a_wrong_value_is_named_with_its_line() {
    let told = only_problem(&GOOD.replace("sip:192.0.2.2", "192.0.2.2"));
    assert!(
        told.starts_with("s.toml:13: error: pbx \"asterisk\" hosts #1 to `192.0.2.2` is no SIP URI"),
        "{told}"
    );
    let told = only_problem(&GOOD.replace("udp:127", "sctp:127"));
    assert!(told.starts_with("s.toml:3: error: sip.listen ") && told.contains("`sctp`"), "{told}");
}

#[test]
fn a_value_of_another_kind_is_told_without_being_repeated() {
    let told = only_problem(&GOOD.replace("[media]", "[http]\ntoken = 4711\n[media]"));
    assert!(told.starts_with("s.toml:5: error: http.token is a whole number, where "), "{told}");
    assert!(!told.contains("4711"), "{told}");
    let told = only_problem(&GOOD.replace("[media]", "udp_limit = \"1300\"\n[media]"));
    assert_eq!(
        told,
        "s.toml:4: error: sip.udp_limit is text in quotes, where a whole number from 0 on belongs"
    );
}

#[test]
fn a_missing_key_is_named_with_its_peer_and_an_example() {
    let told = only_problem(&GOOD.replace("allow = [\"192.0.2.2\"]\n", ""));
    assert!(told.starts_with("s.toml:10: error: pbx"), "{told}");
    assert!(
        told.ends_with("allow is missing and has no default; write for example allow = [\"192.0.2.0/24\"]"),
        "{told}"
    );
}

#[test]
fn one_mistake_hides_none_of_the_others() {
    let text = GOOD
        .replace("disclosure", "disclosur")
        .replace("udp:127", "sctp:127")
        .replace("name = \"asterisk\"", "name = \"asterisk\"\nrewrite_uri = \"yes\"");
    let said = problems(&text);
    assert_eq!(said.len(), 3, "{said:#?}");
    for (line, key) in [(":3:", "sip.listen"), (":8:", "disclosur"), (":12:", "rewrite_uri")] {
        assert!(said.iter().any(|said| said.contains(line) && said.contains(key)), "{said:#?}");
    }
}

#[test]
fn a_table_with_a_wrong_name_hides_no_mistake_in_it_or_elsewhere() {
    let text = GOOD
        .replace("[media]", "[medai]\nlatching = \"signaled\"\n[alanysis]\nworker = 1")
        .replace("[[trunk]]", "[[trunks]]")
        .replace("disclosure", "disclosur")
        .replace("udp:127", "sctp:127");
    let said = problems(&text);
    for words in [
        "s.toml:4: error: medai is no key here; did you mean `media`?",
        "s.toml:5: error: media.latching `signaled` is not known; did you mean `signalled`?",
        "s.toml:6: error: alanysis is no key here; did you mean `analysis`?",
        "s.toml:7: error: analysis.worker is no key here; did you mean `workers`?",
        "s.toml:8: error: trunks is no key here; did you mean `trunk`?",
        "disclosur is no key here; did you mean `disclosure`?",
        "s.toml:3: error: sip.listen ",
    ] {
        assert!(said.iter().any(|said| said.contains(words)), "no `{words}` in {said:#?}");
    }
    assert_eq!(said.len(), 7, "{said:#?}");
}

/// Valid values are checked though others can't be parsed, except where they depend on those.
#[test]
fn a_value_that_cant_be_read_hides_none_that_cant_be_meant() {
    let text = GOOD
        .replace("disclosure", "disclosur")
        .replace("sip:192.0.2.2", "192.0.2.2")
        .replace("[media]", "[limits]\ncalls = 0\n[media]");
    let said = problems(&text);
    assert_eq!(said.len(), 3, "{said:#?}");
    for (line, key) in [(":5:", "limits.calls is 0"), (":10:", "disclosur"), (":15:", "is no SIP URI")] {
        assert!(said.iter().any(|said| said.contains(line) && said.contains(key)), "{said:#?}");
    }
    let told = only_problem(
        &GOOD.replace("name = \"carrier\"", "name = 7").replace("[[pbx]]", "[[pbx]]\nto = [\"carrier\"]"),
    );
    assert!(told.contains("s.toml:6: error: ") && told.contains("name is a whole number"), "{told}");
}

#[test]
fn what_is_of_another_shape_is_told_with_how_to_write_it() {
    let list = "[[events.webhook]]\nurl = \"https://a.example/\"\nsecret = \"sixteen bytes and more\"\n";
    for (from, to, words) in [
        (
            "[media]",
            "[media]\naddress = \"192.0.2\"",
            "media.address is no IPv4 address; write for example 192.0.2.10",
        ),
        (
            "[media]",
            "[media]\nipv6 = \"[::1]\"",
            "media.ipv6 is no IPv6 address; write for example 2001:db8::10",
        ),
        (
            "[media]",
            "nameservers = [\"192.0.2.53\"]\n[media]",
            "sip.nameservers #1 is not ADDRESS:PORT; write for example",
        ),
        (
            "[media]",
            "failover_after = 4\n[media]",
            "sip.failover_after is a whole number, where text in quotes belongs; a period has its unit",
        ),
        (
            "[media]",
            "udp_limit = 99999999999999999999\n[media]",
            "sip.udp_limit is a number beyond all that count here",
        ),
        (
            "[media]",
            "udp_limit = 1.5\n[media]",
            "sip.udp_limit is a number with a decimal point, where a whole number",
        ),
        ("[media]", "dialog_key = 7\n[media]", "where a path in quotes belongs"),
        (
            "[{ to = \"sip:192.0.2.2\" }]",
            "[\"sip:192.0.2.2\"]",
            "where a table belongs; write [{ to = \"sip:192.0.2.1:5060\" }]",
        ),
        ("\"given-upstream\"", "given-upstream", "a word without quotes"),
        (
            "[media]",
            &format!("{list}{list}batch = 0\n[media]"),
            "s.toml:10: error: events.webhook #2 batch must be 1 to 1000",
        ),
    ] {
        let said = problems(&GOOD.replacen(from, to, 1));
        assert!(said.iter().any(|said| said.contains(words)), "no `{words}` in {said:#?}");
    }
}

#[test]
fn one_bracket_where_two_belong_is_told_as_that() {
    for (from, to, words) in [
        (
            "[[trunk]]",
            "[trunk]",
            "s.toml:5: error: trunk is one table, where there may be several; write [[trunk]]",
        ),
        (
            "[media]",
            "[consent.rules]\npolicy = \"never\"\n[media]",
            "write [[consent.rules]], with two brackets",
        ),
        (
            "[media]",
            "[[media]]",
            "media is a list, where there is one table only; write [media], with one bracket",
        ),
    ] {
        let said = problems(&GOOD.replacen(from, to, 1));
        assert!(said.iter().any(|said| said.contains(words)), "{said:#?}");
    }
}

#[test]
fn a_file_that_is_no_toml_says_where() {
    let told = only_problem("[sip\n");
    assert!(told.starts_with("s.toml:1: error: this is no TOML: "), "{told}");
    let told = only_problem(&GOOD.replacen("name = ", "name = \"x\"\nname = ", 1));
    assert!(
        told.starts_with("s.toml:7: error: trunk ") && told.contains(" name stands here twice; leave"),
        "{told}"
    );
}

#[test]
fn the_shipped_example_can_be_run_and_states_every_default_truly() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/sidetone.example.toml");
    let (example, warnings) = load(&path).unwrap_or_else(|problems| panic!("{}", problems[0]));
    assert!(warnings.is_empty(), "{}", warnings[0]);
    // The example's values must be the defaults.
    let (bare, _) = parse(GOOD).unwrap();
    assert_eq!(example.analysis.thresholds, bare.analysis.thresholds);
    assert_eq!(example.events, bare.events);
    let tables = |config: &Config| {
        serde_json::json!([
            config.limits,
            config.health,
            config.http,
            config.log,
            config.control,
            config.consent,
            config.announcement,
        ])
    };
    assert_eq!(tables(&example), tables(&bare));
}

#[test]
fn a_missing_file_points_to_the_example() {
    let problems = load(Path::new("/nonexistent/s.toml")).unwrap_err();
    assert!(problems[0].to_string().contains("sidetone.example.toml"));
    let told = load(Path::new("/")).unwrap_err()[0].to_string();
    assert!(told.ends_with("name the file in that folder") && !told.contains("example"), "{told}");
}

#[test]
fn the_control_socket_is_found_in_a_file_that_is_wrong_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.toml");
    let socket = |text: &str| {
        std::fs::write(&file, text).unwrap();
        control_socket(&file).unwrap()
    };
    let control = "[control]\nsocket = \"/run/here.sock\"\n";
    let (found, problems) = socket(&format!("{GOOD}{control}"));
    assert_eq!((found.to_str(), problems.len()), (Some("/run/here.sock"), 0));
    for wrong in ["[sipp]\n", "[media\n", "x = \"\n", "[[trunk]]\nname = 1\n"] {
        for text in [format!("{wrong}{GOOD}{control}"), format!("{GOOD}{control}{wrong}")] {
            let (found, problems) = socket(&text);
            assert_eq!(found.to_str(), Some("/run/here.sock"), "{text}");
            assert!(!problems.is_empty(), "{text}");
        }
    }
    let (found, _) = socket("[control]\nsocket = 7\n");
    assert_eq!(found, sidetone_serve::config::Control::default().socket);
    assert!(control_socket(&folder.path().join("none")).is_err());
}

#[test]
fn a_misspelt_level_is_refused_with_the_likely_one() {
    let said = log_filter("inof").unwrap_err().to_string();
    assert!(said.contains("`inof` is no level; did you mean `info`?"), "{said}");
    assert!(log_filter("warning").unwrap_err().to_string().contains("did you mean `warn`?"));
    assert!(log_filter("info,hyper").unwrap_err().to_string().contains("`hyper` is no level"));
    for good in ["info", "WARN", "off", "3", "warn,sidetone_proxy=debug", "sidetone_sip", "info,x::y=trace"] {
        assert!(log_filter(good).is_ok(), "{good}");
    }
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &str = include_str!("../../../../deploy/sidetone.example.toml");

    proptest! {
        /// Any file is either accepted or explained.
        #[test]
        fn no_text_is_too_much(text in "\\PC{0,400}") {
            let _ = parse(&text);
        }

        /// Damage to a good file is explained with a place that is in the file.
        #[test]
        fn damage_is_explained(at in 0..EXAMPLE.len(), with in "[ -~\\n]{0,8}", cut in 0_usize..40) {
            let end = (at + cut).min(EXAMPLE.len());
            let (Some(before), Some(after)) = (EXAMPLE.get(..at), EXAMPLE.get(end..)) else { return Ok(()) };
            let text = format!("{before}{with}{after}");
            if let Err(problems) = parse(&text) {
                prop_assert!(!problems.is_empty());
                for problem in problems {
                    prop_assert!(problem.line.unwrap_or(1) <= text.lines().count() + 1);
                }
            }
        }
    }
}
