//! TCP connections for SIP: accepted ones, and those made because a message has to go out.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sidetone_call::Side;
use sidetone_sip::framing::{Broken, Frame, Framer};
use sidetone_sip::message::Limits;
use sidetone_sip::proxy::{Destination, DropReason};
use sidetone_sip::{Flow, Transport};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, timeout, timeout_at};

use super::{Core, Signalling};
use crate::routing::{PeerName, usual_share};

/// Messages waiting for one connection; a peer that lets more pile up is cut off.
const QUEUE: usize = 512;
/// Bytes waiting for one connection, likewise: eight messages of the greatest length, or some thousand of the usual.
const QUEUED_BYTES: usize = 1 << 20;
/// Bytes waiting for all connections of one peer, likewise: however many it holds, it costs no more memory than this.
const QUEUED_BYTES_OF_PEER: usize = 16 << 20;
const CONNECT_PATIENCE: Duration = Duration::from_secs(4);
/// A connection without a byte for this long is closed; peers that want to keep one send keep-alives.
const IDLE: Duration = Duration::from_secs(600);
/// How long a message may take from its first byte to its last, however steadily its bytes drip in.
const MESSAGE_PATIENCE: Duration = Duration::from_secs(30);
/// How long a peer may leave one message unread once the kernel's buffers are full.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);
/// What was sent and stays unacknowledged for this long breaks the connection: a request fails over to another host
/// well before its timer B, instead of being written into the void until the kernel gives up after a quarter of an
/// hour.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(10);
/// A silent connection is asked whether it still lives after this long, then this often, and given up after this many.
const KEEP_ALIVE: (Duration, Duration, u32) = (Duration::from_secs(30), Duration::from_secs(5), 3);
/// How long a connection stays open after the last message, for that to arrive.
const LAST_WORDS: Duration = Duration::from_secs(2);
const PONG: Bytes = Bytes::from_static(b"\r\n");

/// A connection is named by the listener it belongs to and the far end.
type Name = (SocketAddr, SocketAddr);

/// The open connections.
pub(super) struct Streams {
    open: Mutex<HashMap<Name, Connection>>,
    most: usize,
    refused: AtomicU64,
    /// Connections cut off since their peer let too much pile up.
    unread: AtomicU64,
}

/// A message that waits for its connection.
struct Waiting {
    bytes: Bytes,
    _room: Room,
}

/// What a message takes of a connection's room and of its peer's, until it is written or dropped.
struct Room {
    length: usize,
    of: [Arc<AtomicUsize>; 2],
}

impl Drop for Room {
    fn drop(&mut self) {
        for taken in &self.of {
            taken.fetch_sub(self.length, Relaxed);
        }
    }
}

/// One connection, as those who send on it hold it.
#[derive(Clone)]
struct Connection {
    queue: Sender<Waiting>,
    /// Bytes that wait for it, and for all of its peer's.
    queued: [Arc<AtomicUsize>; 2],
    /// Told when the connection is taken out of the map: its task must not outlive its place there.
    closed: Arc<Notify>,
    /// Whose it is; none of an address that is no peer's.
    owner: Option<PeerName>,
}

impl Connection {
    /// Queues a message; false if there is no room for it, or nobody to write it.
    fn push(&self, bytes: Bytes) -> bool {
        let length = bytes.len();
        let room = Room { length, of: self.queued.clone() };
        let mut fits = true;
        for (taken, most) in self.queued.iter().zip([QUEUED_BYTES, QUEUED_BYTES_OF_PEER]) {
            fits &= taken.fetch_add(length, Relaxed).saturating_add(length) <= most;
        }
        fits && self.queue.try_send(Waiting { bytes, _room: room }).is_ok()
    }
}

impl Streams {
    pub(super) fn new(most: usize) -> Self {
        let (refused, unread) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { open: Mutex::new(HashMap::new()), most, refused, unread }
    }

    /// Whether a peer may have one more beside these. Of all places no peer gets more than half, and all trunks and
    /// strangers together leave a quarter to the PBXs: however many connections a carrier holds and says nothing on,
    /// agents can call.
    fn has_room<'a>(&self, owner: Option<&PeerName>, others: impl Iterator<Item = &'a Connection>) -> bool {
        let (mut all, mut theirs, mut outside) = (0, 0, 0);
        let is_pbx = |owner: Option<&PeerName>| owner.is_some_and(|(side, _)| *side == Side::Pbx);
        for connection in others {
            all += 1;
            theirs += usize::from(connection.owner.as_ref() == owner);
            outside += usize::from(!is_pbx(connection.owner.as_ref()));
        }
        let each = self.most.div_ceil(2);
        all < self.most && theirs < each && (is_pbx(owner) || outside < usual_share(self.most))
    }

    fn map(&self) -> std::sync::MutexGuard<'_, HashMap<Name, Connection>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room for a connection; none if there are too many. An older one of that name is closed.
    fn enter(&self, name: Name, owner: Option<PeerName>) -> Option<(Connection, Receiver<Waiting>)> {
        let mut open = self.map();
        let others = open.iter().filter(|(other, _)| **other != name).map(|(_, connection)| connection);
        if !self.has_room(owner.as_ref(), others) {
            // Told at its first time and each time that it has doubled: whoever fills the table also fills a log.
            let refused = self.refused.fetch_add(1, Relaxed) + 1;
            if refused.is_power_of_two() {
                let peer = owner.as_ref().map(|(_, name)| &**name);
                tracing::warn!(peer, remote = %name.1, refused, "a TCP connection was refused: its peer has its share of sip.max_connections");
            }
            return None;
        }
        let (queue, receiver) = channel(QUEUE);
        let of_peer = open.values().find(|other| other.owner == owner).map(|other| other.queued[1].clone());
        let queued = [Arc::default(), of_peer.unwrap_or_default()];
        let connection = Connection { queue, queued, closed: Arc::new(Notify::new()), owner };
        if let Some(older) = open.insert(name, connection.clone()) {
            older.closed.notify_one();
        }
        Some((connection, receiver))
    }

    /// Closes a connection and frees its place; false if somebody has done so already.
    fn leave(&self, name: Name, connection: &Connection) -> bool {
        let mut open = self.map();
        let there = open.get(&name).is_some_and(|there| there.queue.same_channel(&connection.queue));
        if there {
            open.remove(&name);
            connection.closed.notify_one();
        }
        there
    }

    /// Connections open now.
    pub(super) fn len(&self) -> usize {
        self.map().len()
    }
}

/// Binds a listening socket.
pub(super) fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(1_024)
}

async fn connect(to: &Destination) -> io::Result<TcpStream> {
    let socket = if to.remote.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // From the listener's address, so that the peer's access list sees whom it expects.
    socket.bind(SocketAddr::new(to.local.ip(), 0))?;
    timeout(CONNECT_PATIENCE, socket.connect(to.remote))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

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

    /// TCP connections cut off since their peer did not read what was sent.
    #[must_use]
    pub fn connections_unread(&self) -> u64 {
        self.streams.unread.load(Relaxed)
    }

    pub(super) async fn serve_tcp(self: Arc<Self>, local: SocketAddr, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, remote)) => {
                    // Strangers don't even get a connection to hold.
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
                // Out of descriptors, most likely: take a breath instead of spinning.
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
        // The queue is new; its peer may have used up its room by others.
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

    /// A peer has let too much pile up.
    fn cut_off(&self, name: Name, connection: &Connection) {
        if self.streams.leave(name, connection) {
            // Told as refused connections are.
            let unread = self.streams.unread.fetch_add(1, Relaxed) + 1;
            if unread.is_power_of_two() {
                let peer = connection.owner.as_ref().map(|(_, name)| &**name);
                tracing::warn!(peer, remote = %name.1, unread, "a TCP connection was closed: its peer does not read what is sent");
            }
        }
    }

    /// What was queued for a connection that is gone: `first`, which was being written, and all that waits. Each is
    /// handed in by itself, since others want the core too.
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
            // Nobody can send here any more, so the writer ends with the last message that is queued: it may be the
            // answer that says why the connection is closed.
            drop(connection);
            match ended {
                Some(ended) => ended,
                None => timeout(LAST_WORDS, writing).await.unwrap_or(Err(None)),
            }
        };
        match written {
            // Closed with bytes unread, the connection would be reset, and the answer lost on its way.
            Ok(mut writer) => {
                let _ = writer.shutdown().await;
                let _ = timeout(LAST_WORDS, discard(reader)).await;
            }
            Err(first) => self.unsent(&Destination::from(flow), first, &mut queue),
        }
    }

    /// A connection has ended. Whoever took it out of the map before has told the core already.
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
                // Where one message ends is lost, so everything after it would be guesswork.
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

/// Sets what keeps a dead peer from being taken for a silent one.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let (after, every, times) = KEEP_ALIVE;
    socket
        .set_tcp_keepalive(&TcpKeepalive::new().with_time(after).with_interval(every).with_retries(times))?;
    socket.set_tcp_user_timeout(Some(ACKNOWLEDGED_WITHIN))
}

/// Why nothing more is read from a connection.
#[derive(Debug)]
enum Closed {
    /// The peer or the network ended it, or it was idle for too long.
    Ended,
    /// A message began and was not complete in time.
    Slow,
    /// What came can't be followed.
    Broken(Broken),
}

/// The frames of one connection, each of which has to come whole in time.
struct Incoming<R> {
    reader: R,
    framer: Framer,
    buffer: Vec<u8>,
    idle: Duration,
    patience: Duration,
    /// When the message that is under way began.
    begun: Option<Instant>,
}

impl<R: AsyncRead + Unpin> Incoming<R> {
    fn new(reader: R, idle: Duration, patience: Duration) -> Self {
        let framer = Framer::new(Limits::default());
        Self { reader, framer, buffer: vec![0; 16_384], idle, patience, begun: None }
    }

    async fn next(&mut self) -> Result<Frame, Closed> {
        loop {
            if let Some(frame) = self.framer.next_frame().map_err(Closed::Broken)? {
                // What is left over, if anything, belongs to another message.
                self.begun = None;
                return Ok(frame);
            }
            let now = Instant::now();
            if self.framer.buffered() == 0 {
                self.begun = None;
            } else {
                self.begun.get_or_insert(now);
            }
            let deadline = self.begun.map_or(now + self.idle, |begun| begun + self.patience);
            let length = match timeout_at(deadline, self.reader.read(&mut self.buffer)).await {
                Ok(Ok(length @ 1..)) => length,
                Err(_) if self.begun.is_some() => return Err(Closed::Slow),
                Ok(_) | Err(_) => return Err(Closed::Ended),
            };
            self.framer.push(self.buffer.get(..length).unwrap_or_default());
        }
    }
}

/// Writes what is queued until nobody can queue any more, and gives the writer back; or the message that could not be
/// written, since the peer is gone, or has read nothing of it for too long.
async fn write<W: AsyncWrite + Unpin>(
    mut writer: W,
    queue: &mut Receiver<Waiting>,
    patience: Duration,
) -> Result<W, Option<Bytes>> {
    while let Some(waiting) = queue.recv().await {
        if !matches!(timeout(patience, writer.write_all(&waiting.bytes)).await, Ok(Ok(()))) {
            return Err(Some(waiting.bytes));
        }
    }
    Ok(writer)
}

/// Reads what still comes, up to a bound, for nobody.
async fn discard(mut reader: impl AsyncRead + Unpin) {
    let mut buffer = vec![0; 16_384];
    for _ in 0..64 {
        if !matches!(reader.read(&mut buffer).await, Ok(1..)) {
            return;
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

    use super::*;
    use crate::config::Config;
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

    /// So that nothing is taken while something else that is needed can't be had.
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
            // What the kernel had taken still comes, then the end: nobody holds the connection any more.
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

    /// Memory is bounded by bytes, of a connection and of all that a peer holds; and what is written makes room again.
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
