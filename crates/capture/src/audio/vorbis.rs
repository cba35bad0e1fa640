//! Vorbis in Ogg (Vorbis I specification, Xiph.Org), by Symphonia's decoder.

use symphonia_codec_vorbis::VorbisDecoder;
use symphonia_core::codecs::audio::well_known::CODEC_ID_VORBIS;
use symphonia_core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia_core::packet::PacketRef;
use symphonia_core::units::{Duration, Timestamp};

use crate::audio::format::{AudioError, Format, checked};

/// Decodes the packets of one logical stream.
pub(super) struct Vorbis {
    decoder: VorbisDecoder,
    format: Format,
    /// Samples a channel decoded so far.
    decoded: u64,
    pcm: Vec<i16>,
}

impl std::fmt::Debug for Vorbis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vorbis").field("format", &self.format).finish_non_exhaustive()
    }
}

impl Vorbis {
    /// Whether a stream begins with this packet.
    pub(super) fn begins(packet: &[u8]) -> bool {
        packet.starts_with(b"\x01vorbis")
    }

    /// Reads the identification and the set-up header (section 4.2).
    pub(super) fn new(identification: &[u8], setup: &[u8]) -> Result<Self, AudioError> {
        let refused = |why: &dyn std::fmt::Display| AudioError::Damaged("Ogg Vorbis file", why.to_string());
        let &[_, _, _, _, _, _, _, _, _, _, _, channels, r0, r1, r2, r3, ..] = identification else {
            return Err(refused(&"its header is cut short"));
        };
        let format = checked(u32::from_le_bytes([r0, r1, r2, r3]), usize::from(channels))?;
        let mut parameters = AudioCodecParameters::new();
        parameters.for_codec(CODEC_ID_VORBIS).with_extra_data([identification, setup].concat().into());
        let options = AudioDecoderOptions::default();
        let decoder = VorbisDecoder::try_new(&parameters, &options).map_err(|error| refused(&error))?;
        Ok(Self { decoder, format, decoded: 0, pcm: Vec::new() })
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Decodes a packet to interleaved samples; none if it is damaged. `end` is where the stream's last page says that
    /// its sound ends.
    pub(super) fn decode(&mut self, packet: &[u8], end: Option<u64>) -> Option<&[i16]> {
        let packet = PacketRef::new(0, Timestamp::new(0), Duration::ZERO, packet);
        let decoded = self.decoder.decode_ref(&packet).ok()?;
        let samples = decoded.frames();
        decoded.copy_to_vec_interleaved(&mut self.pcm);
        let before = self.decoded;
        self.decoded += samples as u64;
        let kept = end.map_or(samples, |end| {
            usize::try_from(end.saturating_sub(before)).unwrap_or(samples).min(samples)
        });
        self.pcm.get(..kept * self.format.channels)
    }
}
