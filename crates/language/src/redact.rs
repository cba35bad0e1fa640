//! Takes numbers, names and addresses out of what people say and write. Nothing leaves this crate without it.
//!
//! | module | takes out |
//! | --- | --- |
//! | `email` | e-mail addresses, written and spoken |
//! | `place` | postal addresses |
//! | `date` | dates of birth |
//! | `secret` | passwords |
//! | `run` | every number of several digits, in digits and in words: cards, IBANs, phones, accounts, PINs, postcodes |
//! | `name` | names after cues, titles and first names |
//!
//! The rules err on the safe side: a number of seven digits goes, whatever it is, and so do fewer where a word
//! announces them. What a sentence means stays: amounts, times, durations, `third time`, `24/7`. Figures:
//! docs/LANGUAGE.md, "Redaction".
//!
//! The same text always gives the same result. A redacted text is not changed by redacting it again. The time is
//! linear in the text's length, and the result is at most [`GROWTH`] times as long as the text.
//!
//! ```
//! use sidetone_language::redact::{Kind, redact};
//! use sidetone_language::tongue::Language;
//!
//! let redacted = redact("My card is four one one one, 1111 1111 1111, call me at 3 pm.", Language::English);
//! assert_eq!(redacted.text, "My card is [card], call me at 3 pm.");
//! assert_eq!(redacted.spans[0].kind, Kind::Card);
//! ```

use std::ops::Range;

use crate::tongue::Language;

mod chain;
mod check;
mod cue;
mod date;
mod email;
mod german;
mod judge;
mod lexicon;
mod name;
mod number;
mod place;
pub(crate) mod plain;
mod redactor;
mod run;
mod secret;
mod token;

pub use redactor::Redactor;

use lexicon::Flags;
use token::{Shape, Tokens};

/// A redacted text has at most this many times the bytes of the text: the longest placeholder stands for one byte.
pub const GROWTH: usize = 9;

/// What was taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A payment card's number.
    Card,
    /// An international bank account number.
    Iban,
    /// A telephone number.
    Phone,
    /// An e-mail address.
    Email,
    /// A date of birth.
    Birth,
    /// A postal address or a postcode.
    Address,
    /// A number of a passport, social insurance, tax.
    Id,
    /// A password, PIN or card verification value.
    Secret,
    /// Another number: of an account, an order, or not known of what.
    Number,
    /// A person's name.
    Name,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Card,
        Self::Iban,
        Self::Phone,
        Self::Email,
        Self::Birth,
        Self::Address,
        Self::Id,
        Self::Secret,
        Self::Number,
        Self::Name,
    ];

    /// What stands in the text in its place: `[card]`.
    #[must_use]
    pub const fn placeholder(self) -> &'static str {
        match self {
            Self::Card => "[card]",
            Self::Iban => "[iban]",
            Self::Phone => "[phone]",
            Self::Email => "[email]",
            Self::Birth => "[birth]",
            Self::Address => "[address]",
            Self::Id => "[id]",
            Self::Secret => "[secret]",
            Self::Number => "[number]",
            Self::Name => "[name]",
        }
    }

    /// The name without its brackets.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.placeholder().trim_matches(['[', ']'])
    }
}

/// A text without what identifies a person.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Redacted {
    /// The text, with placeholders.
    pub text: String,
    /// What was taken out, in the order of the text. Placeholders that stood in the text before are none of them.
    pub spans: Vec<Span>,
}

/// One thing that was taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// What it was.
    pub kind: Kind,
    /// Its bytes in the text that was given.
    pub from: Range<usize>,
    /// The placeholder's bytes in the redacted text.
    pub to: Range<usize>,
}

/// Redacts `text`, which is in `language`. For the utterances of a call use a [`Redactor`], which also sees numbers
/// that are said in two pieces.
#[must_use]
pub fn redact(text: &str, language: Language) -> Redacted {
    Reading::new(text, language).finish(&Before::default()).0
}

/// What an utterance inherits from the one before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Before {
    /// Cues whose value has not come yet.
    cue: Flags,
    /// Digits that were said last and nothing after them; 0 if none.
    digits: usize,
    /// Whether those were taken out, and as what.
    kind: Option<Kind>,
}

/// What the rules read: the tokens, and what went before them.
struct Reader<'a> {
    tokens: &'a Tokens,
    language: Language,
    before: &'a Before,
    /// Whether the text has capitals within sentences, so that a small letter says that a word is no name.
    capitals: bool,
    /// Where the text may go on: a number that stands at the end may be half of one.
    open: bool,
}

/// Tokens that a rule takes out, from and to.
type Claims = Vec<(Range<usize>, Kind)>;
type Rule = fn(&Reader<'_>) -> Claims;

/// In the order in which they have their say.
const RULES: [Rule; 6] = [email::find, secret::find, place::find, date::find, run::find, name::find];
/// Rounds until nothing more is found. Ordinary text takes two; one that needs more than this is all taken out.
const ROUNDS: usize = 8;

struct Reading<'a> {
    text: &'a str,
    language: Language,
    tokens: Tokens,
    open: bool,
}

impl<'a> Reading<'a> {
    fn new(text: &'a str, language: Language) -> Self {
        Self { text, language, tokens: Tokens::of(text, language), open: false }
    }

    /// Reads the text as one that goes on.
    fn open(self) -> Self {
        Self { open: true, ..self }
    }

    /// The text and what it leaves to the next utterance.
    fn finish(mut self, before: &Before) -> (Redacted, Before) {
        let old: Vec<Range<usize>> = self
            .tokens
            .iter()
            .filter(|t| matches!(t.shape, Shape::Placeholder(_)))
            .map(|t| t.range.clone())
            .collect();
        self.settle(before);
        let reader = self.reader(before);
        let after = cue::after(&reader);
        (self.render(&old), after)
    }

    /// What the text asks for.
    fn asked(&self) -> Flags {
        cue::asked(&self.reader(&Before::default()))
    }

    fn reader<'b>(&'b self, before: &'b Before) -> Reader<'b> {
        Reader {
            tokens: &self.tokens,
            language: self.language,
            before,
            capitals: has_capitals(&self.tokens),
            open: self.open,
        }
    }

    /// Applies the rules until they find nothing more: only then is a redacted text left alone by them.
    fn settle(&mut self, before: &Before) {
        for _ in 0..ROUNDS {
            let mut found = false;
            let kept = date::kept(&self.reader(before));
            self.tokens.keep(&kept);
            for rule in RULES {
                let claims = merged(rule(&self.reader(before)), &self.tokens);
                found |= !claims.is_empty();
                self.tokens.collapse(&claims);
            }
            if !found {
                return;
            }
        }
        let all = 0..self.tokens.len();
        self.tokens.collapse(&[(all, Kind::Number)]);
    }

    fn render(&self, old: &[Range<usize>]) -> Redacted {
        let mut redacted = Redacted { text: String::with_capacity(self.text.len()), spans: Vec::new() };
        let mut at = 0;
        for token in self.tokens.iter() {
            let Shape::Placeholder(kind) = token.shape else { continue };
            redacted.text.push_str(self.text.get(at..token.range.start).unwrap_or_default());
            let start = redacted.text.len();
            redacted.text.push_str(kind.placeholder());
            at = token.range.end;
            let stood = old.binary_search_by_key(&token.range.start, |old| old.start).ok();
            if stood.and_then(|index| old.get(index)) != Some(&token.range) {
                let to = start..redacted.text.len();
                redacted.spans.push(Span { kind, from: token.range.clone(), to });
            }
        }
        redacted.text.push_str(self.text.get(at..).unwrap_or_default());
        redacted
    }
}

/// Whether a word within a sentence has a capital: then the text's small letters mean something.
fn has_capitals(tokens: &Tokens) -> bool {
    let mut within = false;
    for token in tokens.iter() {
        match token.shape {
            Shape::Word
                if within && token.capital && token.plain.len() > 1 && !token.plain.starts_with("i") =>
            {
                return true;
            }
            Shape::Word => within = true,
            _ => within &= !token.ends_sentence(),
        }
    }
    false
}

/// The claims in order, those that overlap made one. A claim on placeholders alone is none.
fn merged(mut claims: Claims, tokens: &Tokens) -> Claims {
    claims.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
    let mut kept: Claims = Vec::with_capacity(claims.len());
    for (range, kind) in claims {
        let fresh = |index| tokens.get(index).is_some_and(|t| !matches!(t.shape, Shape::Placeholder(_)));
        if !range.clone().any(fresh) {
            continue;
        }
        match kept.last_mut() {
            Some((last, _)) if range.start < last.end => last.end = last.end.max(range.end),
            _ => kept.push((range, kind)),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn english(text: &str) -> String {
        redact(text, Language::English).text
    }

    /// Looks at tokens for each byte of the text.
    fn looks(text: &str, language: Language) -> f64 {
        let mut reading = Reading::new(text, language);
        reading.settle(&Before::default());
        let _ = cue::after(&reading.reader(&Before::default()));
        reading.tokens.looks() as f64 / text.len().max(1) as f64
    }

    #[test]
    fn the_cost_of_a_byte_does_not_grow_with_the_text() {
        let pieces = [
            "four one ",
            "4 ",
            "a ",
            "a.",
            "@",
            "a@",
            "at ",
            "a at ",
            "dot at ",
            "my name is ",
            "mr ",
            "name ",
            "pin is ",
            "password ",
            "password is x ",
            "born ",
            "3 may ",
            "12/05/1980 ",
            "may ",
            "the third of ",
            "double ",
            "hundred ",
            "one hundred and ",
            "street ",
            "7 street ",
            "7 a b c d ",
            "hauptstrasse ",
            "strasse des ",
            "address is ",
            "flat 3, ",
            "d as in ",
            "de89 ",
            "west ",
            "[card]",
            "[card] ",
            "alpha ",
            "x, ",
            "this is ",
            "- ",
            "1-",
            "\u{200b}",
            "\n",
            "ist ",
            "und ",
            "oh ",
            "o ",
            "to ",
            "1 to ",
            "is my pin ",
            "1 is my pin ",
            "einundzwanzig",
            "ein und ",
            "$1 ",
            "5 euros ",
            "im Markt ",
            "10115 Berlin ",
            "P.O. Box ",
            "IL 62704 ",
        ];
        for language in [Language::English, Language::German, Language::Any] {
            for piece in pieces {
                let (short, long) =
                    (looks(&piece.repeat(200), language), looks(&piece.repeat(2000), language));
                assert!(
                    long < 1.3 * short + 1.0,
                    "{piece:?} {language:?}: {short:.1} looks a byte, then {long:.1}"
                );
                assert!(long < 600.0, "{piece:?} {language:?}: {long:.1} looks a byte");
            }
        }
    }

    #[test]
    fn takes_out_what_is_meant_and_keeps_what_is_said() {
        assert_eq!(
            english(
                "This is the third time, I want 50 euros back in 2 weeks, at 3 pm, one of the 24/7 agents."
            ),
            "This is the third time, I want 50 euros back in 2 weeks, at 3 pm, one of the 24/7 agents."
        );
        assert_eq!(english("my pin is one two three four"), "my pin is [secret]");
    }

    #[test]
    fn spans_tell_where_it_stood() {
        let text = "Call 020 7946 0123 or jane@example.org";
        let redacted = redact(text, Language::English);
        assert_eq!(redacted.text, "Call [phone] or [email]");
        let pieces: Vec<(Kind, &str, &str)> = redacted
            .spans
            .iter()
            .map(|span| (span.kind, &text[span.from.clone()], &redacted.text[span.to.clone()]))
            .collect();
        assert_eq!(
            pieces,
            [(Kind::Phone, "020 7946 0123", "[phone]"), (Kind::Email, "jane@example.org", "[email]")]
        );
    }
}
