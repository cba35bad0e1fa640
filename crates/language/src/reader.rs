//! From a piece of sound to what was said and what it tells: recognised, redacted, read.
//!
//! What a recogniser writes never leaves this module as it is: [`Said`] holds redacted words only.

use std::sync::Arc;

use sidetone_call::words::{AgentUtterance, Utterance};

use crate::conduct::AgentWords;
use crate::party::{Agent, Customer, Mouth};
use crate::recognise::{NotRecognised, Recognise, Transcript};
use crate::text::Scorer;
use crate::tongue::Language;
use crate::utterance::Piece;

/// Recognises utterances and reads them. One thread uses it at a time.
pub struct Reader {
    recogniser: Box<dyn Recognise>,
    scorer: Arc<Scorer>,
}

/// One party, from whose utterances some things are remembered: a number may go on in the next. Whoever makes one for a
/// leg of a call answers for whose leg it is.
#[derive(Debug)]
pub enum Speaker {
    /// The customer: their words tell how they feel.
    Customer(Mouth<Customer>),
    /// The agent: of their words only conduct is taken.
    Agent(Mouth<Agent>),
}

impl Speaker {
    /// A customer at the beginning of a call.
    #[must_use]
    pub fn customer() -> Self {
        Self::Customer(Mouth::of_customer(Language::Any))
    }

    /// What the other party has just said, redacted: a question for a number or a name makes the answer one.
    pub fn asked(&mut self, text: &str) {
        match self {
            Self::Customer(mouth) => mouth.asked_in(text),
            Self::Agent(mouth) => mouth.asked_in(text),
        }
    }

    /// An agent at the beginning of a call.
    #[must_use]
    pub fn agent() -> Self {
        Self::Agent(Mouth::of_agent(Language::Any))
    }
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
    /// A whole utterance of the customer.
    Customer(Box<Utterance>),
    /// A whole utterance of the agent.
    Agent(Box<AgentUtterance>),
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

    /// Reads a piece of a party's sound; `None` if it holds no words that can be trusted. `abandoned` ends it early.
    ///
    /// # Errors
    /// [`NotRecognised`].
    pub fn read(
        &mut self,
        speaker: &mut Speaker,
        piece: &Piece,
        abandoned: &dyn Fn() -> bool,
    ) -> Result<Option<Said>, NotRecognised> {
        let mut transcript = self.recogniser.transcribe(&piece.sound, abandoned)?;
        // A vocabulary from elsewhere must not reach terminals with more than words.
        transcript.text.retain(|letter| !letter.is_control());
        if transcript.doubt.is_some() || transcript.text.trim().is_empty() {
            return Ok(None);
        }
        let language = Language::of_tag(self.recogniser.language());
        let said = match speaker {
            Speaker::Customer(mouth) => {
                mouth.speak(language);
                self.customer(mouth, piece, &transcript)
            }
            Speaker::Agent(mouth) => {
                mouth.speak(language);
                self.agent(mouth, piece, &transcript)
            }
        };
        Ok(Some(said))
    }

    fn customer(&self, mouth: &mut Mouth<Customer>, piece: &Piece, transcript: &Transcript) -> Said {
        let words = transcript.text.trim();
        if !piece.whole {
            // Of a number in the making nothing is shown, so the words so far don't touch what is known.
            return Said::SoFar { utterance: piece.number, text: mouth.partial(words).to_string() };
        }
        let spoken = mouth.utterance(words);
        Said::Customer(Box::new(Utterance {
            number: piece.number,
            from: piece.from,
            to: piece.to,
            text: spoken.to_string(),
            language: self.recogniser.language().to_owned(),
            confidence: transcript.confidence,
            told: self.scorer.read_spoken(&spoken),
        }))
    }

    fn agent(&self, mouth: &mut Mouth<Agent>, piece: &Piece, transcript: &Transcript) -> Said {
        let words = transcript.text.trim();
        if !piece.whole {
            return Said::SoFar { utterance: piece.number, text: mouth.partial(words).to_string() };
        }
        let spoken = mouth.utterance(words);
        let acts = AgentWords::of(&spoken);
        Said::Agent(Box::new(AgentUtterance {
            number: piece.number,
            from: piece.from,
            to: piece.to,
            text: spoken.to_string(),
            language: self.recogniser.language().to_owned(),
            confidence: transcript.confidence,
            acts: acts.done().iter().map(|done| done.act).collect(),
        }))
    }
}
