//! Whichever network a folder holds.

use std::path::Path;

use super::recogniser::{OpenError, OpenReason, Recogniser, WEIGHTS};
use super::whisper::Whisper;
use super::{NotRecognised, Recognise, Transcript};
use crate::models::Card;

/// A network that was installed. Clones share its weights; each may be used by a thread of its own.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Installed {
    /// English, and cheap.
    Moonshine(Recogniser),
    /// Any of some hundred languages.
    Whisper(Whisper),
}

/// Opens the network in `folder` for speech in `language` (BCP 47). Its card says which it is; a folder without one is
/// tried as each.
///
/// # Errors
/// A file is missing or damaged, the network does not know the language, or it is neither.
pub fn open(folder: &Path, language: &str) -> Result<Installed, OpenError> {
    let kind = Card::of(folder).map(|card| card.kind);
    let wrong = |reason| OpenError { path: folder.join(WEIGHTS), reason };
    let moonshine = || {
        let primary = language.split(['-', '_']).next().unwrap_or_default();
        if !primary.eq_ignore_ascii_case("en") {
            return Err(wrong(OpenReason::Language(language.to_owned())));
        }
        Recogniser::open(folder).map(Installed::Moonshine)
    };
    let whisper = || Whisper::open(folder, language).map(Installed::Whisper);
    match kind.as_deref() {
        Some("moonshine") => moonshine(),
        Some("whisper") => whisper(),
        Some(_) => Err(wrong(OpenReason::Kind)),
        // Whisper's vocabulary has marks that no other has.
        None => whisper().or_else(|error| match error.reason {
            OpenReason::Vocabulary(_) => moonshine(),
            _ => Err(error),
        }),
    }
}

impl Installed {
    /// The same network for another language, if it knows it.
    #[must_use]
    pub fn in_language(&self, language: &str) -> Option<Self> {
        match self {
            Self::Whisper(whisper) => whisper.in_language(language).ok().map(Self::Whisper),
            Self::Moonshine(_) => None,
        }
    }

    /// Writes down what is said in `pcm`, 16 kHz mono in `[-1, 1]`.
    ///
    /// # Errors
    /// [`NotRecognised`].
    pub fn transcribe_wide(
        &self,
        pcm: &[f32],
        abandoned: &dyn Fn() -> bool,
    ) -> Result<Transcript, NotRecognised> {
        match self {
            Self::Moonshine(it) => it.transcribe_wide(pcm, abandoned),
            Self::Whisper(it) => it.transcribe_wide(pcm, abandoned),
        }
    }
}

impl Recognise for Installed {
    fn language(&self) -> &str {
        match self {
            Self::Moonshine(it) => it.language(),
            Self::Whisper(it) => it.language(),
        }
    }

    fn transcribe(
        &mut self,
        sound: &[i16],
        abandoned: &dyn Fn() -> bool,
    ) -> Result<Transcript, NotRecognised> {
        match self {
            Self::Moonshine(it) => it.transcribe(sound, abandoned),
            Self::Whisper(it) => it.transcribe(sound, abandoned),
        }
    }
}
