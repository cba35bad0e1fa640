//! The recognisers' threads, and the queue before them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use sidetone_drill::Fault;
use sidetone_language::reader::{Reader, Said, Speaker};
use sidetone_language::recognise::NotRecognised;
use sidetone_language::utterance::Piece;
use sidetone_watch::{Alarm, Heartbeat};

use super::backlog::{Backlog, Dropped, Rank, Slip};
use super::config::Tongue;
use super::counters::WordsCounters;

/// Sound that may wait, for each thread: more than this would come too late to help anyone.
const MOST_WAITING: Duration = Duration::from_secs(30);
/// A thread that waits for work looks up this often.
const IDLE: Duration = Duration::from_millis(500);
/// Lines about the same trouble come no more often than this.
const LOG_EVERY: Duration = Duration::from_secs(60);
/// Utterances of the other party that are remembered for the next of this one.
const MOST_ASKED: usize = 8;
/// Utterances of one party that may wait to be fetched; its call fetches them a hundred times a second.
const MOST_SAID: usize = 64;

/// All recognisers of the process.
pub struct Recognition {
    state: Mutex<State>,
    given: Condvar,
    /// Most calls that are recognised at once.
    most: usize,
    counters: Arc<WordsCounters>,
    /// Whole utterances that wait.
    wholes: AtomicUsize,
    epoch: Instant,
}

struct State {
    backlog: Backlog<Job>,
    /// Every party, the most important first, then the longest there.
    parties: BTreeSet<(Rank, u64)>,
    next: u64,
    closed: bool,
    /// When shedding and failing were last logged.
    logged: [Option<Duration>; 2],
}

struct Job {
    party: Weak<Shared>,
    piece: Piece,
    /// Its place among its party's.
    place: u64,
    given: Duration,
}

/// One party's end that recognisers see. It goes with the party, however much waits.
#[derive(Debug)]
struct Shared {
    /// Absent while it is being listened to, and after a recogniser broke down over it.
    speaker: Mutex<Option<Speaker>>,
    /// Makes a new one then.
    fresh: fn() -> Speaker,
    tongue: Tongue,
    said: Mutex<Vec<Said>>,
    /// What the other party has said since, for the next utterance.
    asked: Mutex<Vec<String>>,
    /// Whole utterances that have not come back.
    awaited: AtomicU64,
    /// Pieces given so far.
    given: AtomicU64,
    /// The end of the newest, in microseconds.
    newest: AtomicU64,
}

/// One party, to the call that it is in.
#[derive(Debug)]
pub struct Party {
    recognition: Arc<Recognition>,
    shared: Arc<Shared>,
    number: u64,
    rank: Rank,
}

impl fmt::Debug for Recognition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recognition").field("counters", &self.counters).finish_non_exhaustive()
    }
}

impl Recognition {
    /// A queue for `threads` threads, which serve at most `calls` calls; times count from `epoch`.
    #[must_use]
    pub fn new(threads: usize, calls: usize, epoch: Instant) -> Arc<Self> {
        let most = MOST_WAITING.saturating_mul(u32::try_from(threads.max(1)).unwrap_or(u32::MAX));
        Arc::new(Self {
            state: Mutex::new(State {
                backlog: Backlog::new(most),
                parties: BTreeSet::new(),
                next: 0,
                closed: false,
                logged: [None; 2],
            }),
            given: Condvar::new(),
            most: calls,
            counters: Arc::default(),
            wholes: AtomicUsize::new(0),
            epoch,
        })
    }

    /// Its counters.
    #[must_use]
    pub fn counters(&self) -> &Arc<WordsCounters> {
        &self.counters
    }

    /// Ends the threads, when they have finished what they are at.
    pub fn close(&self) {
        self.state().closed = true;
        self.given.notify_all();
    }

    /// A thread's work, until [`close`](Self::close): recognises one piece after the other. What goes wrong with one
    /// costs that one.
    pub fn run(&self, mut reader: Reader, beat: &Heartbeat, alarm: &Alarm) {
        while let Some((slip, job)) = self.next(beat) {
            sidetone_drill::stand_still_by(Fault::WordsFrozen);
            let began = Instant::now();
            let done = alarm.contain(beat, || self.recognise(&mut reader, &job, beat));
            self.counters.busy_us.fetch_add(micros(began.elapsed()), Relaxed);
            self.counters.sound_ms.fetch_add(u64::try_from(slip.length.as_millis()).unwrap_or(0), Relaxed);
            if done.is_none() && job.piece.whole {
                self.counters.failed.fetch_add(1, Relaxed);
            }
            if let Some(party) = job.party.upgrade().filter(|_| job.piece.whole) {
                party.awaited.fetch_sub(1, Relaxed);
            }
            self.state().backlog.done(slip.party);
            // Another piece of this party may have waited for it.
            self.given.notify_one();
        }
    }

    fn next(&self, beat: &Heartbeat) -> Option<(Slip, Job)> {
        let mut state = self.state();
        loop {
            beat.beat(self.epoch.elapsed());
            if state.closed {
                return None;
            }
            if let Some((slip, job)) = state.backlog.take() {
                self.note_waiting(&state);
                if slip.whole {
                    let waited = self.epoch.elapsed().saturating_sub(job.given);
                    self.counters.waited_us.fetch_add(micros(waited), Relaxed);
                }
                return Some((slip, job));
            }
            state = self.given.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn recognise(&self, reader: &mut Reader, job: &Job, beat: &Heartbeat) {
        let is_gone = || {
            beat.beat(self.epoch.elapsed());
            // Provisional words are of no use once there is more of the utterance, and nobody's words wait for them.
            // But if the utterance turned out to be whole as it is, they are its words.
            let newest =
                job.party.upgrade().map(|party| (party.given.load(Relaxed), party.newest.load(Relaxed)));
            newest.is_none_or(|(given, newest)| {
                let replaced = given > job.place && newest != end(&job.piece);
                let is_last = given > job.place && !replaced;
                !job.piece.whole && (replaced || !is_last && self.wholes.load(Relaxed) > 0)
            })
        };
        // Held only to be read into: a party that goes away in the meantime is not kept alive by it.
        let Some(party) = job.party.upgrade() else { return self.abandoned(job) };
        let mut speaker = lock(&party.speaker).take().unwrap_or_else(party.fresh);
        lock(&party.asked).drain(..).for_each(|asked| speaker.asked(&asked));
        let tongue = party.tongue.clone();
        drop(party);
        let read = reader.read(tongue.as_deref(), &mut speaker, &job.piece, &is_gone);
        let Some(party) = job.party.upgrade() else { return self.abandoned(job) };
        *lock(&party.speaker) = Some(speaker);
        let counters = &self.counters;
        match read {
            Ok(Some(said)) => {
                let counter = if job.piece.whole { &counters.utterances } else { &counters.provisional };
                counter.fetch_add(1, Relaxed);
                let mut waiting = lock(&party.said);
                if waiting.len() < MOST_SAID {
                    waiting.push(said);
                }
            }
            Ok(None) if job.piece.whole => {
                counters.doubted.fetch_add(1, Relaxed);
            }
            Ok(None) => {}
            Err(NotRecognised::Abandoned) => self.abandoned(job),
            Err(NotRecognised::Failed(why)) => {
                if job.piece.whole {
                    counters.failed.fetch_add(1, Relaxed);
                }
                if self.may_log(1) {
                    tracing::error!(%why, "an utterance could not be recognised; the call and what is heard in its voice go on");
                }
            }
        }
    }

    fn abandoned(&self, job: &Job) {
        if job.piece.whole {
            self.counters.abandoned.fetch_add(1, Relaxed);
        }
    }

    /// A party whose utterances may be recognised from now on.
    pub(super) fn join(self: &Arc<Self>, fresh: fn() -> Speaker, rank: Rank, tongue: Tongue) -> Party {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.parties.insert((rank, number));
        self.counters.parties.store(state.parties.len() as u64, Relaxed);
        drop(state);
        let shared = Shared {
            speaker: Mutex::new(Some(fresh())),
            fresh,
            tongue,
            said: Mutex::default(),
            asked: Mutex::default(),
            awaited: AtomicU64::new(0),
            given: AtomicU64::new(0),
            newest: AtomicU64::new(0),
        };
        Party { recognition: Arc::clone(self), shared: Arc::new(shared), number, rank }
    }

    fn give(&self, party: &Party, piece: Piece) {
        let now = self.epoch.elapsed();
        let whole = piece.whole;
        let mut state = self.state();
        let ahead = state.parties.range(..(party.rank, party.number)).count();
        if ahead >= self.most || state.closed {
            drop(state);
            if whole {
                self.counters.beyond.fetch_add(1, Relaxed);
                self.log_shedding();
            }
            return;
        }
        // Nobody's words wait for words that come again.
        if !whole && !state.backlog.held().is_zero() {
            drop(state);
            self.counters.shed_provisional.fetch_add(1, Relaxed);
            return;
        }
        if whole {
            party.shared.awaited.fetch_add(1, Relaxed);
        }
        party.shared.newest.store(end(&piece), Relaxed);
        let place = party.shared.given.fetch_add(1, Relaxed) + 1;
        let slip = Slip {
            party: party.number,
            rank: party.rank,
            whole,
            length: piece.to.saturating_sub(piece.from),
        };
        let job = Job { party: Arc::downgrade(&party.shared), piece, place, given: now };
        let dropped = state.backlog.put(slip, job, |job| {
            if let Some(party) = job.party.upgrade().filter(|_| job.piece.whole) {
                party.awaited.fetch_sub(1, Relaxed);
            }
        });
        self.note_waiting(&state);
        drop(state);
        self.given.notify_one();
        let Dropped { whole, provisional } = dropped;
        self.counters.shed.fetch_add(whole, Relaxed);
        self.counters.shed_provisional.fetch_add(provisional, Relaxed);
        if whole > 0 {
            self.log_shedding();
        }
    }

    fn log_shedding(&self) {
        if self.may_log(0) {
            tracing::warn!(
                "more is said than can be recognised: words of the least important calls are left out; \
                 language.workers adds threads, language.calls limits the calls"
            );
        }
    }

    fn may_log(&self, what: usize) -> bool {
        let now = self.epoch.elapsed();
        let mut state = self.state();
        let Some(last) = state.logged.get_mut(what) else { return false };
        let due = last.is_none_or(|last| now.saturating_sub(last) >= LOG_EVERY);
        if due {
            *last = Some(now);
        }
        due
    }

    fn note_waiting(&self, state: &State) {
        let waiting = u64::try_from(state.backlog.held().as_millis()).unwrap_or(u64::MAX);
        self.counters.waiting_ms.store(waiting, Relaxed);
        self.wholes.store(state.backlog.wholes(), Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Party {
    pub(super) fn give(&self, piece: Piece) {
        self.recognition.give(self, piece);
    }

    pub(super) fn rank(&mut self, rank: Rank) {
        let mut state = self.recognition.state();
        state.parties.remove(&(self.rank, self.number));
        self.rank = rank;
        state.parties.insert((rank, self.number));
    }

    pub(super) fn tongue(&self) -> &Tongue {
        &self.shared.tongue
    }

    pub(super) fn asked(&self, text: &str) {
        let mut asked = lock(&self.shared.asked);
        if asked.len() < MOST_ASKED {
            asked.push(text.to_owned());
        }
    }

    pub(super) fn take(&self) -> Vec<Said> {
        std::mem::take(&mut *lock(&self.shared.said))
    }

    pub(super) fn awaits(&self) -> bool {
        self.shared.awaited.load(Relaxed) > 0
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        let mut state = self.recognition.state();
        state.parties.remove(&(self.rank, self.number));
        state.backlog.forget(self.number);
        self.recognition.counters.parties.store(state.parties.len() as u64, Relaxed);
        self.recognition.note_waiting(&state);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a piece ends.
fn end(piece: &Piece) -> u64 {
    micros(piece.to)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
