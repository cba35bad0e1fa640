//! Dates: those of birth go, those of orders and appointments stay.
//!
//! A date is one of birth if a word says so, or if its year is one in which customers were born and nothing was
//! ordered.

use std::ops::Range;

use super::german::german_value;
use super::kind::Kind;
use super::lexicon::{BIRTH, MONTH, ORDINAL, UNIT};
use super::number::{self, number};
use super::reader::{Claims, Reader};
use super::token::{Token, Tokens};

/// The last year of birth that is taken for one without a cue: whoever was born later calls nobody yet.
const LATEST: u32 = 2012;
/// Tokens around a date in which a word may say that it is one of birth.
const REACH: usize = 14;

struct Date {
    range: Range<usize>,
    year: Option<u32>,
}

/// Dates of birth.
pub(super) fn find(reader: &Reader<'_>) -> Claims {
    all(reader)
        .into_iter()
        .filter(|date| is_birth(reader, date))
        .map(|date| {
            let article = reader.tokens.before(date.range.start, 1).is_some_and(|t| t.plain == "the");
            (date.range.start - usize::from(article)..date.range.end, Kind::Birth)
        })
        .collect()
}

/// Other dates.
pub(super) fn kept(reader: &Reader<'_>) -> Vec<Range<usize>> {
    all(reader).into_iter().filter(|date| !is_birth(reader, date)).map(|date| date.range).collect()
}

fn all(reader: &Reader<'_>) -> Vec<Date> {
    let mut dates = Vec::new();
    let mut index = 0;
    while index < reader.tokens.len() {
        let date = numeric(reader, index)
            .or_else(|| day_first(reader, index))
            .or_else(|| month_first(reader, index));
        match date {
            Some(date) => {
                index = date.range.end.max(index + 1);
                dates.push(date);
            }
            None => index += 1,
        }
    }
    dates
}

fn is_birth(reader: &Reader<'_>, date: &Date) -> bool {
    if date.year.is_some_and(|year| (1900..LATEST).contains(&year)) {
        return true;
    }
    let cue = |token: &Token| token.is_word() && token.is(BIRTH);
    for back in 1..=REACH {
        match reader.tokens.before(date.range.start, back) {
            Some(token) if cue(token) => return true,
            Some(_) => {}
            None => {
                if reader.before.cue.any(BIRTH) {
                    return true;
                }
                break;
            }
        }
    }
    (date.range.end..date.range.end + 5)
        .map_while(|index| reader.tokens.get(index))
        .take_while(|token| !token.ends_sentence())
        .any(cue)
}

fn digits(tokens: &Tokens, at: usize, lengths: Range<usize>, most: u32) -> Option<u32> {
    let token = tokens.get(at).filter(|t| t.is_digits() && lengths.contains(&t.plain.len()))?;
    token.plain.parse().ok().filter(|value| *value <= most)
}

fn full_year(value: u32, length: usize) -> u32 {
    match (length, value) {
        (2, 0..=29) => 2000 + value,
        (2, _) => 1900 + value,
        _ => value,
    }
}

/// `12/05/1980`, `12.5.80`, `1980-05-12`.
fn numeric(reader: &Reader<'_>, at: usize) -> Option<Date> {
    let tokens = reader.tokens;
    let first = tokens.get(at)?;
    // A number that goes on to the left is no date.
    let before = tokens.before(at, 1).filter(|_| first.joined);
    if !first.is_digits() || before.is_some_and(|t| matches!(t.sign(), Some('.' | '/' | '-')) || t.is_word())
    {
        return None;
    }
    let separator =
        |index| tokens.get(index).and_then(Token::sign).filter(|s| matches!(s, '.' | '/' | '-' | '–' | '—'));
    if separator(at + 1)? != separator(at + 3)? {
        return None;
    }
    let (year, year_length) = if first.plain.len() == 4 {
        digits(tokens, at + 2, 1..3, 12)?;
        digits(tokens, at + 4, 1..3, 31)?;
        (first.plain.parse().ok()?, 4)
    } else {
        let day = digits(tokens, at, 1..3, 31)?;
        let month = digits(tokens, at + 2, 1..3, 31)?;
        if day.min(month) > 12 || day.min(month) == 0 {
            return None;
        }
        let year = tokens.get(at + 4).filter(|t| t.is_digits() && matches!(t.plain.len(), 2 | 4))?;
        (year.plain.parse().ok()?, year.plain.len())
    };
    let year = full_year(year, year_length);
    // A number that goes on to the right is none either.
    let goes_on =
        tokens.get(at + 5).is_some_and(|t| t.joined && (t.is_word() || matches!(t.sign(), Some('/' | '-'))))
            || tokens.get(at + 6).is_some_and(|t| t.joined && t.is_digits() && separator(at + 5).is_some())
            || tokens.get(at + 5).is_some_and(|t| t.is_digits() && t.plain.len() > 2);
    ((1900..2100).contains(&year) && !goes_on && !goes_back(reader, at) && !self::goes_on(reader, at + 5))
        .then_some(Date { range: at..at + 5, year: Some(year) })
}

/// Whether more digits follow, so that this is a piece of a longer number.
fn goes_on(reader: &Reader<'_>, end: usize) -> bool {
    // `, uh`, `. then`
    let next = (end..end + 4).find(|index| !reader.tokens.get(*index).is_some_and(binds));
    next.and_then(|next| number(reader.tokens, next, reader.language)).is_some_and(|item| {
        !reader.tokens.get(item.end).is_some_and(|t| t.is_word() && t.is(UNIT) || t.sign() == Some(':'))
    })
}

/// Whether digits stand before, so that this is a piece of a longer number.
fn goes_back(reader: &Reader<'_>, at: usize) -> bool {
    let before = (1..=4).find_map(|back| reader.tokens.before(at, back).filter(|token| !binds(token)));
    before.is_some_and(|t| t.is_digits() || number::unit(&t.plain, reader.language).is_some())
}

/// Signs and small words between the pieces of one number.
fn binds(token: &Token) -> bool {
    matches!(token.sign(), Some('.' | '-' | '/' | ',' | '–' | '—'))
        || matches!(
            token.plain.as_str(),
            "uh" | "um"
                | "er"
                | "hm"
                | "aeh"
                | "aehm"
                | "then"
                | "dann"
                | "and"
                | "und"
                | "yes"
                | "ja"
                | "ok"
                | "okay"
        )
}

/// The day of a month: `third`, `21st`, `3.`, `twenty first`, `dritten`, `einundzwanzigsten`.
fn day(reader: &Reader<'_>, at: usize) -> Option<usize> {
    let tokens = reader.tokens;
    let token = tokens.get(at)?;
    let ordinal = |index: usize| tokens.get(index).is_some_and(|t| t.is_word() && is_ordinal(t, reader));
    if ordinal(at) {
        return Some(at + 1);
    }
    if token.is_digits() {
        digits(tokens, at, 1..3, 31).filter(|day| *day > 0)?;
        let suffix = |t: &Token| {
            t.joined
                && (t.sign() == Some('.')
                    || matches!(t.plain.as_str(), "st" | "nd" | "rd" | "th" | "ter" | "ten"))
        };
        return Some(if tokens.get(at + 1).is_some_and(suffix) { at + 2 } else { at + 1 });
    }
    if matches!(token.plain.as_str(), "twenty" | "thirty") {
        let next = if tokens.get(at + 1).is_some_and(|t| t.sign() == Some('-')) { at + 2 } else { at + 1 };
        if ordinal(next) {
            return Some(next + 1);
        }
    }
    let item = number(tokens, at, reader.language)?;
    item.code.parse().ok().filter(|value: &u32| (1..=31).contains(value))?;
    Some(item.end)
}

fn is_ordinal(token: &Token, reader: &Reader<'_>) -> bool {
    token.is(ORDINAL)
        || reader.language.has_german()
            && ["sten", "ster", "ste"]
                .into_iter()
                .find_map(|ending| token.plain.strip_suffix(ending))
                .and_then(german_value)
                .is_some_and(|value| (20..=31).contains(&value))
}

fn month(reader: &Reader<'_>, at: usize) -> Option<usize> {
    let token = reader.tokens.get(at).filter(|t| t.is_word() && t.is(MONTH))?;
    let dot = token.plain.len() <= 4
        && reader.tokens.get(at + 1).is_some_and(|t| t.joined && t.sign() == Some('.'));
    Some(if dot { at + 2 } else { at + 1 })
}

/// `the third of May nineteen eighty`, `3. Mai 1980`, `dritten fünften achtzig`.
fn day_first(reader: &Reader<'_>, at: usize) -> Option<Date> {
    let mut next = day(reader, at)?;
    for _ in 0..3 {
        let of = |t: &Token| matches!(t.plain.as_str(), "of" | "day" | "the" | "des");
        next += usize::from(reader.tokens.get(next).is_some_and(of));
    }
    let named = month(reader, next);
    // A month by its number: both are ordinals, and a year has to follow.
    let end = named.or_else(|| {
        let ordinals = [at, next].into_iter().all(|index| {
            let token = reader.tokens.get(index);
            token.is_some_and(|t| is_ordinal(t, reader))
                || reader.tokens.get(index + 1).is_some_and(|t| {
                    t.joined
                        && (t.sign() == Some('.') || matches!(t.plain.as_str(), "st" | "nd" | "rd" | "th"))
                }) && token.is_some_and(Token::is_digits)
        });
        let late =
            reader.tokens.get(next).is_some_and(|t| t.plain.parse().is_ok_and(|value: u32| value > 12));
        (ordinals && !late).then(|| day(reader, next)).flatten()
    })?;
    let year = year(reader, end);
    let asked = reader.before.cue.any(BIRTH)
        || (1..=4).any(|back| reader.tokens.before(at, back).is_some_and(|t| t.is_word() && t.is(BIRTH)));
    if named.is_none()
        && !asked
        && (goes_back(reader, at) || year.as_ref().is_none_or(|(end, _)| goes_on(reader, *end)))
    {
        return None;
    }
    let (end, year) = year.map_or((end, None), |(end, year)| (end, Some(year)));
    Some(Date { range: at..end, year })
}

/// `May the third, 1980`, `May 3rd`.
fn month_first(reader: &Reader<'_>, at: usize) -> Option<Date> {
    let mut next = month(reader, at)?;
    if reader.tokens.get(next).is_some_and(|t| t.plain == "the") {
        next += 1;
    }
    let day_end = day(reader, next);
    // `May 1980` is a month and its year.
    let comma = |end: usize| {
        if reader.tokens.get(end).is_some_and(|t| t.sign() == Some(',')) { end + 1 } else { end }
    };
    match day_end {
        Some(end) => {
            let (end, year) = year(reader, comma(end)).map_or((end, None), |(end, year)| (end, Some(year)));
            Some(Date { range: at..end, year })
        }
        None => year(reader, next).map(|(end, year)| Date { range: at..end, year: Some(year) }),
    }
}

/// The year that begins at `at`: `1980`, `'80`, `80`, `nineteen eighty`, `two thousand and three`,
/// `neunzehnhundertachtzig`.
fn year(reader: &Reader<'_>, at: usize) -> Option<(usize, u32)> {
    let tokens = reader.tokens;
    let mut at = at;
    for _ in 0..3 {
        let skip = tokens.get(at).is_some_and(|t| {
            matches!(t.sign(), Some('\'' | '’' | ',' | '.'))
                || matches!(t.plain.as_str(), "of" | "in" | "the" | "year" | "im" | "jahr" | "jahre")
        });
        if !skip {
            break;
        }
        at += 1;
    }
    let mut said = String::new();
    let mut end = at;
    for _ in 0..4 {
        let zero = tokens.get(end).and_then(|t| number::zero_letter(&t.plain));
        let next = match number(tokens, end, reader.language) {
            Some(item) => item,
            None if zero.is_some() && !said.is_empty() => {
                said.push('0');
                end += 1;
                continue;
            }
            None => break,
        };
        // `at 3 pm`, `2 weeks`
        if tokens.get(next.end).is_some_and(|t| t.is_word() && t.is(UNIT) || t.sign() == Some(':'))
            && said.len() != 2
        {
            break;
        }
        if said.len() + next.code.len() > 4 {
            break;
        }
        said.push_str(&next.code);
        end = next.end;
        if said.len() >= 4 {
            break;
        }
        let small = said.parse::<u32>().is_ok_and(|value| !(19..=20).contains(&value) && value > 2);
        let goes_on = tokens.get(end).is_some_and(|t| t.is_word() || t.is_digits()) && said.len() < 4;
        if !goes_on || (small && said.len() == 2) {
            break;
        }
    }
    let value: u32 = said.parse().ok()?;
    let value = match said.len() {
        2 => full_year(value, 2),
        // nineteen oh five
        4 => value,
        3 if said.starts_with("19") || said.starts_with("20") => value / 10 * 100 + value % 10,
        _ => return None,
    };
    (1900..2100).contains(&value).then_some((end, value))
}
