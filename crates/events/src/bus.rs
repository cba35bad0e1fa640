//! Hands events to every sink without waiting for any.

mod block_on;
mod queue;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};

use crate::event::{Event, Kind};
pub use queue::SinkCounts;
use queue::{Popped, Queue};

/// An event with its JSON, written once for all sinks.
#[derive(Debug)]
pub struct Published {
    /// The event.
    pub event: Event,
    /// Its JSON, on one line and without a line end.
    pub json: Box<str>,
}

/// Hands each event to every subscriber.
///
/// Publishing never waits: each subscriber has a bounded lock-free queue of its own, and when that is full its oldest
/// event is dropped and counted. A slow subscriber loses its own events and nobody else's. The one lock is around
/// the list of subscribers; it is taken for writing only while one comes or goes.
#[derive(Debug, Clone, Default)]
pub struct Bus {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    queues: RwLock<Vec<Arc<Queue>>>,
    published: AtomicU64,
}

impl Bus {
    /// A bus without subscribers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Hands `event` to everyone. Without a subscriber it isn't even written.
    pub fn publish(&self, event: Event) {
        self.shared.published.fetch_add(1, Ordering::Relaxed);
        let queues = self.shared.queues.read().unwrap_or_else(PoisonError::into_inner);
        let kind = event.kind();
        let mut wanting = queues.iter().filter(|queue| queue.wants(kind)).peekable();
        if wanting.peek().is_none() {
            return;
        }
        // Every part of an event can be written as JSON; should one ever not be, no event is better than a broken one.
        let Ok(json) = serde_json::to_string(&event) else { return };
        let published = Arc::new(Published { event, json: json.into_boxed_str() });
        wanting.for_each(|queue| queue.push(Arc::clone(&published)));
    }

    /// How many events have been published.
    #[must_use]
    pub fn published(&self) -> u64 {
        self.shared.published.load(Ordering::Relaxed)
    }

    /// A subscription under `name` to events of `kinds` (all, if empty) that holds at most `capacity` of them.
    #[must_use]
    pub fn subscribe(&self, name: &str, capacity: usize, kinds: &[Kind]) -> Subscription {
        let queue = Arc::new(Queue::new(name, capacity, kinds));
        self.shared.queues.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&queue));
        Subscription { queue, shared: Arc::downgrade(&self.shared) }
    }

    /// Ends all subscriptions; what is queued can still be received.
    pub fn close(&self) {
        let queues = std::mem::take(&mut *self.shared.queues.write().unwrap_or_else(PoisonError::into_inner));
        queues.iter().for_each(|queue| queue.close());
    }

    /// What became of the events, by subscriber.
    #[must_use]
    pub fn counts(&self) -> Vec<SinkCounts> {
        let queues = self.shared.queues.read().unwrap_or_else(PoisonError::into_inner);
        queues.iter().map(|queue| queue.counts()).collect()
    }
}

/// One subscriber's end. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Subscription {
    queue: Arc<Queue>,
    shared: Weak<Shared>,
}

impl Subscription {
    /// The next event, in the order of publication; `None` once the bus is closed and all has been received.
    pub async fn recv(&mut self) -> Option<Arc<Published>> {
        loop {
            match self.queue.pop() {
                Popped::Event(event) => return Some(event),
                Popped::Closed => return None,
                Popped::Empty => self.queue.pushed().await,
            }
        }
    }

    /// The next event if there is one.
    pub fn try_recv(&mut self) -> Option<Arc<Published>> {
        match self.queue.pop() {
            Popped::Event(event) => Some(event),
            Popped::Closed | Popped::Empty => None,
        }
    }

    /// As [`recv`](Self::recv), for a thread of its own: blocks it.
    pub fn recv_blocking(&mut self) -> Option<Arc<Published>> {
        block_on::block_on(self.recv())
    }

    /// What became of this subscription's events.
    #[must_use]
    pub fn counts(&self) -> SinkCounts {
        self.queue.counts()
    }

    /// Where a sink counts what it did with the events it took.
    pub(crate) fn tally(&self) -> Tally {
        Tally { queue: Arc::clone(&self.queue) }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            let mut queues = shared.queues.write().unwrap_or_else(PoisonError::into_inner);
            queues.retain(|queue| !Arc::ptr_eq(queue, &self.queue));
        }
    }
}

/// Where a sink counts what it did.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    queue: Arc<Queue>,
}

impl Tally {
    pub(crate) fn delivered(&self, events: usize) {
        self.queue.delivered.fetch_add(events as u64, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, events: usize) {
        self.queue.failed.fetch_add(events as u64, Ordering::Relaxed);
    }

    pub(crate) fn retried(&self) {
        self.queue.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn counts(&self) -> SinkCounts {
        self.queue.counts()
    }
}
