//! Events as JSON lines, written by a thread of their own, since a write may block indefinitely.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::bus::{Published, Subscription, Waited};

/// Most events in one write.
const BATCH: usize = 64;
/// Interval of a writer's upkeep while no event comes.
const TEND_EVERY: Duration = Duration::from_secs(1);

/// The result of writing some events.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// The number of events written, from the first on.
    pub(crate) events: usize,
    /// How many of all events this writer does not want.
    pub(crate) unwanted: usize,
    /// Why the others were not written. They are lost.
    pub(crate) failure: Option<io::Error>,
}

/// Takes events, a line each.
pub(crate) trait LineWriter: Send + 'static {
    /// Writes `events`, whole, in order.
    fn write(&mut self, events: &[Arc<Published>]) -> Written;

    /// Called after each `write`, and about every second: upkeep of the written lines.
    fn tend(&mut self) {}

    /// No further event comes: the last upkeep.
    fn finish(&mut self) {}

    /// How many calls still need erasing, and how many files could not be searched for that.
    fn erasures(&self) -> (u64, u64) {
        (0, 0)
    }
}

/// Standard output.
#[derive(Debug)]
pub(crate) struct Stdout;

impl LineWriter for Stdout {
    fn write(&mut self, events: &[Arc<Published>]) -> Written {
        let lines: String = events.iter().map(|event| line(event)).collect();
        let mut out = io::stdout().lock();
        match out.write_all(lines.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => Written { events: events.len(), ..Written::default() },
            Err(why) => Written { failure: Some(why), ..Written::default() },
        }
    }
}

/// Starts the thread. The handle completes when the bus has closed and all events are written.
pub(crate) fn spawn(
    name: &str,
    mut subscription: Subscription,
    mut writer: impl LineWriter,
) -> io::Result<JoinHandle<()>> {
    let (done, finished) = oneshot::channel::<()>();
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        // A panic costs the lines that were being written; the sink goes on.
        while catch_unwind(AssertUnwindSafe(|| drain(&mut subscription, &mut writer))).is_err() {
            tracing::error!(sink = subscription.tally().counts().name, "a sink has panicked; this is a bug");
        }
        drop(done);
    })?;
    // The thread itself is never joined: a blocked write must not hold the process back.
    Ok(tokio::spawn(async move {
        let _ = finished.await;
    }))
}

fn drain(subscription: &mut Subscription, writer: &mut impl LineWriter) {
    let tally = subscription.tally();
    let mut faulty = false;
    loop {
        let first = match subscription.recv_within(TEND_EVERY) {
            Waited::Event(event) => Some(event),
            Waited::InVain => None,
            Waited::Closed => break,
        };
        let mut events: Vec<Arc<Published>> = first.into_iter().collect();
        while !events.is_empty()
            && events.len() < BATCH
            && let Some(next) = subscription.try_recv()
        {
            events.push(next);
        }
        let Written { events: written, unwanted, failure } = writer.write(&events);
        tally.delivered(written.saturating_sub(unwanted));
        tally.failed(events.len() - written);
        // After writing: an event taken from the queue before an erasure may have been written just now.
        writer.tend();
        tally.erasures(writer.erasures());
        match failure {
            Some(why) if why.kind() == io::ErrorKind::BrokenPipe => {
                tracing::warn!(sink = tally.counts().name, "nobody reads the events any more");
                return;
            }
            Some(why) if !faulty => {
                tracing::warn!(sink = tally.counts().name, %why, "events can't be written and are lost");
                faulty = true;
            }
            None if faulty && !events.is_empty() => {
                tracing::info!(sink = tally.counts().name, "events are written again");
                faulty = false;
            }
            Some(_) | None => {}
        }
    }
    writer.finish();
    tally.erasures(writer.erasures());
}

/// An event as a line, with its line end.
pub(crate) fn line(published: &Published) -> String {
    let mut line = String::with_capacity(published.json().len() + 1);
    line.push_str(published.json());
    line.push('\n');
    line
}
