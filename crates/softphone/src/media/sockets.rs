//! A pair of UDP ports, even for RTP and the next for RTCP (RFC 3550 §11).

use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

const TRIES: u32 = 200;
/// Room for a burst at many times real time; the kernel may give less.
const RECEIVE_BUFFER: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) rtp: UdpSocket,
    pub(super) rtcp: UdpSocket,
    pub(super) address: SocketAddr,
}

impl Sockets {
    pub(super) fn bind(ip: IpAddr) -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..TRIES {
            let rtp = bind(SocketAddr::new(ip, 0))?;
            let address = rtp.local_addr()?;
            if !address.port().is_multiple_of(2) {
                continue;
            }
            match bind(SocketAddr::new(ip, address.port() + 1)) {
                Ok(rtcp) => return Ok(Self { rtp, rtcp, address }),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // Refused or capped where the system says so; smaller bursts then.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}
