//! Sans-IO SIP for a proxy that leaves no fingerprints.
//!
//! Bytes and the time go in; bytes, timers and facts come out. Nothing here opens a socket, asks a
//! clock or touches media, so a whole call with loss and retransmission is a deterministic test.
//!
//! | module | subject |
//! | --- | --- |
//! | [`message`] | a byte-preserving view of one message, and edits that touch only what they name |
//! | [`uri`], [`via`], [`name_addr`], [`cseq`], [`params`], [`host`], [`list`] | header values, parsed on demand |
//! | [`framing`] | messages out of a TCP stream |
//! | [`transaction`] | RFC 3261 §17 with RFC 6026 |
//! | [`proxy`] | the stateful, record-routing core of RFC 3261 §16 |
//! | [`sdp`] | session descriptions by line, addresses and ports edited in place |
//! | [`anchor`] | offer/answer by call; brings the media through us |
//! | [`notification`] | INFO and NOTIFY of our own, for the PBX alone |
#![forbid(unsafe_code)]

use std::net::SocketAddr;

pub mod anchor;
pub mod cseq;
pub mod framing;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
pub mod host;
pub mod list;
pub mod message;
pub mod name_addr;
pub mod notification;
pub mod params;
pub mod proxy;
mod scan;
pub mod sdp;
pub mod transaction;
pub mod uri;
pub mod via;

pub use message::{Edit, Header, Message, Method, Name, ParseError, StartLine};

/// A transport that messages travel by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// One message a datagram.
    Udp,
    /// A stream of messages framed by Content-Length.
    Tcp,
}

impl Transport {
    /// Whether the transport retransmits by itself, so that transactions need not.
    #[must_use]
    pub const fn is_reliable(self) -> bool {
        matches!(self, Self::Tcp)
    }

    /// The word in a Via's sent-protocol: `UDP` or `TCP`.
    #[must_use]
    pub const fn as_via(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        }
    }

    /// The word in a URI's transport parameter: `udp` or `tcp`.
    #[must_use]
    pub const fn as_param(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }

    /// Reads either word, in any case; `None` for a transport that isn't spoken here.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        if word.eq_ignore_ascii_case("udp") {
            Some(Self::Udp)
        } else if word.eq_ignore_ascii_case("tcp") {
            Some(Self::Tcp)
        } else {
            None
        }
    }
}

/// Where a message came in. A TCP connection is named by its pair of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// How it travelled.
    pub transport: Transport,
    /// Our address that it reached.
    pub local: SocketAddr,
    /// The address it was sent from.
    pub remote: SocketAddr,
}
