//! SIP over connections, by TCP, TLS and WebSocket: accepting them, connecting to send a message, reading and writing.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use sidetone_sip::framing::Frame;
use sidetone_sip::proxy::{Destination, DropReason};
use sidetone_sip::{Flow, Message, Transport};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use super::Signalling;
use super::core::{Core, Door};
use super::secured::Secured;
use super::streams::{
    Closed, Connection, Entering, Found, IDLE, Incoming, LAST_WORDS, MESSAGE_PATIENCE, Name, PONG,
    WRITE_PATIENCE, Waiting, connect, discard, prepare, write,
};
use crate::config::Listen;
use crate::routing::PeerName;

impl Signalling {
    /// Connections open now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.streams.len()
    }

    /// Connections open now, by transport.
    #[must_use]
    pub fn connections_by_transport(&self) -> [(Transport, usize); 4] {
        self.streams.by_transport()
    }

    /// Connections that found no room.
    #[must_use]
    pub fn connections_refused(&self) -> u64 {
        self.streams.refused.load(Relaxed)
    }

    /// Connections closed since their peer did not read the messages sent.
    #[must_use]
    pub fn connections_unread(&self) -> u64 {
        self.streams.unread.load(Relaxed)
    }

    /// What TLS has agreed on for a connection that is open.
    #[must_use]
    pub fn secured(&self, at: &Flow) -> Option<Secured> {
        let found = self.streams.find((at.local, at.remote))?;
        found.connection.secured.get().cloned()
    }

    pub(super) async fn serve_connections(self: Arc<Self>, at: Listen, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, remote)) => self.accept(at, stream, remote),
                // Out of descriptors, most likely: pause instead of spinning.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Takes a connection, if its peer is known or may become so.
    fn accept(self: &Arc<Self>, at: Listen, stream: TcpStream, remote: SocketAddr) {
        let (owner, guest) = {
            let mut core = self.core();
            match core.door(at, remote) {
                Door::Peer(peer) => (Some(peer), false),
                Door::Guest(peer) => (Some(peer), true),
                Door::ByCertificate => (None, true),
                // A stranger gets no connection to hold.
                Door::Closed => {
                    let what = format!("{} connection", at.transport.as_via());
                    return core.count_stranger(self.now(), remote.ip(), &what);
                }
            }
        };
        let (name, transport) = ((at.addr, remote), at.transport);
        let entering = Entering { name, transport, owner: owner.clone(), guest, accepted: true };
        if let Some((connection, receiver)) = self.streams.enter(entering) {
            let this = Arc::clone(self);
            self.alarm.watch(
                "a SIP connection",
                this.welcome(stream, (name, transport), (owner, guest), connection, receiver),
            );
        }
    }

    /// Serves a connection that a client has made, after the handshakes of its transport.
    async fn welcome(
        self: Arc<Self>,
        stream: TcpStream,
        (name, transport): (Name, Transport),
        (owner, guest): (Option<PeerName>, bool),
        connection: Connection,
        mut queue: Receiver<Waiting>,
    ) {
        self.prepare(&stream, name);
        let flow = Flow { transport, local: name.0, remote: name.1 };
        let arrival = connection.arrival();
        let ready = |guest: Option<PeerName>| {
            arrival.store(false, Relaxed);
            self.core().flow_opened(flow, guest);
        };
        let usual = owner.clone().filter(|_| guest);
        match transport {
            Transport::Udp => {}
            Transport::Tcp => {
                ready(usual);
                let (reader, writer) = stream.into_split();
                self.serve_stream(reader, writer, (name, flow), connection, queue).await;
            }
            Transport::Ws => {
                let ready = || ready(usual);
                self.serve_websocket(stream, (name, &flow), connection, &mut queue, ready).await;
            }
            Transport::Tls | Transport::Wss => {
                let (stream, secured) = match self.accept_tls(stream, transport).await {
                    Ok(accepted) => accepted,
                    Err(why) => {
                        tracing::debug!(peer = %name.1, why = why.as_str(), "a TLS connection was not accepted");
                        return self.left(name, &connection);
                    }
                };
                let names = secured.names.clone();
                let _ = connection.secured.set(secured);
                if transport == Transport::Wss {
                    let ready = || ready(usual);
                    return self.serve_websocket(stream, (name, &flow), connection, &mut queue, ready).await;
                }
                match self.certified((name, &connection), owner.as_ref(), names.as_deref()) {
                    Some((peer, by_certificate)) => ready(Some(peer).filter(|_| guest || by_certificate)),
                    None => return self.turn_away(stream, name, &connection).await,
                }
                let (reader, writer) = tokio::io::split(stream);
                self.serve_stream(reader, writer, (name, flow), connection, queue).await;
            }
        }
    }

    /// The peer of a client by TLS, and whether only its certificate names it; none if the client is not let in.
    fn certified(
        &self,
        (name, connection): (Name, &Connection),
        owner: Option<&PeerName>,
        names: Option<&[String]>,
    ) -> Option<(PeerName, bool)> {
        let judged = self.core().certified(owner, names);
        match judged {
            Ok((peer, by_certificate)) => {
                let fits = !by_certificate || self.streams.claim(name, connection, &peer);
                fits.then_some((peer, by_certificate))
            }
            Err(why) => {
                tracing::debug!(peer = %name.1, why = why.as_str(), "a TLS connection was not accepted");
                self.not_certified(why);
                None
            }
        }
    }

    async fn turn_away(
        self: &Arc<Self>,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
        name: Name,
        connection: &Connection,
    ) {
        self.left(name, connection);
        let _ = timeout(LAST_WORDS, stream.shutdown()).await;
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
        if let Some(found) = self.streams.find(name).filter(|found| is_meant(core, &to, found)) {
            if !found.connection.push(bytes.clone()) {
                self.cut_off(core, now, found.name, &found.connection);
                core.send_failed(now, &to);
                core.unsent(now, &to, bytes);
            }
            return;
        }
        // Nobody can be connected to by WebSocket (RFC 7118 §5.1).
        let connects = connect_if_need_be && !to.transport.is_websocket();
        let identity =
            if connects && to.transport == Transport::Tls { core.identity(to.remote) } else { None };
        if connects && to.transport == Transport::Tls && identity.is_none() {
            self.no_identity();
        }
        let may = connects && (to.transport != Transport::Tls || identity.is_some());
        let entering = Entering {
            name,
            transport: to.transport,
            owner: core.asker(to.remote),
            guest: false,
            accepted: false,
        };
        let entered = if may { self.streams.enter(entering) } else { None };
        let Some((connection, receiver)) = entered else {
            core.send_failed(now, &to);
            return core.unsent(now, &to, bytes);
        };
        // The queue is new; its peer may have used up its room on other connections.
        if !connection.push(bytes.clone()) {
            self.cut_off(core, now, name, &connection);
            core.send_failed(now, &to);
            return core.unsent(now, &to, bytes);
        }
        let this = Arc::clone(self);
        self.alarm.watch("a SIP connection", this.reach_out(to, identity, connection, receiver));
    }

    /// Makes a connection and serves it.
    async fn reach_out(
        self: Arc<Self>,
        to: Destination,
        identity: Option<String>,
        connection: Connection,
        mut queue: Receiver<Waiting>,
    ) {
        let name = (to.local, to.remote);
        let flow = Flow { transport: to.transport, local: to.local, remote: to.remote };
        let stream = match connect(&to).await {
            Ok(stream) => stream,
            Err(error) => {
                tracing::debug!(%error, peer = %to.remote, "a connection could not be made");
                self.left(name, &connection);
                return self.unsent(&to, None, &mut queue);
            }
        };
        self.prepare(&stream, name);
        let Some(identity) = identity else {
            let (reader, writer) = stream.into_split();
            return self.serve_stream(reader, writer, (name, flow), connection, queue).await;
        };
        match self.connect_tls(stream, &identity).await {
            Ok((stream, secured)) => {
                let _ = connection.secured.set(secured);
                let (reader, writer) = tokio::io::split(stream);
                self.serve_stream(reader, writer, (name, flow), connection, queue).await;
            }
            Err(why) => {
                // At most one line a connection, and no peer can make us connect as often as it likes.
                let why = why.as_str();
                tracing::warn!(why, peer = %to.remote, identity, "a TLS connection could not be made");
                self.left(name, &connection);
                self.unsent(&to, None, &mut queue);
            }
        }
    }

    /// A peer has let too many messages pile up.
    fn cut_off(&self, core: &mut Core, now: Duration, name: Name, connection: &Connection) {
        if let Some(aliases) = self.streams.leave(name, connection) {
            self.forget(core, now, (name, connection.transport), aliases);
            // Logged in the same way as refused connections.
            let unread = self.streams.unread.fetch_add(1, Relaxed) + 1;
            if unread.is_power_of_two() {
                let peer = connection.owner.as_ref().map(|(_, name)| &**name);
                tracing::warn!(peer, remote = %name.1, unread, "a connection was closed: its peer does not read what is sent");
            }
        }
    }

    /// A connection is gone: nothing goes by it any more, nor by the other names that it had.
    fn forget(
        &self,
        core: &mut Core,
        now: Duration,
        (name, transport): (Name, Transport),
        aliases: Vec<Name>,
    ) {
        core.flow_closed(&Flow { transport, local: name.0, remote: name.1 });
        for (local, remote) in aliases {
            core.send_failed(now, &Destination { transport, local, remote });
        }
    }

    /// Reports the queued messages of a connection that is gone: `first`, which was being written, and all that wait.
    /// Each takes the lock by itself, since others need the core too.
    fn unsent(self: &Arc<Self>, to: &Destination, first: Option<Bytes>, queue: &mut Receiver<Waiting>) {
        queue.close();
        let waiting = std::iter::from_fn(|| queue.try_recv().ok()).map(|waiting| waiting.bytes.clone());
        for bytes in first.into_iter().chain(waiting) {
            self.with(|core, now| core.unsent(now, to, &bytes));
        }
    }

    fn prepare(&self, stream: &TcpStream, name: Name) {
        if let Err(error) = prepare(stream) {
            tracing::debug!(%error, peer = %name.1, "a connection was made without its time limits");
        }
    }

    async fn serve_stream(
        self: &Arc<Self>,
        reader: impl AsyncRead + Unpin,
        writer: impl AsyncWrite + Unpin,
        (name, flow): (Name, Flow),
        connection: Connection,
        mut queue: Receiver<Waiting>,
    ) {
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
                let _ = timeout(LAST_WORDS, writer.shutdown()).await;
                let _ = timeout(LAST_WORDS, discard(reader)).await;
            }
            Err(first) => self.unsent(&Destination::from(flow), first, &mut queue),
        }
    }

    /// A connection has ended. If it was taken out of the map before, the core knows already.
    pub(super) fn left(self: &Arc<Self>, name: Name, connection: &Connection) {
        if let Some(aliases) = self.streams.leave(name, connection) {
            let to = Destination { transport: connection.transport, local: name.0, remote: name.1 };
            self.with(|core, now| {
                self.forget(core, now, (name, connection.transport), aliases);
                core.send_failed(now, &to);
            });
        }
    }

    async fn read(self: &Arc<Self>, reader: impl AsyncRead + Unpin, flow: &Flow, own: &Connection) {
        let mut incoming = Incoming::new(reader, IDLE, MESSAGE_PATIENCE);
        let mut may_alias = flow.transport == Transport::Tls
            && own.is_accepted()
            && own.secured.get().is_some_and(|secured| secured.names.is_some());
        loop {
            match incoming.next().await {
                Ok(Frame::Message(message)) => {
                    if may_alias && let Some(stated) = alias_in(&message, flow) {
                        self.streams.alias(stated, (flow.local, flow.remote));
                        may_alias = false;
                    }
                    self.with(|core, now| self.received(core, now, flow, message));
                }
                Ok(Frame::Ping) => {
                    if !own.push(PONG) {
                        return;
                    }
                }
                // The boundary between messages is lost, so everything after it would be guesswork.
                Err(Closed::Broken(broken)) => {
                    tracing::debug!(flaw = %broken.flaw, "a connection was closed for what it sent");
                    self.with(|core, now| match broken.head {
                        Some(head) => core.receive_broken(now, flow, head, broken.flaw),
                        None => core.lost(flow, DropReason::Unframed(broken.flaw)),
                    });
                    return;
                }
                Err(Closed::Slow) => {
                    tracing::debug!(peer = %flow.remote, "a connection was closed for a message that never ended");
                    self.with(|core, _| core.lost(flow, DropReason::Unfinished));
                    return;
                }
                Err(Closed::Ended) => return,
            }
        }
    }
}

/// Whether a connection is the one for a destination. By an alias, or where it has come from a configured host's own
/// address, its client's certificate has to speak for whoever is meant (RFC 5923 §8.3).
fn is_meant(core: &Core, to: &Destination, found: &Found) -> bool {
    if found.connection.transport != to.transport {
        return false;
    }
    let speaks_for = |identity: String| {
        let secured = found.connection.secured.get();
        secured.is_some_and(|secured| secured.speaks_for(&identity))
    };
    let claims = found.by_alias
        || to.transport.is_secure() && found.connection.is_accepted() && core.is_host(to.remote);
    !claims || core.identity(to.remote).is_some_and(speaks_for)
}

/// The address at which the sender of a request says that it is to be reached by this connection (RFC 5923 §5): the
/// port in its topmost Via, at the address that it sends from.
fn alias_in(message: &Bytes, flow: &Flow) -> Option<Name> {
    // Most messages say nothing of the kind.
    memchr::memmem::find(message, b"alias")?;
    let message = Message::parse(message.clone()).ok().filter(Message::is_request)?;
    let via = message.top_via()?;
    via.params.find("alias")?;
    let port = via.port.unwrap_or(flow.transport.default_port());
    Some((flow.local, SocketAddr::new(flow.remote.ip(), port)))
}

#[cfg(test)]
mod tests;
