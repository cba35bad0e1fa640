//! The first half of Whisper (Radford et al. 2022): mel frames to a row of values every 20 ms.
//!
//! The publisher's own program always gives it thirty seconds, silence behind. Here it gets the sound and
//! [`SILENCE`](super::SILENCE) behind it: its positions are absolute, so the first rows are the same whatever follows.

use candle_core::{D, Device, Result, Tensor};
use candle_nn::ops;

use super::mel::{BANDS, mel};
use super::shape::Shape;
use crate::recognise::encoder::{Linear, windows};
use crate::recognise::weights::{Weights, WeightsError};

type Opened<T> = std::result::Result<T, WeightsError>;

const EPSILON: f32 = 1e-5;
/// Frames that a convolution sees, and how far each of the two moves on.
const TAPS: usize = 3;
const STRIDES: (usize, usize) = (1, 2);

/// A norm with a shift.
struct Norm {
    scale: Tensor,
    shift: Tensor,
}

impl Norm {
    fn open(weights: &Weights, name: &str, width: usize) -> Opened<Self> {
        let get = |part: &str| weights.get(&format!("{name}.{part}"), &[width]);
        Ok(Self { scale: get("weight")?, shift: get("bias")? })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
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
    conv2: Linear,
    positions: Tensor,
    layers: Vec<Layer>,
    norm: Norm,
}

impl Encoder {
    pub(super) fn open(weights: &Weights, shape: Shape) -> Opened<Self> {
        let width = shape.width;
        let at = |name: &str| format!("model.encoder.{name}");
        let layer = |n: usize| {
            let at = |name: &str| format!("model.encoder.layers.{n}.{name}");
            let square = |name: &str, bias| Linear::open(weights, &at(name), (width, width), bias);
            Ok(Layer {
                norm1: Norm::open(weights, &at("self_attn_layer_norm"), width)?,
                query: square("self_attn.q_proj", true)?,
                key: square("self_attn.k_proj", false)?,
                value: square("self_attn.v_proj", true)?,
                out: square("self_attn.out_proj", true)?,
                norm2: Norm::open(weights, &at("final_layer_norm"), width)?,
                fc1: Linear::open(weights, &at("fc1"), (width, 4 * width), true)?,
                fc2: Linear::open(weights, &at("fc2"), (4 * width, width), true)?,
            })
        };
        Ok(Self {
            shape,
            conv1: Linear::convolution(weights, &at("conv1"), (BANDS, width, TAPS), true)?,
            conv2: Linear::convolution(weights, &at("conv2"), (width, width, TAPS), true)?,
            positions: weights.get(&at("embed_positions.weight"), &[shape.rows, width])?,
            layers: (0..shape.encoder_layers).map(layer).collect::<Opened<_>>()?,
            norm: Norm::open(weights, &at("layer_norm"), width)?,
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
            x = (&x + layer.attend(&layer.norm1.forward(&x)?, self.shape)?)?;
            let y = layer.fc1.forward(&layer.norm2.forward(&x)?)?.gelu_erf()?;
            x = (x + layer.fc2.forward(&y)?)?;
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

impl Layer {
    fn attend(&self, x: &Tensor, shape: Shape) -> Result<Tensor> {
        let (length, width) = x.dims2()?;
        let size = shape.heads.size();
        let heads =
            |x: Tensor| x.reshape((1, length, shape.heads.count, size))?.transpose(1, 2)?.contiguous();
        let query = heads(self.query.forward(x)?)?;
        let key = heads(self.key.forward(x)?)?;
        let value = heads(self.value.forward(x)?)?;
        let scores = (query.matmul(&key.t()?)? * (size as f64).powf(-0.5))?;
        let y = ops::softmax(&scores, D::Minus1)?.matmul(&value)?;
        self.out.forward(&y.transpose(1, 2)?.reshape((length, width))?)
    }
}
