//! Hosts and ports: names, IPv4, bracketed IPv6.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use crate::scan;

/// A host, as in a URI or a Via.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// A domain name, lower-cased.
    Name(String),
    /// An address literal.
    Ip(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip)
    }
}

impl FromStr for Host {
    type Err = MalformedHost;

    fn from_str(text: &str) -> Result<Self, MalformedHost> {
        if let Some(ip) = literal(text) {
            Ok(Self::Ip(ip))
        } else if is_host(text.as_bytes()) {
            Ok(Self::Name(text.to_ascii_lowercase()))
        } else {
            Err(MalformedHost)
        }
    }
}

/// A host and, when stated, a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// Name or address.
    pub host: Host,
    /// `None`: the default port of scheme and transport.
    pub port: Option<u16>,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => self.host.fmt(f),
        }
    }
}

impl From<SocketAddr> for HostPort {
    fn from(addr: SocketAddr) -> Self {
        Self { host: Host::Ip(addr.ip()), port: Some(addr.port()) }
    }
}

impl FromStr for HostPort {
    type Err = MalformedHost;

    fn from_str(text: &str) -> Result<Self, MalformedHost> {
        let (host, port) = split_port(text).ok_or(MalformedHost)?;
        Ok(Self { host: host.parse()?, port })
    }
}

/// Not a host name or an address literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a host, or host and port")]
pub struct MalformedHost;

/// Reads an address literal; IPv6 with or without its brackets (Via's `received` has been seen
/// both ways, RFC 5118 §4.5).
#[must_use]
pub fn literal(text: &str) -> Option<IpAddr> {
    if let Some(inner) = text.strip_prefix('[') {
        return ipv6(inner.strip_suffix(']')?).map(IpAddr::V6);
    }
    text.parse().ok()
}

/// Reads an IPv6 address, also with the third colon before an IPv4 part that RFC 3261's grammar asked for: it must
/// be tolerated (RFC 5118 §4.10).
fn ipv6(text: &str) -> Option<Ipv6Addr> {
    if let Some((before, after)) = text.split_once(":::") {
        let ipv4 = after.parse::<std::net::Ipv4Addr>().ok()?;
        return format!("{before}::{ipv4}").parse().ok();
    }
    text.parse().ok()
}

/// Splits `host`, `host:port`, `[v6]` or `[v6]:port`. The host keeps its brackets and is checked.
pub(crate) fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let host_len =
        if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':').unwrap_or(text.len()) };
    let (host, rest) = text.split_at_checked(host_len)?;
    if !is_host(host.as_bytes()) {
        return None;
    }
    match rest.strip_prefix(':') {
        Some(digits) => {
            let port = scan::decimal(digits.as_bytes())?;
            Some((host, Some(u16::try_from(port).ok()?)))
        }
        None => rest.is_empty().then_some((host, None)),
    }
}

/// A host as the wild writes it: letters, digits, `-`, `.`, `_`, or a bracketed IPv6 literal.
pub(crate) fn is_host(bytes: &[u8]) -> bool {
    if let Some(inner) = bytes.strip_prefix(b"[") {
        let inner = inner.strip_suffix(b"]").and_then(scan::text);
        return inner.is_some_and(|text| ipv6(text).is_some());
    }
    !bytes.is_empty() && bytes.iter().all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_every_shape() {
        for text in
            ["example.com", "example.com:5060", "192.0.2.1", "192.0.2.1:1", "[2001:db8::1]", "[::1]:65535"]
        {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
        }
        assert_eq!(literal("[2001:db8:::192.0.2.1]"), literal("[2001:db8::192.0.2.1]"));
        assert_eq!("Example.COM".parse::<Host>(), Ok(Host::Name("example.com".into())));
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "[2001:db8:::1]",
            "[2001::db8:::192.0.2.1]",
            "",
            ":5060",
            "a b",
            "[::1",
            "[::g]",
            "h:65536",
            "h:",
            "h:5060x",
            "[::1]x",
            "::1",
        ] {
            assert!(text.parse::<HostPort>().is_err(), "{text}");
        }
    }
}
