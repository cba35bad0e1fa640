//! Deleting: what is too old, and what a caller asks to be erased.

use serde::Serialize;
use sidetone_events::{HashedNumber, Timestamp};

use crate::config::StoreConfig;
use crate::database::{Database, Row, Value, transaction};
use crate::error::StoreError;
use crate::store::Store;
use crate::sums::mark_stale;

const DAY_MS: u64 = 86_400_000;
/// Days for which an erased call is remembered: longer than any spool keeps its events by default, or a call is up.
const KEEP_ERASED_DAYS: u32 = 90;
/// Most calls whose content is deleted in one transaction: others may want to write in between.
const AT_ONCE: u64 = 500;

/// An erasure that was asked for, and carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Erasure {
    /// When, in milliseconds since 1970.
    pub time: u64,
    /// Calls that were deleted, with everything about them.
    pub calls: u64,
}

/// What an erasure took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Erased {
    /// Calls, with everything about them.
    pub calls: u64,
}

impl Store {
    /// Deletes what is older than the configuration keeps, some hundred calls of it; how many calls were deleted.
    pub(crate) fn expire(&mut self, config: &StoreConfig, now: Timestamp) -> Result<u64, StoreError> {
        let mut deleted = 0;
        let before = |days: u32| now.unix_millis().saturating_sub(u64::from(days) * DAY_MS);
        if config.keep_timelines_days > 0 {
            let bound: Value = before(config.keep_timelines_days).into();
            transaction(self.database.as_mut(), |database| {
                for table in ["affect", "events"] {
                    let sql = format!(
                        "DELETE FROM {table} WHERE call IN (SELECT id FROM calls WHERE started < $1 AND ended IS NOT NULL
                             AND EXISTS (SELECT 1 FROM {table} AS its WHERE its.call = calls.id)
                         ORDER BY started LIMIT $2)"
                    );
                    deleted += database.execute(&sql, &[bound.clone(), AT_ONCE.into()])?;
                }
                Ok(())
            })?;
        }
        if config.keep_words_days > 0 {
            deleted += self.expire_words(before(config.keep_words_days))?;
        }
        let bound: Value = before(KEEP_ERASED_DAYS).into();
        self.database.execute("DELETE FROM erased_calls WHERE time < $1", &[bound])?;
        let mut calls = 0;
        if config.keep_calls_days > 0 {
            let bound: Value = before(config.keep_calls_days).into();
            // Their days' sums stay: they tell of nobody in particular.
            let sql = "DELETE FROM calls WHERE id IN (
                           SELECT id FROM calls WHERE started < $1 AND ended IS NOT NULL ORDER BY started LIMIT $2)";
            calls = self.database.execute(sql, &[bound.clone(), AT_ONCE.into()])?;
            if calls > 0 {
                let sql = "UPDATE sidetone_store SET kept_from = $1 WHERE kept_from < $1";
                self.database.execute(sql, &[bound])?;
            }
        }
        if calls + deleted > 0 {
            self.database.overwrite_erased()?;
        }
        Ok(calls)
    }

    /// Deletes the words of some calls that began before a time and are over; how many calls had any.
    fn expire_words(&mut self, before: u64) -> Result<u64, StoreError> {
        let sql = "SELECT id FROM calls WHERE worded = 1 AND started < $1 AND ended IS NOT NULL
                   ORDER BY started LIMIT $2";
        let calls = self.database.query(sql, &[before.into(), AT_ONCE.into()])?;
        transaction(self.database.as_mut(), |database| {
            for row in &calls {
                let call: Value = row.text(0)?.into();
                let sql = "DELETE FROM events WHERE call = $1 AND kind IN ('words.final', 'words.topic')";
                database.execute(sql, std::slice::from_ref(&call))?;
                let sql = "SELECT seq, data FROM events WHERE call = $1 AND kind = 'affect.alert'";
                for alert in database.query(sql, std::slice::from_ref(&call))? {
                    let mut data: serde_json::Value =
                        serde_json::from_str(&alert.text(1)?).unwrap_or_default();
                    if data.as_object_mut().and_then(|data| data.remove("phrase")).is_some() {
                        let sql = "UPDATE events SET data = $3 WHERE call = $1 AND seq = $2";
                        let place = [call.clone(), alert.int(0)?.into(), data.to_string().into()];
                        database.execute(sql, &place)?;
                    }
                }
                database.execute("UPDATE calls SET worded = NULL WHERE id = $1", &[call])?;
            }
            Ok(calls.len() as u64)
        })
    }

    /// Deletes every call of a number, whichever side it was on, with everything about them.
    ///
    /// # Errors
    /// The database's: then nothing is deleted.
    pub fn erase_number(&mut self, number: &HashedNumber, now: Timestamp) -> Result<Erased, StoreError> {
        let number: Value = number.to_string().into();
        let erased = transaction(self.database.as_mut(), |database: &mut dyn Database| {
            let of = "WHERE caller = $1 OR callee = $1";
            // What the spool still holds of them, or a call that is up still tells, must not bring them back.
            database.execute(
                &format!("INSERT INTO erased_calls (id, time) SELECT id, $2 FROM calls {of} ON CONFLICT (id) DO NOTHING"),
                &[number.clone(), now.unix_millis().into()],
            )?;
            for row in database
                .query(&format!("SELECT DISTINCT started FROM calls {of}"), std::slice::from_ref(&number))?
            {
                mark_stale(database, u64::try_from(row.int(0)?).unwrap_or_default())?;
            }
            let calls = database.execute(&format!("DELETE FROM calls {of}"), &[number])?;
            // Whose calls they were is what had to be forgotten.
            let noted = [now.unix_millis().into(), calls.into()];
            database.execute("INSERT INTO erasures (time, calls) VALUES ($1, $2)", &noted)?;
            Ok(Erased { calls })
        })?;
        self.database.overwrite_erased()?;
        Ok(erased)
    }

    /// The newest erasures that were asked for, `most` at most.
    ///
    /// # Errors
    /// The database's.
    pub fn erasures(&mut self, most: u32) -> Result<Vec<Erasure>, StoreError> {
        let rows = self
            .database
            .query("SELECT time, calls FROM erasures ORDER BY time DESC LIMIT $1", &[most.into()])?;
        let unsigned = |value: i64| u64::try_from(value).unwrap_or_default();
        let erasure = |row: &Row| Ok(Erasure { time: unsigned(row.int(0)?), calls: unsigned(row.int(1)?) });
        rows.iter().map(erasure).collect()
    }
}
