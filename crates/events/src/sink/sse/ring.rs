//! The newest events, by their position in the order of publication.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use crate::bus::{Erasure, Published};
use crate::id::{CallId, EventId};

/// A bounded run of events, the oldest at position `start`.
#[derive(Debug)]
pub(super) struct Ring {
    events: VecDeque<Arc<Published>>,
    capacity: usize,
    start: u64,
    closed: bool,
    /// Calls of which it holds words.
    worded: HashSet<CallId>,
}

pub(super) enum Taken {
    /// An event, and the position after it.
    Event(Arc<Published>, u64),
    /// No event yet; the position to continue from.
    Nothing(u64),
    /// The requested position is no longer held.
    Lagged,
    /// No event, and there will be none.
    Closed,
}

impl Ring {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            events: VecDeque::new(),
            capacity: capacity.max(1),
            start: 0,
            closed: false,
            worded: HashSet::new(),
        }
    }

    pub(super) fn push(&mut self, event: Arc<Published>) {
        if self.events.len() >= self.capacity {
            self.events.pop_front();
            self.start += 1;
        }
        // Some call's end was lost in a queue that was full: its words fall out of the ring with time.
        if self.worded.len() >= self.capacity {
            self.worded.clear();
            let worded = self.events.iter().filter(|held| held.event.has_words());
            self.worded.extend(worded.map(|held| held.event.call.id));
        }
        if event.event.has_words() {
            self.worded.insert(event.event.call.id);
        }
        self.events.push_back(event);
    }

    /// The call is over, and what was said in it may not be kept. Positions stay the same.
    pub(super) fn forget_words(&mut self, call: CallId) {
        // Most calls have none, and the ring holds thousands of events.
        if !self.worded.remove(&call) {
            return;
        }
        for held in self.events.iter_mut().filter(|held| held.event.call.id == call) {
            if let Some(rest) = held.event.without_words().map(Published::new) {
                *held = rest;
            }
        }
    }

    /// Removes erased inferences. Positions stay the same.
    pub(super) fn erase(&mut self, erasures: &[Erasure]) {
        for held in &mut self.events {
            if held.event.infers() && erasures.iter().any(|erasure| erasure.covers(&held.event)) {
                *held = Published::new(held.event.without_inferences());
            }
        }
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    pub(super) fn start(&self) -> u64 {
        self.start
    }

    pub(super) fn end(&self) -> u64 {
        self.start + self.events.len() as u64
    }

    /// The position after the event `id`, if that is still held.
    pub(super) fn after(&self, id: EventId) -> Option<u64> {
        let place = self.events.iter().rposition(|held| held.event.id == id)?;
        Some(self.start + place as u64 + 1)
    }

    /// The first wanted event from position `from` on.
    pub(super) fn take(&self, from: u64, wants: impl Fn(&Published) -> bool) -> Taken {
        let Some(skip) = from.checked_sub(self.start) else { return Taken::Lagged };
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let found = self.events.iter().enumerate().skip(skip).find(|(_, event)| wants(event));
        match found {
            Some((place, event)) => Taken::Event(Arc::clone(event), self.start + place as u64 + 1),
            None if self.closed => Taken::Closed,
            None => Taken::Nothing(self.end()),
        }
    }
}
