//! Sockets that a configuration names: whether this machine could bind them.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::Path;

use socket2::{Domain, Socket, Type};

use crate::config::Config;
use crate::server::faults::{Faults, Held};
use sidetone_proxy::binding::{cant_bind, lacking};
use sidetone_proxy::config::{Fault, media_named};

/// Binds each socket for a moment, without receiving. A socket in use is a fault only where no Sidetone can be its
/// owner.
pub(super) fn check(config: &Config, held: Held, faults: &mut Faults) {
    if held == Held::Elsewhere {
        return;
    }
    let ours = held.in_use() || may_be_served(&config.control.socket);
    let mut told: Vec<IpAddr> = Vec::new();
    let mut probe = |key: String, socket: &str, kind: Type, at: SocketAddr, faults: &mut Faults| {
        let Err(why) = bind(kind, at) else { return };
        let known = why.kind() == ErrorKind::AddrNotAvailable && told.contains(&at.ip());
        if known || ours && why.kind() == ErrorKind::AddrInUse {
            return;
        }
        if why.kind() == ErrorKind::AddrNotAvailable {
            told.push(at.ip());
        }
        faults.add(cant_bind(key, socket, at, &why));
    };
    for (index, listen) in config.sip.listen.iter().enumerate() {
        let kind = if listen.transport.is_reliable() { Type::STREAM } else { Type::DGRAM };
        // A socket that is named twice, or two on one port, are reported as such.
        probe(format!("sip.listen.{index}"), &listen.to_string(), kind, listen.addr, faults);
    }
    if let Some(http) = config.http.listen.address() {
        probe("http.listen".to_owned(), &http.to_string(), Type::STREAM, http, faults);
    }
    for (key, ip) in media_named(&config.media) {
        media(config, key, ip, faults);
    }
}

/// An address that every call's media would need. Without IPv6's address, calls over IPv4 are still carried.
fn media(config: &Config, key: &str, ip: IpAddr, faults: &mut Faults) {
    let fatal = ip.is_ipv4() || config.sip.listen.iter().all(|listen| listen.addr.is_ipv6());
    let tried = UdpSocket::bind(SocketAddr::new(ip, 0));
    let problem = match tried.and_then(|socket| reach(&socket, ip)) {
        Err(why) if why.kind() == ErrorKind::AddrNotAvailable => lacking(ip),
        Err(why) if why.kind() == ErrorKind::PermissionDenied => {
            format!(
                "`{ip}` is a broadcast address here, and calls would be refused; name an address of one host"
            )
        }
        _ => return,
    };
    faults.add(Fault { key: key.to_owned(), problem, fatal });
}

/// Whether a socket may be connected to its own address, which fails for a broadcast address; no packet is sent.
fn reach(socket: &UdpSocket, ip: IpAddr) -> io::Result<()> {
    if ip.is_ipv4() { socket.connect(SocketAddr::new(ip, 9)) } else { Ok(()) }
}

fn bind(kind: Type, at: SocketAddr) -> io::Result<()> {
    let domain = if at.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, kind, None)?;
    if kind == Type::STREAM {
        // As the server does: remains of earlier connections don't block it.
        socket.set_reuse_address(true)?;
    }
    if at.is_ipv6() && !at.ip().is_unspecified() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&at.into())
}

/// Whether a Sidetone could own this configuration's sockets: one answers at its control socket, or access is denied.
fn may_be_served(control: &Path) -> bool {
    match UnixStream::connect(control) {
        Ok(_) => true,
        Err(why) => why.kind() == ErrorKind::PermissionDenied,
    }
}
