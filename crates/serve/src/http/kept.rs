//! What the store keeps, for those who may ask: who somebody is, and answers from the store.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sidetone_events::{NumberHasher, Timestamp};
use sidetone_store::{Readers, Store, StoreError, Token};
use tokio::sync::Semaphore;

use super::api::bearer;
use super::problem::detailed;

/// Most questions at once: each takes a thread and a connection.
const AT_ONCE: usize = 4;
/// The name of the session's cookie.
pub(super) const COOKIE: &str = "sidetone_session";

/// The store, and how numbers are hashed in it.
#[derive(Clone)]
pub struct Kept {
    readers: Arc<Readers>,
    places: Arc<Semaphore>,
    hasher: NumberHasher,
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
    /// The store of these readers.
    #[must_use]
    pub fn new(readers: Readers, hasher: NumberHasher) -> Self {
        Self { readers: Arc::new(readers), places: Arc::new(Semaphore::new(AT_ONCE)), hasher }
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
        // The semaphore is never closed.
        let _place = self.places.acquire().await;
        let readers = Arc::clone(&self.readers);
        let asked = tokio::task::spawn_blocking(move || readers.ask(ask)).await;
        asked.unwrap_or_else(|_| Err(StoreError::Thread(std::io::Error::other("it panicked"))))
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
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let session = cookies.flat_map(|value| value.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then_some(value)
    });
    session.map(|session| Shown::Session(session.to_owned()))
}

/// The answer where the store can't be asked. What is wrong with it is the operator's to know, and in the log.
pub(super) fn unavailable(error: &StoreError) -> Response {
    tracing::warn!(%error, "a question to the store has no answer");
    detailed(StatusCode::SERVICE_UNAVAILABLE, "the store can't be asked now; calls go on, try again")
        .into_response()
}
