//! Which calls are asked for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sidetone_call::Topic;
use utoipa::ToSchema;

use crate::database::Value;
use crate::scope::Scope;
use crate::sums::NOTABLE_SHIFT;

/// Which calls are asked for. Members that are `None` ask for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CallFilter {
    /// Began at this time or later, in milliseconds since 1970.
    pub from: Option<u64>,
    /// Began before this time.
    pub until: Option<u64>,
    /// By this trunk.
    pub trunk: Option<String>,
    /// Of this queue.
    pub queue: Option<String>,
    /// Of this agent.
    pub agent: Option<String>,
    /// Of this team.
    pub team: Option<String>,
    /// Of this empathy tier.
    pub tier: Option<String>,
    /// `inbound`, `outbound` or `unknown`.
    pub direction: Option<String>,
    /// With this hashed number on either side.
    pub number: Option<String>,
    /// Whose customer named this.
    pub topic: Option<Topic>,
    /// With the customer in this condition.
    pub outcome: Option<Outcome>,
    /// So long from the answer to the end.
    pub length: Option<CallLength>,
    /// That are up, or are over.
    pub up: Option<bool>,
    /// After this call of the same list.
    pub after: Option<Cursor>,
}

/// What became of the customer's mood in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MoodOutcome)]
pub enum Outcome {
    /// An alert rose.
    Upset,
    /// Alerts rose, and the last one had calmed.
    Recovered,
    /// Valence rose notably from start to end.
    Improved,
    /// Valence fell notably.
    Declined,
}

impl Outcome {
    /// `by_topic`: by the index of topics, and not by that of upset calls.
    fn condition(self, by_topic: bool) -> String {
        let upset = if by_topic { "alerts + 0 > 0" } else { "alerts > 0" };
        match self {
            Self::Upset => upset.to_owned(),
            Self::Recovered => format!("{upset} AND calmed >= alerts AND ended IS NOT NULL"),
            Self::Improved => format!("shift > {NOTABLE_SHIFT}"),
            Self::Declined => format!("shift < -{NOTABLE_SHIFT}"),
        }
    }
}

/// How long a call was, from its answer to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum CallLength {
    /// Less than a minute.
    #[serde(rename = "0-1")]
    UnderOne,
    /// One to five minutes.
    #[serde(rename = "1-5")]
    ToFive,
    /// Five to fifteen minutes.
    #[serde(rename = "5-15")]
    ToFifteen,
    /// Fifteen minutes and more.
    #[serde(rename = "15-")]
    FromFifteen,
}

impl CallLength {
    /// Each of them, the shortest first.
    pub const ALL: [Self; 4] = [Self::UnderOne, Self::ToFive, Self::ToFifteen, Self::FromFifteen];

    /// Its word: minutes, from and to.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnderOne => "0-1",
            Self::ToFive => "1-5",
            Self::ToFifteen => "5-15",
            Self::FromFifteen => "15-",
        }
    }

    /// The number of its kind, as [`LENGTH`] gives it.
    fn kind(self) -> u32 {
        match self {
            Self::UnderOne => 1,
            Self::ToFive => 2,
            Self::ToFifteen => 3,
            Self::FromFifteen => 4,
        }
    }
}

/// The kind of a call's length, as the index has it: written otherwise it would not be found.
pub(crate) const LENGTH: &str = "(CASE WHEN ended - answered < 60000 THEN 1 WHEN ended - answered < 300000 THEN 2 \
    WHEN ended - answered < 900000 THEN 3 WHEN ended - answered >= 900000 THEN 4 END)";

/// A place in a list of calls: the last call of the part before. Written as `STARTED-ID`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    started: u64,
    id: String,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.started, self.id)
    }
}

impl Cursor {
    pub(super) fn after(started: u64, id: String) -> Self {
        Self { started, id }
    }
}

/// A text that is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no cursor; take it from the answer before, as it is")]
pub struct NoCursor;

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let (started, id) = text.split_once('-').ok_or(NoCursor)?;
        let fits = (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let started = started.parse().map_err(|_| NoCursor)?;
        if fits { Ok(Self { started, id: id.to_owned() }) } else { Err(NoCursor) }
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl CallFilter {
    /// The condition in SQL, and its parameters, from `$1` on: for calls within a scope only.
    pub(super) fn condition(&self, scope: &Scope) -> (String, Vec<Value>) {
        let mut conditions = vec!["1 = 1".to_owned()];
        let mut values: Vec<Value> = Vec::new();
        let mut ask = |condition: &str, value: Value| {
            values.push(value);
            conditions.push(condition.replace('#', &format!("${}", values.len())));
        };
        match scope {
            Scope::All => {}
            Scope::Agent(agent) => ask("agent = #", agent.as_str().into()),
            Scope::Nobody => return ("1 = 0".to_owned(), Vec::new()),
        }
        if let Some(from) = self.from {
            ask("started >= #", from.into());
        }
        if let Some(until) = self.until {
            ask("started < #", until.into());
        }
        if let Some(number) = &self.number {
            ask("(caller = # OR callee = #)", number.as_str().into());
        }
        // A database that knows nothing of how often a value comes may take any index of an equality. By an expression
        // it takes none: of topics only theirs has all columns, and a direction is what most calls share.
        let by_topic = self.topic.is_some() && self.agent.is_none() && self.number.is_none();
        let is_told_apart = by_topic
            || [&self.queue, &self.agent, &self.team, &self.tier, &self.number]
                .into_iter()
                .any(Option::is_some)
            || matches!(self.outcome, Some(Outcome::Upset | Outcome::Recovered))
            || self.length.is_some()
            || self.up == Some(true);
        for (label, value, by_index) in [
            ("trunk", &self.trunk, !by_topic),
            ("queue", &self.queue, !by_topic),
            ("agent", &self.agent, true),
            ("team", &self.team, !by_topic),
            ("tier", &self.tier, !by_topic),
            ("direction", &self.direction, !is_told_apart),
        ] {
            if let Some(value) = value {
                let column = if by_index { label.to_owned() } else { format!("{label} || ''") };
                ask(&format!("{column} = #"), value.as_str().into());
            }
        }
        if let Some(after) = &self.after {
            ask("started <= #", after.started.into());
            let place = values.len();
            values.push(after.id.as_str().into());
            conditions.push(format!("(started < ${place} OR id < ${})", values.len()));
        }
        if let Some(topic) = self.topic {
            // The first part is that of the index.
            values.push(format!("% {} %", topic.name()).into());
            let named = format!("topics IS NOT NULL AND ' ' || topics || ' ' LIKE ${}", values.len());
            conditions.push(named);
        }
        if let Some(length) = self.length {
            conditions.push(format!("{LENGTH} = {}", length.kind()));
        }
        if let Some(outcome) = self.outcome {
            conditions.push(outcome.condition(by_topic));
        }
        if let Some(up) = self.up {
            conditions.push(if up { "ended IS NULL" } else { "ended IS NOT NULL" }.to_owned());
        }
        (conditions.join(" AND "), values)
    }
}
