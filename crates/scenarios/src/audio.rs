//! Audio that can be told apart after a codec, and how alike two recordings are.

use std::f64::consts::TAU;
use std::path::Path;

/// A sound that is never twice the same: sweeps between 400 and 1600 Hz with a beat of its own. Mono, in [-1, 1].
#[must_use]
pub fn sweep(rate: u32, seconds: u32, voice: f64) -> Vec<f64> {
    let mut phase = 0.0;
    (0..rate * seconds)
        .map(|n| {
            let t = f64::from(n) / f64::from(rate);
            let frequency = 400.0 + 1200.0 * (0.9 * voice * t + 2.0 * (0.37 * voice * t).sin()).sin().abs();
            phase += TAU * frequency / f64::from(rate);
            0.3 * phase.sin() * (0.6 + 0.4 * (TAU * 2.3 * voice * t).sin())
        })
        .collect()
}

/// Writes 16-bit WAV with the same sound on each channel.
///
/// # Panics
/// When it can't be written.
pub fn write(path: &Path, sound: &[f64], sample_rate: u32, channels: u16) {
    let spec = hound::WavSpec {
        channels,
        sample_rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for sample in sound {
        for _ in 0..channels {
            #[allow(clippy::cast_possible_truncation)] // in range by construction
            writer.write_sample((sample * 32_000.0) as i16).unwrap();
        }
    }
    writer.finalize().unwrap();
}

/// Reads a WAV of any rate that is a multiple of 8 kHz, as 8 kHz mono. A file still being written is read as far as
/// it goes.
#[must_use]
pub fn read_8k(path: &Path) -> Vec<f64> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let field = |at: usize, length: usize| -> usize {
        bytes
            .get(at..at + length)
            .map_or(0, |field| field.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
    };
    let (channels, rate) = (field(22, 2).max(1), field(24, 4));
    let Some(data) = crate::trace::find(&bytes, b"data") else { return Vec::new() };
    let samples: Vec<f64> = bytes[data + 8..]
        .chunks_exact(2)
        .map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0)
        .collect();
    // A mean over the decimated stretch is low-pass enough for a sound below 1.6 kHz.
    let stretch = channels * (rate / 8_000).max(1);
    samples.chunks_exact(stretch).map(|chunk| chunk.iter().sum::<f64>() / stretch as f64).collect()
}

/// How much of `heard` is `played`, wherever in `played` it was taken from: 1 for the same sound at any volume, about 0
/// for another. Looks at the loudest second of `heard`.
#[must_use]
pub fn likeness(played: &[f64], heard: &[f64]) -> f64 {
    const SECOND: usize = 8_000;
    if heard.len() < SECOND || played.len() < SECOND {
        return 0.0;
    }
    let energy = |part: &[f64]| part.iter().map(|x| x * x).sum::<f64>();
    let start = (0..=heard.len() - SECOND)
        .step_by(800)
        .max_by(|a, b| energy(&heard[*a..*a + SECOND]).total_cmp(&energy(&heard[*b..*b + SECOND])))
        .unwrap_or(0);
    let piece = &heard[start..start + SECOND];
    let own = energy(piece);
    if own < 1e-3 {
        return 0.0; // silence is like nothing
    }
    let products = correlation(played, piece);
    let mut running = energy(&played[..SECOND]);
    let mut best = 0.0_f64;
    for (lag, product) in products.iter().take(played.len() - SECOND + 1).enumerate() {
        best = best.max(product.abs() / (running.max(1e-3) * own).sqrt());
        if let Some(next) = played.get(lag + SECOND) {
            running += next * next - played[lag] * played[lag];
        }
    }
    best
}

/// The inner product of `piece` with each stretch of `whole`, by way of the frequency domain.
fn correlation(whole: &[f64], piece: &[f64]) -> Vec<f64> {
    let length = (whole.len() + piece.len()).next_power_of_two();
    let mut planner = realfft::RealFftPlanner::<f64>::new();
    let (forward, backward) = (planner.plan_fft_forward(length), planner.plan_fft_inverse(length));
    let spectrum = |sound: &[f64]| {
        let mut padded = sound.to_vec();
        padded.resize(length, 0.0);
        let mut spectrum = forward.make_output_vec();
        forward.process(&mut padded, &mut spectrum).unwrap();
        spectrum
    };
    let mut product: Vec<_> =
        spectrum(whole).iter().zip(spectrum(piece)).map(|(a, b)| a * b.conj()).collect();
    let mut correlation = backward.make_output_vec();
    backward.process(&mut product, &mut correlation).unwrap();
    correlation.iter().map(|x| x / length as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_is_like_itself_and_unlike_another() {
        let (ada, bob) = (sweep(8_000, 4, 1.0), sweep(8_000, 4, 1.31));
        let quieter: Vec<f64> = ada[9_000..20_000].iter().map(|x| x * 0.4).collect();
        assert!(likeness(&ada, &quieter) > 0.99);
        assert!(likeness(&bob, &quieter) < 0.5, "{}", likeness(&bob, &quieter));
        assert!(likeness(&ada, &vec![0.0; 9_000]) < 1e-9);
    }
}
