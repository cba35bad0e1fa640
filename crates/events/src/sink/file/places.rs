//! Positions of the lines with inferences about calls that are up, to be erased after an objection.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

use crate::event::{Event, Happening};
use crate::id::CallId;

/// Most lines that are remembered, of all calls together: some 40 MB. Beyond it all positions are forgotten, and the
/// calls that were up then are found by reading the files.
const MOST: usize = 1 << 20;

/// One line.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The file, even after a rename.
    pub(super) file: Arc<File>,
    /// Position of the first byte.
    pub(super) at: u64,
    /// Length in bytes, without the line end.
    pub(super) length: usize,
    /// The event's number in its call.
    pub(super) seq: u64,
}

/// The positions by call. A call that stands here has all of its positions known.
#[derive(Debug, Default)]
pub(super) struct Places {
    calls: HashMap<CallId, Vec<Place>>,
    count: usize,
}

impl Places {
    /// Notes a line that has been written.
    pub(super) fn wrote(&mut self, event: &Event, file: Option<&Arc<File>>, at: u64, length: usize) {
        if !event.infers() {
            return;
        }
        let call = event.call.id;
        let Some(file) = file else {
            // The file can't be overwritten by its handle: erasing will read it anew.
            self.forget(call);
            return;
        };
        if let Some(places) = self.calls.get_mut(&call) {
            places.push(Place { file: Arc::clone(file), at, length, seq: event.seq });
            self.count += 1;
            self.bound();
        }
    }

    /// Notes an event, written or not.
    pub(super) fn passed(&mut self, event: &Event) {
        match event.happening {
            Happening::CallStarted(_) => {
                self.calls.entry(event.call.id).or_default();
                self.count += 1;
                self.bound();
            }
            Happening::CallEnded(_) => self.forget(event.call.id),
            _ => {}
        }
    }

    /// The positions of a call; `None` if they are not all known.
    pub(super) fn of(&self, call: CallId) -> Option<Vec<Place>> {
        self.calls.get(&call).cloned()
    }

    /// Lines have moved: no position is known any more.
    pub(super) fn forget_all(&mut self) {
        *self = Self::default();
    }

    fn forget(&mut self, call: CallId) {
        if let Some(places) = self.calls.remove(&call) {
            self.count = self.count.saturating_sub(places.len() + 1);
        }
    }

    fn bound(&mut self) {
        if self.count > MOST {
            self.forget_all();
        }
    }
}
