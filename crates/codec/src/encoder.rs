//! PCM to payloads.

use crate::codec::Codec;
use crate::error::CodecError;
use crate::opus::OpusEncoder;
use crate::{g711, g722, l16};

/// How Opus encodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpusSettings {
    /// Bit/s; `None` lets libopus choose by rate and channels.
    pub bitrate: Option<u32>,
    /// Repeat the packet before in coarser form. Takes effect when loss is expected.
    pub inband_fec: bool,
    /// Packets expected to be lost, in percent.
    pub expected_loss: u8,
    /// Send nothing, or nearly so, during silence.
    pub dtx: bool,
    /// Effort, 0 to 10.
    pub complexity: u8,
}

impl Default for OpusSettings {
    fn default() -> Self {
        Self { bitrate: None, inband_fec: false, expected_loss: 0, dtx: false, complexity: 5 }
    }
}

#[derive(Debug)]
enum Coding {
    Pcmu,
    Pcma,
    G722(Box<g722::Encoder>),
    L16,
    Opus(OpusEncoder),
}

/// Encodes one stream.
#[derive(Debug)]
pub struct Encoder {
    coding: Coding,
    rate: u32,
    channels: u8,
}

impl Encoder {
    /// An encoder from the codec's own rate and channels; Opus from 48 kHz as its format wishes.
    ///
    /// # Errors
    /// [`CodecError::NotAudio`] for comfort noise (see [`noise::Description`](crate::noise::Description))
    /// and telephone-events.
    pub fn new(codec: &Codec) -> Result<Self, CodecError> {
        let settings = match *codec {
            Codec::Opus(format) => OpusSettings {
                bitrate: format.max_average_bitrate,
                inband_fec: format.inband_fec,
                dtx: format.dtx,
                ..OpusSettings::default()
            },
            _ => OpusSettings::default(),
        };
        Self::with(codec, codec.native_rate(), &settings)
    }

    /// The same with Opus' settings, and fed at another of Opus' rates (8000, 12000, 16000, 24000,
    /// 48000). Other codecs have neither.
    ///
    /// # Errors
    /// The same as for [`new`](Self::new); [`CodecError::Rate`] for a rate that the codec doesn't take.
    pub fn with(codec: &Codec, rate: u32, settings: &OpusSettings) -> Result<Self, CodecError> {
        if rate != codec.native_rate() && !matches!(codec, Codec::Opus(_)) {
            let to = codec.native_rate();
            return Err(CodecError::Rate(crate::UnsupportedRate { from: rate, to }));
        }
        let (coding, channels) = match *codec {
            Codec::Pcmu => (Coding::Pcmu, 1),
            Codec::Pcma => (Coding::Pcma, 1),
            Codec::G722 => (Coding::G722(Box::default()), 1),
            Codec::L16 { channels, .. } => (Coding::L16, channels.clamp(1, 2)),
            Codec::Opus(format) => {
                let channels = 1 + u8::from(format.stereo);
                (Coding::Opus(OpusEncoder::new(rate, channels, settings)?), channels)
            }
            Codec::ComfortNoise { .. } | Codec::TelephoneEvent { .. } => {
                return Err(CodecError::NotAudio(codec.name()));
            }
        };
        Ok(Self { coding, rate, channels })
    }

    /// Sample rate it is fed with, in Hz.
    #[must_use]
    pub fn native_rate(&self) -> u32 {
        self.rate
    }

    /// Channels it is fed with, interleaved.
    #[must_use]
    pub fn channels(&self) -> u8 {
        self.channels
    }

    /// Appends the payload of one packet; its length. 0 says that nothing need be sent: Opus during
    /// silence, if it may.
    ///
    /// # Errors
    /// [`CodecError::FrameSize`] if Opus gets anything but 2.5, 5, 10, 20, 40 or 60 ms, or G.722 an
    /// odd number of samples; [`CodecError::Opus`]. `out` is then as it was.
    pub fn encode(&mut self, pcm: &[i16], out: &mut Vec<u8>) -> Result<usize, CodecError> {
        let begin = out.len();
        match &mut self.coding {
            Coding::Pcmu => out.extend(pcm.iter().map(|&sample| g711::to_ulaw(sample))),
            Coding::Pcma => out.extend(pcm.iter().map(|&sample| g711::to_alaw(sample))),
            Coding::G722(_) if !pcm.len().is_multiple_of(2) => {
                return Err(CodecError::FrameSize { samples: pcm.len() });
            }
            Coding::G722(encoder) => encoder.encode(pcm, out),
            Coding::L16 => l16::encode(pcm, out),
            Coding::Opus(encoder) => return encoder.encode(pcm, out),
        }
        Ok(out.len() - begin)
    }
}
