//! Calls: lists of them, and one with its timeline.

use serde::Serialize;
use utoipa::ToSchema;

use super::filter::{CallFilter, Cursor};
use crate::added::{CallOutcome, Survey};
use crate::cues::KeptCue;
use crate::database::Row;
use crate::error::StoreError;
use crate::notes::Note;
use crate::store::Store;
use crate::topics;

/// Moments of a call that is up: two minutes of its customer's speech.
const LAST_MOMENTS: u32 = 120;

/// A call, in one row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
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
    /// Valence in the first ten seconds of judged speech.
    pub valence_start: Option<f64>,
    /// Valence in the last ten seconds of judged speech.
    pub valence_end: Option<f64>,
    /// The latter less the former.
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
    /// The queue that it was in last, as the PBX names it.
    pub queue: Option<String>,
    /// The agent who had it last.
    pub agent: Option<String>,
    /// The agent's team.
    pub team: Option<String>,
    /// Its empathy tier.
    pub tier: Option<String>,
    /// Its subject, in the operator's words.
    pub call_type: Option<String>,
    /// The language that it is in, an RFC 5646 tag.
    pub language: Option<String>,
    /// What the customer named, by the names of topics in events; empty where no words are recognised.
    pub topics: Vec<String>,
}

/// The columns of [`Call`], in its order.
pub(crate) const COLUMNS: &str = "id, node, sip_call_id, trunk, direction, caller, callee, started, answered, ended, \
    cause, consent, valence, arousal, distress, confidence, state, trend, alerts, calmed, alert, held_by, \
    valence_start, valence_end, shift, speech_ms, judged_ms, customer_talk_ms, agent_talk_ms, overlap_ms, silence_ms, \
    hold_ms, holds, erased_before, queue, agent, team, tier, call_type, language, topics";

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
            queue: row.maybe_text(34)?,
            agent: row.maybe_text(35)?,
            team: row.maybe_text(36)?,
            tier: row.maybe_text(37)?,
            call_type: row.maybe_text(38)?,
            language: row.maybe_text(39)?,
            topics: topics::read(row.maybe_text(40)?.as_deref()),
        })
    }

    /// The place of this call in a list.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor::after(self.started, self.id.clone())
    }
}

/// A call with its timeline.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CallDetails {
    /// The call.
    pub call: Call,
    /// How the customer seemed to feel, in order.
    pub affect: Vec<Point>,
    /// The alerts, in order.
    pub alerts: Vec<Alert>,
    /// What else happened, in order.
    pub events: Vec<Happened>,
    /// What became of the caller's matter, if that was posted.
    pub outcome: Option<CallOutcome>,
    /// What the caller has said of the call afterwards.
    pub survey: Option<Survey>,
    /// The supervisors' notes, the oldest first.
    pub notes: Vec<Note>,
    /// The cues that its agent was shown, with what they answered and what followed: for that agent alone, and empty
    /// for other readers.
    pub cues: Vec<KeptCue>,
}

/// A moment of a timeline.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[schema(as = CallMoment)]
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
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = CallAlert)]
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
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = CallEvent)]
pub struct Happened {
    /// Its number in the call.
    pub seq: u64,
    /// Since the INVITE.
    pub at_ms: u64,
    /// Its kind.
    pub kind: String,
    /// Its data, by the kind, as in the event schema.
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
}

impl Store {
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

    /// One call, in one row.
    pub(crate) fn row(&mut self, id: &str) -> Result<Option<Call>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM calls WHERE id = $1");
        self.database.query(&sql, &[id.into()])?.first().map(Call::from_row).transpose()
    }

    /// One call with its timeline; `None` if there is no such call.
    ///
    /// # Errors
    /// The database's.
    pub fn call(&mut self, id: &str) -> Result<Option<CallDetails>, StoreError> {
        let Some(call) = self.row(id)? else { return Ok(None) };
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
        let (outcome, survey) = (self.outcome_of(id)?, self.survey_of(id)?);
        let notes = self.notes_of(id)?;
        Ok(Some(CallDetails {
            call,
            affect,
            alerts: alerts(&events),
            events,
            outcome,
            survey,
            notes,
            cues: Vec::new(),
        }))
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
