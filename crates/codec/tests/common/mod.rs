//! Signals and measures that several tests share.
#![allow(dead_code, unreachable_pub, clippy::indexing_slicing)] // each test uses some of it

use std::f64::consts::TAU;

/// A sine of that frequency and amplitude, `seconds` long.
pub fn tone(rate: u32, hertz: f64, amplitude: f64, seconds: f64) -> Vec<i16> {
    let count = (f64::from(rate) * seconds) as usize;
    (0..count)
        .map(|n| (amplitude * (TAU * hertz * n as f64 / f64::from(rate)).sin()).round() as i16)
        .collect()
}

/// Something voiced: harmonics of `pitch` under two formants.
pub fn voice(rate: u32, pitch: f64, seconds: f64) -> Vec<i16> {
    let count = (f64::from(rate) * seconds) as usize;
    let harmonics = (3400.0 / pitch) as usize;
    (0..count)
        .map(|n| {
            let t = n as f64 / f64::from(rate);
            let sum: f64 = (1..=harmonics)
                .map(|k| {
                    let f = pitch * k as f64;
                    let level = 5000.0 / (1.0 + (f - 500.0).abs() / 150.0)
                        + 1500.0 / (1.0 + (f - 2200.0).abs() / 200.0);
                    level * (TAU * f * t + k as f64).sin()
                })
                .sum();
            sum.clamp(-32_768.0, 32_767.0) as i16
        })
        .collect()
}

pub fn rms(pcm: &[i16]) -> f64 {
    (pcm.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / pcm.len() as f64).sqrt()
}

pub fn decibels(ratio: f64) -> f64 {
    20.0 * ratio.log10()
}

/// Signal to noise in dB of `got` against `wanted` at the lag (up to `most`) that fits best.
pub fn snr(wanted: &[i16], got: &[i16], most: usize) -> f64 {
    let length = wanted.len().min(got.len()) - most;
    let wanted = &wanted[..length];
    (0..=most)
        .map(|lag| {
            let noise: f64 =
                wanted.iter().zip(&got[lag..]).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
            let signal: f64 = wanted.iter().map(|&a| f64::from(a).powi(2)).sum();
            10.0 * (signal / noise.max(1.0)).log10()
        })
        .fold(f64::MIN, f64::max)
}

pub fn samples(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect()
}
