//! What the API, the command line and PBXs tell of calls.

#[cfg(test)]
mod tests;

use std::time::Duration;

use sidetone_consent::{Say, Source, State, Telling};

use crate::book::Book;
use crate::entry::Entry;
use crate::lookup::NotOne;

/// Why something that is told of a call is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// It is not clear of which call.
    #[error(transparent)]
    NotOne(#[from] NotOne),
    /// No announcement is in that language, so that nothing could follow from it.
    #[error("no announcement is in `{language}`; there are announcements in {}", .known.join(", "))]
    Language {
        /// As it was told.
        language: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// It would allow what has been refused for good, so that nothing could follow from it.
    #[error("the call's consent is `{0}`, which is final: nothing that is told allows analysis any more")]
    Final(State),
    /// It would allow what there is nothing left of.
    #[error("the call is over: nothing is left of it that could be analysed")]
    Over,
}

impl Book {
    /// What the API or the command line tells of a call. Returns where the call stands then: that something is taken
    /// does not mean that it changes anything.
    ///
    /// # Errors
    /// [`NotTaken`]: nothing has come of it then.
    pub(crate) fn told(
        &mut self,
        now: Duration,
        id: &str,
        telling: &Telling,
        source: Source,
    ) -> Result<State, NotTaken> {
        let key = self.locate(id)?;
        self.check_language(telling)?;
        self.calls.get(&key).map_or(Ok(()), |entry| check_allowing(entry, telling))?;
        self.hear(key, now, telling, source);
        Ok(self.calls.get(&key).map_or(State::Pending, |entry| entry.consent.machine.state()))
    }

    /// What a PBX tells of one of its own calls, which it knows by SIP Call-ID.
    ///
    /// Where two of its calls have that Call-ID it can't be known which is meant. What withdraws consent or stops
    /// analysis then holds for both: too little is inferred rather than too much. Anything else is taken for neither,
    /// and counted.
    pub(crate) fn told_by_pbx(
        &mut self,
        now: Duration,
        pbx: &str,
        sip_call_id: &str,
        telling: &Telling,
        source: Source,
    ) {
        let keys = self.of_call_id(sip_call_id, |entry| entry.pbx() == pbx);
        let withdraws = matches!(
            telling,
            Telling::Consent(Say::Refused) | Telling::Analysis(false) | Telling::Customer(false)
        );
        if keys.is_empty() || keys.len() > 1 && !withdraws {
            self.counters.tellings_unplaced += 1;
            // Of calls that never came by Sidetone a PBX may tell as often as it likes.
            if !keys.is_empty() {
                tracing::warn!(
                    pbx,
                    calls = keys.len(),
                    "a PBX tells something of calls that it does not tell apart"
                );
            }
            return;
        }
        if let Err(error) = self.check_language(telling) {
            self.counters.tellings_unknown += 1;
            tracing::warn!(pbx, %error, "a PBX tells something that means nothing");
            return;
        }
        for key in keys {
            self.hear(key, now, telling, source);
        }
    }

    /// Whether more than one call of a PBX has that Call-ID, so that it does not say which is meant.
    pub(crate) fn is_shared(&self, sip_call_id: &str, pbx: &str) -> bool {
        self.of_call_id(sip_call_id, |entry| entry.pbx() == pbx).len() > 1
    }

    /// Whether anything can follow from a language: some announcement is in it, or in it without its region.
    pub(crate) fn check_language(&self, telling: &Telling) -> Result<(), NotTaken> {
        let (Telling::Language(language), Some(repertoire)) = (telling, &self.playback.repertoire) else {
            return Ok(());
        };
        let base = language.split('-').next().unwrap_or(language);
        let known: std::collections::BTreeSet<&str> =
            repertoire.library.names().map(|(_, language)| language).collect();
        if known.contains(language.as_str()) || known.contains(base) {
            return Ok(());
        }
        let known = known.into_iter().map(str::to_owned).collect();
        Err(NotTaken::Language { language: language.clone(), known })
    }
}

/// Whether what is told may still allow anything, if that is what it is for. A refusal is taken at any time.
fn check_allowing(entry: &Entry, telling: &Telling) -> Result<(), NotTaken> {
    match telling {
        Telling::Consent(Say::Announced | Say::Granted)
        | Telling::Analysis(true)
        | Telling::Customer(true) => {}
        _ => return Ok(()),
    }
    let machine = &entry.consent.machine;
    if machine.is_final() {
        Err(NotTaken::Final(machine.state()))
    } else if entry.is_over() {
        Err(NotTaken::Over)
    } else {
        Ok(())
    }
}
