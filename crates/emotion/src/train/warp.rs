//! Another voice from the same features: formants, intonation, tempo and the line's colour moved, each by itself, when
//! a clip is heard again. Five speakers become many, at a thousandth of what it costs to vary the sound.

#![allow(clippy::indexing_slicing)] // rows of `FeatureConfig::dimensions` values, checked on entry

use crate::{
    corpus::{Clip, telephony::Augmentation},
    features::FeatureConfig,
    rng::Rng,
};

/// Where the piecewise-linear warp bends, in Hz: above, it runs to the band's edge (Jaitly and Hinton 2013).
const BEND_HZ: f32 = 2800.0;

/// The clip as another voice on another line.
pub(super) fn warp(clip: &Clip, features: &FeatureConfig, how: &Augmentation, rng: &mut Rng) -> Clip {
    let size = features.dimensions();
    let symmetric = |most: f32, rng: &mut Rng| if most > 0.0 { rng.between(-most, most) } else { 0.0 };
    let formants = 1.0 + symmetric(how.formants, rng);
    let semitones = symmetric(how.intonation, rng);
    let tempo = 1.0 + symmetric(how.tempo, rng);
    let colour = curve(features.mel_bands, how.colour_db, rng);
    let floor = if how.floor > 0.0 && rng.chance(how.floor) { Some(rng.between(-8.5, -3.5)) } else { None };
    if clip.steps == 0 || clip.values.len() != clip.steps * size {
        return clip.clone();
    }

    let bands = features.mel_bands;
    let sources = bands_from(features, formants);
    let octaves = (features.pitch_high_hz / features.pitch_low_hz).log2();
    let shift = semitones / 12.0 * (features.pitch_bins - 1) as f32 / octaves;
    let steps = ((clip.steps as f32 * tempo) as usize).max(1);
    let mut values = Vec::with_capacity(steps * size);
    let mut ends = Vec::with_capacity(steps);
    let mut row = vec![0.0f32; size];
    for step in 0..steps {
        let from = (step as f32 / tempo).min((clip.steps - 1) as f32);
        let (first, part) = (from as usize, from.fract());
        let next = (first + 1).min(clip.steps - 1);
        let (a, b) = (&clip.values[first * size..][..size], &clip.values[next * size..][..size]);
        for ((slot, a), b) in row.iter_mut().zip(a).zip(b) {
            *slot = a + part * (b - a);
        }
        for frame in [0, bands] {
            let mels = &row[frame..frame + bands];
            for (band, source) in sources.iter().enumerate() {
                let mut x = between(mels, *source) + colour[band];
                if let Some(floor) = floor {
                    x = floor + (1.0 + (x - floor).clamp(-20.0, 20.0).exp()).ln();
                }
                values.push(x.max(-features.floor));
            }
        }
        let image = &row[2 * bands..];
        values.extend((0..features.pitch_bins).map(|bin| between(image, bin as f32 - shift)));
        ends.push(clip.ends[first]);
    }
    Clip { values, ends, steps }
}

/// The value at a place between two, those at the ends beyond them.
fn between(values: &[f32], place: f32) -> f32 {
    let place = place.clamp(0.0, (values.len() - 1) as f32);
    let (first, part) = (place as usize, place.fract());
    let next = (first + 1).min(values.len() - 1);
    values[first] + part * (values[next] - values[first])
}

/// For each band, the band that lay there before every frequency was multiplied by `factor`.
fn bands_from(features: &FeatureConfig, factor: f32) -> Vec<f32> {
    let mel = |hz: f32| 2595.0 * (1.0 + hz / 700.0).log10();
    let hz = |mel: f32| 700.0 * (10f32.powf(mel / 2595.0) - 1.0);
    let (low, high) = (mel(features.low_hz), mel(features.high_hz));
    let spacing = (high - low) / (features.mel_bands + 1) as f32;
    let bend = BEND_HZ * factor.min(1.0);
    (0..features.mel_bands)
        .map(|band| {
            let at = hz(low + spacing * (band + 1) as f32);
            let source = if at <= bend {
                at / factor
            } else {
                let (from, to) = (bend / factor, features.high_hz);
                from + (at - bend) * (to - from) / (features.high_hz - bend)
            };
            (mel(source) - low) / spacing - 1.0
        })
        .collect()
}

/// A level and a smooth curve over the bands, in nepers of power.
fn curve(bands: usize, db: f32, rng: &mut Rng) -> Vec<f32> {
    let neper = db / 10.0 * std::f32::consts::LN_10;
    let parts: Vec<(f32, f32)> =
        (0..4).map(|_| (neper * rng.normal() * 0.5, rng.between(0.0, std::f32::consts::TAU))).collect();
    (0..bands)
        .map(|band| {
            let at = std::f32::consts::PI * band as f32 / bands as f32;
            parts.iter().enumerate().map(|(n, (gain, phase))| gain * (at * n as f32 + phase).cos()).sum()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(features: &FeatureConfig) -> Clip {
        let mut values = Vec::new();
        for step in 0..40 {
            values.extend((0..2 * features.mel_bands).map(|n| {
                let band = (n % features.mel_bands) as f32;
                -0.1 * (band - 12.0).powi(2) * 0.2 + 0.01 * step as f32
            }));
            values.extend((0..features.pitch_bins).map(|bin| (-(bin as f32 - 15.0).powi(2) / 8.0).exp()));
        }
        Clip { values, steps: 40, ends: (1..=40).map(|n| n * 200).collect() }
    }

    fn only(change: impl Fn(&mut Augmentation)) -> Augmentation {
        let mut none = Augmentation::none();
        change(&mut none);
        none
    }

    #[test]
    fn no_warp_changes_nothing() {
        let features = FeatureConfig::default();
        let clip = clip(&features);
        let same = warp(&clip, &features, &Augmentation::none(), &mut Rng::new(1));
        assert_eq!(same.steps, clip.steps);
        assert_eq!(same.ends, clip.ends);
        for (a, b) in same.values.iter().zip(&clip.values) {
            assert!((a - b.max(-features.floor)).abs() < 1e-3);
        }
    }

    #[test]
    fn formants_move_without_the_pitch_and_the_pitch_without_the_formants() {
        let features = FeatureConfig::default();
        let clip = clip(&features);
        let peak =
            |values: &[f32]| (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap();
        let (mels, image) = (0..features.mel_bands, 2 * features.mel_bands..features.dimensions());
        let (mut formants, mut pitches) = (0, 0);
        for seed in 0..20 {
            let formed = warp(&clip, &features, &only(|how| how.formants = 0.2), &mut Rng::new(seed));
            assert_eq!(peak(&formed.values[image.clone()]), 15);
            formants += usize::from(peak(&formed.values[mels.clone()]) != 12);
            let pitched = warp(&clip, &features, &only(|how| how.intonation = 4.0), &mut Rng::new(seed));
            assert_eq!(peak(&pitched.values[mels.clone()]), 12);
            pitches += usize::from(peak(&pitched.values[image.clone()]) != 15);
        }
        assert!(formants > 10 && pitches > 10, "{formants} {pitches}");
    }

    #[test]
    fn a_slower_clip_is_longer_and_ends_where_it_did() {
        let features = FeatureConfig::default();
        let clip = clip(&features);
        for seed in 0..20 {
            let warped = warp(&clip, &features, &only(|how| how.tempo = 0.2), &mut Rng::new(seed));
            assert!((32..=48).contains(&warped.steps));
            assert_eq!(warped.values.len(), warped.steps * features.dimensions());
            assert!(warped.ends.windows(2).all(|pair| pair[0] <= pair[1]));
            assert!(*warped.ends.last().unwrap() >= 38 * 200);
        }
    }
}
