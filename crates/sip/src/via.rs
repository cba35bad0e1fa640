//! The Via header (RFC 3261 §20.42, RFC 3581).

use std::net::{IpAddr, SocketAddr};

use crate::host;
use crate::params::Params;
use crate::scan::{self, Cursor};

/// The start of a branch that RFC 3261 elements make; what follows is unique to the transaction.
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// One Via value.
#[derive(Clone, Copy, Debug)]
pub struct Via<'a> {
    /// `UDP`, `TCP`, … as written.
    pub transport: &'a str,
    /// Host of sent-by, brackets included.
    pub host: &'a str,
    /// Port of sent-by.
    pub port: Option<u16>,
    /// branch, received, rport, maddr, ttl and whatever else.
    pub params: Params<'a>,
}

/// Not a Via value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed Via")]
pub struct MalformedVia;

impl<'a> Via<'a> {
    /// Reads one Via value (see [`crate::list::Values`]) as it lies in the message.
    ///
    /// # Errors
    /// When it isn't `SIP/2.0/transport host[:port]*(;param)`.
    pub fn parse(value: &'a [u8]) -> Result<Self, MalformedVia> {
        Self::read(value).ok_or(MalformedVia)
    }

    /// Reads `SIP/2.0/UDP host:port;params` (RFC 3261 §20.42), with white space wherever the grammar allows it: RFC
    /// 4475 §3.1.1.1 shows it there.
    fn read(value: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(value);
        let name = word(&mut cursor);
        let version = word_after_slash(&mut cursor)?;
        let transport = word_after_slash(&mut cursor)?;
        if !name.eq_ignore_ascii_case(b"SIP") || version != b"2.0" || transport.is_empty() {
            return None;
        }
        if !cursor.peek().is_some_and(scan::is_lws) {
            return None;
        }
        cursor.skip_lws();
        let host = if cursor.peek() == Some(b'[') {
            let start = cursor;
            cursor.take_while(|b| b != b']');
            cursor.eat(b']');
            start.rest().get(..cursor.at() - start.at())?
        } else {
            cursor.take_while(|b| !matches!(b, b':' | b';' | b',') && !scan::is_lws(b))
        };
        if !host::is_host(host) {
            return None;
        }
        cursor.skip_lws();
        let port = if cursor.eat(b':') {
            cursor.skip_lws();
            let port = scan::decimal(cursor.take_while(|b| b.is_ascii_digit()))?;
            Some(u16::try_from(port).ok()?)
        } else {
            None
        };
        Some(Self {
            transport: scan::text(transport)?,
            host: scan::text(host)?,
            port,
            params: Params::parse(value, cursor.at()).ok()?,
        })
    }

    /// The branch parameter.
    #[must_use]
    pub fn branch(&self) -> Option<&'a str> {
        self.params.value("branch")
    }

    /// The branch, when it starts with the magic cookie (compared without case, as the wild writes it).
    #[must_use]
    pub fn rfc3261_branch(&self) -> Option<&'a str> {
        self.branch().filter(|b| {
            b.get(..MAGIC_COOKIE.len()).is_some_and(|start| start.eq_ignore_ascii_case(MAGIC_COOKIE))
        })
    }

    /// The sent-by host, when it is an address.
    #[must_use]
    pub fn host_ip(&self) -> Option<IpAddr> {
        host::literal(self.host)
    }

    /// The received parameter, brackets or not.
    #[must_use]
    pub fn received(&self) -> Option<IpAddr> {
        self.params.value("received").and_then(host::literal)
    }

    /// The rport parameter's value.
    #[must_use]
    pub fn rport(&self) -> Option<u16> {
        self.params.value("rport")?.parse().ok()
    }

    /// Whether the sender asks for its port to be filled in (RFC 3581 §3).
    #[must_use]
    pub fn wants_rport(&self) -> bool {
        matches!(self.params.get("rport"), Some(None | Some("")))
    }

    /// The maddr parameter.
    #[must_use]
    pub fn maddr(&self) -> Option<&'a str> {
        self.params.value("maddr")
    }

    /// Where a response goes over an unreliable transport (RFC 3261 §18.2.2, RFC 3581 §4): maddr, else
    /// received, else sent-by; rport, else the sent-by port, else 5060. `None` when only a name is known.
    #[must_use]
    pub fn response_addr(&self) -> Option<SocketAddr> {
        let stated = self.port.unwrap_or(5060);
        if let Some(maddr) = self.maddr().and_then(host::literal) {
            return Some(SocketAddr::new(maddr, stated));
        }
        let ip = self.received().or_else(|| self.host_ip())?;
        Some(SocketAddr::new(ip, self.rport().unwrap_or(stated)))
    }
}

fn word<'a>(cursor: &mut Cursor<'a>) -> &'a [u8] {
    cursor.skip_lws();
    cursor.take_while(scan::is_token)
}

fn word_after_slash<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    cursor.skip_lws();
    cursor.eat(b'/').then(|| word(cursor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torture_spacing() {
        let via = Via::parse(
            b"SIP  / 2.0\r\n  / TCP     spindle.example.com :  99  ;\r\n  branch  =   z9hG4bK9ikj8  ",
        )
        .unwrap();
        assert_eq!((via.transport, via.host, via.port), ("TCP", "spindle.example.com", Some(99)));
        assert_eq!(via.rfc3261_branch(), Some("z9hG4bK9ikj8"));
    }

    #[test]
    fn ipv6_and_rport() {
        let via = Via::parse(b"SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];rport=4000;branch=x")
            .unwrap();
        assert_eq!(via.response_addr(), Some("[2001:db8::9:255]:4000".parse().unwrap()));
        assert_eq!(via.rfc3261_branch(), None);
        assert!(Via::parse(b"SIP/2.0/UDP h;rport;branch=z9hG4bKa").unwrap().wants_rport());
    }

    #[test]
    fn malformed() {
        for bad in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/2.0 h",
            "SIP/3.0/UDP h",
            "HTTP/2.0/UDP h",
            "SIP/2.0/UDPh",
            "SIP/2.0/UDP [::1",
            "SIP/2.0/UDP h:x",
            "SIP/2.0/UDP h:99999",
            "SIP/2.0/UDP h;;,",
            "SIP/2.0/UDP h x",
        ] {
            assert!(Via::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
