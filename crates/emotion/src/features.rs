//! What the network sees: log-mel bands and a pitch image, from 8 kHz PCM, one step every 25 ms.
//!
//! A step holds two log-mel frames (25 ms windows, 12.5 ms apart) and one periodicity image: the generalised
//! autocorrelation (Tolonen and Karjalainen 2000: the spectrum's magnitude compressed before going back to lags) over
//! 64 ms, read at lags spaced evenly in log frequency. Mel bands at 8 kHz do not resolve a voice's harmonics, and
//! intonation is half of what tells emotions apart; on a telephone, where the fundamental is cut off, the lag domain
//! still shows it.

#![allow(clippy::indexing_slicing)] // fixed-size buffers whose lengths are set in `Extractor::new`

use std::sync::Arc;

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex, num_complex::Complex32};
use serde::{Deserialize, Serialize};

/// How PCM becomes features. Stored in each model file; a model trained with another front end is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureConfig {
    /// Sample rate in Hz.
    pub rate: u32,
    /// Samples in a mel window.
    pub window: usize,
    /// Samples between mel frames.
    pub hop: usize,
    /// Mel bands.
    pub mel_bands: usize,
    /// Lowest band edge in Hz.
    pub low_hz: f32,
    /// Highest band edge in Hz.
    pub high_hz: f32,
    /// Samples in a pitch window.
    pub pitch_window: usize,
    /// Lags in the pitch image.
    pub pitch_bins: usize,
    /// Pitch of the longest lag in Hz.
    pub pitch_low_hz: f32,
    /// Pitch of the shortest lag in Hz.
    pub pitch_high_hz: f32,
    /// How far below the running speech level features are cut off, in nepers of power.
    pub floor: f32,
}

impl Default for FeatureConfig {
    fn default() -> Self {
        Self {
            rate: 8000,
            window: 200,
            hop: 100,
            mel_bands: 40,
            low_hz: 80.0,
            high_hz: 3800.0,
            pitch_window: 512,
            pitch_bins: 32,
            pitch_low_hz: 60.0,
            pitch_high_hz: 500.0,
            floor: 9.0,
        }
    }
}

impl FeatureConfig {
    /// Samples that one step advances by: two hops, 25 ms.
    pub fn step(&self) -> usize {
        2 * self.hop
    }

    /// Values in one step.
    pub fn dimensions(&self) -> usize {
        2 * self.mel_bands + self.pitch_bins
    }

    /// Samples before a step's end that it is computed from.
    pub fn context(&self) -> usize {
        self.pitch_window.max(self.window + self.hop)
    }
}

/// Log power below which a mel band is empty: far under one quantisation step of 16 bits.
const TINY: f32 = 1e-10;
const MEL_FFT: usize = 256;
/// The pitch image's inverse transform is twice as long as its forward one: lags at 16 kHz, in finer steps.
const LAG_UPSAMPLING: usize = 2;
/// Only the lower part of the spectrum shows clean harmonics, in Hz.
const PITCH_BAND_HZ: f32 = 2200.0;

/// Computes steps. Holds plans, tables and scratch space; it carries nothing from step to step.
pub struct Extractor {
    config: FeatureConfig,
    mel_plan: Arc<dyn RealToComplex<f32>>,
    pitch_plan: Arc<dyn RealToComplex<f32>>,
    lag_plan: Arc<dyn ComplexToReal<f32>>,
    mel_window: Vec<f32>,
    pitch_window: Vec<f32>,
    /// For each band: first bin and triangular weights.
    bands: Vec<(usize, Vec<f32>)>,
    /// For each pitch bin: whole lag and fraction.
    lags: Vec<(usize, f32)>,
    mel_in: Vec<f32>,
    mel_out: Vec<Complex32>,
    pitch_in: Vec<f32>,
    pitch_out: Vec<Complex32>,
    lag_in: Vec<Complex32>,
    lag_out: Vec<f32>,
    scratch: Vec<Complex32>,
}

impl std::fmt::Debug for Extractor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Extractor").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Extractor {
    /// An extractor for `config`.
    pub fn new(config: FeatureConfig) -> Self {
        let mut planner = RealFftPlanner::<f32>::new();
        let mel_plan = planner.plan_fft_forward(MEL_FFT);
        let pitch_plan = planner.plan_fft_forward(config.pitch_window);
        let lag_plan = planner.plan_fft_inverse(LAG_UPSAMPLING * config.pitch_window);
        let scratch =
            mel_plan.get_scratch_len().max(pitch_plan.get_scratch_len()).max(lag_plan.get_scratch_len());
        Self {
            mel_window: hann(config.window),
            pitch_window: hann(config.pitch_window),
            bands: mel_bands(&config),
            lags: lags(&config),
            mel_in: mel_plan.make_input_vec(),
            mel_out: mel_plan.make_output_vec(),
            pitch_in: pitch_plan.make_input_vec(),
            pitch_out: pitch_plan.make_output_vec(),
            lag_in: lag_plan.make_input_vec(),
            lag_out: lag_plan.make_output_vec(),
            scratch: vec![Complex32::default(); scratch],
            mel_plan,
            pitch_plan,
            lag_plan,
            config,
        }
    }

    /// The configuration it was made with.
    pub fn config(&self) -> &FeatureConfig {
        &self.config
    }

    /// Computes the step that ends where `samples` ends (full scale 1; at least [`FeatureConfig::context`] of them,
    /// older ones are ignored) into `out`: first mel frame, second mel frame (natural log of power), pitch image
    /// (autocorrelation, at most 1). Returns the mean square of the step's samples.
    pub fn step(&mut self, samples: &[f32], out: &mut [f32]) -> f32 {
        debug_assert!(samples.len() >= self.config.context() && out.len() == self.config.dimensions());
        let end = samples.len();
        let (bands, hop) = (self.config.mel_bands, self.config.hop);
        let (mels, pitch) = out.split_at_mut(2 * bands);
        self.mel(&samples[..end - hop], &mut mels[..bands]);
        self.mel(samples, &mut mels[bands..]);
        self.pitch(samples, pitch);
        let step = &samples[end - self.config.step()..];
        step.iter().map(|x| x * x).sum::<f32>() / step.len() as f32
    }

    fn mel(&mut self, samples: &[f32], out: &mut [f32]) {
        let window = &samples[samples.len() - self.config.window..];
        let mean = window.iter().sum::<f32>() / window.len() as f32;
        self.mel_in.fill(0.0);
        for ((slot, x), w) in self.mel_in.iter_mut().zip(window).zip(&self.mel_window) {
            *slot = (x - mean) * w;
        }
        let done = self.mel_plan.process_with_scratch(&mut self.mel_in, &mut self.mel_out, &mut self.scratch);
        debug_assert!(done.is_ok());
        for ((first, weights), y) in self.bands.iter().zip(out) {
            let power: f32 =
                self.mel_out[*first..].iter().zip(weights).map(|(bin, weight)| bin.norm_sqr() * weight).sum();
            *y = (power + TINY).ln();
        }
    }

    fn pitch(&mut self, samples: &[f32], out: &mut [f32]) {
        let n = self.config.pitch_window;
        let window = &samples[samples.len() - n..];
        let mean = window.iter().sum::<f32>() / n as f32;
        for ((slot, x), w) in self.pitch_in.iter_mut().zip(window).zip(&self.pitch_window) {
            *slot = (x - mean) * w;
        }
        let done =
            self.pitch_plan.process_with_scratch(&mut self.pitch_in, &mut self.pitch_out, &mut self.scratch);
        debug_assert!(done.is_ok());
        let top = (PITCH_BAND_HZ * n as f32 / self.config.rate as f32) as usize;
        self.lag_in.fill(Complex32::default());
        for (lag, bin) in self.lag_in.iter_mut().zip(&self.pitch_out).take(top).skip(1) {
            // Compression by the cube root of power: between autocorrelation and cepstrum.
            lag.re = bin.norm_sqr().cbrt();
        }
        let done = self.lag_plan.process_with_scratch(&mut self.lag_in, &mut self.lag_out, &mut self.scratch);
        debug_assert!(done.is_ok());
        let zero = self.lag_out[0].max(1e-9);
        for (&(lag, fraction), y) in self.lags.iter().zip(out) {
            let value = self.lag_out[lag] * (1.0 - fraction) + self.lag_out[lag + 1] * fraction;
            *y = value / zero;
        }
    }
}

fn hann(length: usize) -> Vec<f32> {
    (0..length)
        .map(|n| 0.5 - 0.5 * (std::f32::consts::TAU * (n as f32 + 0.5) / length as f32).cos())
        .collect()
}

/// HTK's mel scale.
fn to_mel(hz: f32) -> f32 {
    2595.0 * (1.0 + hz / 700.0).log10()
}

fn to_hz(mel: f32) -> f32 {
    700.0 * (10f32.powf(mel / 2595.0) - 1.0)
}

fn mel_bands(config: &FeatureConfig) -> Vec<(usize, Vec<f32>)> {
    let (low, high) = (to_mel(config.low_hz), to_mel(config.high_hz));
    let edge = |n: usize| to_hz(low + (high - low) * n as f32 / (config.mel_bands + 1) as f32);
    let bin_hz = config.rate as f32 / MEL_FFT as f32;
    (0..config.mel_bands)
        .map(|band| {
            // Narrow low bands are widened to two bins, or some would hold none.
            let centre = edge(band + 1);
            let left = edge(band).min(centre - bin_hz);
            let right = edge(band + 2).max(centre + bin_hz);
            let first = (left / bin_hz).ceil().max(0.0) as usize;
            let last = ((right / bin_hz).floor() as usize).min(MEL_FFT / 2);
            let weights = (first..=last)
                .map(|bin| {
                    let hz = bin as f32 * bin_hz;
                    let rise = (hz - left) / (centre - left);
                    let fall = (right - hz) / (right - centre);
                    rise.min(fall).max(0.0)
                })
                .collect();
            (first, weights)
        })
        .collect()
}

fn lags(config: &FeatureConfig) -> Vec<(usize, f32)> {
    let octaves = (config.pitch_high_hz / config.pitch_low_hz).log2();
    let rate = (LAG_UPSAMPLING as u32 * config.rate) as f32;
    (0..config.pitch_bins)
        .map(|bin| {
            let hz = config.pitch_low_hz * (octaves * bin as f32 / (config.pitch_bins - 1) as f32).exp2();
            let lag = rate / hz;
            (lag as usize, lag.fract())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f32, gain: f32) -> Vec<f32> {
        (0..600)
            .map(|n| {
                let t = n as f32 / 8000.0;
                // A pulse train through the telephone band: no energy at the fundamental.
                (3..12).map(|h| gain * (std::f32::consts::TAU * hz * h as f32 * t).cos()).sum()
            })
            .collect()
    }

    #[test]
    fn the_pitch_image_peaks_at_a_missing_fundamental() {
        let config = FeatureConfig::default();
        let mut extractor = Extractor::new(config.clone());
        let mut out = vec![0.0; config.dimensions()];
        let octaves = (config.pitch_high_hz / config.pitch_low_hz).log2();
        for hz in [110.0f32, 170.0, 240.0] {
            extractor.step(&tone(hz, 0.02), &mut out);
            let image = &out[2 * config.mel_bands..];
            // Multiples of the period peak as well: the first high peak from the short-lag end is the pitch.
            let best = image.iter().copied().fold(0.0, f32::max);
            let peak = image.iter().rposition(|&x| x > 0.9 * best).unwrap();
            let found = config.pitch_low_hz * (octaves * peak as f32 / 31.0).exp2();
            assert!((found / hz).log2().abs() < 0.15, "{hz} Hz was seen at {found} Hz");
        }
    }

    #[test]
    fn gain_shifts_every_band_alike_and_leaves_the_pitch_image() {
        let config = FeatureConfig::default();
        let mut extractor = Extractor::new(config.clone());
        let (mut soft, mut loud) = (vec![0.0; config.dimensions()], vec![0.0; config.dimensions()]);
        extractor.step(&tone(150.0, 0.01), &mut soft);
        extractor.step(&tone(150.0, 0.04), &mut loud);
        let shift = 2.0 * 4f32.ln();
        let (mels, pitch) = soft.split_at(2 * config.mel_bands);
        for (a, b) in mels.iter().zip(&loud).filter(|(a, _)| **a > -10.0) {
            assert!((b - a - shift).abs() < 0.01);
        }
        for (a, b) in pitch.iter().zip(&loud[2 * config.mel_bands..]) {
            assert!((a - b).abs() < 1e-3);
        }
    }
}
