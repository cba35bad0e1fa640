//! One sample rate to another, block by block, without losing count.
//!
//! A polyphase FIR filter: for a rate ratio of L/M in lowest terms, output k is the input around
//! position k M / L, weighed by one of L sets of coefficients. The prototype is a Kaiser-windowed sinc:
//! flat to 85 % of the lower rate's Nyquist frequency, 70 dB down from 100 % on. So nothing aliases,
//! and speech brought to 8 kHz keeps what a telephone keeps: everything to 3.4 kHz.
//!
//! Rates with so little in common that L would be large (8012 Hz, from a sound card's own clock) share a table of 640
//! sets: the set next below is taken, which errs by less than 1/640 of a sample, 50 dB below the sound.
//!
//! **Counting.** After n input samples exactly ceil(n L / M) have come out, whatever the blocks; there
//! is no start-up and nothing to flush. What comes out is late by [`Resampler::delay`], which is fixed.
//!
//! Sums are formed in eight lanes, always in the same order: vector instructions without fast-math, and
//! the same output on every machine. (The `rubato` crate works on blocks of a fixed size, which fits
//! packets of changing length badly, and does not count exactly.)
#![allow(clippy::indexing_slicing)] // one buffer and one table of known lengths, in inner loops

use std::time::Duration;

/// A pair of rates that isn't served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot resample {from} Hz to {to} Hz")]
pub struct UnsupportedRate {
    /// Rate of the input in Hz.
    pub from: u32,
    /// Rate of the output in Hz.
    pub to: u32,
}

/// Lowest and highest rate that is served.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=192_000;

/// The most sets of coefficients: 11025 to 48000 Hz takes 640.
const MOST_SETS: u32 = 640;

/// Samples that are filtered at once.
const BLOCK: usize = 480;

/// Products that are summed side by side.
const LANES: usize = 8;

/// A mono resampler.
#[derive(Debug, Clone)]
pub struct Resampler {
    from: u32,
    /// Phases between two inputs (L) and the step through them for each output (M).
    phases: u32,
    step: u32,
    /// Sets of coefficients: one a phase, if there are not too many.
    sets: u32,
    taps: usize,
    /// `sets` times `taps`, each set in the order of the input.
    coefficients: Box<[f32]>,
    /// The last `taps - 1` inputs, and room for a block.
    buffer: Box<[f32]>,
    /// Where the next output lies: whole inputs from the beginning of the next block, and phases.
    whole: usize,
    phase: u32,
}

impl Resampler {
    /// A resampler between two rates in Hz, 4000 to 192000.
    ///
    /// # Errors
    /// [`UnsupportedRate`] outside of that.
    pub fn new(from: u32, to: u32) -> Result<Self, UnsupportedRate> {
        let unsupported = UnsupportedRate { from, to };
        if !RATES.contains(&from) || !RATES.contains(&to) {
            return Err(unsupported);
        }
        let common = greatest_common_divisor(from, to);
        let (phases, step) = (to / common, from / common);
        let sets = phases.min(MOST_SETS);
        let (taps, coefficients) = if from == to { (1, vec![1.0]) } else { design(from, from.min(to), sets) };
        Ok(Self {
            from,
            phases,
            step,
            sets,
            taps,
            coefficients: coefficients.into_boxed_slice(),
            buffer: vec![0.0; taps - 1 + BLOCK].into_boxed_slice(),
            whole: 0,
            phase: 0,
        })
    }

    /// Takes in samples and appends those that come out; how many.
    pub fn push(&mut self, pcm: &[i16], out: &mut Vec<i16>) -> usize {
        let before = out.len();
        if self.step == self.phases {
            out.extend_from_slice(pcm);
            return pcm.len();
        }
        out.reserve(pcm.len() * self.phases as usize / self.step as usize + 1);
        let past = self.taps - 1;
        for block in pcm.chunks(BLOCK) {
            for (place, &sample) in self.buffer[past..].iter_mut().zip(block) {
                *place = f32::from(sample);
            }
            while self.whole < block.len() {
                let window = &self.buffer[self.whole..self.whole + self.taps];
                let set = u64::from(self.phase) * u64::from(self.sets) / u64::from(self.phases);
                let set = &self.coefficients[set as usize * self.taps..][..self.taps];
                out.push(weigh(window, set));
                let ahead = self.phase + self.step;
                self.whole += (ahead / self.phases) as usize;
                self.phase = ahead % self.phases;
            }
            self.whole -= block.len();
            self.buffer.copy_within(block.len()..block.len() + past, 0);
        }
        out.len() - before
    }

    /// How much later a sound comes out than it went in, in terms of sample positions.
    #[must_use]
    pub fn delay(&self) -> Duration {
        if self.step == self.phases {
            return Duration::ZERO;
        }
        Duration::from_secs_f64((self.taps as f64 / 2.0 - 0.5 / f64::from(self.sets)) / f64::from(self.from))
    }

    /// Forgets the past, as if new.
    pub fn reset(&mut self) {
        self.buffer.fill(0.0);
        self.whole = 0;
        self.phase = 0;
    }
}

/// The weighed sum of a window.
#[inline]
fn weigh(window: &[f32], coefficients: &[f32]) -> i16 {
    let mut sums = [0.0f32; LANES];
    let (window, _) = window.as_chunks::<LANES>();
    let (coefficients, _) = coefficients.as_chunks::<LANES>();
    for (x, c) in window.iter().zip(coefficients) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * c[lane];
        }
    }
    sums.iter().sum::<f32>().round_ties_even().clamp(-32_768.0, 32_767.0) as i16
}

/// Length of a set, and the sets one after the other.
///
/// `lower` is the lower of the two rates. The prototype runs at `from * phases` Hz; set p takes
/// every `phases`-th of its coefficients from p on, in reverse.
fn design(from: u32, lower: u32, phases: u32) -> (usize, Vec<f32>) {
    const ATTENUATION: f64 = 70.0;
    const TRANSITION: f64 = 0.15;
    let nyquist = f64::from(lower) / 2.0;
    // Kaiser's formulae (Oppenheim and Schafer, 7.6), per phase.
    let width = std::f64::consts::TAU * TRANSITION * nyquist / f64::from(from);
    let taps = ((ATTENUATION - 7.95) / (2.285 * width)).ceil() as usize;
    let taps = taps.next_multiple_of(LANES);
    let beta = 0.1102 * (ATTENUATION - 8.7);
    let cutoff = (1.0 - TRANSITION / 2.0) * nyquist / f64::from(from);
    let count = taps * phases as usize;
    let centre = (count - 1) as f64 / 2.0;
    let prototype = |n: usize| {
        let from_centre = n as f64 - centre;
        // Kaiser's window up to a factor, which each set's sum takes out again.
        let window = bessel(beta * (1.0 - (from_centre / centre).powi(2)).max(0.0).sqrt());
        let angle = std::f64::consts::TAU * cutoff * from_centre / f64::from(phases);
        window * if angle.abs() < 1e-9 { 1.0 } else { angle.sin() / angle }
    };
    let mut coefficients = Vec::with_capacity(count);
    for phase in 0..phases as usize {
        let set: Vec<f64> = (0..taps).rev().map(|tap| prototype(tap * phases as usize + phase)).collect();
        // The same gain at 0 Hz in every phase: a difference would be a tone.
        let sum: f64 = set.iter().sum();
        coefficients.extend(set.iter().map(|c| (c / sum) as f32));
    }
    (taps, coefficients)
}

/// Modified Bessel function of the first kind, order zero.
fn bessel(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut sum, mut term, mut k) = (1.0, 1.0, 0.0);
    while term > sum * 1e-15 {
        k += 1.0;
        term *= quarter / (k * k);
        sum += term;
    }
    sum
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
