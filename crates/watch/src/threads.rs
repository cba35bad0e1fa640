//! The watch over plain threads: a panic is reported and counted; an unexpected end and a thread that hangs fail
//! readiness.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::Alarm;

/// A thread without a heartbeat for this long hangs. The slowest of them beats once a second.
pub const HANGS_AFTER: Duration = Duration::from_secs(5);

/// The threads that run, and those that should.
#[derive(Debug, Default)]
pub(super) struct Threads(Mutex<Vec<Thread>>);

#[derive(Debug)]
struct Thread {
    beat: Heartbeat,
    broken: bool,
    /// The hang has been logged.
    told: bool,
}

/// A thread's heartbeat. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    name: Arc<str>,
    /// The last heartbeat, in milliseconds on the process's clock.
    last_ms: Arc<AtomicU64>,
}

impl Heartbeat {
    /// A heartbeat of a thread that is about to start. Time counts on the process's clock.
    #[must_use]
    pub fn new(name: &str, now: Duration) -> Self {
        let beat = Self { name: name.into(), last_ms: Arc::default() };
        beat.beat(now);
        beat
    }

    /// Records a heartbeat. Costs a store.
    pub fn beat(&self, now: Duration) {
        self.last_ms.store(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Whether the last heartbeat is so old that the thread hangs.
    #[must_use]
    pub fn hangs(&self, now: Duration) -> bool {
        now.saturating_sub(Duration::from_millis(self.last_ms.load(Relaxed))) > HANGS_AFTER
    }
}

impl Alarm {
    /// Runs a plain thread. Its end is normal only on request. Otherwise, or after an error or a panic, a vital thread
    /// ends the process, and any other fails readiness.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn thread(
        &self,
        beat: Heartbeat,
        vital: bool,
        body: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        let (alarm, name) = (self.clone(), Arc::clone(&beat.name));
        let builder = std::thread::Builder::new().name(name.to_string());
        // Listed before the thread runs, so that a thread that ends at once is found in the list.
        self.threads.lock().push(Thread { beat: beat.clone(), broken: false, told: false });
        builder.spawn(move || {
            let ended = match catch_unwind(AssertUnwindSafe(body)) {
                Ok(ended) => ended,
                Err(_) => {
                    alarm.panicked(&name);
                    Err(io::Error::other("it has panicked"))
                }
            };
            match ended {
                Ok(()) => alarm.threads.remove(&beat),
                Err(error) => {
                    tracing::error!(thread = &*name, %error, "a thread has broken down");
                    alarm.threads.broke(&beat);
                    if vital {
                        alarm.fall(&name);
                    }
                }
            }
        })
    }

    /// Does work that may panic; a panic is reported and counted, and the thread goes on.
    pub fn contain<T>(&self, beat: &Heartbeat, work: impl FnOnce() -> T) -> Option<T> {
        let done = catch_unwind(AssertUnwindSafe(work)).ok();
        if done.is_none() {
            self.panicked(&beat.name);
        }
        done
    }

    /// Threads that should run but have ended or hang, each with the reason. Called once a second: changes since the
    /// last call are logged.
    #[must_use]
    pub fn missed(&self, now: Duration) -> Vec<String> {
        let mut missed = Vec::new();
        for thread in self.threads.lock().iter_mut() {
            let (name, hangs) = (&*thread.beat.name, thread.beat.hangs(now));
            if thread.broken {
                missed.push(format!("thread {name} has broken down"));
                continue;
            }
            if hangs {
                missed.push(format!("thread {name} hangs"));
            }
            if std::mem::replace(&mut thread.told, hangs) != hangs {
                if hangs {
                    tracing::error!(thread = name, "a thread hangs: new calls should go elsewhere");
                } else {
                    tracing::info!(thread = name, "a thread that hung works again");
                }
            }
        }
        missed
    }
}

impl Threads {
    fn lock(&self) -> MutexGuard<'_, Vec<Thread>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remove(&self, beat: &Heartbeat) {
        self.lock().retain(|thread| !Arc::ptr_eq(&thread.beat.last_ms, &beat.last_ms));
    }

    fn broke(&self, beat: &Heartbeat) {
        let mut threads = self.lock();
        if let Some(thread) =
            threads.iter_mut().find(|thread| Arc::ptr_eq(&thread.beat.last_ms, &beat.last_ms))
        {
            thread.broken = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(100);

    #[test]
    fn a_thread_that_was_told_to_end_is_not_missed() {
        let alarm = Alarm::new();
        alarm.thread(Heartbeat::new("hear-0", START), true, || Ok(())).unwrap().join().unwrap();
        assert!(alarm.missed(START + HANGS_AFTER * 2).is_empty());
        assert!(alarm.fallen_now().is_none());
        assert_eq!(alarm.panics(), 0);
    }

    #[test]
    fn a_thread_that_panics_is_counted_and_missed_and_a_vital_one_brings_the_house_down() {
        let alarm = Alarm::new();
        let beat = |name| Heartbeat::new(name, START);
        alarm.thread(beat("announce"), false, || panic!("tried out")).unwrap().join().unwrap();
        assert_eq!(alarm.missed(START), ["thread announce has broken down"]);
        assert_eq!((alarm.panics(), alarm.fallen_now()), (1, None));
        let failed = || Err(io::Error::other("epoll is gone"));
        alarm.thread(beat("relay-0"), true, failed).unwrap().join().unwrap();
        assert_eq!(
            alarm.missed(START),
            ["thread announce has broken down", "thread relay-0 has broken down"]
        );
        assert_eq!(alarm.fallen_now().as_deref(), Some("relay-0"));
    }

    #[test]
    fn a_thread_that_hangs_is_missed_until_it_comes_round() {
        let alarm = Alarm::new();
        let beat = Heartbeat::new("relay-0", START);
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let body = move || {
            let _ = ended.recv();
            Ok(())
        };
        let thread = alarm.thread(beat.clone(), true, body).unwrap();
        assert!(alarm.missed(START + HANGS_AFTER).is_empty());
        let late = START + HANGS_AFTER + Duration::from_millis(1);
        assert_eq!(alarm.missed(late), ["thread relay-0 hangs"]);
        beat.beat(late);
        assert!(alarm.missed(late).is_empty());
        drop(end);
        thread.join().unwrap();
        assert!(alarm.missed(late * 2).is_empty());
    }

    #[test]
    fn what_panics_in_one_turn_is_counted_and_the_thread_goes_on() {
        let alarm = Alarm::new();
        let beat = Heartbeat::new("relay-0", START);
        assert_eq!(alarm.contain(&beat, || -> u8 { panic!("tried out") }), None);
        assert_eq!(alarm.contain(&beat, || 7), Some(7));
        assert_eq!(alarm.panics(), 1);
    }
}
