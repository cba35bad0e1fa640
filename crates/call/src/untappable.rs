//! Why a stream can't be listened to.

use serde::{Deserialize, Serialize};

/// Why a stream can't be listened to. The first six are known from its description, the last two from its packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Untappable {
    /// Encrypted end to end with keys in SDP (RFC 4568).
    Srtp,
    /// Encrypted end to end with DTLS-SRTP (RFC 5764).
    Dtls,
    /// A fax (T.38).
    Fax,
    /// Not audio.
    NotAudio,
    /// The stream goes from party to party: over TCP or an unknown protocol, or as an early session (RFC 3959).
    NotRelayed,
    /// In a codec that Sidetone doesn't decode.
    UnknownCodec,
    /// The stream's description can't be read, since it is broken, encrypted, signed, compressed or elsewhere; it may
    /// have passed unchanged.
    Unreadable,
    /// The packets have a payload type that no description explains.
    UnknownPayloadType,
    /// The packets can't be decoded as their payload type says: cut, encrypted, or of another codec.
    Undecodable,
}

impl Untappable {
    /// Whether media may bypass Sidetone.
    #[must_use]
    pub const fn goes_around(self) -> bool {
        matches!(self, Self::NotRelayed | Self::Unreadable)
    }

    /// The reason's word in events and the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Srtp => "srtp",
            Self::Dtls => "dtls",
            Self::Fax => "fax",
            Self::NotAudio => "not-audio",
            Self::NotRelayed => "not-relayed",
            Self::UnknownCodec => "unknown-codec",
            Self::Unreadable => "unreadable",
            Self::UnknownPayloadType => "unknown-payload-type",
            Self::Undecodable => "undecodable",
        }
    }
}

impl std::fmt::Display for Untappable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
