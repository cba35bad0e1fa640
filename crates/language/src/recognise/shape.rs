//! The sizes of a Moonshine network, and what all of them have in common.

use candle_core::{Device, Result, Tensor};

use super::weights::{Weights, WeightsError};

/// Heads of attention, in every size of Moonshine.
pub(super) const HEADS: usize = 8;
/// Values of a head that are turned by their position; the others are left as they are.
pub(super) const TURNED: usize = 32;
/// The slowest turn takes this many positions, times 2 pi.
const SLOWEST: f32 = 10_000.0;

/// A network's sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Values in a row: 288 or 416.
    pub(super) width: usize,
    /// Tokens: 32,768.
    pub(super) tokens: usize,
    /// Layers of the encoder: 6 or 8.
    pub(super) encoder_layers: usize,
    /// Layers of the decoder.
    pub(super) decoder_layers: usize,
}

impl Shape {
    /// What the weights say.
    pub(super) fn of(weights: &Weights) -> std::result::Result<Self, WeightsError> {
        let embedding = weights.any("model.decoder.embed_tokens.weight")?;
        let (tokens, width) = embedding.dims2().map_err(WeightsError::File)?;
        let shape = Self {
            width,
            tokens,
            encoder_layers: weights.layers("model.encoder.layers", "input_layernorm.weight"),
            decoder_layers: weights.layers("model.decoder.layers", "input_layernorm.weight"),
        };
        if width % (2 * HEADS) != 0 || shape.head() < TURNED || width > 4096 || tokens > 1 << 20 {
            return Err(WeightsError::Kind("its width does not divide into eight heads"));
        }
        if shape.encoder_layers == 0 || shape.decoder_layers == 0 {
            return Err(WeightsError::Kind("it has no layers"));
        }
        Ok(shape)
    }

    /// Values of a head.
    pub(super) const fn head(self) -> usize {
        self.width / HEADS
    }
}

/// Cosines and sines, `[positions, head / 2]`, by which pairs of values are turned at positions from `first` on.
pub(super) fn rotary(shape: Shape, first: usize, positions: usize) -> Result<(Tensor, Tensor)> {
    let pairs = shape.head() / 2;
    let angles: Vec<f32> = (first..first + positions)
        .flat_map(|position| (0..pairs).map(move |pair| angle(position, pair)))
        .collect();
    let angles = Tensor::from_vec(angles, (positions, pairs), &Device::Cpu)?;
    Ok((angles.cos()?, angles.sin()?))
}

/// By how much a pair is turned at a position.
pub(super) fn angle(position: usize, pair: usize) -> f32 {
    if 2 * pair < TURNED { position as f32 * SLOWEST.powf(-((2 * pair) as f32) / TURNED as f32) } else { 0.0 }
}
