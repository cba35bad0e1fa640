//! Takes numbers, names and addresses out of what people say and write. Nothing leaves this crate without it.
//!
//! | module | takes out |
//! | --- | --- |
//! | `email` | e-mail addresses, written and spoken |
//! | `place` | postal addresses |
//! | `date` | dates of birth |
//! | `secret` | passwords |
//! | `run` | every number of several digits, in digits and in words: cards, IBANs, phones, accounts, PINs, postcodes |
//! | `name` | names after cues, titles and first names |
//!
//! The rules err on the safe side: a number of seven digits goes, whatever it is, and so do fewer where a word
//! announces them. What a sentence means stays: amounts, times, durations, `third time`, `24/7`. Figures:
//! docs/LANGUAGE.md, "Redaction".
//!
//! The same text always gives the same result. A redacted text is not changed by redacting it again. The time is
//! linear in the text's length, and the result is at most [`GROWTH`] times as long as the text.
//!
//! ```
//! use sidetone_language::redact::{Kind, redact};
//! use sidetone_language::tongue::Language;
//!
//! let redacted = redact("My card is four one one one, 1111 1111 1111, call me at 3 pm.", Language::English);
//! assert_eq!(redacted.text, "My card is [card], call me at 3 pm.");
//! assert_eq!(redacted.spans[0].kind, Kind::Card);
//! ```

use crate::tongue::Language;

mod after;
mod chain;
mod check;
mod cue;
mod date;
mod email;
mod german;
mod item;
mod judge;
mod kind;
mod lexicon;
mod name;
mod number;
mod place;
pub(crate) mod plain;
mod reader;
mod reading;
mod redactor;
mod run;
mod secret;
mod token;

pub use kind::{Kind, Redacted, Span};
pub use redactor::Redactor;

use reader::Before;
use reading::Reading;

/// A redacted text has at most this many times the bytes of the text: the longest placeholder stands for one byte.
pub const GROWTH: usize = 9;

/// Redacts `text`, which is in `language`. For the utterances of a call use a [`Redactor`], which also sees numbers
/// that are said in two pieces.
#[must_use]
pub fn redact(text: &str, language: Language) -> Redacted {
    Reading::new(text, language).finish(&Before::default()).0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn english(text: &str) -> String {
        redact(text, Language::English).text
    }

    #[test]
    fn takes_out_what_is_meant_and_keeps_what_is_said() {
        assert_eq!(
            english(
                "This is the third time, I want 50 euros back in 2 weeks, at 3 pm, one of the 24/7 agents."
            ),
            "This is the third time, I want 50 euros back in 2 weeks, at 3 pm, one of the 24/7 agents."
        );
        assert_eq!(english("my pin is one two three four"), "my pin is [secret]");
    }

    #[test]
    fn spans_tell_where_it_stood() {
        let text = "Call 020 7946 0123 or jane@example.org";
        let redacted = redact(text, Language::English);
        assert_eq!(redacted.text, "Call [phone] or [email]");
        let pieces: Vec<(Kind, &str, &str)> = redacted
            .spans
            .iter()
            .map(|span| (span.kind, &text[span.from.clone()], &redacted.text[span.to.clone()]))
            .collect();
        assert_eq!(
            pieces,
            [(Kind::Phone, "020 7946 0123", "[phone]"), (Kind::Email, "jane@example.org", "[email]")]
        );
    }
}
