//! The workers that listen, and the rings from the relay threads to them.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use sidetone_emotion::model::Model;

use crate::analysis::{Work, Worker, WorkerCounters};
use crate::calls::Calls;
use crate::config::Config;
use crate::tap;

/// Bytes of each tap ring: about ten seconds of a thousand legs' G.711.
const TAP_RING: usize = 4 * 1024 * 1024;

/// A worker before it is started: the orders' channel has to exist before the call book, which the worker reports to.
pub(super) struct Listening {
    pub(super) orders: Sender<Work>,
    inbox: Receiver<Work>,
    pub(super) model: Arc<Model>,
}

/// Workers, if any trunk lets its callers be listened to.
pub(super) fn listening(config: &Config, model: Option<&Arc<Model>>) -> Vec<Listening> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let count = if config.analysis.workers > 0 { config.analysis.workers } else { (cores / 2).max(1) };
    // Calls come first: without a model they are carried, and nothing is inferred.
    let Some(model) = model else { return Vec::new() };
    (0..count)
        .map(|_| {
            let (orders, inbox) = channel();
            Listening { orders, inbox, model: Arc::clone(model) }
        })
        .collect()
}

impl Listening {
    pub(super) fn start(
        self,
        number: usize,
        taps: &mut [Vec<tap::TapSender>],
        calls: &Arc<Calls>,
        epoch: Instant,
    ) -> io::Result<Arc<WorkerCounters>> {
        let mut receivers = Vec::new();
        for thread in taps {
            let (sender, receiver) = tap::ring(TAP_RING);
            thread.push(sender);
            receivers.push(receiver);
        }
        let counters = Arc::new(WorkerCounters::default());
        // The book holds the orders' sender: a strong reference here would keep both alive for ever.
        let book = Arc::downgrade(calls);
        let worker = Worker {
            inbox: self.inbox,
            taps: receivers,
            model: self.model,
            report: Box::new(move |outcome| {
                if let Some(book) = book.upgrade() {
                    book.outcome(outcome);
                }
            }),
            counters: Arc::clone(&counters),
            epoch,
        };
        std::thread::Builder::new().name(format!("hear-{number}")).spawn(move || worker.run())?;
        Ok(counters)
    }
}
