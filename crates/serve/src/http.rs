//! Metrics, health and the live event stream over HTTP, as described in `docs/openapi.json`.

mod additions;
mod answers;
mod api;
mod board;
mod desk;
mod etag;
mod everything;
mod history;
mod kept;
mod limit;
mod limits;
mod openapi;
mod problem;
mod reader;
mod screens;
mod shapes;
mod text;
mod unknown;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{from_fn, map_response};
use axum::response::{IntoResponse, Response};
use axum::serve::{IncomingStream, Listener};
use serde::Deserialize;
use sidetone_book::Calls;
use sidetone_consent::page::{self, Language, PageFacts};
use sidetone_consent::report::ModelFacts;
use sidetone_events::{Revealed, StallGuard};
use sidetone_handover::{Inherited, doubled};
use sidetone_oidc::Oidc;
use sidetone_proxy::binding::cant_bind;
use sidetone_proxy::config::Fault;
use sidetone_watch::Alarm;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, Sleep, sleep};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use answers::OfNoStore;
pub use desk::Desks;
pub use kept::Kept;
use limits::{Limits, PeerAddress};
use problem::Problem;
use screens::Screens;
pub use screens::{Facts, GatherFacts};

use crate::config::FrameAncestor;
use crate::practice::Practice;
use crate::snapshot::NOTHING_COUNTS;
use crate::{Snapshot, Stats};

/// A client that reads nothing for this long loses its connection.
const STALLED_AFTER: Duration = Duration::from_secs(30);
/// A connection on which nothing was sent to the client for this long is closed, whatever the client sends: an answer
/// to a request takes milliseconds, and a stream of events has a heartbeat.
const IDLE_AFTER: Duration = Duration::from_secs(60);
/// How long a client may take to send its first request, however steadily its bytes come.
const ASKED_WITHIN: Duration = Duration::from_secs(10);
/// The policy page's content, and its language for readers who ask for none that it has.
pub type Policy = Arc<dyn Fn() -> (PageFacts, Language) + Send + Sync>;

/// The sources of the HTTP server's answers.
pub struct Served {
    /// For metrics and readiness.
    pub stats: Snapshot<Stats>,
    /// For the policy page.
    pub policy: Policy,
    /// The live stream, as a router.
    pub events: Router,
    /// Whether its clients must show a token. Without one, and where pages are served, it is for this machine alone.
    pub events_by_token: bool,
    /// The longest pause between two messages of the live stream.
    pub heartbeat: Duration,
    /// The token of the API, and the call book that the API tells. Without a token there is no API.
    pub api: Option<(Revealed, Arc<Calls>)>,
    /// The calls that are up, for the agents who have them.
    pub desks: Desks,
    /// Recorded calls for agents to practise with, if there are any.
    pub practice: Option<Practice>,
    /// Most connections at once; beyond it the connection that has gone longest without a complete request is closed.
    /// Calls share the process's descriptors with them.
    pub connections: usize,
    /// Whose pages may embed the agent's.
    pub embedded_by: Vec<FrameAncestor>,
    /// The store, for those who have a token of it; absent where none is kept.
    pub kept: Option<Kept>,
    /// The model, for the operator's page; absent where nothing is listened to.
    pub model: Option<ModelFacts>,
    /// For the compliance page.
    pub facts: GatherFacts,
    /// The identity provider that people sign in by; absent where they sign in here alone.
    pub oidc: Option<Oidc>,
}

/// The page server, running.
#[derive(Debug)]
pub struct PageServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its socket, to be handed over.
    socket: OwnedFd,
    accepting: AbortHandle,
}

impl PageServer {
    /// Its socket, to be handed over.
    ///
    /// # Errors
    /// When the process may open no more.
    pub fn doubled(&self) -> io::Result<OwnedFd> {
        doubled(&self.socket)
    }

    /// Takes no more connections: who comes from here on waits for another process.
    pub fn halt(&self) {
        self.accepting.abort();
    }
}

/// Binds the page server, or takes its socket from the process before, and starts it.
///
/// # Errors
/// When the address can't be bound.
pub async fn start(
    listen: SocketAddr,
    inherited: &Inherited,
    served: Served,
    alarm: &Alarm,
) -> Result<PageServer, Fault> {
    let cant = |why| cant_bind("http.listen", &listen.to_string(), listen, &why);
    let listener = match inherited.listener(listen) {
        Some(listener) => TcpListener::from_std(listener),
        None => TcpListener::bind(listen).await,
    };
    let listener = listener.map_err(cant)?;
    let address = listener.local_addr().map_err(cant)?;
    let socket = doubled(&listener).map_err(cant)?;
    let idle = IDLE_AFTER.max(served.heartbeat.saturating_mul(2));
    let (has_pages, most) = (served.kept.is_some(), served.connections);
    let router = router(served, alarm);
    // Around all routes, so that every error has the same shape.
    let unknown = move |uri: Uri, headers: HeaderMap| unknown::no_such_path(has_pages, uri, headers);
    let router = problem::around(router.fallback(unknown));
    // A connection that waits for its next request would hold a place: it is closed after each answer.
    let router = router.layer(map_response(|mut response: Response| async {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        response
    }));
    let accepting = alarm.watch("the HTTP server", async move {
        let listener = Limited::new(StallGuard::new(listener, STALLED_AFTER), most, idle);
        let service = router.into_make_service_with_connect_info::<PeerAddress>();
        if let Err(error) = axum::serve(listener, service).await {
            tracing::error!(%error, "the HTTP server ended");
        }
    });
    Ok(PageServer { address, socket, accepting })
}

impl Connected<IncomingStream<'_, Limited<StallGuard>>> for PeerAddress {
    fn connect_info(stream: IncomingStream<'_, Limited<StallGuard>>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// Pages that need no token.
fn pages() -> OpenApiRouter<Pages> {
    OpenApiRouter::new()
        .routes(routes!(metrics))
        .routes(routes!(alive))
        .routes(routes!(ready))
        .routes(routes!(policy))
        .routes(routes!(openapi::document))
}

fn router(served: Served, alarm: &Alarm) -> Router {
    let Served { stats, policy, events, api, kept, desks, practice, model, facts, embedded_by, oidc, .. } =
        served;
    let is_open = kept.is_none() || served.events_by_token;
    let events = if is_open { events } else { events.layer(from_fn(everything::of_this_machine)) };
    let oidc = oidc.map(Arc::new);
    let pages = Router::from(pages()).with_state(Pages { stats: stats.clone(), policy }).merge(events);
    let pages = match kept {
        Some(kept) => {
            let limits = Arc::new(Limits::new());
            let screens = Screens::new(kept.clone(), stats, model, facts, Arc::clone(&limits), oidc, alarm);
            pages
                .merge(history::router(kept.clone(), Arc::clone(&limits)))
                .merge(text::router(kept.clone(), desks.clone(), Arc::clone(&limits)))
                .merge(additions::router(kept.clone(), Arc::clone(&limits)))
                .merge(desk::router(kept, desks.clone(), limits))
                .merge(screens::router(screens, desks, practice, &embedded_by))
        }
        None => pages,
    };
    match api {
        Some((token, calls)) => pages.merge(api::router(token, calls)),
        None => pages,
    }
}

/// The sources of the pages.
#[derive(Clone)]
struct Pages {
    stats: Snapshot<Stats>,
    policy: Policy,
}

/// Counters and gauges for Prometheus
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    responses(
        (status = 200, description = "The text format of Prometheus, version 0.0.4.", body = String,
            content_type = "text/plain"),
        OfNoStore,
    ),
)]
async fn metrics(State(pages): State<Pages>) -> Response {
    match pages.stats.fresh().await {
        Some(stats) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], stats.page().render()).into_response()
        }
        None => problem::problem(StatusCode::SERVICE_UNAVAILABLE, NOTHING_COUNTS),
    }
}

/// Whether the process is alive
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "healthz",
    responses((status = 200, description = "The line `alive`.", body = String, content_type = "text/plain"), OfNoStore),
)]
async fn alive() -> &'static str {
    "alive\n"
}

/// Whether new calls should be sent here
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    responses(
        (status = 200, description = "The line `ready`.", body = String, content_type = "text/plain"),
        (status = 503, body = Problem, description = "No: the reason is in `error`. Draining, every host of a side down, a \
            thread broken down or hanging, or no model where callers should be listened to."),
        OfNoStore,
    ),
)]
async fn ready(State(pages): State<Pages>) -> Response {
    let unready = match pages.stats.fresh().await {
        Some(stats) => stats.unready().map(|why| why.to_string()),
        None => Some(NOTHING_COUNTS.to_owned()),
    };
    match unready {
        None => "ready\n".into_response(),
        Some(why) => problem::problem(StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

/// `?lang=de`
#[derive(Debug, Deserialize)]
struct Asked {
    lang: Option<String>,
}

/// What callers are told, as a page
#[utoipa::path(
    get,
    path = "/policy",
    operation_id = "policy",
    params(
        ("lang" = Option<String>, Query, description = "de, en, es, fr, it or pt."),
        ("Accept-Language" = Option<String>, Header, description = "Languages that the reader prefers."),
    ),
    responses(
        (status = 200, body = String, content_type = "text/html",
            description = "The page, in the language asked for, else that of Accept-Language, else the configured one.",
            headers(("Content-Language" = String, description = "The page's."))),
        (status = 400, description = "The query can't be read.", body = Problem),
        OfNoStore,
    ),
)]
async fn policy(State(pages): State<Pages>, Query(asked): Query<Asked>, headers: HeaderMap) -> Response {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let (facts, fallback) = (pages.policy)();
    let language = Language::choose(asked.lang.as_deref(), accepted, fallback);
    let own = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_LANGUAGE, language.tag()),
        (header::VARY, "Accept-Language"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors *"),
    ];
    (own, page::render(&facts, language)).into_response()
}

/// A listener with a bounded number of open connections.
struct Limited<L> {
    listener: L,
    places: Arc<Places>,
    idle: Duration,
}

/// The open connections.
struct Places {
    most: usize,
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Default)]
struct Taken {
    next: u64,
    /// In order of arrival; each that has not been sent anything yet can be ended.
    open: BTreeMap<u64, Option<oneshot::Sender<()>>>,
}

impl Places {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place. If none is free, the connection that has gone longest without a complete request is closed:
    /// hundreds of unfinished requests must not keep a complete one from being served.
    fn take(self: &Arc<Self>) -> Option<Place> {
        let mut taken = self.taken();
        if taken.open.len() >= self.most {
            let oldest = taken.open.iter().find_map(|(number, end)| end.is_some().then_some(*number))?;
            // Dropping the sender ends the connection.
            taken.open.remove(&oldest);
        }
        let (end, ended) = oneshot::channel();
        let number = taken.next;
        taken.next += 1;
        taken.open.insert(number, Some(end));
        Some(Place { places: Arc::clone(self), number, ended: Some(ended) })
    }
}

/// A connection's place; released when dropped.
struct Place {
    places: Arc<Places>,
    number: u64,
    /// Resolves when another connection needs the place; none once something was sent, for then the place is safe.
    ended: Option<oneshot::Receiver<()>>,
}

impl Place {
    fn keep(&mut self) {
        if self.ended.is_some()
            && let Some(end) = self.places.taken().open.get_mut(&self.number)
        {
            // The receiver is dropped first: dropping the sender must not end this connection.
            self.ended = None;
            *end = None;
        }
    }

    fn is_wanted(&mut self, context: &mut Context<'_>) -> bool {
        self.ended.as_mut().is_some_and(|ended| Pin::new(ended).poll(context).is_ready())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().open.remove(&self.number);
        self.places.freed.notify_one();
    }
}

impl<L> Limited<L> {
    fn new(listener: L, most: usize, idle: Duration) -> Self {
        let places = Places { most, taken: Mutex::default(), freed: Notify::new() };
        Self { listener, places: Arc::new(places), idle }
    }
}

impl<L: Listener> Listener for Limited<L> {
    type Io = Placed<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, peer) = self.listener.accept().await;
        let place = loop {
            match self.places.take() {
                Some(place) => break place,
                // All connections are being served.
                None => self.places.freed.notified().await,
            }
        };
        (Placed::new(stream, Some(place), ASKED_WITHIN.min(self.idle), self.idle), peer)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A connection that releases its place when dropped, and ends when nothing was sent on it for too long.
struct Placed<S> {
    stream: S,
    place: Option<Place>,
    idle: Duration,
    end: Pin<Box<Sleep>>,
}

impl<S> Placed<S> {
    fn new(stream: S, place: Option<Place>, asked_within: Duration, idle: Duration) -> Self {
        Self { stream, place, idle, end: Box::pin(sleep(asked_within)) }
    }

    fn sent(&mut self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(outcome, Poll::Ready(Ok(1..))) {
            let end = Instant::now() + self.idle;
            self.end.as_mut().reset(end);
            if let Some(place) = &mut self.place {
                place.keep();
            }
        }
        outcome
    }

    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        let wanted = self.place.as_mut().is_some_and(|place| place.is_wanted(context));
        wanted || self.end.as_mut().poll(context).is_ready()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Placed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_over(context) {
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

    /// Ends a test that would wait for ever; no assertion depends on how long it is.
    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_connection_beyond_the_limit_takes_the_place_of_one_that_has_not_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut limited = Limited::new(listener, 2, LONG);
        let mut clients = Vec::new();
        let mut served = Vec::new();
        for _ in 0..2 {
            clients.push(TcpStream::connect(addr).await.unwrap());
            served.push(limited.accept().await.0);
        }
        // The first connection has its answer, so the second is the one to be closed.
        served[0].write_all(b"answer").await.unwrap();
        clients.push(TcpStream::connect(addr).await.unwrap());
        served.push(tokio::time::timeout(LONG, limited.accept()).await.unwrap().0);
        let error = tokio::time::timeout(LONG, served[1].read_u8()).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        for number in [0, 2] {
            clients[number].write_all(b"x").await.unwrap();
            assert_eq!(served[number].read_u8().await.unwrap(), b'x');
        }
    }

    #[tokio::test]
    async fn a_connection_beyond_the_limit_waits_while_all_are_served() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut limited = Limited::new(listener, 1, IDLE_AFTER);
        let mut clients =
            vec![TcpStream::connect(addr).await.unwrap(), TcpStream::connect(addr).await.unwrap()];
        let (mut first, _) = limited.accept().await;
        first.write_all(b"answer").await.unwrap();
        let soon = Duration::from_millis(50);
        assert!(tokio::time::timeout(soon, limited.accept()).await.is_err());
        drop(first);
        clients.push(TcpStream::connect(addr).await.unwrap());
        limited.accept().await;
    }

    #[tokio::test]
    async fn a_client_that_drips_its_request_loses_its_place() {
        let (mut client, server) = tokio::io::duplex(64);
        let soon = Duration::from_millis(40);
        let mut placed = Placed::new(server, None, soon, LONG);
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
        let mut placed = Placed::new(server, None, ASKED_WITHIN, IDLE_AFTER);
        let end = placed.end.deadline();
        sleep(Duration::from_millis(5)).await;
        placed.write_all(b":").await.unwrap();
        assert!(placed.end.deadline() > end);
    }
}
