//! A text's tokens, each with its place in the text as it was given.

use std::ops::Range;

/// A word, a mark, or a sign of feeling such as an emoji.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// Lower case, straight apostrophes, numbers as `0`, no letter more than twice in a row.
    pub(crate) text: String,
    /// Its bytes in the text that was given.
    pub(crate) place: Range<usize>,
    /// Word, mark or sign.
    pub(crate) kind: Kind,
    /// Stands within reach of a negation.
    pub(crate) negated: bool,
    /// Written for emphasis: in capitals, or with a letter drawn out.
    pub(crate) stressed: bool,
}

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Letters, digits, apostrophes.
    Word,
    /// The end of a sentence: full stops, question and exclamation marks, line ends.
    End,
    /// A mark within a sentence.
    Mark,
    /// An emoji or another symbol.
    Sign,
}

/// Words of a language with apostrophes and numbers count as one; so does a placeholder of redaction, `[card]`.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some((from, first)) = rest.next() {
        let kind = match first {
            '\n' | '.' | '!' | '?' | '\u{2026}' => Kind::End,
            ',' | ';' | ':' | '(' | ')' | '"' | '-' | '\u{2013}' | '\u{2014}' => Kind::Mark,
            '[' => Kind::Word,
            _ if first.is_alphanumeric() => Kind::Word,
            _ if first.is_whitespace() || first.is_control() || first.is_ascii() => continue,
            '\u{200d}' | '\u{fe0f}' | '\u{2018}' | '\u{2019}' | '\u{201c}' | '\u{201d}' => continue,
            _ => Kind::Sign,
        };
        let mut to = from + first.len_utf8();
        let goes_on = |next: char| match kind {
            Kind::Word if first == '[' => next.is_ascii_alphabetic() || next == '_' || next == ']',
            Kind::Word => next.is_alphanumeric() || is_apostrophe(next),
            Kind::End => matches!(next, '.' | '!' | '?' | '\u{2026}'),
            Kind::Mark | Kind::Sign => false,
        };
        while let Some((at, next)) = rest.next_if(|(_, next)| goes_on(*next)) {
            to = at + next.len_utf8();
            if next == ']' {
                break;
            }
        }
        let Some(piece) = text.get(from..to) else { continue };
        if piece == "[" {
            continue;
        }
        let (text, stressed) = if kind == Kind::Word { word(piece) } else { (mark(piece), false) };
        if !text.is_empty() {
            found.push(Token { text, place: from..to, kind, negated: false, stressed });
        }
    }
    negate(&mut found);
    found
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | '\u{2018}' | '`' | '\u{b4}')
}

/// A word's normal form, and whether it was written for emphasis.
fn word(piece: &str) -> (String, bool) {
    let mut normal = String::with_capacity(piece.len());
    let (mut last, mut run, mut drawn_out) = ('\0', 0, false);
    for c in piece.chars().flat_map(char::to_lowercase) {
        let c = match c {
            _ if is_apostrophe(c) => '\'',
            _ if c.is_numeric() => '0',
            _ => c,
        };
        run = if c == last { run + 1 } else { 1 };
        last = c;
        if c == '0' && run > 1 {
            continue;
        }
        if run > 2 {
            drawn_out = true;
            continue;
        }
        normal.push(c);
    }
    let normal = normal.trim_matches('\'');
    let letters = piece.chars().filter(|c| c.is_alphabetic()).count();
    let shouted = letters > 2 && !piece.chars().any(char::is_lowercase);
    // Typed in haste and recognised speech alike leave out this apostrophe; there is no other word to mistake it for.
    let normal = normal.strip_suffix("n't").map_or_else(|| normal.to_owned(), |stem| format!("{stem}nt"));
    (normal, shouted || drawn_out)
}

/// One sort of question, exclamation, pause and end.
fn mark(piece: &str) -> String {
    let (questions, shouts) = (piece.contains('?'), piece.contains('!'));
    match (questions, shouts) {
        (true, true) => "?!".into(),
        (true, false) => "?".into(),
        (false, true) => if piece.len() > 1 { "!!" } else { "!" }.into(),
        (false, false) if piece.len() > 1 && piece.starts_with('.') => "..".into(),
        (false, false) if piece == "\u{2026}" => "..".into(),
        (false, false) if piece == "\n" => ".".into(),
        (false, false) if piece == "\u{2013}" || piece == "\u{2014}" => "-".into(),
        (false, false) => piece.into(),
    }
}

/// How many tokens a negation reaches, where nothing ends it before. Recognised speech has no marks to end it.
const REACH: usize = 5;

/// Marks the words that stand after a negation, up to the next mark or conjunction.
fn negate(tokens: &mut [Token]) {
    let mut left = 0usize;
    for token in tokens {
        if token.kind != Kind::Word || ends_negation(&token.text) {
            left = 0;
            continue;
        }
        token.negated = left > 0;
        left = if negates(&token.text) { REACH } else { left.saturating_sub(1) };
    }
}

fn negates(word: &str) -> bool {
    matches!(
        word,
        "not"
            | "no"
            | "never"
            | "none"
            | "nobody"
            | "nothing"
            | "without"
            | "cannot"
            | "cant"
            | "dont"
            | "wont"
            | "nicht"
            | "kein"
            | "keine"
            | "keinen"
            | "keiner"
            | "keinem"
            | "nie"
            | "niemals"
            | "ohne"
    ) || (word.len() > 4 && word.ends_with("nt") && HELPERS.contains(&word))
}

const HELPERS: [&str; 16] = [
    "didnt", "doesnt", "isnt", "arent", "wasnt", "werent", "havent", "hasnt", "hadnt", "wouldnt", "couldnt",
    "shouldnt", "mustnt", "neednt", "aint", "mightnt",
];

fn ends_negation(word: &str) -> bool {
    matches!(word, "but" | "because" | "so" | "although" | "though" | "aber" | "sondern" | "weil")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn spellings_of_one_word_are_one_token() {
        assert_eq!(texts("I DON\u{2019}T know"), texts("i dont know"));
        assert_eq!(texts("Sooooo good!!!"), ["soo", "good", "!!"]);
        assert_eq!(texts("call 0800 1234567"), ["call", "0", "0"]);
        assert_eq!(texts("my card [card] \u{1f621}"), ["my", "card", "[card]", "\u{1f621}"]);
    }

    #[test]
    fn a_negation_reaches_to_the_next_mark() {
        let negated = |text: &str| -> Vec<String> {
            tokens(text).into_iter().filter(|token| token.negated).map(|token| token.text).collect()
        };
        assert_eq!(negated("I don't want to cancel, I want to pay"), ["want", "to", "cancel"]);
        assert_eq!(negated("not bad at all but slow"), ["bad", "at", "all"]);
        assert!(negated("I want to cancel").is_empty());
    }

    proptest! {
        #[test]
        fn every_token_lies_in_the_text(text in "\\PC{0,200}") {
            let mut last = 0;
            for token in tokens(&text) {
                prop_assert!(text.get(token.place.clone()).is_some_and(|piece| !piece.is_empty()));
                prop_assert!(token.place.start >= last);
                last = token.place.end;
            }
        }
    }
}
