//! Reads `sidetone.toml`, and explains its faults so that they can be mended: file, line, key, remedy.

mod check;
mod headers;
mod place;
mod shape;
mod socket;
#[cfg(test)]
mod tests;
mod whole;

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sidetone_insight::nearest;
use sidetone_proxy::config::Fault;
use toml::de::DeTable;
use tracing_subscriber::EnvFilter;

pub(crate) use check::{check, events_fault};
pub(crate) use socket::control_socket;
pub(crate) use whole::{Config, Log, LogFormat};

/// The largest configuration that is read, in bytes.
const LARGEST: u64 = 4 * 1024 * 1024;

/// A fault of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// The file.
    pub(crate) file: PathBuf,
    /// Line, from 1, if the problem has a place.
    pub(crate) line: Option<usize>,
    /// The key in words, `trunk "carrier" hosts #2 to`, if the problem concerns one.
    pub(crate) key: Option<String>,
    /// The key as a path, `trunk.0.hosts.1.to`.
    pub(crate) path: Option<String>,
    /// The problem and the remedy.
    pub(crate) problem: String,
    /// Whether Sidetone can't run with it as intended.
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

/// A configuration that can be run, and its warnings; or all of its faults.
pub(crate) type Loaded<T> = Result<(T, Vec<Problem>), Vec<Problem>>;

/// Reads and checks a file by itself, for commands that need only a part of it.
pub(crate) fn load(file: &Path) -> Loaded<Config> {
    let (config, text) = parse(file)?;
    let mut faults = check(&config);
    faults.extend(level_fault(&config.log.level));
    let problems = explained(file, &text, faults);
    if problems.iter().any(|problem| problem.fatal) { Err(problems) } else { Ok((config, problems)) }
}

/// Locates in the file the faults that showed only when sockets were bound.
pub(crate) fn place(file: &Path, faults: Vec<Fault>) -> Vec<Problem> {
    explained(file, &read(file).unwrap_or_default(), faults)
}

/// Reads a file without checking its values.
pub(crate) fn parse(file: &Path) -> Result<(Config, String), Vec<Problem>> {
    let text = read(file)?;
    Ok((shape::read(file, &text)?, text))
}

fn read(file: &Path) -> Result<String, Vec<Problem>> {
    let read = std::fs::File::open(file).and_then(|opened| {
        let mut text = String::new();
        opened.take(LARGEST + 1).read_to_string(&mut text)?;
        if text.len() as u64 > LARGEST {
            return Err(std::io::Error::other("it is larger than any configuration"));
        }
        Ok(text)
    });
    read.map_err(|error| {
        vec![Problem {
            file: file.to_owned(),
            line: None,
            key: None,
            path: None,
            problem: format!("can't be read: {error}; {}", remedy_for(&error)),
            fatal: true,
        }]
    })
}

/// The remedy for a configuration that can't be read.
fn remedy_for(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound => "an example stands in deploy/sidetone.example.toml",
        ErrorKind::PermissionDenied => "let this user read it, or run the command as a user who may",
        ErrorKind::IsADirectory => "name the file in that folder",
        ErrorKind::InvalidData => "save it as UTF-8",
        _ => "name a file as deploy/sidetone.example.toml is",
    }
}

/// Faults with their places in the file, in the order of its lines.
pub(crate) fn explained(file: &Path, text: &str, faults: Vec<Fault>) -> Vec<Problem> {
    let tree = DeTable::parse(text).ok();
    let mut problems: Vec<Problem> = faults
        .into_iter()
        .map(|fault| Problem {
            file: file.to_owned(),
            line: tree.as_ref().and_then(|tree| place::line(tree, text, &fault.key)),
            key: Some(place::said(tree.as_ref(), &fault.key)),
            path: Some(fault.key),
            problem: fault.problem,
            fatal: fault.fatal,
        })
        .collect();
    problems.sort_by_key(|problem| problem.line);
    problems
}

/// The fault of `log.level`, if any.
pub(crate) fn level_fault(level: &str) -> Option<Fault> {
    let error = log_filter(level).err()?;
    Some(Fault::fatal("log.level", error.to_string()))
}

/// A `log.level` that enables no log target.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LevelError {
    #[error("`{word}` is no level; did you mean `{hint}`? Levels are {}", LEVELS.join(", "))]
    Unknown { word: String, hint: &'static str },
    #[error("`{level}` can't be read ({why}); write for example info")]
    Unreadable { level: String, why: tracing_subscriber::filter::ParseError },
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// The filter that `log.level` means.
///
/// # Errors
/// [`LevelError`]. A bare word that is no level would be taken for the name of a module, and silence all other modules,
/// so it is refused unless it looks like a module of this program's.
pub(crate) fn log_filter(level: &str) -> Result<EnvFilter, LevelError> {
    for word in level.split(',').map(str::trim).filter(|word| !word.contains(['=', '[', ':'])) {
        let number = word.parse::<u8>().is_ok_and(|number| number < 6);
        if number || word.starts_with("sidetone") || LEVELS.contains(&word.to_lowercase().as_str()) {
            continue;
        }
        let hint = nearest(word, LEVELS).unwrap_or("info");
        return Err(LevelError::Unknown { word: word.to_owned(), hint });
    }
    EnvFilter::try_new(level).map_err(|why| LevelError::Unreadable { level: level.to_owned(), why })
}
