//! Reading `sidetone.toml`, and saying what is wrong with it so that it can be mended: file, line, key, remedy.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sidetone_emotion::model::Model;
use sidetone_proxy::config::{Config, Fault, check};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use tracing_subscriber::EnvFilter;

/// Something wrong with a configuration file.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Problem {
    /// The file.
    pub(crate) file: PathBuf,
    /// Line, from 1, if the problem has a place.
    pub(crate) line: Option<usize>,
    /// The key, as `trunk.0.hosts.1.to`, if it concerns one.
    pub(crate) key: Option<String>,
    /// What is wrong and what to do.
    pub(crate) problem: String,
    /// Whether Sidetone can't run with it.
    pub(crate) fatal: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}: ", if self.fatal { "error" } else { "warning" })?;
        if let Some(key) = &self.key {
            write!(f, "{key} ")?;
        }
        f.write_str(&self.problem)
    }
}

/// What reading a file gives: a configuration that can be run, and its warnings; or everything wrong with it.
type Loaded = Result<(Config, Vec<Problem>), Vec<Problem>>;

/// A configuration that can be run, and its warnings; or everything wrong with it.
pub(crate) fn load(file: &Path) -> Loaded {
    parse(file, &read(file)?)
}

/// As [`load`], and tries what only starting would otherwise: the log filter and the model's file.
pub(crate) fn examine(file: &Path) -> Loaded {
    judge(file, &read(file)?, |config| {
        let mut faults = check(config);
        faults.extend(level_fault(&config.log.level));
        faults.extend(config.analysis.model.as_deref().and_then(model_fault));
        faults
    })
}

/// As [`load`], from text.
pub(crate) fn parse(file: &Path, text: &str) -> Loaded {
    judge(file, text, check)
}

/// More of a file is not read, in bytes: a device may have no end at all.
const LONGEST: u64 = 4 * 1024 * 1024;

fn read(file: &Path) -> Result<String, Vec<Problem>> {
    let text = std::fs::File::open(file).and_then(|opened| {
        let mut text = String::new();
        opened.take(LONGEST).read_to_string(&mut text)?;
        Ok(text)
    });
    text.map_err(|error| {
        vec![Problem {
            file: file.to_owned(),
            line: None,
            key: None,
            problem: format!("can't be read: {error}; an example stands in deploy/sidetone.example.toml"),
            fatal: true,
        }]
    })
}

fn level_fault(level: &str) -> Option<Fault> {
    let problem = log_filter(level).err()?;
    Some(Fault { key: "log.level".to_owned(), problem, fatal: true })
}

/// What `log.level` lets through.
///
/// # Errors
/// In words for the operator. A bare word that is no level would be taken for the name of a module, and silence
/// everything else, so it is refused unless it looks like a module of this program's.
pub(crate) fn log_filter(level: &str) -> Result<EnvFilter, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    for word in level.split(',').map(str::trim).filter(|word| !word.contains(['=', '[', ':'])) {
        let number = word.parse::<u8>().is_ok_and(|number| number < 6);
        if number || word.starts_with("sidetone") || LEVELS.contains(&word.to_lowercase().as_str()) {
            continue;
        }
        let hint = likely(&word.to_lowercase(), &LEVELS).unwrap_or("info");
        return Err(format!("`{word}` is no level; did you mean `{hint}`? Levels are {}", LEVELS.join(", ")));
    }
    EnvFilter::try_new(level)
        .map_err(|error| format!("`{level}` can't be read ({error}); write for example info"))
}

fn model_fault(model: &Path) -> Option<Fault> {
    let error = Model::open(model).err()?;
    let problem = format!("can't be loaded: {error}; leave it out for the open weights inside the binary");
    Some(Fault { key: "analysis.model".to_owned(), problem, fatal: true })
}

fn judge(file: &Path, text: &str, check: impl FnOnce(&Config) -> Vec<Fault>) -> Loaded {
    let config: Config = toml::from_str(text).map_err(|error| vec![explain(file, text, &error)])?;
    let tree = DeTable::parse(text).ok();
    let problems: Vec<Problem> = check(&config)
        .into_iter()
        .map(|fault| Problem {
            file: file.to_owned(),
            line: tree.as_ref().and_then(|tree| place(tree, &fault.key)).map(|at| line_of(text, at)),
            key: Some(fault.key),
            problem: fault.problem,
            fatal: fault.fatal,
        })
        .collect();
    if problems.iter().any(|problem| problem.fatal) { Err(problems) } else { Ok((config, problems)) }
}

fn explain(file: &Path, text: &str, error: &toml::de::Error) -> Problem {
    let message = error.message().replace('\n', " ");
    let mut problem = message.clone();
    let mut key = None;
    if let Some((unknown, known)) = unknown_key(&message) {
        problem = match likely(unknown, &known) {
            Some(meant) => format!("is no key here; did you mean `{meant}`?"),
            None => format!("is no key here; known are {}", known.join(", ")),
        };
        key = Some(unknown.to_owned());
    }
    let line = error.span().map(|span| line_of(text, span.start));
    Problem { file: file.to_owned(), line, key, problem, fatal: true }
}

/// Takes serde's "unknown field `x`, expected one of `a`, `b`" apart.
fn unknown_key(message: &str) -> Option<(&str, Vec<&str>)> {
    let rest = message.strip_prefix("unknown field `")?;
    let (unknown, rest) = rest.split_once('`')?;
    Some((unknown, rest.split('`').skip(1).step_by(2).collect()))
}

fn likely<'a>(unknown: &str, known: &[&'a str]) -> Option<&'a str> {
    let (distance, best) = known.iter().map(|key| (edits(unknown, key), *key)).min()?;
    (distance <= 1 + best.len() / 3).then_some(best)
}

/// Levenshtein's distance.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let next = (*cell + 1).min(left + 1).min(diagonal + usize::from(x != y));
            diagonal = std::mem::replace(cell, next);
            left = next;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// Where a key stands, or the nearest table around it.
fn place(tree: &Spanned<DeTable<'_>>, key: &str) -> Option<usize> {
    let mut found = None;
    let mut parts = key.split('.');
    let first = parts.next()?;
    let (name, mut value) = tree.get_ref().iter().find(|(name, _)| name.get_ref() == first)?;
    found = found.or(Some(name.span().start));
    for part in parts {
        let next = match value.get_ref() {
            DeValue::Table(table) => table
                .iter()
                .find(|(name, _)| name.get_ref() == part)
                .map(|(name, value)| (name.span().start, value)),
            DeValue::Array(list) => part
                .parse::<usize>()
                .ok()
                .and_then(|index| list.get(index))
                .map(|value| (value.span().start, value)),
            _ => None,
        };
        let Some((at, inner)) = next else { break };
        found = Some(at);
        value = inner;
    }
    found
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        match parse(Path::new("s.toml"), text) {
            Ok((_, warnings)) => warnings,
            Err(problems) => problems,
        }
        .iter()
        .map(ToString::to_string)
        .collect()
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
    fn an_unknown_key_is_named_with_its_line_and_the_likely_one() {
        let text = GOOD.replace("disclosure", "disclosur");
        assert_eq!(
            problems(&text),
            ["s.toml:8: error: disclosur is no key here; did you mean `disclosure`?"]
        );
    }

    #[test]
    fn a_wrong_value_is_named_with_its_line() {
        let text = GOOD.replace("sip:192.0.2.2", "192.0.2.2");
        let problems = problems(&text);
        assert!(
            problems[0].starts_with("s.toml:13: error: pbx.0.hosts.0.to `192.0.2.2` is no SIP URI"),
            "{problems:?}"
        );
        let text = GOOD.replace("udp:127", "sctp:127");
        let problems = self::problems(&text);
        assert!(
            problems[0].starts_with("s.toml:3: error: ") && problems[0].contains("`sctp`"),
            "{problems:?}"
        );
    }

    #[test]
    fn a_file_that_is_no_toml_says_where() {
        assert!(problems("[sip\n")[0].starts_with("s.toml:1: error: "));
    }

    #[test]
    fn the_shipped_example_can_be_run_and_states_every_default_truly() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/sidetone.example.toml");
        let (example, warnings) = load(&path).unwrap_or_else(|problems| panic!("{}", problems[0]));
        assert!(warnings.is_empty(), "{}", warnings[0]);
        // What the example writes out must be what leaving it out means.
        let (bare, _) = parse(Path::new("s.toml"), GOOD).unwrap();
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
    }

    #[test]
    fn an_examination_finds_what_only_starting_would() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s.toml");
        let tables = "[log]\nlevel = \"info,x=loud\"\n[analysis]\nmodel = \"/nonexistent/model\"\n";
        std::fs::write(&file, format!("{GOOD}{tables}")).unwrap();
        let said: Vec<String> = examine(&file).unwrap_err().iter().map(ToString::to_string).collect();
        assert!(said[0].contains("s.toml:15: error: log.level `info,x=loud`"), "{said:?}");
        assert!(said[1].contains("s.toml:17: error: analysis.model can't be loaded"), "{said:?}");
        assert!(load(&file).is_ok(), "what a client of the control socket needs can be read nevertheless");
    }

    #[test]
    fn likely_keys_are_close_ones() {
        assert_eq!(likely("lisen", &["listen", "hostnames"]), Some("listen"));
        assert_eq!(likely("colour", &["listen", "hostnames"]), None);
    }
}

#[cfg(test)]
mod properties {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &str = include_str!("../../../deploy/sidetone.example.toml");

    proptest! {
        /// Whatever a file holds, it is read or explained.
        #[test]
        fn no_text_is_too_much(text in "\\PC{0,400}") {
            let _ = parse(Path::new("s.toml"), &text);
        }

        /// Damage to a good file is explained with a place that is in the file.
        #[test]
        fn damage_is_explained(at in 0..EXAMPLE.len(), with in "[ -~\\n]{0,8}", cut in 0_usize..40) {
            let end = (at + cut).min(EXAMPLE.len());
            let (Some(before), Some(after)) = (EXAMPLE.get(..at), EXAMPLE.get(end..)) else { return Ok(()) };
            let text = format!("{before}{with}{after}");
            if let Err(problems) = parse(Path::new("s.toml"), &text) {
                prop_assert!(!problems.is_empty());
                for problem in problems {
                    prop_assert!(problem.line.unwrap_or(1) <= text.lines().count() + 1);
                }
            }
        }
    }

    #[test]
    fn a_misspelt_level_is_refused_with_the_likely_one() {
        let said = log_filter("inof").unwrap_err();
        assert!(said.contains("`inof` is no level; did you mean `info`?"), "{said}");
        assert!(log_filter("info,hyper").unwrap_err().contains("`hyper` is no level"));
        for good in
            ["info", "WARN", "off", "3", "warn,sidetone_proxy=debug", "sidetone_sip", "info,x::y=trace"]
        {
            assert!(log_filter(good).is_ok(), "{good}");
        }
    }
}
