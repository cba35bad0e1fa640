//! The codecs a phone speaks and their names in SDP.

use std::fmt;
use std::str::FromStr;

/// A voice codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 µ-law, 64 kbit/s.
    Pcmu,
    /// G.711 A-law, 64 kbit/s.
    Pcma,
    /// G.722, 64 kbit/s; 16 kHz audio with an 8 kHz RTP clock (RFC 3551 §4.5.2).
    G722,
    /// Opus, mono, 48 kHz RTP clock (RFC 7587).
    Opus,
    /// Linear 16-bit PCM, mono (RFC 3551 §4.5.11).
    L16 {
        /// Samples a second, also the RTP clock.
        rate: u32,
    },
}

impl Codec {
    /// The payload type that this phone's own offers use.
    #[must_use]
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G722 => 9,
            Self::Opus => 111,
            Self::L16 { .. } => 118,
        }
    }

    /// The encoding name of `a=rtpmap`.
    #[must_use]
    pub const fn encoding(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
            Self::L16 { .. } => "L16",
        }
    }

    /// Ticks of the RTP timestamp a second.
    #[must_use]
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 8_000,
            Self::Opus => 48_000,
            Self::L16 { rate } => rate,
        }
    }

    /// Samples a second that the encoder takes.
    #[must_use]
    pub const fn sample_rate(self) -> u32 {
        match self {
            Self::G722 => 16_000,
            other => other.clock_rate(),
        }
    }

    /// The value of `a=rtpmap` after the payload type.
    pub(crate) fn rtpmap(self) -> String {
        match self {
            // Always two channels in SDP, whatever is sent (RFC 7587 §7).
            Self::Opus => "opus/48000/2".to_owned(),
            other => format!("{}/{}", other.encoding(), other.clock_rate()),
        }
    }

    pub(crate) const fn fmtp(self) -> Option<&'static str> {
        match self {
            Self::Opus => Some("useinbandfec=1"),
            _ => None,
        }
    }

    /// The codec that a payload type and its `a=rtpmap` (if any) stand for.
    pub(crate) fn from_sdp(payload_type: u8, rtpmap: Option<&str>) -> Option<Self> {
        let Some(rtpmap) = rtpmap else {
            return match payload_type {
                0 => Some(Self::Pcmu),
                8 => Some(Self::Pcma),
                9 => Some(Self::G722),
                11 => Some(Self::L16 { rate: 44_100 }),
                _ => None,
            };
        };
        let mut parts = rtpmap.split('/');
        let encoding = parts.next()?.trim().to_ascii_lowercase();
        let rate: u32 = parts.next()?.trim().parse().ok()?;
        let channels: u8 = parts.next().map_or(Some(1), |c| c.trim().parse().ok())?;
        match (encoding.as_str(), rate, channels) {
            ("pcmu", 8_000, 1) => Some(Self::Pcmu),
            ("pcma", 8_000, 1) => Some(Self::Pcma),
            ("g722", 8_000, 1) => Some(Self::G722),
            ("opus", 48_000, 2) => Some(Self::Opus),
            ("l16", 8_000..=48_000, 1) => Some(Self::L16 { rate }),
            _ => None,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::L16 { rate } => write!(f, "L16/{rate}"),
            other => f.write_str(other.encoding()),
        }
    }
}

/// Not the name of a codec that the phone speaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown codec {0}: try PCMU, PCMA, G722, opus, L16/8000 or L16/16000")]
pub struct UnknownCodec(String);

impl FromStr for Codec {
    type Err = UnknownCodec;

    fn from_str(name: &str) -> Result<Self, UnknownCodec> {
        let codec = match name.to_ascii_lowercase().as_str() {
            "pcmu" | "g711u" => Self::Pcmu,
            "pcma" | "g711a" => Self::Pcma,
            "g722" => Self::G722,
            "opus" => Self::Opus,
            other => other
                .strip_prefix("l16/")
                .and_then(|rate| rate.parse().ok())
                .filter(|rate| (8_000..=48_000).contains(rate))
                .map(|rate| Self::L16 { rate })
                .ok_or_else(|| UnknownCodec(name.to_owned()))?,
        };
        Ok(codec)
    }
}
