//! What is added to a call from outside: its outcome, and what its caller said of it in a survey.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::database::{Database, Row};
use crate::error::StoreError;
use crate::store::Store;

/// The longest reason code, in characters.
const LONGEST_REASON: usize = 64;
/// The longest comment and note, in characters.
pub(crate) const LONGEST_TEXT: usize = 2_000;

/// What became of the caller's matter, as the operator's own systems know it. Members that are `None` are not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CallOutcome {
    /// Whether the matter was resolved.
    pub resolved: Option<bool>,
    /// Whether the call was escalated.
    pub escalated: Option<bool>,
    /// A reason code of the operator's, 1 to 64 printable characters.
    #[schema(min_length = 1, max_length = 64)]
    pub reason: Option<String>,
}

/// What the caller has said of the call afterwards.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Survey {
    /// The empathy shown, from 1 to 5.
    #[schema(minimum = 1, maximum = 5)]
    pub empathy: Option<u8>,
    /// Whether the matter was resolved.
    pub resolved: Option<bool>,
    /// In the caller's own words, 1 to 2,000 characters.
    #[schema(min_length = 1, max_length = 2_000)]
    pub comment: Option<String>,
}

/// What is added can't be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAdded {
    /// There is nothing in it.
    #[error("nothing is told; give at least one member")]
    Empty,
    /// The reason is no code.
    #[error("reason has 1 to 64 printable characters")]
    Reason,
    /// The score is none.
    #[error("empathy goes from 1 to 5")]
    Empathy,
    /// The text is empty, too long, or holds control characters.
    #[error("a text has 1 to 2000 characters; of control characters only line ends and tabs")]
    Text,
    /// The moment is not in the call.
    #[error("at_ms lies behind the end of the call")]
    Moment,
    /// A moment has no place in the call.
    #[error("coaching and empathy are moments of the call: give at_ms")]
    NoMoment,
}

impl CallOutcome {
    /// Whether it can be taken.
    ///
    /// # Errors
    /// The reason why not.
    pub fn check(&self) -> Result<(), NotAdded> {
        let reason = self.reason.as_ref();
        if reason.is_some_and(|it| {
            it.trim().is_empty() || it.chars().count() > LONGEST_REASON || it.chars().any(char::is_control)
        }) {
            return Err(NotAdded::Reason);
        }
        if *self == Self::default() { Err(NotAdded::Empty) } else { Ok(()) }
    }

    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { resolved: yes(row, 0)?, escalated: yes(row, 1)?, reason: row.maybe_text(2)? })
    }
}

impl Survey {
    /// Whether it can be taken.
    ///
    /// # Errors
    /// The reason why not.
    pub fn check(&self) -> Result<(), NotAdded> {
        if self.empathy.is_some_and(|score| !(1..=5).contains(&score)) {
            return Err(NotAdded::Empathy);
        }
        if self.comment.as_ref().is_some_and(|comment| !is_text(comment)) {
            return Err(NotAdded::Text);
        }
        if *self == Self::default() { Err(NotAdded::Empty) } else { Ok(()) }
    }

    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let empathy = row.maybe_int(0)?.and_then(|score| u8::try_from(score).ok());
        Ok(Self { empathy, resolved: yes(row, 1)?, comment: row.maybe_text(2)? })
    }
}

impl Survey {
    /// Keeps it as the one of a call.
    pub(crate) fn keep(&self, database: &mut dyn Database, call: &str, now: u64) -> Result<(), StoreError> {
        let sql = "INSERT INTO surveys (call, posted, empathy, resolved, comment) VALUES ($1, $2, $3, $4, $5)
                   ON CONFLICT (call) DO UPDATE SET posted = excluded.posted, empathy = excluded.empathy,
                       resolved = excluded.resolved, comment = excluded.comment";
        let empathy = self.empathy.map(u32::from);
        let values =
            [call.into(), now.into(), empathy.into(), self.resolved.into(), self.comment.clone().into()];
        database.execute(sql, &values).map(drop)
    }
}

/// Whether a text that somebody has written can be kept.
pub(crate) fn is_text(text: &str) -> bool {
    let plain = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    !text.trim().is_empty() && text.chars().count() <= LONGEST_TEXT && text.chars().all(plain)
}

fn yes(row: &Row, column: usize) -> Result<Option<bool>, StoreError> {
    Ok(row.maybe_int(column)?.map(|value| value != 0))
}

/// A call that something is to be added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It has been added, or has replaced what stood there.
    Done,
    /// There is no such call for this reader.
    NoCall,
    /// More than one call has that SIP Call-ID.
    Several,
    /// The call has as many of them as it may have.
    Full,
}

impl Store {
    pub(crate) fn outcome_of(&mut self, call: &str) -> Result<Option<CallOutcome>, StoreError> {
        let sql = "SELECT resolved, escalated, reason FROM outcomes WHERE call = $1";
        self.database.query(sql, &[call.into()])?.first().map(CallOutcome::from_row).transpose()
    }

    pub(crate) fn survey_of(&mut self, call: &str) -> Result<Option<Survey>, StoreError> {
        let sql = "SELECT empathy, resolved, comment FROM surveys WHERE call = $1";
        self.database.query(sql, &[call.into()])?.first().map(Survey::from_row).transpose()
    }
}
