//! Webhooks against a real HTTP server that fails in every way that servers do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use common::{a_call, narrator_of};
use sidetone_events::config::{EventsConfig, WebhookConfig};
use sidetone_events::{Bus, Event, Kind, Secret, SinkCounts, Sinks, Timestamp, signature};
use sidetone_insight::Period;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const SECRET: &str = "a secret of enough bytes";
/// Long enough for any machine; only a failing test waits for it.
const FOREVER: Duration = Duration::from_secs(60);

/// How the server treats a request.
#[derive(Clone)]
enum Treat {
    Status(u16),
    After(&'static str),
    Redirect(String),
    Ignore,
}

struct Received {
    headers: HeaderMap,
    body: Bytes,
}

impl Received {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn events(&self) -> Vec<Event> {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Clone)]
struct Server {
    treat: Arc<Mutex<VecDeque<Treat>>>,
    received: mpsc::UnboundedSender<Received>,
}

async fn receive(State(server): State<Server>, headers: HeaderMap, body: Bytes) -> Response {
    let treat = server.treat.lock().unwrap().pop_front().unwrap_or(Treat::Status(204));
    server.received.send(Received { headers, body }).unwrap();
    match treat {
        Treat::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Treat::After(value) => {
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, value)]).into_response()
        }
        Treat::Redirect(to) => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response(),
        Treat::Ignore => std::future::pending().await,
    }
}

async fn server(treat: Vec<Treat>) -> (SocketAddr, mpsc::UnboundedReceiver<Received>) {
    let (received, receiver) = mpsc::unbounded_channel();
    let state = Server { treat: Arc::new(Mutex::new(treat.into())), received };
    let app = Router::new().route("/hook", post(receive)).route("/elsewhere", any(receive)).with_state(state);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (address, receiver)
}

fn webhook(url: &str) -> WebhookConfig {
    WebhookConfig {
        retry_after: Period::from_millis(10),
        retry_at_most: Period::from_millis(50),
        ..toml::from_str(&format!("url = \"{url}\"\nsecret = \"{SECRET}\"\n")).unwrap()
    }
}

fn start(webhook: WebhookConfig, queue: usize) -> (Bus, Sinks) {
    let bus = Bus::new();
    bus.keep_words(true);
    let config = EventsConfig { webhooks: vec![webhook], queue, ..EventsConfig::default() };
    let sinks = Sinks::start(&config, &bus).unwrap();
    (bus, sinks)
}

async fn next(receiver: &mut mpsc::UnboundedReceiver<Received>) -> Received {
    tokio::time::timeout(FOREVER, receiver.recv()).await.expect("nothing was posted").unwrap()
}

async fn finished(sinks: Sinks) -> SinkCounts {
    sinks.shutdown(FOREVER).await.into_iter().find(|counts| counts.name == "webhook").unwrap()
}

/// Whoever is sent events keeps them, as a file does.
#[tokio::test]
async fn words_are_sent_only_where_they_may_be_kept() {
    let (address, mut receiver) = server(vec![]).await;
    let (bus, sinks) = start(webhook(&format!("http://{address}/hook")), 100);
    bus.keep_words(false);
    let sent = a_call();
    sent.iter().for_each(|event| bus.publish(event.clone()));
    finished(sinks).await;
    let mut text = String::new();
    let mut events = 0;
    while let Ok(received) = receiver.try_recv() {
        events += received.events().len();
        text += std::str::from_utf8(&received.body).unwrap();
    }
    assert_eq!(events, sent.len(), "a place is kept for each event");
    assert!(!text.contains("words.") && !text.contains("cancel") && !text.contains("said ="), "{text}");
}

#[tokio::test]
async fn events_arrive_signed_and_in_order() {
    let (address, mut receiver) = server(vec![]).await;
    let (bus, sinks) = start(webhook(&format!("http://{address}/hook")), 100);
    let sent = a_call();
    sent.iter().for_each(|event| bus.publish(event.clone()));
    let mut got = vec![];
    while got.len() < sent.len() {
        let received = next(&mut receiver).await;
        assert_eq!(received.header("content-type"), "application/json");
        assert!(received.header("user-agent").starts_with("sidetone/"));
        let signature = received.header("sidetone-signature");
        let now = Timestamp::now();
        let tolerance = Duration::from_secs(300);
        assert_eq!(signature::verify(SECRET.as_bytes(), signature, &received.body, now, tolerance), Ok(()));
        assert!(signature::verify(b"another secret", signature, &received.body, now, tolerance).is_err());
        let events = received.events();
        assert_eq!(received.header("sidetone-delivery"), events[0].id.to_string());
        got.extend(events);
    }
    assert_eq!(got, sent);
    let counts = finished(sinks).await;
    assert_eq!(
        (counts.delivered, counts.failed, counts.dropped, counts.retries),
        (sent.len() as u64, 0, 0, 0)
    );
}

#[tokio::test]
async fn both_secrets_sign_while_they_change_over() {
    let (address, mut receiver) = server(vec![]).await;
    let old = Some(Secret::new("the secret before this one"));
    let (bus, _sinks) =
        start(WebhookConfig { old_secret: old, ..webhook(&format!("http://{address}/hook")) }, 100);
    bus.publish(a_call().remove(0));
    let received = next(&mut receiver).await;
    for secret in [SECRET, "the secret before this one"] {
        let signature = received.header("sidetone-signature");
        let verdict = signature::verify(
            secret.as_bytes(),
            signature,
            &received.body,
            Timestamp::now(),
            Duration::from_secs(300),
        );
        assert_eq!(verdict, Ok(()));
    }
}

#[tokio::test]
async fn a_failing_server_is_asked_again_until_it_takes_the_same_request() {
    let trouble = [500, 503, 502, 408, 425, 429].map(Treat::Status).to_vec();
    let (address, mut receiver) = server(trouble).await;
    let (bus, sinks) = start(webhook(&format!("http://{address}/hook")), 100);
    bus.publish(a_call().remove(0));
    let first = next(&mut receiver).await;
    for _ in 0..6 {
        let again = next(&mut receiver).await;
        assert_eq!(again.body, first.body);
        assert_eq!(again.header("sidetone-delivery"), first.header("sidetone-delivery"));
    }
    let counts = finished(sinks).await;
    assert_eq!((counts.delivered, counts.failed, counts.retries), (1, 0, 6));
}

#[tokio::test]
async fn retry_after_is_read_as_seconds_and_as_a_date() {
    let treat =
        vec![Treat::After("0"), Treat::After("Sun, 06 Nov 1994 08:49:37 GMT"), Treat::After("nonsense")];
    let (address, mut receiver) = server(treat).await;
    let (bus, sinks) = start(webhook(&format!("http://{address}/hook")), 100);
    bus.publish(a_call().remove(0));
    for _ in 0..4 {
        next(&mut receiver).await;
    }
    assert_eq!(finished(sinks).await.delivered, 1);
}

/// The wait that Retry-After asks for is kept: with an hour asked for and allowed, the request never comes again, and
/// the sink is still waiting when the process ends.
#[tokio::test]
async fn a_server_that_asks_for_an_hour_is_left_alone() {
    let (address, mut receiver) = server(vec![Treat::After("3600")]).await;
    let hook = WebhookConfig {
        retry_at_most: Period::from_secs(7_200),
        give_up_after: Period::from_secs(86_400),
        ..webhook(&format!("http://{address}/hook"))
    };
    let (bus, sinks) = start(hook, 100);
    bus.publish(a_call().remove(0));
    next(&mut receiver).await;
    while sinks.counts()[0].retries == 0 {
        tokio::task::yield_now().await;
    }
    let counts = sinks.shutdown(Duration::from_millis(300)).await;
    assert_eq!((counts[0].delivered, counts[0].failed), (0, 0));
    assert!(receiver.try_recv().is_err(), "it came back at once");
}

#[tokio::test]
async fn what_is_refused_for_good_is_not_asked_again() {
    let (address, mut receiver) = server([400, 401, 404, 410].map(Treat::Status).to_vec()).await;
    let (bus, sinks) = start(WebhookConfig { batch: 1, ..webhook(&format!("http://{address}/hook")) }, 100);
    a_call().into_iter().take(5).for_each(|event| bus.publish(event));
    for seq in 1..=5 {
        assert_eq!(next(&mut receiver).await.events()[0].seq, seq);
    }
    let counts = finished(sinks).await;
    assert_eq!((counts.delivered, counts.failed, counts.retries), (1, 4, 0));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (elsewhere, mut never) = server(vec![]).await;
    let (address, mut receiver) =
        server(vec![Treat::Redirect(format!("http://{elsewhere}/elsewhere"))]).await;
    let (bus, sinks) = start(webhook(&format!("http://{address}/hook")), 100);
    bus.publish(a_call().remove(0));
    next(&mut receiver).await;
    let counts = finished(sinks).await;
    assert_eq!((counts.delivered, counts.failed), (0, 1));
    assert!(never.try_recv().is_err(), "signed events went to where a stranger pointed");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_on_and_tried_again() {
    let (address, mut receiver) = server(vec![Treat::Ignore, Treat::Ignore]).await;
    let hook =
        WebhookConfig { timeout: Period::from_millis(50), ..webhook(&format!("http://{address}/hook")) };
    let (bus, sinks) = start(hook, 100);
    bus.publish(a_call().remove(0));
    for _ in 0..3 {
        next(&mut receiver).await;
    }
    let counts = finished(sinks).await;
    assert_eq!(counts.delivered, 1);
    assert!(counts.retries >= 2);
}

/// A server that drops connections in the middle of the request, then one that answers.
#[tokio::test]
async fn a_connection_that_breaks_is_no_delivery() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let broken = tokio::spawn(async move {
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut some = [0; 64];
            stream.read_exact(&mut some).await.unwrap();
        }
        listener
    });
    let (bus, sinks) = start(webhook(&format!("http://{address}/hook")), 100);
    bus.publish(a_call().remove(0));
    let listener = tokio::time::timeout(FOREVER, broken).await.unwrap().unwrap();
    let (received, mut receiver) = mpsc::unbounded_channel();
    let state = Server { treat: Arc::default(), received };
    let app = Router::new().route("/hook", post(receive)).with_state(state);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    assert_eq!(next(&mut receiver).await.events().len(), 1);
    let counts = finished(sinks).await;
    assert_eq!(counts.delivered, 1);
    assert!(counts.retries >= 3, "{counts:?}");
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_fills_the_queue_and_costs_only_the_oldest() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let hook = WebhookConfig {
        batch: 1,
        give_up_after: Period::from_secs(3_600),
        ..webhook(&format!("http://{closed}/hook"))
    };
    let (bus, sinks) = start(hook, 8);
    for call in 0..10 {
        let mut narrator = narrator_of(call);
        for (at, happening) in common::a_happening_of_each_kind() {
            bus.publish(narrator.tell(Duration::from_millis(at), happening));
        }
    }
    let counts = sinks.counts();
    let webhook = counts.iter().find(|counts| counts.name == "webhook").unwrap();
    assert!(webhook.queued <= 8);
    assert!(webhook.dropped >= 91, "{webhook:?}");
    let stream = counts.iter().find(|counts| counts.name == "stream").unwrap();
    assert_eq!(stream.capacity, 8);
    let counts = sinks.shutdown(Duration::from_millis(50)).await;
    assert_eq!(counts[0].delivered, 0, "and the process still ends");
}

#[tokio::test]
async fn a_request_is_given_up_in_the_end() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let hook = WebhookConfig {
        give_up_after: Period::from_millis(100),
        ..webhook(&format!("http://{closed}/hook"))
    };
    let (bus, sinks) = start(hook, 100);
    bus.publish(a_call().remove(0));
    let counts = finished(sinks).await;
    assert_eq!((counts.delivered, counts.failed), (0, 1));
    assert!(counts.retries > 0);
}

#[tokio::test]
async fn only_the_kinds_asked_for_are_posted() {
    let (address, mut receiver) = server(vec![]).await;
    let kinds = vec![Kind::AffectAlert];
    let (bus, sinks) = start(WebhookConfig { kinds, ..webhook(&format!("http://{address}/hook")) }, 100);
    a_call().into_iter().for_each(|event| bus.publish(event));
    let events = next(&mut receiver).await.events();
    assert_eq!(events.iter().map(Event::kind).collect::<Vec<_>>(), [Kind::AffectAlert]);
    assert_eq!(finished(sinks).await.delivered, 1);
}

#[tokio::test]
async fn https_is_spoken_and_the_certificate_is_checked() {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (requests, mut receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, requests) = (acceptor.clone(), requests.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut request = Vec::new();
                while !request.ends_with(b"}]") {
                    if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
                tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await.unwrap();
                requests.send(String::from_utf8(request).unwrap()).unwrap();
            });
        }
    });

    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, cert.pem()).unwrap();
    let hook = WebhookConfig { ca_file: Some(ca_file), ..webhook(&format!("https://localhost:{port}/hook")) };
    let (bus, sinks) = start(hook.clone(), 100);
    bus.publish(a_call().remove(0));
    let request = tokio::time::timeout(FOREVER, receiver.recv()).await.unwrap().unwrap();
    assert!(
        request.starts_with("POST /hook HTTP/1.1\r\n") && request.contains("sidetone-signature: t="),
        "{request}"
    );
    assert_eq!(finished(sinks).await.delivered, 1);

    let strangers = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap().cert.pem();
    std::fs::write(hook.ca_file.as_ref().unwrap(), strangers).unwrap();
    let (bus, sinks) = start(WebhookConfig { give_up_after: Period::from_millis(30), ..hook }, 100);
    bus.publish(a_call().remove(0));
    let counts = finished(sinks).await;
    assert_eq!((counts.delivered, counts.failed), (0, 1), "a certificate that isn't trusted");
    assert!(receiver.try_recv().is_err());
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_at_the_start() {
    let refused = |hook: WebhookConfig| {
        let config = EventsConfig { webhooks: vec![hook], ..EventsConfig::default() };
        Sinks::start(&config, &Bus::new()).unwrap_err().to_string()
    };
    let url = |url: &str| refused(webhook(url));
    assert_eq!(
        url("ftp://host/"),
        "events.webhook.url: must begin with https://; write for example https://example.org/sidetone"
    );
    assert!(url("not a url").starts_with("events.webhook.url: is not a URL"));
    assert!(url("/hook").starts_with("events.webhook.url: names no host"));
    assert!(
        url("https://user:pass@host/")
            .starts_with("events.webhook.url: must not hold a user name or password")
    );
    assert!(url("http://192.0.2.1/hook").starts_with("events.webhook.url: is http"));
    let short = WebhookConfig { secret: Secret::new("short"), ..webhook("https://host.example/") };
    assert_eq!(refused(short), "events.webhook.secret: a secret holds at least 16 bytes");
    let none = WebhookConfig { ca_file: Some("/nowhere.pem".into()), ..webhook("https://host.example/") };
    assert!(refused(none).starts_with("events.webhook.ca_file: /nowhere.pem: "));
    let batch = WebhookConfig { batch: 0, ..webhook("https://host.example/") };
    assert!(refused(batch).starts_with("events.webhook.batch: must be 1 to 1000"));
}

/// The receiver is down when a customer objects: what it has not been given by then it never is.
#[tokio::test]
async fn a_request_that_waits_for_its_next_try_forgets_what_a_customer_objects_to() {
    let (address, mut receiver) = server(vec![Treat::After("1"), Treat::Status(204)]).await;
    let config = WebhookConfig {
        retry_after: Period::from_millis(500),
        retry_at_most: Period::from_millis(1_000),
        kinds: vec![Kind::CallStarted, Kind::AffectUpdate],
        ..webhook(&format!("http://{address}/hook"))
    };
    let (bus, sinks) = start(config, 100);
    a_call().into_iter().for_each(|event| bus.publish(event));
    let kinds = |received: Received| received.events().iter().map(Event::kind).collect::<Vec<_>>();
    let mut first = kinds(next(&mut receiver).await);
    bus.erase(a_call()[0].call.id, u64::MAX);
    let mut second = kinds(next(&mut receiver).await);
    if first.len() == 1 {
        // The first went alone; the other was still in the queue.
        first.push(Kind::AffectUpdate);
    }
    assert_eq!(first, [Kind::CallStarted, Kind::AffectUpdate]);
    second.dedup();
    assert_eq!(second, [Kind::CallStarted]);
    let counts = finished(sinks).await;
    assert_eq!((counts.delivered, counts.failed), (1, 0));
}
