//! A network's shape: what tensors it has, and how they start out in training.

use candle_core::{Device, Result, Tensor};
use serde::{Deserialize, Serialize};

use super::{STEPS_PER_FRAME, TAPS};
use crate::{class::CLASSES, rng::Rng};

/// Shape of a network. Stored in each model file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// Values in a step.
    pub inputs: usize,
    /// Channels at 40 steps a second.
    pub stem: usize,
    /// Channels at 20 frames a second.
    pub channels: usize,
    /// Dilation of each residual block, in frames.
    pub dilations: Vec<usize>,
    /// Attention heads; a divisor of `channels`.
    pub heads: usize,
    /// Width of the attention's and the head's hidden layers.
    pub hidden: usize,
    /// Whether the heads hear a window beside the caller's own manner as well: see [`super::Manner`]. Files of earlier
    /// versions don't.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub caller: bool,
    /// Whether a head of its own says that a window is of no voice: music, tones, noise, a crowd. Files of earlier
    /// versions have none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub music: bool,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            inputs: 112,
            stem: 128,
            channels: 160,
            dilations: vec![1, 2, 4, 1, 2, 4],
            heads: 4,
            hidden: 96,
            caller: false,
            music: false,
        }
    }
}

/// Why a shape makes no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// Inputs, stem, channels, heads or hidden.
    #[error("a size is 0 or beyond 4096: {0:?}")]
    Size([usize; 5]),
    /// None, too many, or one out of range.
    #[error("dilations out of range: {0:?}")]
    Dilations(Vec<usize>),
    /// Each head has as many channels as any other.
    #[error("{heads} heads do not divide {channels} channels")]
    Heads {
        /// Attention heads.
        heads: usize,
        /// Channels of a frame.
        channels: usize,
    },
}

/// How a tensor starts out in training.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Init {
    Zeros,
    Ones,
    /// Normal with this deviation.
    Normal(f32),
}

impl NetworkConfig {
    /// Whether the sizes make a network.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn check(&self) -> std::result::Result<(), ShapeError> {
        let sizes = [self.inputs, self.stem, self.channels, self.heads, self.hidden];
        if sizes.iter().any(|n| *n == 0 || *n > 4096) {
            return Err(ShapeError::Size(sizes));
        }
        if self.dilations.is_empty()
            || self.dilations.len() > 64
            || self.dilations.iter().any(|d| *d == 0 || *d > 64)
        {
            return Err(ShapeError::Dilations(self.dilations.clone()));
        }
        if !self.channels.is_multiple_of(self.heads) {
            return Err(ShapeError::Heads { heads: self.heads, channels: self.channels });
        }
        Ok(())
    }

    /// Name, shape and first value of every tensor, in a fixed order.
    fn tensors(&self) -> Vec<(String, Vec<usize>, Init)> {
        let mut all = Vec::new();
        let mut linear = |name: &str, from: usize, to: usize, gain: f32| {
            all.push((format!("{name}.weight"), vec![from, to], Init::Normal(gain / (from as f32).sqrt())));
            all.push((format!("{name}.bias"), vec![to], Init::Zeros));
        };
        let relu = std::f32::consts::SQRT_2;
        linear("stem", TAPS * self.inputs, self.stem, relu);
        linear("down", 2 * STEPS_PER_FRAME * self.stem, self.channels, 1.0);
        for block in 0..self.dilations.len() {
            linear(&format!("block{block}.conv"), TAPS * self.channels, self.channels, relu);
            // Blocks start near the identity, or a deep stack of them learns slowly at first.
            linear(&format!("block{block}.mix"), self.channels, self.channels, 0.3);
        }
        linear("attention.hidden", self.channels, self.hidden, relu);
        linear("attention.score", self.hidden, self.heads, 0.3);
        linear("head.hidden", 2 * self.channels, self.hidden, relu);
        linear("head.class", self.hidden, CLASSES, 0.3);
        linear("head.affect", self.hidden, 3, 0.3);
        if self.caller {
            // From nothing: a network that goes on from one without it answers at first as that did.
            linear("head.caller", 2 * self.channels, self.hidden, 0.0);
        }
        if self.music {
            linear("head.music", 2 * self.channels, 1, 0.0);
        }
        let mut norm = |name: &str, size: usize| {
            all.push((format!("{name}.scale"), vec![size], Init::Ones));
            all.push((format!("{name}.shift"), vec![size], Init::Zeros));
        };
        norm("stem.norm", self.stem);
        for block in 0..self.dilations.len() {
            norm(&format!("block{block}.norm"), self.channels);
        }
        norm("final.norm", self.channels);
        norm("head.norm", 2 * self.channels);
        // Fixed affine map of the inputs to about zero mean and unit variance, measured on the training clips.
        all.push(("input.shift".into(), vec![self.inputs], Init::Zeros));
        all.push(("input.scale".into(), vec![self.inputs], Init::Ones));
        all
    }

    /// Names and shapes of the tensors that a file of this network must hold.
    pub fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        self.tensors().into_iter().map(|(name, shape, _)| (name, shape)).collect()
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        self.shapes().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }

    /// First values for training.
    ///
    /// # Errors
    /// Only if the device fails.
    pub fn initial(&self, rng: &mut Rng, device: &Device) -> Result<Vec<(String, Tensor)>> {
        self.tensors()
            .into_iter()
            .map(|(name, shape, init)| {
                let count = shape.iter().product();
                let values: Vec<f32> = (0..count)
                    .map(|_| match init {
                        Init::Zeros => 0.0,
                        Init::Ones => 1.0,
                        Init::Normal(deviation) => deviation * rng.normal(),
                    })
                    .collect();
                Ok((name, Tensor::from_vec(values, shape, device)?))
            })
            .collect()
    }

    /// Context carried by each convolution in turn: steps or frames, and channels.
    pub(super) fn contexts(&self) -> Vec<(usize, usize)> {
        let mut contexts = vec![(TAPS - 1, self.inputs), (1, STEPS_PER_FRAME * self.stem)];
        contexts.extend(self.dilations.iter().map(|dilation| ((TAPS - 1) * dilation, self.channels)));
        contexts
    }

    /// Values in one frame as the encoder gives it: its channels, then the attention's scores.
    pub fn frame(&self) -> usize {
        self.channels + self.heads
    }
}
