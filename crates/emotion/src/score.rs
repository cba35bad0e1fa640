//! What a network makes of whole clips, as training and evaluation ask it.

use candle_core::{Device, Tensor};

use crate::{
    corpus::Clip,
    network::{Network, Outputs, STEPS_PER_FRAME},
};

/// Raw outputs of a whole clip: a logit for each class; valence, arousal and distress before their squashing.
pub(crate) fn score(network: &Network, clip: &Clip) -> candle_core::Result<(Vec<f32>, Vec<f32>)> {
    let size = network.config().inputs;
    let (steps, mask) = stack(std::iter::once(clip), size, network.device())?;
    let frames = network.encode(&steps, &mut [&mut network.fresh_state()])?;
    let Outputs { logits, affect, .. } = network.pool(&frames, &mask, None)?;
    Ok((logits.flatten_all()?.to_vec1()?, affect.flatten_all()?.to_vec1()?))
}

/// Clips side by side, padded at the end, with the mask of their frames.
pub(crate) fn stack<'c>(
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
