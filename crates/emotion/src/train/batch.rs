//! What the network is handed: a part of each varied clip, blanked here and there, side by side in a padded batch.

use candle_core::{Device, Tensor};

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

/// Clips side by side, padded at the end, with the mask of their frames.
pub(super) fn stack<'c>(
    clips: impl Iterator<Item = &'c Clip> + Clone,
    size: usize,
    device: &Device,
) -> candle_core::Result<(Tensor, Tensor)> {
    let rows = clips.clone().count();
    let longest = clips.clone().map(|clip| clip.steps).max().unwrap_or(0);
    let frames = longest / STEPS_PER_FRAME;
    let mut values = Vec::with_capacity(rows * longest * size);
    let mut mask = Vec::with_capacity(rows * frames);
    for (row, clip) in clips.enumerate() {
        values.extend_from_slice(&clip.values);
        values.resize((row + 1) * longest * size, 0.0);
        mask.resize(mask.len() + clip.steps / STEPS_PER_FRAME, 1.0f32);
        mask.resize((row + 1) * frames, 0.0);
    }
    Ok((
        Tensor::from_vec(values, (rows, longest, size), device)?,
        Tensor::from_vec(mask, (rows, frames), device)?,
    ))
}
