//! The thread that brings the spool's events into the store.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use sidetone_call::Node;
use sidetone_drill::Fault;
use sidetone_events::Timestamp;
use sidetone_spool::{Page, Position, ReaderName, SpoolError, SpoolFile};

use crate::config::StoreConfig;
use crate::database::Sqlite;
use crate::error::StoreError;
use crate::store::Store;

/// The store's name among the spool's readers.
const READER: &str = "store";
/// Most entries of the spool in one transaction.
const PAGE: usize = 1_000;
/// How often the spool is looked at. What a page shows live comes by the event bus; this bounds how far its history is
/// behind.
const LOOK: Duration = Duration::from_millis(100);
/// Pause after a failure, doubled from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long the end waits for the store.
const LAST: Duration = Duration::from_secs(5);
/// How long the clock must have gone evenly before anything is deleted for its age.
const STEADY_FOR: Duration = Duration::from_secs(600);
/// A clock that is put right by less than this has not jumped.
const MOST_JUMP_MS: u64 = 3_600_000;
/// How often sums of days are made again, and old content is deleted, in looks at the spool.
const TEND_EVERY: u32 = 50;

/// Feeds a store from a spool until it is dropped.
#[derive(Debug)]
pub struct Feeder {
    shared: Arc<Shared>,
    changes: watch::Receiver<u64>,
    thread: Option<JoinHandle<()>>,
}

/// What a [`Feeder`] feeds, and from what.
#[derive(Debug, Clone)]
pub struct Feed {
    /// The store.
    pub store: StoreConfig,
    /// The spool's file.
    pub spool: PathBuf,
    /// The node whose spool that is.
    pub node: Option<Node>,
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
    position: AtomicU64,
    expired: AtomicU64,
    trouble: Mutex<Option<String>>,
    changed: watch::Sender<u64>,
}

impl Shared {
    /// Waits; whether it is time to end.
    fn rest(&self, pause: Duration) -> bool {
        let ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        let rested = self.ended.wait_timeout_while(ending, pause, |ending| !*ending);
        *rested.unwrap_or_else(PoisonError::into_inner).0
    }

    fn is_ending(&self) -> bool {
        *self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the store could be written to.
    fn works(&self) {
        if !self.up.load(Ordering::Relaxed) {
            tracing::info!("the store is written to");
        }
        self.set_trouble(None);
    }

    fn set_trouble(&self, trouble: Option<String>) {
        self.up.store(trouble.is_none(), Ordering::Relaxed);
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

impl Feeder {
    /// Starts the thread. A store that can't be reached is tried again for as long as it takes: the spool keeps its
    /// events meanwhile. Calls of this node that were up before now have ended with the process before this one.
    ///
    /// # Errors
    /// [`StoreError::Thread`].
    pub fn start(feed: Feed) -> Result<Self, StoreError> {
        let (changed, changes) = watch::channel(0);
        let shared = Arc::new(Shared { changed, ..Shared::default() });
        let its = Arc::clone(&shared);
        let name = "store".to_owned();
        let now = Timestamp::now();
        let thread = std::thread::Builder::new().name(name).spawn(move || run(&feed, now, &its));
        Ok(Self { shared, changes, thread: Some(thread.map_err(StoreError::Thread)?) })
    }

    /// Counts what is written, for those who show it.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
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
    /// Waits until the store has what the spool has, but not for long: what is missing comes at the next start.
    fn drop(&mut self) {
        *self.shared.ending.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.ended.notify_all();
        let Some(thread) = self.thread.take() else { return };
        let began = Instant::now();
        while !thread.is_finished() && began.elapsed() < LAST {
            std::thread::sleep(Duration::from_millis(5));
        }
        if thread.is_finished() {
            let _ = thread.join();
        } else {
            tracing::warn!(
                "the store did not take everything before the end; the spool keeps it for the next start"
            );
        }
    }
}

/// Feeds, and begins again after each failure.
fn run(what: &Feed, began: Timestamp, shared: &Shared) {
    let mut pause = FIRST_PAUSE;
    loop {
        let before = shared.written.load(Ordering::Relaxed);
        // A panic is a fault of ours; the next try may do better, and the calls go on in any case.
        let fed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| feed(what, began, shared)));
        let trouble = match fed {
            Ok(Ok(())) => return,
            Ok(Err(error)) => {
                let told = format!("{error}; {}", error.remedy());
                if error.is_damage() { set_aside(&what.store) } else { told }
            }
            Err(_) => "the store's thread has panicked; this is a bug, please report it".to_owned(),
        };
        if shared.up.load(Ordering::Relaxed) || shared.failures.load(Ordering::Relaxed) == 0 {
            tracing::error!("the store can't be written to: {trouble}");
        }
        shared.failures.fetch_add(1, Ordering::Relaxed);
        shared.set_trouble(Some(trouble));
        // How much waits is worth knowing just now.
        if let Ok(status) = SpoolFile::open(&what.spool).and_then(|file| file.status()) {
            let known = shared.position.load(Ordering::Relaxed);
            let read =
                status.readers.iter().find(|reader| reader.name == READER).map(|reader| reader.position.0);
            let behind = status.last.0.saturating_sub(read.unwrap_or_default().max(known));
            shared.behind.store(behind, Ordering::Relaxed);
        }
        if shared.written.load(Ordering::Relaxed) != before {
            pause = FIRST_PAUSE;
        }
        if shared.rest(pause) {
            return;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Moves a damaged file out of the way, so that a new one is begun.
fn set_aside(config: &StoreConfig) -> String {
    let Some(path) = &config.path else { return "the database is damaged".to_owned() };
    match Sqlite::set_aside(path, Timestamp::now().unix_millis()) {
        Ok(aside) => {
            let (path, aside) = (path.display(), aside.display());
            format!(
                "`{path}` was damaged and is now `{aside}`; a new one is begun with what the spool still holds"
            )
        }
        Err(error) => error.to_string(),
    }
}

/// Feeds until the end, or a failure.
fn feed(what: &Feed, began: Timestamp, shared: &Shared) -> Result<(), StoreError> {
    let Feed { store: config, spool, node } = what;
    let mut store = Store::create(config)?;
    let mut caught_up = false;
    let feed = node.as_ref().map(ToString::to_string).unwrap_or_default();
    if !store.database.claim(&feed)? {
        return Err(StoreError::Held(feed));
    }
    let reader: ReaderName = READER.parse()?;
    let mut file = SpoolFile::open(spool)?;
    if !file.status()?.readers.iter().any(|known| known.name == READER) {
        // A spool that has not heard of this reader is another one than before, whatever its positions.
        store.rewind(&feed)?;
        file.acknowledge(&reader, file.position(&reader)?, Timestamp::now())?;
    }
    let mut looks: u32 = 0;
    // Whether more came than one page: then sums are due as soon as all of it is there, and not at the next turn.
    let mut had_backlog = false;
    let mut clock = Clock::new(Timestamp::now(), Instant::now());
    loop {
        if sidetone_drill::is_on(Fault::Store) || sidetone_drill::is_on(Fault::DiskFull) {
            return Err(StoreError::Drill);
        }
        let fed = feed_page(&mut store, &mut file, (&feed, &reader), shared);
        match fed {
            // Another process had the spool's file for too long.
            Err(StoreError::Spool(error)) if error.is_busy() => {}
            Err(error) => return Err(error),
            // A long backlog must not hold up the end.
            Ok(fed) if fed != Fed::Nothing && !shared.is_ending() => {
                had_backlog |= fed == Fed::Full;
                shared.works();
                continue;
            }
            Ok(_) if caught_up => {}
            Ok(_) => {
                // The ends of earlier calls that the spool has are in the store now.
                store.end_calls_of_before(node.as_ref(), began)?;
                caught_up = true;
            }
        }
        shared.works();
        if looks.is_multiple_of(TEND_EVERY) || std::mem::take(&mut had_backlog) {
            store.database.is_in_place()?;
            // Counted now and then: the spool counts all of its entries for it.
            let (last, position) = (file.status()?.last, store.position(&feed)?);
            if last < position {
                tracing::warn!(
                    last = last.0,
                    position = position.0,
                    "the spool is another one than the store was fed from; reading it from its beginning"
                );
                store.rewind(&feed)?;
            }
            shared.behind.store(last.0.saturating_sub(position.0), Ordering::Relaxed);
            store.sum_stale_days()?;
            let expired = if clock.is_steady(Timestamp::now(), Instant::now()) {
                store.follow_days(Timestamp::now())?;
                store.expire(config, Timestamp::now())?
            } else {
                0
            };
            if expired > 0 {
                tracing::info!(calls = expired, "deleted from the store for their age");
            }
            store.expire_access(Timestamp::now())?;
            shared.expired.fetch_add(expired, Ordering::Relaxed);
            // A spool that was moved or replaced would still be read here under its old name.
            // What the one before has not told is asked anew of the next, which has heard of no reader.
            if file.is_in_place().is_err() {
                return Err(StoreError::OtherSpool);
            }
        }
        looks = looks.wrapping_add(1);
        if shared.rest(LOOK) {
            let began = Instant::now();
            // What came last, so that a stop leaves nothing for the next start.
            while began.elapsed() < LAST / 2
                && feed_page(&mut store, &mut file, (&feed, &reader), shared)? != Fed::Nothing
            {}
            store.sum_stale_days()?;
            return Ok(());
        }
    }
}

/// What stands before an entry that can't be read; that entry as a lost one, if it is the next.
fn before_damage(file: &SpoolFile, position: Position, place: u64) -> Result<Page, StoreError> {
    let before = place.saturating_sub(position.0 + 1);
    if before > 0
        && let Ok(page) = file.read(position, usize::try_from(before).unwrap_or(1).min(1))
        && page.until.0 < place
    {
        return Ok(page);
    }
    tracing::warn!(place, "an entry of the spool can't be read, and is lost");
    Ok(Page { entries: Vec::new(), lost: place.saturating_sub(position.0), until: Position(place) })
}

/// Watches the system's clock. A clock that has just jumped years ahead, or was wrong at the start, must not delete
/// what is not old.
#[derive(Debug)]
struct Clock {
    time: Timestamp,
    since: Instant,
}

impl Clock {
    fn new(time: Timestamp, since: Instant) -> Self {
        Self { time, since }
    }

    /// Whether the clock has gone evenly for a while.
    fn is_steady(&mut self, time: Timestamp, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.since);
        let expected = self.time.after(passed).unix_millis();
        if time.unix_millis().abs_diff(expected) > MOST_JUMP_MS {
            tracing::warn!(%time, "the system's clock has jumped; nothing is deleted for its age until it is steady");
            *self = Self::new(time, now);
            return false;
        }
        passed >= STEADY_FOR
    }
}

/// What the spool had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fed {
    Nothing,
    Something,
    /// A whole page, so there may be more.
    Full,
}

/// Brings one page of the spool into the store.
fn feed_page(
    store: &mut Store,
    file: &mut SpoolFile,
    (feed, reader): (&str, &ReaderName),
    shared: &Shared,
) -> Result<Fed, StoreError> {
    let position = store.position(feed)?;
    let page = match file.read(position, PAGE) {
        Err(SpoolError::Damaged(place)) => before_damage(file, position, place)?,
        read => read?,
    };
    if page.until == position {
        shared.behind.store(0, Ordering::Relaxed);
        return Ok(Fed::Nothing);
    }
    let written = store.write(feed, &page)?;
    // What went into a file that was deleted meanwhile is not kept; the spool keeps it until it is acknowledged.
    store.database.is_in_place()?;
    shared.written.fetch_add(written.events, Ordering::Relaxed);
    shared.changed.send_modify(|count| *count = count.wrapping_add(1));
    shared.skipped.fetch_add(written.skipped, Ordering::Relaxed);
    shared.lost.fetch_add(page.lost, Ordering::Relaxed);
    shared.position.store(page.until.0, Ordering::Relaxed);
    // Counted anew only now and then; while a backlog comes in it is seen to go down.
    let covered = page.until.0.saturating_sub(position.0);
    let behind = shared.behind.load(Ordering::Relaxed).saturating_sub(covered);
    shared.behind.store(behind, Ordering::Relaxed);
    file.acknowledge(reader, page.until, Timestamp::now())?;
    Ok(if page.entries.len() < PAGE { Fed::Something } else { Fed::Full })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_old_by_a_clock_that_has_just_jumped() {
        let (began, start) = (Timestamp::from_unix_millis(1_772_357_400_000), Instant::now());
        let at =
            |seconds: u64| (began.after(Duration::from_secs(seconds)), start + Duration::from_secs(seconds));
        let mut clock = Clock::new(began, start);
        let mut steady = |(time, now): (Timestamp, Instant)| clock.is_steady(time, now);
        assert!(!steady(at(599)) && steady(at(601)), "a start with a wrong clock");
        let ahead = |seconds| (at(seconds).0.after(Duration::from_secs(400 * 86_400)), at(seconds).1);
        assert!(!steady(ahead(700)) && !steady(ahead(1_200)), "it has jumped");
        assert!(!steady(at(1_201)), "and back");
        assert!(!steady(at(1_800)) && steady(at(1_802)));
        assert!(steady((at(1_900).0.after(Duration::from_secs(60)), at(1_900).1)), "a minute is no jump");
    }
}
