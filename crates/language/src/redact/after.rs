//! What a text leaves to the next: digits that may go on, a cue whose value has not come, a question.

use super::cue::{CUES, before};
use super::kind::Kind;
use super::lexicon::{ADDRESS, FILLER, Flags, LINK, MAIL, NAME, PASSWORD};
use super::reader::{Before, Reader};
use super::token::{Shape, Token};
use super::{number, run};

/// What a question asks for: the last cue in it that is the other's, or that ends it. `What is your date of birth?`
pub(super) fn asked(reader: &Reader<'_>) -> Flags {
    const REACH: usize = 24;
    let all = CUES.or(ADDRESS).or(NAME).or(PASSWORD).or(MAIL);
    let len = reader.tokens.len();
    let yours = |token: &Token| {
        matches!(
            token.plain.as_str(),
            "your"
                | "the"
                | "ihre"
                | "ihr"
                | "ihren"
                | "ihrer"
                | "ihrem"
                | "deine"
                | "dein"
                | "die"
                | "das"
                | "der"
                | "den"
        )
    };
    let found = (1..=REACH).filter_map(|back| len.checked_sub(back)).find(|index| {
        reader.tokens.get(*index).is_some_and(|t| t.is_word() && t.is(all))
            && (1..=5).any(|back| reader.tokens.before(*index, back).is_some_and(yours))
    });
    // `account number`, `date of birth`, `first name`: what stands around it belongs to it.
    found.map_or(Flags::NONE, |index| {
        (index.saturating_sub(3)..=index)
            .filter_map(|index| reader.tokens.get(index))
            .filter(|t| t.is_word())
            .fold(Flags::NONE, |flags, token| flags.or(token.flags.only(all)))
    })
}

/// What the text leaves to the next utterance of the same person.
pub(super) fn after(reader: &Reader<'_>) -> Before {
    const TAIL: usize = 10;
    let len = reader.tokens.len();
    let mut said = false;
    for back in 1..=TAIL {
        let Some(token) = reader.tokens.before(len, back) else { break };
        match token.shape {
            Shape::Placeholder(kind) => {
                // `Baker Street` by itself: its number or its town may follow.
                let bare = reader.tokens.iter().all(|t| !t.is_word() || t.is(LINK.or(FILLER)));
                if kind == Kind::Address && bare {
                    return Before { cue: ADDRESS, kind: Some(kind), ..Before::default() };
                }
                return Before {
                    digits: usize::from(is_number(kind)) * 4,
                    kind: Some(kind),
                    ..Before::default()
                };
            }
            Shape::Digits => return digits(reader, len - back),
            Shape::Word if token.is(CUES.or(ADDRESS).or(NAME).or(PASSWORD).or(MAIL)) => {
                let more = (back + 1..back + 4)
                    .map_while(|back| reader.tokens.before(len, back))
                    .filter(|t| t.is_word())
                    .map(|t| t.flags.only(CUES.or(MAIL)))
                    .fold(Flags::NONE, Flags::or);
                let cue = token.flags.only(CUES.or(ADDRESS).or(NAME).or(PASSWORD).or(MAIL)).or(more);
                return Before { cue, ..Before::default() };
            }
            Shape::Word if number::unit(&token.plain, reader.language).is_some() => {
                return digits(reader, len - back);
            }
            Shape::Word if matches!(token.plain.as_str(), "at" | "am") => {}
            Shape::Word if token.is(LINK.or(FILLER)) => said = true,
            Shape::Word if number::number(reader.tokens, len - back, reader.language).is_some() => {
                return digits(reader, len - back);
            }
            Shape::Word => return Before::default(),
            Shape::Sign(_) => {}
        }
    }
    // Nothing but `yes`, `so`, `uh`: what was expected is still expected.
    let short = len <= TAIL && reader.tokens.iter().all(|t| !t.is_word() || t.is(LINK.or(FILLER)));
    if short && (said || len == 0) { reader.before.clone() } else { Before::default() }
}

fn digits(reader: &Reader<'_>, last: usize) -> Before {
    let first = (0..24)
        .map_while(|back| last.checked_sub(back))
        .take_while(|index| {
            let token = reader.tokens.get(*index);
            token.is_some_and(|t| !matches!(t.shape, Shape::Placeholder(_)))
        })
        .filter(|index| run::begins(reader, *index))
        .last();
    let digits = first.and_then(|first| run::at(reader, first)).map_or(0, |run| run.digits.len());
    // What was said before goes on.
    let begins = first.is_some_and(|first| {
        (0..first.min(8))
            .all(|index| reader.tokens.get(index).is_some_and(|t| t.is(FILLER) || t.sign().is_some()))
            && first < 8
    });
    let digits = if begins { (digits + reader.before.digits).min(64) } else { digits };
    let cue = first.and_then(|first| before(reader, first)).map_or(Flags::NONE, |cue| cue.flags);
    Before { digits, cue, kind: None }
}

fn is_number(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Card | Kind::Iban | Kind::Phone | Kind::Id | Kind::Secret | Kind::Number | Kind::Birth
    )
}
