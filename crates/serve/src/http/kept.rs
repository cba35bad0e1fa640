//! What the store keeps, for those who may ask: who somebody is, and answers from the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sidetone_events::{NumberHasher, Timestamp};
use sidetone_store::{Call, Point, Readers, Store, StoreError, Token};
use tokio::sync::{Mutex, Semaphore, watch};
use tokio::time::Instant;

use super::api::bearer;
use super::problem::detailed;

/// Most questions at once: each takes a thread and a connection.
const AT_ONCE: usize = 4;
/// Seconds between two log lines of unanswered questions.
const LOGGED_EVERY: u64 = 10;
/// How long a question may wait for its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the list of calls that are up may be shown while nothing is written here: another node may have written.
const FRESH: Duration = Duration::from_millis(250);
/// Most calls on the wall.
const MOST_LIVE: usize = 500;
/// The name of the session's cookie.
pub(super) const COOKIE: &str = "sidetone_session";

/// Calls that are up, each with its last moments.
pub(super) type Up = Arc<Vec<(Call, Vec<Point>)>>;

/// An answer that several screens share.
struct Asked {
    at: Instant,
    /// The count of changes of the store when it was asked.
    changes: u64,
    up: Up,
}

/// The store, and how numbers are hashed in it.
#[derive(Clone)]
pub struct Kept {
    readers: Arc<Readers>,
    places: Arc<Semaphore>,
    hasher: NumberHasher,
    changes: watch::Receiver<u64>,
    /// The calls that are up, as somebody has just asked for them: many screens show the same wall.
    up: Arc<Mutex<Option<Asked>>>,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

/// How somebody has shown who they are.
#[derive(Debug, Clone)]
pub(super) enum Shown {
    /// By a token, in Authorization.
    Token(String),
    /// By a session's cookie.
    Session(String),
}

impl Kept {
    /// The store of these readers. `changes` counts what is written to it.
    #[must_use]
    pub fn new(readers: Readers, hasher: NumberHasher, changes: watch::Receiver<u64>) -> Self {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        Self { readers: Arc::new(readers), places, hasher, changes, up: Arc::default() }
    }

    /// Changes from now on.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        let mut changes = self.changes.clone();
        changes.mark_unchanged();
        changes
    }

    /// The calls that are up. Who asks after a change gets it: a screen that is told of a change asks once.
    pub(super) async fn live(&self) -> Result<Up, StoreError> {
        let mut known = self.up.lock().await;
        let changes = *self.changes.borrow();
        if let Some(asked) = known.as_ref().filter(|it| it.changes == changes && it.at.elapsed() < FRESH) {
            return Ok(Arc::clone(&asked.up));
        }
        let up: Up = Arc::new(self.ask(|store| store.live(MOST_LIVE)).await?);
        *known = Some(Asked { at: Instant::now(), changes, up: Arc::clone(&up) });
        Ok(up)
    }

    /// The hash of a number as somebody writes it; a hash is taken as it is.
    pub(super) fn number(&self, text: &str) -> Option<String> {
        match text.parse::<sidetone_events::HashedNumber>() {
            Ok(hashed) => Some(hashed.to_string()),
            Err(_) => self.hasher.hash(text).map(|hashed| hashed.to_string()),
        }
    }

    /// Asks the store on a thread that may block.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        ask: impl Fn(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        // The semaphore is never closed. Whoever waits in vain is not kept waiting: all places are held by questions
        // that the database does not answer.
        let place = tokio::time::timeout(PATIENCE, Arc::clone(&self.places).acquire_owned()).await;
        let place = place.map_err(|_| StoreError::Silent { patience: PATIENCE })?;
        let readers = Arc::clone(&self.readers);
        let asked = tokio::task::spawn_blocking(move || {
            // Held until the answer, even if the asker has gone meanwhile: threads are bounded by it.
            let _place = place;
            readers.ask(ask)
        });
        match tokio::time::timeout(PATIENCE, asked).await {
            Err(_) => Err(StoreError::Silent { patience: PATIENCE }),
            Ok(asked) => {
                asked.unwrap_or_else(|_| Err(StoreError::Thread(std::io::Error::other("it panicked"))))
            }
        }
    }

    /// The valid token that somebody has shown, by either way.
    pub(super) async fn token(&self, shown: Option<Shown>) -> Result<Option<Token>, StoreError> {
        let Some(shown) = shown else { return Ok(None) };
        self.ask(move |store| match &shown {
            Shown::Token(secret) => store.token(secret, Timestamp::now()),
            Shown::Session(session) => store.session(session, Timestamp::now()),
        })
        .await
    }
}

/// The token in Authorization.
pub(super) fn authorization(headers: &HeaderMap) -> Option<Shown> {
    let given = bearer(headers.get(header::AUTHORIZATION)?.as_bytes())?;
    Some(Shown::Token(String::from_utf8_lossy(given).into_owned()))
}

/// The session in the cookie.
pub(super) fn cookie(headers: &HeaderMap) -> Option<Shown> {
    cookie_named(headers, COOKIE).map(Shown::Session)
}

/// The cookie of a name.
pub(super) fn cookie_named(headers: &HeaderMap, asked: &str) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|value| value.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == asked).then(|| value.to_owned())
    })
}

/// The answer where the store can't be asked. What is wrong with it is the operator's to know, and in the log.
pub(super) fn unavailable(error: &StoreError) -> Response {
    log_unanswered(error);
    detailed(StatusCode::SERVICE_UNAVAILABLE, "the store can't be asked now; calls go on, try again")
        .into_response()
}

/// Logs that a question had no answer, some times a minute at most: anybody may ask.
pub(super) fn log_unanswered(error: &StoreError) {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = Timestamp::now().unix_seconds();
    let last = LAST.load(Ordering::Relaxed);
    if now.abs_diff(last) >= LOGGED_EVERY
        && LAST.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    {
        tracing::warn!(%error, "questions to the store have no answer");
    }
}
