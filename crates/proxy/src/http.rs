//! Metrics, health and the live event stream, by HTTP.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sidetone_events::StallGuard;
use tokio::net::TcpListener;

use crate::server::Shared;

/// A client that takes nothing for this long loses its connection.
const STALLED_AFTER: Duration = Duration::from_secs(30);

/// Binds the page server and starts it; returns the address bound.
///
/// # Errors
/// When the address can't be bound.
pub(crate) async fn start(listen: SocketAddr, shared: Arc<Shared>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        io::Error::new(error.kind(), format!("http.listen {listen} can't be bound: {error}"))
    })?;
    let bound = listener.local_addr()?;
    let events = shared.event_stream();
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .with_state(shared)
        .merge(events);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(StallGuard::new(listener, STALLED_AFTER), router).await {
            tracing::error!(%error, "the HTTP server ended");
        }
    });
    Ok(bound)
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], shared.stats().page().render()).into_response()
}

/// Ready for new calls: not draining, and on each face some host is up.
async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    match shared.stats().unready() {
        None => "ready\n".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}
