//! Runs of digits and letters: every number of several digits, however it is written or said.

use std::ops::Range;

use super::item::{Form, Item};
use super::lexicon::{FILLER, Flags, IBAN, LINK, STOP, TITLE, UNIT};
use super::number::{homophone, letters, number, sound, unit};
use super::reader::Reader;
use super::token::{Shape, Token};
use super::{check, cue};

/// A number of this many digits goes, whatever it is.
pub(super) const DIGITS: usize = 7;
/// So do this many that are said or written one by one.
pub(super) const SINGLES: usize = 4;
/// Tokens that may stand between two items.
const GAP: usize = 6;
/// Fillers that begin a number, and go into none: `one is 1 800`.
const NO_BRIDGES: &[&str] =
    &["is", "it", "just", "actually", "i", "ist", "es", "das", "sie", "bitte", "thats"];
/// Characters of a code that are looked at; the rest is taken out unread.
const CODE: usize = 64;

/// Items of one number, or of several that can't be told apart.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) range: Range<usize>,
    /// Letters and digits, the first [`CODE`].
    pub(super) code: String,
    /// Digits alone, the first [`CODE`].
    pub(super) digits: String,
    pub(super) singles: usize,
    pub(super) letters: usize,
    /// Lengths of the groups that are written, the first few.
    pub(super) groups: Vec<usize>,
    pub(super) items: usize,
    pub(super) spoken: bool,
    pub(super) plus: bool,
}

/// Whether a run may begin at `index`. A letter begins one only where another letter or a digit follows.
pub(super) fn begins(reader: &Reader<'_>, index: usize) -> bool {
    let Some(token) = reader.tokens.get(index).filter(|t| !t.kept) else { return false };
    match token.shape {
        Shape::Digits => true,
        Shape::Word => {
            number(reader.tokens, index, reader.language).is_some()
                || zero(reader, index).is_some()
                || letters(reader.tokens, index, reader.language).is_some_and(|letters| {
                    let next = reader.tokens.get(letters.end);
                    next.is_some_and(|t| t.is_digits() || t.letter().is_some())
                        || item(reader, letters.end).is_some()
                        || next.is_some_and(|t| t.sign().is_some()) && item(reader, letters.end + 1).is_some()
                })
        }
        _ => false,
    }
}

/// The item at `index`: digits, a number's words, or letters.
fn item(reader: &Reader<'_>, index: usize) -> Option<Item> {
    reader.tokens.get(index).filter(|t| !t.kept)?;
    number(reader.tokens, index, reader.language)
        .or_else(|| zero(reader, index))
        .or_else(|| letters(reader.tokens, index, reader.language))
}

/// `oh` and `o` are zeros beside a digit, `won` is a one.
fn zero(reader: &Reader<'_>, index: usize) -> Option<Item> {
    let value = sound(&reader.tokens.get(index)?.plain)?;
    let digit = |index: Option<usize>| {
        index.and_then(|index| reader.tokens.get(index)).is_some_and(|t| {
            t.is_digits() || unit(&t.plain, reader.language).is_some() || sound(&t.plain).is_some()
        })
    };
    (digit(index.checked_sub(1)) || digit(Some(index + 1))).then(|| Item {
        end: index + 1,
        code: value.to_string(),
        form: Form::Digit,
    })
}

/// The run that begins at `start`; `None` if there is only an amount.
pub(super) fn at(reader: &Reader<'_>, start: usize) -> Option<Run> {
    let mut run = Run { range: start..start, ..Run::default() };
    run.plus = reader.tokens.before(start, 1).is_some_and(|t| t.sign() == Some('+') || t.plain == "plus");
    let mut next = item(reader, start);
    let mut last: Option<Item> = None;
    while let Some(item) = next {
        if run.digits.len() < SINGLES && is_amount(reader, &run, &item) {
            break;
        }
        run.add(&item);
        let end = item.end;
        last = Some(item);
        next = last.as_ref().and_then(|last| follow(reader, end, last, &mut run));
    }
    last?;
    run.trim(reader);
    run.widen(reader);
    Some(run)
}

impl Run {
    fn add(&mut self, item: &Item) {
        self.range.end = item.end;
        self.items += 1;
        if item.is_letters() {
            self.letters += item.code.len();
        } else {
            self.singles += item.singles();
            if item.form == Form::Written {
                if self.groups.len() < 8 {
                    self.groups.push(item.code.len());
                }
            } else {
                self.spoken = true;
            }
            let room = CODE.saturating_sub(self.digits.len());
            self.digits.extend(item.code.chars().take(room));
        }
        let room = CODE.saturating_sub(self.code.len());
        self.code.extend(item.code.chars().take(room));
    }

    /// Adds what stands against the beginning: the plus, `(`, the letters of `AB-10442`.
    fn widen(&mut self, reader: &Reader<'_>) {
        let start = self.range.start;
        let joined = |index: usize| reader.tokens.get(index).is_some_and(|t| t.joined);
        let (Some(sign), Some(word)) = (reader.tokens.before(start, 1), reader.tokens.before(start, 2))
        else {
            if reader.tokens.before(start, 1).is_some_and(|t| matches!(t.sign(), Some('+' | '('))) {
                self.range.start -= 1;
            }
            return;
        };
        // `DE 89 3704`: the country's letters stand alone.
        let country = sign.is_word() && sign.plain.len() == 2 && check::iban_length(&sign.plain).is_some();
        let likely = sign.capitals
            || (3..=6).any(|back| reader.tokens.before(start, back).is_some_and(|t| t.is(IBAN)))
            || word.is(IBAN);
        if country && likely && self.digits.len() >= 12 && self.code.starts_with(|c: char| c.is_ascii_digit())
        {
            self.range.start -= 1;
            self.code.insert_str(0, &sign.plain);
            self.letters += 2;
        } else if sign.is_word()
            && sign.capitals
            && reader.capitals
            && sign.plain.len() <= 5
            && sign.letter().is_none()
            && !sign.is(STOP.or(UNIT).or(TITLE))
            && sign.flags.only(cue::CUES) == Flags::NONE
            && word.is(LINK.or(cue::CUES))
            && cue::before(reader, start - 1).is_some_and(|cue| cue.strong)
        {
            // `order no AB 104`
            self.range.start -= 1;
            self.letters += sign.plain.len();
        } else if matches!(sign.sign(), Some('+' | '(')) {
            self.range.start -= 1;
        } else if matches!(sign.sign(), Some('-' | '/' | '_' | '.' | '#'))
            && joined(start)
            && joined(start - 1)
            && word.is_word()
            && word.plain.len() <= 4
            && word.capitals
        {
            self.range.start -= 2;
            self.letters += word.plain.len();
        }
    }

    /// Takes `I` and `a` away from the beginning: they are words there.
    fn trim(&mut self, reader: &Reader<'_>) {
        while self.range.len() > 1
            && self.digits.len() + self.letters > 1
            && reader.tokens.get(self.range.start).is_some_and(|t| matches!(t.plain.as_str(), "i" | "a"))
            && reader.tokens.get(self.range.start + 1).is_some_and(|t| {
                !t.joined && t.letter().is_none() && t.plain != "as" && t.plain != "for" && t.plain != "wie"
            })
            && !check::begins_iban(&self.code)
        {
            self.range.start += 1;
            self.letters = self.letters.saturating_sub(1);
            self.code.remove(0);
        }
    }
}

/// Whether the item is an amount, a time or a duration by what stands around it.
fn is_amount(reader: &Reader<'_>, run: &Run, item: &Item) -> bool {
    if item.is_letters() || item.digits() > 9 {
        return false;
    }
    let start = if run.items == 0 { run.range.start } else { item.end.saturating_sub(1) };
    // `7 K 331`: a letter between numbers is no unit.
    let code = |token: &Token| {
        token.letter().is_some() && number(reader.tokens, item.end + 1, reader.language).is_some()
    };
    let unit = |token: &Token| match token.shape {
        Shape::Word => {
            token.is(UNIT) && !code(token) && !(token.plain.len() <= 2 && reader.before.digits > 0)
        }
        Shape::Sign(sign) => is_currency(sign) || matches!(sign, '%' | '°' | '‰'),
        _ => false,
    };
    let after = reader.tokens.get(item.end);
    // `the 1990s`
    let decade = item.digits() == 4
        && after.is_some_and(|t| {
            let quoted = matches!(t.sign(), Some('\'' | '’'))
                && reader.tokens.get(item.end + 1).is_some_and(|t| t.joined && t.plain == "s");
            t.joined && (t.plain == "s" || quoted)
        });
    let hyphened = after.is_some_and(|t| t.sign() == Some('-') && t.joined)
        && reader.tokens.get(item.end + 1).is_some_and(|t| t.joined && t.is(UNIT));
    after.is_some_and(unit)
        || hyphened
        || decade
        || reader.tokens.before(start, 1).is_some_and(|t| t.sign().is_some_and(is_currency))
}

pub(super) fn is_currency(sign: char) -> bool {
    matches!(sign, '$' | '€' | '£' | '¥' | '₹' | '₣')
}

/// The item that goes on after `end`, over signs and words that people put between digits.
fn follow(reader: &Reader<'_>, end: usize, last: &Item, run: &mut Run) -> Option<Item> {
    let mut words = 0;
    let mut joins = false;
    let mut heard = String::new();
    for index in end..end + GAP {
        let token = reader.tokens.get(index)?;
        let far = token.lines > 1;
        let next = item(reader, index).filter(|item| !item.is_letters() || fits(reader, index, item));
        if let Some(next) = next.filter(|_| !(far || token.lines == 1 && is_small(last))) {
            let code = check::begins_iban(&run.code) || token.joined;
            let apart = words > 0 && !may_bridge(last, &next, joins);
            if apart || (next.is_letters() && words > 0 && !code && last.is_letters()) {
                return None;
            }
            for digit in heard.chars() {
                run.add(&Item { end: index, code: digit.to_string(), form: Form::Digit });
            }
            return Some(next);
        }
        if far {
            return None;
        }
        match token.shape {
            Shape::Sign(sign) if is_currency(sign) || matches!(sign, '%' | '@' | '=' | '<' | '>') => {
                return None;
            }
            Shape::Sign(_) => {}
            Shape::Word => {
                let is_bank = run.code.len() == 4 && check::begins_iban(&run.code) && token.plain.len() == 4;
                let sign = reader.tokens.get(index + 1).is_some_and(|t| t.sign().is_some());
                if is_bank && item(reader, index + 1 + usize::from(sign)).is_some() {
                    return Some(Item { end: index + 1, code: token.plain.clone(), form: Form::Letters });
                }
                // `SN-99-AX-12`
                let tied = index == end + 1
                    && token.joined
                    && token.capitals
                    && token.plain.len() <= 4
                    && reader
                        .tokens
                        .get(end)
                        .is_some_and(|t| t.joined && matches!(t.sign(), Some('-' | '/' | '.')));
                if tied && !token.is(UNIT) {
                    return Some(Item { end: index + 1, code: token.plain.clone(), form: Form::Letters });
                }
                let tail = last.is_letters() || run.letters > 0 && run.digits.len() < DIGITS;
                if index == end
                    && tail
                    && reader.capitals
                    && token.capitals
                    && token.plain.len() <= 3
                    && !token.is(STOP.or(UNIT))
                {
                    return Some(Item { end: index + 1, code: token.plain.clone(), form: Form::Letters });
                }
                match homophone(&token.plain, reader.language) {
                    // Between two single digits it is one; at a gap's second word it is no more likely than a word.
                    Some(digit) if last.singles() > 0 && heard.len() < 2 => {
                        heard.push(char::from(b'0' + u8::try_from(digit).unwrap_or(0)));
                    }
                    _ if token.is(FILLER) && !NO_BRIDGES.contains(&token.plain.as_str()) => {
                        words += 1;
                        joins |= !matches!(token.plain.as_str(), "and" | "und" | "like");
                    }
                    _ => return None,
                }
            }
            Shape::Digits | Shape::Placeholder(_) => return None,
        }
    }
    None
}

/// A letter goes on with a number if it stands by itself: `a` and `I` are words, unless spelled among others.
fn fits(reader: &Reader<'_>, index: usize, item: &Item) -> bool {
    let word = reader.tokens.get(index).is_some_and(|t| matches!(t.plain.as_str(), "a" | "i") && !t.joined);
    !word || super::run::item(reader, item.end).is_some()
}

fn is_small(item: &Item) -> bool {
    item.singles() == 0 && item.digits() < 3
}

/// Whether words may stand between these two items of one number.
fn may_bridge(last: &Item, next: &Item, joins: bool) -> bool {
    let both = |test: fn(&Item) -> bool| test(last) && test(next);
    joins
        || both(|item| item.singles() > 0 || item.is_letters())
        || both(|item| item.form != Form::Written && item.digits() > 1)
}
