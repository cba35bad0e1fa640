//! Writing events without blocking a call.

use std::collections::HashMap;
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sidetone_drill::Fault;
use sidetone_events::{CallId, Erasure, Event, Owed, Timestamp};

use crate::config::SpoolConfig;
use crate::entry::Position;
use crate::error::SpoolError;
use crate::file::{Batch, Item, Predecessor, ReaderState, SpoolFile, WriterLock};

/// Most events that wait for the disk; beyond it they are lost and counted.
const MOST_WAITING: usize = 65_536;
/// Most events that are written in one transaction.
const MOST_AT_ONCE: usize = 1_024;
/// How long events are gathered for one transaction: each costs a wait for the disk.
const GATHER: Duration = Duration::from_millis(20);
/// Pause before a failed write is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// Interval of the file's upkeep: deletions, and the readers' positions.
const TEND: Duration = Duration::from_secs(10);
/// How long the end waits for the disk.
const LAST: Duration = Duration::from_secs(5);
const DAY: u64 = 86_400_000;

/// The spool of a process: a thread that writes. Its callers never wait.
#[derive(Debug)]
pub struct Spool {
    queue: SyncSender<Order>,
    owed: Arc<Owed>,
    tally: Arc<Tally>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
enum Order {
    Write(Item),
    /// Write the waiting events and end.
    End,
}

/// Counters of a [`Spool`].
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counters {
    /// Events written.
    pub written: u64,
    /// Events lost before they were written.
    pub lost: u64,
    /// Entries deleted unread: the file was full, or they were too old.
    pub unread: u64,
    /// Attempts to write that failed.
    pub failures: u64,
    /// Events in memory that are not on the disk.
    pub waiting: u64,
    /// Calls for which an erasure is still owed.
    pub erasures_owed: u64,
    /// Bytes in use.
    pub bytes: u64,
    /// The readers, by name.
    pub readers: Vec<ReaderState>,
}

#[derive(Debug, Default)]
struct Tally {
    taken: AtomicU64,
    written: AtomicU64,
    lost: AtomicU64,
    unread: AtomicU64,
    failures: AtomicU64,
    bytes: AtomicU64,
    readers: Mutex<Vec<ReaderState>>,
}

impl Spool {
    /// Opens the file of `config`, completes erasures that a crash interrupted, and starts the thread.
    ///
    /// # Errors
    /// [`SpoolError`]: the file can't be opened, or the thread can't be started ([`SpoolError::Open`]).
    pub fn start(config: &SpoolConfig) -> Result<Self, SpoolError> {
        let lock = WriterLock::take(&config.path)?;
        let file = match SpoolFile::create(&config.path) {
            Err(error) if error.is_damage() => replace(&config.path, &error, &Predecessor::default())?,
            other => other?,
        };
        let owed = Arc::new(Owed::read(note_of(&config.path)));
        let tally = Arc::new(Tally::default());
        let (queue, orders) = sync_channel(MOST_WAITING);
        let writer = Writer {
            file: Some(file),
            _lock: lock,
            config: config.clone(),
            owed: Arc::clone(&owed),
            tally: Arc::clone(&tally),
            pending: Batch::default(),
            lost_told: 0,
            failing: false,
            dirty: !owed.is_empty(),
            due: owed.calls(),
            last: Position::default(),
        };
        let spawned = std::thread::Builder::new().name("spool".to_owned()).spawn(move || writer.run(&orders));
        let thread = spawned.map_err(|why| SpoolError::Open { path: config.path.clone(), why })?;
        Ok(Self { queue, owed, tally, thread: Mutex::new(Some(thread)) })
    }

    /// Hands over an event.
    pub fn append(&self, event: Event) {
        self.give(Item::Event(Box::new(event)));
    }

    /// Erases the inferences about a call in events whose numbers are below `before`. When this returns, the erasure is
    /// noted: a kill at any later moment loses no erasure.
    pub fn erase(&self, call: CallId, before: u64) {
        self.owed.add(&Erasure { call, before });
        // An order that finds no room is not lost: each upkeep of the file checks for owed erasures.
        self.give(Item::Erasure(call, before));
    }

    fn give(&self, item: Item) {
        let is_event = matches!(item, Item::Event(_));
        // Counted first, so that a reader of the counters never sees more written than taken.
        self.tally.taken.fetch_add(u64::from(is_event), Ordering::Relaxed);
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.queue.try_send(Order::Write(item))
            && is_event
        {
            self.tally.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The spool's counters.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (written, lost) = (load(&self.tally.written), load(&self.tally.lost));
        Counters {
            written,
            lost,
            unread: load(&self.tally.unread),
            failures: load(&self.tally.failures),
            waiting: load(&self.tally.taken).saturating_sub(written.saturating_add(lost)),
            erasures_owed: self.owed.count(),
            bytes: load(&self.tally.bytes),
            readers: self.tally.readers.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Writes the waiting events and ends. This waits for the disk, for a few seconds at most.
    pub fn close(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        let deadline = Instant::now() + LAST;
        // A full queue means that the disk does not answer.
        while matches!(self.queue.try_send(Order::End), Err(TrySendError::Full(_)))
            && Instant::now() < deadline
        {
            std::thread::sleep(GATHER);
        }
        while !thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        let Counters { waiting, .. } = self.counters();
        if waiting > 0 {
            tracing::error!(waiting, "events could not be brought to the spool in time and are lost");
        }
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.close();
    }
}

/// The file, if it is still there.
fn open<'a>(file: &'a mut Option<SpoolFile>, config: &SpoolConfig) -> Result<&'a mut SpoolFile, SpoolError> {
    let file = file.as_mut().ok_or_else(|| SpoolError::Gone(config.path.clone()))?;
    file.is_in_place()?;
    Ok(file)
}

/// Moves what is left of a damaged file aside and begins a new one.
fn replace(path: &Path, why: &SpoolError, before: &Predecessor) -> Result<SpoolFile, SpoolError> {
    if matches!(why, SpoolError::Gone(_)) {
        // The log of the file that is gone, which a reader may still have open: it belongs to no other file.
        SpoolFile::set_log_aside(path, Timestamp::now())?;
        tracing::error!(%why, "the spool is begun anew: events that a reader had still to read are lost with the old one");
    } else {
        let aside = SpoolFile::set_aside(path, Timestamp::now())?;
        tracing::error!(%why, aside = %aside.display(), "the spool is begun anew. What was inferred in calls may stand in the file that was moved aside, and what customers object to is not erased there: delete it once it is not needed");
    }
    SpoolFile::create_after(path, before)
}

/// Where it is noted what is still to be erased.
fn note_of(path: &Path) -> std::path::PathBuf {
    let mut name = OsString::from(path);
    name.push(".erasing");
    name.into()
}

/// The thread's state.
struct Writer {
    /// None between the loss of one and the making of the next.
    file: Option<SpoolFile>,
    _lock: WriterLock,
    config: SpoolConfig,
    owed: Arc<Owed>,
    tally: Arc<Tally>,
    /// The next batch, if it could not be written yet.
    pending: Batch,
    /// The number of lost events that the file knows of or will by `pending`.
    lost_told: u64,
    failing: bool,
    /// Whether the write-ahead log may still hold data erased from the file.
    dirty: bool,
    /// Owed erasures that can be carried out: each event handed over before the objection is in the file or in
    /// `pending`.
    due: HashMap<CallId, u64>,
    /// The last place that the file is known to have given.
    last: Position,
}

impl Writer {
    fn run(mut self, orders: &Receiver<Order>) {
        let mut tended: Option<Instant> = None;
        loop {
            if tended.is_none_or(|tended| tended.elapsed() >= TEND) {
                self.guarded("tend", Self::tend);
                tended = Some(Instant::now());
            }
            let more = self.gather(orders);
            let wrote = self.guarded("write", Self::write);
            if !more {
                self.end();
                return;
            }
            if !wrote {
                std::thread::sleep(RETRY);
            }
        }
    }

    /// Takes the waiting orders, at most one transaction's worth. `false` when no more will come.
    fn gather(&mut self, orders: &Receiver<Order>) -> bool {
        if self.pending.items.is_empty() {
            // Taken before the queue is seen to be empty: whatever was handed over before is then out of it.
            let owed = self.owed.calls();
            match orders.recv_timeout(TEND) {
                Ok(Order::Write(item)) => self.pending.items.push(item),
                Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => {
                    self.due = owed;
                    return true;
                }
            }
            std::thread::sleep(GATHER);
        }
        let owed = self.owed.calls();
        while self.pending.items.len() < MOST_AT_ONCE {
            match orders.try_recv() {
                Ok(Order::Write(item)) => self.pending.items.push(item),
                Ok(Order::End) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => {
                    self.due = owed;
                    break;
                }
            }
        }
        true
    }

    /// Does an action that may fail, and logs when failures begin and when they end. `true` on success.
    fn guarded(&mut self, what: &str, act: fn(&mut Self) -> Result<(), SpoolError>) -> bool {
        let done = catch_unwind(AssertUnwindSafe(|| act(self)));
        let error = match done {
            Ok(Ok(())) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("events are written to the spool again");
                }
                return true;
            }
            Ok(Err(error)) if error.is_damage() => match self.begin_anew(&error) {
                Ok(()) => return false,
                Err(error) => error.to_string(),
            },
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it panicked; please report this".to_owned(),
        };
        self.tally.failures.fetch_add(1, Ordering::Relaxed);
        if !std::mem::replace(&mut self.failing, true) {
            let path = self.config.path.display();
            tracing::error!(%error, %path, what, "the spool can't be written; events wait in memory and are tried again each second");
        }
        false
    }

    fn write(&mut self) -> Result<(), SpoolError> {
        if self.pending.items.is_empty() {
            return Ok(());
        }
        let no_room = |why| SpoolError::Open { path: self.config.path.clone(), why };
        sidetone_drill::room_on_disk(Fault::DiskFull).map_err(no_room)?;
        let file = open(&mut self.file, &self.config)?;
        let lost = self.tally.lost.load(Ordering::Relaxed);
        self.pending.lost += lost.saturating_sub(std::mem::replace(&mut self.lost_told, lost));
        file.write(&self.pending, Timestamp::now())?;
        // It is written: a failure of what follows must not have it written again.
        let batch = std::mem::take(&mut self.pending);
        let events = batch.items.iter().filter(|item| matches!(item, Item::Event(_))).count();
        self.tally.written.fetch_add(events as u64, Ordering::Relaxed);
        let erased = events < batch.items.len();
        self.dirty |= erased;
        self.last = file.last()?;
        if file.bytes()? > self.config.max_bytes {
            self.trim()?;
        }
        // Where a reader keeps it from being done, `tend` tries again: not each batch, or events would wait for it.
        if erased { self.settle() } else { Ok(()) }
    }

    /// Carries out the due erasures, whether or not their orders got through, and then clears the note.
    fn settle(&mut self) -> Result<(), SpoolError> {
        let calls = self.due.clone();
        if let Err(why) = self.owed.sync() {
            tracing::warn!(%why, note = %self.owed.note().display(), "what is to be erased from the spool can't be noted; it is erased, but a crash before the end would leave the rest");
        }
        let file = open(&mut self.file, &self.config)?;
        let unwritten: Vec<Item> = calls
            .iter()
            .map(|(call, before)| Item::Erasure(*call, *before))
            .filter(|item| !file.tells(item).unwrap_or(false))
            .collect();
        if !unwritten.is_empty() {
            file.write(&Batch { lost: 0, items: unwritten }, Timestamp::now())?;
        }
        if !file.checkpoint()? {
            // A reader is in the way; `tend` tries again.
            return Ok(());
        }
        self.dirty = false;
        self.due.clear();
        if let Err(why) = self.owed.done(&calls) {
            tracing::warn!(%why, "the note of erasures that are done can't be removed; they are done again at the next start");
        }
        Ok(())
    }

    /// Deletes entries that need not be kept, and reads the readers' positions.
    fn tend(&mut self) -> Result<(), SpoolError> {
        open(&mut self.file, &self.config)?;
        if self.dirty || !self.due.is_empty() {
            self.settle()?;
        }
        self.trim()?;
        let file = open(&mut self.file, &self.config)?;
        let status = file.status()?;
        self.last = status.last;
        self.tally.bytes.store(status.bytes, Ordering::Relaxed);
        *self.tally.readers.lock().unwrap_or_else(PoisonError::into_inner) = status.readers;
        Ok(())
    }

    /// Deletes what need not be kept, or can't be.
    fn trim(&mut self) -> Result<(), SpoolError> {
        let days = u64::from(self.config.keep_days).saturating_mul(DAY);
        let now = Timestamp::now().unix_millis();
        let expired = (days > 0).then(|| Timestamp::from_unix_millis(now.saturating_sub(days)));
        let file = open(&mut self.file, &self.config)?;
        let unread = file.trim(self.config.max_bytes, expired)?;
        if unread > 0 {
            let before = self.tally.unread.fetch_add(unread, Ordering::Relaxed);
            if before == 0 {
                tracing::error!(
                    unread,
                    "the spool is full, or its entries too old: what a reader had still to read is deleted; `sidetone spool status` tells which reader is behind"
                );
            }
        }
        Ok(())
    }

    /// Begins a new file in the place of one that is lost. It goes on with that one's places and readers, so that these
    /// know how many events they lack.
    fn begin_anew(&mut self, why: &SpoolError) -> Result<(), SpoolError> {
        // A file that was deleted can still be read by whoever has it open.
        let known = self.file.as_ref().and_then(|file| file.status().ok());
        self.last = known.as_ref().map_or(self.last, |known| known.last.max(self.last));
        let readers = known.map_or_else(
            || self.tally.readers.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            |known| known.readers,
        );
        let behind = readers.iter().map(|reader| self.last.0.saturating_sub(reader.position.0)).max();
        self.tally.failures.fetch_add(1, Ordering::Relaxed);
        // Closed first: whatever its log holds goes into the old file, wherever that is now, and the log's name is
        // free.
        drop(self.file.take());
        self.file = Some(replace(&self.config.path, why, &Predecessor { last: self.last, readers })?);
        self.tally.unread.fetch_add(behind.unwrap_or(0), Ordering::Relaxed);
        Ok(())
    }

    /// The last tries, as long as the end has patience for them.
    fn end(&mut self) {
        let deadline = Instant::now() + LAST;
        while !self.guarded("write", Self::write) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(200));
        }
        self.guarded("tend", Self::tend);
    }
}

#[cfg(test)]
mod tests;
