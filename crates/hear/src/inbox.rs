//! Orders from the call book to a worker: one bounded queue per call that never blocks the book.
//!
//! The book gives orders while it holds its own lock, so giving never waits. A call's orders keep their order; calls
//! are independent of each other. Each call has its own bound: a call whose signalling floods can't crowd out another
//! call's objection. The total is bounded by the calls in the book, which `limits.calls` bounds.
//!
//! - A plan replaces one of the same stream that still waits: only the newest counts.
//! - No other order is left out or moved. A call that has [`MOST_WAITING`] orders waiting is given up instead
//!   ([`Work::Abandon`]): a worker that can't be told of an objection must not listen.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sidetone_call::CallKey;

use super::worker::Work;

/// Most orders of one call that may wait. A call gives a handful in its life, a worker takes them a hundred times a
/// second.
pub(crate) const MOST_WAITING: usize = 64;

/// Both ends of an empty inbox.
#[must_use]
pub fn inbox() -> (Orders, Inbox) {
    let shared = Arc::new(Shared::default());
    (Orders { shared: Arc::clone(&shared) }, Inbox { shared })
}

/// The call book's end. The worker ends when this is dropped.
#[derive(Debug)]
pub struct Orders {
    shared: Arc<Shared>,
}

/// The worker's end. Orders given after it is dropped are lost.
#[derive(Debug)]
pub struct Inbox {
    shared: Arc<Shared>,
}

/// The call book is gone, and all of its orders are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    given: Condvar,
    /// Whether any order waits: read before each packet.
    any: AtomicBool,
}

#[derive(Debug, Default)]
struct Waiting {
    orders: HashMap<CallKey, VecDeque<Work>>,
    /// The calls with orders, in the order of their first one.
    turns: VecDeque<CallKey>,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Orders {
    /// Gives an order.
    pub fn give(&self, work: Work) {
        let mut waiting = self.shared.lock();
        if waiting.closed {
            return;
        }
        let call = work.call();
        let Waiting { orders, turns, .. } = &mut *waiting;
        let orders = orders.entry(call).or_default();
        if orders.is_empty() {
            turns.push_back(call);
        }
        put(orders, call, work);
        self.shared.any.store(true, Release);
        drop(waiting);
        self.shared.given.notify_one();
    }
}

/// Queues an order behind the others of its call.
fn put(orders: &mut VecDeque<Work>, call: CallKey, work: Work) {
    // After the end of its analysis a call's orders have no recipient.
    if matches!(orders.back(), Some(Work::Abandon(_))) {
        return;
    }
    if let Work::Plan { stream, .. } = &work {
        orders.retain(|other| !matches!(other, Work::Plan { stream: old, .. } if old == stream));
    }
    if orders.len() >= MOST_WAITING {
        orders.clear();
        orders.push_back(Work::Abandon(call));
    } else {
        orders.push_back(work);
    }
}

impl Drop for Orders {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.given.notify_one();
    }
}

impl Inbox {
    /// Whether an order waits. Costs a load of a flag.
    #[must_use]
    pub fn any(&self) -> bool {
        self.shared.any.load(Acquire)
    }

    /// Takes all orders, those of a call one behind the other.
    pub fn take(&self) -> Vec<Work> {
        if !self.any() {
            return Vec::new();
        }
        let mut waiting = self.shared.lock();
        self.shared.any.store(false, Release);
        let Waiting { orders, turns, .. } = &mut *waiting;
        turns.drain(..).filter_map(|call| orders.remove(&call)).flatten().collect()
    }

    /// Waits until an order is there, for `at_most`.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn wait(&self, at_most: Duration) -> Result<(), Closed> {
        let waiting = self.shared.lock();
        let nothing = |waiting: &mut Waiting| waiting.turns.is_empty() && !waiting.closed;
        let (waiting, _) = self
            .shared
            .given
            .wait_timeout_while(waiting, at_most, nothing)
            .unwrap_or_else(PoisonError::into_inner);
        if waiting.closed && waiting.turns.is_empty() { Err(Closed) } else { Ok(()) }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let mut waiting = self.shared.lock();
        waiting.closed = true;
        waiting.orders.clear();
        waiting.turns.clear();
    }
}
