//! Products of many rows at once, by Candle: what encoders are made of.

use candle_core::{Device, Result, Tensor};
use candle_nn::ops;

use super::weights::{Weights, WeightsError};

type Opened<T> = std::result::Result<T, WeightsError>;

/// What is added to a variance before its root is taken, in every norm of Moonshine and Whisper.
pub(super) const EPSILON: f32 = 1e-5;

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
    ) -> Opened<Self> {
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
    ) -> Opened<Self> {
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

/// A norm over each row.
pub(super) struct Norm {
    scale: Tensor,
    shift: Tensor,
}

impl Norm {
    /// `shifted` is whether the network has a shift for it.
    pub(super) fn open(weights: &Weights, name: &str, width: usize, shifted: bool) -> Opened<Self> {
        let scale = weights.get(&format!("{name}.weight"), &[width])?;
        let shift = if shifted {
            weights.get(&format!("{name}.bias"), &[width])?
        } else {
            scale.zeros_like().map_err(WeightsError::File)?
        };
        Ok(Self { scale, shift })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::layer_norm(x, &self.scale, &self.shift, EPSILON)
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
