//! Whose words they are, as a type: a customer's may be read for how the person feels, an agent's never.
//!
//! Inferring the emotions of people at work is what this project does not do, from words no more than from a voice.
//! So the words of a call are of a type with their speaker in it. A [`Mouth`] makes them, and there is one for each
//! party:
//!
//! - [`Spoken<Customer>`] is what a scorer of feelings takes, and nothing else.
//! - [`Spoken<Agent>`] is what [`conduct`](crate::conduct) takes, and nothing else. Its text can be shown, not read.
//!
//! Both are redacted by then. The compiler can't see whose sound a recogniser was given: whoever makes a mouth for a
//! leg of a call answers for that.
//!
//! ```
//! use sidetone_language::conduct::{Act, AgentWords};
//! use sidetone_language::party::Mouth;
//! use sidetone_language::tongue::Language;
//!
//! let mut agent = Mouth::of_agent(Language::English);
//! let spoken = agent.utterance("I'm sorry about that, Mr Smith.");
//! assert_eq!(spoken.to_string(), "I'm sorry about that, Mr [name].");
//! assert!(AgentWords::of(&spoken).did(Act::Apology));
//! ```
//!
//! An agent's words are no customer's, and can't be made so:
//!
//! ```compile_fail,E0308
//! use sidetone_language::{party::{Agent, Spoken}, text::Scorer, tongue::Language};
//! fn wrong(scorer: &Scorer, words: &Spoken<Agent>) {
//!     scorer.read_spoken(words, Language::English);
//! }
//! ```
//!
//! ```compile_fail,E0451
//! use sidetone_language::party::{Customer, Spoken};
//! use sidetone_language::redact::Redacted;
//! let forged: Spoken<Customer> = Spoken { redacted: Redacted::default(), party: std::marker::PhantomData };
//! ```
//!
//! The text of an agent's words is not handed out for reading:
//!
//! ```compile_fail,E0599
//! fn wrong(words: &sidetone_language::party::Spoken<sidetone_language::party::Agent>) -> &str {
//!     words.text()
//! }
//! ```
//!
//! No conduct is taken from a customer's words:
//!
//! ```compile_fail,E0308
//! use sidetone_language::{conduct::AgentWords, party::{Customer, Spoken}};
//! fn wrong(words: &Spoken<Customer>) -> AgentWords {
//!     AgentWords::of(words)
//! }
//! ```
//!
//! No other crate can add a third party:
//!
//! ```compile_fail,E0277
//! struct Mine;
//! impl sidetone_language::party::Party for Mine {}
//! ```

use std::fmt;
use std::marker::PhantomData;

use sidetone_call::{Told, Topic};

use crate::redact::{Redacted, Redactor, Span};
use crate::text::{Scorer, Tongue};
use crate::tongue::Language;

/// Who called for help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Customer {}

/// Who is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agent {}

/// One of the two.
pub trait Party: sealed::Sealed {}

impl Party for Customer {}
impl Party for Agent {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Customer {}
    impl Sealed for super::Agent {}
}

/// Redacted words of a party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken<P: Party> {
    redacted: Redacted,
    party: PhantomData<P>,
}

impl<P: Party> Spoken<P> {
    const fn new(redacted: Redacted) -> Self {
        Self { redacted, party: PhantomData }
    }

    /// What was taken out, and where.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.redacted.spans
    }
}

impl Spoken<Customer> {
    /// The redacted text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.redacted.text
    }
}

impl Spoken<Agent> {
    /// The redacted text, for the rules of conduct.
    pub(crate) fn read(&self) -> &str {
        &self.redacted.text
    }
}

/// The redacted text, to be shown.
impl<P: Party> fmt::Display for Spoken<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted.text)
    }
}

/// Where one party's words come from: redacts each utterance, and remembers what the next may go on with.
#[derive(Debug)]
pub struct Mouth<P: Party> {
    redactor: Redactor,
    party: PhantomData<P>,
}

impl Mouth<Customer> {
    /// The customer's, at the beginning of a call.
    #[must_use]
    pub fn of_customer(language: Language) -> Self {
        Self { redactor: Redactor::new(language), party: PhantomData }
    }
}

impl Mouth<Agent> {
    /// The agent's, at the beginning of a call.
    #[must_use]
    pub fn of_agent(language: Language) -> Self {
        Self { redactor: Redactor::new(language), party: PhantomData }
    }
}

impl<P: Party> Mouth<P> {
    /// From here on the party speaks `language`.
    pub fn speak(&mut self, language: Language) {
        self.redactor.speak(language);
    }

    /// The next whole utterance, as it was recognised.
    pub fn utterance(&mut self, text: &str) -> Spoken<P> {
        Spoken::new(self.redactor.utterance(text))
    }

    /// The next utterance as far as it is recognised.
    #[must_use]
    pub fn partial(&self, text: &str) -> Spoken<P> {
        Spoken::new(self.redactor.partial(text))
    }

    /// The same of words that are only text by now.
    pub(crate) fn asked_in(&mut self, redacted: &str) {
        self.redactor.asked(redacted);
    }

    /// What the other party said: a question for a number or a name makes the answer one.
    pub fn asked<Q: Party>(&mut self, other: &Spoken<Q>) {
        self.redactor.asked(&other.redacted.text);
    }
}

impl Scorer {
    /// What a customer's words tell, recognised in `language`. An agent's are not taken.
    #[must_use]
    pub fn read_spoken(&self, words: &Spoken<Customer>, language: Language) -> Told {
        // A few words of German look like nothing in particular; the recogniser knows what it wrote.
        let tongue = (language == Language::German).then_some(Tongue::German);
        let mut told = self.reading_in(words.text(), tongue).told;
        let count = words.text().split_whitespace().count();
        told.topics.retain(|found| found.probability >= sure(found.topic, count));
        told
    }
}

/// How probable a topic of spoken words has to be, in an utterance of so many words. Recognition mishears, and pauses
/// cut sentences apart: "and died" may be of a car. What is said of a death or of need changes how a person is treated,
/// so that it has to be plain.
fn sure(topic: Topic, words: usize) -> f32 {
    match topic {
        Topic::Bereavement | Topic::Hardship if words < 5 => f32::INFINITY,
        Topic::Bereavement | Topic::Hardship => 0.95,
        _ if words < 2 => 0.9,
        _ => 0.5,
    }
}
