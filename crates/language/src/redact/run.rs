//! Runs of digits and letters: every number of several digits, however it is written or said.

use std::ops::Range;

use super::cue::{self, Cue};
use super::lexicon::{AMOUNT, BIRTH, FILLER, IBAN, LINK, MONTH, SECRET, SINCE, STOP, UNIT};
use super::number::{Form, Item, homophone, letters, number, sound, unit};
use super::token::{Shape, Token};
use super::{Claims, Kind, Reader, check};

/// A number of this many digits goes, whatever it is.
const DIGITS: usize = 7;
/// So do this many that are said or written one by one.
const SINGLES: usize = 4;
/// So do this many that are written without a gap, if they are no amount.
const PLAIN: usize = 5;
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
    code: String,
    /// Digits alone, the first [`CODE`].
    pub(super) digits: String,
    singles: usize,
    letters: usize,
    /// Lengths of the groups that are written, the first few.
    groups: Vec<usize>,
    items: usize,
    spoken: bool,
    plus: bool,
}

/// Every number that has to go.
pub(super) fn find(reader: &Reader<'_>) -> Claims {
    let mut claims = Claims::new();
    let mut chain = Chain::default();
    let mut index = 0;
    while let Some(token) = reader.tokens.get(index) {
        let run = if begins(reader, index) { at(reader, index) } else { None };
        match (token.shape, run) {
            (_, Some(run)) => {
                index = run.range.end.max(index + 1);
                let kind = judge(reader, &run);
                claims.extend(kind.map(|kind| (run.range.clone(), kind)));
                chain.add(&run, kind.is_some(), &mut claims);
            }
            (Shape::Placeholder(kind), _) => {
                chain.stood(index, kind, &mut claims);
                index += 1;
            }
            _ => index += 1,
        }
    }
    chain.close(&mut claims);
    claims
}

/// Short groups of one number with words between them: `four one one, then there's one one one, after that`.
#[derive(Default)]
struct Chain {
    /// Groups that would stay.
    groups: Vec<Range<usize>>,
    end: usize,
    digits: usize,
    count: usize,
}

impl Chain {
    /// Tokens between two groups.
    const GAP: usize = 6;
    /// Digits, and groups, that make a chain a number.
    const DIGITS: usize = 6;
    const GROUPS: usize = 3;

    fn add(&mut self, run: &Run, gone: bool, claims: &mut Claims) {
        let dictated = run.singles >= 2 && run.singles == run.digits.len();
        let written = run.groups == [4] && run.items == 1 && !is_years(run) && !run.digits.ends_with("00");
        if !(dictated || written || gone) {
            return;
        }
        self.reach(run.range.start, claims);
        if !gone {
            self.groups.push(run.range.clone());
        }
        self.end = run.range.end;
        self.digits += run.digits.len();
        self.count += 1;
    }

    fn stood(&mut self, index: usize, kind: Kind, claims: &mut Claims) {
        if matches!(kind, Kind::Card | Kind::Number | Kind::Phone | Kind::Iban | Kind::Id | Kind::Secret) {
            self.reach(index, claims);
            self.end = index + 1;
            self.digits += SINGLES;
            self.count += 1;
        }
    }

    /// Ends the chain if the next group is too far away.
    fn reach(&mut self, start: usize, claims: &mut Claims) {
        if start > self.end + Self::GAP {
            self.close(claims);
        }
    }

    fn close(&mut self, claims: &mut Claims) {
        if self.digits >= Self::DIGITS && self.count >= Self::GROUPS {
            claims.extend(self.groups.drain(..).map(|range| (range, Kind::Number)));
        }
        *self = Self::default();
    }
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
    let hyphened = after.is_some_and(|t| t.sign() == Some('-') && t.joined)
        && reader.tokens.get(item.end + 1).is_some_and(|t| t.joined && t.is(UNIT));
    after.is_some_and(unit)
        || hyphened
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

/// What the run is, if it has to go.
fn judge(reader: &Reader<'_>, run: &Run) -> Option<Kind> {
    let cue = cue::before(reader, run.range.start)
        .filter(|cue| cue.strong)
        .or_else(|| cue::behind(reader, run.range.end))
        .or_else(|| cue::before(reader, run.range.start));
    let count = run.digits.len();
    if check::is_uk_postcode(&run.code) {
        return Some(Kind::Address);
    }
    if check::is_national_id(&run.code) {
        return Some(Kind::Id);
    }
    if check::is_iban(&run.code) || check::begins_iban(&run.code) && count >= DIGITS {
        return Some(Kind::Iban);
    }
    if let Some(kind) = card(&run.digits) {
        return Some(kind);
    }
    if run.groups == [3, 2, 4] && count == 9 {
        return Some(Kind::Id);
    }
    let carried = carried(reader, run);
    if count >= SINGLES && is_all(reader, run) {
        return Some(cue.map(Cue::kind).or(carried.flatten()).unwrap_or_else(|| by_shape(run)));
    }
    if is_years(run) && !cue.is_some_and(|cue| cue.strong) && carried.is_none() {
        return None;
    }
    let spelled = run.letters >= 4 && count == 0 && run.items >= 4;
    if spelled {
        return Some(Kind::Name);
    }
    let open = reader.open && run.range.end + 2 >= reader.tokens.len() && count > 1;
    let enough = count >= DIGITS
        || open
        || run.singles >= SINGLES
        || (run.groups.iter().any(|length| *length >= PLAIN) && !is_grouped(reader, run))
        || (run.letters > 0 && count >= 3 && run.letters + count >= 5)
        || (run.letters > 1 && count > 1 && run.items >= 5)
        || cue.is_some_and(|cue| announced(reader, run, cue))
        || carried.is_some();
    enough.then(|| match cue.map(Cue::kind) {
        Some(kind) if kind != Kind::Number => kind,
        _ => carried.flatten().unwrap_or_else(|| by_shape(run)),
    })
}

/// Whether the text is a number and no more: the answer to a question for one.
fn is_all(reader: &Reader<'_>, run: &Run) -> bool {
    const WORDS: usize = 8;
    let bare = |index| reader.tokens.get(index).is_some_and(|t| t.is(FILLER.or(LINK)) || t.sign().is_some());
    run.range.start < WORDS
        && reader.tokens.len() - run.range.end < WORDS
        && (0..run.range.start).chain(run.range.end..reader.tokens.len()).all(bare)
}

/// Whether the run goes on with a number of the utterance before, and what that was.
#[expect(clippy::option_option, reason = "the number may not have been taken out")]
fn carried(reader: &Reader<'_>, run: &Run) -> Option<Option<Kind>> {
    let first = (0..run.range.start)
        .all(|index| reader.tokens.get(index).is_some_and(|t| t.is(FILLER) || t.sign().is_some()));
    if !first || run.range.start > 4 || reader.before.digits == 0 {
        return None;
    }
    let whole = reader.before.digits + run.digits.len() >= SINGLES && run.singles > 0;
    let groups = reader.before.digits + run.digits.len() >= DIGITS || reader.before.digits >= 3;
    (whole || groups).then_some(reader.before.kind)
}

/// Whether a cue is enough for so few digits.
fn announced(reader: &Reader<'_>, run: &Run, cue: Cue) -> bool {
    let count = run.digits.len();
    let code = run.letters + count;
    let least = match (cue.flags.any(SECRET), cue.strong) {
        (true, true) => 2,
        (true, false) => 3,
        (false, true) => 3,
        (false, false) => 4,
    };
    let birth = cue.flags.any(BIRTH) && cue.kind() == Kind::Birth;
    let since = !cue.strong
        && reader.tokens.before(run.range.start, 1).is_some_and(|t| t.is(SINCE.or(AMOUNT).or(MONTH)));
    (count >= least
        || (cue.strong && count > 0 && code >= 4)
        || (birth && count >= 2 && cue.strong)
        || (birth && count >= 4))
        && (!since || birth)
}

/// Two or three years in a row.
fn is_years(run: &Run) -> bool {
    (1..=3).contains(&run.groups.len())
        && run.groups.iter().all(|length| *length == 4)
        && run.items == run.groups.len()
        && (0..run.groups.len()).all(|group| {
            run.digits
                .get(4 * group..4 * group + 4)
                .and_then(|year| year.parse().ok())
                .is_some_and(|year: u32| (1980..=2049).contains(&year))
        })
}

/// Digits with signs for thousands or decimals and no cue: 12,500.00.
fn is_grouped(_reader: &Reader<'_>, run: &Run) -> bool {
    run.groups.len() > 1 && run.groups.iter().skip(1).all(|length| *length == 3)
}

/// A card's number, alone or with its date and verification value after it.
fn card(digits: &str) -> Option<Kind> {
    let alone = check::is_card(digits);
    let followed = digits.len() > 19
        && digits.len() < 30
        && [16, 15].into_iter().any(|length| digits.get(..length).is_some_and(check::is_card));
    (alone || followed).then_some(Kind::Card)
}

/// What a number without a cue looks like.
fn by_shape(run: &Run) -> Kind {
    let count = run.digits.len();
    let dialled = run.plus || run.digits.starts_with('0');
    let american = (count == 10 && (run.groups.is_empty() || run.groups == [3, 3, 4]))
        || (count == 11 && run.digits.starts_with('1') && run.groups != [11])
        || (count == 7 && run.groups == [3, 4]);
    if run.letters == 0 && (dialled && (9..=15).contains(&count) || american) {
        Kind::Phone
    } else {
        Kind::Number
    }
}
