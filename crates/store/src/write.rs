//! Events into tables. A page of the spool is one transaction; what has been written before is recognised and left.

mod gathered;

use sidetone_call::{Label, Leg, Node};
use sidetone_events::{CallId, Event, Happening, Kind, Timestamp};
use sidetone_insight::{AlertKind, Phase};
use sidetone_spool::{Content, Page, Position};

use crate::cues;
use crate::database::{Database, Value, transaction};
use crate::error::StoreError;
use crate::store::Store;
use crate::sums::mark_stale;
use crate::topics;
use gathered::{Gathered, Known};

/// What a page brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// Events that were new.
    pub(crate) events: u64,
    /// Events that are none of this version, and are not in the store.
    pub(crate) skipped: u64,
}

impl Store {
    /// The last position in a node's spool that is in here.
    pub(crate) fn position(&mut self, feed: &str) -> Result<Position, StoreError> {
        let rows = self.database.query("SELECT position FROM feeds WHERE name = $1", &[feed.into()])?;
        let position = rows.first().map_or(Ok(0), |row| row.int(0))?;
        Ok(Position(u64::try_from(position).unwrap_or_default()))
    }

    /// Writes a page of a node's spool and the position that it covers: all of it, or nothing.
    pub(crate) fn write(&mut self, feed: &str, page: &Page) -> Result<Written, StoreError> {
        let mut erases = false;
        let written = transaction(self.database.as_mut(), |database| {
            let mut written = Written::default();
            let mut gathered = Gathered::default();
            for entry in &page.entries {
                match &entry.content {
                    Content::Event { json, .. } => match serde_json::from_str::<Event>(json) {
                        Ok(event) => {
                            written.events += u64::from(write_event(database, &mut gathered, &event, json)?);
                        }
                        Err(error) => {
                            // A newer Sidetone may have written to this spool. One event must not stop all others.
                            tracing::warn!(position = entry.position.0, %error, "the store can't understand an event, and leaves it out");
                            written.skipped += 1;
                        }
                    },
                    Content::Erasure { call, before } => {
                        erases = true;
                        written.events += gathered.write(database)?;
                        erase(database, *call, *before)?;
                    }
                }
            }
            written.events += gathered.write(database)?;
            let sql = "INSERT INTO feeds (name, position, lost) VALUES ($1, $2, $3)
                       ON CONFLICT (name) DO UPDATE SET position = excluded.position, lost = feeds.lost + excluded.lost";
            database.execute(sql, &[feed.into(), page.until.0.into(), page.lost.into()])?;
            Ok(written)
        })?;
        if erases {
            self.database.overwrite_erased()?;
        }
        Ok(written)
    }

    /// Begins again with the oldest event that the spool has: its file is another one than before.
    pub(crate) fn rewind(&mut self, feed: &str) -> Result<(), StoreError> {
        self.database.execute("UPDATE feeds SET position = 0 WHERE name = $1", &[feed.into()]).map(drop)
    }

    /// Ends calls of a node that were up when an earlier process of it ended without telling: at the last moment that
    /// is known of them.
    pub(crate) fn end_calls_of_before(
        &mut self,
        node: Option<&Node>,
        began: Timestamp,
    ) -> Result<(), StoreError> {
        let of_node = if node.is_some() { "node = $2" } else { "node IS NULL" };
        let mut values = vec![Value::from(began.unix_millis())];
        values.extend(node.map(|node| Value::from(node.to_string())));
        transaction(self.database.as_mut(), |database| {
            let up = format!("ended IS NULL AND started < $1 AND {of_node}");
            for row in database.query(&format!("SELECT started FROM calls WHERE {up}"), &values)? {
                mark_stale(database, u64::try_from(row.int(0)?).unwrap_or_default())?;
            }
            let sql = format!(
                "UPDATE calls SET held_by = NULL, ended = started + COALESCE((
                     SELECT MAX(at) FROM (SELECT at FROM events WHERE call = calls.id
                                          UNION ALL SELECT at FROM affect WHERE call = calls.id) AS known), 0)
                 WHERE {up}"
            );
            database.execute(&sql, &values).map(drop)
        })
    }
}

/// Begins the call of an event if there is none; what is known of it.
fn begin(database: &mut dyn Database, event: &Event) -> Result<Known, StoreError> {
    let (reference, call) = (&event.call, event.call.id.to_string());
    let begun = database.execute(
        "INSERT INTO calls (id, node, sip_call_id, trunk, direction, caller, callee, started, seq)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0) ON CONFLICT (id) DO NOTHING",
        &[
            call.as_str().into(),
            reference.node.as_ref().map(ToString::to_string).into(),
            reference.sip_call_id.to_string().into(),
            reference.trunk.as_str().into(),
            word(&reference.direction),
            reference.caller.as_ref().map(ToString::to_string).into(),
            reference.callee.as_ref().map(ToString::to_string).into(),
            started(event).into(),
        ],
    )?;
    if begun == 0 {
        return Ok(Known::Kept { erased_before: erased_before(database, &call)? });
    }
    if !database.query("SELECT 1 FROM erased_calls WHERE id = $1", &[call.as_str().into()])?.is_empty() {
        // It was erased on request while it was up, or while its events waited.
        database.execute("DELETE FROM calls WHERE id = $1", &[call.into()])?;
        return Ok(Known::Gone);
    }
    Ok(Known::Kept { erased_before: 0 })
}

/// When the call of an event began.
fn started(event: &Event) -> u64 {
    event.time.unix_millis().saturating_sub(millis(event.at))
}

/// Writes one event, of which `json` is the text, or gathers it; whether it was written and new.
fn write_event(
    database: &mut dyn Database,
    gathered: &mut Gathered,
    event: &Event,
    json: &str,
) -> Result<bool, StoreError> {
    let Known::Kept { erased_before } = gathered.call(database, event)? else { return Ok(false) };
    if event.infers() && event.seq < erased_before {
        return Ok(false);
    }
    let (call, at_ms) = (event.call.id.to_string(), millis(event.at));
    if let Happening::AffectUpdate(update) = &event.happening {
        // The state by the words is told beside them; what is kept of a call's course is the voice's.
        if !update.modality.is_voice() {
            gathered.newest(event);
            return Ok(true);
        }
        gathered.moment(event, update);
        return Ok(false);
    }
    if cues::is_private(&event.happening) {
        cues::write(database, &call, at_ms, &event.happening)?;
        gathered.newest(event);
        return Ok(true);
    }
    let (kind, data) = (event.kind().to_string(), data_of(json));
    let sql = "INSERT INTO events (call, seq, at, kind, data) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (call, seq) DO NOTHING";
    let values = [call.as_str().into(), event.seq.into(), at_ms.into(), kind.into(), data.into()];
    if database.execute(sql, &values)? == 0 {
        return Ok(false);
    }
    gathered.newest(event);
    update_call(database, event, &call)?;
    if has_words(&event.happening) {
        let sql = "UPDATE calls SET worded = 1 WHERE id = $1 AND worded IS NULL";
        database.execute(sql, &[call.as_str().into()])?;
    }
    cues::write(database, &call, at_ms, &event.happening)?;
    let counts = match &event.happening {
        Happening::CallEnded(_) | Happening::ConsentChanged(_) | Happening::CallLabelled(_) => true,
        Happening::WordsTopic(named) => topics::note(database, &call, named.topic)?,
        _ => false,
    };
    if event.at.is_zero() || counts {
        gathered.stale(started(event));
    }
    Ok(true)
}

/// Whether somebody's words stand in an event, or a part of them.
fn has_words(happening: &Happening) -> bool {
    match happening {
        Happening::WordsFinal(_) | Happening::WordsTopic(_) => true,
        Happening::AffectAlert(alert) => alert.phrase.is_some(),
        _ => false,
    }
}

/// What an event changes in its call's row. Events of one call come in order.
// One arm a kind, each with its columns: split up, the statements would stand apart from what they mean.
fn update_call(database: &mut dyn Database, event: &Event, call: &str) -> Result<(), StoreError> {
    let mut set = |columns: &str, values: &[Value]| {
        let sql = format!("UPDATE calls SET {columns} WHERE id = $1");
        database.execute(&sql, &[&[call.into()], values].concat()).map(drop)
    };
    match &event.happening {
        Happening::CallAnswered(_) => set("answered = $2", &[event.time.unix_millis().into()]),
        Happening::CallLabelled(labels) => set(
            "queue = $2, agent = $3, team = $4, tier = $5, call_type = $6, language = $7",
            &[&labels.queue, &labels.agent, &labels.team, &labels.tier, &labels.call_type, &labels.language]
                .map(|label| label.as_ref().map(Label::as_str).into()),
        ),
        Happening::CallHeld(held) => set(
            "held_by = CASE WHEN held_by IS NULL OR held_by = $2 THEN $2 ELSE 'both' END",
            &[word(&held.by)],
        ),
        Happening::CallResumed(resumed) => {
            let other = if resumed.by == Leg::Customer { Leg::Agent } else { Leg::Customer };
            set("held_by = CASE WHEN held_by = 'both' THEN $2 END", &[word(&other)])
        }
        Happening::ConsentChanged(changed) => {
            set("consent = $2, policy = $3", &[word(&changed.state), word(&changed.policy)])
        }
        Happening::AffectAlert(alert) => match alert.phase {
            Phase::Rising => set("alerts = alerts + 1, alert = $2", &[word(&alert.alert)]),
            Phase::Calmed => {
                let other = AlertKind::ALL.into_iter().find(|kind| *kind != alert.alert);
                let other = other.as_ref().map_or(Value::Null, word);
                // The other kind may be up still.
                set("alert = CASE WHEN alerts > calmed + 1 THEN $2 END, calmed = calmed + 1", &[other])
            }
        },
        Happening::Conduct(conduct) => set(CONDUCT, &conduct_values(conduct)),
        Happening::CallEnded(ended) => {
            set(
                "ended = $2, cause = $3, ended_by = $4, sip_status = $5, held_by = NULL",
                &[
                    event.time.unix_millis().into(),
                    word(&ended.cause),
                    ended.by.as_ref().map_or(Value::Null, word),
                    ended.sip_status.map(u32::from).into(),
                ],
            )?;
            let Some(summary) = &ended.summary else { return Ok(()) };
            let sentiment = summary.sentiment;
            set(CONDUCT, &conduct_values(&summary.conduct))?;
            set(
                "valence_start = $2, valence_end = $3, shift = $4, speech_ms = $5, judged_ms = $6",
                &[
                    sentiment.map(|it| it.start).into(),
                    sentiment.map(|it| it.end).into(),
                    sentiment.map(|it| it.shift).into(),
                    millis(summary.analysis.speech).into(),
                    millis(summary.analysis.judged).into(),
                ],
            )
        }
        _ => Ok(()),
    }
}

const CONDUCT: &str = "customer_talk_ms = $2, agent_talk_ms = $3, overlap_ms = $4, silence_ms = $5, hold_ms = $6, \
                       holds = $7";

fn conduct_values(conduct: &sidetone_insight::Conduct) -> [Value; 6] {
    [
        millis(conduct.customer.talk).into(),
        millis(conduct.agent.talk).into(),
        millis(conduct.overlap).into(),
        millis(conduct.silence).into(),
        millis(conduct.hold).into(),
        conduct.holds.into(),
    ]
}

/// Erases what was inferred about a call, or measured in the customer's voice, in events before the one of that number.
fn erase(database: &mut dyn Database, call: CallId, before: u64) -> Result<(), StoreError> {
    let call = call.to_string();
    let bound = [Value::from(call.as_str()), before.into()];
    database.execute("DELETE FROM affect WHERE call = $1 AND seq < $2", &bound)?;
    let sql = "SELECT seq, data FROM events WHERE call = $1 AND seq < $2 AND kind = 'call.ended'";
    for row in database.query(sql, &bound)? {
        // The end of the call stays, without its summary.
        let mut data: serde_json::Value = serde_json::from_str(&row.text(1)?).unwrap_or_default();
        if let Some(summary) = data.get_mut("summary") {
            *summary = serde_json::Value::Null;
        }
        let sql = "UPDATE events SET data = $3 WHERE call = $1 AND seq = $2";
        database.execute(sql, &[call.as_str().into(), row.int(0)?.into(), data.to_string().into()])?;
    }
    let inferring = Kind::ALL.iter().filter(|kind| kind.infers());
    let inferring: Vec<String> = inferring.map(|kind| format!("'{}'", kind.name())).collect();
    let sql = format!(
        "UPDATE events SET kind = 'erased', data = '{{}}' WHERE call = $1 AND seq < $2 AND kind IN ({})",
        inferring.join(", ")
    );
    database.execute(&sql, &bound)?;
    // Cues are shown while the customer may be listened to: those of a time after they agreed again come anew.
    database.execute("DELETE FROM cues WHERE call = $1", &[call.as_str().into()])?;
    // What a later event has told since the customer agreed again was inferred with consent; the row's sums over the
    // call can't be told apart, so they go, and the call's end brings them anew.
    database.execute(
        "UPDATE calls SET erased_before = $2, valence = NULL, arousal = NULL, distress = NULL, confidence = NULL,
             state = NULL, trend = NULL, alerts = 0, calmed = 0, alert = NULL, valence_start = NULL,
             valence_end = NULL, shift = NULL, speech_ms = NULL, judged_ms = NULL, customer_talk_ms = NULL,
             agent_talk_ms = NULL, overlap_ms = NULL, silence_ms = NULL, hold_ms = NULL, holds = NULL,
             topics = NULL, withheld = NULL
         WHERE id = $1 AND erased_before < $2",
        &bound,
    )?;
    for row in database.query("SELECT started FROM calls WHERE id = $1", &[call.into()])? {
        mark_stale(database, u64::try_from(row.int(0)?).unwrap_or_default())?;
    }
    Ok(())
}

fn erased_before(database: &mut dyn Database, call: &str) -> Result<u64, StoreError> {
    let rows = database.query("SELECT erased_before FROM calls WHERE id = $1", &[call.into()])?;
    let before = rows.first().map_or(Ok(0), |row| row.int(0))?;
    Ok(u64::try_from(before).unwrap_or_default())
}

/// The word that a value has in events.
fn word<T: serde::Serialize>(value: &T) -> Value {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word.into(),
        _ => Value::Null,
    }
}

/// An event's data as its text has it: numbers of 32 bits would get decimals of their own on the way.
fn data_of(json: &str) -> String {
    let mut whole: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    whole.get_mut("data").map(serde_json::Value::take).unwrap_or_default().to_string()
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
