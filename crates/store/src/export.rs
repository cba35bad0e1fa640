//! Tables as CSV, row by row.

use std::io::Write;

use crate::database::Value;
use crate::error::StoreError;
use crate::query::columns;
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
    /// A row a day, trunk and direction.
    Days,
}

impl Table {
    fn sql(self) -> (String, &'static str) {
        match self {
            Self::Calls => (columns().to_owned(), "calls ORDER BY started, id"),
            Self::Affect => ("call, seq, at, valence, arousal, distress, confidence".to_owned(), "affect ORDER BY call, seq"),
            Self::Events => ("call, seq, at, kind, data".to_owned(), "events ORDER BY call, seq"),
            Self::Days => (
                "day, trunk, direction, calls, answered, handled_ms, agreed, opted_out, speech_ms, judged_ms, judged, \
                 upset, recovered, improved, declined, shifts, shift_sum, shift_squares"
                    .to_owned(),
                "days ORDER BY day, trunk, direction",
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
