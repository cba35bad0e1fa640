//! The listening half: from copied packets to insights.
//!
//! [`CallAnalysis`] is one call's pipeline and knows no threads: `sidetone analyze` pushes recordings through the
//! very same code. [`Worker`]s run it live, each on a thread of its own for its share of the calls.

mod call;
pub mod config;
mod cues;
mod ear;
mod inbox;
mod words;
mod worker;

pub use call::CallAnalysis;
pub use cues::{Cues, CuesError};
pub use ear::Audible;
pub use inbox::{Closed, Inbox, Orders, inbox};
pub use words::{
    Dictation, Language, OtherLanguage, Rank, Recognition, Scribe, Tongue, Wording, WordsCounters,
};
pub use worker::{Outcome, Work, Worker, WorkerCounters};
