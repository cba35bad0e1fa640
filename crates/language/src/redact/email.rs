//! E-mail addresses: `john.smith@example.org`, `john dot smith at example dot org`.

use super::kind::Kind;
use super::lexicon::{AT, DOT, FILLER, JOINER, LINK, MAIL, PROVIDER, STOP, TLD};
use super::number;
use super::reader::{Claims, Reader};
use super::token::{Shape, Token};

/// Words of a domain, and of the part before the `at`, that are looked at.
const DOMAIN: usize = 16;
const LOCAL: usize = 24;
/// Words before `at` that may belong to a name without a sign between them.
const NAMES: usize = 4;

/// Every address.
pub(super) fn find(reader: &Reader<'_>) -> Claims {
    let mut claims = Claims::new();
    let mut index = 0;
    while let Some(token) = reader.tokens.get(index) {
        let at = token.sign() == Some('@');
        let sign = at && reader.tokens.get(index + 1).is_some_and(|t| t.joined);
        // `jane @ example.org` is read as it would be said.
        let word = at && !sign || token.is_word() && token.is(AT);
        let end = if sign || word { domain(reader, index + 1, sign) } else { None };
        if let Some(end) = end {
            let mut from = local(reader, index, sign);
            // `[at]`, `(at)`
            if from == index
                && reader.tokens.before(index, 1).is_some_and(|t| matches!(t.sign(), Some('(' | '[')))
            {
                from = local(reader, index - 1, sign);
            }
            if from < index || sign {
                claims.push((from..end, Kind::Email));
                index = end;
                continue;
            }
        }
        index += 1;
    }
    if reader.before.kind == Some(Kind::Email) || reader.before.cue.any(MAIL) {
        claims.extend(begun(reader).map(|end| (0..end, Kind::Email)));
    }
    claims.extend(ended(reader).map(|from| (from..reader.tokens.len(), Kind::Email)));
    claims
}

/// The end of an address that the utterance before has begun: `at example dot org`, `example dot org`.
fn begun(reader: &Reader<'_>) -> Option<usize> {
    let first = reader.tokens.get(0)?;
    let from = usize::from(first.is_word() && first.is(AT.or(DOT)) || first.sign() == Some('@'));
    domain(reader, from, false)
}

/// Where an address begins that goes on to the end of the text: `my email is john dot smith`, `john dot smith at`.
fn ended(reader: &Reader<'_>) -> Option<usize> {
    let len = reader.tokens.len();
    let mut linked = false;
    let mut from = len;
    for back in 1..=LOCAL {
        let index = len.checked_sub(back);
        let Some(token) = index.and_then(|index| reader.tokens.get(index)) else {
            // All of the text: the cue stood in the utterance before.
            return (linked && reader.before.cue.any(MAIL) && from < len).then_some(from);
        };
        let index = index?;
        let sign = token.is_word() && token.is(DOT.or(JOINER).or(AT));
        linked |= sign;
        let part = sign
            || token.is_digits()
            || matches!(token.sign(), Some('.' | '-' | '_'))
            || token.is_word() && (token.letter().is_some() || !token.is(STOP.or(LINK).or(FILLER)))
            || number::number(reader.tokens, index, reader.language).is_some();
        if !part || token.is(MAIL) {
            let cued = (0..4)
                .filter_map(|more| reader.tokens.before(index + 1, more + 1))
                .any(|t| t.is_word() && t.is(MAIL))
                || index < 4 && reader.before.cue.any(MAIL);
            return (linked && cued && from < len).then_some(from);
        }
        from = index;
    }
    None
}

fn is_dot(token: &Token) -> bool {
    token.sign() == Some('.') || token.is_word() && token.is(DOT)
}

fn bracket(token: &Token) -> bool {
    matches!(token.sign(), Some('(' | ')' | '[' | ']' | '<' | '>' | '{' | '}'))
}

/// The end of a domain that is written without a space.
fn written(reader: &Reader<'_>, at: usize) -> Option<usize> {
    const LONGEST: usize = 64;
    (at..at + LONGEST)
        .map_while(|index| reader.tokens.get(index).map(|token| (index, token)))
        .take_while(|(_, token)| {
            token.joined
                && (token.is_word() || token.is_digits() || matches!(token.sign(), Some('.' | '-' | '_')))
        })
        .filter(|(_, token)| token.is_word() || token.is_digits())
        .last()
        .map(|(index, _)| index + 1)
}

/// The end of the domain that begins at `at`.
fn domain(reader: &Reader<'_>, at: usize, sign: bool) -> Option<usize> {
    if sign {
        // The rest may be said: `jane@example dot org`.
        let end = written(reader, at)?;
        let said = reader.tokens.get(end).is_some_and(|t| t.is_word() && t.is(DOT));
        return Some(if said { domain(reader, at, false).map_or(end, |more| more.max(end)) } else { end });
    }
    let mut end = None;
    let mut dotted = false;
    let mut labels = 0;
    for index in at..at + DOMAIN {
        let Some(token) = reader.tokens.get(index) else { break };
        match token.shape {
            Shape::Placeholder(_) => break,
            // A sentence's end is no dot of a domain.
            Shape::Sign('.') if !reader.tokens.get(index + 1).is_some_and(|t| t.joined) && token.joined => {
                break;
            }
            _ if is_dot(token) => dotted = labels > 0,
            Shape::Word if token.is(DOT.or(AT)) && labels == 0 => break,
            Shape::Word if token.is(JOINER) && labels > 0 => dotted = true,
            Shape::Word | Shape::Digits => {
                labels += 1;
                let ends = dotted && token.is(TLD) || labels == 1 && token.is(PROVIDER);
                if ends {
                    end = Some(index + 1);
                } else if !(labels <= 4
                    && (dotted
                        || labels <= 3
                        || number::number(reader.tokens, index, reader.language).is_some()))
                {
                    break;
                }
                if ends && token.is(PROVIDER) && reader.tokens.get(index + 1).is_some_and(|t| t.is(TLD)) {
                    end = Some(index + 2);
                }
                if end.is_some_and(|end| end <= index) {
                    break;
                }
                dotted = false;
            }
            Shape::Sign('-' | '_') => {}
            Shape::Sign(',') => {}
            _ if bracket(token) => {}
            Shape::Sign(_) => break,
        }
    }
    end
}

/// Where the part before the `at` at `at` begins.
fn local(reader: &Reader<'_>, at: usize, sign: bool) -> usize {
    let mut from = at;
    let mut linked = true;
    let mut names = 0;
    for back in 1..=LOCAL {
        let Some(token) = reader.tokens.before(at, back) else { break };
        let index = at - back;
        match token.shape {
            Shape::Placeholder(_) => break,
            Shape::Sign('.' | '_' | '-' | '+' | '/' | '\'' | '&' | '=' | '~' | '#' | '!' | '%') => {
                // A sentence's end is followed by a space.
                let after = reader.tokens.get(index + 1);
                if after.is_some_and(|t| !t.joined) && !linked_by_space(reader, index) {
                    break;
                }
                linked = true;
                continue;
            }
            Shape::Sign(',') if back == 1 && !sign => continue,
            Shape::Sign(_) if bracket(token) => continue,
            Shape::Sign(_) => break,
            Shape::Word if token.is(DOT.or(JOINER)) => linked = true,
            Shape::Word | Shape::Digits => {
                let digit = token.is_digits()
                    || token.letter().is_some()
                    || number::number(reader.tokens, index, reader.language).is_some();
                let spelled = matches!(token.plain.as_str(), "wie" | "as" | "in" | "for")
                    && (1..=2)
                        .any(|more| reader.tokens.before(index, more).is_some_and(|t| t.letter().is_some()));
                // `bob the builder`: one small word between two that are none.
                let between = matches!(token.plain.as_str(), "the" | "of" | "and" | "der" | "und")
                    && names > 0
                    && reader
                        .tokens
                        .before(index, 1)
                        .is_some_and(|t| t.is_word() && !t.is(STOP.or(LINK).or(FILLER)));
                let stop = token.is(STOP.or(LINK).or(FILLER)) && !digit && !spelled && !between;
                let tight = reader.tokens.get(index + 1).is_some_and(|t| t.joined);
                if !(linked && back > 1 || tight && (sign || back > 1)) {
                    // Without a sign between, words go until one that is no name.
                    if stop || names >= NAMES && !digit {
                        break;
                    }
                    names += 1;
                }
                from = index;
                linked = false;
                continue;
            }
        }
        from = if linked { from } else { index };
    }
    from
}

/// `john . smith`: a dot between spaces.
fn linked_by_space(reader: &Reader<'_>, index: usize) -> bool {
    reader.tokens.get(index).is_some_and(|t| !t.joined)
}
