//! The log of who has looked at what.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use sidetone_events::Timestamp;

use crate::access::Token;
use crate::database::Value;
use crate::error::StoreError;
use crate::query::NoCursor;
use crate::store::Store;

/// A look at something that concerns one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Access {
    /// When, in milliseconds since 1970.
    pub time: u64,
    /// The token's id and name.
    pub token: String,
    /// See above.
    pub name: String,
    /// What was done, as in `call.read`.
    pub action: String,
    /// With what: a call's id.
    pub subject: String,
}

/// A place in the list of accesses: behind so many of those of a moment. Accesses have no number of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessCursor {
    time: u64,
    passed: u32,
}

impl AccessCursor {
    /// The place behind a part of the list that began at `before`.
    #[must_use]
    pub fn behind(part: &[Access], before: Option<Self>) -> Option<Self> {
        let time = part.last()?.time;
        let here = u32::try_from(part.iter().filter(|access| access.time == time).count()).ok()?;
        // A part all of one moment goes on where the one before it has stopped within that moment.
        let passed = before.filter(|before| before.time == time).map_or(0, |before| before.passed);
        Some(Self { time, passed: passed.saturating_add(here) })
    }
}

impl fmt::Display for AccessCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.time, self.passed)
    }
}

impl FromStr for AccessCursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let (time, passed) = text.split_once('-').ok_or(NoCursor)?;
        let (time, passed) = (time.parse().map_err(|_| NoCursor)?, passed.parse().map_err(|_| NoCursor)?);
        Ok(Self { time, passed })
    }
}

impl Store {
    /// Notes that somebody has looked at something that concerns one person.
    ///
    /// # Errors
    /// The database's: then it must not be shown.
    pub fn note_access(
        &mut self,
        token: &Token,
        action: &str,
        subject: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO accesses (time, token, name, action, subject) VALUES ($1, $2, $3, $4, $5)";
        let values = [token.id.as_str(), token.name.as_str(), action, subject].map(Value::from);
        self.database.execute(sql, &[&[now.unix_millis().into()], values.as_slice()].concat()).map(drop)
    }

    /// The newest accesses, `most` at most; those behind a place in the list, if one is given.
    ///
    /// # Errors
    /// The database's.
    pub fn accesses(&mut self, most: u32, after: Option<AccessCursor>) -> Result<Vec<Access>, StoreError> {
        let after = after.unwrap_or(AccessCursor { time: u64::MAX, passed: 0 });
        let sql = "SELECT time, token, name, action, subject FROM accesses WHERE time <= $1
                   ORDER BY time DESC, token, action, subject LIMIT $2 OFFSET $3";
        let rows = self.database.query(sql, &[after.time.into(), most.into(), after.passed.into()])?;
        let accesses = rows.iter().map(|row| {
            let time = u64::try_from(row.int(0)?).unwrap_or_default();
            let (token, name) = (row.text(1)?, row.text(2)?);
            Ok(Access { time, token, name, action: row.text(3)?, subject: row.text(4)? })
        });
        accesses.collect()
    }
}
