//! The call book: all calls that are up, and the effects that follow for analysis workers, announcements, receipts and
//! event sinks.
//!
//! The book itself (`book`, and a file for each subject) has no I/O: it takes the time and facts, and asks for effects,
//! in order. [`Calls`] keeps it behind a lock and carries out its effects after that lock, and the SIP core's, are
//! dropped.
#![forbid(unsafe_code)]

mod book;
mod calls;
mod carrier;
mod closing;
mod consent;
mod counters;
mod cues;
mod decisions;
mod disclosure;
mod effect;
mod entry;
mod facts;
mod hearing;
mod kept;
mod labels;
mod lookup;
mod media;
mod playback;
mod quality;
mod receipts;
mod rules;
mod secured;
mod spreading;
mod telling;
mod transcript;
mod transfers;
mod view;
mod words;

pub use calls::Calls;
pub use counters::{CallCounters, SuiteCounts};
pub use cues::NotAnswered;
pub use disclosure::NotPlayed;
pub use lookup::NotOne;
pub use media::Judged;
pub use receipts::Receipts;
pub use rules::{Numbers, OnList, RoutedTo, Rules};
pub use telling::NotTaken;
pub use transcript::WordsView;
pub use view::{CallView, CueView, LegView, Phase, SignallingView, StreamView};

/// The running build.
pub const BUILD: &str = concat!("sidetone ", env!("CARGO_PKG_VERSION"));
