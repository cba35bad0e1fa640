//! What an operator may say: the shape of `sidetone.toml`.
//!
//! Every key is documented in `deploy/sidetone.example.toml`, which a test loads. Unknown keys are refused.
//! Reading files and explaining errors is the binary's work; this module only gives shapes, defaults and the
//! checks that need no system.

mod check;
mod control;
mod fault;
mod peers;
mod units;

pub use check::{check, events_fault, media_named};
pub use control::Control;
pub use fault::Fault;
pub use peers::{AllowEntry, Host, Peer};
pub use sidetone_announce::Announcements;
pub use sidetone_consent::Policy;
pub use sidetone_consent::policy::Settings as Consent;
pub use sidetone_insight::Period;
pub use sidetone_relay::config::{Latching, Media, PortRange};

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sidetone_call::Node;
use sidetone_events::Secret;
use sidetone_sip::Transport;

/// The whole configuration.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Which of several Sidetones this is.
    #[serde(default)]
    pub node: Option<Node>,
    /// Where Sidetone listens for SIP.
    pub sip: Sip,
    /// Where it anchors media.
    pub media: Media,
    /// The carriers, in order of preference.
    #[serde(rename = "trunk", default)]
    pub trunks: Vec<Peer>,
    /// The PBXs, in order of preference.
    #[serde(rename = "pbx", default)]
    pub pbxs: Vec<Peer>,
    /// How much it takes on.
    #[serde(default)]
    pub limits: Limits,
    /// How peers are watched.
    #[serde(default)]
    pub health: Health,
    /// How it listens.
    #[serde(default)]
    pub analysis: Analysis,
    /// How callers are told, and who is never listened to.
    #[serde(default)]
    pub consent: Consent,
    /// What announcements sound like.
    #[serde(default)]
    pub announcement: Announcements,
    /// Where events go.
    #[serde(default)]
    pub events: sidetone_events::config::EventsConfig,
    /// The Unix socket that the command line talks to.
    #[serde(default)]
    pub control: Control,
    /// Metrics, health and the live event stream.
    #[serde(default)]
    pub http: Http,
    /// What is logged, and how.
    #[serde(default)]
    pub log: Log,
}

/// `[sip]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sip {
    /// Sockets, as `udp:ADDRESS:PORT` or `tcp:ADDRESS:PORT`.
    pub listen: Vec<Listen>,
    /// Further names under which peers address Sidetone (a DNS name, a public address behind 1:1 NAT).
    #[serde(default)]
    pub hostnames: Vec<String>,
    /// How long a host that answers nothing at all is waited for before the next one is tried.
    #[serde(default = "Sip::default_failover")]
    pub failover_after: Period,
    /// Largest request sent by UDP, in bytes (RFC 3261 §18.1.1).
    #[serde(default = "Sip::default_udp_limit")]
    pub udp_limit: usize,
    /// Name servers to ask, `ADDRESS:PORT`; empty is the system's.
    #[serde(default)]
    pub nameservers: Vec<SocketAddr>,
    /// Most transactions held at once; beyond it new requests get 503.
    #[serde(default = "Sip::default_transactions")]
    pub max_transactions: usize,
    /// Most TCP connections held at once.
    #[serde(default = "Sip::default_connections")]
    pub max_connections: usize,
    /// File with the secret by which dialogs are recognised after a restart; made if it is missing. Unset: `dialog.key`
    /// in systemd's state directory, and without one a secret that is forgotten.
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
}

/// One SIP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// UDP or TCP.
    pub transport: Transport,
    /// The address bound.
    pub addr: SocketAddr,
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (transport, addr) = text
            .split_once(':')
            .ok_or_else(|| format!("`{text}` is not TRANSPORT:ADDRESS:PORT, as in udp:127.0.0.1:5060"))?;
        let transport = match transport {
            "udp" => Transport::Udp,
            "tcp" => Transport::Tcp,
            other => return Err(format!("transport `{other}` is not known; write udp or tcp")),
        };
        let addr: SocketAddr = addr.parse().map_err(|_| {
            format!("`{addr}` is not ADDRESS:PORT; an IPv6 address stands in brackets: [::1]:5060")
        })?;
        if addr.ip().is_unspecified() {
            return Err(format!(
                "{addr}: a wildcard address can't be written into Via and Record-Route; name each address"
            ));
        }
        let broadcast = matches!(addr.ip(), IpAddr::V4(ip) if ip.is_broadcast());
        if broadcast || addr.ip().is_multicast() {
            return Err(format!("{addr} is no address of one host; name one of this machine's own"));
        }
        Ok(Self { transport, addr })
    }
}

units::serde_by_text!(Listen);

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let transport = match self.transport {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        };
        write!(f, "{transport}:{}", self.addr)
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
    /// The Retry-After that a refused call is given.
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

impl Config {
    /// Whether any trunk or rule lets callers be listened to.
    #[must_use]
    pub fn listens_to_any(&self) -> bool {
        let rules = self.consent.rules.iter().map(|rule| rule.policy.unwrap_or_default());
        let trunks = self.trunks.iter().map(|trunk| trunk.disclosure);
        trunks.chain(rules).any(|policy| policy != Policy::Never)
    }
}

/// `[health]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Health {
    /// How often each host is asked with OPTIONS; `0s` asks never and takes every host for healthy.
    pub options_interval: Period,
    /// Unanswered probes in a row after which a host is down.
    pub down_after: u32,
}

impl Default for Health {
    fn default() -> Self {
        Self { options_interval: Period::from_secs(10), down_after: 2 }
    }
}

/// `[analysis]`
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Analysis {
    /// A folder or safetensors file with weights; without it, the open weights inside the binary.
    pub model: Option<PathBuf>,
    /// Analysis workers; 0 is one for every two cores, at least one.
    pub workers: usize,
    /// When a caller counts as upset, and when as calm again.
    pub thresholds: sidetone_insight::Thresholds,
}

/// `[http]`
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Where /metrics, /healthz, /readyz, /events and /policy are served: an address, or `off`.
    pub listen: HttpListen,
    /// Who shows it may tell Sidetone of calls and announce into them, under /api; without it nobody may. At least 16
    /// bytes: text, or `{ file = "…" }`.
    pub token: Option<Secret>,
}

/// Where HTTP is served, if at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpListen {
    /// Not at all.
    Off,
    /// Here.
    At(SocketAddr),
}

impl HttpListen {
    /// The address, if there is one.
    #[must_use]
    pub const fn address(self) -> Option<SocketAddr> {
        match self {
            Self::Off => None,
            Self::At(address) => Some(address),
        }
    }
}

impl Default for HttpListen {
    fn default() -> Self {
        Self::At(SocketAddr::from((Ipv4Addr::LOCALHOST, 9464)))
    }
}

impl FromStr for HttpListen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let at: SocketAddr = text
            .parse()
            .map_err(|_| format!("`{text}` is not ADDRESS:PORT, as in 127.0.0.1:9464, nor off"))?;
        let broadcast = matches!(at.ip(), IpAddr::V4(ip) if ip.is_broadcast());
        if broadcast || at.ip().is_multicast() {
            return Err(format!(
                "{at} is no address of one host; name one of this machine's own, as in 127.0.0.1:9464"
            ));
        }
        Ok(Self::At(at))
    }
}

impl std::fmt::Display for HttpListen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::At(address) => write!(f, "{address}"),
        }
    }
}

units::serde_by_text!(HttpListen);

/// `[log]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,sidetone_sip=debug`.
    pub level: String,
    /// `text` or `json`.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}
