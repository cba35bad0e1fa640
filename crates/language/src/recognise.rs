//! 16 kHz sound to a transcript.

use std::time::Duration;

/// What was recognised in one piece of sound. It may hold numbers and names: it is redacted before it leaves the crate.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transcript {
    /// The words, with the recogniser's own punctuation and capitals.
    pub text: String,
    /// Each word with its time from the beginning of the sound.
    pub words: Vec<Word>,
    /// Mean probability of the chosen tokens, `[0, 1]`.
    pub confidence: f32,
    /// Why the words should not be used, if so.
    pub doubt: Option<Doubt>,
}

/// A recognised word.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// As it stands in the text.
    pub text: String,
    /// Its beginning.
    pub from: Duration,
    /// Its end.
    pub to: Duration,
}

/// Why a transcript is not to be trusted: it was likely made up by the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// The network was not sure that anybody spoke.
    NoSpeech,
    /// The same words over and over.
    Repetition,
    /// More words than anybody could say in that time.
    TooManyWords,
    /// The tokens' mean probability was too low.
    Unsure,
}
