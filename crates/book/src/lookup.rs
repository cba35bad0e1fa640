//! Finds the call that is meant: by Sidetone's own id, by SIP Call-ID, or by a PBX's name for its own call.
//!
//! Two calls may have one Call-ID: a PBX that sends a call back through Sidetone without ending it keeps the Call-ID,
//! and a carrier may forge one. So a Call-ID leads to a call only where no other has it.

use std::time::Duration;

use sidetone_call::CallKey;

use crate::book::Book;
use crate::entry::Entry;
use crate::view::CallView;

/// Most ids that an error lists.
const MOST_LISTED: usize = 8;

/// Why a name does not lead to one call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOne {
    /// No call has this name.
    #[error("no call {0} is up; `sidetone calls` lists those that are")]
    Unknown(String),
    /// Several calls have that SIP Call-ID, or an id that ends in these letters.
    #[error("more than one call is meant by {id}; name the call by Sidetone's own id: {}", .ids.join(" or "))]
    Several {
        /// The name that was asked for.
        id: String,
        /// Sidetone's ids of those calls, at most a few.
        ids: Vec<String>,
    },
}

impl Book {
    /// The calls of a Call-ID: those that are up, else those that are over and wait for their last event. A call that
    /// was refused and tried again, as with a password, is the second one.
    pub(crate) fn of_call_id(&self, call_id: &str, of: impl Fn(&Entry) -> bool) -> Vec<CallKey> {
        up_first(self.named(call_id).filter(|entry| of(entry)).collect())
    }

    /// One call, by Sidetone's id or by SIP Call-ID.
    ///
    /// # Errors
    /// When there is none, or more than one has that Call-ID.
    pub(crate) fn find(&self, now: Duration, id: &str) -> Result<CallView, NotOne> {
        let key = self.locate(id)?;
        self.calls.get(&key).map(|entry| entry.view(now)).ok_or_else(|| NotOne::Unknown(id.to_owned()))
    }

    /// The call that `id` names: Sidetone's own id, which no caller can choose; else the SIP Call-ID, unhashed or as
    /// the log shows it, or the end of Sidetone's id, if only one call has it.
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

/// The calls of the list that are up, or all if none is, the oldest first.
fn up_first(mut entries: Vec<&Entry>) -> Vec<CallKey> {
    if entries.iter().any(|entry| !entry.is_over()) {
        entries.retain(|entry| !entry.is_over());
    }
    let mut keys: Vec<CallKey> = entries.into_iter().map(Entry::key).collect();
    keys.sort_unstable();
    keys
}
