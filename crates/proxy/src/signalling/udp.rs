//! UDP sockets for SIP.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use sidetone_sip::proxy::Destination;
use sidetone_sip::{Flow, Transport};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::Signalling;
use crate::binding::cant_bind;
use crate::config::{Fault, Listen};

/// Datagrams worked on before the lock is let go, which takes some 50 µs for each: timers, TCP and whoever else waits
/// for the core have their turn in between.
const BATCH: usize = 4;
/// Room for the requests that come while one batch is worked on.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// The UDP sockets in the configuration.
pub(super) struct UdpSockets {
    sockets: Vec<(SocketAddr, UdpSocket)>,
}

impl UdpSockets {
    /// Those of the list that are UDP, which is `sip.listen`.
    pub(super) fn bind(listens: &[Listen]) -> Result<Self, Fault> {
        let udp = listens.iter().enumerate().filter(|(_, listen)| listen.transport == Transport::Udp);
        let sockets = udp.map(|(index, listen)| {
            let cant = |why| cant_bind(format!("sip.listen.{index}"), &listen.to_string(), listen.addr, &why);
            Ok((listen.addr, bind(listen.addr).map_err(cant)?))
        });
        Ok(Self { sockets: sockets.collect::<Result<_, Fault>>()? })
    }

    pub(super) fn len(&self) -> usize {
        self.sockets.len()
    }

    pub(super) fn send(&self, bytes: &[u8], to: &Destination) -> io::Result<()> {
        let socket = self.sockets.iter().find(|(addr, _)| *addr == to.local);
        let (_, socket) = socket.ok_or(ErrorKind::AddrNotAvailable)?;
        match socket.try_send_to(bytes, to.remote) {
            // A full send buffer is a lost datagram: SIP retransmits.
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            sent => sent.map(|_| ()),
        }
    }
}

fn bind(addr: SocketAddr) -> io::Result<UdpSocket> {
    let domain = if addr.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    let _ = socket.set_send_buffer_size(RECEIVE_BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    UdpSocket::from_std(socket.into())
}

impl Signalling {
    pub(super) async fn serve_udp(self: Arc<Self>, number: usize) {
        let Some((local, socket)) = self.udp.sockets.get(number) else { return };
        let mut buffer = vec![0_u8; 65_536];
        loop {
            if socket.readable().await.is_err() {
                continue;
            }
            self.with(|core, now| {
                for _ in 0..BATCH {
                    let (length, remote) = match socket.try_recv_from(&mut buffer) {
                        Ok(received) => received,
                        Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                        // An ICMP error for something sent earlier: retransmission or a timer deals with it.
                        Err(_) => continue,
                    };
                    let datagram = buffer.get(..length).unwrap_or_default();
                    // Keep-alives: CRLF pairs (RFC 5626 §3.5.1), or a few NULs as some phones send.
                    if datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
                        continue;
                    }
                    let flow = Flow { transport: Transport::Udp, local: *local, remote };
                    self.received(core, now, &flow, Bytes::copy_from_slice(datagram));
                    self.flush(core, now);
                }
            });
            // The runtime's other tasks too: a flood keeps this socket readable for ever.
            tokio::task::yield_now().await;
        }
    }
}
