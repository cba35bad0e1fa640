//! Hands events to every sink without waiting for any.

mod block_on;
mod erasures;
mod owed;
mod queue;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, Weak};
use std::time::Duration;

use crate::event::{Event, Happening, Kind};
use crate::id::CallId;
pub use erasures::Erasure;
pub(crate) use erasures::Erasures;
pub use owed::Owed;
pub use queue::SinkCounts;
use queue::{Popped, Queue};

/// An event with its JSON, serialized once for all sinks, and not before one of them writes it: the ring of those who
/// may connect later holds every event, and most are never read there.
#[derive(Debug)]
pub struct Published {
    /// The event.
    pub event: Event,
    json: OnceLock<Box<str>>,
}

impl Published {
    pub(crate) fn new(event: Event) -> Arc<Self> {
        Arc::new(Self { event, json: OnceLock::new() })
    }

    /// Its JSON, on one line and without a line end. Every event can be serialized: none has a map with keys that are
    /// no strings.
    #[must_use]
    pub fn json(&self) -> &str {
        self.json.get_or_init(|| serde_json::to_string(&self.event).unwrap_or_default().into_boxed_str())
    }
}

/// Hands each event to every subscriber.
///
/// Publishing never waits: each subscriber has a bounded lock-free queue of its own, and when that is full its oldest
/// event is dropped and counted. A slow subscriber loses its own events only. The one lock is around the list of
/// subscribers; it is taken for writing only when one comes or goes.
#[derive(Debug, Clone, Default)]
pub struct Bus {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    queues: RwLock<Vec<Arc<Queue>>>,
    published: AtomicU64,
    erasures: Arc<Erasures>,
    /// Whether words may be written where events are kept.
    keeps_words: AtomicBool,
}

impl Bus {
    /// A bus without subscribers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Hands `event` to all subscribers. Without a subscriber it isn't even serialized.
    ///
    /// A `consent.changed` that says `erased` takes back the inferences in its call's earlier events: a subscriber that
    /// has not received them yet never will, and sinks that keep events erase them.
    pub fn publish(&self, event: Event) {
        self.shared.published.fetch_add(1, Ordering::Relaxed);
        if let Happening::ConsentChanged(change) = &event.happening
            && change.erased
        {
            self.erase(event.call.id, event.seq);
        }
        let queues = self.shared.queues.read().unwrap_or_else(PoisonError::into_inner);
        let kind = event.kind();
        let mut wanting = queues.iter().filter(|queue| queue.wants(kind)).peekable();
        if wanting.peek().is_none() {
            return;
        }
        let wordless = if self.keeps_words() { None } else { event.without_words().map(Published::new) };
        let published = Published::new(event);
        for queue in wanting {
            match wordless.as_ref().filter(|_| queue.keeps()) {
                None => queue.push(Arc::clone(&published)),
                Some(wordless) if queue.wants(wordless.event.kind()) => queue.push(Arc::clone(wordless)),
                Some(_) => {}
            }
        }
    }

    /// Whether what was said may be written where events are kept: to files and to standard output, which is often a
    /// log. At first it may not; those who only listen are told it always.
    pub fn keep_words(&self, keep: bool) {
        self.shared.keeps_words.store(keep, Ordering::Relaxed);
    }

    /// Whether it may.
    #[must_use]
    pub fn keeps_words(&self) -> bool {
        self.shared.keeps_words.load(Ordering::Relaxed)
    }

    /// Takes back the inferences about a call in events whose numbers are below `before`.
    pub fn erase(&self, call: CallId, before: u64) {
        self.shared.erasures.note(Erasure { call, before });
    }

    /// From now on this file owes each erasure too, and notes it before any subscriber learns of it.
    pub(crate) fn owe(&self, file: &Arc<Owed>) {
        self.shared.erasures.owe(Arc::downgrade(file));
    }

    /// How many events have been published.
    #[must_use]
    pub fn published(&self) -> u64 {
        self.shared.published.load(Ordering::Relaxed)
    }

    /// A subscription under `name` to events of `kinds` (all, if empty) that holds at most `capacity` of them.
    #[must_use]
    pub fn subscribe(&self, name: &str, capacity: usize, kinds: &[Kind]) -> Subscription {
        self.subscription(Queue::new(name, capacity, kinds))
    }

    /// The same for one who keeps what they receive: they get no words unless [`keep_words`](Self::keep_words) says so.
    #[must_use]
    pub(crate) fn subscribe_to_keep(&self, name: &str, capacity: usize, kinds: &[Kind]) -> Subscription {
        self.subscription(Queue::new(name, capacity, kinds).that_keeps())
    }

    fn subscription(&self, queue: Queue) -> Subscription {
        let queue = Arc::new(queue);
        self.shared.queues.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&queue));
        let erasures = Arc::clone(&self.shared.erasures);
        Subscription { queue, shared: Arc::downgrade(&self.shared), erasures }
    }

    /// Ends all subscriptions; queued events can still be received.
    pub fn close(&self) {
        let queues = std::mem::take(&mut *self.shared.queues.write().unwrap_or_else(PoisonError::into_inner));
        queues.iter().for_each(|queue| queue.close());
    }

    /// Counters by subscriber.
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
    erasures: Arc<Erasures>,
}

impl Subscription {
    /// The next event, in the order of publication; `None` once the bus is closed and all has been received.
    pub async fn recv(&mut self) -> Option<Arc<Published>> {
        loop {
            match self.queue.pop() {
                Popped::Event(event) => {
                    if let Some(event) = self.current(event) {
                        return Some(event);
                    }
                }
                Popped::Closed => return None,
                Popped::Empty => self.queue.pushed().await,
            }
        }
    }

    /// The next event if there is one.
    pub fn try_recv(&mut self) -> Option<Arc<Published>> {
        loop {
            match self.queue.pop() {
                Popped::Event(event) => {
                    if let Some(event) = self.current(event) {
                        return Some(event);
                    }
                }
                Popped::Closed | Popped::Empty => return None,
            }
        }
    }

    /// As [`recv`](Self::recv), blocking a thread of its own.
    pub fn recv_blocking(&mut self) -> Option<Arc<Published>> {
        block_on::block_on(self.recv())
    }

    /// As [`recv_blocking`](Self::recv_blocking), for at most `patience`.
    pub(crate) fn recv_within(&mut self, patience: Duration) -> Waited {
        match block_on::block_on_for(self.recv(), patience) {
            Some(Some(event)) => Waited::Event(event),
            Some(None) => Waited::Closed,
            None => Waited::InVain,
        }
    }

    /// An event without the inferences that have been erased since it was taken. `None` if no wanted part is left.
    pub(crate) fn current(&self, published: Arc<Published>) -> Option<Arc<Published>> {
        match self.erasures.redacted(&published.event) {
            None => Some(published),
            Some(event) if self.queue.wants(event.kind()) => Some(Published::new(event)),
            Some(_) => None,
        }
    }

    /// Whether what was said may be kept.
    pub(crate) fn keeps_words(&self) -> bool {
        self.shared.upgrade().is_some_and(|shared| shared.keeps_words.load(Ordering::Relaxed))
    }

    /// The erasures since `cursor`.
    pub(crate) fn erased_since(&self, cursor: &mut u64) -> Vec<Erasure> {
        self.erasures.since(cursor)
    }

    /// This subscription's counters.
    #[must_use]
    pub fn counts(&self) -> SinkCounts {
        self.queue.counts()
    }

    /// The counters of a sink for the events that it took.
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

/// The result of waiting for an event.
pub(crate) enum Waited {
    /// An event came.
    Event(Arc<Published>),
    /// No event came in the given time.
    InVain,
    /// No event will come: the bus is closed and all events have been received.
    Closed,
}

/// A sink's counters.
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

    /// Sets how many calls still need erasing, and how many files could not be searched for that.
    pub(crate) fn erasures(&self, (owed, beyond): (u64, u64)) {
        self.queue.erasures_owed.store(owed, Ordering::Relaxed);
        self.queue.erasures_beyond.store(beyond, Ordering::Relaxed);
    }

    pub(crate) fn counts(&self) -> SinkCounts {
        self.queue.counts()
    }
}
