//! One UDP socket and one TCP listener on the same port, and the TCP connections.
//!
//! Sending never waits: a datagram that the kernel doesn't take is lost like any other (retransmission
//! sees to it), and a connection has a bounded queue.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sidetone_sip::{Flow, Transport};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::tcp;
use crate::lock;

const QUEUE: usize = 256;
const MAX_CONNECTIONS: usize = 1024;
const BIND_TRIES: u32 = 50;
const DATAGRAM: usize = 65_535;

/// A message and where it came in.
#[derive(Debug)]
pub(crate) struct Inbound {
    pub(crate) flow: Flow,
    pub(crate) bytes: Bytes,
}

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) transport: Transport,
    pub(crate) remote: SocketAddr,
}

impl From<Flow> for Destination {
    fn from(flow: Flow) -> Self {
        Self { transport: flow.transport, remote: flow.remote }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Transports {
    pub(crate) local: SocketAddr,
    udp: Arc<UdpSocket>,
    pub(super) connections: Arc<Mutex<HashMap<SocketAddr, mpsc::Sender<Bytes>>>>,
    pub(super) inbound: mpsc::Sender<Inbound>,
}

impl Transports {
    /// Binds both, and starts to receive; what comes in is queued in the returned channel.
    pub(crate) async fn bind(
        address: SocketAddr,
    ) -> io::Result<(Self, mpsc::Receiver<Inbound>, Vec<AbortHandle>)> {
        let (udp, listener) = bind_both(address).await?;
        let (inbound, queue) = mpsc::channel(QUEUE);
        let this =
            Self { local: udp.local_addr()?, udp: Arc::new(udp), connections: Arc::default(), inbound };
        let tasks = vec![
            tokio::spawn(this.clone().receive_datagrams()).abort_handle(),
            tokio::spawn(this.clone().accept(listener)).abort_handle(),
        ];
        Ok((this, queue, tasks))
    }

    pub(crate) fn send(&self, bytes: Bytes, to: Destination) {
        match to.transport {
            Transport::Udp => {
                if let Err(error) = self.udp.try_send_to(&bytes, to.remote) {
                    tracing::debug!(%error, to = %to.remote, "datagram not sent");
                }
            }
            Transport::Tcp => self.send_stream(bytes, to.remote),
            Transport::Tls | Transport::Ws | Transport::Wss => {
                tracing::debug!(to = %to.remote, by = to.transport.as_via(), "this telephone has UDP and TCP only");
            }
        }
    }

    fn send_stream(&self, bytes: Bytes, remote: SocketAddr) {
        let mut connections = lock(&self.connections);
        if let Some(queue) = connections.get(&remote).filter(|queue| !queue.is_closed()) {
            if queue.try_send(bytes).is_err() {
                tracing::debug!(to = %remote, "connection's queue is full");
            }
            return;
        }
        if connections.len() >= MAX_CONNECTIONS {
            return;
        }
        let (queue, outgoing) = mpsc::channel(QUEUE);
        let _ = queue.try_send(bytes);
        connections.insert(remote, queue);
        drop(connections);
        let this = self.clone();
        tokio::spawn(async move {
            match TcpStream::connect(remote).await {
                Ok(stream) => tcp::serve(&this, stream, remote, outgoing).await,
                Err(error) => {
                    tracing::debug!(%error, to = %remote, "can't connect");
                    lock(&this.connections).remove(&remote);
                }
            }
        });
    }

    async fn receive_datagrams(self) {
        let mut buffer = vec![0; DATAGRAM];
        loop {
            let Ok((length, remote)) = self.udp.recv_from(&mut buffer).await else { continue };
            let bytes = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
            let flow = Flow { transport: Transport::Udp, local: self.local, remote };
            if self.inbound.send(Inbound { flow, bytes }).await.is_err() {
                return;
            }
        }
    }

    async fn accept(self, listener: TcpListener) {
        loop {
            let Ok((stream, remote)) = listener.accept().await else { continue };
            let (queue, outgoing) = mpsc::channel(QUEUE);
            {
                let mut connections = lock(&self.connections);
                if connections.len() >= MAX_CONNECTIONS {
                    continue;
                }
                connections.insert(remote, queue);
            }
            let this = self.clone();
            tokio::spawn(async move { tcp::serve(&this, stream, remote, outgoing).await });
        }
    }
}

/// The same port for both; with port 0, one that is free for both.
async fn bind_both(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut tries = if address.port() == 0 { BIND_TRIES } else { 1 };
    loop {
        let udp = UdpSocket::bind(address).await?;
        tries -= 1;
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(listener) => return Ok((udp, listener)),
            Err(error) if tries == 0 => return Err(error),
            Err(_) => {}
        }
    }
}
