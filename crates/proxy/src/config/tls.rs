//! `[sip.tls]` and `[sip.websocket]`: certificates, whom they are shown to, and which pages may speak SIP.

use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::units::serde_by_text;

/// `[sip.tls]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// File with Sidetone's certificate, then its intermediates, in PEM.
    pub certificate: PathBuf,
    /// File with the certificate's private key, in PEM.
    pub key: PathBuf,
    /// Further certificates, one of which is shown to a client that asks for one of its names (SNI, RFC 6066 §3).
    #[serde(default)]
    pub more: Vec<Pair>,
    /// File with the certificates of those who may vouch for peers, in PEM. Unset: the system's.
    pub authorities: Option<PathBuf>,
    /// Whether clients at `tls:` sockets are asked for certificates of their own. Browsers never are.
    #[serde(default)]
    pub client_certificates: ClientCertificates,
    /// The oldest version of TLS that is spoken.
    #[serde(default)]
    pub minimum: Version,
    /// The name by which peers and browsers reach the TLS sockets, one of those in the certificate. It stands in Via,
    /// Record-Route and Path there. Unset: the socket's address.
    pub name: Option<String>,
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// File with the certificate, then its intermediates, in PEM.
    pub certificate: PathBuf,
    /// File with the certificate's private key, in PEM.
    pub key: PathBuf,
}

/// Whether clients are asked for certificates of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificates {
    /// Not asked.
    #[default]
    Off,
    /// Asked; one that is shown has to be good, and none is good enough.
    Optional,
    /// Nobody without a good one is let in.
    Required,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Version {
    /// TLS 1.2 (RFC 5246).
    #[default]
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

/// Text that names no version of TLS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no version of TLS that is spoken here; write \"1.2\" or \"1.3\"")]
pub struct UnknownVersion(String);

impl FromStr for Version {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        match text {
            "1.2" => Ok(Self::Tls12),
            "1.3" => Ok(Self::Tls13),
            other => Err(UnknownVersion(other.to_owned())),
        }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        })
    }
}

serde_by_text!(Version);

/// `[sip.websocket]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebSocket {
    /// Origins of the pages that may speak SIP, as `https://agents.example`; `*` stands for every origin. Clients that
    /// state none are no browsers, and pass.
    pub origins: Vec<String>,
}
