//! Redaction of a conversation: a number that is begun in one utterance and ended in the next.

use super::{Before, Reading, Redacted};
use crate::tongue::Language;

/// Redacts the utterances of one person, in their order.
///
/// ```
/// use sidetone_language::redact::Redactor;
/// use sidetone_language::tongue::Language;
///
/// let mut redactor = Redactor::new(Language::English);
/// assert_eq!(redactor.utterance("My PIN is.").text, "My PIN is.");
/// assert_eq!(redactor.utterance("Forty two.").text, "[secret].");
/// ```
#[derive(Debug, Clone)]
pub struct Redactor {
    language: Language,
    before: Before,
}

impl Redactor {
    /// A redactor at the beginning of a call or thread.
    #[must_use]
    pub fn new(language: Language) -> Self {
        Self { language, before: Before::default() }
    }

    /// From here on the person speaks `language`.
    pub fn speak(&mut self, language: Language) {
        self.language = language;
    }

    /// The next whole utterance.
    pub fn utterance(&mut self, text: &str) -> Redacted {
        let (redacted, after) = Reading::new(text, self.language).finish(&self.before);
        self.before = after;
        redacted
    }

    /// The next utterance as far as it is known: it may go on. Digits at its end are taken out, since they may be the
    /// beginning of a number.
    #[must_use]
    pub fn partial(&self, text: &str) -> Redacted {
        Reading::new(text, self.language).open().finish(&self.before).0
    }

    /// What the other party has just said. A question for a number, a name or an address makes the answer one.
    pub fn asked(&mut self, text: &str) {
        let (_, after) = Reading::new(text, self.language).finish(&Before::default());
        self.before.cue = self.before.cue.or(after.cue);
    }
}
