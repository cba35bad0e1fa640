//! Faults of sockets that can't be bound, with the reason and the remedy.

use std::io::{Error, ErrorKind};
use std::net::{IpAddr, SocketAddr};

use nix::ifaddrs::getifaddrs;

use crate::config::Fault;

/// Most addresses of this machine that a message names; a container host may have hundreds.
const MOST_NAMED: usize = 8;

/// The fault of a socket that can't be bound. `socket` is its text in the configuration.
pub fn cant_bind(key: impl Into<String>, socket: &str, at: SocketAddr, why: &Error) -> Fault {
    let problem = match why.kind() {
        ErrorKind::AddrNotAvailable => lacking(at.ip()),
        ErrorKind::AddrInUse => {
            let port = at.port();
            format!(
                "`{socket}` is in use already; end what has it (`ss -anp | grep :{port}` names the program), or take another port"
            )
        }
        ErrorKind::PermissionDenied => format!(
            "`{socket}` may not be bound by this user: ports below 1024 are for CAP_NET_BIND_SERVICE; take a higher one"
        ),
        _ => format!("`{socket}` can't be bound: {why}; name an address and a port of this machine"),
    };
    Fault::fatal(key, problem)
}

/// The message about an address that no interface has.
pub fn lacking(ip: IpAddr) -> String {
    let own = addresses(ip.is_ipv6());
    let remedy = if own.is_empty() {
        "it has none of that family".to_owned()
    } else {
        format!("write one that it has: {}", own.join(", "))
    };
    format!(
        "names {ip}, and no interface of this machine has that address, so nothing can be bound there; {remedy}"
    )
}

/// Addresses of this machine, the ones best reachable from outside first.
fn addresses(v6: bool) -> Vec<String> {
    let found = getifaddrs().into_iter().flatten().filter_map(|interface| interface.address);
    let mut found: Vec<IpAddr> = found
        .filter_map(|address| match v6 {
            true => address.as_sockaddr_in6().map(|it| IpAddr::V6(it.ip())),
            false => address.as_sockaddr_in().map(|it| IpAddr::V4(it.ip())),
        })
        // A link-local address means nothing without its interface.
        .filter(|ip| !matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()))
        .collect();
    found.sort_by_key(|ip| (ip.is_loopback(), *ip));
    found.dedup();
    found.truncate(MOST_NAMED);
    found.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_remedy() {
        let at: SocketAddr = "127.0.0.1:5060".parse().unwrap();
        for (kind, words) in [
            (ErrorKind::AddrNotAvailable, "write one that it has: "),
            (ErrorKind::AddrInUse, "take another port"),
            (ErrorKind::PermissionDenied, "take a higher one"),
            (ErrorKind::Unsupported, "can't be bound"),
        ] {
            let fault = cant_bind("sip.listen.0", "udp:127.0.0.1:5060", at, &kind.into());
            assert!(fault.fatal && fault.problem.contains(words), "{fault:?}");
        }
    }
}
