//! Which addresses and names are this proxy, and what it calls itself towards whom.

use std::net::SocketAddr;

use super::settings::{Listener, Settings};
use super::stamp;
use crate::Transport;
use crate::host::{self, Host};
use crate::uri::UriView;

/// The user part that marks our Path entries: a request steered by one goes on to its Request-URI, while one that was
/// merely sent to us first is routed by configuration.
const PATH_USER: &str = "path";
const DEFAULT_PORT: u16 = 5060;

/// A listener and the texts that it appears as.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) transport: Transport,
    pub(super) addr: SocketAddr,
    host: Host,
    port: u16,
    /// Up to and with `;branch=`.
    pub(super) via: String,
    /// A Record-Route value.
    record_route: String,
    /// A Path value.
    pub(super) path: String,
    /// A URI with a user part put in, as a Contact has it.
    contact: (String, String),
    /// host:port.
    pub(super) advertised: String,
}

/// All listeners, and further names.
#[derive(Debug)]
pub(crate) struct Local {
    places: Vec<Place>,
    names: Vec<String>,
}

impl Place {
    fn new(listener: &Listener) -> Self {
        let advertised = listener.advertised.to_string();
        let transport = match listener.transport {
            Transport::Udp => String::new(),
            Transport::Tcp => format!(";transport={}", listener.transport.as_param()),
        };
        Self {
            transport: listener.transport,
            addr: listener.addr,
            host: listener.advertised.host.clone(),
            port: listener.advertised.port.unwrap_or(DEFAULT_PORT),
            via: format!("SIP/2.0/{} {advertised};branch=", listener.transport.as_via()),
            record_route: format!("<sip:{advertised}{transport};lr>"),
            path: format!("<sip:{PATH_USER}@{advertised}{transport};lr>"),
            contact: ("<sip:".to_owned(), format!("@{advertised}{transport}>")),
            advertised,
        }
    }

    /// A Contact value, for a user of ours.
    pub(super) fn contact(&self, user: &str) -> String {
        let (before, after) = &self.contact;
        format!("{before}{user}{after}")
    }

    /// The Record-Route value with a mark in it, if there is one.
    pub(super) fn record_route(&self, mark: Option<&str>) -> String {
        match (mark, self.record_route.strip_suffix('>')) {
            (Some(mark), Some(open)) => format!("{open};{}={mark}>", stamp::PARAM),
            _ => self.record_route.clone(),
        }
    }

    /// Whether neighbours reach both by the same address and transport, so that one Record-Route does for both.
    pub(super) fn reached_like(&self, other: &Self) -> bool {
        self.transport == other.transport && self.host == other.host && self.port == other.port
    }
}

impl Local {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            places: settings.listeners.iter().map(Place::new).collect(),
            names: settings.hostnames.iter().map(|n| n.to_ascii_lowercase()).collect(),
        }
    }

    /// The listener of that transport bound to `addr`; failing that, the one most like it.
    pub(super) fn place(&self, transport: Transport, addr: SocketAddr) -> Option<&Place> {
        let alike = || self.places.iter().filter(|p| p.transport == transport);
        alike()
            .find(|p| p.addr == addr)
            .or_else(|| alike().find(|p| p.addr.port() == addr.port() && same_family(p.addr, addr)))
            .or_else(|| alike().find(|p| same_family(p.addr, addr)))
    }

    /// A TCP listener to send from where a UDP listener would have been used.
    pub(super) fn tcp_beside(&self, addr: SocketAddr) -> Option<&Place> {
        let tcp = || self.places.iter().filter(|p| p.transport == Transport::Tcp);
        tcp().find(|p| p.addr.ip() == addr.ip()).or_else(|| tcp().find(|p| same_family(p.addr, addr)))
    }

    /// Whether that host and port mean this proxy. A name without a port does whatever the ports are, since its
    /// port may have come from DNS.
    pub(super) fn is_us(&self, host: &str, port: Option<u16>) -> bool {
        let wanted = port.unwrap_or(DEFAULT_PORT);
        match host::literal(host) {
            Some(ip) => {
                let named = self.names.iter().any(|name| host::literal(name) == Some(ip));
                self.places.iter().any(|p| {
                    ((named || p.addr.ip() == ip) && p.addr.port() == wanted)
                        || ((named || p.host == Host::Ip(ip)) && p.port == wanted)
                })
            }
            None => {
                let named = |name: &str| name.eq_ignore_ascii_case(host);
                let ours = self.names.iter().any(|n| named(n))
                    && (port.is_none()
                        || self.places.iter().any(|p| p.port == wanted || p.addr.port() == wanted));
                ours || self
                    .places
                    .iter()
                    .any(|p| matches!(&p.host, Host::Name(n) if named(n)) && p.port == wanted)
            }
        }
    }

    /// Whether a URI's host and port mean this proxy.
    pub(crate) fn is_our_uri(&self, uri: &UriView<'_>) -> bool {
        uri.is_sip() && self.is_us(uri.host(), uri.port())
    }

    /// Whether one of our own Route values came from a Path header.
    pub(super) fn is_our_path(uri: &UriView<'_>) -> bool {
        uri.user() == Some(PATH_USER)
    }
}

fn same_family(a: SocketAddr, b: SocketAddr) -> bool {
    a.is_ipv4() == b.is_ipv4()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local() -> Local {
        let mut settings = Settings::new(vec![
            Listener::bound(Transport::Udp, "192.0.2.1:5060".parse().unwrap()),
            Listener::bound(Transport::Udp, "[2001:db8::1]:5070".parse().unwrap()),
            Listener {
                transport: Transport::Tcp,
                addr: "0.0.0.0:5062".parse().unwrap(),
                advertised: "edge.example.com:5062".parse().unwrap(),
            },
        ]);
        settings.hostnames.push("SIP.example.com".to_owned());
        settings.hostnames.push("203.0.113.7".to_owned());
        settings.hostnames.push("2001:db8::7".to_owned());
        Local::new(&settings)
    }

    #[test]
    fn names_and_addresses_that_are_us() {
        let local = local();
        for (host, port) in [
            ("192.0.2.1", None),
            ("192.0.2.1", Some(5060)),
            ("[2001:DB8::1]", Some(5070)),
            ("Edge.Example.com", Some(5062)),
            ("sip.example.com", None),
            ("sip.example.com", Some(5070)),
            ("203.0.113.7", None),
            ("203.0.113.7", Some(5070)),
            ("[2001:DB8::7]", Some(5062)),
        ] {
            assert!(local.is_us(host, port), "{host} {port:?}");
        }
        for (host, port) in [
            ("192.0.2.1", Some(5070)),
            ("[2001:db8::1]", None),
            ("edge.example.com", Some(5060)),
            ("sip.example.com", Some(9)),
            ("example.com", None),
            ("203.0.113.7", Some(9)),
            ("203.0.113.8", None),
            ("0.0.0.0", Some(5060)),
        ] {
            assert!(!local.is_us(host, port), "{host} {port:?}");
        }
    }

    #[test]
    fn the_nearest_listener() {
        let local = local();
        let via = |t, a: &str| local.place(t, a.parse().unwrap()).map(|p| p.via.as_str());
        assert_eq!(via(Transport::Tcp, "10.0.0.1:5062"), Some("SIP/2.0/TCP edge.example.com:5062;branch="));
        assert_eq!(via(Transport::Udp, "[::1]:9"), Some("SIP/2.0/UDP [2001:db8::1]:5070;branch="));
        assert_eq!(via(Transport::Tcp, "[::1]:9"), None);
    }
}
