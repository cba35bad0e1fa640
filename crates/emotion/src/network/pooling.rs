//! From frames to answers: attentive pooling (Okabe et al. 2018) and the heads.

use candle_core::{Result, Tensor};
use candle_nn::ops;

use super::{Dropout, Manner, Network, Outputs};

/// Added to a pooled variance before its root, which has no slope at zero.
const SPREAD_FLOOR: f64 = 1e-5;

impl Network {
    /// Pools each row's window of frames and reads the heads, differentiably. `frames` is `[batch, window, frame]`,
    /// `mask` `[batch, window]` with 1 where a frame is there and 0 where the window is padded.
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn pool(
        &self,
        frames: &Tensor,
        mask: &Tensor,
        manner: Option<&Manner>,
        dropout: Option<&mut Dropout<'_>>,
    ) -> Result<Outputs> {
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
        self.conclude(&pooled, manner, dropout)
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

    /// Reads the heads from pooled windows, `[batch, 2 * channels]`: each by itself, and beside its caller's own manner
    /// where that is known and the network hears it.
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn conclude(
        &self,
        pooled: &Tensor,
        manner: Option<&Manner>,
        mut dropout: Option<&mut Dropout<'_>>,
    ) -> Result<Outputs> {
        let training = dropout.is_some();
        let mut dropped = |x: Tensor| match &mut dropout {
            Some(dropout) => dropout.apply(&x),
            None => Ok(x),
        };
        let x = self.head_norm.forward(pooled, training)?;
        let music = self.head_music.as_ref().map(|head| head.forward(&x)).transpose()?;
        let x = dropped(x)?;
        let mut x = self.head_hidden.forward(&x)?;
        if let (Some(layer), Some(manner)) = (&self.head_caller, manner) {
            let apart = dropped((pooled - &manner.own)?)?;
            x = (x + layer.forward(&apart)?.broadcast_mul(&manner.known)?)?;
        }
        let x = dropped(x.relu()?)?;
        let (logits, affect) = (self.head_class.forward(&x)?, self.head_affect.forward(&x)?);
        Ok(Outputs { logits, affect, hidden: x, music })
    }

    /// Pooled windows as the heads see them, `[batch, 2 * channels]`: each of zero mean and unit deviation.
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub(crate) fn levelled(&self, pooled: &Tensor) -> Result<Tensor> {
        self.head_norm.forward(pooled, false)
    }
}
