//! The watch over tasks and threads: a panic is reported and counted, and the end of a vital task or thread ends the
//! process.

mod threads;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use threads::Threads;
pub use threads::{HANGS_AFTER, Heartbeat};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinError};

/// The watch over tasks and threads. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Alarm {
    panics: Arc<AtomicU64>,
    fallen: watch::Sender<Option<Arc<str>>>,
    threads: Arc<Threads>,
}

impl Default for Alarm {
    fn default() -> Self {
        Self::new()
    }
}

impl Alarm {
    /// A watch without tasks or threads.
    #[must_use]
    pub fn new() -> Self {
        Self { panics: Arc::default(), fallen: watch::Sender::new(None), threads: Arc::default() }
    }

    /// Runs a task whose panic affects no other work, such as one that serves a single connection.
    pub fn watch(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.run(name, false, task)
    }

    /// Runs a task without which no call can be served. It never ends by itself: if it does, the process ends.
    pub fn vital(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.run(name, true, task)
    }

    fn run(
        &self,
        name: &'static str,
        vital: bool,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> AbortHandle {
        let alarm = self.clone();
        let task = tokio::spawn(task);
        let handle = task.abort_handle();
        tokio::spawn(async move {
            let ended = task.await;
            if ended.as_ref().is_err_and(JoinError::is_panic) {
                alarm.panicked(name);
            }
            // A cancelled task belongs to a process that ends anyway.
            if vital && !ended.is_err_and(|error| error.is_cancelled()) {
                alarm.fall(name);
            }
        });
        handle
    }

    fn panicked(&self, name: &str) {
        self.panics.fetch_add(1, Relaxed);
        tracing::error!(
            part = name,
            "a part has panicked; this is a bug, please report it with the lines above"
        );
    }

    fn fall(&self, name: &str) {
        self.fallen.send_replace(Some(name.into()));
    }

    /// Panics of tasks and threads.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.panics.load(Relaxed)
    }

    /// Waits until a vital task or thread has ended; gives its name.
    pub async fn fallen(&self) -> Arc<str> {
        let mut fallen = self.fallen.subscribe();
        match fallen.wait_for(Option::is_some).await.ok().and_then(|name| name.clone()) {
            Some(name) => name,
            // Unreachable: `self` holds a sender.
            None => std::future::pending().await,
        }
    }

    #[cfg(test)]
    fn fallen_now(&self) -> Option<Arc<str>> {
        self.fallen.borrow().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_counted_and_only_a_vital_one_brings_the_house_down() {
        let alarm = Alarm::new();
        alarm.watch("a connection", async { panic!("tried out") });
        while alarm.panics() < 1 {
            tokio::task::yield_now().await;
        }
        assert!(alarm.fallen.borrow().is_none());
        alarm.vital("the timers", async { panic!("tried out") });
        assert_eq!(&*alarm.fallen().await, "the timers");
        assert_eq!(alarm.panics(), 2);
    }

    #[tokio::test]
    async fn a_task_that_is_stopped_has_not_broken_down() {
        let alarm = Alarm::new();
        alarm.vital("the timers", std::future::pending()).abort();
        alarm.watch("a connection", async {});
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(alarm.panics(), 0);
        assert!(alarm.fallen.borrow().is_none());
    }

    #[tokio::test]
    async fn a_vital_task_that_ends_quietly_brings_the_house_down_too() {
        let alarm = Alarm::new();
        alarm.vital("the timers", async {});
        assert_eq!(&*alarm.fallen().await, "the timers");
        assert_eq!(alarm.panics(), 0);
    }
}
