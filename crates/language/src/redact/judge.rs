//! Whether a run of digits and letters has to go, and what it is called then.

use super::check;
use super::cue::{self, Cue};
use super::kind::Kind;
use super::lexicon::{AMOUNT, BIRTH, FILLER, LINK, MONTH, SECRET, SINCE};
use super::reader::Reader;
use super::run::{DIGITS, Run, SINGLES};

/// So do this many that are written without a gap, if they are no amount.
const PLAIN: usize = 5;

/// What the run is, if it has to go.
pub(super) fn judge(reader: &Reader<'_>, run: &Run) -> Option<Kind> {
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
    let born = (run.range.end..run.range.end + 5)
        .map_while(|index| reader.tokens.get(index))
        .take_while(|token| !token.ends_sentence())
        .any(|token| token.is_word() && token.is(BIRTH));
    if count == 4 && run.items <= 2 && born {
        return Some(Kind::Birth);
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
    // At the end more may follow in the next utterance.
    let last = cue.strong && count >= 2 && run.range.end + 1 >= reader.tokens.len();
    (count >= least
        || last
        || (cue.strong && count > 0 && code >= 4)
        || (birth && count >= 2 && cue.strong)
        || (birth && count >= 4))
        && (!since || birth)
}

/// Two or three years in a row.
pub(super) fn is_years(run: &Run) -> bool {
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
