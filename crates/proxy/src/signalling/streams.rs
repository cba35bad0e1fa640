//! TCP connections for SIP: accepted ones, and those made because a message has to go out.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sidetone_sip::framing::{Frame, Framer};
use sidetone_sip::message::Limits;
use sidetone_sip::proxy::Destination;
use sidetone_sip::{Flow, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{Core, Signalling};

/// Messages waiting for one connection; a peer that lets more pile up is cut off.
const QUEUE: usize = 512;
const CONNECT_PATIENCE: Duration = Duration::from_secs(4);
/// A connection without a byte for this long is closed; peers that want to keep one send keep-alives.
const IDLE: Duration = Duration::from_secs(600);
/// How long the rest of a message that has begun may take: a slow peer holds a connection, never a message.
const MESSAGE_PATIENCE: Duration = Duration::from_secs(30);
const PONG: Bytes = Bytes::from_static(b"\r\n");

/// A connection is named by the listener it belongs to and the far end.
type Name = (SocketAddr, SocketAddr);

/// The open connections.
pub(super) struct Streams {
    open: Mutex<HashMap<Name, Sender<Bytes>>>,
    most: usize,
}

impl Streams {
    pub(super) fn new(most: usize) -> Self {
        Self { open: Mutex::new(HashMap::new()), most }
    }

    fn map(&self) -> std::sync::MutexGuard<'_, HashMap<Name, Sender<Bytes>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room for a connection; none if there are too many.
    fn enter(&self, name: Name) -> Option<(Sender<Bytes>, Receiver<Bytes>)> {
        let mut open = self.map();
        if open.len() >= self.most {
            return None;
        }
        let (sender, receiver) = channel(QUEUE);
        open.insert(name, sender.clone());
        Some((sender, receiver))
    }

    fn leave(&self, name: Name, sender: &Sender<Bytes>) {
        let mut open = self.map();
        if open.get(&name).is_some_and(|there| there.same_channel(sender)) {
            open.remove(&name);
        }
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
    socket
        .bind(addr)
        .and_then(|()| socket.listen(1_024))
        .map_err(|error| io::Error::new(error.kind(), format!("tcp:{addr} can't be bound: {error}")))
}

async fn connect(to: &Destination) -> io::Result<TcpStream> {
    let socket = if to.remote.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // From the listener's address, so that the peer's access list sees whom it expects.
    socket.bind(SocketAddr::new(to.local.ip(), 0))?;
    tokio::time::timeout(CONNECT_PATIENCE, socket.connect(to.remote))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

impl Signalling {
    /// TCP connections open now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.streams.len()
    }

    pub(super) async fn serve_tcp(self: Arc<Self>, local: SocketAddr, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, remote)) => {
                    // Strangers don't even get a connection to hold.
                    if self.core().who(remote).is_none() {
                        continue;
                    }
                    if let Some((sender, receiver)) = self.streams.enter((local, remote)) {
                        tokio::spawn(Arc::clone(&self).serve_stream(
                            stream,
                            (local, remote),
                            sender,
                            receiver,
                        ));
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
        bytes: Bytes,
        to: Destination,
        connect_if_need_be: bool,
    ) {
        let name = (to.local, to.remote);
        let there = self.streams.map().get(&name).cloned();
        if let Some(sender) = there {
            if sender.try_send(bytes).is_err() {
                self.streams.leave(name, &sender);
                core.send_failed(now, &to);
            }
            return;
        }
        let entered = if connect_if_need_be { self.streams.enter(name) } else { None };
        let Some((sender, receiver)) = entered else {
            return core.send_failed(now, &to);
        };
        // The queue is new and has room.
        let _ = sender.try_send(bytes);
        let this = Arc::clone(self);
        tokio::spawn(async move {
            match connect(&to).await {
                Ok(stream) => this.serve_stream(stream, name, sender, receiver).await,
                Err(error) => {
                    tracing::debug!(%error, peer = %to.remote, "a TCP connection could not be made");
                    this.streams.leave(name, &sender);
                    this.with(|core, now| core.send_failed(now, &to));
                }
            }
        });
    }

    async fn serve_stream(
        self: Arc<Self>,
        stream: TcpStream,
        name: Name,
        sender: Sender<Bytes>,
        queue: Receiver<Bytes>,
    ) {
        let _ = stream.set_nodelay(true);
        let (reader, writer) = stream.into_split();
        let flow = Flow { transport: Transport::Tcp, local: name.0, remote: name.1 };
        tokio::select! {
            () = self.read(reader, &flow, &sender) => {}
            () = write(writer, queue) => {}
        }
        self.streams.leave(name, &sender);
        let to = Destination { transport: Transport::Tcp, local: name.0, remote: name.1 };
        self.with(|core, now| core.send_failed(now, &to));
    }

    async fn read(self: &Arc<Self>, mut reader: OwnedReadHalf, flow: &Flow, pongs: &Sender<Bytes>) {
        let mut framer = Framer::new(Limits::default());
        let mut buffer = vec![0_u8; 16_384];
        loop {
            let patience = if framer.buffered() == 0 { IDLE } else { MESSAGE_PATIENCE };
            let Ok(Ok(length)) = tokio::time::timeout(patience, reader.read(&mut buffer)).await else {
                return;
            };
            if length == 0 {
                return;
            }
            framer.push(buffer.get(..length).unwrap_or_default());
            loop {
                match framer.next_frame() {
                    Ok(Some(Frame::Message(message))) => {
                        self.with(|core, now| self.received(core, now, flow, message));
                    }
                    Ok(Some(Frame::Ping)) => {
                        if pongs.try_send(PONG).is_err() {
                            return;
                        }
                    }
                    Ok(None) => break,
                    // Where one message ends is lost, so everything after it would be guesswork.
                    Err(broken) => {
                        tracing::debug!(flaw = %broken.flaw, "a TCP connection was closed for what it sent");
                        if let Some(head) = broken.head {
                            self.with(|core, now| self.received(core, now, flow, head));
                        }
                        return;
                    }
                }
            }
        }
    }
}

async fn write(mut writer: OwnedWriteHalf, mut queue: Receiver<Bytes>) {
    while let Some(bytes) = queue.recv().await {
        if writer.write_all(&bytes).await.is_err() {
            return;
        }
    }
}
