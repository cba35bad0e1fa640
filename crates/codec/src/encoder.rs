//! PCM to payloads.

use crate::codec::Codec;
use crate::coding::{CodecError, Encode};
use crate::opus::OpusSettings;

/// Encodes one stream.
#[derive(Debug)]
pub struct Encoder {
    coding: Box<dyn Encode>,
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
        let (coding, channels) = (codec.encoding(rate, settings)?, codec.channels());
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
        self.coding.encode(pcm, out)
    }
}
