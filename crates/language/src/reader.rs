//! From a piece of sound to what was said and what it tells: recognised, redacted, read.
//!
//! What a recogniser writes never leaves this module as it is: [`Said`] holds redacted words only.

use std::sync::Arc;
use std::time::Duration;

use sidetone_call::words::{AgentUtterance, Utterance};
use zeroize::Zeroize;

use crate::conduct::AgentWords;
use crate::party::{Agent, Customer, Mouth};
use crate::recognise::{NotRecognised, Recognise, Transcript};
use crate::text::Scorer;
use crate::tongue::{Language, same};
use crate::utterance::Piece;

/// Recognises utterances and reads them. One thread uses it at a time.
pub struct Reader {
    /// One for each language, the usual one first.
    recognisers: Vec<Box<dyn Recognise>>,
    scorer: Arc<Scorer>,
}

/// One party, from whose utterances some things are remembered: a number may go on in the next. Whoever makes one for a
/// leg of a call answers for whose leg it is.
#[derive(Debug)]
pub struct Speaker {
    mouth: EitherMouth,
    /// The last piece of an utterance that was not known to be whole, and what was recognised in it.
    heard: Option<Heard>,
}

#[derive(Debug)]
enum EitherMouth {
    /// The customer: their words tell how they feel.
    Customer(Mouth<Customer>),
    /// The agent: of their words only conduct is taken.
    Agent(Mouth<Agent>),
}

/// A transcript that the whole utterance may turn out to have. It is not redacted: it goes with the next piece.
struct Heard {
    extent: (u32, Duration, Duration),
    transcript: Plain,
}

/// What a recogniser wrote, before it is redacted. It is overwritten when it goes: freed memory keeps what was in it.
#[derive(Clone)]
struct Plain(Transcript);

impl Drop for Plain {
    fn drop(&mut self) {
        self.0.text.zeroize();
        self.0.words.iter_mut().for_each(|word| word.text.zeroize());
    }
}

impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Heard").field("extent", &self.extent).finish_non_exhaustive()
    }
}

impl Speaker {
    /// A customer at the beginning of a call.
    #[must_use]
    pub fn customer() -> Self {
        Self { mouth: EitherMouth::Customer(Mouth::of_customer(Language::Any)), heard: None }
    }

    /// What the other party has just said, redacted: a question for a number or a name makes the answer one.
    pub fn asked(&mut self, text: &str) {
        match &mut self.mouth {
            EitherMouth::Customer(mouth) => mouth.asked_in(text),
            EitherMouth::Agent(mouth) => mouth.asked_in(text),
        }
    }

    /// An agent at the beginning of a call.
    #[must_use]
    pub fn agent() -> Self {
        Self { mouth: EitherMouth::Agent(Mouth::of_agent(Language::Any)), heard: None }
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
        let languages: Vec<&str> = self.recognisers.iter().map(|it| it.language()).collect();
        f.debug_struct("Reader").field("languages", &languages).finish_non_exhaustive()
    }
}

impl Reader {
    /// A reader with a recogniser of its own.
    #[must_use]
    pub fn new(recogniser: Box<dyn Recognise>, scorer: Arc<Scorer>) -> Self {
        Self { recognisers: vec![recogniser], scorer }
    }

    /// A reader that knows no language yet.
    #[must_use]
    pub fn none(scorer: Arc<Scorer>) -> Self {
        Self { recognisers: Vec::new(), scorer }
    }

    /// The same, which knows another language too.
    #[must_use]
    pub fn with(mut self, recogniser: Box<dyn Recognise>) -> Self {
        self.recognisers.push(recogniser);
        self
    }

    /// Reads a piece of a party's sound in `tongue` (BCP 47; without one, the usual language); `None` if it holds no
    /// words that can be trusted. `abandoned` ends it early.
    ///
    /// # Errors
    /// [`NotRecognised`]; nobody knows the language.
    pub fn read(
        &mut self,
        tongue: Option<&str>,
        speaker: &mut Speaker,
        piece: &Piece,
        abandoned: &dyn Fn() -> bool,
    ) -> Result<Option<Said>, NotRecognised> {
        let knows = |it: &&mut Box<dyn Recognise>| tongue.is_none_or(|tongue| same(it.language(), tongue));
        let recogniser = self.recognisers.iter_mut().find(knows);
        let recogniser = recogniser.ok_or_else(|| {
            NotRecognised::Failed(format!("no recogniser knows {}", tongue.unwrap_or_default()))
        })?;
        let extent = (piece.number, piece.from, piece.to);
        // A pause begins before it is long enough to end an utterance. What was recognised then stands if it does.
        let known = speaker.heard.take().filter(|heard| piece.whole && heard.extent == extent);
        let mut plain = match known {
            Some(heard) => heard.transcript,
            None => Plain(recogniser.transcribe(&piece.sound, abandoned)?),
        };
        // A vocabulary from elsewhere must not reach terminals with more than words.
        plain.0.text.retain(|letter| !letter.is_control());
        if !piece.whole {
            speaker.heard = Some(Heard { extent, transcript: plain.clone() });
        }
        let transcript = &plain.0;
        if transcript.doubt.is_some() || transcript.text.trim().is_empty() {
            return Ok(None);
        }
        let tag = recogniser.language().to_owned();
        let language = Language::of_tag(&tag);
        let said = match &mut speaker.mouth {
            EitherMouth::Customer(mouth) => {
                mouth.speak(language);
                self.customer(mouth, piece, transcript, tag)
            }
            EitherMouth::Agent(mouth) => {
                mouth.speak(language);
                Self::agent(mouth, piece, transcript, tag)
            }
        };
        Ok(Some(said))
    }

    fn customer(
        &self,
        mouth: &mut Mouth<Customer>,
        piece: &Piece,
        transcript: &Transcript,
        tag: String,
    ) -> Said {
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
            told: self.scorer.read_spoken(&spoken, Language::of_tag(&tag)),
            language: tag,
            confidence: transcript.confidence,
        }))
    }

    fn agent(mouth: &mut Mouth<Agent>, piece: &Piece, transcript: &Transcript, language: String) -> Said {
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
            language,
            confidence: transcript.confidence,
            acts: acts.done().iter().map(|done| done.act).collect(),
        }))
    }
}
