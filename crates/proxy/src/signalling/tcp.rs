//! SIP over TCP: accepting connections, connecting to send a message, reading and writing.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use sidetone_sip::framing::Frame;
use sidetone_sip::proxy::{Destination, DropReason};
use sidetone_sip::{Flow, Transport};
use tokio::io::{AsyncRead, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use super::Signalling;
use super::core::Core;
use super::streams::{
    Closed, Connection, IDLE, Incoming, LAST_WORDS, MESSAGE_PATIENCE, Name, PONG, WRITE_PATIENCE, Waiting,
    connect, discard, prepare, write,
};

impl Signalling {
    /// TCP connections open now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.streams.len()
    }

    /// TCP connections that found no room.
    #[must_use]
    pub fn connections_refused(&self) -> u64 {
        self.streams.refused.load(Relaxed)
    }

    /// TCP connections closed since their peer did not read the messages sent.
    #[must_use]
    pub fn connections_unread(&self) -> u64 {
        self.streams.unread.load(Relaxed)
    }

    pub(super) async fn serve_tcp(self: Arc<Self>, local: SocketAddr, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, remote)) => {
                    // A stranger gets no connection to hold.
                    let owner = {
                        let mut core = self.core();
                        let owner = core.asker(remote);
                        if owner.is_none() {
                            core.count_stranger(self.now(), remote.ip(), "TCP connection");
                        }
                        owner
                    };
                    if owner.is_none() {
                        continue;
                    }
                    if let Some((connection, receiver)) = self.streams.enter((local, remote), owner) {
                        let this = Arc::clone(&self);
                        let alarm = this.alarm.clone();
                        alarm.watch(
                            "a SIP connection",
                            this.serve_stream(stream, (local, remote), connection, receiver),
                        );
                    }
                }
                // Out of descriptors, most likely: pause instead of spinning.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    pub(super) fn send_stream(
        self: &Arc<Self>,
        core: &mut Core,
        now: Duration,
        bytes: &Bytes,
        to: Destination,
        connect_if_need_be: bool,
    ) {
        let name = (to.local, to.remote);
        let there = self.streams.map().get(&name).cloned();
        if let Some(connection) = there {
            if !connection.push(bytes.clone()) {
                self.cut_off(name, &connection);
                core.send_failed(now, &to);
                core.unsent(now, &to, bytes);
            }
            return;
        }
        let entered = if connect_if_need_be { self.streams.enter(name, core.asker(to.remote)) } else { None };
        let Some((connection, receiver)) = entered else {
            core.send_failed(now, &to);
            return core.unsent(now, &to, bytes);
        };
        // The queue is new; its peer may have used up its room on other connections.
        if !connection.push(bytes.clone()) {
            self.cut_off(name, &connection);
            core.send_failed(now, &to);
            return core.unsent(now, &to, bytes);
        }
        let this = Arc::clone(self);
        let mut receiver = receiver;
        self.alarm.watch("a SIP connection", async move {
            match connect(&to).await {
                Ok(stream) => this.serve_stream(stream, name, connection, receiver).await,
                Err(error) => {
                    tracing::debug!(%error, peer = %to.remote, "a TCP connection could not be made");
                    this.left(name, &connection);
                    this.unsent(&to, None, &mut receiver);
                }
            }
        });
    }

    /// A peer has let too many messages pile up.
    fn cut_off(&self, name: Name, connection: &Connection) {
        if self.streams.leave(name, connection) {
            // Logged in the same way as refused connections.
            let unread = self.streams.unread.fetch_add(1, Relaxed) + 1;
            if unread.is_power_of_two() {
                let peer = connection.owner.as_ref().map(|(_, name)| &**name);
                tracing::warn!(peer, remote = %name.1, unread, "a TCP connection was closed: its peer does not read what is sent");
            }
        }
    }

    /// Reports the queued messages of a connection that is gone: `first`, which was being written, and all that wait.
    /// Each takes the lock by itself, since others need the core too.
    fn unsent(self: &Arc<Self>, to: &Destination, first: Option<Bytes>, queue: &mut Receiver<Waiting>) {
        queue.close();
        let waiting = std::iter::from_fn(|| queue.try_recv().ok()).map(|waiting| waiting.bytes);
        for bytes in first.into_iter().chain(waiting) {
            self.with(|core, now| core.unsent(now, to, &bytes));
        }
    }

    async fn serve_stream(
        self: Arc<Self>,
        stream: TcpStream,
        name: Name,
        connection: Connection,
        mut queue: Receiver<Waiting>,
    ) {
        if let Err(error) = prepare(&stream) {
            tracing::debug!(%error, peer = %name.1, "a TCP connection was made without its time limits");
        }
        let (reader, writer) = stream.into_split();
        let flow = Flow { transport: Transport::Tcp, local: name.0, remote: name.1 };
        let mut reader = reader;
        let written = {
            let mut writing = pin!(write(writer, &mut queue, WRITE_PATIENCE));
            let ended = tokio::select! {
                () = self.read(&mut reader, &flow, &connection) => None,
                written = &mut writing => Some(written),
                () = connection.closed.notified() => Some(Err(None)),
            };
            self.left(name, &connection);
            // No sender is left, so the writer ends with the last queued message: it may be the response that says why
            // the connection is closed.
            drop(connection);
            match ended {
                Some(ended) => ended,
                None => timeout(LAST_WORDS, writing).await.unwrap_or(Err(None)),
            }
        };
        match written {
            // A connection closed with bytes unread would be reset, and the response lost on its way.
            Ok(mut writer) => {
                let _ = writer.shutdown().await;
                let _ = timeout(LAST_WORDS, discard(reader)).await;
            }
            Err(first) => self.unsent(&Destination::from(flow), first, &mut queue),
        }
    }

    /// A connection has ended. If it was taken out of the map before, the core knows already.
    fn left(self: &Arc<Self>, name: Name, connection: &Connection) {
        if self.streams.leave(name, connection) {
            let to = Destination { transport: Transport::Tcp, local: name.0, remote: name.1 };
            self.with(|core, now| core.send_failed(now, &to));
        }
    }

    async fn read(self: &Arc<Self>, reader: impl AsyncRead + Unpin, flow: &Flow, own: &Connection) {
        let mut incoming = Incoming::new(reader, IDLE, MESSAGE_PATIENCE);
        loop {
            match incoming.next().await {
                Ok(Frame::Message(message)) => {
                    self.with(|core, now| self.received(core, now, flow, message));
                }
                Ok(Frame::Ping) => {
                    if !own.push(PONG) {
                        return;
                    }
                }
                // The boundary between messages is lost, so everything after it would be guesswork.
                Err(Closed::Broken(broken)) => {
                    tracing::debug!(flaw = %broken.flaw, "a TCP connection was closed for what it sent");
                    self.with(|core, now| match broken.head {
                        Some(head) => core.receive_broken(now, flow, head, broken.flaw),
                        None => core.lost(flow, DropReason::Unframed(broken.flaw)),
                    });
                    return;
                }
                Err(Closed::Slow) => {
                    tracing::debug!(peer = %flow.remote, "a TCP connection was closed for a message that never ended");
                    self.with(|core, _| core.lost(flow, DropReason::Unfinished));
                    return;
                }
                Err(Closed::Ended) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sidetone_events::{Bus, NumberHasher};
    use sidetone_sip::anchor::Anchor;
    use sidetone_sip::notification::{InfoFilter, Legs};
    use sidetone_sip::proxy::{Listener, Proxy, Settings};
    use tokio::sync::mpsc::channel;

    use sidetone_call::Side;
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::config::Config;
    use crate::routing::PeerName;
    use crate::signalling::streams::{QUEUE, Streams};
    use sidetone_book::Calls;
    use sidetone_relay::Engine;
    use sidetone_watch::Alarm;

    const OPTIONS: &[u8] = b"OPTIONS sip:127.0.0.1 SIP/2.0\r\nContent-Length: 0\r\n\r\n";
    const SOON: Duration = Duration::from_millis(40);
    /// Ends a test that would wait for ever; no assertion depends on how long it is.
    const LONG: Duration = Duration::from_secs(60);

    /// The SIP side on a TCP port of its own, and that port.
    fn bound() -> (Arc<Signalling>, SocketAddr) {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config: Config = toml::from_str(&format!(
            r#"
            [sip]
            listen = ["tcp:{port}"]
            [media]
            [health]
            options_interval = "0s"
            [[trunk]]
            name = "carrier"
            allow = ["127.0.0.1"]
            hosts = [{{ to = "sip:127.0.0.1:9;transport=tcp" }}]
            [[pbx]]
            name = "pbx"
            allow = ["127.0.0.2"]
            hosts = [{{ to = "sip:127.0.0.2:9;transport=tcp" }}]
            "#
        ))
        .unwrap();
        let epoch = std::time::Instant::now();
        let (notices, _inbox) = channel(16);
        let engine =
            Engine::start(config.media.clone(), vec![Vec::new()], &notices, epoch, 1, &Alarm::new()).unwrap();
        let settings = Settings::new(vec![Listener::bound(Transport::Tcp, port)]);
        let anchor = Anchor::new(engine, sidetone_sip::anchor::Settings::default());
        let calls = Calls::new(
            Bus::new(),
            NumberHasher::with_random_salt().unwrap(),
            Vec::new(),
            sidetone_book::Rules { media_timeout: LONG, ..Default::default() },
            epoch,
        );
        let asides = InfoFilter::new(anchor, Legs::new(&settings, false), false);
        let calls = Arc::new(calls);
        let hasher = NumberHasher::with_random_salt().unwrap();
        let tracer =
            crate::trace::Tracer::start(hasher, &calls, calls.epoch_wall(), epoch, &Alarm::new()).unwrap();
        let core = Core::new(Arc::new(config), Proxy::new(settings, asides, 1), calls, 1);
        (Signalling::bind(core, Alarm::new(), tracer, epoch).unwrap(), port)
    }

    fn signalling() -> (Arc<Signalling>, SocketAddr) {
        let (signalling, port) = bound();
        signalling.serve();
        (signalling, port)
    }

    /// No message is processed before every other resource has been obtained.
    #[tokio::test]
    async fn what_comes_before_it_is_served_waits() {
        let (signalling, local) = bound();
        let _peer = TcpStream::connect(local).await.unwrap();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(signalling.connections(), 0);
        signalling.serve();
        let taken = async {
            while signalling.connections() == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONG, taken).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_peer_that_never_reads_is_cut_off_and_its_place_freed() {
        let (signalling, local) = signalling();
        let mut peer = TcpStream::connect(local).await.unwrap();
        let to = Destination { transport: Transport::Tcp, local, remote: peer.local_addr().unwrap() };
        let settled = async {
            while signalling.connections() == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let message = Bytes::from(vec![b'x'; 60_000]);
            while signalling.connections() > 0 {
                signalling.with(|core, now| {
                    signalling.send_stream(core, now, &message, to, false);
                });
                tokio::task::yield_now().await;
            }
            // The bytes that the kernel had taken still arrive, then the end: no socket handle is left.
            let mut buffer = vec![0; 1 << 16];
            while let Ok(1..) = peer.read(&mut buffer).await {}
        };
        timeout(LONG, settled).await.unwrap();
    }

    #[tokio::test]
    async fn a_newer_connection_of_the_same_name_closes_the_older() {
        let streams = Streams::new(2);
        let name = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        let (older, _queue) = streams.enter(name, None).unwrap();
        let (newer, _queue) = streams.enter(name, None).unwrap();
        timeout(LONG, older.closed.notified()).await.unwrap();
        assert!(!streams.leave(name, &older), "the older one must not close the newer");
        assert_eq!(streams.len(), 1);
        assert!(streams.leave(name, &newer));
        assert_eq!(streams.len(), 0);
    }

    /// Idle connections of one trunk leave room for the next trunk, and those of all trunks for the PBXs.
    #[test]
    fn no_peer_has_all_the_connections() {
        let streams = Streams::new(20);
        let mut port = 0;
        let mut open = |peer: Option<PeerName>, tries| {
            let entered = (0..tries).filter(|_| {
                port += 1;
                let name = ("127.0.0.1:1".parse().unwrap(), SocketAddr::from(([127, 0, 0, 2], port)));
                streams.enter(name, peer.clone()).is_some()
            });
            entered.count()
        };
        let peer = |side, name: &str| Some((side, name.into()));
        assert_eq!(open(peer(Side::Trunk, "a"), 30), 10);
        assert_eq!(open(peer(Side::Trunk, "b"), 30), 5);
        assert_eq!(open(None, 30), 0);
        assert_eq!(open(peer(Side::Pbx, "c"), 30), 5);
        assert_eq!(streams.refused.load(Relaxed), 20 + 25 + 30 + 25);
    }

    #[tokio::test]
    async fn a_write_that_makes_no_progress_ends() {
        let (writer, _peer) = tokio::io::duplex(16);
        let streams = Streams::new(2);
        let name = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        let (connection, mut queue) = streams.enter(name, None).unwrap();
        assert!(connection.push(Bytes::from_static(&[0; 64])));
        let written = timeout(LONG, write(writer, &mut queue, SOON)).await.unwrap();
        assert_eq!(written.err().flatten().map(|bytes| bytes.len()), Some(64), "it is given back");
    }

    /// Memory is bounded by bytes, for one connection and for all of a peer's; written messages make room again.
    #[test]
    fn what_waits_is_bounded_by_bytes() {
        let streams = Streams::new(200);
        let long = Bytes::from(vec![b'x'; 100_000]);
        let fill = |connection: &Connection| (0..QUEUE).filter(|_| connection.push(long.clone())).count();
        let mut port = 0;
        let mut open = |peer: &str| {
            port += 1;
            let name = ("127.0.0.1:1".parse().unwrap(), SocketAddr::from(([127, 0, 0, 2], port)));
            streams.enter(name, Some((Side::Pbx, peer.into()))).unwrap()
        };
        let (first, mut queue) = open("a");
        assert_eq!(fill(&first), 10);
        assert!(queue.try_recv().is_ok() && first.push(long.clone()) && !first.push(long.clone()));
        let others: Vec<_> = (0..30).map(|_| open("a")).collect();
        let queued: usize = others.iter().map(|(connection, _)| fill(connection)).sum();
        assert_eq!(queued, 157, "16 MiB, the first ten included");
        assert_eq!(fill(&open("b").0), 10);
        drop((first, queue, others));
    }

    #[tokio::test]
    async fn a_message_that_drips_in_is_cut_however_steadily() {
        let (mut peer, reader) = tokio::io::duplex(64);
        let drip = tokio::spawn(async move {
            peer.write_all(b"OPTIONS sip:127.0.0.1 SIP/2.0\r\nSubject: ").await.unwrap();
            while peer.write_all(b"z").await.is_ok() {
                tokio::time::sleep(SOON / 8).await;
            }
        });
        let mut incoming = Incoming::new(reader, LONG, SOON);
        let next = timeout(LONG, incoming.next()).await.unwrap();
        assert!(matches!(next, Err(Closed::Slow)), "{next:?}");
        drop(incoming);
        timeout(LONG, drip).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn patience_is_per_message_and_silence_between_messages_is_no_slowness() {
        let (mut peer, reader) = tokio::io::duplex(1_024);
        let mut incoming = Incoming::new(reader, LONG, LONG);
        peer.write_all(&[OPTIONS, OPTIONS, b"\r\n\r\n", b"OPT"].concat()).await.unwrap();
        for _ in 0..2 {
            assert!(matches!(incoming.next().await, Ok(Frame::Message(message)) if message == OPTIONS));
            assert!(incoming.begun.is_none(), "a message that is complete is not under way");
        }
        assert!(matches!(incoming.next().await, Ok(Frame::Ping)));
        assert!(timeout(SOON, incoming.next()).await.is_err());
        let begun = incoming.begun.unwrap();
        peer.write_all(b"IONS").await.unwrap();
        assert!(timeout(SOON, incoming.next()).await.is_err());
        assert_eq!(incoming.begun, Some(begun), "more bytes must not buy more time");
        drop(peer);
        assert!(matches!(incoming.next().await, Err(Closed::Ended)));
    }
}
