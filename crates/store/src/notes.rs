//! Notes on a call: a supervisor's, for the call's agent, and an agent's own.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::added::{Added, NotAdded, is_text};
use crate::database::Row;
use crate::error::StoreError;
use crate::store::Store;

/// What a note is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NoteKind {
    /// A moment to learn from.
    Coaching,
    /// A moment of empathy.
    Empathy,
    /// Anything else.
    Note,
}

impl NoteKind {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Coaching, Self::Empathy, Self::Note];

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Coaching => "coaching",
            Self::Empathy => "empathy",
            Self::Note => "note",
        }
    }
}

/// A note to be kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewNote {
    /// What it is about.
    pub kind: NoteKind,
    /// The moment that it is about, in milliseconds since the call's INVITE; of a plain note, it may be left out.
    #[serde(default)]
    pub at_ms: Option<u64>,
    /// 1 to 2,000 characters.
    #[schema(min_length = 1, max_length = 2_000)]
    pub text: String,
}

impl NewNote {
    /// Whether it can be taken, but for the moment, which is the call's to know.
    ///
    /// # Errors
    /// The reason why not.
    pub fn check(&self) -> Result<(), NotAdded> {
        if !is_text(&self.text) {
            return Err(NotAdded::Text);
        }
        if self.kind != NoteKind::Note && self.at_ms.is_none() { Err(NotAdded::NoMoment) } else { Ok(()) }
    }
}

/// A note, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Note {
    /// Its own id.
    pub id: String,
    /// When it was written, in milliseconds since 1970.
    pub posted: u64,
    /// Its writer, by the name of their token.
    pub by: String,
    /// What it is about.
    pub kind: NoteKind,
    /// The moment that it is about, in milliseconds since the call's INVITE.
    pub at_ms: Option<u64>,
    /// The text.
    pub text: String,
}

/// An agent's own note on a call, which is for nobody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SelfNote {
    /// When it was written, in milliseconds since 1970.
    pub posted: u64,
    /// The text.
    pub text: String,
}

/// A moment of an agent's own call that a supervisor has noted. What the note says stands with the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Sidetone's id of the call.
    pub call: String,
    /// When the call came in, in milliseconds since 1970.
    pub started: u64,
    /// What the note is about.
    pub kind: NoteKind,
    /// The moment that it is about, in milliseconds since the call's INVITE.
    pub at_ms: Option<u64>,
    /// The note's writer, by the name of their token.
    pub by: String,
}

/// What came of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Noted {
    /// It is kept.
    Done(Note),
    /// There is no such call for this reader, or the call has as many notes as it may have.
    Not(Added),
    /// It can't be taken.
    Wrong(NotAdded),
}

fn note(row: &Row) -> Result<Note, StoreError> {
    let unsigned = |value: i64| u64::try_from(value).unwrap_or_default();
    let kind = row.text(3)?;
    Ok(Note {
        id: row.text(0)?,
        posted: unsigned(row.int(1)?),
        by: row.text(2)?,
        kind: NoteKind::parse(&kind).ok_or(StoreError::Column { column: 3 })?,
        at_ms: row.maybe_int(4)?.map(unsigned),
        text: row.text(5)?,
    })
}

impl Store {
    pub(crate) fn notes_of(&mut self, call: &str) -> Result<Vec<Note>, StoreError> {
        let sql = "SELECT id, posted, name, kind, at, text FROM notes WHERE call = $1 ORDER BY posted, id";
        self.database.query(sql, &[call.into()])?.iter().map(note).collect()
    }
}
