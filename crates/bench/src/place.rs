//! Where everybody stands on loopback: an address each, so that nobody's ports get in another's way.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use anyhow::Context;

/// The program under test.
pub(crate) const SUBJECT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 42, 1));
/// The carrier, who calls.
pub(crate) const TRUNK: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 42, 2));
/// The PBX, which is called.
pub(crate) const PBX: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 42, 3));

/// A port of this address that is free now, for UDP.
pub(crate) fn free(ip: IpAddr) -> anyhow::Result<SocketAddr> {
    let socket = UdpSocket::bind((ip, 0)).with_context(|| format!("{ip} has no free port"))?;
    Ok(socket.local_addr()?)
}
