//! Deletion of entries that need not be kept.

use rusqlite::params;
use sidetone_events::Timestamp;

use super::{SpoolFile, from_sql, to_sql};
use crate::error::SpoolError;

/// Most entries that are deleted in one transaction: readers and the writer get their turn in between.
const AT_ONCE: i64 = 1_000;
/// Entries that are events and not erasures.
const EVENTS: &str = "json IS NOT NULL";

impl SpoolFile {
    /// Deletes entries that every reader has kept, entries written before `expired`, and then the oldest until at most
    /// `max_bytes` are in use. Returns how many deleted entries a reader had not read.
    ///
    /// Erasures that a reader has not read stay, whatever the bounds: an event that is lost lacks in a copy, but what a
    /// customer objects to would stand there for good. There is one a call at most, of some 80 bytes.
    ///
    /// # Errors
    /// [`SpoolError::Database`]: entries deleted before it stay deleted.
    pub(crate) fn trim(&mut self, max_bytes: u64, expired: Option<Timestamp>) -> Result<u64, SpoolError> {
        // Without a reader no entry has been kept elsewhere.
        let kept: Option<i64> =
            self.connection.query_row("SELECT MIN(position) FROM reader", [], |row| row.get(0))?;
        if let Some(kept) = kept {
            while self.delete_most("position <= ?1", kept, AT_ONCE, "1")? > 0 {}
        }
        let mut unread = 0;
        let which = if kept.is_some() { EVENTS } else { "1" };
        if let Some(expired) = expired {
            loop {
                let deleted =
                    self.delete_most("written < ?1", to_sql(expired.unix_millis()), AT_ONCE, which)?;
                unread += deleted;
                if deleted == 0 {
                    break;
                }
            }
        }
        loop {
            let bytes = self.bytes()?;
            let excess = bytes.saturating_sub(max_bytes);
            if excess == 0 {
                break;
            }
            let (first, last) = (self.edge("MIN")?, self.edge("MAX")?);
            let entries = from_sql(last.unwrap_or(0) - first.unwrap_or(0) + 1);
            // As many as take up that much on the mean; what they leave in half-empty pages shows in the next round.
            let most = excess.saturating_mul(entries).div_ceil(bytes.max(1)).clamp(1, from_sql(AT_ONCE));
            let deleted = self.delete_most("position <= ?1", i64::MAX, to_sql(most), which)?;
            unread += deleted;
            if deleted == 0 {
                break;
            }
        }
        Ok(if kept.is_some() { unread } else { 0 })
    }

    /// Deletes the oldest entries of a kind for which a condition holds. Entries are ordered by time and position, so
    /// the condition holds for the first of them.
    fn delete_most(
        &mut self,
        condition: &str,
        bound: i64,
        most: i64,
        which: &str,
    ) -> Result<u64, SpoolError> {
        let sql = format!(
            "DELETE FROM entry WHERE {condition}
             AND position IN (SELECT position FROM entry WHERE {which} ORDER BY position LIMIT ?2)"
        );
        let deleted = self.connection.prepare_cached(&sql)?.execute(params![bound, most])?;
        Ok(from_sql(i64::try_from(deleted).unwrap_or(i64::MAX)))
    }
}
