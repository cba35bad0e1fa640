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
        while self.bytes()? > max_bytes {
            let deleted = self.delete("position <= ?1", i64::MAX)?;
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
        let sql = format!(
            "DELETE FROM entry WHERE {condition}
             AND position IN (SELECT position FROM entry ORDER BY position LIMIT ?2)"
        );
        let deleted = self.connection.prepare_cached(&sql)?.execute(params![bound, AT_ONCE])?;
        Ok(from_sql(i64::try_from(deleted).unwrap_or(i64::MAX)))
    }
}
