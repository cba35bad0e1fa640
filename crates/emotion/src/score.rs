//! What a network makes of whole clips, as training and evaluation ask it.

use candle_core::{Device, Tensor};

use crate::{
    corpus::Clip,
    network::{Manner, Network, STEPS_PER_FRAME},
};

/// A whole clip as one pooled window.
pub(crate) fn pooled(network: &Network, clip: &Clip) -> candle_core::Result<Vec<f32>> {
    let (steps, _) = stack(std::iter::once(clip), network.config().inputs, network.device())?;
    let frames = network.encode(&steps, &mut [&mut network.fresh_state()])?.squeeze(0)?.to_vec2::<f32>()?;
    Ok(network.pooled(frames.iter().map(Vec::as_slice)))
}

/// Raw outputs for a pooled window, beside its speaker's own manner if that is known: a logit for each class; valence,
/// arousal and distress before their squashing.
pub(crate) fn read(
    network: &Network,
    pooled: &[f32],
    own: Option<&[f32]>,
) -> candle_core::Result<(Vec<f32>, Vec<f32>)> {
    let (device, width) = (network.device(), pooled.len());
    let window = Tensor::from_slice(pooled, (1, width), device)?;
    let manner = own.map(|own| Manner::of(std::iter::once(Some(own)), width, device)).transpose()?;
    let outputs = network.conclude(&window, manner.as_ref(), None)?;
    Ok((outputs.logits.flatten_all()?.to_vec1()?, outputs.affect.flatten_all()?.to_vec1()?))
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
