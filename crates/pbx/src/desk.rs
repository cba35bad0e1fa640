//! The state that a link works with.

use crate::board::Board;
use crate::counts::Tally;
use crate::fault::Fault;
use sidetone_events::Subscription;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// A link's state, connected or not.
pub(crate) struct Desk {
    pub(crate) board: Board,
    pub(crate) bus: Subscription,
    /// Whether the bus may still yield events.
    pub(crate) open: bool,
    /// Signals the shutdown: the deadline for sending what waits.
    pub(crate) stop: watch::Receiver<Option<Instant>>,
    pub(crate) until: Option<Instant>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) epoch: Instant,
    pub(crate) up_since: Option<Duration>,
    /// Why the previous connection ended, so that the same reason is not logged again and again.
    pub(crate) last: Option<String>,
}

impl Desk {
    pub(crate) fn new(
        board: Board,
        bus: Subscription,
        stop: watch::Receiver<Option<Instant>>,
        tally: Arc<Tally>,
    ) -> Self {
        let (epoch, open) = (Instant::now(), true);
        Self { board, bus, open, stop, until: None, tally, epoch, up_since: None, last: None }
    }

    pub(crate) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    pub(crate) fn board(&mut self) -> &mut Board {
        &mut self.board
    }

    /// The login has succeeded.
    pub(crate) fn came_up(&mut self) {
        self.up_since = Some(self.now());
        self.last = None;
        self.tally.connected.store(true, Ordering::Relaxed);
        self.tally.connects.fetch_add(1, Ordering::Relaxed);
        let purpose = self.board.purpose();
        tracing::info!(pbx = %purpose.pbx, link = %purpose.kind, "link to the PBX is up");
    }

    /// The connection, or the attempt at one, has ended. Returns how long the link had been logged in.
    pub(crate) fn went_down(&mut self, fault: &Fault) -> Duration {
        let lasted = self.up_since.take().map_or(Duration::ZERO, |since| self.now().saturating_sub(since));
        self.tally.connected.store(false, Ordering::Relaxed);
        self.tally.disconnects.fetch_add(1, Ordering::Relaxed);
        if matches!(fault, Fault::Malformed(_)) {
            self.tally.malformed.fetch_add(1, Ordering::Relaxed);
        }
        self.board.went_down();
        let why = fault.to_string();
        let purpose = self.board.purpose();
        if matches!(fault, Fault::Stopped) {
            tracing::debug!(pbx = %purpose.pbx, link = %purpose.kind, "link to the PBX has been closed");
        } else if self.last.as_ref() == Some(&why) {
            tracing::debug!(pbx = %purpose.pbx, link = %purpose.kind, why, "link to the PBX is still down");
        } else {
            tracing::warn!(pbx = %purpose.pbx, link = %purpose.kind, why, "link to the PBX is down, and will be tried again");
            self.last = Some(why);
        }
        lasted
    }

    /// Whether the shutdown has begun, and no work or no time is left.
    pub(crate) fn may_stop(&mut self) -> bool {
        let Some(until) = self.until else { return false };
        while let Some(event) = self.bus.try_recv() {
            let now = self.now();
            self.board.take(now, &event);
        }
        self.up_since.is_none() || self.board.is_idle() || Instant::now() >= until
    }

    /// Returns when an event has been taken in, or the shutdown begins.
    pub(crate) async fn happens(&mut self) {
        tokio::select! {
            event = self.bus.recv(), if self.open => match event {
                Some(event) => {
                    let now = self.epoch.elapsed();
                    self.board.take(now, &event);
                }
                None => self.open = false,
            },
            // A dropped sender means shutdown too.
            _ = self.stop.changed(), if self.until.is_none() => {
                self.until = Some(self.stop.borrow().unwrap_or_else(Instant::now));
            }
            () = std::future::pending() => {}
        }
    }

    /// Does `work`, taking events in meanwhile; `None` on shutdown.
    pub(crate) async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        while self.until.is_none() {
            tokio::select! {
                done = &mut work => return Some(done),
                () = self.happens() => {}
            }
        }
        None
    }

    /// The instant of `at`, or the shutdown's deadline if that is earlier.
    pub(crate) fn moment(&self, at: Duration) -> Instant {
        let at = self.epoch + at;
        self.until.map_or(at, |until| until.min(at))
    }
}
