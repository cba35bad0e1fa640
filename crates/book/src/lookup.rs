//! Which call is meant: by Sidetone's own id, by SIP Call-ID, by what a PBX says of its own calls.
//!
//! Two calls may have one Call-ID: a PBX that sends a call back through Sidetone without ending it keeps the Call-ID, and a
//! carrier may forge one. So a Call-ID leads to a call only where no other has it.

#[cfg(test)]
mod tests;

use sidetone_call::CallKey;
use sidetone_consent::{Say, Source, State, Telling};

use crate::calls::{Calls, Inner};
use crate::entry::Entry;

/// Most ids that an error lists.
const MOST_LISTED: usize = 8;

/// Why a name does not lead to one call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOne {
    /// It is nobody's.
    #[error("no call {0} is up; `sidetone calls` lists those that are")]
    Unknown(String),
    /// More than one call has that SIP Call-ID, or an id that ends so.
    #[error("more than one call is meant by {id}; name the call by Sidetone's own id: {}", .ids.join(" or "))]
    Several {
        /// What was asked for.
        id: String,
        /// Sidetone's ids of those calls, a few of them.
        ids: Vec<String>,
    },
}

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

impl Inner {
    /// The calls of a Call-ID: those that are up, else those that are over and wait for their last word. A call that was
    /// refused and tried again, as with a password, is the second one.
    fn of_call_id(&self, call_id: &str, of: impl Fn(&Entry) -> bool) -> Vec<CallKey> {
        let keys = self.by_sip.get(call_id).map_or(&[][..], Vec::as_slice);
        up_first(keys.iter().filter_map(|key| self.calls.get(key)).filter(|entry| of(entry)).collect())
    }

    /// The call of that id: Sidetone's own, which no caller can take for itself; else the SIP Call-ID, as it is or as the log
    /// shows it, or the end of Sidetone's id, if that means one call only.
    pub(crate) fn locate(&self, id: &str) -> Result<CallKey, NotOne> {
        let own = |entry: &&Entry| entry.call().id.to_string() == id;
        if let Some(entry) = self.calls.values().find(own) {
            return Ok(entry.key());
        }
        // A caller chooses its Call-ID: one that looks like the end of another call's id must not hide that call.
        let named =
            |entry: &&Entry| entry.sip_call_id() == id || entry.is_shown_as(id) || entry.id_ends_with(id);
        match up_first(self.calls.values().filter(named).collect()).as_slice() {
            [] => Err(NotOne::Unknown(id.to_owned())),
            [key] => Ok(*key),
            keys => {
                let named = keys.iter().filter_map(|key| self.calls.get(key));
                let ids = named.map(|entry| entry.call().id.to_string()).take(MOST_LISTED).collect();
                Err(NotOne::Several { id: id.to_owned(), ids })
            }
        }
    }
}

/// Those calls that are up, or all if none is, the oldest first.
fn up_first(mut entries: Vec<&Entry>) -> Vec<CallKey> {
    if entries.iter().any(|entry| !entry.is_over()) {
        entries.retain(|entry| !entry.is_over());
    }
    let mut keys: Vec<CallKey> = entries.into_iter().map(Entry::key).collect();
    keys.sort_unstable();
    keys
}

impl Calls {
    /// What the API or the command line tells of a call. Returns where the call stands then: that something is taken does
    /// not mean that it changes anything.
    ///
    /// # Errors
    /// [`NotTaken`]: nothing has come of it then.
    pub fn told(&self, id: &str, telling: &Telling, source: Source) -> Result<State, NotTaken> {
        let now = self.now();
        let mut guard = self.lock();
        let key = guard.locate(id)?;
        self.check_language(telling)?;
        guard.calls.get(&key).map_or(Ok(()), |entry| check_allowing(entry, telling))?;
        self.hear(&mut guard, key, now, telling, source);
        Ok(guard.calls.get(&key).map_or(State::Pending, |entry| entry.consent.machine.state()))
    }

    /// What a PBX tells of one of its own calls, which it knows by SIP Call-ID.
    ///
    /// Where two of its calls have that Call-ID it can't be known which is meant. What withdraws consent or stops analysis
    /// then holds for both: too little is inferred rather than too much. Anything else is taken for neither, and counted.
    pub fn told_by_pbx(&self, pbx: &str, sip_call_id: &str, telling: &Telling, source: Source) {
        let now = self.now();
        let mut guard = self.lock();
        let inner = &mut *guard;
        let keys = inner.of_call_id(sip_call_id, |entry| entry.pbx() == pbx);
        let withdraws = matches!(
            telling,
            Telling::Consent(Say::Refused) | Telling::Analysis(false) | Telling::Customer(false)
        );
        if keys.is_empty() || keys.len() > 1 && !withdraws {
            inner.counters.tellings_unplaced += 1;
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
            inner.counters.tellings_unknown += 1;
            tracing::warn!(pbx, %error, "a PBX tells something that means nothing");
            return;
        }
        for key in keys {
            self.hear(inner, key, now, telling, source);
        }
    }

    /// Whether more than one call of a PBX has that Call-ID, so that it does not say which is meant.
    pub fn is_shared(&self, sip_call_id: &str, pbx: &str) -> bool {
        self.lock().of_call_id(sip_call_id, |entry| entry.pbx() == pbx).len() > 1
    }

    /// Whether anything can follow from a language: some announcement is in it, or in it without its region.
    pub(crate) fn check_language(&self, telling: &Telling) -> Result<(), NotTaken> {
        let (Telling::Language(language), Some(prompter)) = (telling, self.prompter.get()) else {
            return Ok(());
        };
        let base = language.split('-').next().unwrap_or(language);
        let known: std::collections::BTreeSet<&str> =
            prompter.library().names().map(|(_, language)| language).collect();
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
