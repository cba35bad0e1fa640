//! The proxy's configuration: `[sip]`, `[limits]`, `[health]`, `[[trunk]]` and `[[pbx]]`, and the addresses of the
//! relay that anchors its media.
//!
//! Shapes, defaults, and the checks that need no system.

mod check;
mod fault;
mod peers;
mod tls;
mod units;

pub use check::{check, media_named, unusable_host};
pub use fault::Fault;
pub use peers::{AllowEntry, Host, Peer};
pub use sidetone_consent::Policy;
pub use sidetone_insight::Period;
pub use sidetone_relay::config::{Latching, Media, PortRange};
pub use tls::{ClientCertificates, Pair, Tls, UnknownVersion, Version, WebSocket};

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sidetone_sip::Transport;

/// The proxy's configuration.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Config {
    /// Where Sidetone listens for SIP.
    pub sip: Sip,
    /// Where the relay anchors media.
    pub media: Media,
    /// The carriers, in order of preference.
    #[serde(rename = "trunk", default)]
    pub trunks: Vec<Peer>,
    /// The PBXs, in order of preference.
    #[serde(rename = "pbx", default)]
    pub pbxs: Vec<Peer>,
    /// Limits on the load.
    #[serde(default)]
    pub limits: Limits,
    /// How peers are watched.
    #[serde(default)]
    pub health: Health,
    /// The process's own HTTP address, if it serves HTTP: no call is sent there.
    #[serde(skip)]
    pub http: Option<SocketAddr>,
}

/// `[sip]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sip {
    /// Sockets, as `udp:ADDRESS:PORT`; likewise `tcp`, `tls`, `ws` and `wss`.
    pub listen: Vec<Listen>,
    /// Further names under which peers address Sidetone (a DNS name, a public address behind 1:1 NAT).
    #[serde(default)]
    pub hostnames: Vec<String>,
    /// How long a host may leave a request without any answer before the next host is tried.
    #[serde(default = "Sip::default_failover")]
    pub failover_after: Period,
    /// Largest request sent by UDP, in bytes (RFC 3261 §18.1.1).
    #[serde(default = "Sip::default_udp_limit")]
    pub udp_limit: usize,
    /// Name servers, `ADDRESS:PORT`; an empty list means the system's.
    #[serde(default)]
    pub nameservers: Vec<SocketAddr>,
    /// Most transactions held at once; beyond it new requests get 503.
    #[serde(default = "Sip::default_transactions")]
    pub max_transactions: usize,
    /// Most connections held at once.
    #[serde(default = "Sip::default_connections")]
    pub max_connections: usize,
    /// Most connections of one address that is in no peer's `allow`: of a client that is let in by its certificate, or
    /// at a socket of its own.
    #[serde(default = "Sip::default_connections_of_source")]
    pub max_connections_of_source: usize,
    /// Certificates, for `tls:` and `wss:` sockets and for hosts that are reached by TLS.
    pub tls: Option<Tls>,
    /// Which pages may speak SIP by WebSocket.
    #[serde(default)]
    pub websocket: WebSocket,
    /// File with the secret by which dialogs are recognised after a restart; it is made if it is missing. Unset:
    /// `dialog.key` in systemd's state directory; without such a directory, a secret that is lost with the process.
    pub dialog_key: Option<PathBuf>,
}

impl Sip {
    fn default_failover() -> Period {
        Period::from_secs(4)
    }
    const fn default_udp_limit() -> usize {
        1300
    }
    const fn default_transactions() -> usize {
        100_000
    }
    const fn default_connections() -> usize {
        1_000
    }
    const fn default_connections_of_source() -> usize {
        64
    }
}

/// One SIP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// By what.
    pub transport: Transport,
    /// The address bound.
    pub addr: SocketAddr,
}

/// Text that names no SIP socket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    /// The text begins with no transport.
    #[error("`{0}` is not TRANSPORT:ADDRESS:PORT, as in udp:127.0.0.1:5060")]
    Unreadable(String),
    /// The text begins with an unsupported transport.
    #[error("transport `{0}` is not known; write udp, tcp, tls, ws or wss")]
    Transport(String),
    /// The rest is no address with a port.
    #[error("`{0}` is not ADDRESS:PORT; an IPv6 address stands in brackets: [::1]:5060")]
    Address(String),
    /// A wildcard address: no peer could send anything back to it.
    #[error("{0}: a wildcard address can't be written into Via and Record-Route; name each address")]
    Wildcard(SocketAddr),
    /// A broadcast or multicast address.
    #[error("{0} is no address of one host; name one of this machine's own")]
    ManyHosts(SocketAddr),
}

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        let (transport, addr) =
            text.split_once(':').ok_or_else(|| ListenError::Unreadable(text.to_owned()))?;
        let known = Transport::ALL.into_iter().find(|known| known.as_word() == transport);
        let transport = known.ok_or_else(|| ListenError::Transport(transport.to_owned()))?;
        let addr: SocketAddr = addr.parse().map_err(|_| ListenError::Address(addr.to_owned()))?;
        if addr.ip().is_unspecified() {
            return Err(ListenError::Wildcard(addr));
        }
        let broadcast = matches!(addr.ip(), IpAddr::V4(ip) if ip.is_broadcast());
        if broadcast || addr.ip().is_multicast() {
            return Err(ListenError::ManyHosts(addr));
        }
        Ok(Self { transport, addr })
    }
}

units::serde_by_text!(Listen);

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.transport.as_word(), self.addr)
    }
}

/// `[limits]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Calls at once; beyond it 503 with Retry-After.
    pub calls: usize,
    /// New calls a second, with a burst of one second's worth.
    pub calls_per_second: u32,
    /// How long a call may ring with nothing new heard of it (timer C, RFC 3261 §16.8).
    pub ring: Period,
    /// The Retry-After of a refused call.
    pub retry_after: Period,
    /// How long `drain` and SIGTERM wait for calls to end by themselves.
    pub drain: Period,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls: 2_000,
            calls_per_second: 100,
            ring: Period::from_secs(185),
            retry_after: Period::from_secs(10),
            drain: Period::from_secs(30),
        }
    }
}

/// `[health]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Health {
    /// The interval between a host's OPTIONS probes; `0s` means no probes, and every host counts as healthy.
    pub options_interval: Period,
    /// Unanswered probes in a row after which a host is down.
    pub down_after: u32,
}

impl Default for Health {
    fn default() -> Self {
        Self { options_interval: Period::from_secs(10), down_after: 2 }
    }
}
