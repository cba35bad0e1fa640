//! One band's adaptive quantiser and predictor (ITU-T G.722 clauses 3.2 to 3.6, 6.2).
#![allow(clippy::indexing_slicing)] // fixed arrays with masked or constant indices, in the inner loop

use super::tables::{
    HIGH_DECISION, HIGH_LARGEST, HIGH_STEP, INVERSE_LOG, LOW_DECISIONS, LOW_LARGEST, LOW_NEGATIVE,
    LOW_POSITIVE, LOW_STEP,
};

/// State of one band. All values are 16 bits in the Recommendation and saturate like it.
#[derive(Debug, Clone)]
pub(super) struct Band {
    /// Quantiser scale factor (DET).
    scale: i32,
    /// The logarithm of the scale factor (NB).
    log_scale: i32,
    /// Predicted sample (S).
    predicted: i32,
    /// The zero section's part of it (SZ).
    predicted_by_zeros: i32,
    /// Quantised differences, newest first (D).
    differences: [i32; 6],
    /// Their coefficients (B).
    zeros: [i32; 6],
    /// Reconstructed sample before this one (R).
    reconstructed: i32,
    /// Coefficients of the pole section (A).
    poles: [i32; 2],
    /// Partially reconstructed samples, newest first (P).
    partial: [i32; 2],
}

/// 16-bit saturation.
fn saturate(value: i32) -> i32 {
    value.clamp(-32_768, 32_767)
}

/// 16-bit fractional product.
fn product(a: i32, b: i32) -> i32 {
    (a * b) >> 15
}

impl Band {
    pub(super) fn low() -> Self {
        Self::new(32)
    }

    pub(super) fn high() -> Self {
        Self::new(8)
    }

    fn new(scale: i32) -> Self {
        Self {
            scale,
            log_scale: 0,
            predicted: 0,
            predicted_by_zeros: 0,
            differences: [0; 6],
            zeros: [0; 6],
            reconstructed: 0,
            poles: [0; 2],
            partial: [0; 2],
        }
    }

    /// A quantiser output at the current scale (INVQAL, INVQBL, INVQAH).
    pub(super) fn scaled<const N: usize>(&self, outputs: &[i32; N], code: u8) -> i32 {
        product(self.scale, outputs[code as usize % N])
    }

    /// The decoded sample for a code (RECONS, LIMIT): 15 bits.
    pub(super) fn reconstruct<const N: usize>(&self, outputs: &[i32; N], code: u8) -> i32 {
        saturate(self.predicted + self.scaled(outputs, code)).clamp(-16_384, 16_383)
    }

    /// SUBTRA, QUANTL.
    pub(super) fn quantize_low(&self, sample: i32) -> u8 {
        let difference = saturate(sample - self.predicted);
        let magnitude = if difference < 0 { -difference - 1 } else { difference };
        let interval = LOW_DECISIONS.partition_point(|&level| (level * self.scale) >> 12 <= magnitude);
        let codes = if difference < 0 { LOW_NEGATIVE } else { LOW_POSITIVE };
        codes[interval]
    }

    /// SUBTRA, QUANTH.
    pub(super) fn quantize_high(&self, sample: i32) -> u8 {
        let difference = saturate(sample - self.predicted);
        let magnitude = if difference < 0 { -difference - 1 } else { difference };
        let outer = magnitude >= (HIGH_DECISION * self.scale) >> 12;
        match (difference < 0, outer) {
            (true, true) => 0,
            (true, false) => 1,
            (false, true) => 2,
            (false, false) => 3,
        }
    }

    /// LOGSCL, SCALEL.
    pub(super) fn rescale_low(&mut self, four: u8) {
        self.rescale(LOW_STEP[four as usize & 15], LOW_LARGEST, 8);
    }

    /// LOGSCH, SCALEH.
    pub(super) fn rescale_high(&mut self, code: u8) {
        self.rescale(HIGH_STEP[code as usize & 3], HIGH_LARGEST, 10);
    }

    fn rescale(&mut self, step: i32, largest: i32, shift: i32) {
        self.log_scale = (product(self.log_scale, 32_512) + step).clamp(0, largest);
        let mantissa = INVERSE_LOG[(self.log_scale >> 6) as usize & 31];
        let shift = shift - (self.log_scale >> 11);
        let scale = if shift < 0 { mantissa << -shift } else { mantissa >> shift };
        self.scale = scale << 2;
    }

    /// Adapts the predictor to a quantised difference and predicts the next sample.
    pub(super) fn adapt(&mut self, difference: i32) {
        let partial = saturate(difference + self.predicted_by_zeros); // PARREC
        let reconstructed = saturate(self.predicted + difference); // RECONS

        // UPZERO, FILTEZ
        let step = if difference == 0 { 0 } else { 128 };
        let mut past = self.differences;
        for (zero, &before) in self.zeros.iter_mut().zip(&past) {
            let step = if (before ^ difference) >= 0 { step } else { -step };
            *zero = saturate(product(*zero, 32_640) + step);
        }
        past.rotate_right(1);
        past[0] = difference;
        self.differences = past;
        self.predicted_by_zeros = self
            .zeros
            .iter()
            .zip(&past)
            .rev()
            .fold(0, |sum, (&zero, &d)| saturate(sum + product(saturate(2 * d), zero)));

        // UPPOL2
        let [a1, a2] = self.poles;
        let [p1, p2] = self.partial;
        let quadrupled = saturate(4 * a1);
        let correlation = if (partial ^ p1) >= 0 { saturate(-quadrupled) } else { quadrupled };
        let trend = if (partial ^ p2) >= 0 { 128 } else { -128 };
        let a2 = ((correlation >> 7) + trend + product(a2, 32_512)).clamp(-12_288, 12_288);
        // UPPOL1
        let step = if (partial ^ p1) >= 0 { 192 } else { -192 };
        let bound = 15_360 - a2;
        let a1 = saturate(product(a1, 32_640) + step).clamp(-bound, bound);
        self.poles = [a1, a2];
        self.partial = [partial, p1];

        // FILTEP, PREDIC
        let by_poles = saturate(
            product(a1, saturate(2 * reconstructed)) + product(a2, saturate(2 * self.reconstructed)),
        );
        self.reconstructed = reconstructed;
        self.predicted = saturate(by_poles + self.predicted_by_zeros);
    }
}
