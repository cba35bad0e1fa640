//! The thread that brings the spool's events into the store.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use sidetone_events::Timestamp;
use sidetone_spool::{Page, Position, ReaderName, SpoolFile};

use crate::config::StoreConfig;
use crate::error::StoreError;
use crate::store::Store;

/// The store's name among the spool's readers.
const READER: &str = "store";
/// Most entries of the spool in one transaction.
const PAGE: usize = 1_000;
/// How often the spool is looked at. What a page shows live comes by the event bus; this bounds how far its history is
/// behind.
const LOOK: Duration = Duration::from_millis(200);
/// Pause after a failure, doubled from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often sums of days are made again, and old content is deleted, in looks at the spool.
const TEND_EVERY: u32 = 25;

/// Feeds a store from a spool until it is dropped.
#[derive(Debug)]
pub struct Feeder {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Counters of a [`Feeder`].
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counters {
    /// Whether the store could be written to when it last had to be.
    pub up: bool,
    /// Events written.
    pub written: u64,
    /// Events that the store did not understand.
    pub skipped: u64,
    /// Events that were lost before they came to the store.
    pub lost: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Entries of the spool that are not in the store.
    pub behind: u64,
    /// Calls deleted because they were too old.
    pub expired: u64,
    /// The last failure in words, while it lasts.
    pub trouble: Option<String>,
}

#[derive(Debug, Default)]
struct Shared {
    ending: Mutex<bool>,
    ended: Condvar,
    up: AtomicBool,
    written: AtomicU64,
    skipped: AtomicU64,
    lost: AtomicU64,
    failures: AtomicU64,
    behind: AtomicU64,
    expired: AtomicU64,
    trouble: Mutex<Option<String>>,
}

impl Shared {
    /// Waits; whether it is time to end.
    fn rest(&self, pause: Duration) -> bool {
        let ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        let rested = self.ended.wait_timeout_while(ending, pause, |ending| !*ending);
        *rested.unwrap_or_else(PoisonError::into_inner).0
    }

    fn set_trouble(&self, trouble: Option<String>) {
        self.up.store(trouble.is_none(), Ordering::Relaxed);
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

impl Feeder {
    /// Starts the thread. A store that can't be reached is tried again for as long as it takes: the spool keeps its
    /// events meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Thread`].
    pub fn start(config: StoreConfig, spool: PathBuf) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared::default());
        let its = Arc::clone(&shared);
        let name = "store".to_owned();
        let thread = std::thread::Builder::new().name(name).spawn(move || run(&config, &spool, &its));
        Ok(Self { shared, thread: Some(thread.map_err(StoreError::Thread)?) })
    }

    /// Counters so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let shared = &self.shared;
        Counters {
            up: shared.up.load(Ordering::Relaxed),
            written: get(&shared.written),
            skipped: get(&shared.skipped),
            lost: get(&shared.lost),
            failures: get(&shared.failures),
            behind: get(&shared.behind),
            expired: get(&shared.expired),
            trouble: shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        *self.shared.ending.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.ended.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Feeds, and begins again after each failure.
fn run(config: &StoreConfig, spool: &std::path::Path, shared: &Shared) {
    let mut pause = FIRST_PAUSE;
    loop {
        let before = shared.written.load(Ordering::Relaxed);
        // A panic is a fault of ours; the next try may do better, and the calls go on in any case.
        let fed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| feed(config, spool, shared)));
        let trouble = match fed {
            Ok(Ok(())) => return,
            Ok(Err(error)) => format!("{error}; {}", error.remedy()),
            Err(_) => "the store's thread has panicked; this is a bug, please report it".to_owned(),
        };
        if shared.up.load(Ordering::Relaxed) || shared.failures.load(Ordering::Relaxed) == 0 {
            tracing::error!("the store can't be written to: {trouble}");
        }
        shared.failures.fetch_add(1, Ordering::Relaxed);
        shared.set_trouble(Some(trouble));
        if shared.written.load(Ordering::Relaxed) != before {
            pause = FIRST_PAUSE;
        }
        if shared.rest(pause) {
            return;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Feeds until the end, or a failure.
fn feed(config: &StoreConfig, spool: &std::path::Path, shared: &Shared) -> Result<(), StoreError> {
    let mut store = Store::create(config)?;
    let reader: ReaderName = READER.parse()?;
    let mut file = SpoolFile::open(spool)?;
    let mut looks: u32 = 0;
    loop {
        let fed = feed_page(&mut store, &mut file, &reader, shared);
        match fed {
            // Another process had the spool's file for too long.
            Err(StoreError::Spool(error)) if error.is_busy() => {}
            Err(error) => return Err(error),
            Ok(true) => continue,
            Ok(false) => {}
        }
        if !shared.up.load(Ordering::Relaxed) {
            tracing::info!("the store is written to");
        }
        shared.set_trouble(None);
        if looks.is_multiple_of(TEND_EVERY) {
            store.sum_stale_days()?;
            let expired = store.expire(config, Timestamp::now())?;
            store.expire_access(Timestamp::now())?;
            shared.expired.fetch_add(expired, Ordering::Relaxed);
            // A spool that was moved or replaced would still be read here under its old name.
            if file.is_in_place().is_err() {
                file = SpoolFile::open(spool)?;
            }
        }
        looks = looks.wrapping_add(1);
        if shared.rest(LOOK) {
            // What came last, so that a stop leaves nothing for the next start.
            while feed_page(&mut store, &mut file, &reader, shared)? {}
            store.sum_stale_days()?;
            return Ok(());
        }
    }
}

/// Brings one page of the spool into the store; whether there was anything.
fn feed_page(
    store: &mut Store,
    file: &mut SpoolFile,
    reader: &ReaderName,
    shared: &Shared,
) -> Result<bool, StoreError> {
    let position = store.position()?;
    let status = file.status()?;
    if status.last < position {
        tracing::warn!(
            last = status.last.0,
            position = position.0,
            "the spool is another one than the store was fed from; reading it from its beginning"
        );
        store.rewind()?;
        return Ok(true);
    }
    let page: Page = file.read(position, PAGE)?;
    if page.until == position {
        shared.behind.store(0, Ordering::Relaxed);
        return Ok(false);
    }
    let written = store.write(&page)?;
    shared.written.fetch_add(written.events, Ordering::Relaxed);
    shared.skipped.fetch_add(written.skipped, Ordering::Relaxed);
    shared.lost.fetch_add(page.lost, Ordering::Relaxed);
    let Position(last) = status.last;
    shared.behind.store(last.saturating_sub(page.until.0), Ordering::Relaxed);
    file.acknowledge(reader, page.until, Timestamp::now())?;
    Ok(true)
}
