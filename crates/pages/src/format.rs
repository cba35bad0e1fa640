//! Numbers, lengths and times as a reader of the language writes them, and text from outside made harmless.

use maud::{Markup, html};
use sidetone_call::misleads;

use crate::civil::{DAY_MS, Date};
use crate::layout::Shell;
use crate::text::{Texts, fill, form};

/// Characters of a text from outside that are shown.
const LONGEST: usize = 80;

/// A text from outside, freed of control characters and of those that turn the direction of writing, and cut.
pub(crate) fn clean(text: &str) -> String {
    let mut letters = text.chars().filter(|letter| !misleads(*letter));
    let mut kept: String = letters.by_ref().take(LONGEST).collect();
    if letters.next().is_some() {
        kept.push('…');
    }
    kept
}

/// Words that were said, whole: an utterance has twelve seconds at most.
pub(crate) fn spoken(text: &str) -> Markup {
    let words: String = text.chars().filter(|letter| !misleads(*letter)).take(1_000).collect();
    html! { bdi { (words) } }
}

/// The same, isolated so that its writing direction cannot reach its surroundings.
pub(crate) fn shown(text: &str) -> Markup {
    html! { bdi { (clean(text)) } }
}

/// A word with a capital at its beginning, for a label of its own.
pub(crate) fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A number with so many decimals and the language's decimal mark; a minus sign, not a hyphen.
pub(crate) fn number(texts: &Texts, value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let mut written = format!("{:.*}", decimals, value.abs());
    let zero = written.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    if texts.decimal != "." {
        written = written.replace('.', texts.decimal);
    }
    if value < 0.0 && !zero { marked(texts, &format!("−{written}")) } else { written }
}

/// A number with a sign: where writing runs from right to left the sign would go to its other end without a mark.
fn marked(texts: &Texts, number: &str) -> String {
    if texts.writing == "rtl" { format!("\u{200e}{number}") } else { number.to_owned() }
}

/// The same with its sign also when it is positive.
pub(crate) fn signed(texts: &Texts, value: f64, decimals: usize) -> String {
    let written = number(texts, value, decimals);
    let positive = written.bytes().any(|byte| matches!(byte, b'1'..=b'9')) && value > 0.0;
    if positive { marked(texts, &format!("+{written}")) } else { written }
}

/// A count, its thousands parted.
pub(crate) fn count(texts: &Texts, value: u64) -> String {
    let digits = value.to_string();
    let mut written = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            written.push_str(texts.thousands);
        }
        written.push(digit);
    }
    written
}

/// The form of a text that goes with a count, with the count in its place: `1 call`, `3 calls`.
pub(crate) fn counted(texts: &Texts, value: u64, text: &str) -> String {
    fill(form(texts.plural, text, value), &[&count(texts, value)])
}

/// A share of `[0, 1]` in per cent.
pub(crate) fn percent(texts: &Texts, share: f64, decimals: usize) -> String {
    texts.percent.replace("{}", &number(texts, share * 100.0, decimals))
}

/// A length in `m:ss`, or `h:mm:ss`.
pub(crate) fn length(ms: u64) -> String {
    let seconds = ms / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// A day, as it is written in the language.
pub(crate) fn date(texts: &Texts, day: u64) -> String {
    let date = Date::of_day(day);
    let month = usize::try_from(date.month.saturating_sub(1)).unwrap_or_default();
    let month = texts.months.split(' ').nth(month).unwrap_or_default();
    texts
        .date
        .replace("{day}", &date.day.to_string())
        .replace("{month}", month)
        .replace("{year}", &date.year.to_string())
}

/// The time of the day, UTC.
fn clock(ms: u64) -> String {
    let minutes = ms % DAY_MS / 60_000;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A time in milliseconds since 1970: in UTC, and by the script in the reader's own zone.
pub(crate) fn moment(shell: &Shell<'_>, ms: u64) -> Markup {
    let iso = format!("{}T{}:{:02}Z", Date::of_day(ms / DAY_MS).iso(), clock(ms), ms / 1000 % 60);
    html! { time datetime=(iso) data-local { (date(shell.texts(), ms / DAY_MS)) ", " (clock(ms)) " UTC" } }
}

/// For how long something has lasted that goes on; the script counts on.
pub(crate) fn lasting(shell: &Shell<'_>, since: u64) -> Markup {
    let ms = shell.now.saturating_sub(since);
    html! { span.count data-seconds=(ms / 1000) { (length(ms)) } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Language;

    #[test]
    fn numbers_are_written_as_their_reader_writes_them() {
        let (en, de) = (Language::En.texts(), Language::De.texts());
        assert_eq!(number(en, -0.123, 2), "−0.12");
        assert_eq!(number(de, -0.123, 2), "−0,12");
        assert_eq!(number(en, -0.001, 2), "0.00");
        assert_eq!(signed(en, 0.001, 2), "0.00");
        assert_eq!(signed(de, 0.5, 1), "+0,5");
        assert_eq!(number(en, f64::NAN, 2), "–");
        assert_eq!(count(en, 1_234_567), "1,234,567");
        assert_eq!(count(de, 999), "999");
        assert_eq!(percent(en, 0.625, 1), "62.5%");
        assert_eq!(percent(de, 0.625, 1), "62,5\u{a0}%");
        assert_eq!(length(3_723_900), "1:02:03");
        assert_eq!(length(252_000), "4:12");
        assert_eq!(date(de, 20_786), "29. Nov. 2026");
        assert_eq!(date(en, 20_786), "29 Nov 2026");
    }

    #[test]
    fn text_from_outside_can_neither_turn_the_line_nor_fill_the_page() {
        assert_eq!(clean("abc\u{202e}def\u{0}\n\u{2066}g\u{feff}"), "abcdefg");
        assert_eq!(clean(&"x".repeat(5000)).chars().count(), LONGEST + 1);
        assert_eq!(shown("<b>\"'").into_string(), "<bdi>&lt;b&gt;&quot;'</bdi>");
    }
}
