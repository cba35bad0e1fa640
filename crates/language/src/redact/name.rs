//! Names: after `my name is`, after a title, and first names that are hardly anything else.

use super::kind::Kind;
use super::lexicon::{
    FILLER, FIRST_NAME, MAYBE_NAME, MONTH, NAME, OWNER, PARTICLE, RELATION, STATE_OF, STOP, TITLE, UNIT,
};
use super::number;
use super::reader::{Claims, Reader};
use super::token::{Shape, Token};

/// Words of one name.
const WORDS: usize = 4;

/// Every name.
pub(super) fn find(reader: &Reader<'_>) -> Claims {
    let mut claims = Claims::new();
    let mut index = 0;
    while index < reader.tokens.len() {
        let found = titled(reader, index)
            .or_else(|| announced(reader, index))
            .or_else(|| introduced(reader, index))
            .or_else(|| first_name(reader, index));
        match found {
            Some((from, end)) => {
                claims.push((from..end, Kind::Name));
                index = end.max(index + 1);
            }
            None => index += 1,
        }
    }
    if reader.before.cue.any(NAME) {
        claims.extend(after_link(reader, 0, true).map(|(from, end)| (from..end, Kind::Name)));
    }
    claims
}

fn word<'a>(reader: &Reader<'a>, index: usize) -> Option<&'a str> {
    reader.tokens.get(index).filter(|t| t.is_word()).map(|t| t.plain.as_str())
}

/// Whether a token may be a name: a word that no list calls a common one.
fn may_name(reader: &Reader<'_>, index: usize) -> bool {
    reader.tokens.get(index).is_some_and(|t| {
        t.is_word()
            && !t.is(STOP.or(UNIT).or(MONTH).or(STATE_OF).or(TITLE).or(NAME))
            && number::number(reader.tokens, index, reader.language).is_none()
    })
}

fn is_pronoun(word: &str) -> bool {
    matches!(
        word,
        "i" | "im"
            | "ive"
            | "sie"
            | "ihr"
            | "ihre"
            | "ihnen"
            | "ihren"
            | "ich"
            | "it"
            | "its"
            | "the"
            | "a"
            | "not"
            | "nicht"
            | "no"
    )
}

/// A name with a capital, or in a text without capitals.
fn looks_name(reader: &Reader<'_>, index: usize) -> bool {
    may_name(reader, index) && (!reader.capitals || reader.tokens.get(index).is_some_and(|t| t.capital))
}

/// The end of the name that begins at `from`: more names, particles between them, initials, hyphens.
fn name_end(reader: &Reader<'_>, from: usize, most: usize) -> usize {
    let mut end = from + 1;
    let mut index = end;
    let mut words = 1;
    while words < most {
        let Some(token) = reader.tokens.get(index).filter(|t| t.lines == 0) else { break };
        let initial = |index: usize| reader.tokens.before(index, 1).is_some_and(|t| t.letter().is_some());
        match token.shape {
            Shape::Sign('-' | '\'' | '’') => index += 1,
            Shape::Sign('.') if token.joined && initial(index) => {
                index += 1;
                end = index;
            }
            Shape::Word
                if token.is(PARTICLE)
                    && reader
                        .tokens
                        .get(index + 1)
                        .is_some_and(|t| t.is_word() && may_name(reader, index + 1)) =>
            {
                index += 1;
            }
            Shape::Word if looks_name(reader, index) && !token.is(FILLER) => {
                words += usize::from(token.letter().is_none());
                index += 1;
                end = index;
            }
            _ => break,
        }
    }
    end
}

/// `Mr Smith`, `Frau Dr. Müller`. Not `meine Frau`.
fn titled(reader: &Reader<'_>, at: usize) -> Option<(usize, usize)> {
    let title = reader.tokens.get(at).filter(|t| t.is_word() && t.is(TITLE))?;
    let common = matches!(
        title.plain.as_str(),
        "miss"
            | "sir"
            | "madam"
            | "lady"
            | "lord"
            | "doctor"
            | "professor"
            | "prof"
            | "doktor"
            | "hr"
            | "fr"
            | "mister"
            | "reverend"
            | "rev"
    );
    let german = matches!(title.plain.as_str(), "frau" | "herr" | "herrn" | "fraeulein");
    let owned = reader.tokens.before(at, 1).is_some_and(|t| t.is_word() && t.is(OWNER));
    if owned && (german || common) {
        return None;
    }
    let mut from = at + 1;
    while from < at + 5
        && reader
            .tokens
            .get(from)
            .is_some_and(|t| t.sign() == Some('.') && t.joined || t.is_word() && t.is(TITLE) && !t.is(STOP))
    {
        from += 1;
    }
    while from < at + 8
        && reader.tokens.get(from).is_some_and(|t| t.is_word() && t.is(PARTICLE) && !may_name(reader, from))
    {
        from += 1;
    }
    let first = reader.tokens.get(from)?;
    let capital = !common || title.capital && first.capital;
    (capital && looks_name(reader, from))
        .then(|| (from, name_end(reader, from, if reader.capitals { 3 } else { 2 })))
}

/// `my name is`, `name:`, `ich heiße`.
fn announced(reader: &Reader<'_>, at: usize) -> Option<(usize, usize)> {
    let cue = reader.tokens.get(at).filter(|t| t.is_word() && t.is(NAME))?;
    let own = matches!(cue.plain.as_str(), "heisse")
        || cue.plain == "names" && reader.tokens.before(at, 1).is_some_and(|t| t.is(OWNER));
    after_link(reader, at + 1, own)
}

fn after_link(reader: &Reader<'_>, from: usize, mut said: bool) -> Option<(usize, usize)> {
    let mut index = from;
    let link = |t: &Token| {
        matches!(t.plain.as_str(), "is" | "was" | "ist" | "war" | "lautet" | "its" | "under" | "would" | "be")
            || matches!(t.sign(), Some(':' | ',' | '-' | '='))
    };
    while let Some(token) =
        reader.tokens.get(index).filter(|t| link(t) || t.is_word() && t.is(FILLER) && !t.is(FIRST_NAME))
    {
        said |= link(token) && token.sign() != Some(',');
        index += 1;
        if index > from + 5 {
            return None;
        }
    }
    let particle =
        |index: usize| reader.tokens.get(index).is_some_and(|t| t.is_word() && t.is(PARTICLE) && t.is(STOP));
    while said && particle(index) && index < from + 8 && looks_name(reader, index + 1) | particle(index + 1) {
        index += 1;
    }
    let token = reader.tokens.get(index)?;
    let direct = token.capital && reader.capitals;
    // After `name is` even a common word with a capital is one: Will, Lang.
    let named = said && direct && token.is_word() && token.letter().is_none() && !is_pronoun(&token.plain);
    ((said || direct) && may_name(reader, index) || named).then(|| (index, name_end(reader, index, WORDS)))
}

/// `this is John speaking`, `hier spricht`, `call me`, `Dear John,`.
fn introduced(reader: &Reader<'_>, at: usize) -> Option<(usize, usize)> {
    let first = word(reader, at)?;
    let relation = reader.tokens.get(at).is_some_and(|t| t.is(RELATION))
        && (1..=2).any(|back| reader.tokens.before(at, back).is_some_and(|t| t.is(OWNER)));
    let second = word(reader, at + 1).unwrap_or_default();
    let capital =
        |index: usize| reader.tokens.get(index).is_some_and(|t| t.capital) && looks_name(reader, index);
    if relation {
        let is = matches!(second, "is" | "was" | "named" | "called" | "heisst" | "namens" | "hiess" | "ist");
        let comma = reader.tokens.get(at + 1).is_some_and(|t| t.sign() == Some(','));
        let from = if is || comma { at + 2 } else { at + 1 };
        if comma && reader.tokens.get(from + 1).is_some_and(|t| t.sign().is_none()) {
            return None;
        }
        let known = reader.tokens.get(from).is_some_and(|t| t.is(FIRST_NAME.or(MAYBE_NAME)));
        if capital(from) && (second != "ist" || known) {
            return Some((from, name_end(reader, from, 3)));
        }
    }
    // `Müller mein Name`, `Schmidt am Apparat`
    let closes = matches!(
        (second, word(reader, at + 2)),
        ("mein", Some("name")) | ("am", Some("apparat" | "telefon"))
    );
    let closes = closes
        || second == "ist" && word(reader, at + 2) == Some("mein") && word(reader, at + 3) == Some("name");
    if closes && capital(at) {
        let more = at.checked_sub(1).filter(|before| capital(*before));
        return Some((more.unwrap_or(at), at + 1));
    }
    if first == "hier" && capital(at + 1) && reader.tokens.get(at + 2).is_none_or(|t| t.sign().is_some()) {
        return Some((at + 1, at + 2));
    }
    match (first, second) {
        ("this", "is") | ("hier", "ist") | ("its", _) if second != "under" => {
            let from = if first == "its" { at + 1 } else { at + 2 };
            if !looks_name(reader, from) {
                return None;
            }
            let end = name_end(reader, from, 3);
            // In a text without capitals only what nobody says of a thing.
            let marked = (from + 1..=end.max(from + 3)).find(|index| match word(reader, *index) {
                Some("speaking" | "calling" | "apparat") => true,
                Some("from" | "here" | "again" | "on") => {
                    capital(from) || reader.tokens.get(from).is_some_and(|t| t.is(FIRST_NAME.or(MAYBE_NAME)))
                }
                _ => false,
            });
            // `This is O'Brien, …`
            let closed = capital(from)
                && reader.capitals
                && first != "its"
                && reader.tokens.get(end).is_none_or(|t| t.sign().is_some());
            if closed {
                return Some((from, end));
            }
            marked.map(|marked| (from, marked.min(end).max(from + 1)))
        }
        ("hier", "spricht") | ("call" | "nennen", "me" | "mich") => {
            capital(at + 2).then(|| (at + 2, name_end(reader, at + 2, 3)))
        }
        ("its" | "booked" | "listed" | "registered" | "filed" | "named" | "somebody" | "someone", _)
            if second == "under" || first == "named" || second == "named" =>
        {
            let from = if first == "named" { at + 1 } else { at + 2 };
            capital(from).then(|| (from, name_end(reader, from, 3)))
        }
        ("nennen", "sie") => capital(at + 3).then(|| (at + 3, name_end(reader, at + 3, 3))),
        ("speaking" | "spoke" | "speak" | "talking" | "spreche" | "gesprochen", "to" | "with" | "mit") => {
            capital(at + 2).then(|| (at + 2, name_end(reader, at + 2, 2)))
        }
        ("im", _) | ("i" | "ich", "am" | "bin") => {
            let from = if first == "im" { at + 1 } else { at + 2 };
            let from = from + usize::from(word(reader, from) == Some("called"));
            let known =
                reader.tokens.get(from).is_some_and(|t| t.is(FIRST_NAME) || t.is(MAYBE_NAME) && t.capital);
            let called = word(reader, from - 1) == Some("called") && capital(from);
            let two = first != "ich" && capital(from) && capital(from + 1) || called;
            (known && may_name(reader, from) || two).then(|| (from, name_end(reader, from, 3)))
        }
        ("dear" | "hi" | "hello" | "hallo" | "hey" | "liebe" | "lieber", _) => {
            let from = at + 1;
            let end = name_end(reader, from, 3);
            let closed = reader.tokens.get(end).is_none_or(|t| t.sign().is_some() || t.lines > 0);
            let anyone = matches!(
                second,
                "customer"
                    | "team"
                    | "support"
                    | "all"
                    | "madam"
                    | "sir"
                    | "service"
                    | "kollegen"
                    | "damen"
                    | "kundenservice"
                    | "leute"
                    | "agent"
            );
            (capital(from) && closed && !anyone).then_some((from, end))
        }
        _ => None,
    }
}

/// `Jennifer`, `Jennifer Miller`.
fn first_name(reader: &Reader<'_>, at: usize) -> Option<(usize, usize)> {
    let name = reader.tokens.get(at).filter(|t| t.is_word() && t.is(FIRST_NAME))?;
    // `till`, `ben`: in a text with capitals a name has one.
    if !name.capital && (reader.capitals || name.plain.len() < 4) {
        return None;
    }
    let next = reader.tokens.get(at + 1);
    let more = next.is_some_and(|t| reader.capitals && t.capital || t.joined && t.sign() == Some('-'));
    // `john smith,` in a text without capitals.
    let closed = reader.tokens.get(at + 2).is_none_or(|t| t.sign().is_some());
    let more =
        more || closed && !reader.capitals && may_name(reader, at + 1) && next.is_some_and(|t| !t.is(FILLER));
    // `Jean-Luc Martin`: what stands before with a capital, within the sentence.
    let mut from = at;
    while from > at.saturating_sub(4) {
        let hyphen = reader.tokens.get(from).is_some_and(|t| t.joined)
            && reader.tokens.before(from, 1).is_some_and(|t| t.sign() == Some('-') && t.joined);
        let back = if hyphen { 2 } else { 1 };
        let Some(index) = from.checked_sub(back) else { break };
        let inner = hyphen
            || reader
                .tokens
                .before(index, 1)
                .is_some_and(|t| t.is_word() || t.sign() == Some('-') && t.joined);
        let english = reader.language == crate::tongue::Language::English || hyphen;
        let name = reader.tokens.get(index).is_some_and(|t| t.is_word() && t.capital && !t.is(MONTH));
        if !(inner && english && name && reader.capitals && may_name(reader, index)) {
            break;
        }
        from = index;
    }
    Some((from, if more { name_end(reader, at, 3) } else { at + 1 }))
}
