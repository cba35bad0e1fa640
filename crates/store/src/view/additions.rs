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
        self.add(id, "outcome.posted", now, |database, call, now| {
            let place: [Value; 2] = [call.into(), now.into()];
            database.execute(sql, &[place.as_slice(), values.as_slice()].concat()).map(drop)
        })
    }

    /// Keeps what a call's caller has said in a survey, in place of an earlier one. The call is named by Sidetone's id
    /// or by its SIP Call-ID.
    ///
    /// # Errors
    /// The database's.
    pub fn add_survey(&mut self, id: &str, survey: &Survey, now: Timestamp) -> Result<Added, StoreError> {
        self.add(id, "survey.posted", now, |database, call, now| survey.keep(database, call, now))
    }

    fn add(
        &mut self,
        id: &str,
        action: &str,
        now: Timestamp,
        keep: impl Fn(&mut dyn Database, &str, u64) -> Result<(), StoreError>,
    ) -> Result<Added, StoreError> {
        let call = match self.named(id, now)? {
            Ok(call) => call,
            Err(not) => return Ok(not),
        };
        transaction(self.store.database.as_mut(), |database: &mut dyn Database| {
            keep(database, &call.id, now.unix_millis())?;
            mark_stale(database, call.started)
        })?;
        self.store.note_access(self.token, action, &call.id, now)?;
        Ok(Added::Done)
    }

    /// The call of an id of Sidetone's, else the one with that SIP Call-ID.
    pub(crate) fn named(&mut self, id: &str, now: Timestamp) -> Result<Result<Call, Added>, StoreError> {
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
