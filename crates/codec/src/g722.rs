//! G.722: 7 kHz audio in 64 kbit/s by sub-band ADPCM (ITU-T G.722, mode 1, the only one RTP has).
//!
//! A quadrature mirror filter splits 16 kHz PCM into a lower band, coded in six bits a sample, and an
//! upper band in two. One byte carries both: two samples at 16 kHz. Decoding is bit-exact with
//! FFmpeg's decoder, which passes ITU-T's test sequences; so is encoding as long as the filter's
//! output isn't limited.
//!
//! Names in the code are the Recommendation's blocks: `upzero`, `uppol1`, `filtez`, and so on.

mod band;
mod filter;
mod tables;

use band::Band;
use filter::{Analysis, Synthesis};
use tables::{HIGH_OUTPUT, LOW_OUTPUT_4, LOW_OUTPUT_6};

use crate::coding::{CodecError, Decode, Encode};

/// Samples a byte carries.
pub const SAMPLES_PER_BYTE: usize = 2;

/// Bytes that are filtered at once.
const BLOCK: usize = 80;

/// A G.722 decoder.
#[derive(Debug, Clone)]
pub struct Decoder {
    low: Band,
    high: Band,
    synthesis: Synthesis,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { low: Band::low(), high: Band::high(), synthesis: Synthesis::default() }
    }
}

impl Decoder {
    /// Appends two samples at 16 kHz for each byte.
    pub fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) {
        out.reserve(payload.len() * SAMPLES_PER_BYTE);
        for block in payload.chunks(BLOCK) {
            let bands = self.synthesis.block(block.len());
            for (&code, (sum, difference)) in block.iter().zip(bands) {
                let low = self.low.decode_low(code & 0x3f);
                let high = self.high.decode_high(code >> 6);
                *sum = low + high;
                *difference = low - high;
            }
            self.synthesis.filter(block.len(), out);
        }
    }
}

/// A G.722 encoder.
#[derive(Debug, Clone)]
pub struct Encoder {
    low: Band,
    high: Band,
    analysis: Analysis,
}

impl Default for Encoder {
    fn default() -> Self {
        Self { low: Band::low(), high: Band::high(), analysis: Analysis::default() }
    }
}

impl Encoder {
    /// Appends a byte for every two samples at 16 kHz; an odd last one is left out.
    pub fn encode(&mut self, pcm: &[i16], out: &mut Vec<u8>) {
        let (pairs, _) = pcm.as_chunks::<2>();
        out.reserve(pairs.len());
        for &pair in pairs {
            let (low, high) = self.analysis.split(pair);
            out.push(self.high.encode_high(high) << 6 | self.low.encode_low(low));
        }
    }
}

impl Decode for Decoder {
    fn samples(&self, bytes: usize) -> Result<usize, CodecError> {
        Ok(bytes * SAMPLES_PER_BYTE)
    }

    fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) -> Result<usize, CodecError> {
        Self::decode(self, payload, out);
        Ok(payload.len() * SAMPLES_PER_BYTE)
    }
}

impl Encode for Encoder {
    fn encode(&mut self, pcm: &[i16], out: &mut Vec<u8>) -> Result<usize, CodecError> {
        if !pcm.len().is_multiple_of(SAMPLES_PER_BYTE) {
            return Err(CodecError::FrameSize { samples: pcm.len() });
        }
        Self::encode(self, pcm, out);
        Ok(pcm.len() / SAMPLES_PER_BYTE)
    }
}

impl Band {
    fn decode_low(&mut self, code: u8) -> i32 {
        let four = code >> 2;
        let output = self.reconstruct(LOW_OUTPUT_6, code);
        self.adapt_low(four);
        output
    }

    fn decode_high(&mut self, code: u8) -> i32 {
        let output = self.reconstruct(HIGH_OUTPUT, code);
        self.adapt_high(code);
        output
    }

    fn encode_low(&mut self, sample: i32) -> u8 {
        let code = self.quantize_low(sample);
        self.adapt_low(code >> 2);
        code
    }

    fn encode_high(&mut self, sample: i32) -> u8 {
        let code = self.quantize_high(sample);
        self.adapt_high(code);
        code
    }

    /// The predictor of the lower band runs on the upper four bits only, so that the lower two may be
    /// stolen on the way.
    fn adapt_low(&mut self, four: u8) {
        let difference = self.scaled(LOW_OUTPUT_4, four);
        self.rescale_low(four);
        self.adapt(difference);
    }

    fn adapt_high(&mut self, code: u8) {
        let difference = self.scaled(HIGH_OUTPUT, code);
        self.rescale_high(code);
        self.adapt(difference);
    }
}
