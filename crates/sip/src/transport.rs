//! The transports that SIP travels by: UDP, TCP, TLS (RFC 3261 §18, §26.2) and WebSocket (RFC 7118).

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// A transport that messages travel by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Transport {
    /// One message a datagram.
    Udp,
    /// A stream of messages framed by Content-Length.
    Tcp,
    /// The same within TLS.
    Tls,
    /// One message a WebSocket message.
    Ws,
    /// The same within TLS.
    Wss,
}

impl Transport {
    /// Every transport.
    pub const ALL: [Self; 5] = [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss];

    /// Whether the transport retransmits by itself, so that transactions need not.
    #[must_use]
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// Whether the transport is encrypted, as `sips` demands of each hop (RFC 5630 §3.1).
    #[must_use]
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// Whether messages travel in WebSocket messages. A WebSocket client can't be connected to: it is reached by the
    /// connection that it has made, and by nothing else (RFC 7118 §5.1).
    #[must_use]
    pub const fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }

    /// The word in a Via's sent-protocol: `UDP`, `TCP`, `TLS`, `WS` or `WSS`.
    #[must_use]
    pub const fn as_via(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// The word in lower case, as configuration, logs and metrics have it: `udp`, `tcp`, `tls`, `ws` or `wss`.
    #[must_use]
    pub const fn as_word(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// The word in a URI's transport parameter: `udp`, `tcp`, `tls` or `ws`. `ws` stands for both kinds of WebSocket
    /// (RFC 7118 §5.2).
    #[must_use]
    pub const fn as_param(self) -> &'static str {
        match self {
            Self::Wss => "ws",
            other => other.as_word(),
        }
    }

    /// The port of a URI that states none (RFC 3261 §19.1.2, RFC 7118 §5.2).
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }

    /// Reads any of the words, in any case; `None` for a transport that isn't spoken here.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|transport| word.eq_ignore_ascii_case(transport.as_word()))
    }
}

/// Where a message came in. A connection is named by its pair of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Flow {
    /// How it travelled.
    pub transport: Transport,
    /// Our address that it reached.
    pub local: SocketAddr,
    /// The address it was sent from.
    pub remote: SocketAddr,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back_in_any_case() {
        for transport in Transport::ALL {
            assert_eq!(Transport::from_word(transport.as_via()), Some(transport));
            assert_eq!(Transport::from_word(transport.as_word()), Some(transport));
        }
        assert_eq!(Transport::from_word("sctp"), None);
        assert_eq!(Transport::Wss.as_param(), "ws");
    }
}
