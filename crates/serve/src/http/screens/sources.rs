//! The sources of the pages.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::FromRef;
use sidetone_consent::log;
use sidetone_consent::report::{ModelFacts, Report};
use sidetone_events::Timestamp;
use sidetone_oidc::Oidc;
use sidetone_watch::Alarm;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::alarms::{EVERY, Earlier};
use crate::http::kept::Kept;
use crate::http::limits::Limits;
use crate::{Snapshot, Stats};

/// Passwords that are checked at once: they share one memory.
const CHECKS: usize = 1;
/// Passwords that wait to be checked, or for their turn; others are told to come again.
const QUEUE: usize = 64;
/// How long the facts of the compliance page may be shown: all receipts are read for them.
const FACTS_FRESH: Duration = Duration::from_secs(60);

/// What the compliance page tells beside the store.
#[derive(Debug)]
pub struct Facts {
    /// The compliance report.
    pub report: Report,
    /// The log of receipts as it was verified, or why it could not be; absent where none is kept.
    pub receipts: Option<Result<log::Report, String>>,
    /// Numbers on the do-not-analyse list, or why it can't be read; absent where there is none.
    pub excluded: Option<Result<u64, String>>,
}

/// Gathers the facts. Reads files, so it runs on a thread that may block.
pub type GatherFacts = Arc<dyn Fn() -> Facts + Send + Sync>;

/// The facts as they were read, and when.
type Read = Option<(Instant, u64, Arc<Facts>)>;

/// The sources of the pages.
#[derive(Clone)]
pub(in crate::http) struct Screens {
    pub(super) kept: Kept,
    pub(super) stats: Snapshot<Stats>,
    /// Absent where nothing is listened to.
    pub(super) model: Option<Arc<ModelFacts>>,
    earlier: Arc<Mutex<Earlier>>,
    gather: GatherFacts,
    pub(super) limits: Arc<Limits>,
    /// Absent where people sign in here alone.
    pub(super) oidc: Option<Arc<Oidc>>,
    /// The place to check a password in: each takes a core for some 20 ms.
    pub(super) checks: Arc<Semaphore>,
    /// Places to wait for that.
    pub(super) queue: Arc<Semaphore>,
    read: Arc<tokio::sync::Mutex<Read>>,
}

impl FromRef<Screens> for Kept {
    fn from_ref(screens: &Screens) -> Self {
        screens.kept.clone()
    }
}

impl Screens {
    /// Starts the task that keeps earlier counters, on the current tokio runtime.
    pub(in crate::http) fn new(
        kept: Kept,
        stats: Snapshot<Stats>,
        model: Option<ModelFacts>,
        gather: GatherFacts,
        limits: Arc<Limits>,
        oidc: Option<Arc<Oidc>>,
        alarm: &Alarm,
    ) -> Self {
        let screens = Self {
            kept,
            stats,
            model: model.map(Arc::new),
            earlier: Arc::default(),
            gather,
            limits,
            oidc,
            checks: Arc::new(Semaphore::new(CHECKS)),
            queue: Arc::new(Semaphore::new(QUEUE)),
            read: Arc::default(),
        };
        let noted = screens.clone();
        alarm.watch("the earlier counters", async move {
            // Ends with the task that gathers.
            while let Some(stats) = noted.stats.fresh().await {
                noted.earlier().note(Duration::from_secs(stats.uptime_s), &stats);
                tokio::time::sleep(EVERY).await;
            }
        });
        screens
    }

    /// The facts of the compliance page, and when they were read, in milliseconds since 1970: once a minute at most,
    /// however many ask. `None` if gathering them broke.
    pub(super) async fn facts(&self) -> Option<(u64, Arc<Facts>)> {
        // In a task of its own: whoever asks and leaves at once must not begin another reading beside this one.
        let screens = self.clone();
        tokio::spawn(async move { screens.read_facts().await }).await.ok().flatten()
    }

    async fn read_facts(&self) -> Option<(u64, Arc<Facts>)> {
        let mut read = self.read.lock().await;
        if let Some((at, millis, facts)) = &*read
            && at.elapsed() < FACTS_FRESH
        {
            return Some((*millis, Arc::clone(facts)));
        }
        let gather = Arc::clone(&self.gather);
        let facts = Arc::new(tokio::task::spawn_blocking(move || gather()).await.ok()?);
        let millis = Timestamp::now().unix_millis();
        *read = Some((Instant::now(), millis, Arc::clone(&facts)));
        Some((millis, facts))
    }

    pub(super) fn earlier(&self) -> MutexGuard<'_, Earlier> {
        self.earlier.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
