//! Calls: lists of them, and one with its timeline.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::database::{Row, Value};
use crate::error::StoreError;
use crate::store::Store;
use crate::write::NOTABLE_SHIFT;

/// Most calls of one answer.
const MOST: usize = 500;
/// Moments of a call that is up: two minutes of its customer's speech.
const LAST_MOMENTS: u32 = 120;

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
    /// `inbound`, `outbound` or `unknown`.
    pub direction: Option<String>,
    /// With this hashed number on either side.
    pub number: Option<String>,
    /// With the customer in this condition.
    pub outcome: Option<Outcome>,
    /// That are up, or are over.
    pub up: Option<bool>,
    /// After this call of the same list.
    pub after: Option<Cursor>,
}

/// What became of the customer's mood in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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
    fn condition(self) -> String {
        match self {
            Self::Upset => "alerts > 0".to_owned(),
            Self::Recovered => "alerts > 0 AND calmed >= alerts AND ended IS NOT NULL".to_owned(),
            Self::Improved => format!("shift > {NOTABLE_SHIFT}"),
            Self::Declined => format!("shift < -{NOTABLE_SHIFT}"),
        }
    }
}

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

/// A call, in one row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Call {
    /// Sidetone's id of the call.
    pub id: String,
    /// The node that it was on, if it has a name.
    pub node: Option<String>,
    /// The SIP Call-ID.
    pub sip_call_id: String,
    /// The trunk.
    pub trunk: String,
    /// `inbound`, `outbound` or `unknown`.
    pub direction: String,
    /// The caller's number, hashed.
    pub caller: Option<String>,
    /// The called number, hashed.
    pub callee: Option<String>,
    /// When its INVITE came, in milliseconds since 1970.
    pub started: u64,
    /// When it was answered.
    pub answered: Option<u64>,
    /// When it ended; `None` while it is up.
    pub ended: Option<u64>,
    /// Why it ended.
    pub cause: Option<String>,
    /// Whether the customer may be listened to, by the last change.
    pub consent: Option<String>,
    /// How the customer seemed to feel last: unpleasant to pleasant, `[-1, 1]`.
    pub valence: Option<f64>,
    /// Quiet to agitated, `[-1, 1]`.
    pub arousal: Option<f64>,
    /// Probability that the customer is upset, `[0, 1]`.
    pub distress: Option<f64>,
    /// Confidence in these, `[0, 1]`.
    pub confidence: Option<f64>,
    /// That state in one word.
    pub state: Option<String>,
    /// Where valence was going.
    pub trend: Option<String>,
    /// Alerts that rose.
    pub alerts: u64,
    /// Alerts that calmed.
    pub calmed: u64,
    /// The alert that is up, or was up at the end.
    pub alert: Option<String>,
    /// The party that holds the call.
    pub held_by: Option<String>,
    /// Valence at the start and at the end, and the difference.
    pub valence_start: Option<f64>,
    /// See above.
    pub valence_end: Option<f64>,
    /// See above.
    pub shift: Option<f64>,
    /// The customer's speech.
    pub speech_ms: Option<u64>,
    /// Of that, what estimates stand for.
    pub judged_ms: Option<u64>,
    /// The customer talked for so long.
    pub customer_talk_ms: Option<u64>,
    /// The agent talked for so long.
    pub agent_talk_ms: Option<u64>,
    /// Both at once.
    pub overlap_ms: Option<u64>,
    /// Neither.
    pub silence_ms: Option<u64>,
    /// On hold.
    pub hold_ms: Option<u64>,
    /// Times it was put on hold.
    pub holds: Option<u64>,
    /// Whether inferences about it have been erased, since the customer objected.
    pub erased: bool,
}

/// The columns of [`Call`], in its order.
pub(crate) const COLUMNS: &str = "id, node, sip_call_id, trunk, direction, caller, callee, started, answered, ended, \
    cause, consent, valence, arousal, distress, confidence, state, trend, alerts, calmed, alert, held_by, \
    valence_start, valence_end, shift, speech_ms, judged_ms, customer_talk_ms, agent_talk_ms, overlap_ms, silence_ms, \
    hold_ms, holds, erased_before";

impl Call {
    pub(crate) fn from_row(row: &Row) -> Result<Self, StoreError> {
        let unsigned = |value: i64| u64::try_from(value).unwrap_or_default();
        let count = |column| row.int(column).map(unsigned);
        let maybe = |column| Ok::<_, StoreError>(row.maybe_int(column)?.map(unsigned));
        Ok(Self {
            id: row.text(0)?,
            node: row.maybe_text(1)?,
            sip_call_id: row.text(2)?,
            trunk: row.text(3)?,
            direction: row.text(4)?,
            caller: row.maybe_text(5)?,
            callee: row.maybe_text(6)?,
            started: count(7)?,
            answered: maybe(8)?,
            ended: maybe(9)?,
            cause: row.maybe_text(10)?,
            consent: row.maybe_text(11)?,
            valence: row.maybe_real(12)?,
            arousal: row.maybe_real(13)?,
            distress: row.maybe_real(14)?,
            confidence: row.maybe_real(15)?,
            state: row.maybe_text(16)?,
            trend: row.maybe_text(17)?,
            alerts: count(18)?,
            calmed: count(19)?,
            alert: row.maybe_text(20)?,
            held_by: row.maybe_text(21)?,
            valence_start: row.maybe_real(22)?,
            valence_end: row.maybe_real(23)?,
            shift: row.maybe_real(24)?,
            speech_ms: maybe(25)?,
            judged_ms: maybe(26)?,
            customer_talk_ms: maybe(27)?,
            agent_talk_ms: maybe(28)?,
            overlap_ms: maybe(29)?,
            silence_ms: maybe(30)?,
            hold_ms: maybe(31)?,
            holds: maybe(32)?,
            erased: count(33)? > 0,
        })
    }

    /// The place of this call in a list.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor { started: self.started, id: self.id.clone() }
    }
}

/// A call with its timeline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallDetails {
    /// The call.
    pub call: Call,
    /// How the customer seemed to feel, in order.
    pub affect: Vec<Point>,
    /// The alerts, in order.
    pub alerts: Vec<Alert>,
    /// What else happened, in order.
    pub events: Vec<Happened>,
}

/// A moment of a timeline.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// Since the INVITE.
    pub at_ms: u64,
    /// `[-1, 1]`.
    pub valence: f64,
    /// `[-1, 1]`.
    pub arousal: f64,
    /// `[0, 1]`.
    pub distress: f64,
    /// `[0, 1]`.
    pub confidence: f64,
}

/// From when to when an alert was up.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alert {
    /// `frustration` or `distress`.
    pub alert: String,
    /// It rose.
    pub from_ms: u64,
    /// It calmed; `None` if it has not.
    pub to_ms: Option<u64>,
    /// Strength of the evidence when it rose, `[0, 1]`.
    pub score: Option<f64>,
}

/// An event of a call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Happened {
    /// Its number in the call.
    pub seq: u64,
    /// Since the INVITE.
    pub at_ms: u64,
    /// Its kind.
    pub kind: String,
    /// Its data, by the kind.
    pub data: serde_json::Value,
}

impl Store {
    /// Calls by a filter, the newest first, `most` at most.
    ///
    /// # Errors
    /// The database's.
    pub fn calls(&mut self, filter: &CallFilter, most: usize) -> Result<Vec<Call>, StoreError> {
        let mut conditions = vec!["1 = 1".to_owned()];
        let mut values: Vec<Value> = Vec::new();
        let mut ask = |condition: &str, value: Value| {
            values.push(value);
            conditions.push(condition.replace('#', &format!("${}", values.len())));
        };
        if let Some(from) = filter.from {
            ask("started >= #", from.into());
        }
        if let Some(until) = filter.until {
            ask("started < #", until.into());
        }
        if let Some(trunk) = &filter.trunk {
            ask("trunk = #", trunk.as_str().into());
        }
        if let Some(direction) = &filter.direction {
            ask("direction = #", direction.as_str().into());
        }
        if let Some(number) = &filter.number {
            ask("(caller = # OR callee = #)", number.as_str().into());
        }
        if let Some(after) = &filter.after {
            ask("started <= #", after.started.into());
            let place = values.len();
            values.push(after.id.as_str().into());
            conditions.push(format!("(started < ${place} OR id < ${})", values.len()));
        }
        if let Some(outcome) = filter.outcome {
            conditions.push(outcome.condition());
        }
        if let Some(up) = filter.up {
            conditions.push(if up { "ended IS NULL" } else { "ended IS NOT NULL" }.to_owned());
        }
        values.push(Value::Int(i64::try_from(most.min(MOST)).unwrap_or(i64::MAX)));
        let sql = format!(
            "SELECT {COLUMNS} FROM calls WHERE {} ORDER BY started DESC, id DESC LIMIT ${}",
            conditions.join(" AND "),
            values.len()
        );
        self.database.query(&sql, &values)?.iter().map(Call::from_row).collect()
    }

    /// Calls that are up, the newest first, each with its last moments in order; `most` calls at most.
    ///
    /// # Errors
    /// The database's.
    pub fn live(&mut self, most: usize) -> Result<Vec<(Call, Vec<Point>)>, StoreError> {
        let filter = CallFilter { up: Some(true), ..CallFilter::default() };
        let calls = self.calls(&filter, most)?;
        let with_points = calls.into_iter().map(|call| {
            let sql = "SELECT at, valence, arousal, distress, confidence FROM affect WHERE call = $1
                       ORDER BY seq DESC LIMIT $2";
            let rows = self.database.query(sql, &[call.id.as_str().into(), LAST_MOMENTS.into()])?;
            let points = rows.iter().rev().map(point).collect::<Result<_, StoreError>>()?;
            Ok((call, points))
        });
        with_points.collect()
    }

    /// The trunks that calls have come by, by name.
    ///
    /// # Errors
    /// The database's.
    pub fn trunks(&mut self) -> Result<Vec<String>, StoreError> {
        let rows = self.database.query("SELECT DISTINCT trunk FROM days ORDER BY trunk", &[])?;
        rows.iter().map(|row| row.text(0)).collect()
    }

    /// One call with its timeline; `None` if there is no such call.
    ///
    /// # Errors
    /// The database's.
    pub fn call(&mut self, id: &str) -> Result<Option<CallDetails>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM calls WHERE id = $1");
        let rows = self.database.query(&sql, &[id.into()])?;
        let Some(row) = rows.first() else { return Ok(None) };
        let call = Call::from_row(row)?;
        let unsigned = |value: i64| u64::try_from(value).unwrap_or_default();
        let sql =
            "SELECT at, valence, arousal, distress, confidence FROM affect WHERE call = $1 ORDER BY seq";
        let affect = self.database.query(sql, &[id.into()])?;
        let affect = affect.iter().map(point).collect::<Result<_, StoreError>>()?;
        let sql = "SELECT seq, at, kind, data FROM events WHERE call = $1 ORDER BY seq";
        let events = self.database.query(sql, &[id.into()])?;
        let events = events.iter().map(|row| {
            let data = serde_json::from_str(&row.text(3)?).unwrap_or_default();
            Ok(Happened {
                seq: unsigned(row.int(0)?),
                at_ms: unsigned(row.int(1)?),
                kind: row.text(2)?,
                data,
            })
        });
        let events: Vec<Happened> = events.collect::<Result<_, StoreError>>()?;
        Ok(Some(CallDetails { call, affect, alerts: alerts(&events), events }))
    }
}

fn point(row: &Row) -> Result<Point, StoreError> {
    let real = |column| row.maybe_real(column)?.ok_or(StoreError::Column { column });
    let at_ms = u64::try_from(row.int(0)?).unwrap_or_default();
    let (valence, arousal) = (real(1)?, real(2)?);
    Ok(Point { at_ms, valence, arousal, distress: real(3)?, confidence: real(4)? })
}

/// The alerts by their events: a kind has at most one that is up.
fn alerts(events: &[Happened]) -> Vec<Alert> {
    let mut alerts: Vec<Alert> = Vec::new();
    for event in events.iter().filter(|event| event.kind == "affect.alert") {
        let word = |name: &str| event.data.get(name).and_then(serde_json::Value::as_str);
        let Some(kind) = word("alert") else { continue };
        if word("phase") == Some("rising") {
            let score = event.data.get("score").and_then(serde_json::Value::as_f64);
            alerts.push(Alert { alert: kind.to_owned(), from_ms: event.at_ms, to_ms: None, score });
        } else if let Some(up) = alerts.iter_mut().rev().find(|it| it.alert == kind && it.to_ms.is_none()) {
            up.to_ms = Some(event.at_ms);
        }
    }
    alerts
}
