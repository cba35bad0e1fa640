//! One reading of a text: the rules in their rounds, and what is left.

use std::ops::Range;

use super::kind::{Kind, Redacted, Span};
use super::lexicon::Flags;
use super::reader::{Before, Claims, Reader};
use super::token::{Shape, Tokens};
use super::{after, chain, date, email, name, place, secret};
use crate::tongue::Language;

type Rule = fn(&Reader<'_>) -> Claims;

/// In the order in which they have their say.
const RULES: [Rule; 6] = [email::find, secret::find, place::find, date::find, chain::find, name::find];
/// Rounds until nothing more is found. Ordinary text takes two; one that needs more than this is all taken out.
const ROUNDS: usize = 8;

pub(super) struct Reading<'a> {
    text: &'a str,
    language: Language,
    tokens: Tokens,
    open: bool,
}

impl<'a> Reading<'a> {
    pub(super) fn new(text: &'a str, language: Language) -> Self {
        Self { text, language, tokens: Tokens::of(text, language), open: false }
    }

    /// Reads the text as one that goes on.
    pub(super) fn open(self) -> Self {
        Self { open: true, ..self }
    }

    /// The text and what it leaves to the next utterance.
    pub(super) fn finish(mut self, before: &Before) -> (Redacted, Before) {
        let old: Vec<Range<usize>> = self
            .tokens
            .iter()
            .filter(|t| matches!(t.shape, Shape::Placeholder(_)))
            .map(|t| t.range.clone())
            .collect();
        self.settle(before);
        let reader = self.reader(before);
        let after = after::after(&reader);
        (self.render(&old), after)
    }

    /// What the text asks for.
    pub(super) fn asked(&self) -> Flags {
        after::asked(&self.reader(&Before::default()))
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

    /// Looks at tokens for each byte of the text.
    fn looks(text: &str, language: Language) -> f64 {
        let mut reading = Reading::new(text, language);
        reading.settle(&Before::default());
        let _ = after::after(&reading.reader(&Before::default()));
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
}
