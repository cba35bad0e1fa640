//! Postal addresses: `42 Baker Street`, `Hauptstraße 7, 10115 Berlin`, `Springfield, IL 62704`.

use super::kind::Kind;
use super::lexicon::{
    ADDRESS, DWELLING, FILLER, LINK, OWNER, PARTICLE, PLACE_PREPOSITION, SOFT_STREET, STATE, STATE_OF, STOP,
    STREET, TITLE, UNIT,
};
use super::number::number;
use super::reader::{Claims, Reader};
use super::token::{Shape, Token};

/// Words between a house number and the kind of street.
const STREET_WORDS: usize = 4;
/// Tokens of an address after its cue or its street.
const REST: usize = 14;

/// Every address.
pub(super) fn find(reader: &Reader<'_>) -> Claims {
    let mut claims = Claims::new();
    let mut index = 0;
    while index < reader.tokens.len() {
        let range = english_street(reader, index)
            .or_else(|| named_street(reader, index))
            .or_else(|| german_street(reader, index))
            .or_else(|| box_number(reader, index))
            .or_else(|| town(reader, index))
            .or_else(|| announced(reader, index));
        match range {
            Some((from, end)) => {
                let end = rest(reader, end);
                claims.push((before(reader, from)..end, Kind::Address));
                index = end.max(index + 1);
            }
            None => index += 1,
        }
    }
    if reader.before.cue.any(ADDRESS) {
        let number = house(reader, 0).filter(|end| end + 1 >= reader.tokens.len()).map(|end| (0, end));
        claims.extend(
            number.or_else(|| value(reader, 0)).map(|(from, end)| (from..rest(reader, end), Kind::Address)),
        );
    }
    claims
}

/// `High`, `New`: common words are names where a capital says so.
fn name_like(reader: &Reader<'_>, token: &Token) -> bool {
    let named = reader.capitals && token.capital && token.plain.len() > 1;
    token.is_word() && (token.is(PARTICLE) || named || !token.is(STOP.or(UNIT)))
}

/// The end of a house number at `at`: `42`, `42b`, `forty two`, `7-9`.
fn house(reader: &Reader<'_>, at: usize) -> Option<usize> {
    let item = number(reader.tokens, at, reader.language).filter(|item| item.code.len() <= 5)?;
    let mut end = item.end;
    while end < at + 6 {
        let more = number(reader.tokens, end, reader.language).filter(|more| more.code.len() <= 4);
        let dash = reader.tokens.get(end).is_some_and(|t| matches!(t.sign(), Some('-' | '/' | '–')));
        let letter = reader.tokens.get(end).is_some_and(|t| {
            t.letter().is_some_and(|c| t.joined || ('a'..='h').contains(&c)) && (t.joined || !t.is(STOP))
        });
        if let Some(more) = more {
            end = more.end;
        } else if letter || dash && number(reader.tokens, end + 1, reader.language).is_some() {
            end += 1;
        } else {
            break;
        }
    }
    Some(end)
}

/// `42 Baker Street`, `forty two baker street`. With a word before, `I live on Baker Street`.
fn english_street(reader: &Reader<'_>, at: usize) -> Option<(usize, usize)> {
    if !reader.language.has_english() {
        return None;
    }
    let mut index = house(reader, at)?;
    let mut words = 0;
    if reader.tokens.get(index).is_some_and(|t| t.sign() == Some(',')) {
        index += 1;
    }
    let mut capital = false;
    loop {
        let token = reader.tokens.get(index)?;
        if token.sign() == Some('.') || token.sign() == Some('-') {
            index += 1;
            continue;
        }
        // St. James's Road, Drive Lane: the last kind of street in a row is the kind.
        if words > 0 && token.is(STREET.or(SOFT_STREET)) && token.is_word() {
            let sure = token.is(STREET) || capital && token.capital || cued(reader, at);
            return sure.then_some((at, index + 1));
        }
        let ordinal = token.is_digits() || number(reader.tokens, index, reader.language).is_some();
        if words >= STREET_WORDS
            || !(name_like(reader, token) || token.is(super::lexicon::ORDINAL) || ordinal)
            || token.lines > 0
        {
            return None;
        }
        capital |= token.capital;
        words += 1;
        index += 1;
    }
}

/// `Baker Street` without a number: capitals say that it is a name.
fn named_street(reader: &Reader<'_>, at: usize) -> Option<(usize, usize)> {
    let capital = |index: usize| {
        reader.tokens.get(index).is_some_and(|t| t.is_word() && t.capital && t.plain.len() > 1)
    };
    if !(reader.language.has_english() && reader.capitals && capital(at)) {
        return None;
    }
    let begins = reader.tokens.before(at, 1).is_none_or(|t| !t.is_word() || !t.capital);
    let first = reader.tokens.get(at).is_some_and(|t| !t.is(STOP.or(TITLE).or(PLACE_PREPOSITION)));
    let kind = (at + 1..at + 4).take_while(|index| capital(*index)).find(|index| {
        reader
            .tokens
            .get(*index)
            .is_some_and(|t| t.is(STREET) && t.plain.len() > 2 || t.is(SOFT_STREET) && cued(reader, at))
    })?;
    (begins && first).then_some((at, kind + 1))
}

/// A cue of an address in the words before.
fn cued(reader: &Reader<'_>, at: usize) -> bool {
    (1..=8).map_while(|back| reader.tokens.before(at, back)).any(|t| t.is_word() && t.is(ADDRESS))
}

/// Compounds that end as a street does and are none.
const NO_STREETS: &[&str] = &[
    "parkplatz",
    "arbeitsplatz",
    "ausweg",
    "umweg",
    "unterwegs",
    "bildschirmplatz",
    "sitzplatz",
    "stellplatz",
    "rueckweg",
    "hinweg",
    "heimweg",
    "bahnhof",
    "rechtsweg",
    "postweg",
    "marktplatz",
    "speicherplatz",
    "supermarkt",
    "vertriebsweg",
    "bauernhof",
    "friedhof",
    "anfahrtsweg",
    "lieferweg",
    "zahlungsweg",
    "vormarkt",
    "baumarkt",
    "schriftweg",
    "einstieg",
    "ausstieg",
    "umstieg",
    "abstieg",
    "aufstieg",
    "schwarzmarkt",
    "anstieg",
    "feuering",
    "hering",
    "gering",
    "bring",
    "spring",
    "deswegen",
    "durchweg",
    "keineswegs",
    "datenweg",
    "teststrasse",
];

/// `Hauptstraße 7`, `Berliner Allee 5`, `Straße des 17. Juni 135`, `Am Markt 3` where something says that it is one.
fn german_street(reader: &Reader<'_>, at: usize) -> Option<(usize, usize)> {
    if !reader.language.has_german() {
        return None;
    }
    let token = reader.tokens.get(at).filter(|t| t.is_word())?;
    let dot = |index: usize| reader.tokens.get(index).is_some_and(|t| t.sign() == Some('.') && t.joined);
    let word = token.plain.as_str();
    let compound = !NO_STREETS.contains(&word)
        && [
            "strasse",
            "str",
            "weg",
            "platz",
            "gasse",
            "allee",
            "ring",
            "ufer",
            "damm",
            "chaussee",
            "steig",
            "markt",
            "hof",
            "berg",
            "park",
            "promenade",
            "graben",
            "wall",
            "stieg",
            "garten",
            "tor",
            "winkel",
            "feld",
            "kamp",
        ]
        .into_iter()
        .find_map(|kind| word.strip_suffix(kind))
        .is_some_and(|name| name.len() > 2 || name.is_empty() && word.starts_with("str"));
    let mut end = at + 1;
    let mut from = at;
    let of = matches!(word, "platz" | "allee")
        && reader.tokens.get(end).is_some_and(|t| matches!(t.plain.as_str(), "des" | "der"))
        && reader.tokens.get(end + 1).is_some_and(|t| t.capital);
    if !compound && !of && token.is(STREET.or(SOFT_STREET)) {
        // Berliner Allee, Lange Straße
        let adjective = reader
            .tokens
            .before(at, 1)
            .filter(|t| t.is_word() && (!t.is(STOP) || t.capital && reader.capitals));
        let hyphen = token.joined && reader.tokens.before(at, 1).is_some_and(|t| t.sign() == Some('-'));
        if hyphen {
            from = (1..8)
                .take_while(|back| {
                    reader.tokens.before(at, *back).is_some_and(|t| t.is_word() || t.sign() == Some('-'))
                        && reader.tokens.get(at - back + 1).is_some_and(|t| t.joined)
                })
                .last()
                .map_or(at, |back| at - back);
        } else if adjective.is_some_and(|t| token.is(STREET) || t.capital && token.capital) {
            from = at - 1;
        } else {
            return None;
        }
    } else if !compound && !of {
        return preposition(reader, at);
    }
    if dot(end) {
        end += 1;
    }
    if matches!(word, "strasse" | "platz" | "allee")
        && reader
            .tokens
            .get(end)
            .is_some_and(|t| matches!(t.plain.as_str(), "des" | "der" | "am" | "zum" | "von"))
    {
        from = at;
        let number_at =
            (end + 1..end + 6).rfind(|index| number(reader.tokens, *index, reader.language).is_some())?;
        return Some((from, house(reader, number_at)?));
    }
    match house(reader, end) {
        Some(house) if reader.tokens.get(house).is_none_or(|t| !(t.is_word() && t.is(UNIT))) => {
            Some((from, house))
        }
        // Without a number only where somebody says where they live.
        _ => (cued(reader, from) && (token.plain.len() > 5 || from < at)).then_some((from, end)),
    }
}

/// `Am Markt 3`, `An der Alster 12`.
fn preposition(reader: &Reader<'_>, at: usize) -> Option<(usize, usize)> {
    reader.tokens.get(at).filter(|t| t.is(PLACE_PREPOSITION))?;
    let mut index = at + 1;
    if reader.tokens.get(index).is_some_and(|t| matches!(t.plain.as_str(), "der" | "dem" | "den")) {
        index += 1;
    }
    reader
        .tokens
        .get(index)
        .filter(|t| t.capital && t.is_word() && !t.is(STOP.or(UNIT).or(super::lexicon::MONTH)))?;
    let end = house(reader, index + 1)?;
    let postcode = reader.tokens.get(end).is_some_and(|t| t.sign() == Some(','))
        && reader.tokens.get(end + 1).is_some_and(|t| t.is_digits() && t.plain.len() == 5);
    let whole = at == 0 && end + 1 >= reader.tokens.len();
    (cued(reader, at) || postcode || whole).then_some((at, end))
}

/// `P.O. Box 123`, `Postfach 12 34`.
fn box_number(reader: &Reader<'_>, at: usize) -> Option<(usize, usize)> {
    let token = reader.tokens.get(at)?;
    let post = (1..=5)
        .map_while(|back| reader.tokens.before(at, back))
        .any(|t| matches!(t.plain.as_str(), "po" | "p" | "post"));
    if token.plain != "postfach" && !(token.plain == "box" && post) {
        return None;
    }
    Some((at, house(reader, at + 1)?))
}

/// `10115 Berlin`, `IL 62704`, `San Francisco CA 94105-1234`.
fn town(reader: &Reader<'_>, at: usize) -> Option<(usize, usize)> {
    let token = reader.tokens.get(at)?;
    let five = |index: usize| reader.tokens.get(index).filter(|t| t.is_digits() && t.plain.len() == 5);
    let next = reader.tokens.get(at + 1)?;
    if token.is_word() && token.is(STATE) && token.capitals && five(at + 1).is_some() {
        return Some((at, at + 2));
    }
    let german = reader.language.has_german() && five(at).is_some();
    let city = next.is_word() && next.capital && !next.is(STOP.or(UNIT)) && next.plain.len() > 2;
    (german && city).then_some((at, at + 2))
}

/// What follows `my address is`, `I live at`, `meine Adresse lautet`.
fn announced(reader: &Reader<'_>, at: usize) -> Option<(usize, usize)> {
    let token = reader.tokens.get(at).filter(|t| t.is_word() && t.is(ADDRESS))?;
    let mut index = at + 1;
    let mut said = false;
    for _ in 0..4 {
        let Some(next) = reader.tokens.get(index) else { break };
        // Who lives lives at a place; only an address `is` one. `Their lives at risk` are none.
        let lives = matches!(token.plain.as_str(), "live" | "lives" | "living" | "reside" | "residing");
        if lives && (next.plain != "at" || reader.tokens.before(at, 1).is_some_and(|t| t.is(OWNER))) {
            break;
        }
        let link = matches!(
            next.plain.as_str(),
            "is" | "was"
                | "ist"
                | "war"
                | "lautet"
                | "at"
                | "here"
                | "now"
                | "jetzt"
                | "number"
                | "nummer"
                | "code"
        );
        said |= next.sign() == Some(':') || link && !matches!(next.plain.as_str(), "here" | "now" | "jetzt");
        if !link && next.sign() != Some(':') {
            break;
        }
        index += 1;
    }
    let postcode =
        matches!(token.plain.as_str(), "postcode" | "postleitzahl" | "plz" | "zip" | "zipcode" | "postal");
    // `my zip 62704`, not `zip ties`.
    let number = postcode && (index..index + 2).any(|index| reader_number(reader, index));
    (said || number).then(|| value(reader, index)).flatten()
}

/// An address that was announced: names and numbers as far as they go.
fn value(reader: &Reader<'_>, from: usize) -> Option<(usize, usize)> {
    let from = (from..from + 4).find(|index| {
        !reader
            .tokens
            .get(*index)
            .is_some_and(|t| t.is_word() && t.is(FILLER.or(LINK)) && !reader_number(reader, *index))
    })?;
    let mut end = from;
    let mut useful = false;
    while end < from + REST {
        let Some(token) = reader.tokens.get(end) else { break };
        let number = reader_number(reader, end);
        let letter = end > from && token.letter().is_some() && !token.is(STOP);
        let word = token.is_word()
            && (!token.is(STOP.or(STATE_OF).or(UNIT).or(FILLER)) || within_name(reader, end))
            && (token.capital || !reader.capitals || token.is(STREET.or(SOFT_STREET)));
        let within = end > from && matches!(token.sign(), Some(',' | '.' | '-' | '/'));
        if !(number
            || letter
            || word
            || token.is_digits()
            || within
            || (token.is(DWELLING) && token.is_word()))
        {
            break;
        }
        useful |= number || word || token.is_digits();
        end = super::number::number(reader.tokens, end, reader.language).map_or(end + 1, |item| item.end);
    }
    while end > from && reader.tokens.before(end, 1).is_some_and(|t| matches!(t.shape, Shape::Sign(_))) {
        end -= 1;
    }
    // `the old one`
    let lone = number(reader.tokens, from, reader.language)
        .is_some_and(|item| item.end >= end && item.code.len() < 2);
    (useful && end > from && !lone).then_some((from, end))
}

/// A common word with a capital after a number: `15 High Street`.
fn within_name(reader: &Reader<'_>, index: usize) -> bool {
    reader.capitals
        && reader.tokens.get(index).is_some_and(|t| t.capital && t.plain.len() > 1)
        && reader.tokens.before(index, 1).is_some_and(|t| t.is_digits() || t.capital)
}

fn reader_number(reader: &Reader<'_>, index: usize) -> bool {
    number(reader.tokens, index, reader.language).is_some()
}

/// The end of what else belongs to an address that ends at `end`: flat, town, state, postcode.
fn rest(reader: &Reader<'_>, end: usize) -> usize {
    let mut last = end;
    let mut index = end;
    while index < end + REST {
        let Some(token) = reader.tokens.get(index) else { break };
        let comma = matches!(token.sign(), Some(',' | '-' | '/'))
            || token.sign() == Some('.') && token.joined && index == end;
        if comma {
            index += 1;
            continue;
        }
        if token.lines > 1 {
            break;
        }
        if token.is_word()
            && matches!(token.plain.as_str(), "in")
            && reader.tokens.get(index + 1).is_some_and(|t| t.capital && t.is_word() && !t.is(STOP))
        {
            index += 1;
            continue;
        }
        let lower = !reader.capitals && index < end + 2 && !token.is(FILLER.or(STATE_OF).or(LINK));
        let place =
            token.is_word() && (token.capital || lower) && !token.is(STOP.or(UNIT).or(super::lexicon::MONTH));
        let dwelling = token.is_word() && token.is(DWELLING) && house(reader, index + 1).is_some();
        let number = reader_number(reader, index)
            && reader.tokens.get(index + 1).is_none_or(|t| !(t.is_word() && t.is(UNIT)) || t.capitals);
        let state = token.is_word() && token.is(STATE) && token.capitals;
        let joined = token.joined && token.is_word();
        if !(place || dwelling || number || state || joined) {
            break;
        }
        index += 1;
        last = index;
    }
    last
}

/// The beginning of what belongs to an address that begins at `from`: `flat 3,`.
fn before(reader: &Reader<'_>, from: usize) -> usize {
    let comma = reader.tokens.before(from, 1).is_some_and(|t| t.sign() == Some(','));
    let base = if comma { from - 1 } else { from };
    (2..=4)
        .filter_map(|back| base.checked_sub(back))
        .find(|index| {
            reader.tokens.get(*index).is_some_and(|t| t.is_word() && t.is(DWELLING))
                && house(reader, index + 1).is_some_and(|end| end == base)
        })
        .unwrap_or(from - usize::from(reader.tokens.before(from, 1).is_some_and(|t| t.plain == "number")))
}
