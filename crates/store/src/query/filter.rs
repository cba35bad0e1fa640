//! Which calls are asked for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sidetone_call::Topic;
use utoipa::ToSchema;

use super::condition::Condition;
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

/// The index along which a list of calls is walked, the newest first: of those that a filter could use the one with the
/// fewest calls. A database that knows nothing of how often a value comes may take any of them, so all other columns
/// are asked for by expressions, which no index has. What a walk can be asked for beside its own column stands in its
/// index ([`crate::schema`]), so that calls that don't fit are passed over without a look at their rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Walk {
    Up,
    Number,
    Agent,
    Topic,
    Upset,
    Team,
    Queue,
    Tier,
    LengthAndDirection,
    Length,
    TrunkAndDirection,
    Trunk,
    /// All calls, or those of one direction.
    All,
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

/// The same before the direction, in one text, as the index of both has it.
const LENGTH_AND: &str = "(CASE WHEN ended - answered < 60000 THEN '1 ' WHEN ended - answered < 300000 THEN '2 ' \
    WHEN ended - answered < 900000 THEN '3 ' WHEN ended - answered >= 900000 THEN '4 ' END)";

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

    /// Behind all calls that began at this time: no call's id comes before this one's.
    pub(super) fn behind(started: u64) -> Self {
        Self { started, id: "0".to_owned() }
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
    /// The index to walk along.
    pub(super) fn walk(&self, scope: &Scope) -> Walk {
        let is_upset = matches!(self.outcome, Some(Outcome::Upset | Outcome::Recovered));
        let walks = [
            (self.up == Some(true), Walk::Up),
            (self.number.is_some(), Walk::Number),
            (self.agent.is_some() || matches!(scope, Scope::Agent(_)), Walk::Agent),
            (self.topic.is_some(), Walk::Topic),
            (is_upset, Walk::Upset),
            (self.team.is_some(), Walk::Team),
            (self.queue.is_some(), Walk::Queue),
            (self.tier.is_some(), Walk::Tier),
            (self.length.is_some() && self.direction.is_some(), Walk::LengthAndDirection),
            (self.length.is_some(), Walk::Length),
            (self.trunk.is_some() && self.direction.is_some(), Walk::TrunkAndDirection),
            (self.trunk.is_some(), Walk::Trunk),
        ];
        walks.into_iter().find(|(fits, _)| *fits).map_or(Walk::All, |(_, walk)| walk)
    }

    /// The condition in SQL: for calls within a scope only.
    pub(super) fn condition(&self, scope: &Scope) -> Condition {
        let walk = self.walk(scope);
        let mut asked = self.range();
        match scope {
            Scope::All => {}
            Scope::Agent(agent) => {
                let is = "agent = #";
                asked.own_or_besides(walk == Walk::Agent, is, is, Some(agent.as_str().into()));
            }
            Scope::Nobody => {
                asked.of_walk("1 = 0", []);
                return asked;
            }
        }
        if let Some(number) = &self.number {
            let is = "(caller = # OR callee = #)";
            let twice = [number.as_str().into(), number.as_str().into()];
            if walk == Walk::Number { asked.of_walk(is, twice) } else { asked.besides(is, twice) }
        }
        self.ask_for_labels(walk, &mut asked);
        if let Some(topic) = self.topic {
            // As the topic's own index has it: a parameter would not be found there.
            let named = format!("' ' || topics || ' ' LIKE '% {} %'", topic.name());
            asked.own_or_besides(walk == Walk::Topic, &named, &format!("({named}) IS TRUE"), None);
        }
        if let Some(length) = self.length.filter(|_| walk != Walk::LengthAndDirection) {
            let [own, besides] = ["", " + 0"].map(|plus| format!("{LENGTH}{plus} = {}", length.kind()));
            asked.own_or_besides(walk == Walk::Length, &own, &besides, None);
        }
        if let Some(Outcome::Upset | Outcome::Recovered) = self.outcome {
            asked.own_or_besides(walk == Walk::Upset, "alerts > 0", "alerts + 0 > 0", None);
        }
        match self.outcome {
            Some(Outcome::Recovered) => asked.besides("calmed >= alerts AND ended IS NOT NULL", []),
            Some(Outcome::Improved) => asked.besides(format!("shift > {NOTABLE_SHIFT}"), []),
            Some(Outcome::Declined) => asked.besides(format!("shift < -{NOTABLE_SHIFT}"), []),
            Some(Outcome::Upset) | None => {}
        }
        match self.up {
            Some(true) => asked.of_walk("ended IS NULL", []),
            Some(false) => asked.besides("ended IS NOT NULL", []),
            None => {}
        }
        asked
    }

    /// When the calls began, and behind which one they stand.
    pub(super) fn range(&self) -> Condition {
        let mut asked = Condition::default();
        if let Some(from) = self.from {
            asked.of_walk("started >= #", [from.into()]);
        }
        if let Some(until) = self.until {
            asked.of_walk("started < #", [until.into()]);
        }
        if let Some(Cursor { started, id }) = &self.after {
            asked.of_walk("started <= #", [(*started).into()]);
            asked.of_walk("(started < # OR id < #)", [(*started).into(), id.as_str().into()]);
        }
        asked
    }

    fn ask_for_labels(&self, walk: Walk, asked: &mut Condition) {
        let direction = self.direction.as_deref().unwrap_or_default();
        // Two in one expression, as an index has it: of two equalities SQLite may take either one's index. No direction
        // has a space.
        let asked_for: &[&str] = match (walk, &self.trunk, self.length) {
            (Walk::TrunkAndDirection, Some(trunk), _) => {
                asked.of_walk("trunk || ' ' || direction = #", [format!("{trunk} {direction}").into()]);
                &["trunk", "direction"]
            }
            (Walk::LengthAndDirection, _, Some(length)) => {
                let both = format!("{} {direction}", length.kind());
                asked.of_walk(format!("{LENGTH_AND} || direction = #"), [both.into()]);
                &["direction"]
            }
            _ => &[],
        };
        for (label, value, own) in [
            ("trunk", &self.trunk, Walk::Trunk),
            ("queue", &self.queue, Walk::Queue),
            ("agent", &self.agent, Walk::Agent),
            ("team", &self.team, Walk::Team),
            ("tier", &self.tier, Walk::Tier),
            ("direction", &self.direction, Walk::All),
        ] {
            let Some(value) = value.as_deref().filter(|_| !asked_for.contains(&label)) else { continue };
            let [its_own, besides] = ["", " || ''"].map(|and| format!("{label}{and} = #"));
            asked.own_or_besides(walk == own, &its_own, &besides, Some(value.into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::StoreConfig;
    use crate::store::Store;

    /// SQLite tells which index it takes. PostgreSQL knows how often values come and chooses by that.
    #[test]
    fn each_filter_is_walked_along_the_index_that_bounds_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::create(&StoreConfig::in_file(folder.path().join("store.db"))).unwrap();
        let text = |text: &str| Some(text.to_owned());
        let any = CallFilter::default;
        let labelled =
            || CallFilter { queue: text("q"), team: text("t"), tier: text("v"), trunk: text("c"), ..any() };
        let long = Some(CallLength::FromFifteen);
        let outbound = text("outbound");
        let upset = Some(Outcome::Upset);
        for (filter, index) in [
            (any(), "calls_by_start"),
            (CallFilter { direction: outbound.clone(), ..any() }, "calls_by_direction"),
            (CallFilter { trunk: text("c"), ..any() }, "calls_by_trunk"),
            (
                CallFilter { trunk: text("c"), direction: outbound.clone(), ..any() },
                "calls_by_trunk_and_direction",
            ),
            (
                CallFilter { length: long, trunk: text("c"), direction: outbound.clone(), ..any() },
                "calls_by_length_and_direction",
            ),
            (CallFilter { length: long, trunk: text("c"), ..any() }, "calls_by_length"),
            (CallFilter { tier: text("v"), length: long, ..any() }, "calls_by_tier"),
            (CallFilter { queue: text("q"), tier: text("v"), ..any() }, "calls_by_queue"),
            (CallFilter { length: long, direction: outbound.clone(), ..labelled() }, "calls_by_team"),
            (CallFilter { outcome: Some(Outcome::Declined), ..labelled() }, "calls_by_team"),
            (CallFilter { outcome: upset, length: long, direction: outbound, ..labelled() }, "calls_upset"),
            (CallFilter { outcome: Some(Outcome::Recovered), ..any() }, "calls_upset"),
            (CallFilter { topic: Some(Topic::Legal), outcome: upset, ..labelled() }, "calls_on_legal"),
            (CallFilter { topic: Some(Topic::Thanks), ..any() }, "calls_on_thanks"),
            (
                CallFilter { agent: text("a"), topic: Some(Topic::Legal), outcome: upset, ..labelled() },
                "calls_by_agent",
            ),
            (
                CallFilter { up: Some(true), topic: Some(Topic::Legal), outcome: upset, ..labelled() },
                "calls_up",
            ),
            (CallFilter { number: text("n"), outcome: upset, ..labelled() }, "calls_by_caller"),
        ] {
            for (from, until) in [(None, None), (Some(5), Some(9))] {
                let filter = CallFilter { from, until, ..filter.clone() };
                let asked = filter.condition(&Scope::All);
                let parts = [
                    ("*", "started DESC, id DESC", asked.whole()),
                    ("started", "started DESC", asked.bounds()),
                ];
                for (columns, order, (condition, values)) in parts {
                    let sql = format!(
                        "EXPLAIN QUERY PLAN SELECT {columns} FROM calls WHERE {condition} ORDER BY {order} LIMIT 9"
                    );
                    let rows = store.database.query(&sql, &values).unwrap();
                    let plan: Vec<String> = rows.iter().map(|row| row.text(3).unwrap()).collect();
                    let plan = plan.join("; ");
                    let words: Vec<&str> = plan.split([' ', ';']).collect();
                    assert!(words.contains(&index), "{index}: {plan}\n{condition}");
                    let sorts = plan.contains("TEMP B-TREE");
                    assert!(!sorts || index == "calls_by_caller", "{plan}\n{condition}");
                    // The end of a stretch is found without a look at the rows.
                    // (The end of a call and its topics do not stand in the indexes of those that are up, or on a
                    // topic, which are few.)
                    let is_few =
                        ["calls_by_caller", "calls_up"].contains(&index) || index.starts_with("calls_on_");
                    let is_covered = columns == "*" || plan.contains("COVERING") || is_few;
                    assert!(is_covered, "{plan}\n{condition}");
                }
            }
        }
    }
}
