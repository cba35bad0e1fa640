//! Metrics, health and the live event stream, by HTTP. What is served is described in `docs/openapi.json`.

mod api;
mod openapi;
mod problem;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use axum::serve::Listener;
use serde::Deserialize;
use sidetone_consent::page::{self, Language};
use sidetone_events::{Revealed, StallGuard};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

use crate::server::Shared;

/// A client that takes nothing for this long loses its connection.
const STALLED_AFTER: Duration = Duration::from_secs(30);
/// A client to which nothing was sent for this long loses its connection, however it passes the time: an answer to a
/// request takes milliseconds, and a stream of events has a heartbeat.
const IDLE_AFTER: Duration = Duration::from_secs(60);
/// Connections at once; more wait in the kernel's queue. Calls share the process's descriptors with them.
const MOST_CONNECTIONS: usize = 256;

/// Binds the page server and starts it; returns the address bound. `heartbeat` is that of the event stream.
///
/// # Errors
/// When the address can't be bound.
pub(crate) async fn start(
    listen: SocketAddr,
    heartbeat: Duration,
    token: Option<Revealed>,
    shared: Arc<Shared>,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        io::Error::new(error.kind(), format!("http.listen {listen} can't be bound: {error}"))
    })?;
    let bound = listener.local_addr()?;
    let events = shared.event_stream();
    let alarm = shared.alarm().clone();
    let idle = IDLE_AFTER.max(heartbeat.saturating_mul(2));
    let router = router(token, shared).merge(events);
    // Around all of it, so that every error has the one shape.
    let router = router.fallback(problem::no_such_path).layer(map_response(problem::shaped));
    alarm.watch("the HTTP server", async move {
        let listener = Limited::new(StallGuard::new(listener, STALLED_AFTER), MOST_CONNECTIONS, idle);
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the HTTP server ended");
        }
    });
    Ok(bound)
}

/// A path and what it takes.
type Route = (&'static str, MethodRouter<Arc<Shared>>);

/// What anybody who reaches the port may look at.
fn pages() -> [Route; 5] {
    [
        ("/metrics", get(metrics)),
        ("/healthz", get(|| async { "alive\n" })),
        ("/readyz", get(ready)),
        ("/policy", get(policy)),
        ("/openapi.json", get(openapi::document)),
    ]
}

fn router(token: Option<Revealed>, shared: Arc<Shared>) -> Router {
    let pages = pages().into_iter().fold(Router::new(), |router, (path, route)| router.route(path, route));
    let pages = pages.with_state(Arc::clone(&shared));
    // Without a token nothing can be changed from here.
    match token {
        Some(token) => pages.merge(api::router(token, shared)),
        None => pages,
    }
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], shared.stats().page().render()).into_response()
}

/// Ready for new calls: not draining, and on each face some host is up.
async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    match shared.stats().unready() {
        None => "ready\n".into_response(),
        Some(why) => problem::problem(StatusCode::SERVICE_UNAVAILABLE, why.to_string()),
    }
}

/// `?lang=de`
#[derive(Debug, Deserialize)]
struct Asked {
    lang: Option<String>,
}

/// The page that tells callers what is done here, in the language asked for.
async fn policy(
    State(shared): State<Arc<Shared>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let (facts, fallback) = shared.policy();
    let language = Language::choose(asked.lang.as_deref(), accepted, fallback);
    let own = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_LANGUAGE, language.tag()),
        (header::VARY, "Accept-Language"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors *"),
    ];
    (own, page::render(&facts, language)).into_response()
}

/// A listener that accepts only while fewer than so many of its connections are open.
struct Limited<L> {
    listener: L,
    places: Arc<Semaphore>,
    idle: Duration,
}

impl<L> Limited<L> {
    fn new(listener: L, most: usize, idle: Duration) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(most)), idle }
    }
}

impl<L: Listener> Listener for Limited<L> {
    type Io = Placed<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        // The semaphore is never closed, so there always is a place in the end.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (stream, peer) = self.listener.accept().await;
        (Placed::new(stream, place, self.idle), peer)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A connection that frees its place when it is dropped, and that ends when nothing was sent on it for too long.
struct Placed<S> {
    stream: S,
    _place: Option<OwnedSemaphorePermit>,
    idle: Duration,
    end: Pin<Box<Sleep>>,
}

impl<S> Placed<S> {
    fn new(stream: S, place: Option<OwnedSemaphorePermit>, idle: Duration) -> Self {
        Self { stream, _place: place, idle, end: Box::pin(sleep(idle)) }
    }

    fn sent(&mut self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(outcome, Poll::Ready(Ok(1..))) {
            let end = Instant::now() + self.idle;
            self.end.as_mut().reset(end);
        }
        outcome
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Placed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.end.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Placed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, from);
        self.sent(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, from);
        self.sent(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_connection_beyond_the_limit_waits_for_a_place() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut limited = Limited::new(listener, 1, IDLE_AFTER);
        let _clients = [TcpStream::connect(addr).await.unwrap(), TcpStream::connect(addr).await.unwrap()];
        let (first, _) = limited.accept().await;
        let soon = Duration::from_millis(50);
        assert!(tokio::time::timeout(soon, limited.accept()).await.is_err());
        drop(first);
        limited.accept().await;
    }

    #[tokio::test]
    async fn a_client_that_drips_its_request_loses_its_place() {
        let (mut client, server) = tokio::io::duplex(64);
        let soon = Duration::from_millis(40);
        let mut placed = Placed::new(server, None, soon);
        tokio::spawn(async move {
            while client.write_all(b"G").await.is_ok() {
                sleep(soon / 8).await;
            }
        });
        let error = loop {
            if let Err(error) = placed.read_u8().await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_client_that_is_sent_something_keeps_its_place_for_longer() {
        let (_client, server) = tokio::io::duplex(64);
        let mut placed = Placed::new(server, None, IDLE_AFTER);
        let end = placed.end.deadline();
        sleep(Duration::from_millis(5)).await;
        placed.write_all(b":").await.unwrap();
        assert!(placed.end.deadline() > end);
    }
}
