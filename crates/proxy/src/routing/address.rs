//! The address of a host, as configured or as a Contact or Route states it.

use sidetone_sip::Transport;
use sidetone_sip::host::HostPort;
use sidetone_sip::uri::{Scheme, UriView};

/// A configured URI that names no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostAddressError {
    /// A scheme other than `sip:` and `sips:`.
    #[error("`{0}`: only the schemes sip: and sips: are spoken here")]
    Scheme(String),
    /// A user part is present.
    #[error("`{0}` names a user; a host is meant: sip:HOST[:PORT]")]
    User(String),
    /// Parameters or headers other than a supported transport.
    #[error("`{0}`: only ;transport=udp, tcp or tls may follow the host, and not udp after sips:")]
    Parameters(String),
    /// The host is missing.
    #[error("`{0}` names no host; write sip:HOST[:PORT]")]
    NoHost(String),
    /// A link-local IPv6 address.
    #[error("`{0}`: an address of one link (fe80::…%interface) can't be named here; write another one")]
    LinkLocal(String),
    /// An invalid port.
    #[error("`{0}`: a port is a number from 1 to 65535; 5060 is the usual")]
    Port(String),
    /// An IPv6 address without brackets.
    #[error("`{0}`: an IPv6 address stands in brackets, as in sip:[2001:db8::1]:5060")]
    Brackets(String),
    /// Any other malformed URI.
    #[error("`{0}` is no SIP URI; write sip:HOST[:PORT][;transport=udp|tcp|tls]")]
    Unreadable(String),
}

/// A host to send SIP to: the start of an RFC 3263 look-up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostAddress {
    /// A literal address or a name, and the port if one is stated.
    pub host: HostPort,
    /// The transport if one is stated.
    pub transport: Option<Transport>,
}

impl HostAddress {
    /// Reads a configured URI such as `sip:pbx.example;transport=tcp`.
    ///
    /// # Errors
    /// `HostAddressError`, with the remedy.
    pub fn parse(uri: &str) -> Result<Self, HostAddressError> {
        let view = UriView::parse(uri).map_err(|_| Self::unreadable(uri))?;
        // Schemes are case-insensitive (RFC 3986 §3.1).
        if !view.is_sip() {
            return Err(HostAddressError::Scheme(uri.to_owned()));
        }
        if view.userinfo().is_some() {
            return Err(HostAddressError::User(uri.to_owned()));
        }
        let known = |(name, value): (&str, Option<&str>)| {
            let transport = value.and_then(Transport::from_word);
            name.eq_ignore_ascii_case("transport") && transport.is_some_and(|known| !known.is_websocket())
        };
        // sips by UDP (RFC 5630 §3.1.4).
        let unencrypted = view.scheme() == Scheme::Sips && view.transport().is_none();
        if !view.params().all(known) || !view.headers().is_empty() || unencrypted {
            return Err(HostAddressError::Parameters(uri.to_owned()));
        }
        let address = Self::of(&view).ok_or_else(|| HostAddressError::NoHost(uri.to_owned()))?;
        if address.host.port == Some(0) { Err(Self::unreadable(uri)) } else { Ok(address) }
    }

    /// Why a text is no URI of a host, judged by its colons.
    fn unreadable(uri: &str) -> HostAddressError {
        let rest = uri.split_once(':').map_or("", |(_, rest)| rest);
        if rest.contains('%') {
            return HostAddressError::LinkLocal(uri.to_owned());
        }
        let rest = rest.split([';', '?']).next().unwrap_or_default();
        let (host, port) = rest.rsplit_once(':').unwrap_or((rest, ""));
        let bracketed = rest.starts_with('[') && rest.contains(']');
        let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        if (bracketed || !host.contains(':')) && is_number {
            HostAddressError::Port(uri.to_owned())
        } else if !bracketed && rest.contains(':') && (host.contains(':') || rest.starts_with('[')) {
            HostAddressError::Brackets(uri.to_owned())
        } else {
            HostAddressError::Unreadable(uri.to_owned())
        }
    }

    /// The host of a received URI; `maddr` is not followed, since it would let a peer aim us at will.
    #[must_use]
    pub fn of(uri: &UriView<'_>) -> Option<Self> {
        Some(Self { host: uri.host_port()?, transport: uri.transport() })
    }

    /// The transport, where none is stated UDP.
    #[must_use]
    pub fn assumed_transport(&self) -> Transport {
        self.transport.unwrap_or(Transport::Udp)
    }

    /// The port, where none is stated that of its transport.
    #[must_use]
    pub fn assumed_port(&self) -> u16 {
        self.host.port.unwrap_or(self.assumed_transport().default_port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read() {
        let read = |text| HostAddress::parse(text).unwrap();
        let full = read("sip:192.0.2.1:5080;transport=tcp");
        assert_eq!(full.host.to_string(), "192.0.2.1:5080");
        assert_eq!(full.transport, Some(Transport::Tcp));
        assert_eq!(read("sip:[2001:db8::1]").host.to_string(), "[2001:db8::1]");
        assert_eq!(read("sip:SBC.example").host.to_string(), "sbc.example");
        assert_eq!(read("SIP:192.0.2.1").host.to_string(), "192.0.2.1");
        for (text, transport, port) in [
            ("sip:a.example;transport=tls", Transport::Tls, 5061),
            ("sips:a.example", Transport::Tls, 5061),
            ("sips:a.example:7061;transport=tcp", Transport::Tls, 7061),
            ("sip:a.example", Transport::Udp, 5060),
        ] {
            let address = read(text);
            assert_eq!((address.assumed_transport(), address.assumed_port()), (transport, port), "{text}");
        }
    }

    #[test]
    fn what_is_no_host_is_explained() {
        for text in [
            "192.0.2.1",
            "sips:x;transport=udp",
            "sip:x;transport=wss",
            "tel:+1555",
            "sip:",
            "sip:a b",
            "sip:x:0",
            "sip:x:99999",
            "sip:u@x",
            "sip:x;foo",
            "sip:[::1",
        ] {
            assert!(HostAddress::parse(text).is_err(), "{text}");
        }
        for (text, remedy) in [
            ("sip:x:0", "1 to 65535"),
            ("sip:x:70000", "1 to 65535"),
            ("sip:[::1]:70000;transport=tcp", "1 to 65535"),
            ("sip:[::1", "in brackets"),
            ("sip:[::1:5060", "in brackets"),
            ("sip:2001:db8::1", "in brackets"),
            ("sip:x:y", "sip:HOST[:PORT]"),
            ("sip:", "sip:HOST[:PORT]"),
        ] {
            let told = HostAddress::parse(text).unwrap_err().to_string();
            assert!(told.contains(remedy), "{told}");
        }
    }
}
