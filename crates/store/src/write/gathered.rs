//! What a page's events bring that is written together at its end: moments, many in a statement; of each call its
//! newest state and number, once; days, once. An event that is written by itself costs a statement or more, each of
//! which travels to PostgreSQL and back.

use std::collections::{BTreeSet, HashMap};

use sidetone_events::{CallId, Event};
use sidetone_insight::AffectUpdate;

use super::{begin, millis, word};
use crate::database::{Database, Value};
use crate::error::StoreError;
use crate::sums::{DAY_MS, mark_stale};

/// Moments of one statement, the most first: each number is a statement of its own, which is kept prepared.
const AT_ONCE: [usize; 3] = [50, 10, 1];

/// What is known of a call while a page is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Known {
    /// It was erased on request: what still comes of it is left out.
    Gone,
    /// Inferences in events before this number have been erased.
    Kept { erased_before: u64 },
}

#[derive(Debug, Default)]
pub(super) struct Gathered {
    calls: HashMap<CallId, Call>,
    /// The columns of each.
    moments: Vec<[Value; 7]>,
    /// Days since 1970 whose sums are to be made again.
    days: BTreeSet<u64>,
}

#[derive(Debug)]
struct Call {
    known: Known,
    newest: u64,
    /// The newest state, and the number of its event.
    state: Option<(u64, [Value; 6])>,
}

impl Gathered {
    /// What is known of an event's call, which is begun if it is new.
    pub(super) fn call(&mut self, database: &mut dyn Database, event: &Event) -> Result<Known, StoreError> {
        if let Some(call) = self.calls.get(&event.call.id) {
            return Ok(call.known);
        }
        let known = begin(database, event)?;
        self.calls.insert(event.call.id, Call { known, newest: 0, state: None });
        Ok(known)
    }

    /// Notes the number of an event that is written, or will be.
    pub(super) fn newest(&mut self, event: &Event) {
        if let Some(call) = self.calls.get_mut(&event.call.id) {
            call.newest = call.newest.max(event.seq);
        }
    }

    /// Gathers a moment, and the state of its call.
    pub(super) fn moment(&mut self, event: &Event, update: &AffectUpdate) {
        let figures =
            || [update.valence, update.arousal, update.distress, update.confidence].map(Value::from);
        if let Some(call) = self.calls.get_mut(&event.call.id)
            && call.state.as_ref().is_none_or(|(seq, _)| *seq < event.seq)
        {
            let [valence, arousal, distress, confidence] = figures();
            let words = (word(&update.state), word(&update.trend));
            call.state = Some((event.seq, [valence, arousal, distress, confidence, words.0, words.1]));
        }
        let [valence, arousal, distress, confidence] = figures();
        let (call, seq, at) = (event.call.id.to_string().into(), event.seq.into(), millis(event.at).into());
        self.moments.push([call, seq, at, valence, arousal, distress, confidence]);
        self.newest(event);
    }

    /// Notes that the sums of the day on which a call began are to be made again.
    pub(super) fn stale(&mut self, started: u64) {
        self.days.insert(started / DAY_MS);
    }

    /// Writes what was gathered, and forgets what it knew; how many moments were new.
    pub(super) fn write(&mut self, database: &mut dyn Database) -> Result<u64, StoreError> {
        let new = insert(database, &std::mem::take(&mut self.moments))?;
        for (id, call) in self.calls.drain() {
            if matches!(call.known, Known::Gone) {
                continue;
            }
            let id = Value::from(id.to_string());
            // A state that has been written before, or an older one than that which is there, is left.
            if let Some((seq, state)) = &call.state {
                let sql =
                    "UPDATE calls SET valence = $3, arousal = $4, distress = $5, confidence = $6, state = $7,
                               trend = $8, seq = $2 WHERE id = $1 AND seq < $2";
                database.execute(sql, &[&[id.clone(), (*seq).into()], state.as_slice()].concat())?;
            }
            if call.state.is_none_or(|(seq, _)| seq < call.newest) {
                let sql = "UPDATE calls SET seq = $2 WHERE id = $1 AND seq < $2";
                database.execute(sql, &[id, call.newest.into()])?;
            }
        }
        for day in std::mem::take(&mut self.days) {
            mark_stale(database, day.saturating_mul(DAY_MS))?;
        }
        Ok(new)
    }
}

/// Writes moments, as many in a statement as there are; how many were new.
fn insert(database: &mut dyn Database, mut moments: &[[Value; 7]]) -> Result<u64, StoreError> {
    let mut new = 0;
    while !moments.is_empty() {
        let many = AT_ONCE.into_iter().find(|many| *many <= moments.len()).unwrap_or(1);
        let (these, others) = moments.split_at(many);
        let rows = (0..many).map(|row| {
            let places = (1..=7).map(|column| format!("${}", row * 7 + column));
            format!("({})", places.collect::<Vec<_>>().join(", "))
        });
        let sql = format!(
            "INSERT INTO affect (call, seq, at, valence, arousal, distress, confidence) VALUES {}
             ON CONFLICT (call, seq) DO NOTHING",
            rows.collect::<Vec<_>>().join(", ")
        );
        new += database.execute(&sql, &these.concat())?;
        moments = others;
    }
    Ok(new)
}
