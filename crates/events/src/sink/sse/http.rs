//! The stream over HTTP: `GET /events?call=ID&kind=KIND[,KIND]`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{Client, Filter, Hub};
use crate::event::{Kind, SCHEMA_ID, UnknownKind};
use crate::id::{EventId, IdError};

/// The reconnection time that clients are told.
const COME_BACK: Duration = Duration::from_secs(2);

/// The path of the stream.
pub const STREAM_PATH: &str = "/events";

impl Hub {
    /// Serves the stream at [`STREAM_PATH`].
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new().route(STREAM_PATH, get(listen)).with_state(Arc::clone(self))
    }

    /// Whether clients must show a token.
    pub const fn asks_for_token(&self) -> bool {
        self.token.is_some()
    }

    fn lets_in(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        let shown = headers.get(AUTHORIZATION).and_then(|value| {
            let (scheme, shown) = value.as_bytes().split_at_checked(7)?;
            scheme.eq_ignore_ascii_case(b"bearer ").then_some(shown.trim_ascii())
        });
        // Compared through a MAC: the duration reveals nothing about where the two differ.
        let mac = |text: &[u8]| {
            let mut mac = Hmac::<Sha256>::new(&Default::default());
            mac.update(text);
            mac
        };
        shown
            .is_some_and(|shown| mac(shown).verify_slice(&mac(token.bytes()).finalize().into_bytes()).is_ok())
    }
}

async fn listen(
    State(hub): State<Arc<Hub>>,
    headers: HeaderMap,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    if !hub.lets_in(&headers) {
        return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")], "a bearer token is needed\n")
            .into_response();
    }
    let filter = match Filter::read(&query) {
        Ok(filter) => filter,
        Err(why) => return (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response(),
    };
    // An unreadable id counts as one that is no longer held: the client gets the whole ring.
    let last =
        headers.get("last-event-id").map(|value| value.to_str().ok().and_then(|text| text.parse().ok()));
    let after =
        last.map(|id: Option<EventId>| id.unwrap_or(EventId { call: crate::id::CallId::NONE, seq: 1 }));
    let Some(client) = hub.admit(filter, after) else {
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "5")], "too many listeners\n")
            .into_response();
    };
    let greeting = if client.gap { "events may be missing before this" } else { SCHEMA_ID };
    let greeting = Event::default().comment(greeting).retry(COME_BACK);
    let events = stream::unfold((Some(greeting), client), |(greeting, mut client)| async {
        let event = match greeting {
            Some(greeting) => greeting,
            None => told(&mut client).await?,
        };
        Some((Ok::<_, Infallible>(event), (None, client)))
    });
    let heartbeat = KeepAlive::new().interval(hub.heartbeat);
    // Proxies in between (nginx) must neither cache a stream nor buffer it.
    let headers = [(CACHE_CONTROL, "no-store"), (HeaderName::from_static("x-accel-buffering"), "no")];
    (headers, Sse::new(events).keep_alive(heartbeat)).into_response()
}

async fn told(client: &mut Client) -> Option<Event> {
    let published = client.next().await?;
    let event = &published.event;
    Some(Event::default().id(event.id.to_string()).event(event.kind().name()).data(published.json()))
}

/// A query that is no filter of the stream.
#[derive(Debug, thiserror::Error)]
enum FilterError {
    #[error(transparent)]
    Call(#[from] IdError),
    #[error(transparent)]
    Kind(#[from] UnknownKind),
    #[error("`{0}` is no filter; there are call and kind")]
    Unknown(String),
}

impl Filter {
    fn read(query: &[(String, String)]) -> Result<Self, FilterError> {
        let mut filter = Self::default();
        for (key, value) in query {
            match key.as_str() {
                "call" => {
                    filter.call = Some(value.parse()?);
                }
                "kind" => {
                    for name in value.split(',').filter(|name| !name.is_empty()) {
                        filter.kinds.push(name.parse::<Kind>()?);
                    }
                    filter.kinds.sort_unstable();
                    filter.kinds.dedup();
                }
                _ => return Err(FilterError::Unknown(key.escape_debug().to_string())),
            }
        }
        Ok(filter)
    }
}
