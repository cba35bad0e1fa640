//! Which addresses and names are this proxy, and what it calls itself towards whom.

use std::net::SocketAddr;

use super::flows::FlowToken;
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
    /// host:port.
    pub(super) advertised: String,
    /// `;transport=…` of its sip URI, and of its sips URI.
    parameters: [String; 2],
}

/// All listeners, and further names.
#[derive(Debug)]
pub(crate) struct Local {
    places: Vec<Place>,
    names: Vec<String>,
}

impl Place {
    fn new(listener: &Listener, alias: bool) -> Self {
        let transport = listener.transport;
        let advertised = listener.advertised.to_string();
        let named = |transport: Transport| format!(";transport={}", transport.as_param());
        // TLS over TCP is what a sips URI means by itself (RFC 5630 §3.1.4).
        let parameters = match transport {
            Transport::Udp => [String::new(), String::new()],
            Transport::Tls => [named(transport), String::new()],
            Transport::Tcp | Transport::Ws | Transport::Wss => [named(transport), named(transport)],
        };
        // RFC 5923 §5: the connection may be used in the other direction too.
        let alias = if alias && transport == Transport::Tls { ";alias" } else { "" };
        Self {
            transport,
            addr: listener.addr,
            host: listener.advertised.host.clone(),
            port: listener.advertised.port.unwrap_or(transport.default_port()),
            via: format!("SIP/2.0/{} {advertised}{alias};branch=", transport.as_via()),
            parameters,
            advertised,
        }
    }

    /// Its URI without closing bracket. `secure`: a sips URI, which a request for one needs (RFC 3261 §16.6 step 4).
    fn open(&self, user: &str, secure: bool) -> String {
        let [sip, sips] = &self.parameters;
        let (scheme, parameter) = if secure { ("sips", sips) } else { ("sip", sip) };
        let at = if user.is_empty() { "" } else { "@" };
        format!("<{scheme}:{user}{at}{}{parameter}", self.advertised)
    }

    /// A Contact value, for a user of ours.
    pub(super) fn contact(&self, user: &str, secure: bool) -> String {
        self.open(user, secure) + ">"
    }

    /// The Record-Route value, with a mark in it if there is one.
    pub(super) fn record_route(&self, mark: Option<&str>, secure: bool) -> String {
        let mut value = self.open("", secure) + ";lr";
        if let Some(mark) = mark {
            value = value + ";" + stamp::PARAM + "=" + mark;
        }
        value + ">"
    }

    /// The Path value. A flow's token leads requests back to that flow; `ob` says so to the registrar (RFC 5626 §5.1).
    pub(super) fn path(&self, flow: Option<(FlowToken, bool)>, secure: bool) -> String {
        match flow {
            Some((token, outbound)) => {
                let ob = if outbound { ";ob" } else { "" };
                self.open(&format!("{PATH_USER}-{token}"), secure) + ";lr" + ob + ">"
            }
            None => self.open(PATH_USER, secure) + ";lr>",
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
            places: settings.listeners.iter().map(|listener| Place::new(listener, settings.alias)).collect(),
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
        let by_default = || uri.host_ip().and(uri.transport()).map(Transport::default_port);
        uri.is_sip() && self.is_us(uri.host(), uri.port().or_else(by_default))
    }

    /// Whether one of our own Route values came from a Path header.
    pub(super) fn is_our_path(uri: &UriView<'_>) -> bool {
        uri.user() == Some(PATH_USER) || Self::flow_in_path(uri).is_some()
    }

    /// The text of the flow's token in one of our own Path values.
    pub(super) fn flow_in_path<'a>(uri: &UriView<'a>) -> Option<&'a str> {
        uri.user()?.strip_prefix(PATH_USER)?.strip_prefix('-').filter(|token| !token.is_empty())
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

    /// A listener's texts in a dialog of sip and of sips.
    fn texts(transport: Transport, at: &str) -> [String; 4] {
        let settings =
            Settings { alias: true, ..Settings::new(vec![Listener::bound(transport, at.parse().unwrap())]) };
        let local = Local::new(&settings);
        let place = local.place(transport, at.parse().unwrap()).unwrap();
        let token = FlowToken::new(0xab);
        [
            place.via.clone(),
            place.record_route(Some("m"), false),
            place.record_route(None, true),
            place.path(Some((token, true)), false),
        ]
    }

    #[test]
    fn each_transport_is_named_as_its_rfc_has_it() {
        assert_eq!(
            texts(Transport::Tls, "192.0.2.1:5061"),
            [
                "SIP/2.0/TLS 192.0.2.1:5061;alias;branch=",
                "<sip:192.0.2.1:5061;transport=tls;lr;st=m>",
                "<sips:192.0.2.1:5061;lr>",
                "<sip:path-00000000000000ab@192.0.2.1:5061;transport=tls;lr;ob>",
            ]
        );
        assert_eq!(
            texts(Transport::Wss, "[2001:db8::1]:8443"),
            [
                "SIP/2.0/WSS [2001:db8::1]:8443;branch=",
                "<sip:[2001:db8::1]:8443;transport=ws;lr;st=m>",
                "<sips:[2001:db8::1]:8443;transport=ws;lr>",
                "<sip:path-00000000000000ab@[2001:db8::1]:8443;transport=ws;lr;ob>",
            ]
        );
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
