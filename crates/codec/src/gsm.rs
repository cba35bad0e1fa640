//! GSM 06.10 full rate: 160 samples at 8 kHz in 260 bits, decoded (ETSI EN 300 961; the section numbers below are its).
//!
//! All arithmetic is the standard's own 16-bit fixed point, so what comes out is the standard's to the bit. Recorders
//! write it into WAV files (format 0x31) in the packing that Microsoft chose: see [`WAV_BLOCK`].
#![allow(clippy::indexing_slicing)] // tables and arrays of known lengths, with indices of few bits

/// Samples in a frame.
const FRAME: usize = 160;
/// Bytes of a block in a WAV file: two frames of 260 bits, lowest bit first, with nothing between them.
pub const WAV_BLOCK: usize = 65;
/// Samples in such a block.
pub const WAV_BLOCK_SAMPLES: usize = 2 * FRAME;

/// Bits of the eight log-area ratios.
const RATIO_BITS: [u32; 8] = [6, 6, 5, 5, 4, 4, 3, 3];
/// Table 4.1: offset, lowest code, and inverse slope of each log-area ratio.
const RATIOS: [(i16, i16, i16); 8] = [
    (0, -32, 13107),
    (0, -32, 13107),
    (2048, -16, 13107),
    (-2560, -16, 13107),
    (94, -8, 19223),
    (-1792, -8, 17476),
    (-341, -4, 31454),
    (-1144, -4, 29708),
];
/// Table 4.3b: gains of the long-term predictor.
const GAINS: [i16; 4] = [3277, 11469, 21299, 32767];
/// Table 4.6: normalised mantissas of the block maximum.
const MANTISSAS: [i16; 8] = [18431, 20479, 22527, 24575, 26623, 28671, 30719, 32767];
/// The longest lag of the long-term predictor, and the shortest.
const LAGS: std::ops::RangeInclusive<usize> = 40..=120;

/// A decoder, with what it remembers from frame to frame.
#[derive(Debug, Clone)]
pub struct GsmDecoder {
    /// The residual reconstructed before: 120 samples, then room for a sub-frame's 40.
    residual: [i16; 160],
    lag: usize,
    ratios: [i16; 8],
    lattice: [i16; 9],
    deemphasis: i16,
}

impl Default for GsmDecoder {
    fn default() -> Self {
        Self { residual: [0; 160], lag: 40, ratios: [0; 8], lattice: [0; 9], deemphasis: 0 }
    }
}

impl GsmDecoder {
    /// Decodes a block of a WAV file and appends its samples.
    pub fn wav_block(&mut self, block: &[u8; WAV_BLOCK], out: &mut Vec<i16>) {
        let mut bits = Bits { bytes: block, at: 0 };
        for _ in 0..2 {
            self.frame(&mut bits, out);
        }
    }

    fn frame(&mut self, bits: &mut Bits<'_>, out: &mut Vec<i16>) {
        let codes = RATIO_BITS.map(|width| bits.take(width));
        let mut residual = [0; FRAME];
        for piece in residual.chunks_exact_mut(40) {
            let lag = bits.take(7) as usize;
            let gain = GAINS[bits.take(2) as usize];
            let grid = bits.take(2) as usize;
            let maximum = bits.take(6);
            let pulses: [i16; 13] = std::array::from_fn(|_| bits.take(3));
            self.excite(lag, gain, grid, maximum, &pulses);
            piece.copy_from_slice(&self.residual[120..]);
            self.residual.copy_within(40.., 0);
        }
        self.synthesise(codes, &residual, out);
    }

    /// 4.2.15 to 4.2.17 and 4.3.2: a sub-frame's pulses on their grid, and the past at the lag.
    fn excite(&mut self, lag: usize, gain: i16, grid: usize, maximum: i16, pulses: &[i16; 13]) {
        if LAGS.contains(&lag) {
            self.lag = lag;
        }
        let mut sparse = [0; 40];
        let (exponent, mantissa) = block_maximum(maximum);
        let shift = (6 - exponent) as u32;
        let round = if shift == 0 { 0 } else { 1 << (shift - 1) };
        for (n, code) in pulses.iter().enumerate() {
            let pulse = product(MANTISSAS[mantissa], ((code << 1) - 7) << 12);
            if let Some(place) = sparse.get_mut(grid + 3 * n) {
                *place = pulse.saturating_add(round) >> shift;
            }
        }
        for (n, pulse) in sparse.iter().enumerate() {
            let past = self.residual[120 + n - self.lag];
            self.residual[120 + n] = pulse.saturating_add(product(gain, past));
        }
    }

    /// 4.2.8 to 4.2.10, 4.3.4 and 4.3.5: the residual through the short-term filter, whose coefficients glide from the
    /// frame before, then de-emphasis.
    fn synthesise(&mut self, codes: [i16; 8], residual: &[i16; FRAME], out: &mut Vec<i16>) {
        let before = self.ratios;
        for ((ratio, code), (offset, lowest, slope)) in self.ratios.iter_mut().zip(codes).zip(RATIOS) {
            let scaled = ((code + lowest) << 10).saturating_sub(offset << 1);
            let scaled = product(slope, scaled);
            *ratio = scaled.saturating_add(scaled);
        }
        let after = self.ratios;
        for (samples, weigh) in [
            (
                0..13,
                (|a, b| (a >> 2i16).saturating_add(b >> 2).saturating_add(a >> 1)) as fn(i16, i16) -> i16,
            ),
            (13..27, |a, b| (a >> 1i16).saturating_add(b >> 1)),
            (27..40, |a, b| (a >> 2i16).saturating_add(b >> 2).saturating_add(b >> 1)),
            (40..FRAME, |_, b| b),
        ] {
            let coefficients: [i16; 8] = std::array::from_fn(|n| reflection(weigh(before[n], after[n])));
            for sample in &residual[samples] {
                let filtered = self.filter(*sample, &coefficients);
                self.deemphasis = filtered.saturating_add(product(self.deemphasis, 28180));
                // 4.3.6 and 4.3.7: upscaled, and the lowest three bits cut off.
                out.push(self.deemphasis.saturating_add(self.deemphasis) & !7);
            }
        }
    }

    fn filter(&mut self, sample: i16, coefficients: &[i16; 8]) -> i16 {
        let mut sample = sample;
        for n in (0..8).rev() {
            sample = sample.saturating_sub(product(coefficients[n], self.lattice[n]));
            self.lattice[n + 1] = self.lattice[n].saturating_add(product(coefficients[n], sample));
        }
        self.lattice[0] = sample;
        sample
    }
}

/// 4.2.15: exponent and mantissa of a block maximum's code.
fn block_maximum(code: i16) -> (i16, usize) {
    let mut exponent = if code > 15 { (code >> 3) - 1 } else { 0 };
    let mut mantissa = code - (exponent << 3);
    if mantissa == 0 {
        return (-4, 7);
    }
    while mantissa <= 7 {
        mantissa = mantissa << 1 | 1;
        exponent -= 1;
    }
    (exponent, (mantissa - 8) as usize)
}

/// 4.2.9.2: a log-area ratio to a reflection coefficient.
fn reflection(ratio: i16) -> i16 {
    let size = ratio.saturating_abs();
    let size = match size {
        0..11059 => size << 1,
        11059..20070 => size + 11059,
        _ => (size >> 2).saturating_add(26112),
    };
    if ratio < 0 { -size } else { size }
}

/// A product of two fractions, rounded.
fn product(a: i16, b: i16) -> i16 {
    let product = (i32::from(a) * i32::from(b) + 16384) >> 15;
    product.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}

/// Bits, the lowest of each byte first.
struct Bits<'a> {
    bytes: &'a [u8; WAV_BLOCK],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, width: u32) -> i16 {
        let mut value = 0;
        for n in 0..width {
            let byte = self.bytes.get(self.at / 8).copied().unwrap_or(0);
            value |= i16::from(byte >> (self.at % 8) & 1) << n;
            self.at += 1;
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four hundred milliseconds of speech, coded and decoded again by libgsm 1.0.22.
    #[test]
    fn it_decodes_to_the_bit_as_libgsm_does() {
        let coded = include_bytes!("../tests/fixtures/speech.gsm");
        let expected = include_bytes!("../tests/fixtures/speech.gsm.s16le");
        let mut decoder = GsmDecoder::default();
        let mut out = Vec::new();
        let (blocks, rest) = coded.as_chunks::<WAV_BLOCK>();
        blocks.iter().for_each(|block| decoder.wav_block(block, &mut out));
        let expected: Vec<i16> =
            expected.as_chunks().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
        assert!(rest.is_empty() && out == expected);
    }

    #[test]
    fn any_bytes_decode() {
        let mut decoder = GsmDecoder::default();
        let mut out = Vec::new();
        for n in 0..=255u8 {
            let mut block = [n; WAV_BLOCK];
            block.iter_mut().enumerate().for_each(|(at, byte)| *byte = byte.rotate_left(at as u32 % 8));
            decoder.wav_block(&block, &mut out);
        }
        assert_eq!(out.len(), 256 * WAV_BLOCK_SAMPLES);
    }
}
