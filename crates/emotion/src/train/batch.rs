//! What the network is handed: a part of each varied clip, blanked here and there.

use crate::{corpus::Clip, features::FeatureConfig, network::STEPS_PER_FRAME, rng::Rng};

/// Half of the time a part of the clip, from 1 s up; at most 5 s.
pub(super) fn crop(clip: &Clip, size: usize, rng: &mut Rng) -> Clip {
    const LEAST: usize = 40;
    const MOST: usize = 200;
    let mut steps = clip.steps.min(MOST);
    if steps > LEAST && rng.chance(0.5) {
        steps = LEAST + rng.below(steps - LEAST);
    }
    steps -= steps % STEPS_PER_FRAME;
    let from = rng.below(clip.steps - steps + 1);
    Clip {
        values: clip.values.get(from * size..(from + steps) * size).unwrap_or_default().to_vec(),
        ends: clip.ends.get(from..from + steps).unwrap_or_default().to_vec(),
        steps,
    }
}

/// Blanks a few bands, a stretch of time and at times the pitch image (Park et al. 2019, SpecAugment).
pub(super) fn mask(clip: &mut Clip, features: &FeatureConfig, blank: &[f32], rng: &mut Rng) {
    let (size, bands) = (features.dimensions(), features.mel_bands);
    let mut hidden = vec![false; size];
    for _ in 0..rng.below(3) {
        let width = 1 + rng.below(6);
        let first = rng.below(bands - width);
        for band in first..first + width {
            for column in [band, bands + band] {
                if let Some(slot) = hidden.get_mut(column) {
                    *slot = true;
                }
            }
        }
    }
    if rng.chance(0.1) {
        hidden.iter_mut().skip(2 * bands).for_each(|slot| *slot = true);
    }
    let gap = if rng.chance(0.5) { rng.below(clip.steps / 6 + 1) } else { 0 };
    let start = rng.below(clip.steps - gap + 1);
    for (place, step) in clip.values.chunks_exact_mut(size).enumerate() {
        let gone = (start..start + gap).contains(&place);
        for ((x, hidden), blank) in step.iter_mut().zip(&hidden).zip(blank) {
            if gone || *hidden {
                *x = *blank;
            }
        }
    }
}
