//! One cue: when it is shown, and what it says.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::condition::{Condition, NotACondition};
use super::measure::Measure;
use super::situation::Moment;
use crate::period::Period;
use crate::spelling::did_you_mean;

/// The longest id.
const LONGEST_ID: usize = 48;
/// The longest line, in characters: it is read while listening to somebody.
const LONGEST_LINE: usize = 140;
/// The longest reason and source, in characters.
const LONGEST_REASON: usize = 500;
/// Most conditions of a kind.
const MOST_CONDITIONS: usize = 16;
/// The highest priority.
pub const HIGHEST: u16 = 1_000;

/// A cue. [`CueSet::add`](super::CueSet::add) reads it from TOML, and takes a valid one only.
#[derive(Debug, Clone, PartialEq)]
pub struct Cue {
    /// By which events, figures and the configuration name it.
    pub id: String,
    /// Whether it is ever shown.
    pub enabled: bool,
    /// Of two that could be shown, the higher one is; 0 to [`HIGHEST`].
    pub priority: u16,
    /// All of these hold,
    pub when: Vec<Condition>,
    /// and at least one of these, if there are any,
    pub any: Vec<Condition>,
    /// and none of these,
    pub unless: Vec<Condition>,
    /// for so long without a break.
    pub lasting: Duration,
    /// It is cleared after so long at the latest.
    pub show: Duration,
    /// It is not shown again for so long after it was cleared.
    pub cooldown: Duration,
    /// It is shown once in a call at most.
    pub once: bool,
    /// It may begin to be shown while the agent talks.
    pub while_agent_talks: bool,
    /// It is shown in calls whose cues are withheld too: to be without it would cost the customer too much.
    pub always: bool,
    /// Its line in each language.
    pub line: BTreeMap<String, Line>,
    /// Why it helps, in each language.
    pub reason: BTreeMap<String, String>,
    /// Where the rule comes from.
    pub source: Option<String>,
}

impl Cue {
    /// Whether its conditions hold.
    #[must_use]
    pub fn holds(&self, moment: &Moment) -> bool {
        self.when.iter().all(|condition| condition.holds(moment))
            && (self.any.is_empty() || self.any.iter().any(|condition| condition.holds(moment)))
            && !self.unless.iter().any(|condition| condition.holds(moment))
    }

    /// The conditions that call for it and hold.
    pub fn causes<'a>(&'a self, moment: &'a Moment) -> impl Iterator<Item = &'a Condition> {
        self.when.iter().chain(&self.any).filter(|condition| condition.holds(moment))
    }

    /// Whether what the agent does still fulfils it; `None` of a cue that is not about that, or if it isn't known.
    #[must_use]
    pub fn still_called_for(&self, moment: &Moment) -> Option<bool> {
        let conduct = |condition: &&Condition| condition.measure().is_some_and(Measure::is_conduct);
        let about: Vec<&Condition> = self.when.iter().filter(conduct).collect();
        let known = |condition: &&Condition| condition.measure().is_some_and(|it| moment.value(it).is_some());
        (!about.is_empty() && about.iter().all(known))
            .then(|| about.iter().all(|condition| condition.holds(moment)))
    }

    /// The line and the reason in a language, or its base, or English, or any.
    #[must_use]
    pub fn in_language(&self, language: &str) -> Option<(&str, &Line, Option<&str>)> {
        let base = language.split('-').next().unwrap_or(language);
        let found = [language, base, "en"].into_iter().find_map(|tag| self.line.get_key_value(tag));
        let (tag, line) = found.or_else(|| self.line.first_key_value())?;
        Some((tag, line, self.reason.get(tag).map(String::as_str)))
    }
}

/// A line with places for measured values: `{agent_pace} words a minute`.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Text, and the measure that follows it.
    parts: Vec<(String, Option<Measure>)>,
}

impl Line {
    /// The line with the values of a moment; `…` for what isn't known.
    #[must_use]
    pub fn filled(&self, moment: &Moment) -> String {
        let mut text = String::new();
        for (before, measure) in &self.parts {
            text.push_str(before);
            if let Some(measure) = measure {
                let value = moment.value(*measure).map(|value| measure.shown(value));
                text.push_str(value.as_deref().unwrap_or("…"));
            }
        }
        text
    }

    /// Whether every value is known that the line has a place for.
    #[must_use]
    pub fn is_known(&self, moment: &Moment) -> bool {
        self.parts.iter().all(|(_, measure)| measure.is_none_or(|measure| moment.value(measure).is_some()))
    }

    fn parse(text: &str) -> Result<Self, CueFault> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after
                .split_once('}')
                .ok_or_else(|| CueFault::Place { name: after.to_owned(), known: String::new() })?;
            let measure = Measure::parse(name).ok_or_else(|| CueFault::Place {
                name: name.to_owned(),
                known: did_you_mean(name, Measure::ALL.iter().map(|it| it.name())),
            })?;
            parts.push((before.to_owned(), Some(measure)));
            rest = after;
        }
        parts.push((rest.to_owned(), None));
        Ok(Self { parts })
    }
}

impl fmt::Display for Line {
    /// As it is written, with its places.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|(before, measure)| {
            f.write_str(before)?;
            measure.map_or(Ok(()), |measure| write!(f, "{{{}}}", measure.name()))
        })
    }
}

/// What is wrong with a cue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CueFault {
    /// A condition can't be read.
    #[error("{key}: {fault}")]
    Condition {
        /// `when`, `any` or `unless`.
        key: &'static str,
        /// What is wrong with it.
        fault: NotACondition,
    },
    /// A line names a measure that there isn't.
    #[error("the line has a place `{{{name}}}`; {known}")]
    Place {
        /// What stands in braces.
        name: String,
        /// What there is.
        known: String,
    },
    /// A value is out of its range.
    #[error("{key} must be {must}")]
    Range {
        /// The key.
        key: &'static str,
        /// What it must be.
        must: &'static str,
    },
}

/// A cue as TOML has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pub(super) id: String,
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(default = "middle")]
    priority: u16,
    when: Vec<String>,
    #[serde(default)]
    any: Vec<String>,
    #[serde(default)]
    unless: Vec<String>,
    #[serde(default = "nothing", rename = "for")]
    lasting: Period,
    #[serde(default = "shown")]
    show: Period,
    #[serde(default = "cooled")]
    cooldown: Period,
    #[serde(default)]
    once: bool,
    #[serde(default)]
    while_agent_talks: bool,
    #[serde(default)]
    always: bool,
    line: BTreeMap<String, String>,
    #[serde(default)]
    reason: BTreeMap<String, String>,
    source: Option<String>,
}

const fn yes() -> bool {
    true
}
const fn middle() -> u16 {
    500
}
const fn nothing() -> Period {
    Period::from_secs(0)
}
const fn shown() -> Period {
    Period::from_secs(20)
}
const fn cooled() -> Period {
    Period::from_secs(120)
}

impl TryFrom<Written> for Cue {
    type Error = CueFault;

    fn try_from(written: Written) -> Result<Self, CueFault> {
        let conditions = |key: &'static str, texts: &[String]| {
            let read = texts.iter().map(|text| text.parse::<Condition>());
            read.collect::<Result<Vec<_>, _>>().map_err(|fault| CueFault::Condition { key, fault })
        };
        let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let within = |period: Period, least: u64, most: u64| {
            (Duration::from_secs(least)..=Duration::from_secs(most)).contains(&period.0)
        };
        let tag = |tag: &str| {
            (2..=16).contains(&tag.len()) && tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        let short = |text: &str, longest| {
            (1..=longest).contains(&text.chars().count()) && !text.chars().any(sidetone_call::misleads)
        };
        let Written { id, line, reason, source, when, any, unless, .. } = &written;
        let few = [when, any, unless].into_iter().all(|list| list.len() <= MOST_CONDITIONS);
        let checks = [
            (
                (1..=LONGEST_ID).contains(&id.len()) && id.chars().all(kebab),
                "id",
                "1 to 48 of a-z, 0-9 and -",
            ),
            (written.priority <= HIGHEST, "priority", "0 to 1000"),
            (!when.is_empty(), "when", "one condition or more"),
            (few, "when", "16 conditions at most"),
            (within(written.lasting, 0, 300), "for", "at most 5m"),
            (within(written.show, 3, 600), "show", "3s to 10m"),
            (within(written.cooldown, 0, 3_600), "cooldown", "at most 1h"),
            (!line.is_empty(), "line", "given in one language or more, as in line.en"),
            (line.keys().all(|it| tag(it)), "line", "by language, as in line.en"),
            (
                line.values().all(|it| short(it, LONGEST_LINE)),
                "line",
                "1 to 140 characters, none of control or of writing direction",
            ),
            (
                reason.values().all(|it| short(it, LONGEST_REASON)),
                "reason",
                "1 to 500 characters, none of control or of writing direction",
            ),
            (reason.keys().all(|it| line.contains_key(it)), "reason", "in the languages of the line"),
            (source.iter().all(|it| short(it, LONGEST_REASON)), "source", "1 to 500 characters"),
        ];
        if let Some((_, key, must)) = checks.into_iter().find(|(holds, ..)| !holds) {
            return Err(CueFault::Range { key, must });
        }
        let lines = line.iter().map(|(tag, text)| Ok((tag.clone(), Line::parse(text)?)));
        Ok(Self {
            when: conditions("when", when)?,
            any: conditions("any", any)?,
            unless: conditions("unless", unless)?,
            line: lines.collect::<Result<_, _>>()?,
            enabled: written.enabled,
            priority: written.priority,
            lasting: written.lasting.into(),
            show: written.show.into(),
            cooldown: written.cooldown.into(),
            once: written.once,
            while_agent_talks: written.while_agent_talks,
            always: written.always,
            id: written.id,
            reason: written.reason,
            source: written.source,
        })
    }
}
