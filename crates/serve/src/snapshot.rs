//! A value that is gathered under a lock, for many readers.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use sidetone_watch::Alarm;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// The least time between two gatherings.
const PAUSE: Duration = Duration::from_millis(20);
/// The pause after a gathering, as a multiple of its duration: so readers take no more than 5 % of the time.
const REST: u32 = 20;
/// The error when the task that gathers the counters has ended.
pub(crate) const NOTHING_COUNTS: &str =
    "the counters can't be gathered any more; restart Sidetone, and please report this";

/// A value that is gathered on request: once for all readers of the moment, and with pauses, so that no number of
/// readers makes it cost more than a small share of the time. Clones read the same value.
#[derive(Debug)]
pub struct Snapshot<T> {
    wanted: Arc<Wanted>,
    newest: watch::Receiver<Newest<T>>,
}

/// How often the value has been requested.
#[derive(Debug, Default)]
struct Wanted {
    times: AtomicU64,
    wake: Notify,
}

/// The newest value, and the number of requests when its gathering began.
#[derive(Debug)]
struct Newest<T> {
    times: u64,
    value: Option<Arc<T>>,
}

impl<T> Clone for Snapshot<T> {
    fn clone(&self) -> Self {
        Self { wanted: Arc::clone(&self.wanted), newest: self.newest.clone() }
    }
}

impl<T: Send + Sync + 'static> Snapshot<T> {
    /// Starts the task that gathers, on the current tokio runtime; `name` is its name in alarms. It ends with the last
    /// reader.
    #[must_use]
    pub fn of(alarm: &Alarm, name: &'static str, gather: impl Fn() -> T + Send + 'static) -> Self {
        let wanted = Arc::new(Wanted::default());
        let (publish, newest) = watch::channel(Newest { times: 0, value: None });
        let asked = Arc::clone(&wanted);
        alarm.watch(name, async move {
            loop {
                tokio::select! {
                    () = asked.wake.notified() => {}
                    () = publish.closed() => return,
                }
                let times = asked.times.load(SeqCst);
                let began = Instant::now();
                let value = Some(Arc::new(gather()));
                let took = began.elapsed();
                if publish.send(Newest { times, value }).is_err() {
                    return;
                }
                tokio::time::sleep(PAUSE.max(took.saturating_mul(REST))).await;
            }
        });
        Self { wanted, newest }
    }

    /// A value gathered after this call; `None` once the task has ended.
    pub async fn fresh(&self) -> Option<Arc<T>> {
        let ticket = self.wanted.times.fetch_add(1, SeqCst) + 1;
        self.wanted.wake.notify_one();
        let mut newest = self.newest.clone();
        let found = newest.wait_for(|newest| newest.times >= ticket).await.ok()?;
        found.value.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[tokio::test]
    async fn a_reader_gets_what_was_gathered_after_it_asked() {
        let alarm = Alarm::new();
        let truth = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&truth);
        let snapshot = Snapshot::of(&alarm, "test", move || seen.load(SeqCst));
        for value in 0..10 {
            truth.store(value, SeqCst);
            assert_eq!(*snapshot.fresh().await.unwrap(), value);
        }
    }

    #[tokio::test]
    async fn many_readers_cost_one_gathering() {
        let alarm = Alarm::new();
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let snapshot = Snapshot::of(&alarm, "test", move || counted.fetch_add(1, SeqCst));
        let readers: Vec<_> = (0..1_000)
            .map(|_| {
                let snapshot = snapshot.clone();
                tokio::spawn(async move { snapshot.fresh().await.is_some() })
            })
            .collect();
        for reader in readers {
            assert!(reader.await.unwrap());
        }
        assert!(count.load(SeqCst) <= 2, "{} gatherings", count.load(SeqCst));
    }

    #[tokio::test]
    async fn readers_are_told_when_nobody_gathers_any_more() {
        let alarm = Alarm::new();
        let snapshot: Snapshot<usize> = Snapshot::of(&alarm, "test", || panic!("as a broken part would"));
        assert!(snapshot.fresh().await.is_none());
        assert!(snapshot.fresh().await.is_none());
    }
}
