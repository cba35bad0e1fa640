//! Passwords, which are words: `the password is hunter two`. PINs are numbers and so the business of
//! [`run`](super::run).

use super::kind::Kind;
use super::lexicon::{FILLER, LINK, PASSWORD, STATE_OF, STOP};
use super::number;
use super::reader::{Claims, Reader};
use super::token::{Shape, Token};

/// Words of a password that are taken out.
const WORDS: usize = 5;

/// Every password that follows its cue.
pub(super) fn find(reader: &Reader<'_>) -> Claims {
    let mut claims = Claims::new();
    for index in 0..reader.tokens.len() {
        if reader.tokens.get(index).is_some_and(|t| t.is_word() && t.is(PASSWORD)) {
            claims.extend(value(reader, index + 1, false).map(|range| (range, Kind::Secret)));
        }
    }
    if reader.before.cue.any(PASSWORD) {
        claims.extend(value(reader, 0, true).map(|range| (range, Kind::Secret)));
    }
    claims
}

fn is_link(token: &Token) -> bool {
    matches!(token.sign(), Some(':' | '=' | '"' | '\'' | '„' | '“' | '-' | '–' | ',' | '('))
        || matches!(
            token.plain.as_str(),
            "is" | "was"
                | "its"
                | "ist"
                | "war"
                | "lautet"
                | "heisst"
                | "reads"
                | "says"
                | "the"
                | "das"
                | "word"
                | "wort"
                | "und"
                | "and"
                | "so"
                | "um"
                | "uh"
                | "aehm"
                | "also"
                | "es"
                | "dann"
                | "for"
                | "account"
                | "my"
                | "that"
                | "fuer"
                | "mein"
                | "konto"
        )
}

/// The password after a cue: the first token that is no link, and what belongs to it.
fn value(reader: &Reader<'_>, from: usize, mut announced: bool) -> Option<std::ops::Range<usize>> {
    let mut start = from;
    let set = (1..=5).filter_map(|back| reader.tokens.before(from, back)).any(|t| {
        matches!(t.plain.as_str(), "set" | "changed" | "change" | "made" | "reset" | "gesetzt" | "geaendert")
    });
    while let Some(token) =
        reader.tokens.get(start).filter(|t| is_link(t) || set && matches!(t.plain.as_str(), "to" | "auf"))
    {
        announced |= matches!(token.plain.as_str(), "to" | "auf");
        announced |= matches!(token.sign(), Some(':' | '='))
            || matches!(
                token.plain.as_str(),
                "is" | "was" | "its" | "ist" | "war" | "lautet" | "heisst" | "reads" | "says"
            );
        start += 1;
        if start > from + 6 {
            return None;
        }
    }
    let first = reader.tokens.get(start)?;
    let mixed = reader.tokens.get(start + 1).is_some_and(|t| t.joined && (t.is_digits() || t.is_word()));
    if !(announced || mixed && !first.is(STOP)) || !matches!(first.shape, Shape::Word | Shape::Digits) {
        return None;
    }
    // `correct horse`: a state that another word follows is none.
    let state = first.is(STATE_OF)
        && reader
            .tokens
            .get(start + 1)
            .is_none_or(|t| !t.is_word() || t.is(STOP.or(FILLER).or(LINK).or(STATE_OF)));
    if (first.is(STOP) && !first.is(STATE_OF) || state)
        && !mixed
        && number::number(reader.tokens, start, reader.language).is_none()
    {
        return None;
    }
    let mut end = start + 1;
    let mut words = 1;
    while let Some(token) = reader.tokens.get(end).filter(|t| !matches!(t.shape, Shape::Placeholder(_))) {
        let number = number::number(reader.tokens, end, reader.language).is_some();
        let tail = token.ends_sentence() && reader.tokens.get(end + 1).is_none_or(|t| !t.joined);
        let more = match token.shape {
            // `nine, nine, four`
            Shape::Sign(',') => {
                number::number(reader.tokens, end + 1, reader.language).is_some()
                    && number::number(reader.tokens, end - 1, reader.language).is_some()
            }
            Shape::Sign(_) => token.joined && !tail && !matches!(token.sign(), Some(',' | ')' | '"')),
            _ => token.joined || number || !token.is(STOP.or(LINK).or(FILLER)),
        };
        if !more || token.lines > 0 || (words >= WORDS && !token.joined) {
            break;
        }
        words += usize::from(!token.joined);
        end += 1;
    }
    Some(start..end)
}
