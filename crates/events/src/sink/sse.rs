//! The live stream: server-sent events (WHATWG HTML, "Server-sent events") over HTTP.

mod guard;
mod http;
mod ring;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::bus::{Published, Subscription};
use crate::config::StreamConfig;
use crate::event::Kind;
use crate::id::{CallId, EventId};
use crate::secret::Revealed;
use crate::sink::error::SinkError;
pub use guard::StallGuard;
pub use http::STREAM_PATH;
use ring::{Ring, Taken};

/// The least token.
const LEAST_TOKEN: usize = 16;

/// The ring of the newest events, which all clients of the live stream read from.
///
/// Each client is only a position in the ring, so it costs no memory for events, and one that reconnects can be given
/// the events that it missed. A client that falls behind by the whole ring is dropped.
#[derive(Debug)]
pub struct Hub {
    ring: Mutex<Ring>,
    /// Signals that the ring has grown; closed when the bus is.
    grown: watch::Sender<()>,
    token: Option<Revealed>,
    most_clients: usize,
    heartbeat: Duration,
    clients: AtomicUsize,
    sent: AtomicU64,
    lagged: AtomicU64,
    refused: AtomicU64,
}

/// Counters of the live stream, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamCounts {
    /// Clients now.
    pub clients: usize,
    /// Events sent, to all clients together.
    pub sent: u64,
    /// Clients dropped because they read too slowly.
    pub lagged: u64,
    /// Clients refused because there were too many.
    pub refused: u64,
}

/// A client's choice of events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Filter {
    call: Option<CallId>,
    kinds: Vec<Kind>,
}

impl Filter {
    fn wants(&self, published: &Published) -> bool {
        self.call.is_none_or(|call| published.event.call.id == call)
            && (self.kinds.is_empty() || self.kinds.contains(&published.event.kind()))
    }
}

/// Takes one more event. With the end of a call its words go, unless they may be kept: whoever comes later is told
/// none.
fn hold(ring: &mut Ring, event: Arc<Published>, subscription: &Subscription) {
    let over =
        (event.event.kind() == Kind::CallEnded && !subscription.keeps_words()).then_some(event.event.call.id);
    ring.push(event);
    if let Some(call) = over {
        ring.forget_words(call);
    }
}

impl Hub {
    pub(crate) fn new(config: &StreamConfig) -> Result<Self, SinkError> {
        let token = config.token.as_ref().map(|token| token.reveal(LEAST_TOKEN)).transpose();
        Ok(Self {
            ring: Mutex::new(Ring::new(config.replay)),
            grown: watch::Sender::new(()),
            token: token.map_err(|why| SinkError::Secret { key: "events.stream.token", why })?,
            most_clients: config.clients,
            heartbeat: config.heartbeat.0,
            clients: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
            lagged: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        })
    }

    /// Moves events from the bus into the ring until the bus is closed.
    pub(crate) async fn run(self: Arc<Self>, mut subscription: Subscription) {
        let tally = subscription.tally();
        let mut erased = 0;
        while let Some(event) = subscription.recv().await {
            let mut count = 1;
            {
                let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
                hold(&mut ring, event, &subscription);
                while let Some(event) = subscription.try_recv() {
                    hold(&mut ring, event, &subscription);
                    count += 1;
                }
                let erasures = subscription.erased_since(&mut erased);
                if !erasures.is_empty() {
                    ring.erase(&erasures);
                }
            }
            tally.delivered(count);
            self.grown.send_replace(());
        }
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).close();
        self.grown.send_replace(());
    }

    /// Counters of the clients.
    #[must_use]
    pub fn counts(&self) -> StreamCounts {
        StreamCounts {
            clients: self.clients.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            lagged: self.lagged.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    /// A place for one more client, if there is room.
    fn admit(self: &Arc<Self>, filter: Filter, after: Option<EventId>) -> Option<Client> {
        let admitted = self.clients.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |clients| {
            (clients < self.most_clients).then_some(clients + 1)
        });
        if admitted.is_err() {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let (next, gap) = match after {
            None => (ring.end(), false),
            Some(id) => match ring.after(id) {
                Some(next) => (next, false),
                // Too old, or from another process: the client gets the whole ring, and the notice of a gap.
                None => (ring.start(), true),
            },
        };
        drop(ring);
        Some(Client { grown: self.grown.subscribe(), hub: Arc::clone(self), filter, next, gap })
    }
}

/// One client's position in the stream.
struct Client {
    hub: Arc<Hub>,
    grown: watch::Receiver<()>,
    filter: Filter,
    next: u64,
    /// Whether the client's last event is no longer in the ring.
    gap: bool,
}

impl Client {
    /// The next wanted event; `None` when the client has fallen behind or the bus is closed.
    async fn next(&mut self) -> Option<Arc<Published>> {
        loop {
            self.grown.mark_unchanged();
            let taken = {
                let ring = self.hub.ring.lock().unwrap_or_else(PoisonError::into_inner);
                ring.take(self.next, |event| self.filter.wants(event))
            };
            match taken {
                Taken::Event(event, next) => {
                    self.next = next;
                    self.hub.sent.fetch_add(1, Ordering::Relaxed);
                    return Some(event);
                }
                Taken::Nothing(next) => {
                    self.next = next;
                    self.grown.changed().await.ok()?;
                }
                Taken::Lagged => {
                    self.hub.lagged.fetch_add(1, Ordering::Relaxed);
                    return None;
                }
                Taken::Closed => return None,
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.hub.clients.fetch_sub(1, Ordering::Relaxed);
    }
}
