//! UDP sockets for SIP.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use sidetone_handover::{Inherited, doubled};
use sidetone_sip::Transport;
use sidetone_sip::proxy::Destination;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use crate::binding::cant_bind;
use crate::config::{Fault, Listen};

/// Room for the requests that arrive while one batch is processed.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// The UDP sockets in the configuration.
pub(super) struct UdpSockets {
    sockets: Vec<(SocketAddr, UdpSocket)>,
}

impl UdpSockets {
    /// Binds the UDP entries of `sip.listen`.
    pub(super) fn bind(listens: &[Listen], inherited: &Inherited) -> Result<Self, Fault> {
        let udp = listens.iter().enumerate().filter(|(_, listen)| listen.transport == Transport::Udp);
        let sockets = udp.map(|(index, listen)| {
            let cant = |why| cant_bind(format!("sip.listen.{index}"), &listen.to_string(), listen.addr, &why);
            let socket = match inherited.datagrams(listen.addr) {
                Some(socket) => UdpSocket::from_std(socket),
                None => bind(listen.addr),
            };
            Ok((listen.addr, socket.map_err(cant)?))
        });
        Ok(Self { sockets: sockets.collect::<Result<_, Fault>>()? })
    }

    /// A socket by its number, and the address that it is bound to.
    pub(super) fn get(&self, number: usize) -> Option<(SocketAddr, &UdpSocket)> {
        self.sockets.get(number).map(|(local, socket)| (*local, socket))
    }

    /// All of them, to be handed over.
    pub(super) fn doubled(&self) -> io::Result<Vec<OwnedFd>> {
        self.sockets.iter().map(|(_, socket)| doubled(socket)).collect()
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
