//! Comfort noise (RFC 3389).
//!
//! A sender that suppresses silence describes its background noise now and then: a level, and
//! optionally the reflection coefficients of an all-pole filter. [`Description`] is that payload;
//! [`Generator`] makes noise that fits it.

use crate::coding::{CodecError, Decode, Gaps};

/// Reflection coefficients that are used; RFC 3389 §3 lets a decoder ignore higher ones.
pub const MAX_ORDER: usize = 12;

/// The content of a comfort-noise payload (RFC 3389).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Description {
    /// Level in -dBov: 0 is a full-scale square wave, 127 as good as nothing.
    level: u8,
    order: usize,
    /// Reflection coefficients in (-1, 1), of A(z) = 1 + k z^-1 at order 1.
    reflection: [f32; MAX_ORDER],
}

impl Description {
    /// White noise of a level in -dBov, at most 127.
    #[must_use]
    pub fn white(level: u8) -> Self {
        Self { level: level.min(127), order: 0, reflection: [0.0; MAX_ORDER] }
    }

    /// Reads a payload; an empty one describes nothing.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (&level, indices) = payload.split_first()?;
        let mut description = Self::white(level & 0x7f);
        for (k, &index) in description.reflection.iter_mut().zip(indices) {
            // RFC 3389 §3.2: 258 (N - 127) / 32768 for N up to 254; 255 is reserved.
            *k = 258.0 * (f32::from(index.min(254)) - 127.0) / 32_768.0;
            description.order += 1;
        }
        Some(description)
    }

    /// Describes the noise in a stretch of PCM by level and `order` coefficients (Levinson-Durbin on
    /// the autocorrelation). 20 ms or more make sense.
    #[must_use]
    pub fn measure(pcm: &[i16], order: usize) -> Self {
        let order = order.min(MAX_ORDER).min(pcm.len().saturating_sub(1));
        let mut correlation = [0.0f64; MAX_ORDER + 1];
        for (lag, sum) in correlation.iter_mut().enumerate().take(order + 1) {
            let later = pcm.get(lag..).unwrap_or_default();
            *sum = pcm.iter().zip(later).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
        }
        let [energy, ..] = correlation;
        let rms = (energy / pcm.len().max(1) as f64).sqrt();
        let level = if rms < 1e-2 { 127.0 } else { -20.0 * (rms / FULL_SCALE).log10() };
        let mut description = Self::white(level.round().clamp(0.0, 127.0) as u8);
        if energy > 0.0 {
            description.reflection = reflection(&correlation, order);
            description.order = order;
        }
        description
    }

    /// Appends the payload.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(self.level);
        let used = self.reflection.iter().take(self.order);
        out.extend(used.map(|k| (k * 32_768.0 / 258.0 + 127.0).round().clamp(0.0, 254.0) as u8));
    }

    /// Level in -dBov.
    #[must_use]
    pub fn level(&self) -> u8 {
        self.level
    }
}

/// Root mean square of a full-scale square wave.
const FULL_SCALE: f64 = 32_767.0;

/// Reflection coefficients from the autocorrelation. Levinson-Durbin in the form of Le Roux and
/// Gueguen, which needs no predictor coefficients.
fn reflection(correlation: &[f64; MAX_ORDER + 1], order: usize) -> [f32; MAX_ORDER] {
    let mut k = [0.0f32; MAX_ORDER];
    let mut forward = *correlation;
    let mut backward = *correlation;
    for (step, k) in k.iter_mut().enumerate().take(order) {
        let Some((&error, &next)) = backward.first().zip(forward.get(step + 1)) else { break };
        if error <= f64::EPSILON {
            break;
        }
        let ratio = (-next / error).clamp(-0.999_9, 0.999_9);
        *k = ratio as f32;
        let before = backward;
        for lag in 0..MAX_ORDER {
            let ahead = forward.get(lag + step + 1).copied().unwrap_or(0.0);
            let behind = before.get(lag).copied().unwrap_or(0.0);
            if let Some(b) = backward.get_mut(lag) {
                *b = behind + ratio * ahead;
            }
            if let Some(f) = forward.get_mut(lag + step + 1) {
                *f = ahead + ratio * behind;
            }
        }
    }
    k
}

/// Makes noise that fits a description. Changes of the description fade in over 20 ms or so; the same
/// descriptions yield the same noise.
#[derive(Debug, Clone)]
pub struct Generator {
    target: Description,
    gain: f32,
    smoothing: f32,
    state: [f32; MAX_ORDER],
    random: u32,
}

impl Generator {
    /// A generator at a sample rate in Hz, silent until it is told what to sound like.
    #[must_use]
    pub fn new(rate: u32) -> Self {
        Self {
            target: Description::white(127),
            gain: 0.0,
            smoothing: 1.0 / (rate.max(1000) as f32 * 0.02),
            state: [0.0; MAX_ORDER],
            random: 0x2545_f491,
        }
    }

    /// Sounds like this from now on.
    pub fn describe(&mut self, description: Description) {
        self.target = description;
    }

    /// Appends samples.
    pub fn generate(&mut self, samples: usize, out: &mut Vec<i16>) {
        let used = self.target.order;
        let reflection = self.target.reflection;
        // An all-pole filter amplifies its excitation by 1 / sqrt(prod(1 - k^2)).
        let loss: f32 = reflection.iter().take(used).map(|k| 1.0 - k * k).product();
        let rms = FULL_SCALE as f32 * 10f32.powf(-f32::from(self.target.level) / 20.0);
        // Uniform noise in [-1, 1) has a variance of a third.
        let gain = rms * loss.max(0.0).sqrt() * 3f32.sqrt();
        out.reserve(samples);
        for _ in 0..samples {
            self.gain += (gain - self.gain) * self.smoothing;
            let mut forward = self.uniform() * self.gain;
            // Lattice from the highest coefficient down; state holds the backward errors.
            let mut above: Option<&mut f32> = None;
            for (k, backward) in reflection.iter().zip(&mut self.state).take(used).rev() {
                forward -= k * *backward;
                let passed_up = *backward + k * forward;
                if let Some(above) = above {
                    *above = passed_up;
                }
                above = Some(backward);
            }
            if let Some(lowest) = above {
                *lowest = forward;
            }
            out.push(forward.round().clamp(-32_768.0, 32_767.0) as i16);
        }
        // A filter that blew up could only come from a state of an older, different one.
        if !self.state.iter().all(|s| s.is_finite()) {
            self.state = [0.0; MAX_ORDER];
        }
    }

    /// xorshift32 (Marsaglia 2003) in [-1, 1).
    fn uniform(&mut self) -> f32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random.cast_signed() as f32 / 2_147_483_648.0
    }
}

impl Decode for Generator {
    fn samples(&self, _bytes: usize) -> Result<usize, CodecError> {
        Ok(0)
    }

    /// A payload describes the noise, and has no sound of its own.
    fn decode(&mut self, payload: &[u8], _out: &mut Vec<i16>) -> Result<usize, CodecError> {
        let bytes = payload.len();
        self.describe(Description::parse(payload).ok_or(CodecError::Malformed { bytes })?);
        Ok(0)
    }

    fn gaps(&mut self) -> Option<&mut dyn Gaps> {
        Some(self)
    }
}

impl Gaps for Generator {
    fn conceal(&mut self, samples: usize, out: &mut Vec<i16>) {
        self.generate(samples, out);
    }
}
