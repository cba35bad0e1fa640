//! Outcomes and surveys, added by those who may.

use sidetone_events::Timestamp;

use super::View;
use crate::added::{Added, CallOutcome, Survey};
use crate::database::{Database, Value, transaction};
use crate::error::StoreError;
use crate::query::Call;
use crate::sums::mark_stale;

impl View<'_> {
    /// Keeps a call's outcome in place of an earlier one. The call is named by Sidetone's id or by its SIP Call-ID.
    ///
    /// # Errors
    /// The database's.
    pub fn add_outcome(
        &mut self,
        id: &str,
        outcome: &CallOutcome,
        now: Timestamp,
    ) -> Result<Added, StoreError> {
        let values: [Value; 3] =
            [outcome.resolved.into(), outcome.escalated.into(), outcome.reason.clone().into()];
        let sql =
            "INSERT INTO outcomes (call, posted, resolved, escalated, reason) VALUES ($1, $2, $3, $4, $5)
                   ON CONFLICT (call) DO UPDATE SET posted = excluded.posted, resolved = excluded.resolved,
                       escalated = excluded.escalated, reason = excluded.reason";
        self.add(id, "outcome.posted", sql, &values, now)
    }

    /// Keeps what a call's caller has said in a survey, in place of an earlier one. The call is named by Sidetone's id
    /// or by its SIP Call-ID.
    ///
    /// # Errors
    /// The database's.
    pub fn add_survey(&mut self, id: &str, survey: &Survey, now: Timestamp) -> Result<Added, StoreError> {
        let values: [Value; 3] =
            [survey.empathy.map(u32::from).into(), survey.resolved.into(), survey.comment.clone().into()];
        let sql = "INSERT INTO surveys (call, posted, empathy, resolved, comment) VALUES ($1, $2, $3, $4, $5)
                   ON CONFLICT (call) DO UPDATE SET posted = excluded.posted, empathy = excluded.empathy,
                       resolved = excluded.resolved, comment = excluded.comment";
        self.add(id, "survey.posted", sql, &values, now)
    }

    fn add(
        &mut self,
        id: &str,
        action: &str,
        sql: &str,
        values: &[Value],
        now: Timestamp,
    ) -> Result<Added, StoreError> {
        let call = match self.named(id, now)? {
            Ok(call) => call,
            Err(not) => return Ok(not),
        };
        transaction(self.store.database.as_mut(), |database: &mut dyn Database| {
            let place = [call.id.as_str().into(), now.unix_millis().into()];
            database.execute(sql, &[place.as_slice(), values].concat())?;
            mark_stale(database, call.started)
        })?;
        self.store.note_access(self.token, action, &call.id, now)?;
        Ok(Added::Done)
    }

    /// The call of an id of Sidetone's, else the one with that SIP Call-ID.
    fn named(&mut self, id: &str, now: Timestamp) -> Result<Result<Call, Added>, StoreError> {
        if let Some(call) = self.row(id, now)? {
            return Ok(Ok(call));
        }
        let sql = "SELECT id FROM calls WHERE sip_call_id = $1 LIMIT 2";
        let found = self.store.database.query(sql, &[id.into()])?;
        match found.as_slice() {
            [] => Ok(Err(Added::NoCall)),
            [one] => Ok(self.row(&one.text(0)?, now)?.ok_or(Added::NoCall)),
            _ => Ok(Err(Added::Several)),
        }
    }
}
