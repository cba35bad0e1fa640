//! Tables as CSV, row by row, or as Parquet, some thousand rows at a time.

mod parquet;

use std::io::Write;

use crate::database::Value;
use crate::error::StoreError;
use crate::query::{columns, day_columns};
use crate::store::Store;

/// A table that can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// A row a call.
    Calls,
    /// A row a moment of a call's timeline.
    Affect,
    /// A row an event, its data as JSON.
    Events,
    /// A row a call of which an outcome was posted.
    Outcomes,
    /// A row a call whose caller has answered a survey.
    Surveys,
    /// A row a supervisor's note. What agents have noted for themselves is in no export.
    Notes,
    /// A row a day, direction, and trunk, queue, team or tier.
    Days,
    /// A row a day, team, and topic that customers named.
    Topics,
}

impl Table {
    /// Each of them.
    pub const ALL: [Self; 8] = [
        Self::Calls,
        Self::Affect,
        Self::Events,
        Self::Outcomes,
        Self::Surveys,
        Self::Notes,
        Self::Days,
        Self::Topics,
    ];

    fn sql(self) -> (String, &'static str) {
        match self {
            Self::Calls => (columns().to_owned(), "calls ORDER BY started, id"),
            Self::Affect => (
                "call, seq, at, valence, arousal, distress, confidence".to_owned(),
                "affect ORDER BY call, seq",
            ),
            Self::Events => ("call, seq, at, kind, data".to_owned(), "events ORDER BY call, seq"),
            Self::Outcomes => {
                ("call, posted, resolved, escalated, reason".to_owned(), "outcomes ORDER BY call")
            }
            Self::Surveys => ("call, posted, empathy, resolved, comment".to_owned(), "surveys ORDER BY call"),
            Self::Notes => (
                "id, call, posted, author, name, kind, at, text".to_owned(),
                "notes ORDER BY call, posted, id",
            ),
            Self::Days => (day_columns().to_owned(), "days ORDER BY day, grouped, label, direction"),
            Self::Topics => (
                "day, topic, team, calls, upset, recovered, agents".to_owned(),
                "topic_days ORDER BY day, topic, team",
            ),
        }
    }
}

impl Store {
    /// Writes a table as CSV with a header; how many rows.
    ///
    /// # Errors
    /// The database's, and [`StoreError::Export`].
    pub fn export(&mut self, table: Table, to: impl Write) -> Result<u64, StoreError> {
        let (columns, from) = table.sql();
        let mut writer = csv::Writer::from_writer(to);
        writer.write_record(columns.split(',').map(str::trim))?;
        let mut rows = 0;
        self.database.each(&format!("SELECT {columns} FROM {from}"), &[], &mut |row| {
            rows += 1;
            writer.write_record(row.0.iter().map(|value| match value {
                Value::Null => String::new(),
                Value::Int(value) => value.to_string(),
                Value::Real(value) => value.to_string(),
                // A spreadsheet takes such a text for a formula, and a carrier may write what it likes into a Call-ID.
                Value::Text(value) if value.starts_with(['=', '+', '-', '@', '\t', '\r']) => {
                    format!("'{value}")
                }
                Value::Text(value) => value.clone(),
            }))?;
            Ok(())
        })?;
        writer.flush().map_err(csv::Error::from)?;
        Ok(rows)
    }
}
