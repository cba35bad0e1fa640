//! Words that announce a number: my PIN is, Kontonummer lautet.

use super::kind::Kind;
use super::lexicon::{BIRTH, CARD, FILLER, Flags, IBAN, ID, LINK, NUMBER, PHONE, SECRET};
use super::reader::Reader;
use super::token::{Shape, Token};

/// Every cue of a number.
pub(super) const CUES: Flags = SECRET.or(NUMBER).or(PHONE).or(CARD).or(ID).or(IBAN).or(BIRTH);
/// Words back that a cue may stand, whatever comes between.
const REACH: usize = 9;

/// A cue that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cue {
    pub(super) flags: Flags,
    /// Nothing but `is`, `the`, `number` stands between it and the number.
    pub(super) strong: bool,
}

impl Cue {
    /// What it announces.
    pub(super) fn kind(self) -> Kind {
        kind(self.flags)
    }
}

fn kind(flags: Flags) -> Kind {
    [
        (ID, Kind::Id),
        (SECRET, Kind::Secret),
        (BIRTH, Kind::Birth),
        (IBAN, Kind::Iban),
        (CARD, Kind::Card),
        (PHONE, Kind::Phone),
    ]
    .into_iter()
    .find(|(flag, _)| flags.any(*flag))
    .map_or(Kind::Number, |(_, kind)| kind)
}

/// The cue before the number at `at`, if there is one near enough.
pub(super) fn before(reader: &Reader<'_>, at: usize) -> Option<Cue> {
    let mut strong = true;
    let mut found = Flags::NONE;
    let mut words = 0;
    for back in 1.. {
        let Some(token) = reader.tokens.before(at, back) else {
            if strong && reader.before.cue != Flags::NONE {
                return Some(Cue { flags: reader.before.cue.or(found), strong });
            }
            break;
        };
        match token.shape {
            Shape::Word => {
                words += 1;
                let cue = token.flags.only(CUES);
                if cue != Flags::NONE {
                    found = found.or(cue);
                    if !strong {
                        break;
                    }
                } else if !token.is(LINK.or(FILLER)) {
                    if found != Flags::NONE {
                        break;
                    }
                    strong = false;
                }
            }
            // `CVV2`
            Shape::Digits if token.joined && token.plain.len() == 1 => {}
            // What was announced has been said.
            Shape::Placeholder(_) | Shape::Digits => break,
            Shape::Sign(_) if token.ends_sentence() && !strong => break,
            Shape::Sign(_) => {}
        }
        if words >= REACH || back > 3 * REACH {
            break;
        }
    }
    (found != Flags::NONE).then_some(Cue { flags: found, strong })
}

/// The cue after a number that ends before `end`: `is my PIN`.
pub(super) fn behind(reader: &Reader<'_>, end: usize) -> Option<Cue> {
    let links = |token: &Token| token.is(LINK) || token.sign() == Some(',');
    let is = |token: &Token| {
        matches!(token.plain.as_str(), "is" | "was" | "are" | "ist" | "war" | "als" | "as" | "thats" | "das")
    };
    let mut seen = false;
    for index in end..end + 6 {
        let token = reader.tokens.get(index)?;
        let cue = token.flags.only(CUES);
        if (seen || index == end && cue.any(BIRTH)) && cue != Flags::NONE {
            return Some(Cue { flags: cue, strong: true });
        }
        seen |= is(token);
        if !links(token) {
            return None;
        }
    }
    None
}
