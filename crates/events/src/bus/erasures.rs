//! Events that must not be given out any more, since the customer has objected.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, Weak};

use super::owed::Owed;
use crate::event::Event;
use crate::id::CallId;

/// Most calls that are remembered; beyond it the oldest is forgotten. They matter only for events still on their way
/// out.
const MOST: usize = 65_536;

/// All inferences about a call are erased up to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erasure {
    /// The call.
    pub call: CallId,
    /// Number (`seq`) of the first event that is not erased: the customer may have agreed again later.
    pub before: u64,
}

impl Erasure {
    pub(crate) fn covers(&self, event: &Event) -> bool {
        event.call.id == self.call && event.seq < self.before
    }
}

/// The erasures so far, for all parts that hand out or keep events.
#[derive(Debug, Default)]
pub(crate) struct Erasures {
    /// The files that have to carry out each erasure.
    owing: RwLock<Vec<Weak<Owed>>>,
    inner: RwLock<Inner>,
    any: AtomicBool,
}

#[derive(Debug, Default)]
struct Inner {
    before: HashMap<CallId, u64>,
    order: VecDeque<Erasure>,
    /// Number of erasures that are no longer in `order`.
    forgotten: u64,
}

impl Erasures {
    /// From now on this file owes every erasure.
    pub(crate) fn owe(&self, file: Weak<Owed>) {
        let mut owing = self.owing.write().unwrap_or_else(PoisonError::into_inner);
        owing.retain(|file| file.strong_count() > 0);
        owing.push(file);
    }

    pub(crate) fn note(&self, erasure: Erasure) {
        // Noted in the file first, where a kill can't reach it, then made known to all.
        for file in self.owing.read().unwrap_or_else(PoisonError::into_inner).iter() {
            if let Some(file) = file.upgrade() {
                file.add(&erasure);
            }
        }
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let before = inner.before.entry(erasure.call).or_default();
        *before = erasure.before.max(*before);
        inner.order.push_back(erasure);
        if inner.order.len() > MOST
            && let Some(oldest) = inner.order.pop_front()
        {
            inner.forgotten += 1;
            if inner.before.get(&oldest.call).is_some_and(|before| *before <= oldest.before) {
                inner.before.remove(&oldest.call);
            }
        }
        self.any.store(true, Ordering::Release);
    }

    /// The event as it may be given on, with erased inferences taken out. `None` if it may go unchanged.
    pub(crate) fn redacted(&self, event: &Event) -> Option<Event> {
        // Most processes see many events and few objections.
        if !event.infers() || !self.any.load(Ordering::Acquire) {
            return None;
        }
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let covered = inner.before.get(&event.call.id).is_some_and(|before| event.seq < *before);
        covered.then(|| event.without_inferences())
    }

    /// The erasures after those that `cursor` has seen.
    pub(crate) fn since(&self, cursor: &mut u64) -> Vec<Erasure> {
        if !self.any.load(Ordering::Acquire) {
            return Vec::new();
        }
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let skip = usize::try_from(cursor.saturating_sub(inner.forgotten)).unwrap_or(usize::MAX);
        let new: Vec<Erasure> = inner.order.iter().skip(skip).copied().collect();
        *cursor = inner.forgotten + inner.order.len() as u64;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn erasure(call: u128) -> Erasure {
        Erasure { call: CallId::new(Timestamp::from_unix_millis(1), call), before: 9 }
    }

    #[test]
    fn each_reader_is_told_of_each_erasure_once() {
        let erasures = Erasures::default();
        let mut cursor = 0;
        assert!(erasures.since(&mut cursor).is_empty());
        erasures.note(erasure(1));
        erasures.note(erasure(2));
        assert_eq!(erasures.since(&mut cursor), [erasure(1), erasure(2)]);
        assert!(erasures.since(&mut cursor).is_empty());
        erasures.note(erasure(3));
        assert_eq!(erasures.since(&mut cursor), [erasure(3)]);
    }

    /// The process is killed just after the objecting customer was told that the erasure is done.
    #[test]
    fn an_erasure_is_noted_before_anybody_learns_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let note = folder.path().join("events.jsonl.erasing");
        let file = std::sync::Arc::new(Owed::read(note.clone()));
        let erasures = Erasures::default();
        erasures.owe(std::sync::Arc::downgrade(&file));
        erasures.note(erasure(1));
        assert_eq!(Owed::read(note).calls(), HashMap::from([(erasure(1).call, 9)]));
    }

    #[test]
    fn a_flood_of_erasures_is_bounded() {
        let erasures = Erasures::default();
        let mut cursor = 0;
        for call in 0..2 * MOST as u128 {
            erasures.note(erasure(call));
        }
        assert_eq!(erasures.inner.read().unwrap().before.len(), MOST);
        assert_eq!(erasures.since(&mut cursor).len(), MOST);
        assert_eq!(cursor, 2 * MOST as u64);
    }
}
