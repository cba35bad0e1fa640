//! What an agent's words show of conduct: greeted, acknowledged, apologised, promised, asked whether all is done. Never
//! how the agent feels: [`AgentWords`] has no place for it, and no scorer takes [`Spoken<Agent>`].
//!
//! Phrase rules for English and German, on the words as they were recognised. A phrase under a negation or in another
//! person's mouth does not count: `I can't say I'm sorry`, `he said he was sorry`.
//!
//! ```
//! use sidetone_language::conduct::{Act, AgentWords};
//! use sidetone_language::party::Mouth;
//! use sidetone_language::tongue::Language;
//!
//! let mut agent = Mouth::of_agent(Language::English);
//! let said = AgentWords::of(&agent.utterance("I understand. I will call you back by Friday."));
//! assert!(said.did(Act::Acknowledgement) && said.did(Act::Promise) && !said.did(Act::Apology));
//! ```

use std::ops::Range;

use crate::party::{Agent, Spoken};
use crate::redact::plain::{Plain, plain};

mod phrases;

pub use sidetone_call::words::Act;

/// An act, and the words that are it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The act.
    pub act: Act,
    /// The phrase, as it stands in the redacted text. A promise's begins with the promise and ends with its time.
    pub phrase: String,
}

/// What an utterance of the agent's shows of conduct.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentWords {
    done: Vec<Done>,
}

/// Acts of one utterance that are kept.
const MOST: usize = 16;

impl AgentWords {
    /// Reads an agent's words.
    #[must_use]
    pub fn of(spoken: &Spoken<Agent>) -> Self {
        Self::read(spoken.read())
    }

    pub(crate) fn read(text: &str) -> Self {
        let words = plain(text);
        let mut done = Vec::new();
        for act in Act::ALL {
            let found = match act {
                Act::Promise => phrases::promise(&words),
                _ => phrases::find(act, &words),
            };
            if let Some(phrase) = found.and_then(|range| slice(text, &words, range)) {
                done.push(Done { act, phrase: phrase.to_owned() });
            }
        }
        done.truncate(MOST);
        Self { done }
    }

    /// Whether it was done.
    #[must_use]
    pub fn did(&self, act: Act) -> bool {
        self.done.iter().any(|done| done.act == act)
    }

    /// What was done, each act once, with its first phrase.
    #[must_use]
    pub fn done(&self) -> &[Done] {
        &self.done
    }
}

fn slice<'a>(text: &'a str, words: &[Plain], range: Range<usize>) -> Option<&'a str> {
    let from = words.get(range.start)?.range.start;
    let to = words.get(range.end.checked_sub(1)?)?.range.end;
    text.get(from..to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acts(text: &str) -> Vec<Act> {
        AgentWords::read(text).done().iter().map(|done| done.act).collect()
    }

    #[test]
    fn hears_what_was_done() {
        let cases: &[(&str, &[Act])] = &[
            ("Good morning, this is support, how can I help you?", &[Act::Greeting]),
            ("Hi there, welcome to Example Energy.", &[Act::Greeting]),
            ("I'm sorry you're experiencing this.", &[Act::Acknowledgement, Act::Apology]),
            ("I am so sorry to hear that.", &[Act::Acknowledgement, Act::Apology]),
            ("I understand.", &[Act::Acknowledgement]),
            ("I can see why that is a problem for you.", &[Act::Acknowledgement]),
            ("I can imagine how annoying that is.", &[Act::Acknowledgement]),
            ("We apologise for the delay.", &[Act::Apology]),
            ("Please accept our apologies.", &[Act::Apology]),
            ("That was our mistake.", &[Act::Apology]),
            ("I will call you back by Friday.", &[Act::Promise]),
            ("I'll send it to you within two days.", &[Act::Promise]),
            ("We're going to refund you today.", &[Act::Promise]),
            ("You will have the money on Monday.", &[Act::Promise]),
            ("An engineer will be with you tomorrow at 3 pm.", &[Act::Promise]),
            ("Is there anything else I can do for you?", &[Act::ClosingQuestion]),
            ("Have I answered all your questions?", &[Act::ClosingQuestion]),
            ("Guten Tag, mein Name ist [name], was kann ich für Sie tun?", &[Act::Greeting]),
            ("Das tut mir sehr leid.", &[Act::Apology]),
            ("Ich kann Ihren Ärger gut verstehen.", &[Act::Acknowledgement]),
            ("Das kann ich nachvollziehen.", &[Act::Acknowledgement]),
            ("Es tut mir leid, dass Sie so lange warten mussten.", &[Act::Acknowledgement, Act::Apology]),
            ("Wir bitten um Entschuldigung.", &[Act::Apology]),
            ("Ich rufe Sie bis Freitag zurück.", &[Act::Promise]),
            ("Wir werden Ihnen das Geld innerhalb von drei Tagen überweisen.", &[Act::Promise]),
            ("Ich kümmere mich heute noch darum.", &[Act::Promise]),
            ("Kann ich sonst noch etwas für Sie tun?", &[Act::ClosingQuestion]),
            ("Haben Sie noch weitere Fragen?", &[Act::ClosingQuestion]),
        ];
        for (text, wanted) in cases {
            assert_eq!(acts(text), *wanted, "{text}");
        }
    }

    #[test]
    fn is_not_taken_in() {
        for text in [
            "I can't say I'm sorry.",
            "I'm not sorry about that.",
            "I won't apologise for that.",
            "I don't understand.",
            "I can't understand why you call.",
            "He said he was sorry.",
            "My colleague told you I'm sorry, she said.",
            "Sorry?",
            "Sorry, could you say that again?",
            "I can't promise that I will call you back by Friday.",
            "I will not call you back by Friday.",
            "I'll try to call you back by Friday.",
            "I might send it tomorrow.",
            "I will look into it.",
            "If you want, I could call you tomorrow.",
            "There is nothing else I can do for you.",
            "Did they say good morning to you?",
            "Ich kann nicht sagen, dass es mir leid tut.",
            "Das tut mir nicht leid.",
            "Das verstehe ich nicht.",
            "Ich verstehe Sie nicht.",
            "Entschuldigung?",
            "Ich rufe Sie nicht bis Freitag zurück.",
            "Ich versuche, Sie bis Freitag zurückzurufen.",
            "Vielleicht rufe ich Sie morgen an.",
            "Ich kann Ihnen nicht versprechen, dass ich Sie morgen anrufe.",
            "Er sagte, es tut ihm leid.",
        ] {
            assert_eq!(acts(text), [], "{text}");
        }
    }

    #[test]
    fn tells_the_phrase() {
        let words = AgentWords::read("Well, I will call you back by Friday, okay?");
        assert_eq!(
            words.done(),
            [Done { act: Act::Promise, phrase: "I will call you back by Friday".to_owned() }]
        );
    }
}
