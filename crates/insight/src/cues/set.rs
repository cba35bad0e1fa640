//! All cues of an installation: those that Sidetone brings, and the operator's own.

use std::time::Duration;

use serde::Deserialize;

use super::rule::{Cue, CueFault, Written};
use crate::spelling::did_you_mean;

/// The cues that Sidetone brings.
const DEFAULT: &str = include_str!("default.toml");
/// Most cues of a set.
const MOST: usize = 256;

/// The cues, and how many of them an agent is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct CueSet {
    /// In the order in which they were read.
    pub cues: Vec<Cue>,
    /// The language that agents read, an RFC 5646 tag.
    pub language: String,
    /// Most cues that are shown in a call.
    pub most: u32,
    /// Least time between one cue's being shown and the next one's.
    pub gap: Duration,
    /// The share of calls, `[0, 1)`, whose cues are withheld to learn whether cues help: all but those of rules that
    /// are [always](Cue::always) shown.
    pub holdout: f64,
}

impl Default for CueSet {
    /// No cue; English, six a call, 25 s apart, withheld in no call.
    fn default() -> Self {
        Self {
            cues: Vec::new(),
            language: "en".to_owned(),
            most: 6,
            gap: Duration::from_secs(25),
            holdout: 0.0,
        }
    }
}

/// What is wrong with a file of cues.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CueSetError {
    /// It is no TOML, or has keys that no cue has.
    #[error("line {line}: {message}")]
    Toml {
        /// The line, from 1 on.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// A cue can't be meant.
    #[error("line {line}: cue `{cue}`: {fault}")]
    Cue {
        /// The line of its id, from 1 on.
        line: usize,
        /// Its id.
        cue: String,
        /// What is wrong with it.
        fault: CueFault,
    },
    /// Two cues of one file have the same id.
    #[error("line {line}: there are two cues `{cue}` in this file")]
    Twice {
        /// The line of the second one's id.
        line: usize,
        /// Their id.
        cue: String,
    },
    /// There are too many.
    #[error("there are more than {MOST} cues")]
    TooMany,
    /// A cue to be left out that there isn't.
    #[error("no cue is called `{cue}`; {known}")]
    Unknown {
        /// The id.
        cue: String,
        /// Those that there are.
        known: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    cue: Vec<Written>,
}

impl CueSet {
    /// The cues that Sidetone brings, as a file that operators may copy from.
    pub const DEFAULT: &str = DEFAULT;

    /// The cues that Sidetone brings.
    ///
    /// # Errors
    /// Never; a test holds it to that.
    pub fn shipped() -> Result<Self, CueSetError> {
        let mut set = Self::default();
        set.add(DEFAULT)?;
        Ok(set)
    }

    /// Adds the cues of a TOML file. One that bears the id of an earlier one takes its place.
    ///
    /// # Errors
    /// What is wrong with it, and in which line; nothing is added then.
    pub fn add(&mut self, toml: &str) -> Result<(), CueSetError> {
        let file: File = toml::from_str(toml).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = toml.get(..start).unwrap_or_default().matches('\n').count() + 1;
            CueSetError::Toml { line, message: error.message().to_owned() }
        })?;
        if file.cue.len() > MOST {
            return Err(CueSetError::TooMany);
        }
        let mut cues = self.cues.clone();
        let mut added: Vec<String> = Vec::new();
        for written in file.cue {
            let id = written.id.clone();
            let line = line_of(toml, &id, added.contains(&id));
            if added.contains(&id) {
                return Err(CueSetError::Twice { line, cue: id });
            }
            let cue =
                Cue::try_from(written).map_err(|fault| CueSetError::Cue { line, cue: id.clone(), fault })?;
            match cues.iter_mut().find(|known| known.id == id) {
                Some(known) => *known = cue,
                None => cues.push(cue),
            }
            added.push(id);
        }
        if cues.len() > MOST {
            return Err(CueSetError::TooMany);
        }
        self.cues = cues;
        Ok(())
    }

    /// Leaves cues out.
    ///
    /// # Errors
    /// An id that no cue has.
    pub fn leave_out(&mut self, ids: &[String]) -> Result<(), CueSetError> {
        for id in ids {
            let Some(place) = self.cues.iter().position(|cue| cue.id == *id) else {
                let known = did_you_mean(id, self.cues.iter().map(|cue| cue.id.as_str()));
                return Err(CueSetError::Unknown { cue: id.clone(), known });
            };
            self.cues.remove(place);
        }
        Ok(())
    }

    /// The cue of that id.
    #[must_use]
    pub fn cue(&self, id: &str) -> Option<&Cue> {
        self.cues.iter().find(|cue| cue.id == id)
    }
}

/// The line in which an id is given, the second such line if `again`.
fn line_of(toml: &str, id: &str, again: bool) -> usize {
    let gives = |line: &str| {
        let value = line.trim().strip_prefix("id").map(str::trim_start)?.strip_prefix('=')?;
        let value = value.trim_start().trim_start_matches(['"', '\'']);
        value.strip_prefix(id)?.starts_with(['"', '\'']).then_some(())
    };
    let mut lines = (1..).zip(toml.lines()).filter(|(_, line)| gives(line).is_some()).map(|(at, _)| at);
    lines.nth(usize::from(again)).unwrap_or(1)
}
