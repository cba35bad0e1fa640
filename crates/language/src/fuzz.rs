//! Bodies for fuzzing: the rules that read text take any text at all and keep their promises.

use crate::conduct::AgentWords;
use crate::mail;
use crate::redact::{GROWTH, Redactor, redact};
use crate::tongue::Language;

/// The first byte says the language.
fn split(bytes: &[u8]) -> (Language, String) {
    let (first, rest) = bytes.split_first().map_or((0, bytes), |(first, rest)| (*first, rest));
    let language = match first % 3 {
        0 => Language::English,
        1 => Language::German,
        _ => Language::Any,
    };
    (language, String::from_utf8_lossy(rest).into_owned())
}

/// Redacts once, twice, and line by line as utterances.
///
/// # Panics
/// If a redacted text is changed by redacting it again, or is too long.
pub fn redaction(bytes: &[u8]) {
    let (language, text) = split(bytes);
    let once = redact(&text, language);
    assert!(once.text.len() <= GROWTH * text.len(), "{} bytes of {}", once.text.len(), text.len());
    assert_eq!(redact(&once.text, language).text, once.text, "not the same again");
    let mut redactor = Redactor::new(language);
    for line in text.lines() {
        let partial = redactor.partial(line);
        let whole = redactor.utterance(line);
        assert!(partial.text.len().max(whole.text.len()) <= GROWTH * line.len());
        redactor.asked(line);
    }
}

/// Strips a mail.
///
/// # Panics
/// If plain text has grown.
pub fn letter(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let stripped = mail::strip(&text);
    assert!(stripped.len() <= 2 * text.len());
    assert!(mail::plain(&text).len() <= 2 * text.len());
}

/// Reads conduct.
///
/// # Panics
/// If a phrase is none of the text's.
pub fn behaviour(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let read = AgentWords::read(&text);
    for done in read.done() {
        assert!(text.contains(&done.phrase) && !done.phrase.is_empty());
    }
}
