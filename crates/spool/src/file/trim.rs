//! Deletion of entries that need not be kept.

use rusqlite::params;
use sidetone_events::Timestamp;

use super::{SpoolFile, from_sql, to_sql};
use crate::error::SpoolError;

/// Most entries that are deleted in one transaction: readers and the writer get their turn in between.
const AT_ONCE: i64 = 1_000;

impl SpoolFile {
    /// Deletes entries that every reader has kept, entries written before `expired`, and then the oldest until at most
    /// `max_bytes` are in use. Returns how many deleted entries a reader had not read.
    ///
    /// # Errors
    /// [`SpoolError::Database`]: entries deleted before it stay deleted.
    pub(crate) fn trim(&mut self, max_bytes: u64, expired: Option<Timestamp>) -> Result<u64, SpoolError> {
        // Without a reader no entry has been kept elsewhere.
        let kept: Option<i64> =
            self.connection.query_row("SELECT MIN(position) FROM reader", [], |row| row.get(0))?;
        if let Some(kept) = kept {
            while self.delete("position <= ?1", kept)? > 0 {}
        }
        let mut unread = 0;
        if let Some(expired) = expired {
            loop {
                let deleted = self.delete("written < ?1", to_sql(expired.unix_millis()))?;
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
            let deleted = self.delete_most("position <= ?1", i64::MAX, to_sql(most))?;
            unread += deleted;
            if deleted == 0 {
                break;
            }
        }
        Ok(if kept.is_some() { unread } else { 0 })
    }

    /// Deletes the oldest entries for which a condition holds. Entries are ordered by time and position, so the
    /// condition holds for a prefix of them.
    fn delete(&mut self, condition: &str, bound: i64) -> Result<u64, SpoolError> {
        self.delete_most(condition, bound, AT_ONCE)
    }

    fn delete_most(&mut self, condition: &str, bound: i64, most: i64) -> Result<u64, SpoolError> {
        let sql = format!(
            "DELETE FROM entry WHERE {condition}
             AND position IN (SELECT position FROM entry ORDER BY position LIMIT ?2)"
        );
        let deleted = self.connection.prepare_cached(&sql)?.execute(params![bound, most])?;
        Ok(from_sql(i64::try_from(deleted).unwrap_or(i64::MAX)))
    }
}
