//! From a piece of sound to what was said and what it tells: recognised, redacted, read.
//!
//! What a recogniser writes never leaves this module as it is: [`Said`] holds redacted words only.

use std::sync::Arc;

use sidetone_call::{Told, Utterance};

use crate::recognise::{NotRecognised, Recognise};
use crate::redact::Redactor;
use crate::text::Scorer;
use crate::tongue::Language;
use crate::utterance::Piece;

/// Recognises utterances and reads them. One thread uses it at a time.
pub struct Reader {
    recogniser: Box<dyn Recognise>,
    scorer: Arc<Scorer>,
}

/// What is known of one speaker from their utterances so far: a number may go on in the next.
#[derive(Debug, Default)]
pub struct Speaker {
    redactor: Option<Redactor>,
}

/// What a party has said.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// Of an utterance that goes on: its words so far, redacted. They may change.
    SoFar {
        /// The utterance's number.
        utterance: u32,
        /// The words.
        text: String,
    },
    /// A whole utterance.
    Whole(Box<Utterance>),
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("language", &self.recogniser.language()).finish_non_exhaustive()
    }
}

impl Reader {
    /// A reader with a recogniser of its own.
    #[must_use]
    pub fn new(recogniser: Box<dyn Recognise>, scorer: Arc<Scorer>) -> Self {
        Self { recogniser, scorer }
    }

    /// Reads a customer's piece of sound; `None` if it holds no words that can be trusted. `abandoned` ends it early.
    ///
    /// # Errors
    /// [`NotRecognised`].
    pub fn read(
        &mut self,
        speaker: &mut Speaker,
        piece: &Piece,
        abandoned: &dyn Fn() -> bool,
    ) -> Result<Option<Said>, NotRecognised> {
        let transcript = self.recogniser.transcribe(&piece.sound, abandoned)?;
        let words = transcript.text.trim();
        if transcript.doubt.is_some() || words.is_empty() {
            return Ok(None);
        }
        let language = self.recogniser.language();
        let redactor =
            speaker.redactor.get_or_insert_with(|| Redactor::new(Language::of_tag(language)));
        if !piece.whole {
            let text = redactor.partial(words).text;
            return Ok(Some(Said::SoFar { utterance: piece.number, text }));
        }
        let text = redactor.utterance(words).text;
        let told: Told = self.scorer.read(&text);
        Ok(Some(Said::Whole(Box::new(Utterance {
            number: piece.number,
            from: piece.from,
            to: piece.to,
            text,
            language: language.to_owned(),
            confidence: transcript.confidence,
            told,
        }))))
    }
}
