//! `[http]`, `[control]` and `[chaos]` of the configuration.

mod control;
mod languages;

pub use control::Control;
pub use languages::LanguagesError;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sidetone_drill::Windows;
use sidetone_events::Secret;
use sidetone_oidc::OidcConfig;

/// `[http]`
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address of /metrics, /healthz, /readyz, /events and /policy, or `off`.
    pub listen: HttpListen,
    /// Token of clients that may tell Sidetone of calls and announce into them, under /api; without one, no client may.
    /// At least 16 bytes: text, or `{ file = "…" }`.
    pub token: Option<Secret>,
    /// The identity provider that people sign in by, beside passwords and tokens.
    pub oidc: Option<OidcConfig>,
    /// Origins whose pages may embed the agent's page, as `https://crm.example.com`.
    pub frame_ancestors: Vec<FrameAncestor>,
    /// Files of further languages of the pages, as `sidetone texts` prints one to translate.
    pub languages: Vec<PathBuf>,
    /// Most connections at once. Each page that is live holds one.
    pub connections: Connections,
}

/// `[chaos]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Chaos {
    /// The times at which a drill (`sidetone chaos`) may be held; without one, never.
    pub windows: Windows,
}

impl Chaos {
    /// Whether a drill may be held now, `since_1970` by the system's clock.
    ///
    /// # Errors
    /// Why not, and what to do about it.
    pub fn may_drill(&self, since_1970: Duration) -> Result<(), String> {
        if self.windows.are_open(since_1970) {
            return Ok(());
        }
        let (windows, example) = (&self.windows, "[\"Sun 02:00-04:00\"], in UTC");
        Err(if windows.0.is_empty() {
            format!(
                "no drill may be held: nothing says when; set chaos.windows = {example}, to a time of few calls, and `sidetone reload`"
            )
        } else {
            format!("no drill may be held now: only at {windows} UTC, as chaos.windows says")
        })
    }
}

/// Most connections at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Connections(u32);

/// A number of connections that can't be meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} connections: 16 to 10000, one for each page that is live and some for everybody else")]
pub struct NotConnections(u32);

impl Connections {
    /// How many.
    #[must_use]
    pub const fn most(self) -> usize {
        self.0 as usize
    }
}

impl Default for Connections {
    fn default() -> Self {
        Self(256)
    }
}

impl TryFrom<u32> for Connections {
    type Error = NotConnections;

    fn try_from(most: u32) -> Result<Self, NotConnections> {
        if (16..=10_000).contains(&most) { Ok(Self(most)) } else { Err(NotConnections(most)) }
    }
}

impl From<Connections> for u32 {
    fn from(connections: Connections) -> Self {
        connections.0
    }
}

/// An origin whose pages may embed the agent's page: scheme, host and perhaps a port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct FrameAncestor(String);

/// A text that is no such origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no origin: write https:// or http://, a host and perhaps a port, as in https://crm.example.com"
)]
pub struct NotAnOrigin(String);

impl FromStr for FrameAncestor {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        // Nothing that ends a directive of the policy, or begins another, and no path.
        let fits = |host: &str| {
            (1..=253).contains(&host.len())
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
        };
        if host.is_some_and(fits) { Ok(Self(text.to_owned())) } else { Err(NotAnOrigin(text.to_owned())) }
    }
}

impl std::fmt::Display for FrameAncestor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for FrameAncestor {
    type Error = NotAnOrigin;

    fn try_from(text: String) -> Result<Self, NotAnOrigin> {
        text.parse()
    }
}

impl From<FrameAncestor> for String {
    fn from(origin: FrameAncestor) -> Self {
        origin.0
    }
}

/// The HTTP address, if HTTP is served at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum HttpListen {
    /// HTTP is not served.
    Off,
    /// HTTP is served at this address.
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

/// A text that is no HTTP address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpListenError {
    /// The text is no address with a port.
    #[error("`{0}` is not ADDRESS:PORT, as in 127.0.0.1:9464, nor off")]
    Unreadable(String),
    /// A broadcast or multicast address.
    #[error("{0} is no address of one host; name one of this machine's own, as in 127.0.0.1:9464")]
    ManyHosts(SocketAddr),
}

impl FromStr for HttpListen {
    type Err = HttpListenError;

    fn from_str(text: &str) -> Result<Self, HttpListenError> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let at: SocketAddr = text.parse().map_err(|_| HttpListenError::Unreadable(text.to_owned()))?;
        let broadcast = matches!(at.ip(), IpAddr::V4(ip) if ip.is_broadcast());
        if broadcast || at.ip().is_multicast() {
            return Err(HttpListenError::ManyHosts(at));
        }
        Ok(Self::At(at))
    }
}

impl TryFrom<String> for HttpListen {
    type Error = HttpListenError;

    fn try_from(text: String) -> Result<Self, HttpListenError> {
        text.parse()
    }
}

impl From<HttpListen> for String {
    fn from(listen: HttpListen) -> Self {
        listen.to_string()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_as_many_as_can_be_meant() {
        assert_eq!(Connections::default().most(), 256);
        assert_eq!(Connections::try_from(2_000).map(Connections::most), Ok(2_000));
        for wrong in [0, 15, 10_001, u32::MAX] {
            assert!(Connections::try_from(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_origin_can_end_no_directive_of_the_policy() {
        for origin in ["https://crm.example.com", "http://localhost:8080", "https://[2001:db8::1]:8443"] {
            assert_eq!(origin.parse::<FrameAncestor>().unwrap().to_string(), origin);
        }
        for other in [
            "",
            "*",
            "crm.example.com",
            "https://",
            "https://*",
            "https://crm.example.com/path",
            "https://a; script-src *",
            "https://a 'unsafe-inline'",
            "https://a\r\nx: y",
            "javascript://x",
        ] {
            assert!(other.parse::<FrameAncestor>().is_err(), "{other}");
        }
    }
}
