//! Writing without waiting: the newest state of each part is brought to the file by a thread.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;
use sidetone_call::CallKey;

use crate::config::JournalConfig;
use crate::error::JournalError;
use crate::file::{Change, File, Life};
use crate::part::Part;
use crate::seal::Seal;

/// The largest part of a call, in bytes: one of a few kilobytes is usual.
const MOST_BYTES: usize = 1 << 20;
/// How often it is written down that the process is alive, and how long a failed write waits.
const ALIVE_EVERY: Duration = Duration::from_millis(500);
/// How often what was erased is cleared from the log beside the file, while calls are up.
const TIDY_EVERY: Duration = Duration::from_secs(30);
/// How long writing may fail before what stands in the file counts as untrue.
const STALE_AFTER: Duration = Duration::from_secs(3);

/// Counters of a [`Journal`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Calls that stand in the journal: those that the next process would carry on.
    pub calls: u64,
    /// Changes that wait for the disk.
    pub waiting: u64,
    /// Changes written.
    pub written: u64,
    /// Attempts to write that failed. What could not be written is tried again.
    pub failures: u64,
    /// Calls from the process before that were carried on.
    pub carried_on: u64,
    /// Calls from the process before that were closed instead.
    pub given_up: u64,
}

/// The journal of a process.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Writes down parts of calls. Copies may be used from any thread: nothing here waits.
#[derive(Debug, Clone)]
pub struct Pen(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    wanted: Condvar,
    written: AtomicU64,
    failures: AtomicU64,
    carried_on: AtomicU64,
    given_up: AtomicU64,
    /// Times that all that there was is in the file.
    rounds: AtomicU64,
    /// What came last could not be written.
    lost: AtomicBool,
    seal: Option<Seal>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The newest change of each part. So what waits is bounded by the calls that are up.
    waiting: BTreeMap<(CallKey, Part), Change>,
    /// What stands in the file, or waits to.
    known: HashSet<(CallKey, Part)>,
    /// What became of the calls of the process before is settled.
    settled: bool,
    ending: bool,
    /// It was begun anew: whoever has a call has to write it down whole.
    wants_all: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal {
    /// Opens a journal, or begins one, and gives what the process before has left there. Without a seal nothing is kept
    /// that holds keys.
    ///
    /// # Errors
    /// [`JournalError`]: the file can't be had, is none of ours, too new, or another process has it. A damaged one is
    /// moved aside, and a new one begun.
    pub fn open(config: &JournalConfig, seal: Option<Seal>) -> Result<(Self, Life), JournalError> {
        let (file, mut life) = File::open(config)?;
        let known_sealed = life.unseal(seal.as_ref());
        let known = life.calls.iter().flat_map(|(call, parts)| parts.keys().map(|part| (*call, *part)));
        let inner = Inner { known: known.chain(known_sealed).collect(), ..Inner::default() };
        let shared = Arc::new(Shared {
            inner: Mutex::new(inner),
            wanted: Condvar::new(),
            written: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            carried_on: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
            rounds: AtomicU64::new(0),
            lost: AtomicBool::new(false),
            seal,
        });
        let its = Arc::clone(&shared);
        let thread =
            std::thread::Builder::new().name("journal".to_owned()).spawn(move || keep(file, &its))?;
        Ok((Self { path: config.path.clone(), shared, thread: Mutex::new(Some(thread)) }, life))
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Something to write with.
    #[must_use]
    pub fn pen(&self) -> Pen {
        Pen(Arc::clone(&self.shared))
    }

    /// Its counters.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let inner = self.shared.lock();
        let calls: HashSet<CallKey> = inner.known.iter().map(|(call, _)| *call).collect();
        let of = |counter: &AtomicU64| counter.load(Relaxed);
        Counters {
            calls: calls.len() as u64,
            waiting: inner.waiting.len() as u64,
            written: of(&self.shared.written),
            failures: of(&self.shared.failures),
            carried_on: of(&self.shared.carried_on),
            given_up: of(&self.shared.given_up),
        }
    }

    /// What became of the calls of the process before is settled, and counted. Should too many processes end without
    /// having come so far, their calls are given up.
    pub fn settle(&self, carried_on: u64, given_up: u64) {
        self.shared.lock().settled = true;
        self.shared.carried_on.fetch_add(carried_on, Relaxed);
        self.shared.given_up.fetch_add(given_up, Relaxed);
    }

    /// Whether all calls have to be written down whole, since the file was begun anew. Asked once a second; a yes is
    /// said once.
    #[must_use]
    pub fn wants_all(&self) -> bool {
        std::mem::take(&mut self.shared.lock().wants_all)
    }

    /// How often all calls as they were at that moment have been brought to the file, and asks for the next time. From
    /// two more on, all that was written down before is there.
    #[must_use]
    pub fn rounds(&self) -> u64 {
        self.shared.wanted.notify_one();
        self.shared.rounds.load(Relaxed)
    }

    /// Writes down what waits, and lets the file go: another process may open it. False if that failed: then the file
    /// is removed, for somebody may have objected to what stands there.
    pub fn close(&self) -> bool {
        self.shared.lock().ending = true;
        self.shared.wanted.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic there has been told already.
            let _ = thread.join();
        }
        !self.shared.lost.load(Relaxed)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}

impl Pen {
    /// Writes down a part of a call, in place of what stood there; `None` erases it.
    pub fn write(&self, call: CallKey, part: Part, content: Option<Vec<u8>>) {
        let content = content.filter(|content| {
            let fits = content.len() <= MOST_BYTES;
            if !fits {
                tracing::warn!(
                    call = call.0,
                    bytes = content.len(),
                    "a call is too large to be written down, and will not be carried on"
                );
            }
            fits
        });
        let mut inner = self.0.lock();
        let place = (call, part);
        match content {
            Some(content) => {
                inner.known.insert(place);
                inner.waiting.insert(place, Change::Write(content));
            }
            None if inner.known.remove(&place) => {
                inner.waiting.insert(place, Change::Erase);
            }
            None => return,
        }
        drop(inner);
        self.0.wanted.notify_one();
    }

    /// Writes down a part that holds keys, sealed. What can't be sealed is not written, and what stood there is erased:
    /// it is not true any more.
    pub fn write_secret(&self, call: CallKey, part: Part, content: &[u8]) {
        let sealed = self.0.seal.as_ref().and_then(|seal| seal.close(call, part, content));
        self.write(call, part, sealed);
    }

    /// Whether what holds keys can be written down.
    #[must_use]
    pub fn seals(&self) -> bool {
        self.0.seal.is_some()
    }

    /// Erases all of a call.
    pub fn erase(&self, call: CallKey) {
        for part in Part::ALL {
            self.write(call, part, None);
        }
    }
}

/// Brings changes to the file until the end.
fn keep(mut file: File, shared: &Shared) {
    let (mut failing_since, mut destroyed) = (None::<Instant>, false);
    let (mut signed, mut tidied) = (false, Instant::now());
    loop {
        let mut inner = shared.lock();
        if (inner.waiting.is_empty() || failing_since.is_some()) && !inner.ending {
            let waited = shared.wanted.wait_timeout(inner, ALIVE_EVERY);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let (ending, settled, nothing) = (inner.ending, inner.settled, inner.known.is_empty());
        let changes = std::mem::take(&mut inner.waiting);
        if destroyed {
            inner.known.clear();
        }
        drop(inner);
        if destroyed {
            if ending {
                shared.lost.store(true, Relaxed);
                return;
            }
            if file.begin_anew().and_then(|()| file.write(&BTreeMap::new(), false)).is_err() {
                continue;
            }
            (destroyed, signed, failing_since) = (false, false, None);
            shared.lock().wants_all = true;
            tracing::info!("the call journal is begun anew: calls are written down again");
            continue;
        }
        let mut written = Ok(());
        if settled && !signed {
            written = file.sign();
            signed = written.is_ok();
        }
        written = written.and_then(|()| file.write(&changes, signed));
        // What was erased goes from the log too: at once where nothing else is left, else by and by.
        if (nothing && !changes.is_empty()) || tidied.elapsed() >= TIDY_EVERY {
            written = written.and_then(|()| file.tidy());
            tidied = Instant::now();
        }
        match written {
            Ok(()) => {
                shared.written.fetch_add(changes.len() as u64, Relaxed);
                if !shared.lock().wants_all {
                    shared.rounds.fetch_add(1, Relaxed);
                }
                if failing_since.take().is_some() {
                    tracing::info!("calls are written down again");
                }
            }
            Err(error) => {
                shared.failures.fetch_add(1, Relaxed);
                let since = *failing_since.get_or_insert_with(|| {
                    tracing::error!(%error, "calls can't be written down: should this process end, the next one does not know them as they are");
                    Instant::now()
                });
                if ending {
                    file.destroy();
                    shared.lost.store(true, Relaxed);
                    tracing::error!("the last of it could not be written: the call journal is removed");
                } else if since.elapsed() >= STALE_AFTER {
                    // Somebody may have objected since: better no call is carried on than one as it is not.
                    file.destroy();
                    destroyed = true;
                    tracing::error!(
                        "the call journal can't be kept and is removed: until it can, calls end with this process"
                    );
                }
                let mut inner = shared.lock();
                for (place, change) in changes {
                    inner.waiting.entry(place).or_insert(change);
                }
            }
        }
        if ending {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
