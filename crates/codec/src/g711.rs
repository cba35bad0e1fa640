//! G.711: eight-bit logarithmic PCM, µ-law and A-law.
//!
//! Between 16-bit linear PCM and the codes lies what ITU-T G.191 (Software Tool Library, module G.711)
//! lays down: µ-law quantises 14 bits, A-law 13, both sign and one's-complement magnitude, so that -1
//! and 0 are equally far from the middle. Verified for every code and every sample against the
//! decision and output values of G.711's tables.
#![allow(clippy::indexing_slicing)] // a u8 can't miss a table of 256

use crate::coding::{CodecError, Decode, Encode};

/// Linear value of each µ-law code.
static ULAW: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = expand_ulaw(code as u8);
        code += 1;
    }
    table
};
/// Linear value of each A-law code.
static ALAW: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = expand_alaw(code as u8);
        code += 1;
    }
    table
};

/// Decodes a µ-law byte.
#[inline]
#[must_use]
pub fn from_ulaw(code: u8) -> i16 {
    ULAW[code as usize]
}

/// Decodes an A-law byte.
#[inline]
#[must_use]
pub fn from_alaw(code: u8) -> i16 {
    ALAW[code as usize]
}

/// Encodes a sample as µ-law.
#[inline]
#[must_use]
pub fn to_ulaw(sample: i16) -> u8 {
    const BIAS: u16 = 33;
    let magnitude = ((magnitude(sample) >> 2) + BIAS).min(0x1fff);
    // The bias puts the leading one at bit 5 (segment 0) to bit 12 (segment 7).
    let segment = magnitude.ilog2() - 5;
    let step = (magnitude >> (segment + 1)) & 0xf;
    // Codes are sent inverted but for the sign bit.
    sign(sample) | (7 - segment as u8) << 4 | (0xf - step as u8)
}

/// Encodes a sample as A-law.
#[inline]
#[must_use]
pub fn to_alaw(sample: i16) -> u8 {
    let magnitude = magnitude(sample) >> 4;
    let code = match magnitude {
        0..32 => magnitude as u8,
        _ => {
            let segment = magnitude.ilog2() - 3;
            (segment as u8) << 4 | (magnitude >> (segment - 1)) as u8 & 0xf
        }
    };
    // Every second bit is sent inverted.
    (sign(sample) | code) ^ 0x55
}

/// One's-complement magnitude: 15 bits.
fn magnitude(sample: i16) -> u16 {
    (sample ^ (sample >> 15)).cast_unsigned()
}

/// Positive values have the sign bit set.
fn sign(sample: i16) -> u8 {
    if sample < 0 { 0 } else { 0x80 }
}

const fn expand_ulaw(code: u8) -> i16 {
    let inverted = !code;
    let segment = (inverted >> 4) & 7;
    let step = (inverted & 0xf) as i16;
    let magnitude = (((step << 1) + 33) << segment) - 33;
    if code < 0x80 { -(magnitude << 2) } else { magnitude << 2 }
}

const fn expand_alaw(code: u8) -> i16 {
    let code = code ^ 0x55;
    let segment = (code >> 4) & 7;
    let step = (code & 0xf) as i16;
    let magnitude = match segment {
        0 => (step << 4) + 8,
        _ => ((step << 4) + 0x108) << (segment - 1),
    };
    if code & 0x80 == 0 { -magnitude } else { magnitude }
}

/// µ-law as a coding.
#[derive(Debug)]
pub(crate) struct Ulaw;

/// A-law as a coding.
#[derive(Debug)]
pub(crate) struct Alaw;

macro_rules! coding {
    ($law:ident, $from:ident, $to:ident) => {
        impl Decode for $law {
            fn samples(&self, bytes: usize) -> Result<usize, CodecError> {
                Ok(bytes)
            }

            fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) -> Result<usize, CodecError> {
                out.extend(payload.iter().map(|&code| $from(code)));
                Ok(payload.len())
            }
        }

        impl Encode for $law {
            fn encode(&mut self, pcm: &[i16], out: &mut Vec<u8>) -> Result<usize, CodecError> {
                out.extend(pcm.iter().map(|&sample| $to(sample)));
                Ok(pcm.len())
            }
        }
    };
}

coding!(Ulaw, from_ulaw, to_ulaw);
coding!(Alaw, from_alaw, to_alaw);
