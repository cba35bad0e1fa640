//! The analysis workers, and the rings from the relay threads to them.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use sidetone_emotion::model::Model;

use crate::config::Config;
use sidetone_book::Calls;
use sidetone_hear::{Inbox, Orders, Worker, WorkerCounters, inbox};
use sidetone_tap::{TapSender, ring};
use sidetone_watch::{Alarm, Heartbeat};

/// Bytes of each tap ring: about ten seconds of a thousand legs' G.711.
const TAP_RING: usize = 4 * 1024 * 1024;

/// A worker before its start: the orders' channel has to exist before the call book, which the worker reports to.
pub(super) struct Listening {
    /// Present until the call book takes it.
    pub(super) orders: Option<Orders>,
    inbox: Inbox,
    pub(super) model: Arc<Model>,
}

/// Workers, if any trunk lets its callers be listened to.
pub(super) fn listening(config: &Config, model: Option<&Arc<Model>>) -> Vec<Listening> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let count = if config.analysis.workers > 0 { config.analysis.workers } else { (cores / 2).max(1) };
    // Calls come first: without a model they are carried without analysis.
    let Some(model) = model else { return Vec::new() };
    (0..count)
        .map(|_| {
            let (orders, inbox) = inbox();
            Listening { orders: Some(orders), inbox, model: Arc::clone(model) }
        })
        .collect()
}

impl Listening {
    pub(super) fn start(
        self,
        number: usize,
        taps: &mut [Vec<TapSender>],
        calls: &Arc<Calls>,
        epoch: Instant,
        alarm: &Alarm,
    ) -> io::Result<Arc<WorkerCounters>> {
        let mut receivers = Vec::new();
        for thread in taps {
            let (sender, receiver) = ring(TAP_RING);
            thread.push(sender);
            receivers.push(receiver);
        }
        let counters = Arc::new(WorkerCounters::default());
        // The book holds the orders' sender: a strong reference here would keep both alive for ever.
        let book = Arc::downgrade(calls);
        let report = Box::new(move |outcome| {
            if let Some(book) = book.upgrade() {
                book.outcome(outcome);
            }
        });
        let worker = Worker::new(self.inbox, receivers, self.model, report, Arc::clone(&counters), epoch);
        let beat = Heartbeat::new(&format!("hear-{number}"), epoch.elapsed());
        let (its_beat, its_alarm) = (beat.clone(), alarm.clone());
        alarm.thread(beat, false, move || {
            worker.run(&its_beat, &its_alarm);
            Ok(())
        })?;
        Ok(counters)
    }
}
