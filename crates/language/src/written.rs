//! What somebody wrote: a chat message, a mail, a comment. Stripped of what is not theirs, redacted, and only then
//! read.

use crate::mail::strip;
use crate::redact::redact;
use crate::text::{LONGEST, Reading, Scorer};
use crate::tongue::Language;

/// Reads a written text. Unless it is `whole`, quotes, signatures and disclaimers of mails are left out first.
/// Redaction comes before anything is made of the words, so that no phrase can hold a number.
///
/// ```
/// use sidetone_language::{text::Scorer, written};
///
/// let mail = "Please cancel my subscription. My card is 4111 1111 1111 1111.\n\n> Dear customer, we cancel nothing";
/// let read = written::read(&Scorer::embedded()?, mail, false);
/// assert!(read.told.topics.iter().all(|found| !found.phrase.contains("4111")));
/// # Ok::<(), sidetone_language::text::WeightsError>(())
/// ```
#[must_use]
pub fn read(scorer: &Scorer, text: &str, whole: bool) -> Reading {
    let own = if whole { text.into() } else { strip(text) };
    // Redaction may make a text longer, and what the scorer would not read need not be redacted.
    let end = own.char_indices().nth(LONGEST).map(|(at, _)| at);
    let short = end.and_then(|end| own.get(..end)).unwrap_or(&own);
    let mut reading = scorer.reading(&redact(short, Language::Any).text);
    reading.cut |= end.is_some();
    reading
}
