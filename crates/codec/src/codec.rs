//! Which coding a payload type stands for.

use crate::coding::{CodecError, Decode, Encode};
use crate::l16::L16;
use crate::opus::{OpusDecoder, OpusEncoder, OpusSettings};
use crate::{g711, g722, noise};

/// Rates that L16 may have (RFC 4856 §3.1.1); others make no codec, for a rate is the peer's say.
const L16_RATES: [u32; 8] = [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];

/// Opus parameters in SDP (RFC 7587 §6.1). All of it is the wish of the party that
/// states it about what it receives; a decoder works without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct OpusFormat {
    /// `stereo=1`.
    pub stereo: bool,
    /// `useinbandfec=1`.
    pub inband_fec: bool,
    /// `usedtx=1`.
    pub dtx: bool,
    /// `maxaveragebitrate` in bit/s.
    pub max_average_bitrate: Option<u32>,
    /// `maxplaybackrate` in Hz.
    pub max_playback_rate: Option<u32>,
}

/// A payload format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 at 64 kbit/s: 16 kHz audio under an RTP clock of 8000 Hz (RFC 3551 §4.5.2).
    G722,
    /// Opus.
    Opus(OpusFormat),
    /// Linear 16-bit PCM in network byte order.
    L16 {
        /// Sample rate and RTP clock in Hz.
        rate: u32,
        /// 1 or 2, interleaved.
        channels: u8,
    },
    /// Comfort noise (RFC 3389).
    ComfortNoise {
        /// RTP clock in Hz; the noise is made at this rate.
        rate: u32,
    },
    /// Telephone-events (RFC 4733).
    TelephoneEvent {
        /// RTP clock in Hz.
        rate: u32,
    },
}

impl Codec {
    /// Every codec that can be decoded, in such variants as peers use: fuzzers try each.
    pub const EXAMPLES: [Self; 9] = [
        Self::Pcmu,
        Self::Pcma,
        Self::G722,
        Self::Opus(OpusFormat::MONO),
        Self::Opus(OpusFormat { stereo: true, ..OpusFormat::MONO }),
        Self::L16 { rate: 16_000, channels: 1 },
        Self::L16 { rate: 44_100, channels: 2 },
        Self::L16 { rate: 11_025, channels: 1 },
        Self::ComfortNoise { rate: 8000 },
    ];

    /// The codec that an `a=rtpmap` line with its `a=fmtp` parameters names; `None` if it is none of
    /// ours, or in a variant that doesn't exist. `channels` 0 counts as 1, as SDP leaves it out.
    #[must_use]
    pub fn from_rtpmap(encoding: &str, clock_rate: u32, channels: u8, fmtp: &str) -> Option<Self> {
        let is = |name: &str| encoding.eq_ignore_ascii_case(name);
        let mono = channels <= 1;
        Some(if is("PCMU") && clock_rate == 8000 && mono {
            Codec::Pcmu
        } else if is("PCMA") && clock_rate == 8000 && mono {
            Codec::Pcma
        } else if is("G722") && matches!(clock_rate, 8000 | 16_000) && mono {
            // Some say 16000, which is what they send; the RTP clock runs at 8000 all the same.
            Codec::G722
        } else if is("opus") && clock_rate == 48_000 && channels <= 2 {
            Codec::Opus(OpusFormat::from_fmtp(fmtp))
        } else if is("L16") && L16_RATES.contains(&clock_rate) && channels <= 2 {
            Codec::L16 { rate: clock_rate, channels: channels.max(1) }
        } else if is("CN") && (8_000..=48_000).contains(&clock_rate) && mono {
            Codec::ComfortNoise { rate: clock_rate }
        } else if is("telephone-event") && (1_000..=192_000).contains(&clock_rate) {
            Codec::TelephoneEvent { rate: clock_rate }
        } else {
            return None;
        })
    }

    /// The codec of a static payload type (RFC 3551 §6), as it holds without an `a=rtpmap` line.
    #[must_use]
    pub fn from_static(payload_type: u8) -> Option<Self> {
        Some(match payload_type {
            0 => Codec::Pcmu,
            8 => Codec::Pcma,
            9 => Codec::G722,
            10 => Codec::L16 { rate: 44_100, channels: 2 },
            11 => Codec::L16 { rate: 44_100, channels: 1 },
            13 => Codec::ComfortNoise { rate: 8000 },
            _ => return None,
        })
    }

    /// The codec's name as SDP has it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
            Codec::Opus(_) => "opus",
            Codec::L16 { .. } => "L16",
            Codec::ComfortNoise { .. } => "CN",
            Codec::TelephoneEvent { .. } => "telephone-event",
        }
    }

    /// RTP clock in Hz.
    #[must_use]
    pub fn clock_rate(&self) -> u32 {
        match *self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => 8000,
            Codec::Opus(_) => 48_000,
            Codec::L16 { rate, .. } | Codec::ComfortNoise { rate } | Codec::TelephoneEvent { rate } => rate,
        }
    }

    /// Sample rate of its audio in Hz.
    #[must_use]
    pub fn native_rate(&self) -> u32 {
        match self {
            Codec::G722 => 16_000,
            other => other.clock_rate(),
        }
    }

    /// Whether its packets carry audio: false for comfort-noise descriptions and telephone-events.
    #[must_use]
    pub fn is_audio(&self) -> bool {
        !matches!(self, Codec::ComfortNoise { .. } | Codec::TelephoneEvent { .. })
    }

    /// Channels of its audio.
    pub(crate) fn channels(&self) -> u8 {
        match *self {
            Codec::Opus(format) => 1 + u8::from(format.stereo),
            Codec::L16 { channels, .. } => channels.clamp(1, 2),
            _ => 1,
        }
    }

    /// A decoder's coding, to PCM of this rate in Hz and number of channels.
    pub(crate) fn decoding(&self, rate: u32, channels: u8) -> Result<Box<dyn Decode>, CodecError> {
        Ok(match self {
            Codec::Pcmu => Box::new(g711::Ulaw),
            Codec::Pcma => Box::new(g711::Alaw),
            Codec::G722 => Box::new(g722::Decoder::default()),
            Codec::L16 { .. } => Box::new(L16 { channels }),
            Codec::Opus(_) => Box::new(OpusDecoder::new(rate, channels)?),
            Codec::ComfortNoise { .. } => Box::new(noise::Generator::new(rate)),
            Codec::TelephoneEvent { .. } => return Err(CodecError::NotAudio(self.name())),
        })
    }

    /// An encoder's coding, from PCM of this rate in Hz and of [`Self::channels`].
    pub(crate) fn encoding(&self, rate: u32, settings: &OpusSettings) -> Result<Box<dyn Encode>, CodecError> {
        Ok(match self {
            Codec::Pcmu => Box::new(g711::Ulaw),
            Codec::Pcma => Box::new(g711::Alaw),
            Codec::G722 => Box::new(g722::Encoder::default()),
            Codec::L16 { .. } => Box::new(L16 { channels: self.channels() }),
            Codec::Opus(_) => Box::new(OpusEncoder::new(rate, self.channels(), settings)?),
            Codec::ComfortNoise { .. } | Codec::TelephoneEvent { .. } => {
                return Err(CodecError::NotAudio(self.name()));
            }
        })
    }

    /// How much audio a payload carries, in ticks of the RTP clock; 0 for what carries none, or
    /// can't be understood. This is what `sidetone_rtp`'s reorder buffer asks for.
    #[must_use]
    pub fn duration(&self, payload: &[u8]) -> u32 {
        let ticks = match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => payload.len(),
            Codec::L16 { channels, .. } => payload.len() / (2 * usize::from((*channels).max(1))),
            Codec::Opus(_) => opus_duration(payload).unwrap_or(0),
            Codec::ComfortNoise { .. } | Codec::TelephoneEvent { .. } => 0,
        };
        u32::try_from(ticks).unwrap_or(u32::MAX)
    }

    /// `ticks` of the RTP clock in samples at `rate`, a channel's worth.
    #[must_use]
    pub fn samples(&self, ticks: u32, rate: u32) -> usize {
        let samples = u64::from(ticks) * u64::from(rate) / u64::from(self.clock_rate().max(1));
        usize::try_from(samples).unwrap_or(usize::MAX)
    }
}

impl OpusFormat {
    /// No parameter given.
    const MONO: Self = Self {
        stereo: false,
        inband_fec: false,
        dtx: false,
        max_average_bitrate: None,
        max_playback_rate: None,
    };

    fn from_fmtp(fmtp: &str) -> Self {
        let mut format = Self::default();
        for parameter in fmtp.split(';') {
            let Some((name, value)) = parameter.split_once('=') else { continue };
            let (name, value) = (name.trim(), value.trim());
            let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
            if is("stereo") {
                format.stereo = value == "1";
            } else if is("useinbandfec") {
                format.inband_fec = value == "1";
            } else if is("usedtx") {
                format.dtx = value == "1";
            } else if is("maxaveragebitrate") {
                format.max_average_bitrate = value.parse().ok();
            } else if is("maxplaybackrate") {
                format.max_playback_rate = value.parse().ok();
            }
        }
        format
    }
}

/// Samples at 48 kHz in an Opus packet, from its first two bytes (RFC 6716 §3.1, §3.2).
fn opus_duration(payload: &[u8]) -> Option<usize> {
    let (&toc, rest) = payload.split_first()?;
    let configuration = toc >> 3;
    let frame = match configuration {
        // SILK: 10, 20, 40, 60 ms. Hybrid: 10, 20. CELT: 2.5, 5, 10, 20.
        0..=11 if configuration % 4 == 3 => 2880,
        0..=11 => 480 << (configuration % 4),
        12..=15 => 480 << (configuration % 2),
        _ => 120 << (configuration % 4),
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => usize::from(rest.first()? & 0x3f),
    };
    let samples = frame * frames;
    (1..=5760).contains(&samples).then_some(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rtpmaps_as_peers_write_them() {
        let from = Codec::from_rtpmap;
        assert_eq!(from("pcmu", 8000, 0, ""), Some(Codec::Pcmu));
        assert_eq!(from("PCMA", 8000, 1, ""), Some(Codec::Pcma));
        assert_eq!(from("G722", 8000, 1, ""), Some(Codec::G722));
        assert_eq!(from("L16", 44_100, 2, ""), Some(Codec::L16 { rate: 44_100, channels: 2 }));
        assert_eq!(from("telephone-event", 48_000, 1, "0-16"), Some(Codec::TelephoneEvent { rate: 48_000 }));
        assert_eq!(from("CN", 16_000, 1, ""), Some(Codec::ComfortNoise { rate: 16_000 }));
        assert_eq!(
            from("opus", 48_000, 2, "minptime=10; useinbandfec=1;STEREO=1 ;maxaveragebitrate=24000;x"),
            Some(Codec::Opus(OpusFormat {
                stereo: true,
                inband_fec: true,
                max_average_bitrate: Some(24_000),
                ..OpusFormat::default()
            }))
        );
    }

    #[test]
    fn what_does_not_exist_is_no_codec() {
        let from = Codec::from_rtpmap;
        for (encoding, rate, channels) in [
            ("PCMU", 16_000, 1),
            ("PCMA", 8000, 2),
            ("opus", 16_000, 2),
            ("opus", 48_000, 3),
            ("L16", 44_101, 1),
            ("L16", 0, 1),
            ("L16", 16_000, 6),
            ("CN", 0, 1),
            ("telephone-event", 0, 1),
            ("G729", 8000, 1),
            ("speex", 8000, 1),
            ("", 8000, 1),
        ] {
            assert_eq!(from(encoding, rate, channels, ""), None, "{encoding}/{rate}/{channels}");
        }
    }

    #[test]
    fn static_types_of_rfc_3551() {
        assert_eq!(Codec::from_static(0), Some(Codec::Pcmu));
        assert_eq!(Codec::from_static(8), Some(Codec::Pcma));
        assert_eq!(Codec::from_static(9), Some(Codec::G722));
        assert_eq!(Codec::from_static(10), Some(Codec::L16 { rate: 44_100, channels: 2 }));
        assert_eq!(Codec::from_static(13), Some(Codec::ComfortNoise { rate: 8000 }));
        assert!((0..=255).filter(|&t| Codec::from_static(t).is_some()).count() == 6);
    }

    #[test]
    fn durations_in_ticks() {
        assert_eq!(Codec::Pcmu.duration(&[0; 160]), 160);
        assert_eq!(Codec::G722.duration(&[0; 160]), 160);
        assert_eq!(Codec::G722.samples(160, Codec::G722.native_rate()), 320);
        assert_eq!(Codec::L16 { rate: 16_000, channels: 2 }.duration(&[0; 1280]), 320);
        assert_eq!(Codec::TelephoneEvent { rate: 8000 }.duration(&[0; 4]), 0);
        let opus = Codec::Opus(OpusFormat::default());
        assert_eq!(opus.samples(960, 8000), 160);
        // SILK 10, 20, 40, 60 ms; hybrid 20 ms; CELT 2.5 ms and 20 ms; two frames; six of 20 ms.
        for (toc, ticks) in
            [(0, 480), (8, 960), (16, 1920), (24, 2880), (13 << 3, 960), (16 << 3, 120), (31 << 3, 960)]
        {
            assert_eq!(opus.duration(&[toc]), ticks, "{toc}");
            assert_eq!(opus.duration(&[toc | 1]), ticks * 2, "{toc}");
        }
        assert_eq!(opus.duration(&[8 | 3, 6]), 5760);
        assert_eq!(opus.duration(&[8 | 3, 7]), 0, "beyond 120 ms");
        assert_eq!(opus.duration(&[8 | 3]), 0);
        assert_eq!(opus.duration(&[]), 0);
    }
}
