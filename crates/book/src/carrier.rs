//! Whoever does what the book asks for.

use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use sidetone_events::Bus;
use sidetone_hear::{Orders, Work};
use sidetone_relay::Prompter;

use crate::effect::Effect;
use crate::receipts::Receipts;

/// Where effects go.
pub(crate) struct Carrier {
    bus: Bus,
    workers: Vec<Orders>,
    /// Has announcements played; there from the moment that media is.
    pub(crate) prompter: OnceLock<Prompter>,
    pub(crate) receipts: OnceLock<Receipts>,
    receipts_lost: AtomicU64,
}

impl Carrier {
    pub(crate) fn new(bus: Bus, workers: Vec<Orders>) -> Self {
        let (prompter, receipts) = (OnceLock::new(), OnceLock::new());
        Self { bus, workers, prompter, receipts, receipts_lost: AtomicU64::new(0) }
    }

    /// Receipts that found no room to wait for the disk.
    pub(crate) fn receipts_lost(&self) -> u64 {
        self.receipts_lost.load(Relaxed)
    }

    /// Does one thing. None of it waits for anybody: all of these are bounded queues.
    pub(crate) fn carry_out(&self, effect: Effect, now: Duration) {
        match effect {
            Effect::Publish(event) => self.bus.publish(*event),
            Effect::Erase(call) => self.bus.erase(call, u64::MAX),
            Effect::Hear(worker, work) => {
                let work = match work {
                    // Told the time anew: the book's is when a batch of messages began to be read, and the last of them
                    // may have come a little later.
                    Work::Listen(permit, since) => Work::Listen(permit, since.max(now)),
                    work => work,
                };
                if let Some(worker) = self.workers.get(worker) {
                    // A worker that is gone will not report either; `close_overdue` closes its calls.
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
            Effect::File(call, receipt) => {
                if self.receipts.get().is_some_and(|receipts| !receipts.file(*receipt)) {
                    self.receipts_lost.fetch_add(1, Relaxed);
                    tracing::error!(%call, "a consent receipt could not be filed: too many wait for the disk");
                }
            }
        }
    }
}
