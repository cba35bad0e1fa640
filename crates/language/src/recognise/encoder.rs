//! The first half of Moonshine (Jeffries et al. 2024, arXiv 2410.15608): sound to a row of values every 24 ms.
//!
//! ```text
//! 16 kHz --conv 127/64, tanh, group norm--> 250/s --conv 7/3, GELU--> 83/s --conv 3/2, GELU--> 41.7/s
//!        --layers: attention with rotary positions, then GELU--> norm
//! ```
//! Everything is kept as `[time, channels]`: a convolution's windows are then slices, and it is one matrix product.

use candle_core::{D, Device, Result, Tensor};
use candle_nn::{ops, rotary_emb::rope_i};

use super::{
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
const EPSILON: f32 = 1e-5;

/// A product with a matrix `[inputs, outputs]`, and a bias.
pub(super) struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    pub(super) fn open(
        weights: &Weights,
        name: &str,
        (from, to): (usize, usize),
        bias: bool,
    ) -> std::result::Result<Self, WeightsError> {
        let weight = weights.get(&format!("{name}.weight"), &[to, from])?;
        let weight = weight.t().and_then(|it| it.contiguous()).map_err(WeightsError::File)?;
        let bias = bias.then(|| weights.get(&format!("{name}.bias"), &[to])).transpose()?;
        Ok(Self { weight, bias })
    }

    /// A convolution as a product with its windows: `[outputs, inputs, taps]` becomes `[taps * inputs, outputs]`.
    pub(super) fn convolution(
        weights: &Weights,
        name: &str,
        (from, to, taps): (usize, usize, usize),
        bias: bool,
    ) -> std::result::Result<Self, WeightsError> {
        let weight = weights.get(&format!("{name}.weight"), &[to, from, taps])?;
        let turned = weight.permute((2, 1, 0)).and_then(|it| it.reshape((taps * from, to)));
        let weight = turned.and_then(|it| it.contiguous()).map_err(WeightsError::File)?;
        let bias = bias.then(|| weights.get(&format!("{name}.bias"), &[to])).transpose()?;
        Ok(Self { weight, bias })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = x.matmul(&self.weight)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}

/// A norm without a shift.
pub(super) struct Norm {
    scale: Tensor,
    shift: Tensor,
}

impl Norm {
    pub(super) fn open(
        weights: &Weights,
        name: &str,
        width: usize,
    ) -> std::result::Result<Self, WeightsError> {
        let scale = weights.get(&format!("{name}.weight"), &[width])?;
        let shift = scale.zeros_like().map_err(WeightsError::File)?;
        Ok(Self { scale, shift })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::layer_norm(x, &self.scale, &self.shift, EPSILON)
    }
}

struct Layer {
    norm1: Norm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    norm2: Norm,
    fc1: Linear,
    fc2: Linear,
}

/// The encoder.
pub(super) struct Encoder {
    shape: Shape,
    conv1: Linear,
    group_scale: Tensor,
    group_shift: Tensor,
    conv2: Linear,
    conv3: Linear,
    layers: Vec<Layer>,
    norm: Norm,
}

impl Encoder {
    pub(super) fn open(weights: &Weights, shape: Shape) -> std::result::Result<Self, WeightsError> {
        let width = shape.width;
        let at = |name: &str| format!("model.encoder.{name}");
        let layer = |n: usize| {
            let at = |name: &str| format!("model.encoder.layers.{n}.{name}");
            let square = |name: &str| Linear::open(weights, &at(name), (width, width), false);
            Ok(Layer {
                norm1: Norm::open(weights, &at("input_layernorm"), width)?,
                query: square("self_attn.q_proj")?,
                key: square("self_attn.k_proj")?,
                value: square("self_attn.v_proj")?,
                out: square("self_attn.o_proj")?,
                norm2: Norm::open(weights, &at("post_attention_layernorm"), width)?,
                fc1: Linear::open(weights, &at("mlp.fc1"), (width, 4 * width), true)?,
                fc2: Linear::open(weights, &at("mlp.fc2"), (4 * width, width), true)?,
            })
        };
        Ok(Self {
            shape,
            conv1: Linear::convolution(weights, &at("conv1"), (1, width, CONV1.0), false)?,
            group_scale: weights.get(&at("groupnorm.weight"), &[width])?,
            group_shift: weights.get(&at("groupnorm.bias"), &[width])?,
            conv2: Linear::convolution(weights, &at("conv2"), (width, 2 * width, CONV2.0), true)?,
            conv3: Linear::convolution(weights, &at("conv3"), (2 * width, width, CONV3.0), true)?,
            layers: (0..shape.encoder_layers).map(layer).collect::<std::result::Result<_, _>>()?,
            norm: Norm::open(weights, &at("layer_norm"), width)?,
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
            x = (&x + layer.attend(&layer.norm1.forward(&x)?, self.shape, (&cos, &sin))?)?;
            let y = layer.fc1.forward(&layer.norm2.forward(&x)?)?.gelu_erf()?;
            x = (x + layer.fc2.forward(&y)?)?;
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

/// `[windows, taps * channels]` of rows of `channels` values.
pub(super) fn windows(
    rows: &[f32],
    channels: usize,
    (taps, stride): (usize, usize),
    device: &Device,
) -> Result<Tensor> {
    let mut all = Vec::with_capacity(rows.len() * taps / stride);
    for window in rows.windows(taps * channels).step_by(stride * channels) {
        all.extend_from_slice(window);
    }
    let count = all.len() / (taps * channels);
    Tensor::from_vec(all, (count, taps * channels), device)
}

impl Layer {
    fn attend(&self, x: &Tensor, shape: Shape, (cos, sin): (&Tensor, &Tensor)) -> Result<Tensor> {
        let (length, width) = x.dims2()?;
        let heads = |x: Tensor| x.reshape((1, length, HEADS, shape.head()))?.transpose(1, 2)?.contiguous();
        let query = rope_i(&heads(self.query.forward(x)?)?, cos, sin)?;
        let key = rope_i(&heads(self.key.forward(x)?)?, cos, sin)?;
        let value = heads(self.value.forward(x)?)?;
        let scores = (query.matmul(&key.t()?)? * (shape.head() as f64).powf(-0.5))?;
        let y = ops::softmax(&scores, D::Minus1)?.matmul(&value)?;
        self.out.forward(&y.transpose(1, 2)?.reshape((length, width))?)
    }
}
