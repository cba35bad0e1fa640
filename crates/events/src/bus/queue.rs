//! One subscriber's bounded queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_queue::ArrayQueue;
use serde::Serialize;
use tokio::sync::Notify;

use super::Published;
use crate::event::Kind;

/// Counters of one subscriber, for metrics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SinkCounts {
    /// The subscriber.
    pub name: String,
    /// Events waiting now.
    pub queued: usize,
    /// Capacity of the queue.
    pub capacity: usize,
    /// Events dropped because too many were waiting: always the oldest.
    pub dropped: u64,
    /// Events delivered to their destination.
    pub delivered: u64,
    /// Events given up: refused, or undeliverable for too long.
    pub failed: u64,
    /// Attempts after the first.
    pub retries: u64,
    /// Calls whose erasure from the kept events is still owed.
    pub erasures_owed: u64,
    /// Files that could not be searched for events to erase.
    pub erasures_beyond: u64,
}

/// A queue that drops the oldest event when full.
pub(super) struct Queue {
    name: String,
    kinds: Vec<Kind>,
    /// Whether what is received is kept.
    keeps: bool,
    events: ArrayQueue<Arc<Published>>,
    pushed: Notify,
    closed: AtomicBool,
    dropped: AtomicU64,
    pub(super) delivered: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) erasures_owed: AtomicU64,
    pub(super) erasures_beyond: AtomicU64,
}

pub(super) enum Popped {
    Event(Arc<Published>),
    Empty,
    Closed,
}

impl Queue {
    pub(super) fn new(name: &str, capacity: usize, kinds: &[Kind]) -> Self {
        Self {
            name: name.to_owned(),
            kinds: kinds.to_vec(),
            keeps: false,
            events: ArrayQueue::new(capacity.max(1)),
            pushed: Notify::new(),
            closed: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            erasures_owed: AtomicU64::new(0),
            erasures_beyond: AtomicU64::new(0),
        }
    }

    /// The same of one who keeps what they receive.
    pub(super) fn that_keeps(self) -> Self {
        Self { keeps: true, ..self }
    }

    pub(super) fn keeps(&self) -> bool {
        self.keeps
    }

    pub(super) fn wants(&self, kind: Kind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }

    pub(super) fn push(&self, event: Arc<Published>) {
        if self.events.force_push(event).is_some() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        self.pushed.notify_one();
    }

    pub(super) fn pop(&self) -> Popped {
        // Read before popping: an event pushed before the close is then seen by this pop.
        let closed = self.closed.load(Ordering::Acquire);
        match self.events.pop() {
            Some(event) => Popped::Event(event),
            None if closed => Popped::Closed,
            None => Popped::Empty,
        }
    }

    /// Returns once something was pushed, or the queue closed, since the last time.
    pub(super) async fn pushed(&self) {
        self.pushed.notified().await;
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.pushed.notify_one();
    }

    pub(super) fn counts(&self) -> SinkCounts {
        SinkCounts {
            name: self.name.clone(),
            queued: self.events.len(),
            capacity: self.events.capacity(),
            dropped: self.dropped.load(Ordering::Relaxed),
            delivered: self.delivered.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            erasures_owed: self.erasures_owed.load(Ordering::Relaxed),
            erasures_beyond: self.erasures_beyond.load(Ordering::Relaxed),
        }
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.counts().fmt(f)
    }
}
