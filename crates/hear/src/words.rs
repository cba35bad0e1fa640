//! Words: customers' utterances to recognisers, which have threads of their own, and what was said back to the calls.
//!
//! Nothing here is waited for. A call puts a piece of sound in and asks later whether anything has come; a recogniser
//! that is slow, stuck or gone costs words and nothing else. When there is more speech than time, it is shed by rule
//! ([`backlog`]), counted, and logged once.

mod backlog;
mod config;
mod counters;
mod recognition;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

pub use backlog::Rank;
pub use config::{Language, OtherLanguage, Tongue, Wording};
pub use counters::WordsCounters;
pub use recognition::Recognition;
use sidetone_language::reader::{Reader, Said, Speaker};
use sidetone_language::utterance::Piece;

/// Where a call's utterances are recognised.
#[derive(Debug, Clone)]
pub enum Scribe {
    /// On threads that serve all calls.
    Elsewhere(Arc<Recognition>),
    /// On the calling thread, which waits: for recordings.
    Here(Arc<Mutex<Reader>>),
}

impl Scribe {
    /// A party whose utterances are recognised from now on, in its language.
    #[must_use]
    pub fn begin(&self, speaker: fn() -> Speaker, rank: Rank, tongue: Tongue) -> Dictation {
        match self {
            Self::Elsewhere(recognition) => Dictation::Elsewhere(recognition.join(speaker, rank, tongue)),
            Self::Here(reader) => {
                let (reader, speaker) = (Arc::clone(reader), Box::new(speaker()));
                Dictation::Here { reader, speaker, said: Vec::new(), tongue }
            }
        }
    }
}

/// One party's utterances on their way to words. Dropping it drops what waits, and stops what is being recognised.
#[derive(Debug)]
pub enum Dictation {
    /// On threads that serve all calls.
    Elsewhere(recognition::Party),
    /// On the calling thread.
    Here {
        /// The one that reads.
        reader: Arc<Mutex<Reader>>,
        /// What is known of the speaker.
        speaker: Box<Speaker>,
        /// What has been said.
        said: Vec<Said>,
        /// The language that is spoken.
        tongue: Tongue,
    },
}

impl Dictation {
    /// Has a piece recognised.
    pub fn give(&mut self, piece: Piece) {
        match self {
            Self::Elsewhere(party) => party.give(piece),
            Self::Here { reader, speaker, said, tongue } if piece.whole => {
                let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
                said.extend(reader.read(tongue.as_deref(), speaker, &piece, &|| false).ok().flatten());
            }
            // Whoever waits anyway gains nothing by provisional words.
            Self::Here { .. } => {}
        }
    }

    /// The other party has said this, redacted: it may have asked for a number.
    pub fn asked(&mut self, text: &str) {
        match self {
            Self::Elsewhere(party) => party.asked(text),
            Self::Here { speaker, .. } => speaker.asked(text),
        }
    }

    /// The call's tier has changed.
    pub fn rank(&mut self, rank: Rank) {
        if let Self::Elsewhere(party) = self {
            party.rank(rank);
        }
    }

    /// The language that it is recognised in.
    #[must_use]
    pub fn tongue(&self) -> &Tongue {
        match self {
            Self::Elsewhere(party) => party.tongue(),
            Self::Here { tongue, .. } => tongue,
        }
    }

    /// What has been said since the last time, in order.
    pub fn take(&mut self) -> Vec<Said> {
        match self {
            Self::Elsewhere(party) => party.take(),
            Self::Here { said, .. } => std::mem::take(said),
        }
    }

    /// Whether whole utterances are still to come back.
    #[must_use]
    pub fn awaits(&self) -> bool {
        match self {
            Self::Elsewhere(party) => party.awaits(),
            Self::Here { .. } => false,
        }
    }
}
