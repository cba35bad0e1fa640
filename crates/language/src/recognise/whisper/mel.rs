//! Sound to what Whisper hears: 80 mel bands, 100 times a second, in logarithms (Radford et al. 2022, section 2.2).

use std::f64::consts::PI;

use realfft::RealFftPlanner;

use crate::recognise::sound::RATE;

/// Bands.
pub(super) const BANDS: usize = 80;
/// Samples from one frame to the next.
pub(super) const HOP: usize = 160;
/// Samples that a frame sees.
const WINDOW: usize = 400;
/// What is quieter than the loudest band by more than this is made equal: eight powers of ten.
const RANGE: f32 = 8.0;

/// `[frames, BANDS]` of `pcm`, 16 kHz in `[-1, 1]`, followed by silence up to `frames` frames.
pub(super) fn mel(pcm: &[f32], frames: usize) -> Vec<f32> {
    let (filters, window) = (filters(), window());
    let transform = RealFftPlanner::<f32>::new().plan_fft_forward(WINDOW);
    let (mut block, mut spectrum) = (transform.make_input_vec(), transform.make_output_vec());
    let mut mel = Vec::with_capacity(frames * BANDS);
    for frame in 0..frames {
        for (n, (sample, window)) in block.iter_mut().zip(&window).enumerate() {
            *sample = window * at(pcm, frame * HOP + n);
        }
        if transform.process(&mut block, &mut spectrum).is_err() {
            spectrum.fill(Default::default());
        }
        for (first, weights) in &filters {
            let power = spectrum.iter().skip(*first).zip(weights).map(|(x, weight)| weight * x.norm_sqr());
            mel.push(power.sum::<f32>().max(1e-10).log10());
        }
    }
    let floor = mel.iter().copied().fold(f32::MIN, f32::max) - RANGE;
    mel.iter_mut().for_each(|x| *x = (x.max(floor) + 4.0) / 4.0);
    mel
}

/// The sample at `place` of the sound with half a window before it, in which it is reflected.
fn at(pcm: &[f32], place: usize) -> f32 {
    let half = WINDOW / 2;
    let place = half.abs_diff(place);
    pcm.get(place).copied().unwrap_or(0.0)
}

/// Hann's window, periodic.
fn window() -> Vec<f32> {
    (0..WINDOW).map(|n| (0.5 - 0.5 * (2.0 * PI * n as f64 / WINDOW as f64).cos()) as f32).collect()
}

/// Of each band the first bin that it takes, and the weights from there on: triangles on Slaney's scale (linear below
/// 1,000 Hz, logarithmic above), each of the same area.
fn filters() -> Vec<(usize, Vec<f32>)> {
    let step = f64::from(RATE) / WINDOW as f64;
    let top = slaney(f64::from(RATE) / 2.0);
    let edge = |n: usize| hertz(top * n as f64 / (BANDS + 1) as f64);
    let band = |band: usize| {
        let (low, middle, high) = (edge(band), edge(band + 1), edge(band + 2));
        let weight = |bin: usize| {
            let at = bin as f64 * step;
            let rise = ((at - low) / (middle - low)).min((high - at) / (high - middle));
            (rise.max(0.0) * 2.0 / (high - low)) as f32
        };
        let first = (low / step) as usize;
        (first, (first..=(high / step) as usize).map(weight).collect())
    };
    (0..BANDS).map(band).collect()
}

/// Where Slaney's scale becomes logarithmic: in hertz, in steps, and how many steps a factor of e takes.
const KNEE: f64 = 1_000.0;
const KNEE_STEPS: f64 = 15.0;
const STEP: f64 = 200.0 / 3.0;

fn logarithmic() -> f64 {
    27.0 / 6.4f64.ln()
}

fn slaney(hertz: f64) -> f64 {
    if hertz < KNEE { hertz / STEP } else { KNEE_STEPS + (hertz / KNEE).ln() * logarithmic() }
}

fn hertz(steps: f64) -> f64 {
    if steps < KNEE_STEPS { steps * STEP } else { KNEE * ((steps - KNEE_STEPS) / logarithmic()).exp() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_loudest_in_its_own_band() {
        let tone = |hz: f32| -> Vec<f32> {
            (0..16_000).map(|n| (2.0 * std::f32::consts::PI * hz * n as f32 / 16_000.0).sin()).collect()
        };
        let loudest = |hz: f32| {
            let mel = mel(&tone(hz), 100);
            let frame = &mel[50 * BANDS..51 * BANDS];
            (0..BANDS).max_by(|&a, &b| frame[a].total_cmp(&frame[b])).unwrap()
        };
        // The middle of the band above: 1,000 Hz are 15 of 45.245 steps, which 81 parts divide.
        assert_eq!(loudest(1_000.0), 26);
        assert!(loudest(300.0) < loudest(1_000.0) && loudest(1_000.0) < loudest(3_000.0));
    }

    #[test]
    fn silence_behind_the_sound_is_the_floor_and_frames_are_as_many_as_asked() {
        let mut pcm: Vec<f32> = (0..1_600).map(|n| 0.5 * (0.4 * n as f32).sin()).collect();
        pcm.resize(3_200, 0.0);
        let mel = mel(&pcm, 40);
        assert_eq!(mel.len(), 40 * BANDS);
        let (loudest, quietest) =
            (mel.iter().copied().fold(f32::MIN, f32::max), mel.iter().copied().fold(f32::MAX, f32::min));
        assert!((loudest - quietest - 2.0).abs() < 1e-5, "{loudest} {quietest}");
        assert!(mel[30 * BANDS..].iter().all(|x| (x - quietest).abs() < 1e-6));
    }
}
