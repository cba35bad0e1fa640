//! PCM to payloads.

use sidetone_codec::CodecError;

use crate::Codec;

/// One stream's encoder.
#[derive(Debug)]
pub(super) struct Encoder(sidetone_codec::Encoder);

impl Encoder {
    pub(super) fn new(codec: Codec) -> Result<Self, CodecError> {
        let format = match codec {
            Codec::Pcmu => sidetone_codec::Codec::Pcmu,
            Codec::Pcma => sidetone_codec::Codec::Pcma,
            Codec::G722 => sidetone_codec::Codec::G722,
            Codec::L16 { rate } => sidetone_codec::Codec::L16 { rate, channels: 1 },
            Codec::Opus => sidetone_codec::Codec::Opus(sidetone_codec::OpusFormat::default()),
        };
        sidetone_codec::Encoder::new(&format).map(Self)
    }

    /// The payload for one packet of mono samples at [`Codec::sample_rate`].
    pub(super) fn encode(&mut self, frame: &[i16]) -> Result<Vec<u8>, CodecError> {
        let mut payload = Vec::with_capacity(frame.len() * 2);
        self.0.encode(frame, &mut payload)?;
        Ok(payload)
    }
}
