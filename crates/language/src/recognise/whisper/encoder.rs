//! The first half of Whisper (Radford et al. 2022): mel frames to a row of values every 20 ms.
//!
//! The publisher's own program always gives it thirty seconds, silence behind. Here it gets the sound and
//! [`SILENCE`](super::SILENCE) behind it: its positions are absolute, so the first rows are the same whatever follows.

use candle_core::{Device, Result, Tensor};

use super::mel::{BANDS, mel};
use super::shape::Shape;
use crate::recognise::layers::{EncoderLayer, Parts};
use crate::recognise::linear::{Linear, Norm, windows};
use crate::recognise::weights::{Weights, WeightsError};

type Opened<T> = std::result::Result<T, WeightsError>;

const PARTS: Parts = Parts {
    norms: &["self_attn_layer_norm", "final_layer_norm"],
    out: "out_proj",
    products: "fc",
    shifted: true,
};
/// Frames that a convolution sees, and how far each of the two moves on.
const TAPS: usize = 3;
const STRIDES: (usize, usize) = (1, 2);

/// The encoder.
pub(super) struct Encoder {
    shape: Shape,
    conv1: Linear,
    conv2: Linear,
    positions: Tensor,
    layers: Vec<EncoderLayer>,
    norm: Norm,
}

impl Encoder {
    pub(super) fn open(weights: &Weights, shape: Shape) -> Opened<Self> {
        let width = shape.width;
        let at = |name: &str| format!("model.encoder.{name}");
        let layer = |n: usize| EncoderLayer::open(weights, &at(&format!("layers.{n}")), PARTS, shape.heads);
        Ok(Self {
            shape,
            conv1: Linear::convolution(weights, &at("conv1"), (BANDS, width, TAPS), true)?,
            conv2: Linear::convolution(weights, &at("conv2"), (width, width, TAPS), true)?,
            positions: weights.get(&at("embed_positions.weight"), &[shape.rows, width])?,
            layers: (0..shape.encoder_layers).map(layer).collect::<Opened<_>>()?,
            norm: Norm::open(weights, &at("layer_norm"), width, PARTS.shifted)?,
        })
    }

    /// `[rows, width]` of 16 kHz sound, which silence fills up; `goes_on` is asked between layers.
    pub(super) fn forward(
        &self,
        pcm: &[f32],
        rows: usize,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Option<Tensor>> {
        let x = convolve(&self.conv1, mel(pcm, STRIDES.1 * rows), BANDS, STRIDES.0)?;
        let x = convolve(&self.conv2, x.flatten_all()?.to_vec1()?, self.shape.width, STRIDES.1)?;
        let mut x = (x + self.positions.narrow(0, 0, rows)?)?;
        for layer in &self.layers {
            if !goes_on() {
                return Ok(None);
            }
            x = layer.forward(&x, None)?;
        }
        self.norm.forward(&x).map(Some)
    }
}

/// A convolution over rows of `channels` values, with a row of zeros before and behind them, and GELU.
fn convolve(conv: &Linear, rows: Vec<f32>, channels: usize, stride: usize) -> Result<Tensor> {
    let mut padded = vec![0.0; channels];
    padded.extend(rows);
    padded.resize(padded.len() + channels, 0.0);
    conv.forward(&windows(&padded, channels, (TAPS, stride), &Device::Cpu)?)?.gelu_erf()
}
