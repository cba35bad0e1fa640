//! How the SIP of one face of a call travels.

use serde::{Deserialize, Serialize};

/// How the SIP of one leg travels between its party and Sidetone, as it was when the message came that is told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signalling {
    /// The transport.
    pub transport: SipTransport,
    /// What TLS has agreed on; `None` without TLS, and where the connection was closed before that could be told.
    pub tls: Option<Tls>,
}

/// A transport of SIP (RFC 3261 §18, RFC 7118).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SipTransport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// WebSocket without TLS.
    Ws,
    /// WebSocket over TLS.
    Wss,
}

/// What TLS has agreed on for a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The version of the protocol.
    pub version: TlsVersion,
    /// The cipher suite, by its name in IANA's registry.
    pub cipher: String,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TlsVersion {
    /// RFC 5246.
    #[serde(rename = "1.2")]
    V1_2,
    /// RFC 8446.
    #[serde(rename = "1.3")]
    V1_3,
}
