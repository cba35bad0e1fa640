//! Redaction of a conversation: a number that is begun in one utterance and ended in the next.

use super::kind::{Kind, Redacted, Span};
use super::lexicon::Flags;
use super::reader::Before;
use super::reading::Reading;
use crate::tongue::Language;

/// Redacts the utterances of one person, in their order.
///
/// ```
/// use sidetone_language::redact::Redactor;
/// use sidetone_language::tongue::Language;
///
/// let mut redactor = Redactor::new(Language::English);
/// assert_eq!(redactor.utterance("My PIN is.").text, "My PIN is.");
/// assert_eq!(redactor.utterance("Forty two.").text, "[secret].");
/// ```
#[derive(Debug, Clone)]
pub struct Redactor {
    language: Language,
    before: Before,
}

impl Redactor {
    /// A redactor at the beginning of a call or thread.
    #[must_use]
    pub fn new(language: Language) -> Self {
        Self { language, before: Before::default() }
    }

    /// From here on the person speaks `language`.
    pub fn speak(&mut self, language: Language) {
        self.language = language;
    }

    /// The next whole utterance.
    pub fn utterance(&mut self, text: &str) -> Redacted {
        let length = text.len();
        let (redacted, after) = Reading::new(text, self.language).finish(&self.before);
        self.before = after;
        if is_spelled(&redacted.text) {
            let text = "[name]".to_owned();
            let (from, to) = (0..length, 0..text.len());
            return Redacted { text, spans: vec![Span { kind: Kind::Name, from, to }] };
        }
        redacted
    }

    /// The next utterance as far as it is known: it may go on. Digits at its end are taken out, since they may be the
    /// beginning of a number.
    #[must_use]
    pub fn partial(&self, text: &str) -> Redacted {
        Reading::new(text, self.language).open().finish(&self.before).0
    }

    /// What the other party has just said. A question for a number, a name or an address makes the answer one.
    pub fn asked(&mut self, text: &str) {
        let asked = Reading::new(text, self.language).asked();
        if asked != Flags::NONE {
            self.before.cue = asked;
        }
    }
}

/// Whether these are letters one by one and nothing else: a name or a code that is being spelled, often over several
/// utterances.
fn is_spelled(text: &str) -> bool {
    let mut letters = 0;
    let mut lone = false;
    for word in text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if word.chars().count() != 1 {
            return false;
        }
        letters += 1;
        // "I" and "A" are words.
        lone = !["i", "a", "o"].contains(&word.to_lowercase().as_str());
    }
    letters > 1 || letters == 1 && lone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_spelled_in_pieces_goes() {
        let said = talk(
            Language::English,
            &["My last name is Tille,", "S. I.", "T. I..", "L. L. E..", "I", "okay."],
        );
        assert_eq!(&said[1..], ["[name]", "[name]", "[name]", "I", "okay."]);
    }

    fn talk(language: Language, lines: &[&str]) -> Vec<String> {
        let mut redactor = Redactor::new(language);
        lines.iter().map(|line| redactor.utterance(line).text).collect()
    }

    #[test]
    fn a_number_in_two_utterances_is_one() {
        let said = talk(
            Language::English,
            &["My card is four one one one", "one one one one", "okay.", "and one one"],
        );
        assert_eq!(said, ["My card is [card]", "[card]", "okay.", "and [card]"]);
        let said = talk(Language::English, &["the account number is", "um", "42 17"]);
        assert_eq!(said, ["the account number is", "um", "[number]"]);
        let said = talk(Language::German, &["meine Kontonummer ist die vier sieben", "eins eins", "danke"]);
        assert_eq!(said, ["meine Kontonummer ist die [number]", "[number]", "danke"]);
        let said = talk(Language::English, &["five five five", "oh one nine nine"]);
        assert_eq!(said, ["five five five", "[number]"]);
    }

    #[test]
    fn so_is_what_else_comes_in_pieces() {
        let talks: &[(Language, &[&str], &[&str])] = &[
            (
                Language::English,
                &["my email is john dot smith", "at example dot org"],
                &["my email is [email]", "[email]"],
            ),
            (
                Language::English,
                &["my email is", "john dot smith at", "example dot com"],
                &["my email is", "[email]", "[email]"],
            ),
            (
                Language::English,
                &["I live at", "42", "Baker Street"],
                &["I live at", "[address]", "[address]"],
            ),
            (
                Language::English,
                &["I was born on", "the third of May", "1980"],
                &["I was born on", "[birth]", "[birth]"],
            ),
            (
                Language::English,
                &["My password is", "uh", "hunter two"],
                &["My password is", "uh", "[secret]"],
            ),
            (Language::English, &["My name is", "Xiomara Delgado."], &["My name is", "[name]."]),
            (
                Language::German,
                &["geboren am", "dritten fünften", "achtzig"],
                &["geboren am", "[birth]", "[birth]"],
            ),
            (
                Language::German,
                &["ich wohne in der", "Hauptstraße", "sieben"],
                &["ich wohne in der", "[address]", "[address]"],
            ),
            (
                Language::English,
                &["it took", "two weeks", "and three days"],
                &["it took", "two weeks", "and three days"],
            ),
        ];
        for (language, lines, wanted) in talks {
            assert_eq!(talk(*language, lines), *wanted);
        }
    }

    #[test]
    fn what_was_expected_is_forgotten_when_something_else_is_said() {
        let said = talk(
            Language::English,
            &["My PIN is", "I want to talk of something else.", "It took 45 minutes, 20 too many."],
        );
        assert_eq!(said[2], "It took 45 minutes, 20 too many.");
    }

    #[test]
    fn a_question_makes_the_answer_one() {
        let cases = [
            (
                Language::English,
                "Could you give me your date of birth, please?",
                "Sure, the third of May 2014.",
                "Sure, [birth].",
            ),
            (Language::English, "And what's your first name?", "Linh.", "[name]."),
            (Language::English, "What is the PIN for your account?", "Forty two seventeen.", "[secret]."),
            (Language::English, "What's your password?", "I don't know it.", "I don't know it."),
            (Language::English, "Thank you, have a nice day.", "Two or three?", "Two or three?"),
            (Language::German, "Wie ist bitte Ihr Name?", "Öztürk.", "[name]."),
            (Language::German, "Nennen Sie mir bitte Ihre Kundennummer.", "Vier sieben eins.", "[number]."),
        ];
        for (language, question, answer, wanted) in cases {
            let mut redactor = Redactor::new(language);
            redactor.asked(question);
            assert_eq!(redactor.utterance(answer).text, wanted, "{question}");
        }
    }

    #[test]
    fn the_beginning_of_a_number_is_not_shown_while_it_is_said() {
        let redactor = Redactor::new(Language::English);
        for partial in
            ["it is four one", "it is four one one", "it is four one one one", "it is 41", "it is 41 11"]
        {
            assert_eq!(redactor.partial(partial).text, "it is [number]", "{partial}");
        }
        assert_eq!(redactor.partial("this is the third time").text, "this is the third time");
    }
}
