//! Carries out the effects that the book asks for.

use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use sidetone_events::{Bus, CallId, Event, Happening};
use sidetone_hear::{Orders, Work};
use sidetone_journal::{Part, Pen};
use sidetone_relay::{Heed, Prompter};
use sidetone_spool::Spool;

use crate::effect::Effect;
use crate::receipts::Receipts;

/// Where effects go.
pub(crate) struct Carrier {
    bus: Bus,
    workers: Vec<Orders>,
    /// Plays announcements; set once media has started.
    pub(crate) prompter: OnceLock<Prompter>,
    pub(crate) receipts: OnceLock<Receipts>,
    /// Where events are kept for readers that must not miss one.
    pub(crate) spool: OnceLock<Spool>,
    /// Writes calls down for the next process.
    pub(crate) journal: OnceLock<Pen>,
    receipts_lost: AtomicU64,
    /// Times that it was written down what was inferred of a call.
    inferred_kept: AtomicU64,
}

impl Carrier {
    pub(crate) fn new(bus: Bus, workers: Vec<Orders>) -> Self {
        Self {
            bus,
            workers,
            prompter: OnceLock::new(),
            receipts: OnceLock::new(),
            spool: OnceLock::new(),
            journal: OnceLock::new(),
            receipts_lost: AtomicU64::new(0),
            inferred_kept: AtomicU64::new(0),
        }
    }

    /// Receipts that found no room to wait for the disk.
    pub(crate) fn inferred_kept(&self) -> u64 {
        self.inferred_kept.load(Relaxed)
    }

    pub(crate) fn receipts_lost(&self) -> u64 {
        self.receipts_lost.load(Relaxed)
    }

    /// The spool comes first: its readers must not miss an event.
    fn publish(&self, event: Event) {
        if let Some(spool) = self.spool.get() {
            let erases = matches!(&event.happening, Happening::ConsentChanged(change) if change.erased);
            let (call, seq) = (event.call.id, event.seq);
            let kept = if self.bus.keeps_words() { None } else { event.without_words() };
            spool.append(kept.unwrap_or_else(|| event.clone()));
            if erases {
                spool.erase(call, seq);
            }
        }
        self.bus.publish(event);
    }

    fn erase(&self, call: CallId, before: u64) {
        if let Some(spool) = self.spool.get() {
            spool.erase(call, before);
        }
        self.bus.erase(call, before);
    }

    /// Carries out one effect. None of this waits: every destination is a bounded queue.
    pub(crate) fn carry_out(&self, effect: Effect, now: Duration) {
        match effect {
            Effect::Publish(event) => self.publish(*event),
            Effect::Erase(call) => self.erase(call, u64::MAX),
            Effect::Hear(worker, work) => {
                let heed = match &work {
                    Work::Begin { in_band, .. } => Some(Heed::Tones(*in_band)),
                    Work::Listen(..) => Some(Heed::Sound(true)),
                    Work::Deafen { .. } => Some(Heed::Sound(false)),
                    _ => None,
                };
                if let (Some(heed), Some(prompter)) = (heed, self.prompter.get()) {
                    prompter.heed(work.call(), heed);
                }
                let work = match work {
                    // The book's time is when a batch of messages began to be read; the last message of the batch may
                    // have come a little later. So the current time counts if it is the later one.
                    Work::Listen(permit, since) => Work::Listen(permit, since.max(now)),
                    work => work,
                };
                if let Some(worker) = self.workers.get(worker) {
                    // A worker that has ended will not report either; `close_overdue` closes its calls.
                    worker.give(work);
                }
            }
            Effect::Tap(call, worker) => {
                if let Some(prompter) = self.prompter.get() {
                    prompter.tap(call, Some(worker));
                }
            }
            Effect::Play(job) => {
                if let Some(prompter) = self.prompter.get() {
                    prompter.play(*job);
                }
            }
            Effect::Hush(call, toward, id) => {
                if let Some(prompter) = self.prompter.get() {
                    prompter.hush(call, toward, id);
                }
            }
            Effect::Keep(call, inferred) => {
                if let Some(pen) = self.journal.get() {
                    pen.write(call, Part::Insight, inferred);
                    self.inferred_kept.fetch_add(1, Relaxed);
                }
            }
            Effect::File(call, receipt) => {
                if self.receipts.get().is_some_and(|receipts| !receipts.file(*receipt)) {
                    self.receipts_lost.fetch_add(1, Relaxed);
                    tracing::error!(%call, "a consent receipt could not be filed: too many wait for the disk");
                }
            }
        }
    }
}
