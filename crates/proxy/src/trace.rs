//! An operator's view of a call's signalling: `log.level = "debug"`, `sidetone trace`, and each refusal in the log.
//!
//! The SIP core hands over received and sent bytes only while a trace or the debug log wants them: otherwise this costs
//! one load of an atomic and one look at the first bytes. A thread of its own redacts them (`redact`). Messages beyond
//! its capacity are dropped and counted, and nothing ever waits for it.

mod desk;
mod note;
mod redact;
mod refusals;
mod seen;
mod session;

use crate::trace::note::Note;
pub use crate::trace::seen::Way;
use crate::trace::seen::{Seen, TARGET};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sidetone_call::Side;
use sidetone_events::{NumberHasher, Timestamp};
use sidetone_sip::Flow;
use sidetone_sip::proxy::Destination;
use tokio::sync::mpsc;

pub use session::{Traced, Wanted};

use desk::Desk;
use session::Session;
use sidetone_book::Calls;
use sidetone_watch::{Alarm, Heartbeat};

/// Most messages that may wait for redaction; beyond it they are dropped and counted.
const MOST_WAITING: usize = 4_096;
/// Most messages of one trace that may wait for its reader.
const MOST_UNREAD: usize = 2_048;
/// Most traces at once.
const MOST_SESSIONS: usize = 8;
/// Most refusals a second that are examined while nobody traces.
const MOST_REFUSALS: u64 = 100;

/// The SIP side's end of the tracer.
#[derive(Debug)]
pub struct Tracer {
    notes: SyncSender<Note>,
    /// Messages wait here until all their consequences are settled: only then is their call in the book, so that the
    /// first message of a call names it too.
    held: Mutex<Vec<Seen>>,
    sessions: Arc<AtomicUsize>,
    lost: Arc<AtomicU64>,
    /// The last second in which refusals were counted, and their number.
    refusals: (AtomicU64, AtomicU64),
}

impl Tracer {
    /// Starts the thread that redacts messages. `wall` is the wall-clock time at zero of the process's clock.
    ///
    /// # Errors
    /// When the thread can't be started.
    pub fn start(
        hasher: NumberHasher,
        calls: &Arc<Calls>,
        wall: Timestamp,
        epoch: Instant,
        alarm: &Alarm,
    ) -> std::io::Result<Self> {
        let (notes, inbox) = sync_channel(MOST_WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let desk = Desk::new(hasher, Arc::downgrade(calls), wall, Arc::clone(&lost));
        let beat = Heartbeat::new("trace", epoch.elapsed());
        let (its_beat, its_alarm) = (beat.clone(), alarm.clone());
        alarm.thread(beat, false, move || {
            desk.run(&inbox, epoch, &its_beat, &its_alarm);
            Ok(())
        })?;
        Ok(Self {
            notes,
            held: Mutex::default(),
            sessions: Arc::default(),
            lost,
            refusals: Default::default(),
        })
    }

    /// A message has come.
    pub fn received(
        &self,
        at: Duration,
        flow: &Flow,
        bytes: &Bytes,
        peer: impl FnOnce() -> Option<(Side, String)>,
    ) {
        if self.is_wanted(at, bytes) {
            self.hand_over(Seen { at, way: Way::In, flow: *flow, peer: peer(), bytes: bytes.clone() });
        }
    }

    /// A message goes out.
    pub fn sent(
        &self,
        at: Duration,
        to: &Destination,
        bytes: &Bytes,
        peer: impl FnOnce() -> Option<(Side, String)>,
    ) {
        if self.is_wanted(at, bytes) {
            let flow = Flow { transport: to.transport, local: to.local, remote: to.remote };
            self.hand_over(Seen { at, way: Way::Out, flow, peer: peer(), bytes: bytes.clone() });
        }
    }

    fn is_wanted(&self, at: Duration, bytes: &[u8]) -> bool {
        self.sessions.load(Relaxed) > 0
            || tracing::enabled!(target: TARGET, tracing::Level::DEBUG)
            || is_refusal(bytes) && self.has_room(at)
    }

    /// Whether one more refusal is examined in this second: the core counts a flood of them, and its metric shows it.
    fn has_room(&self, at: Duration) -> bool {
        let (second, count) = &self.refusals;
        if second.swap(at.as_secs(), Relaxed) != at.as_secs() {
            count.store(0, Relaxed);
        }
        count.fetch_add(1, Relaxed) < MOST_REFUSALS
    }

    fn hand_over(&self, seen: Seen) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() < MOST_WAITING {
            held.push(seen);
        } else {
            self.lost.fetch_add(1, Relaxed);
        }
    }

    /// Releases the messages seen so far to be shown.
    pub fn settle(&self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for seen in held.drain(..) {
            if self.notes.try_send(Note::Seen(seen)).is_err() {
                self.lost.fetch_add(1, Relaxed);
            }
        }
    }

    /// Begins a trace; `None` when enough are under way.
    pub fn open(&self, wanted: Wanted) -> Option<Trace> {
        let more = |open: usize| (open < MOST_SESSIONS).then_some(open + 1);
        self.sessions.fetch_update(Relaxed, Relaxed, more).ok()?;
        // From here on the place is released by the trace's end.
        let place = Place(Arc::clone(&self.sessions));
        let (sender, messages) = mpsc::channel(MOST_UNREAD);
        self.notes.try_send(Note::Open(Session::new(wanted, sender))).ok()?;
        Some(Trace { messages, _place: place })
    }
}

/// A trace under way; it ends when this is dropped.
#[derive(Debug)]
pub struct Trace {
    messages: mpsc::Receiver<Traced>,
    _place: Place,
}

impl Trace {
    /// The next message of the traced calls.
    pub async fn next(&mut self) -> Option<Traced> {
        self.messages.recv().await
    }
}

#[derive(Debug)]
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Whether a message is a refusing final response, judged by its first bytes alone.
fn is_refusal(bytes: &[u8]) -> bool {
    matches!(bytes.strip_prefix(b"SIP/2.0 "), Some([b'3'..=b'6', ..]))
}

#[cfg(test)]
mod tests;
