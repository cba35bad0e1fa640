//! Notes, written and read by those whom they are for.

use sidetone_events::Timestamp;

use super::View;
use crate::access::{Role, random};
use crate::added::{Added, NotAdded, is_text};
use crate::database::{Row, Value};
use crate::error::StoreError;
use crate::notes::{Moment, NewNote, Note, NoteKind, Noted, SelfNote};
use crate::query::Call;

/// Most notes of a call.
const MOST: i64 = 100;
/// Moments to learn from that are told: so many, of the calls of so long.
const MOST_MOMENTS: u32 = 10;
const MOMENTS_OF_MS: u64 = 91 * 86_400_000;

/// Whether a moment lies within a call, or in its time so far.
fn is_within(call: &Call, at_ms: Option<u64>, now: Timestamp) -> bool {
    let until = call.ended.unwrap_or_else(|| now.unix_millis());
    at_ms.is_none_or(|at_ms| at_ms <= until.saturating_sub(call.started))
}

impl View<'_> {
    /// Keeps a supervisor's note on a call. The call's agent sees it.
    ///
    /// # Errors
    /// The database's.
    pub fn add_note(&mut self, id: &str, new: &NewNote, now: Timestamp) -> Result<Noted, StoreError> {
        if self.token.role != Role::Supervisor {
            return Ok(Noted::Not(Added::NoCall));
        }
        let Some(call) = self.row(id, now)? else { return Ok(Noted::Not(Added::NoCall)) };
        if let Err(wrong) = new.check() {
            return Ok(Noted::Wrong(wrong));
        }
        if !is_within(&call, new.at_ms, now) {
            return Ok(Noted::Wrong(NotAdded::Moment));
        }
        let sql = "SELECT COUNT(*) FROM notes WHERE call = $1";
        let rows = self.store.database.query(sql, &[id.into()])?;
        if rows.first().map_or(Ok(0), |row| row.int(0))? >= MOST {
            return Ok(Noted::Not(Added::Full));
        }
        let note = Note {
            id: random()?.chars().take(16).collect(),
            posted: now.unix_millis(),
            by: self.token.name.clone(),
            kind: new.kind,
            at_ms: new.at_ms,
            text: new.text.trim().to_owned(),
        };
        // Before it is written: a question that failed is asked again, and must not bring the note twice.
        self.store.note_access(self.token, "note.posted", id, now)?;
        let sql = "INSERT INTO notes (id, call, posted, author, name, kind, at, text)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        self.store.database.execute(
            sql,
            &[
                note.id.as_str().into(),
                id.into(),
                note.posted.into(),
                self.token.id.as_str().into(),
                note.by.as_str().into(),
                note.kind.name().into(),
                note.at_ms.into(),
                note.text.as_str().into(),
            ],
        )?;
        Ok(Noted::Done(note))
    }

    /// The supervisors' notes on a call, the oldest first; `None` if the call is not for this reader.
    ///
    /// # Errors
    /// The database's.
    pub fn notes(&mut self, id: &str, now: Timestamp) -> Result<Option<Vec<Note>>, StoreError> {
        if self.row(id, now)?.is_none() {
            return Ok(None);
        }
        self.store.note_access(self.token, "call.read", id, now)?;
        self.store.notes_of(id).map(Some)
    }

    /// Which of these calls supervisors have left notes on, and of what kind, each once. Calls that are not for this
    /// reader have none.
    ///
    /// # Errors
    /// The database's.
    pub fn noted(&mut self, calls: &[Call]) -> Result<Vec<(String, NoteKind)>, StoreError> {
        let calls: Vec<Value> = (calls
            .iter()
            .filter(|call| self.scope.has(call.agent.as_deref()))
            .map(|call| call.id.as_str().into()))
        .collect();
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<String> = (1..=calls.len()).map(|place| format!("${place}")).collect();
        let sql = format!(
            "SELECT DISTINCT call, kind FROM notes WHERE call IN ({}) ORDER BY call, kind",
            places.join(", ")
        );
        let rows = self.store.database.query(&sql, &calls)?;
        let noted = rows.iter().map(|row| Ok((row.text(0)?, NoteKind::parse(&row.text(1)?))));
        let noted: Vec<(String, Option<NoteKind>)> = noted.collect::<Result<_, StoreError>>()?;
        Ok(noted.into_iter().filter_map(|(call, kind)| Some((call, kind?))).collect())
    }

    /// The moments of an agent's own calls of the last three months that supervisors have noted, those noted last
    /// first; none for anybody else.
    ///
    /// # Errors
    /// The database's.
    pub fn moments(&mut self, now: Timestamp) -> Result<Vec<Moment>, StoreError> {
        let Some(agent) = self.token.agent.as_deref().filter(|_| self.token.role == Role::Agent) else {
            return Ok(Vec::new());
        };
        let since = now.unix_millis().saturating_sub(MOMENTS_OF_MS);
        let sql = "SELECT calls.id, calls.started, notes.kind, notes.at, notes.name
                   FROM calls JOIN notes ON notes.call = calls.id WHERE calls.agent = $1 AND calls.started >= $2
                   ORDER BY notes.posted DESC, notes.id DESC LIMIT $3";
        let rows = self.store.database.query(sql, &[agent.into(), since.into(), MOST_MOMENTS.into()])?;
        let unsigned = |value: i64| u64::try_from(value).unwrap_or_default();
        let moment = |row: &Row| {
            Ok(Moment {
                call: row.text(0)?,
                started: unsigned(row.int(1)?),
                kind: NoteKind::parse(&row.text(2)?).ok_or(StoreError::Column { column: 2 })?,
                at_ms: row.maybe_int(3)?.map(unsigned),
                by: row.text(4)?,
            })
        };
        rows.iter().map(moment).collect()
    }

    /// Keeps an agent's own note on a call of theirs, in place of an earlier one; whether the call is theirs.
    ///
    /// # Errors
    /// The database's.
    pub fn write_self_note(
        &mut self,
        id: &str,
        text: &str,
        now: Timestamp,
    ) -> Result<Result<Added, NotAdded>, StoreError> {
        let Some(agent) = self.own(id, now)? else { return Ok(Ok(Added::NoCall)) };
        if !is_text(text) {
            return Ok(Err(NotAdded::Text));
        }
        let sql = "INSERT INTO self_notes (call, agent, posted, text) VALUES ($1, $2, $3, $4)
                   ON CONFLICT (call, agent) DO UPDATE SET posted = excluded.posted, text = excluded.text";
        let text = text.trim();
        let values = [id.into(), agent.into(), now.unix_millis().into(), text.into()];
        self.store.database.execute(sql, &values)?;
        Ok(Ok(Added::Done))
    }

    /// An agent's own note on a call of theirs: the outer `None` if the call is not theirs.
    ///
    /// There is no other way to read one. A supervisor's view has none, and nor has an export.
    ///
    /// # Errors
    /// The database's.
    pub fn self_note(&mut self, id: &str, now: Timestamp) -> Result<Option<Option<SelfNote>>, StoreError> {
        let Some(agent) = self.own(id, now)? else { return Ok(None) };
        let sql = "SELECT posted, text FROM self_notes WHERE call = $1 AND agent = $2";
        let rows = self.store.database.query(sql, &[id.into(), agent.into()])?;
        let note = rows.first().map(|row| {
            let posted = u64::try_from(row.int(0)?).unwrap_or_default();
            Ok::<_, StoreError>(SelfNote { posted, text: row.text(1)? })
        });
        note.transpose().map(Some)
    }

    /// The reader's label, if they are the agent of this call.
    fn own(&mut self, id: &str, now: Timestamp) -> Result<Option<String>, StoreError> {
        if self.token.role != Role::Agent {
            return Ok(None);
        }
        Ok(self.row(id, now)?.and(self.token.agent.clone()))
    }
}
