//! The network: a causal, dilated 1-D convolutional encoder with carried state, then attentive pooling.
//!
//! ```text
//! steps, 40/s --stem--> 40/s --pairs--> 20/s --residual blocks, dilated--> frames, 20/s --+
//!                                                                                         v
//!          classes, valence, arousal, distress <--head-- mean and deviation <--attention over the trailing window
//! ```
//! Each convolution is written as a concatenation of shifted views and one matrix product: that is what a CPU is good
//! at, it differentiates cheaply, and the very same lines run over a whole clip in training and over half a second
//! with carried context in a call. Every step of speech passes the encoder once.

use std::collections::HashMap;

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::ops;
use serde::{Deserialize, Serialize};

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
        }
    }
}

/// Taps of the stem's and the blocks' convolutions.
const TAPS: usize = 3;
/// Steps that make one frame.
pub const STEPS_PER_FRAME: usize = 2;

/// Added to a pooled variance before its root, which has no slope at zero.
const SPREAD_FLOOR: f64 = 1e-5;

/// How a tensor starts out in training.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Init {
    Zeros,
    Ones,
    /// Normal with this deviation.
    Normal(f32),
}

impl NetworkConfig {
    /// Whether the sizes make a network; a reason if not.
    pub fn check(&self) -> std::result::Result<(), String> {
        let sizes = [self.inputs, self.stem, self.channels, self.heads, self.hidden];
        if sizes.iter().any(|n| *n == 0 || *n > 4096) {
            return Err(format!("a size is 0 or beyond 4096: {sizes:?}"));
        }
        if self.dilations.is_empty()
            || self.dilations.len() > 64
            || self.dilations.iter().any(|d| *d == 0 || *d > 64)
        {
            return Err(format!("dilations out of range: {:?}", self.dilations));
        }
        if !self.channels.is_multiple_of(self.heads) {
            return Err(format!("{} heads do not divide {} channels", self.heads, self.channels));
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
    fn contexts(&self) -> Vec<(usize, usize)> {
        let mut contexts = vec![(TAPS - 1, self.inputs), (1, STEPS_PER_FRAME * self.stem)];
        contexts.extend(self.dilations.iter().map(|dilation| ((TAPS - 1) * dilation, self.channels)));
        contexts
    }

    /// Values in one frame as the encoder gives it: its channels, then the attention's scores.
    pub fn frame(&self) -> usize {
        self.channels + self.heads
    }
}

/// What the encoder carries from one chunk of a call to the next: the last inputs of each convolution.
#[derive(Debug, Clone, PartialEq)]
pub struct State(Vec<Vec<f32>>);

/// Random zeroing in training; none in use.
#[derive(Debug)]
pub struct Dropout<'a> {
    /// Where the zeros come from.
    pub rng: &'a mut Rng,
    /// Their share.
    pub rate: f32,
}

impl Dropout<'_> {
    fn apply(&mut self, x: &Tensor) -> Result<Tensor> {
        if self.rate <= 0.0 {
            return Ok(x.clone());
        }
        let keep = 1.0 / (1.0 - self.rate);
        let mask: Vec<f32> =
            (0..x.elem_count()).map(|_| if self.rng.chance(self.rate) { 0.0 } else { keep }).collect();
        x.mul(&Tensor::from_vec(mask, x.shape(), x.device())?)
    }
}

/// Raw outputs for a batch of windows.
#[derive(Debug, Clone)]
pub struct Outputs {
    /// `[batch, classes]`, before softmax.
    pub logits: Tensor,
    /// `[batch, 3]`: valence and arousal before tanh, distress before the logistic function.
    pub affect: Tensor,
    /// `[batch, hidden]`: what the heads read.
    pub hidden: Tensor,
}

struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// `[.., from]` to `[.., to]` as one matrix product.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut shape = x.dims().to_vec();
        let (from, to) = self.weight.dims2()?;
        let rows = x.elem_count() / from;
        let y = x.reshape((rows, from))?.matmul(&self.weight)?.broadcast_add(&self.bias)?;
        if let Some(last) = shape.last_mut() {
            *last = to;
        }
        y.reshape(shape)
    }
}

struct Norm {
    scale: Tensor,
    shift: Tensor,
}

impl Norm {
    fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor> {
        if training {
            // The fused form does not differentiate.
            ops::layer_norm_slow(x, &self.scale, &self.shift, 1e-5)
        } else {
            ops::layer_norm(&x.contiguous()?, &self.scale, &self.shift, 1e-5)
        }
    }
}

struct Block {
    norm: Norm,
    conv: Linear,
    mix: Linear,
    dilation: usize,
}

/// The network with its weights; cheap to share, and the same for training and use.
pub struct Network {
    config: NetworkConfig,
    shift: Tensor,
    scale: Tensor,
    stem: Linear,
    stem_norm: Norm,
    down: Linear,
    blocks: Vec<Block>,
    final_norm: Norm,
    attention_hidden: Linear,
    attention_score: Linear,
    head_norm: Norm,
    head_hidden: Linear,
    head_class: Linear,
    head_affect: Linear,
    device: Device,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Network {
    /// A network over `tensors`, which are shared, not copied: training updates them in place.
    ///
    /// # Errors
    /// A tensor is missing or has another shape.
    pub fn new(config: NetworkConfig, tensors: &HashMap<String, Tensor>, device: &Device) -> Result<Self> {
        for (name, shape) in config.shapes() {
            match tensors.get(&name) {
                None => candle_core::bail!("tensor {name} is missing"),
                Some(tensor) if tensor.dims() != shape => {
                    candle_core::bail!("tensor {name} has shape {:?}, not {shape:?}", tensor.dims())
                }
                Some(_) => {}
            }
        }
        let get = |name: &str| match tensors.get(name) {
            Some(tensor) => Ok(tensor.clone()),
            None => candle_core::bail!("tensor {name} is missing"),
        };
        let linear = |name: &str| {
            Ok::<_, candle_core::Error>(Linear {
                weight: get(&format!("{name}.weight"))?,
                bias: get(&format!("{name}.bias"))?,
            })
        };
        let norm = |name: &str| {
            Ok::<_, candle_core::Error>(Norm {
                scale: get(&format!("{name}.scale"))?,
                shift: get(&format!("{name}.shift"))?,
            })
        };
        let blocks = config
            .dilations
            .iter()
            .enumerate()
            .map(|(n, &dilation)| {
                Ok(Block {
                    norm: norm(&format!("block{n}.norm"))?,
                    conv: linear(&format!("block{n}.conv"))?,
                    mix: linear(&format!("block{n}.mix"))?,
                    dilation,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            shift: get("input.shift")?,
            scale: get("input.scale")?,
            stem: linear("stem")?,
            stem_norm: norm("stem.norm")?,
            down: linear("down")?,
            blocks,
            final_norm: norm("final.norm")?,
            attention_hidden: linear("attention.hidden")?,
            attention_score: linear("attention.score")?,
            head_norm: norm("head.norm")?,
            head_hidden: linear("head.hidden")?,
            head_class: linear("head.class")?,
            head_affect: linear("head.affect")?,
            device: device.clone(),
            config,
        })
    }

    /// Its shape.
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// The device that its tensors are on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The state at the beginning of a call: nothing was heard.
    pub fn fresh_state(&self) -> State {
        State(
            self.config
                .contexts()
                .into_iter()
                .map(|(length, channels)| vec![0.0; length * channels])
                .collect(),
        )
    }

    /// Encodes a chunk of a batch of calls in use: `steps` is `[batch, steps, inputs]` with an even number of steps,
    /// `states` one a row, which move on. Returns `[batch, steps / 2, frame]`.
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn encode(&self, steps: &Tensor, states: &mut [&mut State]) -> Result<Tensor> {
        let mut carried = Vec::new();
        for (layer, (length, channels)) in self.config.contexts().into_iter().enumerate() {
            let mut values = Vec::with_capacity(states.len() * length * channels);
            for state in states.iter() {
                match state.0.get(layer) {
                    Some(context) if context.len() == length * channels => values.extend_from_slice(context),
                    _ => candle_core::bail!("a state belongs to another network"),
                }
            }
            carried.push(Tensor::from_vec(values, (states.len(), length, channels), &self.device)?);
        }
        let mut moved = Vec::with_capacity(carried.len());
        let frames = self.run(steps, &carried, &mut moved, None)?;
        for (layer, context) in moved.into_iter().enumerate() {
            let rows = context.flatten_from(1)?.to_vec2::<f32>()?;
            for (state, row) in states.iter_mut().zip(rows) {
                if let Some(slot) = state.0.get_mut(layer) {
                    *slot = row;
                }
            }
        }
        Ok(frames)
    }

    /// Encodes whole clips from a fresh state, differentiably.
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn encode_training(&self, steps: &Tensor, dropout: &mut Dropout<'_>) -> Result<Tensor> {
        let batch = steps.dim(0)?;
        let carried = self
            .config
            .contexts()
            .into_iter()
            .map(|(length, channels)| Tensor::zeros((batch, length, channels), DType::F32, &self.device))
            .collect::<Result<Vec<_>>>()?;
        self.run(steps, &carried, &mut Vec::new(), Some(dropout))
    }

    fn run(
        &self,
        steps: &Tensor,
        carried: &[Tensor],
        moved: &mut Vec<Tensor>,
        mut dropout: Option<&mut Dropout<'_>>,
    ) -> Result<Tensor> {
        let training = dropout.is_some();
        let (batch, length, _) = steps.dims3()?;
        let mut carried = carried.iter();
        let mut context = || match carried.next() {
            Some(context) => Ok(context),
            None => candle_core::bail!("a context is missing"),
        };

        let x = steps.broadcast_add(&self.shift)?.broadcast_mul(&self.scale)?;
        let x = convolve(&x, context()?, &self.stem, TAPS, 1, moved)?;
        let x = self.stem_norm.forward(&x.relu()?, training)?;
        let x = x.reshape((batch, length / STEPS_PER_FRAME, STEPS_PER_FRAME * self.config.stem))?;
        let mut x = convolve(&x, context()?, &self.down, 2, 1, moved)?;
        for block in &self.blocks {
            let y = block.norm.forward(&x, training)?;
            let y = convolve(&y, context()?, &block.conv, TAPS, block.dilation, moved)?.relu()?;
            let y = match dropout.as_deref_mut() {
                Some(dropout) => dropout.apply(&y)?,
                None => y,
            };
            x = (x + block.mix.forward(&y)?)?;
        }
        let x = self.final_norm.forward(&x, training)?;
        let scores = self.attention_score.forward(&self.attention_hidden.forward(&x)?.relu()?)?;
        Tensor::cat(&[&x, &scores], D::Minus1)
    }

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

/// A causal convolution over `[batch, length, channels]`, whose earlier inputs are `context`; what the next chunk needs
/// is put into `moved`.
fn convolve(
    x: &Tensor,
    context: &Tensor,
    kernel: &Linear,
    taps: usize,
    dilation: usize,
    moved: &mut Vec<Tensor>,
) -> Result<Tensor> {
    let length = x.dim(1)?;
    let padded = Tensor::cat(&[context, x], 1)?;
    moved.push(padded.narrow(1, length, padded.dim(1)? - length)?);
    // Made contiguous one by one: a concatenation of strided views would go element by element.
    let shifted = (0..taps)
        .map(|tap| padded.narrow(1, tap * dilation, length)?.contiguous())
        .collect::<Result<Vec<_>>>()?;
    kernel.forward(&Tensor::cat(&shifted, 2)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> Network {
        let config =
            NetworkConfig { inputs: 6, stem: 8, channels: 12, dilations: vec![1, 2], heads: 3, hidden: 5 };
        config.check().unwrap();
        let tensors = config.initial(&mut Rng::new(1), &Device::Cpu).unwrap().into_iter().collect();
        Network::new(config, &tensors, &Device::Cpu).unwrap()
    }

    fn noise(shape: (usize, usize, usize), seed: u64) -> Tensor {
        let mut rng = Rng::new(seed);
        let values: Vec<f32> = (0..shape.0 * shape.1 * shape.2).map(|_| rng.normal()).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
        (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
    }

    #[test]
    fn chunks_with_carried_state_equal_the_whole() {
        let network = network();
        let steps = noise((1, 24, 6), 2);
        let mut state = network.fresh_state();
        let whole = network.encode(&steps, &mut [&mut state.clone()]).unwrap();
        let mut pieces = Vec::new();
        for (from, length) in [(0, 4), (4, 2), (6, 10), (16, 8)] {
            pieces.push(network.encode(&steps.narrow(1, from, length).unwrap(), &mut [&mut state]).unwrap());
        }
        assert!(largest_difference(&whole, &Tensor::cat(&pieces, 1).unwrap()) < 1e-5);
    }

    #[test]
    fn training_and_use_compute_the_same() {
        let network = network();
        let steps = noise((3, 10, 6), 4);
        let mut states = [network.fresh_state(), network.fresh_state(), network.fresh_state()];
        let [a, b, c] = &mut states;
        let used = network.encode(&steps, &mut [a, b, c]).unwrap();
        let mut rng = Rng::new(0);
        let trained = network.encode_training(&steps, &mut Dropout { rng: &mut rng, rate: 0.0 }).unwrap();
        assert!(largest_difference(&used, &trained) < 1e-4);
    }

    #[test]
    fn both_forms_of_pooling_agree() {
        let network = network();
        let frames = noise((1, 7, 15), 12);
        let mask = Tensor::ones((1, 7), DType::F32, &Device::Cpu).unwrap();
        let tensors = network.pool(&frames, &mask, None).unwrap();
        let rows = frames.squeeze(0).unwrap().to_vec2::<f32>().unwrap();
        let pooled = network.pooled(rows.iter().map(Vec::as_slice));
        let pooled = Tensor::from_vec(pooled, (1, 24), &Device::Cpu).unwrap();
        let loops = network.conclude(&pooled, None).unwrap();
        assert!(largest_difference(&tensors.logits, &loops.logits) < 1e-5);
    }

    #[test]
    fn padding_changes_nothing() {
        let network = network();
        let frames = noise((1, 5, 15), 9);
        let mask = Tensor::ones((1, 5), DType::F32, &Device::Cpu).unwrap();
        let exact = network.pool(&frames, &mask, None).unwrap();
        let padded = Tensor::cat(&[&frames, &noise((1, 3, 15), 10)], 1).unwrap();
        let mask = Tensor::new(&[[1f32, 1., 1., 1., 1., 0., 0., 0.]], &Device::Cpu).unwrap();
        let masked = network.pool(&padded, &mask, None).unwrap();
        assert!(largest_difference(&exact.logits, &masked.logits) < 1e-5);
    }
}
