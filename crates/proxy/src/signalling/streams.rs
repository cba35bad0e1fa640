//! Connections for SIP, accepted ones and outgoing ones made to send a message: their bounds, and their messages in and
//! out.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sidetone_call::Side;
use sidetone_sip::Transport;
use sidetone_sip::framing::{Broken, Frame, Framer};
use sidetone_sip::message::Limits;
use sidetone_sip::proxy::Destination;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, timeout, timeout_at};

use super::secured::Secured;
use crate::routing::{PeerName, usual_share};

/// Most messages that wait for one connection; a peer that lets more pile up is disconnected.
pub(super) const QUEUE: usize = 512;
/// Most bytes that wait for one connection, likewise: eight messages of the greatest length, or some thousand of the
/// usual.
pub(super) const QUEUED_BYTES: usize = 1 << 20;
/// Most bytes that wait for all connections of one peer, likewise: any number of connections costs no more memory than
/// this.
pub(super) const QUEUED_BYTES_OF_PEER: usize = 16 << 20;
pub(super) const CONNECT_PATIENCE: Duration = Duration::from_secs(4);
/// How long the handshakes of TLS and of WebSocket may take, each.
pub(super) const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(5);
/// Most handshakes under way with one address that is in no peer's `allow`.
const ARRIVING_OF_SOURCE: usize = 16;
/// A connection without a byte for this long is closed; peers that want to keep one send keep-alives.
pub(super) const IDLE: Duration = Duration::from_secs(600);
/// How long a message may take from its first byte to its last, however steadily its bytes drip in.
pub(super) const MESSAGE_PATIENCE: Duration = Duration::from_secs(30);
/// How long a peer may leave one message unread once the kernel's buffers are full.
pub(super) const WRITE_PATIENCE: Duration = Duration::from_secs(10);
/// A connection whose data stays unacknowledged for this long is broken: a request fails over to another host well
/// before its timer B, instead of being written into the void until the kernel gives up after a quarter of an hour.
pub(super) const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(10);
/// TCP keep-alive: the first probe after this long, then one this often, and the end after this many.
pub(super) const KEEP_ALIVE: (Duration, Duration, u32) = (Duration::from_secs(30), Duration::from_secs(5), 3);
/// How long a connection stays open after the last message, for that to arrive.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(2);
pub(super) const PONG: Bytes = Bytes::from_static(b"\r\n");

/// A connection's name: its listener's address and the far end's.
pub(super) type Name = (SocketAddr, SocketAddr);

/// The open connections.
pub(super) struct Streams {
    open: Mutex<Open>,
    most: usize,
    /// Most connections of one address that is in no peer's `allow`.
    most_of_source: usize,
    pub(super) refused: AtomicU64,
    /// Connections closed since their peer left too much unread.
    pub(super) unread: AtomicU64,
}

/// The open connections, and the other names that they go by.
#[derive(Default)]
pub(super) struct Open {
    by_name: HashMap<Name, Connection>,
    /// A peer's own address, as it has stated it, and the connection by which requests for it may go (RFC 5923 §8).
    aliases: HashMap<Name, Name>,
}

/// A connection that is about to be.
#[derive(Clone)]
pub(super) struct Entering {
    pub(super) name: Name,
    pub(super) transport: Transport,
    /// The peer that it belongs to, as far as that is known.
    pub(super) owner: Option<PeerName>,
    /// Whether its address is in no peer's `allow`.
    pub(super) guest: bool,
    /// Whether it has been accepted, and not been made.
    pub(super) accepted: bool,
}

/// A message that waits for its connection.
pub(super) struct Waiting {
    pub(super) bytes: Bytes,
    _room: Room,
}

/// A message's part of its connection's room and of its peer's, until it is written or dropped.
pub(super) struct Room {
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

/// One connection, as its senders hold it.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) queue: Sender<Waiting>,
    /// Bytes that wait for the connection, and for all of its peer's.
    pub(super) queued: [Arc<AtomicUsize>; 2],
    /// Notified when the connection is taken out of the map: its task must not outlive its entry.
    pub(super) closed: Arc<Notify>,
    /// The connection's peer; none for an address that belongs to no peer.
    pub(super) owner: Option<PeerName>,
    pub(super) transport: Transport,
    guest: bool,
    accepted: bool,
    /// Whether it has been accepted, and its handshakes are under way.
    arriving: Arc<AtomicBool>,
    /// Version, cipher suite and the peer's names, once TLS is up.
    pub(super) secured: Arc<OnceLock<Secured>>,
}

impl Connection {
    /// Queues a message; false if there is no room for it, or its writer has ended.
    pub(super) fn push(&self, bytes: Bytes) -> bool {
        let length = bytes.len();
        let room = Room { length, of: self.queued.clone() };
        let mut fits = true;
        for (taken, most) in self.queued.iter().zip([QUEUED_BYTES, QUEUED_BYTES_OF_PEER]) {
            fits &= taken.fetch_add(length, Relaxed).saturating_add(length) <= most;
        }
        fits && self.queue.try_send(Waiting { bytes, _room: room }).is_ok()
    }
}

impl Connection {
    /// Whether its handshakes are still under way: false once they are over.
    pub(super) fn arrival(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.arriving)
    }

    /// Whether its peer has made it.
    pub(super) const fn is_accepted(&self) -> bool {
        self.accepted
    }
}

impl Streams {
    pub(super) fn new(most: usize, most_of_source: usize) -> Self {
        let (refused, unread) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { open: Mutex::default(), most, most_of_source, refused, unread }
    }

    /// Whether a peer may have one more connection beside these. No peer gets more than half of all places, and all
    /// trunks and strangers together leave a quarter to the PBXs: however many idle connections a carrier holds, agents
    /// can call.
    pub(super) fn has_room<'a>(
        &self,
        owner: Option<&PeerName>,
        others: impl Iterator<Item = &'a Connection>,
    ) -> bool {
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

    /// Whether a client that belongs to no peer by its address may have one more connection, and whether one more
    /// handshake may be under way: a quarter of all places in all, and half of that for one peer.
    fn may_arrive(&self, entering: &Entering, open: &Open) -> bool {
        let ip = entering.name.1.ip();
        let (mut all, mut theirs, mut of_source, mut arriving_of_source) = (0, 0, 0, 0);
        for ((_, remote), other) in &open.by_name {
            let arriving = usize::from(other.arriving.load(Relaxed));
            all += arriving;
            theirs += if other.owner == entering.owner { arriving } else { 0 };
            if other.guest && remote.ip() == ip {
                of_source += 1;
                arriving_of_source += arriving;
            }
        }
        let most = self.most.div_ceil(4).max(2);
        let of_source_fits = of_source < self.most_of_source && arriving_of_source < ARRIVING_OF_SOURCE;
        all < most && theirs < most.div_ceil(2) && (!entering.guest || of_source_fits)
    }

    pub(super) fn map(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection of that name, or one that goes by it.
    pub(super) fn find(&self, name: Name) -> Option<Found> {
        let open = self.map();
        if let Some(connection) = open.by_name.get(&name) {
            return Some(Found { name, connection: connection.clone(), by_alias: false });
        }
        let name = *open.aliases.get(&name)?;
        let connection = open.by_name.get(&name)?.clone();
        Some(Found { name, connection, by_alias: true })
    }

    /// From now on requests for the address `stated` may go by that connection. One that is its own is no alias.
    pub(super) fn alias(&self, stated: Name, name: Name) {
        let mut open = self.map();
        // As many as there may be connections: each has one.
        if open.by_name.contains_key(&name) && stated != name && open.aliases.len() < self.most {
            open.aliases.retain(|_, of| *of != name);
            open.aliases.insert(stated, name);
        }
    }

    /// A connection turns out to be a peer's; false if that peer has its share.
    pub(super) fn claim(&self, name: Name, connection: &Connection, peer: &PeerName) -> bool {
        let mut open = self.map();
        let others = open.by_name.iter().filter(|(other, _)| **other != name).map(|(_, other)| other);
        let fits = self.has_room(Some(peer), others);
        let entry = open.by_name.get_mut(&name);
        let entry = entry.filter(|there| fits && there.queue.same_channel(&connection.queue));
        entry.map(|there| there.owner = Some(peer.clone())).is_some()
    }

    /// Open connections by transport.
    pub(super) fn by_transport(&self) -> [(Transport, usize); 4] {
        let open = self.map();
        [Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss].map(|transport| {
            (transport, open.by_name.values().filter(|other| other.transport == transport).count())
        })
    }

    /// Makes room for a connection; none if there are too many. An older connection of that name is closed.
    pub(super) fn enter(&self, entering: Entering) -> Option<(Connection, Receiver<Waiting>)> {
        let mut open = self.map();
        let Entering { name, transport, guest, accepted, .. } = entering;
        let arriving = accepted && transport != Transport::Tcp;
        let refused = arriving && !self.may_arrive(&entering, &open);
        let owner = entering.owner;
        let others =
            open.by_name.iter().filter(|(other, _)| **other != name).map(|(_, connection)| connection);
        if refused || !self.has_room(owner.as_ref(), others) {
            // Logged at the first refusal and each time that their number has doubled: a sender that fills the table
            // must not fill the log too.
            let refused = self.refused.fetch_add(1, Relaxed) + 1;
            if refused.is_power_of_two() {
                let peer = owner.as_ref().map(|(_, name)| &**name);
                tracing::warn!(peer, remote = %name.1, refused, "a connection was refused: its peer has its share of sip.max_connections");
            }
            return None;
        }
        let (queue, receiver) = channel(QUEUE);
        let of_peer = open.by_name.values().find(|other| other.owner == owner);
        let queued = [Arc::default(), of_peer.map(|other| other.queued[1].clone()).unwrap_or_default()];
        let connection = Connection {
            queue,
            queued,
            closed: Arc::new(Notify::new()),
            owner,
            transport,
            guest,
            accepted,
            arriving: Arc::new(AtomicBool::new(arriving)),
            secured: Arc::default(),
        };
        open.aliases.retain(|_, of| *of != name);
        if let Some(older) = open.by_name.insert(name, connection.clone()) {
            older.closed.notify_one();
        }
        Some((connection, receiver))
    }

    /// Closes a connection and frees its place; gives the other names that it went by, or none if that was done
    /// already.
    pub(super) fn leave(&self, name: Name, connection: &Connection) -> Option<Vec<Name>> {
        let mut open = self.map();
        open.by_name.get(&name).filter(|there| there.queue.same_channel(&connection.queue))?;
        open.by_name.remove(&name);
        connection.closed.notify_one();
        Some(open.aliases.extract_if(|_, of| *of == name).map(|(stated, _)| stated).collect())
    }

    /// Connections open now.
    pub(super) fn len(&self) -> usize {
        self.map().by_name.len()
    }
}

/// A connection that a message may go by.
pub(super) struct Found {
    pub(super) name: Name,
    pub(super) connection: Connection,
    /// Whether its peer has only said that it is at the address asked for.
    pub(super) by_alias: bool,
}

/// Binds a listening socket.
pub(super) fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(1_024)
}

pub(super) async fn connect(to: &Destination) -> io::Result<TcpStream> {
    let socket = if to.remote.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Binds to the listener's address, so that the peer's access list sees the expected source.
    socket.bind(SocketAddr::new(to.local.ip(), 0))?;
    timeout(CONNECT_PATIENCE, socket.connect(to.remote))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Sets the options that tell a dead peer from a silent one.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let (after, every, times) = KEEP_ALIVE;
    socket
        .set_tcp_keepalive(&TcpKeepalive::new().with_time(after).with_interval(every).with_retries(times))?;
    socket.set_tcp_user_timeout(Some(ACKNOWLEDGED_WITHIN))
}

/// Why a connection is no longer read.
#[derive(Debug)]
pub(super) enum Closed {
    /// The peer or the network ended it, or it was idle for too long.
    Ended,
    /// A message began and was not complete in time.
    Slow,
    /// The stream can't be framed.
    Broken(Broken),
}

/// Frames the messages of one connection; each has to arrive whole in time.
pub(super) struct Incoming<R> {
    reader: R,
    framer: Framer,
    buffer: Vec<u8>,
    idle: Duration,
    patience: Duration,
    /// When the message under way began.
    pub(super) begun: Option<Instant>,
}

impl<R: AsyncRead + Unpin> Incoming<R> {
    pub(super) fn new(reader: R, idle: Duration, patience: Duration) -> Self {
        let framer = Framer::new(Limits::default());
        Self { reader, framer, buffer: vec![0; 16_384], idle, patience, begun: None }
    }

    pub(super) async fn next(&mut self) -> Result<Frame, Closed> {
        loop {
            if let Some(frame) = self.framer.next_frame().map_err(Closed::Broken)? {
                // Any remaining bytes belong to the next message.
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

/// Writes queued messages until no sender is left, and returns the writer. If the peer is gone, or has read nothing for
/// too long, returns the message that could not be written.
pub(super) async fn write<W: AsyncWrite + Unpin>(
    mut writer: W,
    queue: &mut Receiver<Waiting>,
    patience: Duration,
) -> Result<W, Option<Bytes>> {
    while let Some(waiting) = queue.recv().await {
        let sent = async {
            writer.write_all(&waiting.bytes).await?;
            // TLS keeps what the socket doesn't take at once.
            writer.flush().await
        };
        if !matches!(timeout(patience, sent).await, Ok(Ok(()))) {
            return Err(Some(waiting.bytes));
        }
    }
    Ok(writer)
}

/// Reads and discards remaining bytes, up to a bound.
pub(super) async fn discard(mut reader: impl AsyncRead + Unpin) {
    let mut buffer = vec![0; 16_384];
    for _ in 0..64 {
        if !matches!(reader.read(&mut buffer).await, Ok(1..)) {
            return;
        }
    }
}
