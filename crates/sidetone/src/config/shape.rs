//! Faults of parsing: unknown keys, words and types. One mistake hides none of the others: the faulty part is blanked
//! out and the rest parsed again.

use std::collections::HashSet;
use std::path::Path;

use crate::config::{Config, check};
use sidetone_insight::{did_you_mean, nearest};
use toml::de::{DeTable, DeValue};

use super::headers;
use super::place::{self, Site};
use super::{Problem, explained};

/// Most mistakes that are reported for one file; a file with more is no configuration.
const MOST: usize = 50;
/// Keys whose values are never repeated.
const SECRETS: [&str; 6] = ["secret", "old_secret", "password", "token", "number_salt", "file"];

/// Parses a configuration.
///
/// # Errors
/// All parse errors, as far as one mistake can be told from the next.
pub(super) fn read(file: &Path, text: &str) -> Result<Config, Vec<Problem>> {
    // Long: one round for each mistake, each looked for in the same places.
    let mut left = text.to_owned();
    let mut problems = Vec::new();
    let mut blanked: HashSet<String> = HashSet::new();
    while problems.len() < MOST {
        let error = match toml::from_str::<Config>(&left) {
            Ok(config) if problems.is_empty() => return Ok(config),
            Ok(config) => {
                problems.extend(meant(file, &left, &config, &blanked));
                break;
            }
            Err(error) => error,
        };
        let tree = DeTable::parse(&left).ok();
        if tree.is_none() && !problems.is_empty() {
            // Blanking has left no valid TOML: further mistakes show once this one is mended.
            break;
        }
        let at = error.span().map(|span| span.start);
        let site = tree.as_ref().zip(at).and_then(|(tree, at)| place::at(tree, &left, at));
        let (mut key, mut problem) = explain(error.message(), site.as_ref());
        let listed = tree.as_ref().zip(key.as_deref()).and_then(|(tree, key)| listed(tree.get_ref(), key));
        if let Some(table) = listed {
            problem = format!("is a list, where there is one table only; write [{table}], with one bracket");
            key = Some(table);
        }
        if tree.is_none() && error.message() == "duplicate key" {
            key = at.and_then(|at| headers::key_at(&left, at));
        }
        let recovered = tree.is_none().then(|| DeTable::parse_recoverable(&left).0);
        let named = tree.as_ref().or(recovered.as_ref());
        if key.as_ref().is_some_and(|key| blanked.contains(key)) {
            break;
        }
        problems.push(Problem {
            file: file.to_owned(),
            line: at.map(|at| place::line_of(&left, at)),
            key: key.as_ref().map(|key| place::said(named, key)),
            path: key.clone(),
            problem,
            fatal: true,
        });
        let Some((from, to)) = site.as_ref().and_then(|site| site.whole) else {
            // A table: parsed under its probable name, or else skipped, so that it hides no other mistake.
            let Some(path) =
                site.map(|site| site.key).filter(|_| error.message().starts_with("unknown field"))
            else {
                break;
            };
            let meant = word_and_known(error.message(), "unknown field `")
                .and_then(|(unknown, known)| nearest(unknown, known).map(str::to_owned));
            drop((tree, recovered));
            let Some(mended) = headers::read_on(&left, &path, meant.as_deref()) else { break };
            left = mended;
            blanked.insert(path);
            continue;
        };
        drop((tree, recovered));
        let Some(wrong) = left.get(from..to) else { break };
        // Line breaks stay, so that each line keeps its number.
        let ends = "\n".repeat(wrong.matches('\n').count());
        let instead = wrong.split_once('=').and_then(|(name, _)| sample(name.trim()));
        left.replace_range(from..to, &format!("{}{ends}", instead.unwrap_or_default()));
        blanked.extend(key);
        blanked.extend(site.map(|site| site.key));
    }
    problems.sort_by_key(|problem: &Problem| problem.line);
    Err(problems)
}

/// Further faults of a file with an unparsable part, except those caused by leaving that part out.
fn meant(file: &Path, left: &str, config: &Config, blanked: &HashSet<String>) -> Vec<Problem> {
    let within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let names = blanked.iter().any(|key| key.ends_with(".name"));
    let follows = |key: &str| {
        // A table with an unparsable name does not exist for references to it.
        let refers = key.contains(".to.") && !key.contains(".hosts.")
            || key.contains(".overflow.")
            || key.ends_with(".trunk");
        blanked.iter().any(|gone| within(key, gone) || within(gone, key)) || names && refers
    };
    let faults = check(config).into_iter().filter(|fault| fault.fatal && !follows(&fault.key)).collect();
    explained(file, left, faults)
}

/// Tables that occur once.
const SINGLE: [&str; 12] = [
    "sip",
    "media",
    "limits",
    "health",
    "analysis",
    "consent",
    "announcement",
    "events",
    "control",
    "chaos",
    "http",
    "log",
];

/// The table of such a key, if it is written with two brackets.
fn listed(tree: &DeTable<'_>, key: &str) -> Option<String> {
    let table = key.split('.').next().filter(|table| SINGLE.contains(table))?;
    let (_, value) = tree.iter().find(|(name, _)| name.get_ref() == table)?;
    matches!(value.get_ref(), DeValue::Array(_)).then(|| table.to_owned())
}

/// A sample value for a required key, while the rest is parsed.
fn sample(key: &str) -> Option<&'static str> {
    Some(match key {
        "listen" => "listen = [\"udp:127.0.0.1:5060\"]",
        "allow" => "allow = []",
        "to" => "to = \"sip:127.0.0.1\"",
        "name" => "name = \"x\"",
        "path" => "path = \"x\"",
        "url" => "url = \"x\"",
        "secret" => "secret = \"x\"",
        "address" => "address = \"127.0.0.1\"",
        "username" => "username = \"x\"",
        _ => return None,
    })
}

/// The key that an error concerns, and the problem in words for the operator.
fn explain(message: &str, site: Option<&Site>) -> (Option<String>, String) {
    // Long: one case for each way in which the TOML reader words a mistake.
    let message = message.replace('\n', " ");
    let key = site.map(|site| site.key.clone());
    let inside = |name: &str| match &key {
        Some(key) => format!("{key}.{name}"),
        None => name.to_owned(),
    };
    if let Some((unknown, known)) = word_and_known(&message, "unknown field `") {
        let problem = match nearest(unknown, known.iter().copied()) {
            Some(meant) => format!("is no key here; did you mean `{meant}`?"),
            None => format!("is no key here; {}", did_you_mean(unknown, known)),
        };
        return (key.or_else(|| Some(unknown.to_owned())), problem);
    }
    if let Some((unknown, known)) = word_and_known(&message, "unknown variant `") {
        return (key, format!("`{unknown}` is not known; {}", did_you_mean(unknown, known)));
    }
    if let Some(name) = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        return (Some(inside(name)), format!("is missing and has no default; {}", example(name)));
    }
    if message == "duplicate key" {
        return (key, "stands here twice; leave one of them out, or put both into one".to_owned());
    }
    if let Some(rest) = message.strip_prefix("invalid type: ") {
        let (found, wanted) = rest.split_once(", expected ").unwrap_or((rest, "something else"));
        if found.starts_with("map") && wanted == "a sequence" {
            let header = key.as_deref().map(headers::of).unwrap_or_default();
            let problem =
                format!("is one table, where there may be several; write [[{header}]], with two brackets");
            return (key, problem);
        }
        if is_whole(wanted) && found.starts_with("integer") {
            return (key, "is a number beyond all that count here; write a smaller one".to_owned());
        }
        let problem = format!("is {}, where {} belongs", kind(found), belongs(wanted));
        return (key, with_example(site, problem, found));
    }
    if let Some(rest) = message.strip_prefix("invalid value: ") {
        let (found, wanted) = rest.split_once(", expected ").unwrap_or((rest, "something else"));
        let secret =
            key.as_deref().and_then(|key| key.rsplit('.').next()).is_some_and(|it| SECRETS.contains(&it));
        let found = if secret { kind(found).to_owned() } else { found.replace("integer ", "") };
        return (key, format!("is {found}, where {} belongs", belongs(wanted)));
    }
    if let Some(problem) = no_address(&message) {
        return (key, problem.to_owned());
    }
    if site.is_none() {
        // The parser's message for such a word depends on its first letter.
        let bare = ["expected `nan`", "expected `inf`", "string values must be quoted"];
        let message = if bare.iter().any(|said| message.contains(said)) {
            "a word without quotes".to_owned()
        } else {
            message
        };
        let problem = format!(
            "this is no TOML: {message}; a line reads `name = value`, with text in quotes, or `[table]`"
        );
        return (None, problem);
    }
    (key, message)
}

/// Replaces the standard library's messages about addresses.
fn no_address(message: &str) -> Option<&'static str> {
    Some(match message {
        "invalid IPv4 address syntax" => "is no IPv4 address; write for example 192.0.2.10",
        "invalid IPv6 address syntax" => {
            "is no IPv6 address; write for example 2001:db8::10, without brackets"
        }
        "invalid IP address syntax" => "is no address; write for example 192.0.2.10",
        "invalid socket address syntax" => {
            "is not ADDRESS:PORT; write for example 192.0.2.10:53, or [2001:db8::10]:53"
        }
        _ => return None,
    })
}

fn is_whole(wanted: &str) -> bool {
    ["u8", "u16", "u32", "u64", "usize", "i32", "i64"].contains(&wanted)
}

/// The problem, with an example of the key if its form is more than a type.
fn with_example(site: Option<&Site>, problem: String, found: &str) -> String {
    let key = site
        .map(|site| site.key.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.'))
        .unwrap_or_default();
    match key.rsplit('.').next().unwrap_or_default() {
        "hosts" => format!("{problem}; write [{{ to = \"sip:192.0.2.1:5060\" }}]"),
        name if PERIODS.contains(&name) && found.starts_with("integer") => {
            format!("{problem}; a period has its unit: \"4s\"")
        }
        _ => problem,
    }
}

/// Keys whose values are periods.
const PERIODS: [&str; 28] = [
    "failover_after",
    "ring",
    "retry_after",
    "drain",
    "options_interval",
    "timeout",
    "tick",
    "patience",
    "retry_at_most",
    "give_up_after",
    "heartbeat",
    "first",
    "hop",
    "memory",
    "trend_memory",
    "baseline",
    "edge",
    "sustain",
    "sustain_at_first",
    "calm_for",
    "shortest",
    "cooldown",
    "stale",
    "every",
    "settle",
    "overlap",
    "pace_after",
    "pace_memory",
];

/// Splits serde's "unknown field `x`, expected one of `a`, `b`".
fn word_and_known<'m>(message: &'m str, start: &str) -> Option<(&'m str, Vec<&'m str>)> {
    let (unknown, rest) = message.strip_prefix(start)?.split_once('`')?;
    Some((unknown, rest.split('`').skip(1).step_by(2).collect()))
}

/// A type, for people; never the value, which may be a secret.
fn kind(found: &str) -> &'static str {
    match found.split(' ').next().unwrap_or_default() {
        "string" => "text in quotes",
        "integer" => "a whole number",
        "floating" => "a number with a decimal point",
        "boolean" => "true or false",
        "sequence" => "a list",
        "map" => "a table",
        _ => "of another kind",
    }
}

fn belongs(wanted: &str) -> String {
    match wanted {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" => "a whole number from 0 on",
        "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false (without quotes)",
        "a string" | "a borrowed string" | "str" => "text in quotes",
        "a sequence" => "a list in brackets, [\"…\", \"…\"],",
        "path string" => "a path in quotes",
        "a character" => "one character in quotes",
        "a map" => "a table",
        other if other.starts_with("struct") => "a table",
        other => return other.to_owned(),
    }
    .to_owned()
}

/// An example of a required key.
fn example(key: &str) -> &'static str {
    match key {
        "sip" => "write [sip] and under it listen = [\"udp:192.0.2.10:5060\"]",
        "media" => "write [media] and under it address = \"192.0.2.10\"",
        "listen" => "write for example listen = [\"udp:192.0.2.10:5060\"]",
        "name" => "write for example name = \"carrier\"",
        "allow" => "write for example allow = [\"192.0.2.0/24\"]",
        "to" => "write for example to = \"sip:192.0.2.1:5060\"",
        "path" => "write for example path = \"/var/log/sidetone/events.jsonl\"",
        "url" => "write where it is, for example \"https://example.org/sidetone\"",
        "secret" => "write { file = \"PATH\" } of a file that holds it",
        "address" => "write HOST:PORT",
        "username" => "write the user that the PBX knows",
        _ => "deploy/sidetone.example.toml shows it",
    }
}
