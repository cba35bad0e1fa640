//! Tables of examples: what is so in a call, and which cue that is to show.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::coach::{Coach, CueTold};
use super::condition::{Condition, NotACondition};
use super::measure::{Aspect, Measure};
use super::set::CueSet;
use super::situation::Moment;
use crate::period::Period;
use crate::spelling::did_you_mean;

/// How often the coach looks at an example, as at a call.
const STEP: Duration = Duration::from_millis(500);

/// One example: `is` holds `for` so long, and then this cue is shown, or none.
#[derive(Debug, Clone)]
pub struct Example {
    /// What it is about.
    pub name: String,
    /// The cue that is to be shown; `None` if none is.
    pub shows: Option<String>,
    moment: Moment,
    lasting: Duration,
}

/// What is wrong with a file of examples.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExampleError {
    /// It is no TOML, or has keys that no example has.
    #[error("line {line}: {message}")]
    Toml {
        /// The line, from 1 on.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// A value can't be one.
    #[error("example `{example}`: {fault}")]
    Value {
        /// Its name.
        example: String,
        /// What is wrong with it.
        fault: NotACondition,
    },
    /// It is to show a cue that there isn't.
    #[error("example `{example}` is to show `{cue}`; {known}")]
    Unknown {
        /// Its name.
        example: String,
        /// The cue's id.
        cue: String,
        /// Those that there are.
        known: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    example: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    is: BTreeMap<String, String>,
    #[serde(default = "a_while", rename = "for")]
    lasting: Period,
    shows: Option<String>,
    #[serde(default)]
    agent_talks: bool,
}

const fn a_while() -> Period {
    Period::from_secs(10)
}

impl Example {
    /// The examples of a TOML file, for these cues.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn read(toml: &str, set: &CueSet) -> Result<Vec<Self>, ExampleError> {
        let file: File = toml::from_str(toml).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = toml.get(..start).unwrap_or_default().matches('\n').count() + 1;
            ExampleError::Toml { line, message: error.message().to_owned() }
        })?;
        file.example.into_iter().map(|written| Self::of(written, set)).collect()
    }

    fn of(written: Written, set: &CueSet) -> Result<Self, ExampleError> {
        let Written { name, is, lasting, shows, agent_talks } = written;
        if let Some(cue) = shows.as_ref().filter(|cue| set.cue(cue).is_none()) {
            let known = did_you_mean(cue, set.cues.iter().map(|cue| cue.id.as_str()));
            return Err(ExampleError::Unknown { example: name, cue: cue.clone(), known });
        }
        let mut moment = Moment::default().talking(agent_talks);
        for (what, value) in &is {
            // The value is read as a condition's is, so that both are written alike.
            let sign = if Aspect::parse(what).is_some() { "=" } else { ">" };
            let fault = |fault| ExampleError::Value { example: name.clone(), fault };
            moment = match format!("{what} {sign} {value}").parse::<Condition>().map_err(fault)? {
                Condition::Above(measure, value) | Condition::Below(measure, value) => {
                    moment.with(measure, value)
                }
                Condition::Is(aspect, words) | Condition::IsNot(aspect, words) => {
                    moment.with_word(aspect, words.first().map_or("", String::as_str))
                }
            };
        }
        // An example tells what matters; a call has begun, unless it says otherwise.
        if moment.value(Measure::Call).is_none() {
            moment = moment.with(Measure::Call, 60.0);
        }
        Ok(Self { name, shows, moment, lasting: lasting.into() })
    }

    /// The cue that is shown.
    #[must_use]
    pub fn shown(&self, set: &Arc<CueSet>) -> Option<String> {
        let mut coach = Coach::new(Arc::clone(set));
        let mut now = Duration::ZERO;
        while now <= self.lasting {
            let told = coach.step(now, &self.moment);
            if let Some(cue) = told.into_iter().find_map(|told| match told {
                CueTold::Shown(cue) => Some(cue.cue),
                CueTold::Withheld(_) | CueTold::Cleared(_) | CueTold::Judged(_) => None,
            }) {
                return Some(cue);
            }
            now += STEP;
        }
        None
    }
}
