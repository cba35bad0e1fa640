//! The first half of Moonshine (Jeffries et al. 2024, arXiv 2410.15608): sound to a row of values every 24 ms.
//!
//! ```text
//! 16 kHz --conv 127/64, tanh, group norm--> 250/s --conv 7/3, GELU--> 83/s --conv 3/2, GELU--> 41.7/s
//!        --layers: attention with rotary positions, then GELU--> norm
//! ```
//! Everything is kept as `[time, channels]`: a convolution's windows are then slices, and it is one matrix product.

use candle_core::{Device, Result, Tensor};

use super::{
    attention::Heads,
    layers::{EncoderLayer, Parts},
    linear::{EPSILON, Linear, Norm, windows},
    shape::{HEADS, Shape, rotary},
    weights::{Weights, WeightsError},
};

/// Samples, or rows, that a convolution sees, and how far it moves on.
const CONV1: (usize, usize) = (127, 64);
const CONV2: (usize, usize) = (7, 3);
const CONV3: (usize, usize) = (3, 2);
/// Samples from one row of the output to the next.
pub(super) const HOP: usize = CONV1.1 * CONV2.1 * CONV3.1;
/// Samples that one row of the output sees.
const WINDOW: usize = CONV1.0 + CONV1.1 * ((CONV2.0 - 1) + CONV2.1 * (CONV3.0 - 1));
const PARTS: Parts = Parts {
    norms: &["input_layernorm", "post_attention_layernorm"],
    out: "o_proj",
    products: "mlp.fc",
    shifted: false,
};

/// The encoder.
pub(super) struct Encoder {
    shape: Shape,
    conv1: Linear,
    group_scale: Tensor,
    group_shift: Tensor,
    conv2: Linear,
    conv3: Linear,
    layers: Vec<EncoderLayer>,
    norm: Norm,
}

impl Encoder {
    pub(super) fn open(weights: &Weights, shape: Shape) -> std::result::Result<Self, WeightsError> {
        let width = shape.width;
        let at = |name: &str| format!("model.encoder.{name}");
        let heads = Heads { count: HEADS, width };
        let layer = |n: usize| EncoderLayer::open(weights, &at(&format!("layers.{n}")), PARTS, heads);
        Ok(Self {
            shape,
            conv1: Linear::convolution(weights, &at("conv1"), (1, width, CONV1.0), false)?,
            group_scale: weights.get(&at("groupnorm.weight"), &[width])?,
            group_shift: weights.get(&at("groupnorm.bias"), &[width])?,
            conv2: Linear::convolution(weights, &at("conv2"), (width, 2 * width, CONV2.0), true)?,
            conv3: Linear::convolution(weights, &at("conv3"), (2 * width, width, CONV3.0), true)?,
            layers: (0..shape.encoder_layers).map(layer).collect::<std::result::Result<_, _>>()?,
            norm: Norm::open(weights, &at("layer_norm"), width, PARTS.shifted)?,
        })
    }

    /// Rows that come of so many samples.
    pub(super) fn rows(samples: usize) -> usize {
        samples.checked_sub(WINDOW).map_or(0, |rest| rest / HOP + 1)
    }

    /// `[rows, width]` of 16 kHz sound that is long enough for a row; `goes_on` is asked between layers.
    pub(super) fn forward(&self, pcm: &[f32], goes_on: &dyn Fn() -> bool) -> Result<Option<Tensor>> {
        let x = self.conv1.forward(&windows(pcm, 1, CONV1, &Device::Cpu)?)?.tanh()?;
        let x = self.group_norm(&x)?;
        let x = self.convolve(&self.conv2, &x, CONV2)?;
        let mut x = self.convolve(&self.conv3, &x, CONV3)?;
        let (cos, sin) = rotary(self.shape, 0, x.dim(0)?)?;
        for layer in &self.layers {
            if !goes_on() {
                return Ok(None);
            }
            x = layer.forward(&x, Some((&cos, &sin)))?;
        }
        self.norm.forward(&x).map(Some)
    }

    fn convolve(&self, conv: &Linear, x: &Tensor, taps: (usize, usize)) -> Result<Tensor> {
        let channels = x.dim(1)?;
        conv.forward(&windows(&x.flatten_all()?.to_vec1::<f32>()?, channels, taps, &Device::Cpu)?)?.gelu_erf()
    }

    /// One group: over all channels and the whole of the sound.
    fn group_norm(&self, x: &Tensor) -> Result<Tensor> {
        let mean = x.mean_all()?;
        let x = x.broadcast_sub(&mean)?;
        let deviation = (x.sqr()?.mean_all()? + f64::from(EPSILON))?.sqrt()?;
        x.broadcast_div(&deviation)?.broadcast_mul(&self.group_scale)?.broadcast_add(&self.group_shift)
    }
}
