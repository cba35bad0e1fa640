//! 16 kHz sound to a transcript: English by Moonshine (Jeffries et al. 2024, arXiv 2410.15608; MIT), other languages by
//! Whisper.
//!
//! | module | subject |
//! | --- | --- |
//! | `installed` | whichever network a folder holds |
//! | `recogniser` | Moonshine: a folder with it, to transcripts |
//! | `encoder`, `decoder`, `shape` | its network |
//! | [`whisper`] | Whisper |
//! | `layers`, `linear` | what both are made of |
//! | `attention`, `matrix` | products with single vectors |
//! | `alignment` | when each word was said |
//! | `guards` | whether anybody said it |
//! | `sound` | 8 kHz to 16 kHz |
//! | [`vocabulary`] | tokens to text |
//! | [`weights`] | the file that holds the weights |
//! | [`naming`], [`ort`] | the same weights as ONNX Runtime's files hold them |

mod alignment;
mod attention;
mod decoder;
mod encoder;
mod guards;
mod installed;
mod layers;
mod linear;
mod matrix;
pub mod naming;
pub mod ort;
mod recogniser;
mod shape;
mod sound;
pub mod vocabulary;
pub mod weights;
pub mod whisper;

use std::time::Duration;

pub use installed::{Installed, open};
pub use recogniser::{LONGEST, OpenError, OpenReason, Recogniser, TOKENS, WEIGHTS};
pub use sound::{RATE, widen};

/// A network that recognises speech. One thread uses it at a time.
pub trait Recognise: Send {
    /// The language of what it gives, as in BCP 47: `en`.
    fn language(&self) -> &str;

    /// Recognises one utterance, 8 kHz mono. `abandoned` is asked between steps of at most some 20 ms: once it says
    /// yes, nothing is given.
    ///
    /// # Errors
    /// [`NotRecognised`].
    fn transcribe(
        &mut self,
        sound: &[i16],
        abandoned: &dyn Fn() -> bool,
    ) -> Result<Transcript, NotRecognised>;
}

/// Why sound was not recognised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRecognised {
    /// Nobody wants the words any more: the customer has objected, or the call is over.
    #[error("nobody wants it any more")]
    Abandoned,
    /// The network failed.
    #[error("the network failed: {0}")]
    Failed(String),
}

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
