//! Statements about calls from the API, the command line and PBXs.

#[cfg(test)]
mod tests;

use std::time::Duration;

use sidetone_call::CallKey;
use sidetone_consent::{Say, Source, State, Telling};
use sidetone_hear::Work;

use crate::book::Book;
use crate::entry::Entry;
use crate::lookup::NotOne;

/// Why a telling about a call is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// The call could not be found.
    #[error(transparent)]
    NotOne(#[from] NotOne),
    /// No announcement is in that language, so the telling could have no effect.
    #[error("no announcement is in `{language}`; there are announcements in {}", .known.join(", "))]
    Language {
        /// The language that was told.
        language: String,
        /// The languages that exist.
        known: Vec<String>,
    },
    /// The telling would allow analysis that has been refused for good, so it could have no effect.
    #[error("the call's consent is `{0}`, which is final: nothing that is told allows analysis any more")]
    Final(State),
    /// The telling would allow analysis of a call that is over.
    #[error("the call is over: nothing is left of it that could be analysed")]
    Over,
}

impl Book {
    /// Takes what the API or the command line tells of a call. Returns the resulting consent state: a telling that is
    /// taken need not change anything.
    ///
    /// # Errors
    /// [`NotTaken`]: the telling had no effect.
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
        self.tell_labels(now, key);
        Ok(self.calls.get(&key).map_or(State::Pending, |entry| entry.consent.machine.state()))
    }

    /// Takes what a PBX tells of one of its own calls, which it names by SIP Call-ID.
    ///
    /// Two of its calls may share that Call-ID. A telling that withdraws consent or stops analysis then holds for both:
    /// too little is inferred rather than too much. Any other telling is taken for neither, and counted.
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
            // A PBX may also report calls that never went through Sidetone: those are no fault and are not counted.
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
            self.tell_labels(now, key);
        }
    }

    /// Takes a telling, if it is one of a label. [`Self::tell_labels`] has to follow: one SIP message, with a header
    /// for each label, makes one event.
    pub(crate) fn label(&mut self, key: CallKey, telling: &Telling) {
        let Self { calls, teams, .. } = self;
        if let Some(entry) = calls.get_mut(&key) {
            entry.labelled.take(telling, teams);
        }
        self.touch(key);
    }

    /// Tells on the labels of a call, if they have changed.
    pub(crate) fn tell_labels(&mut self, now: Duration, key: CallKey) {
        self.touch(key);
        let Some(entry) = self.calls.get_mut(&key) else { return };
        if let Some(labels) = entry.labelled.take_change() {
            self.effects.hear(entry.worker(), Work::Labels(key, Box::new(labels.clone())));
            self.effects.publish(entry.tell(now, labels));
        }
    }

    /// Whether more than one call of a PBX has that Call-ID, so that the Call-ID names no single call.
    pub(crate) fn is_shared(&self, sip_call_id: &str, pbx: &str) -> bool {
        self.of_call_id(sip_call_id, |entry| entry.pbx() == pbx).len() > 1
    }

    /// Whether a language can have an effect: some announcement is in it, or in it without its region.
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

/// Whether a telling that would allow analysis still can. A refusal is taken at any time.
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
