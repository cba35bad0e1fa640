//! Filters of the list of calls that somebody keeps: the query of the list's address, under a name.

use sidetone_call::Label;

use super::View;
use crate::error::StoreError;

/// Most filters of one person.
const MOST: i64 = 20;
/// The longest query, in bytes: every part of one at its longest, written as an address writes it.
const LONGEST: usize = 4_096;

/// A filter of the list of calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFilter {
    /// Its name.
    pub name: String,
    /// The query, as `?queue=billing&outcome=upset`.
    pub query: String,
}

impl View<'_> {
    /// The reader's filters, by name.
    ///
    /// # Errors
    /// The database's.
    pub fn filters(&mut self) -> Result<Vec<KeptFilter>, StoreError> {
        let sql = "SELECT name, query FROM filters WHERE token = $1 ORDER BY name";
        let rows = self.store.database.query(sql, &[self.token.id.as_str().into()])?;
        rows.iter().map(|row| Ok(KeptFilter { name: row.text(0)?, query: row.text(1)? })).collect()
    }

    /// Keeps a filter for the reader alone, in place of one of that name; whether there was room for it.
    ///
    /// # Errors
    /// The database's.
    pub fn keep_filter(&mut self, name: &Label, query: &str) -> Result<bool, StoreError> {
        let token = self.token.id.as_str();
        let others = "SELECT COUNT(*) FROM filters WHERE token = $1 AND name <> $2";
        let rows = self.store.database.query(others, &[token.into(), name.as_str().into()])?;
        if query.len() > LONGEST || rows.first().map_or(Ok(0), |row| row.int(0))? >= MOST {
            return Ok(false);
        }
        let sql = "INSERT INTO filters (token, name, query) VALUES ($1, $2, $3)
                   ON CONFLICT (token, name) DO UPDATE SET query = excluded.query";
        self.store.database.execute(sql, &[token.into(), name.as_str().into(), query.into()])?;
        Ok(true)
    }

    /// Forgets a filter of the reader's.
    ///
    /// # Errors
    /// The database's.
    pub fn forget_filter(&mut self, name: &str) -> Result<(), StoreError> {
        let sql = "DELETE FROM filters WHERE token = $1 AND name = $2";
        self.store.database.execute(sql, &[self.token.id.as_str().into(), name.into()]).map(drop)
    }
}
