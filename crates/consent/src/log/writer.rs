//! Writing receipts without blocking a call.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Log, LogError};
use crate::moment::Moment;
use crate::receipt::Receipt;

/// Most receipts that are synced to the disk at once.
const BATCH: usize = 256;
/// Pause before a failed write is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Where receipts are kept.
pub trait Store: Send {
    /// Adds a receipt.
    ///
    /// # Errors
    /// When it can't be written.
    fn append(&mut self, receipt: &Receipt) -> Result<(), LogError>;

    /// Notes that receipts were lost.
    ///
    /// # Errors
    /// When that can't be written.
    fn append_lost(&mut self, receipts: u64) -> Result<(), LogError>;

    /// Syncs everything to the disk.
    ///
    /// # Errors
    /// When that fails.
    fn sync(&mut self) -> Result<(), LogError>;

    /// Deletes receipts that are older than `days` days.
    ///
    /// # Errors
    /// When that fails.
    fn expire(&mut self, now: Moment, days: u32) -> Result<(), LogError>;
}

impl Store for Log {
    fn append(&mut self, receipt: &Receipt) -> Result<(), LogError> {
        Self::append(self, receipt)
    }
    fn append_lost(&mut self, receipts: u64) -> Result<(), LogError> {
        Self::append_lost(self, receipts)
    }
    fn sync(&mut self) -> Result<(), LogError> {
        Self::sync(self)
    }
    fn expire(&mut self, now: Moment, days: u32) -> Result<(), LogError> {
        Self::expire(self, now, days).map(drop)
    }
}

/// A problem that an operator should know of. It is reported when it begins, not each time that it goes on.
#[derive(Debug)]
pub enum Trouble {
    /// Receipts can't be written; they are kept in memory and tried again.
    Failing(LogError),
    /// The queue is full: receipts are being lost.
    Losing,
    /// Writing works again; `lost` receipts were lost meanwhile, and the log now says so.
    Over {
        /// The number of lost receipts.
        lost: u64,
    },
    /// Expired receipts can't be deleted.
    NotExpiring(LogError),
}

impl Trouble {
    /// Whether it is good news: writing works again, and nothing is missing.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self, Self::Over { lost: 0 })
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failing(error) => write!(
                f,
                "consent receipts can't be written: {error}; they wait in memory and are tried again each second, until \
                 that works or Sidetone ends"
            ),
            Self::Losing => f.write_str("consent receipts are being lost: too many wait for the disk"),
            Self::Over { lost: 0 } => f.write_str("consent receipts are written again; none was lost"),
            Self::Over { lost } => {
                write!(
                    f,
                    "consent receipts are written again; {lost} were lost meanwhile, which the log of receipts says"
                )
            }
            Self::NotExpiring(error) => {
                write!(f, "consent receipts that have been kept long enough can't be deleted: {error}")
            }
        }
    }
}

/// Counters of a [`Writer`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Receipts on disk.
    pub written: u64,
    /// Receipts lost, to a full queue or at the end.
    pub lost: u64,
    /// Attempts to write that failed.
    pub failures: u64,
    /// Receipts in memory that are not on the disk.
    pub waiting: u64,
}

#[derive(Debug, Default)]
struct Shared {
    written: AtomicU64,
    lost: AtomicU64,
    failures: AtomicU64,
    /// Receipts accepted into the queue.
    taken: AtomicU64,
    /// Of those, receipts that were given up at the end.
    given_up: AtomicU64,
}

/// A thread that writes receipts. [`Writer::submit`] never waits.
#[derive(Debug)]
pub struct Writer {
    /// `None` once closed.
    queue: Option<SyncSender<Receipt>>,
    stop: Option<Sender<()>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread. At most `queue` receipts wait; `days` is how long they are kept, `now` the first time from
    /// which that is counted. `alarm` is called on the thread.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start<S: Store + 'static>(
        store: S,
        queue: usize,
        days: Option<u32>,
        now: Moment,
        alarm: impl Fn(Trouble) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (queue, waiting) = sync_channel(queue);
        let (stop, stopped) = channel();
        let shared = Arc::new(Shared::default());
        let work = Work {
            store,
            days,
            day: String::new(),
            alarm,
            waiting,
            stopped,
            shared: Arc::clone(&shared),
            noted: 0,
            failing: false,
            losing: false,
        };
        let thread = std::thread::Builder::new().name("receipts".to_owned()).spawn(move || work.run(now))?;
        Ok(Self { queue: Some(queue), stop: Some(stop), shared, thread: Some(thread) })
    }

    /// Hands a receipt over; `false` if it is lost because too many wait.
    pub fn submit(&self, receipt: Receipt) -> bool {
        let Some(queue) = &self.queue else { return false };
        match queue.try_send(receipt) {
            Ok(()) => {
                self.shared.taken.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.shared.lost.fetch_add(1, Ordering::Relaxed);
                false
            }
        }
    }

    /// The writer's counters.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Shared { written, lost, failures, taken, given_up } = &*self.shared;
        let (written, gone) = (load(written), load(given_up));
        Counters {
            written,
            lost: load(lost),
            failures: load(failures),
            // A receipt may be on disk before it is counted as taken.
            waiting: load(taken).saturating_sub(written + gone),
        }
    }

    /// Writes the waiting receipts, and ends the thread. A failing disk gets one more try.
    pub fn close(mut self) -> Counters {
        self.finish();
        self.counters()
    }

    fn finish(&mut self) {
        self.queue = None;
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.finish();
    }
}

struct Work<S, A> {
    store: S,
    days: Option<u32>,
    /// The day of the last check for expired receipts.
    day: String,
    alarm: A,
    waiting: Receiver<Receipt>,
    stopped: Receiver<()>,
    shared: Arc<Shared>,
    /// Lost receipts that the log knows of.
    noted: u64,
    failing: bool,
    losing: bool,
}

impl<S: Store, A: Fn(Trouble)> Work<S, A> {
    fn run(mut self, now: Moment) {
        self.expire(now);
        let mut batch = Vec::with_capacity(BATCH);
        while let Ok(first) = self.waiting.recv() {
            batch.push(first);
            batch.extend(self.waiting.try_iter().take(BATCH - 1));
            let newest = batch.last().map_or(now, |receipt| receipt.ended);
            if !self.write(&mut batch) {
                let given_up = batch.len() + self.waiting.try_iter().count();
                self.shared.lost.fetch_add(given_up as u64, Ordering::Relaxed);
                self.shared.given_up.fetch_add(given_up as u64, Ordering::Relaxed);
                return;
            }
            self.expire(newest);
        }
        self.note_losses();
    }

    /// Writes all of `batch`, however long that takes; `false` if the thread was stopped meanwhile.
    fn write(&mut self, batch: &mut Vec<Receipt>) -> bool {
        let mut appended = 0;
        loop {
            match self.try_write(batch, &mut appended) {
                Ok(()) => {
                    self.shared.written.fetch_add(batch.len() as u64, Ordering::Relaxed);
                    batch.clear();
                    self.note_losses();
                    return true;
                }
                Err(error) => {
                    self.shared.failures.fetch_add(1, Ordering::Relaxed);
                    if !std::mem::replace(&mut self.failing, true) {
                        (self.alarm)(Trouble::Failing(error));
                    }
                    self.watch_losses();
                }
            }
            if self.stopped.recv_timeout(RETRY) == Err(RecvTimeoutError::Disconnected) {
                let last = self.try_write(batch, &mut appended);
                if last.is_ok() {
                    self.shared.written.fetch_add(batch.len() as u64, Ordering::Relaxed);
                    batch.clear();
                }
                return last.is_ok();
            }
        }
    }

    /// A panic in the store counts as an error: the thread goes on, and tries again.
    fn try_write(&mut self, batch: &[Receipt], appended: &mut usize) -> Result<(), LogError> {
        contain(|| {
            for receipt in batch.iter().skip(*appended) {
                self.store.append(receipt)?;
                *appended += 1;
            }
            self.store.sync()
        })
    }

    /// Notes the losses in the log, and reports the end of the trouble.
    fn note_losses(&mut self) {
        self.watch_losses();
        let lost = self.shared.lost.load(Ordering::Relaxed);
        let new = lost - self.noted;
        if new > 0 && contain(|| self.store.append_lost(new).and_then(|()| self.store.sync())).is_err() {
            return;
        }
        self.noted = lost;
        if std::mem::take(&mut self.failing) | std::mem::take(&mut self.losing) {
            (self.alarm)(Trouble::Over { lost: new });
        }
    }

    fn watch_losses(&mut self) {
        let losing = self.shared.lost.load(Ordering::Relaxed) > self.noted;
        if losing && !self.losing {
            self.losing = true;
            (self.alarm)(Trouble::Losing);
        }
    }

    fn expire(&mut self, now: Moment) {
        let Some(days) = self.days else { return };
        let day = now.day();
        if day <= self.day {
            return;
        }
        self.day = day;
        if let Err(error) = contain(|| self.store.expire(now, days)) {
            (self.alarm)(Trouble::NotExpiring(error));
        }
    }
}

fn contain(work: impl FnOnce() -> Result<(), LogError>) -> Result<(), LogError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(LogError::Panicked))
}
