//! The parts of a call that are written down, each by whoever knows it.

/// A part of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// Dialogs, offers and answers, ports.
    Signalling = 1,
    /// CSeq numbers in the dialogs that requests of our own were slipped into.
    Numbering = 2,
    /// Whom media come from, how packets are numbered, what was counted.
    Media = 3,
    /// Names, consent, labels.
    Book = 4,
    /// What was inferred, where consent covers it.
    Insight = 5,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 5] = [Self::Signalling, Self::Numbering, Self::Media, Self::Book, Self::Insight];

    pub(crate) const fn number(self) -> i64 {
        self as i64
    }

    pub(crate) fn of_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.number() == number)
    }
}
