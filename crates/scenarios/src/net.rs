//! A piece of loopback that no other test has, so that tests run side by side.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

/// A leased piece: the network 127.A.B.0/24, and forty ports of ::1.
#[derive(Debug)]
pub struct Net {
    number: u16,
    lease: Lease,
}

/// What makes a piece somebody's: bound for as long as anybody holds it, and whoever fails to bind it looks for another
/// piece. A program that listens in the piece holds it too, since a test may let go of its `Net` first.
#[derive(Debug, Clone)]
pub(crate) struct Lease {
    _socket: Arc<UdpSocket>,
}

/// Hosts in the leased network, by their last byte.
pub mod host {
    /// Sidetone.
    pub const SIDETONE: u8 = 1;
    /// The carrier.
    pub const TRUNK: u8 = 2;
    /// The PBX.
    pub const PBX: u8 = 3;
    /// A second PBX host.
    pub const SECOND: u8 = 4;
    /// Somebody whom nobody knows.
    pub const STRANGER: u8 = 5;
    /// A second media address of the carrier's.
    pub const ELSEWHERE: u8 = 6;
    /// The name server.
    pub const NAMES: u8 = 7;
}

const PIECES: u16 = 300;
const LEASE: u8 = 254;

impl Net {
    /// Leases a piece that is free.
    ///
    /// # Panics
    /// When none is.
    #[must_use]
    pub fn lease() -> Self {
        let start = u16::try_from(std::process::id() % u32::from(PIECES)).unwrap();
        (0..PIECES)
            .map(|step| (start + step) % PIECES)
            .find_map(|number| {
                let socket = UdpSocket::bind((address(number, LEASE), 10_009)).ok()?;
                Some(Self { number, lease: Lease { _socket: Arc::new(socket) } })
            })
            .expect("a free piece of loopback")
    }

    /// Keeps the piece for as long as what it gives lives.
    pub(crate) fn kept(&self) -> Lease {
        self.lease.clone()
    }

    /// The IPv4 address of a host of this piece.
    #[must_use]
    pub fn v4(&self, host: u8) -> Ipv4Addr {
        address(self.number, host)
    }

    /// The address of [`Self::v4`], with a port.
    #[must_use]
    pub fn at(&self, host: u8, port: u16) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(self.v4(host)), port)
    }

    /// Port `n` (0 to 39) of this piece on ::1, the one IPv6 address that a machine is sure to have.
    ///
    /// # Panics
    /// When `n` is 40 or more.
    #[must_use]
    pub fn at_v6(&self, n: u16) -> SocketAddr {
        assert!(n < 40);
        SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 20_000 + self.number * 40 + n)
    }
}

fn address(number: u16, host: u8) -> Ipv4Addr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(127, 100 + high, low, host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_free_again_when_nobody_holds_it_any_more() {
        let net = Net::lease();
        let (at, kept) = (net.at(LEASE, 10_009), net.kept());
        drop(net);
        assert!(UdpSocket::bind(at).is_err());
        drop(kept);
        assert!(UdpSocket::bind(at).is_ok());
    }
}
