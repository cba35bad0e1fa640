//! The calls that one reader may see. Those who answer for people ask by a [`View`], so that no route can forget whose
//! calls they are.

mod additions;
mod filters;
mod notes;

use sidetone_events::Timestamp;

pub use filters::KeptFilter;

use crate::access::{Role, Token};
use crate::error::StoreError;
use crate::query::{Call, CallDetails, CallFilter, CallPart};
use crate::scope::Scope;
use crate::store::Store;

/// The store as the holder of a token may see it.
#[derive(Debug)]
pub struct View<'a> {
    pub(crate) store: &'a mut Store,
    pub(crate) token: &'a Token,
    scope: Scope,
}

impl Store {
    /// The store as the holder of a token may see it: an agent sees the calls that are theirs by the last label.
    pub fn seen_by<'a>(&'a mut self, token: &'a Token) -> View<'a> {
        View { scope: Scope::of(token), store: self, token }
    }
}

impl View<'_> {
    /// A part of the calls that fit a filter, the newest first, `most` at most. To look for one person's is noted: for
    /// a caller's, and for those of another agent than the reader.
    ///
    /// # Errors
    /// The database's.
    pub fn calls(
        &mut self,
        filter: &CallFilter,
        most: usize,
        now: Timestamp,
    ) -> Result<CallPart, StoreError> {
        if let Some(number) = &filter.number {
            self.store.note_access(self.token, "calls.of_number", number, now)?;
        }
        if let Some(agent) = filter.agent.as_ref().filter(|_| self.token.role != Role::Agent) {
            self.store.note_access(self.token, "calls.of_agent", agent, now)?;
        }
        self.store.part(&self.scope, filter, most)
    }

    /// One call with its timeline, which is noted; `None` if there is no such call, or if it is not for this reader,
    /// which is noted too.
    ///
    /// # Errors
    /// The database's.
    pub fn call(&mut self, id: &str, now: Timestamp) -> Result<Option<CallDetails>, StoreError> {
        let found = self.store.call(id)?.filter(|details| details.call.id == id);
        match found {
            Some(mut details) if self.scope.has(details.call.agent.as_deref()) => {
                self.store.note_access(self.token, "call.read", id, now)?;
                if let Scope::Agent(agent) = &self.scope {
                    details.cues = self.store.cues_of(id, agent)?;
                }
                Ok(Some(details))
            }
            Some(_) => self.refuse(id, now).map(|()| None),
            None => Ok(None),
        }
    }

    /// The row of a call, if it is for this reader.
    fn row(&mut self, id: &str, now: Timestamp) -> Result<Option<Call>, StoreError> {
        match self.store.row(id)?.filter(|call| call.id == id) {
            Some(call) if self.scope.has(call.agent.as_deref()) => Ok(Some(call)),
            Some(_) => self.refuse(id, now).map(|()| None),
            None => Ok(None),
        }
    }

    fn refuse(&mut self, id: &str, now: Timestamp) -> Result<(), StoreError> {
        self.store.note_access(self.token, "call.refused", id, now)
    }
}
