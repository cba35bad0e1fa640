//! Events as JSON lines, written by a thread of their own: a write may block for as long as it likes.

use std::io::{self, Write};
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::bus::{Published, Subscription};

/// Lines written in one go at most.
const BATCH: usize = 64;

/// Takes lines. Each has its line end.
pub(crate) trait LineWriter: Send + 'static {
    /// Writes `lines`, whole, in order. How many were written counts as delivered; the others are lost.
    fn write(&mut self, lines: &[String]) -> (usize, io::Result<()>);
}

/// Standard output.
#[derive(Debug)]
pub(crate) struct Stdout;

impl LineWriter for Stdout {
    fn write(&mut self, lines: &[String]) -> (usize, io::Result<()>) {
        let mut out = io::stdout().lock();
        match out.write_all(lines.concat().as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => (lines.len(), Ok(())),
            Err(why) => (0, Err(why)),
        }
    }
}

/// Starts the thread. The handle is done when the bus has closed and everything is written.
pub(crate) fn spawn(
    name: &str,
    mut subscription: Subscription,
    mut writer: impl LineWriter,
) -> io::Result<JoinHandle<()>> {
    let (done, finished) = oneshot::channel::<()>();
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        drain(&mut subscription, &mut writer);
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
    while let Some(first) = subscription.recv_blocking() {
        let mut lines = vec![line(&first)];
        while lines.len() < BATCH
            && let Some(next) = subscription.try_recv()
        {
            lines.push(line(&next));
        }
        let (written, result) = writer.write(&lines);
        tally.delivered(written);
        tally.failed(lines.len() - written);
        match result {
            Err(why) if why.kind() == io::ErrorKind::BrokenPipe => {
                tracing::warn!(sink = tally.counts().name, "nobody reads the events any more");
                return;
            }
            Err(why) if !faulty => {
                tracing::warn!(sink = tally.counts().name, %why, "events can't be written and are lost");
                faulty = true;
            }
            Err(_) => {}
            Ok(()) if faulty => {
                tracing::info!(sink = tally.counts().name, "events are written again");
                faulty = false;
            }
            Ok(()) => {}
        }
    }
}

fn line(published: &Arc<Published>) -> String {
    let mut line = String::with_capacity(published.json.len() + 1);
    line.push_str(&published.json);
    line.push('\n');
    line
}
