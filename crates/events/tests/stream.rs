//! The live stream, listened to by a plain TCP client.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{a_call, narrator, narrator_of};
use sidetone_call::Leg;
use sidetone_events::config::{EventsConfig, StreamConfig};
use sidetone_events::{Bus, CallHeld, Event, Kind, Secret, Sinks, StallGuard};
use sidetone_insight::Period;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Long enough for any machine; only a failing test waits for it.
const FOREVER: Duration = Duration::from_secs(60);

struct Server {
    bus: Bus,
    sinks: Sinks,
    address: SocketAddr,
}

async fn server(stream: StreamConfig, patience: Duration) -> Server {
    let bus = Bus::new();
    bus.keep_words(true);
    let config = EventsConfig { stream, queue: 100_000, ..EventsConfig::default() };
    let sinks = Sinks::start(&config, &bus).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = sinks.hub().router();
    tokio::spawn(async move { axum::serve(StallGuard::new(listener, patience), app).await.unwrap() });
    Server { bus, sinks, address }
}

async fn plain() -> Server {
    server(StreamConfig::default(), FOREVER).await
}

/// One message of the stream.
#[derive(Debug, Default, PartialEq)]
struct Message {
    id: Option<String>,
    event: Option<String>,
    data: Option<String>,
    comment: Option<String>,
}

struct Client {
    status: String,
    headers: String,
    lines: BufReader<TcpStream>,
}

impl Client {
    async fn get(server: &Server, path: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: sidetone\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut lines = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(
                tokio::time::timeout(FOREVER, lines.read_line(&mut head)).await.unwrap().unwrap(),
                0,
                "{head}"
            );
        }
        let (status, headers) = head.split_once("\r\n").unwrap();
        Self { status: status.to_owned(), headers: headers.to_lowercase(), lines }
    }

    /// The next message; `None` when the stream has ended. Undoes chunked coding by leaving out lines of bare hex.
    async fn next(&mut self) -> Option<Message> {
        let mut message = Message::default();
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(FOREVER, self.lines.read_line(&mut line))
                .await
                .expect("no message came");
            if !read.is_ok_and(|bytes| bytes > 0) {
                return None;
            }
            // A chunk's size and the line end after a chunk end in CR LF, lines of the stream in LF alone; a chunk of
            // size 0 is the last.
            match line.strip_suffix("\r\n") {
                Some("0") => return None,
                Some(_) => continue,
                None => {}
            }
            match line.trim_end().split_once(':') {
                Some(("", comment)) => message.comment = Some(comment.trim_start().to_owned()),
                Some(("id", id)) => message.id = Some(id.trim_start().to_owned()),
                Some(("event", event)) => message.event = Some(event.trim_start().to_owned()),
                Some(("data", data)) => message.data = Some(data.trim_start().to_owned()),
                Some(_) => {}
                None if message != Message::default() => return Some(message),
                None => {}
            }
        }
    }

    async fn event(&mut self) -> Option<Event> {
        loop {
            let message = self.next().await?;
            if let Some(data) = message.data {
                let event: Event = serde_json::from_str(&data).unwrap();
                assert_eq!(message.id, Some(event.id.to_string()));
                assert_eq!(message.event.as_deref(), Some(event.kind().name()));
                return Some(event);
            }
        }
    }

    /// Waits for the greeting, after which the client has its place.
    async fn greeted(mut self) -> Self {
        assert_eq!(self.status, "HTTP/1.1 200 OK", "{}", self.headers);
        assert_eq!(self.next().await.unwrap().comment.as_deref(), Some("sidetone.event.v1"));
        self
    }
}

#[tokio::test]
async fn events_come_as_they_happen() {
    let server = plain().await;
    let mut client = Client::get(&server, "/events", "").await.greeted().await;
    assert!(client.headers.contains("content-type: text/event-stream"), "{}", client.headers);
    assert!(client.headers.contains("cache-control: no-store"), "{}", client.headers);
    for event in a_call() {
        server.bus.publish(event.clone());
        assert_eq!(client.event().await, Some(event));
    }
    assert_eq!(server.sinks.hub().counts().sent, a_call().len() as u64);
}

#[tokio::test]
async fn filters_choose_calls_and_kinds() {
    let server = plain().await;
    let (mut one, mut other) = (narrator_of(1), narrator_of(2));
    let id = other.call().id;
    let path = format!("/events?call={id}&kind=affect.alert,call.ended&kind=call.held");
    let mut client = Client::get(&server, &path, "").await.greeted().await;
    for (at, happening) in common::a_happening_of_each_kind() {
        server.bus.publish(one.tell(Duration::from_millis(at), happening.clone()));
        server.bus.publish(other.tell(Duration::from_millis(at), happening));
    }
    for kind in ["affect.alert", "call.held", "call.ended"] {
        let event = client.event().await.unwrap();
        assert_eq!((event.call.id, event.kind().name()), (id, kind));
    }
}

#[tokio::test]
async fn what_is_no_filter_is_refused() {
    let server = plain().await;
    for (path, why) in [
        ("/events?call=12", "not a call id"),
        ("/events?kind=call.vanished", "no such kind"),
        ("/events?knd=call.ended", "`knd` is no filter"),
    ] {
        let mut client = Client::get(&server, path, "Connection: close\r\n").await;
        let mut body = String::new();
        client.lines.read_to_string(&mut body).await.unwrap();
        assert!(client.status.contains("400") && body.contains(why), "{} {body}", client.status);
    }
    assert_eq!(server.sinks.hub().counts().clients, 0);
}

#[tokio::test]
async fn a_client_that_comes_back_is_told_what_it_missed() {
    let server = plain().await;
    let events = a_call();
    let mut client = Client::get(&server, "/events", "").await.greeted().await;
    server.bus.publish(events[0].clone());
    let last = client.event().await.unwrap().id;
    drop(client);
    events[1..].iter().for_each(|event| server.bus.publish(event.clone()));
    let mut client =
        Client::get(&server, "/events", &format!("Last-Event-ID: {last}\r\n")).await.greeted().await;
    for event in &events[1..] {
        assert_eq!(client.event().await.as_ref(), Some(event));
    }
}

/// Words that may not be kept are told while their call is up, and to nobody who comes later.
#[tokio::test]
async fn who_comes_after_a_calls_end_is_told_none_of_its_words() {
    let server = plain().await;
    server.bus.keep_words(false);
    let events = a_call();
    let words = |event: &Event| matches!(event.kind(), Kind::WordsFinal | Kind::WordsTopic);
    let mut live = Client::get(&server, "/events", "").await.greeted().await;
    let (last, before) = events.split_last().unwrap();
    before.iter().for_each(|event| server.bus.publish(event.clone()));
    for event in before {
        assert_eq!(live.event().await.as_ref(), Some(event), "told as it happens");
    }
    server.bus.publish(last.clone());
    assert_eq!(live.event().await.as_ref(), Some(last));
    let missed = format!("Last-Event-ID: {}\r\n", events[0].id);
    let mut late = Client::get(&server, "/events", &missed).await.greeted().await;
    for event in &events[1..] {
        let told = late.event().await.unwrap();
        assert_eq!(told.id, event.id);
        assert!(!words(&told), "{told:?}");
        assert_eq!(told.kind() == Kind::Erased, words(event) || event.kind() == Kind::Erased);
    }
}

#[tokio::test]
async fn what_is_no_longer_held_is_told_to_be_missing() {
    let server = server(StreamConfig { replay: 4, ..StreamConfig::default() }, FOREVER).await;
    let events = a_call();
    let mut watcher = Client::get(&server, "/events", "").await.greeted().await;
    for event in &events {
        server.bus.publish(event.clone());
        watcher.event().await.unwrap();
    }
    for unknown in [events[0].id.to_string(), "of another server".to_owned()] {
        let mut client = Client::get(&server, "/events", &format!("Last-Event-ID: {unknown}\r\n")).await;
        assert_eq!(
            client.next().await.unwrap().comment.as_deref(),
            Some("events may be missing before this")
        );
        for event in &events[events.len() - 4..] {
            assert_eq!(client.event().await.as_ref(), Some(event), "all that is held is sent");
        }
    }
}

#[tokio::test]
async fn a_new_client_is_not_told_the_past() {
    let server = plain().await;
    let events = a_call();
    let mut watcher = Client::get(&server, "/events", "").await.greeted().await;
    server.bus.publish(events[0].clone());
    watcher.event().await.unwrap();
    let mut client = Client::get(&server, "/events", "").await.greeted().await;
    server.bus.publish(events[1].clone());
    assert_eq!(client.event().await.as_ref(), Some(&events[1]));
}

#[tokio::test]
async fn a_token_is_needed_if_one_is_set() {
    let token = Some(Secret::new("a token of enough bytes"));
    let server = server(StreamConfig { token, ..StreamConfig::default() }, FOREVER).await;
    for wrong in [
        "",
        "Authorization: Bearer\r\n",
        "Authorization: Bearer a token of enough byte\r\n",
        "Authorization: Bearer a token of enough bytes!\r\n",
        "Authorization: Basic a token of enough bytes\r\n",
    ] {
        let client = Client::get(&server, "/events", wrong).await;
        assert!(
            client.status.contains("401") && client.headers.contains("www-authenticate: bearer"),
            "{wrong}"
        );
    }
    let right = "Authorization: bearer a token of enough bytes\r\n";
    Client::get(&server, "/events", right).await.greeted().await;
}

#[tokio::test]
async fn clients_are_limited_and_leave_their_place_when_they_go() {
    let server = server(StreamConfig { clients: 2, ..StreamConfig::default() }, FOREVER).await;
    let one = Client::get(&server, "/events", "").await.greeted().await;
    let _two = Client::get(&server, "/events", "").await.greeted().await;
    let refused = Client::get(&server, "/events", "").await;
    assert!(
        refused.status.contains("503") && refused.headers.contains("retry-after: 5"),
        "{}",
        refused.status
    );
    assert_eq!(server.sinks.hub().counts().refused, 1);
    drop(one);
    let mut narrator = narrator();
    // The server notices that a client has gone when it next writes to it.
    while server.sinks.hub().counts().clients == 2 {
        server.bus.publish(narrator.tell(Duration::ZERO, CallHeld { by: Leg::Agent }));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Client::get(&server, "/events", "").await.greeted().await;
}

#[tokio::test]
async fn an_idle_stream_is_kept_open_by_comments() {
    let heartbeat = Period::from_millis(20);
    let server = server(StreamConfig { heartbeat, ..StreamConfig::default() }, FOREVER).await;
    let mut client = Client::get(&server, "/events", "").await.greeted().await;
    for _ in 0..3 {
        let message = client.next().await.unwrap();
        assert_eq!((message.comment.as_deref(), message.data), (Some(""), None));
    }
}

/// A client that stops reading: the kernel's buffers fill, its connection stalls, and it is cut off. Others go on.
#[tokio::test]
async fn a_client_that_stops_reading_is_dropped() {
    let server =
        server(StreamConfig { replay: 64, ..StreamConfig::default() }, Duration::from_millis(200)).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stuck = socket.connect(server.address).await.unwrap();
    stuck.write_all(b"GET /events HTTP/1.1\r\nHost: sidetone\r\n\r\n").await.unwrap();
    let mut reader = Client::get(&server, "/events", "").await.greeted().await;
    while server.sinks.hub().counts().clients < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let reading = tokio::spawn(async move {
        let mut last = 0;
        while let Some(event) = reader.event().await {
            assert_eq!(event.seq, last + 1, "the one that reads loses nothing");
            last = event.seq;
        }
        last
    });
    let mut narrator = narrator();
    let mut published = 0;
    while server.sinks.hub().counts().clients == 2 {
        let behind = server.sinks.hub().counts().sent;
        server.bus.publish(narrator.tell(Duration::ZERO, common::ended()));
        published += 1;
        // No faster than the client that reads, whose place is in the same small ring.
        while server.sinks.hub().counts().sent == behind {
            tokio::task::yield_now().await;
        }
    }
    server.sinks.shutdown(FOREVER).await;
    assert_eq!(tokio::time::timeout(FOREVER, reading).await.unwrap().unwrap(), published);
}

/// A client that reads, but too slowly: it falls behind by the whole ring and its stream ends, to be taken up again.
#[tokio::test]
async fn a_client_that_falls_behind_is_sent_away() {
    let server = server(StreamConfig { replay: 8, ..StreamConfig::default() }, FOREVER).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    stream.write_all(b"GET /events HTTP/1.1\r\nHost: sidetone\r\nConnection: close\r\n\r\n").await.unwrap();
    while server.sinks.hub().counts().clients == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut narrator = narrator();
    // Until nothing more goes out to it, and then a ring more.
    let mut sent = u64::MAX;
    while server.sinks.hub().counts().sent != sent {
        sent = server.sinks.hub().counts().sent;
        for _ in 0..64 {
            server.bus.publish(narrator.tell(Duration::ZERO, common::ended()));
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut all = Vec::new();
    tokio::time::timeout(FOREVER, stream.read_to_end(&mut all)).await.unwrap().unwrap();
    assert!(all.ends_with(b"0\r\n\r\n"), "the stream was ended, not cut");
    assert_eq!(server.sinks.hub().counts().lagged, 1);
    assert_eq!(server.sinks.hub().counts().clients, 0);
}

#[tokio::test]
async fn the_stream_ends_with_the_bus() {
    let server = plain().await;
    let mut client = Client::get(&server, "/events", "").await.greeted().await;
    server.bus.publish(a_call().remove(0));
    server.sinks.shutdown(FOREVER).await;
    assert!(client.event().await.is_some());
    assert!(client.event().await.is_none());
}
