//! From frames to answers: attentive pooling (Okabe et al. 2018) and the heads.

use candle_core::{Result, Tensor};
use candle_nn::ops;

use super::{Dropout, Network, Outputs};

/// Added to a pooled variance before its root, which has no slope at zero.
const SPREAD_FLOOR: f64 = 1e-5;

impl Network {
    /// Pools each row's window of frames and reads the heads, differentiably. `frames` is `[batch, window, frame]`,
    /// `mask` `[batch, window]` with 1 where a frame is there and 0 where the window is padded.
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn pool(&self, frames: &Tensor, mask: &Tensor, dropout: Option<&mut Dropout<'_>>) -> Result<Outputs> {
        let (batch, window, _) = frames.dims3()?;
        let (channels, heads) = (self.config.channels, self.config.heads);
        let x = frames.narrow(2, 0, channels)?.reshape((batch, window, heads, channels / heads))?;
        let scores = frames.narrow(2, channels, heads)?;
        let absent = ((mask - 1.0)? * 1e4)?.unsqueeze(2)?;
        let weights = ops::softmax(&scores.broadcast_add(&absent)?, 1)?.unsqueeze(3)?;
        let mean = x.broadcast_mul(&weights)?.sum_keepdim(1)?;
        let spread = x.broadcast_sub(&mean)?.sqr()?.broadcast_mul(&weights)?.sum_keepdim(1)?;
        let deviation = (spread + SPREAD_FLOOR)?.sqrt()?;
        let pooled =
            Tensor::cat(&[mean.reshape((batch, channels))?, deviation.reshape((batch, channels))?], 1)?;
        self.conclude(&pooled, dropout)
    }

    /// The same pooling of one window, frame by frame, for use: values by channel, means before deviations. A few
    /// thousand multiplications in plain loops are a tenth of what the tensor form costs.
    pub fn pooled<'f>(&self, frames: impl Iterator<Item = &'f [f32]> + Clone) -> Vec<f32> {
        let (channels, heads) = (self.config.channels, self.config.heads);
        let width = channels / heads;
        let split = |frame: &'f [f32]| frame.split_at_checked(channels).unwrap_or_default();
        let mut largest = vec![f32::NEG_INFINITY; heads];
        for (_, scores) in frames.clone().map(split) {
            largest.iter_mut().zip(scores).for_each(|(most, score)| *most = most.max(*score));
        }
        let mut totals = vec![0.0f32; heads];
        let mut means = vec![0.0f32; channels];
        let mut squares = vec![0.0f32; channels];
        for (values, scores) in frames.map(split) {
            for (head, ((score, most), total)) in scores.iter().zip(&largest).zip(&mut totals).enumerate() {
                let weight = (score - most).exp();
                *total += weight;
                let range = head * width..(head + 1) * width;
                let (Some(x), Some(mean), Some(square)) =
                    (values.get(range.clone()), means.get_mut(range.clone()), squares.get_mut(range))
                else {
                    continue;
                };
                for ((x, mean), square) in x.iter().zip(mean).zip(square) {
                    *mean += weight * x;
                    *square += weight * x * x;
                }
            }
        }
        for ((mean, square), total) in means.chunks_mut(width).zip(squares.chunks_mut(width)).zip(&totals) {
            for (mean, square) in mean.iter_mut().zip(square) {
                *mean /= total;
                *square = ((*square / total - *mean * *mean).max(0.0) + SPREAD_FLOOR as f32).sqrt();
            }
        }
        means.extend(squares);
        means
    }

    /// Reads the heads from pooled windows, `[batch, 2 * channels]`.
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn conclude(&self, pooled: &Tensor, dropout: Option<&mut Dropout<'_>>) -> Result<Outputs> {
        let x = self.head_norm.forward(pooled, dropout.is_some())?;
        let x = match dropout {
            Some(dropout) => {
                let x = dropout.apply(&x)?;
                dropout.apply(&self.head_hidden.forward(&x)?.relu()?)?
            }
            None => self.head_hidden.forward(&x)?.relu()?,
        };
        Ok(Outputs { logits: self.head_class.forward(&x)?, affect: self.head_affect.forward(&x)?, hidden: x })
    }
}
