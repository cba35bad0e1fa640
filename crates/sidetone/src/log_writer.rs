//! Log lines are written by a thread of their own.
//!
//! A thread that logs may hold locks: the SIP core's, the call book's. Standard error may be a pipe whose reader has
//! stalled, a terminal on which somebody pressed Ctrl-S, or a disk that hangs; none of them may stop a call from being
//! set up. So a line is put into a bounded queue, which takes a memory copy, and a thread writes it. A line that finds
//! no room is dropped and counted; once the reader has caught up, the log says how many are missing.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sidetone_drill::Fault;

/// Most bytes that wait to be written: some ten thousand lines.
const MOST_WAITING: usize = 2 * 1024 * 1024;
/// The memory overhead of a line, in bytes.
const LINE_OVERHEAD: usize = 32;

/// Lines dropped by every writer of this process.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Lines that were dropped since the log's reader was too slow.
#[must_use]
pub(crate) fn dropped() -> u64 {
    DROPPED.load(Relaxed)
}

/// Takes log lines and never waits. Clones write to the same place.
#[derive(Debug, Clone)]
pub(crate) struct LogWriter {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// Signals a line in the queue.
    filled: Condvar,
    /// Signals that all lines have been written.
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    lines: VecDeque<Vec<u8>>,
    /// The size of the waiting lines, overhead included.
    bytes: usize,
    /// The thread is writing lines that it has taken.
    writing: bool,
    /// Lines dropped since the log last reported it.
    untold: u64,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogWriter {
    /// Starts the thread that writes to `to`.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(crate) fn start(to: impl Write + Send + 'static) -> io::Result<Self> {
        let queue = Mutex::new(Queue::default());
        let shared = Arc::new(Shared { queue, filled: Condvar::new(), emptied: Condvar::new() });
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&theirs, to))?;
        Ok(Self { shared })
    }

    /// Waits until all lines are written, but no longer than this, so that a process's last lines are seen.
    pub(crate) fn flush_within(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut queue = self.shared.queue();
        while queue.writing || !queue.lines.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.shared.emptied.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Write for LogWriter {
    /// One line, as the formatter hands it over: whole, or not at all.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let cost = line.len() + LINE_OVERHEAD;
        let mut queue = self.shared.queue();
        if queue.bytes + cost > MOST_WAITING {
            queue.untold += 1;
            DROPPED.fetch_add(1, Relaxed);
        } else {
            queue.bytes += cost;
            queue.lines.push_back(line.to_vec());
            self.shared.filled.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes queued lines, for as long as the process lives.
fn write_all(shared: &Shared, mut to: impl Write) {
    loop {
        let mut queue = shared.queue();
        while queue.lines.is_empty() {
            shared.emptied.notify_all();
            queue = shared.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.writing = true;
        let line = queue.lines.pop_front().unwrap_or_default();
        queue.bytes = queue.bytes.saturating_sub(line.len() + LINE_OVERHEAD);
        drop(queue);
        sidetone_drill::stand_still_by(Fault::Log);
        // An unwritable log is no reason to end.
        let _ = to.write_all(&line).and_then(|()| to.flush());
        let mut queue = shared.queue();
        queue.writing = false;
        // Reported only when half of the room is free again: otherwise the report itself would be dropped.
        let caught_up = queue.bytes < MOST_WAITING / 2;
        let untold = if caught_up { std::mem::take(&mut queue.untold) } else { 0 };
        drop(queue);
        if untold > 0 {
            tracing::warn!(lines = untold, "log lines are missing here: whoever reads the log was too slow");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Ends a test that would wait for ever; no assertion depends on how long it is.
    const LONG: Duration = Duration::from_secs(60);

    /// A reader that takes a write only on request.
    struct Gate {
        open: Receiver<()>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.open.recv();
            let _ = self.written.send(bytes.to_vec());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_come_out_whole_and_in_order() {
        let (open, gate) = channel();
        let (written, seen) = channel();
        let mut log = LogWriter::start(Gate { open: gate, written }).unwrap();
        for line in ["one\n", "two\n", "three\n"] {
            log.write_all(line.as_bytes()).unwrap();
            open.send(()).unwrap();
        }
        log.flush_within(LONG);
        assert_eq!(
            seen.try_iter().collect::<Vec<_>>(),
            [b"one\n".to_vec(), b"two\n".to_vec(), b"three\n".to_vec()]
        );
    }

    /// Lost lines are counted, kept ones are bounded, and no logging thread waits: with a wait this test would never
    /// end.
    #[test]
    fn a_reader_that_stalls_costs_lines_and_stops_nobody() {
        let (open, gate) = channel();
        let (written, seen) = channel();
        let mut log = LogWriter::start(Gate { open: gate, written }).unwrap();
        let before = dropped();
        let line = [b'x'; 1_000];
        for _ in 0..10_000 {
            log.write_all(&line).unwrap();
        }
        let lost = dropped() - before;
        let most = (MOST_WAITING / (line.len() + LINE_OVERHEAD)) as u64;
        assert!(lost >= 10_000 - most - 1, "{lost}");
        log.flush_within(Duration::from_millis(10));
        assert!(seen.try_recv().is_err(), "nothing was written");
        drop(open);
        log.flush_within(LONG);
        assert_eq!(seen.try_iter().count() as u64 + lost, 10_000);
    }
}
