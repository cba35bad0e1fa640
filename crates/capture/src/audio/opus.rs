//! Opus in Ogg (RFC 7845).

use sidetone_codec::{Codec, Decoder, OpusFormat};

use crate::audio::format::{AudioError, Format};

/// The sample rate that Opus decodes to.
const RATE: u32 = 48_000;

/// Decodes the packets of one logical stream.
#[derive(Debug)]
pub(super) struct Opus {
    decoder: Decoder,
    channels: usize,
    /// Samples a channel to leave out at the beginning.
    skip: usize,
    /// Samples a channel decoded so far, those left out included.
    decoded: u64,
    pcm: Vec<i16>,
}

impl Opus {
    /// Reads the identification header (section 5.1): name, version, channels, samples to leave out.
    pub(super) fn new(header: &[u8]) -> Result<Self, AudioError> {
        let refused = |why: &str| AudioError::Damaged("Ogg Opus file", why.to_owned());
        let &[b'O', b'p', b'u', b's', b'H', b'e', b'a', b'd', version, channels, low, high, ..] = header
        else {
            return Err(refused("its header is cut short"));
        };
        if version >> 4 != 0 {
            return Err(refused("a version that is not known"));
        }
        if !(1..=2).contains(&channels) {
            return Err(AudioError::Channels(usize::from(channels)));
        }
        let codec = Codec::Opus(OpusFormat { stereo: channels == 2, ..OpusFormat::default() });
        let decoder = Decoder::new(&codec).map_err(|error| refused(&error.to_string()))?;
        let skip = usize::from(u16::from_le_bytes([low, high]));
        Ok(Self { decoder, channels: usize::from(channels), skip, decoded: 0, pcm: Vec::new() })
    }

    pub(super) fn format(&self) -> Format {
        Format { rate: RATE, channels: self.channels }
    }

    /// Decodes a packet to interleaved samples; none if it is damaged. The stream's last page states in `end` where its
    /// sound ends, so that no padding is heard (section 4.4).
    pub(super) fn decode(&mut self, packet: &[u8], end: Option<u64>) -> Option<&[i16]> {
        self.pcm.clear();
        let samples = self.decoder.decode(packet, &mut self.pcm).ok()?;
        let before = self.decoded;
        self.decoded += samples as u64;
        let kept = end.map_or(samples, |end| {
            usize::try_from(end.saturating_sub(before)).unwrap_or(samples).min(samples)
        });
        let left_out = self.skip.min(kept);
        self.skip -= left_out;
        self.pcm.get(left_out * self.channels..kept * self.channels)
    }
}
