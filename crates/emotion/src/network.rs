//! The network: a causal, dilated 1-D convolutional encoder with carried state, then attentive pooling.
//!
//! ```text
//! steps, 40/s --stem--> 40/s --pairs--> 20/s --residual blocks, dilated--> frames, 20/s --+
//!                                                                                         v
//!          classes, valence, arousal, distress <--head-- mean and deviation <--attention over the trailing window
//! ```
//! Each convolution is written as a concatenation of shifted views and one matrix product: that is what a CPU is good
//! at, and it differentiates cheaply. Training runs it in tensors over whole clips, here; a call runs it half a second
//! at a time with carried context, in `streaming`. Every step of speech passes the encoder once.

mod config;
mod pooling;
mod streaming;

use std::collections::HashMap;

use candle_core::{D, Device, Result, Tensor};
use candle_nn::ops;

pub use config::{NetworkConfig, ShapeError};

use crate::{norm::LayerNorm, rng::Rng};

/// Taps of the stem's and the blocks' convolutions.
const TAPS: usize = 3;
/// Steps that make one frame.
pub const STEPS_PER_FRAME: usize = 2;

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

/// How each caller of a batch sounds by themselves: what their windows are heard beside. Of a stranger nobody knows
/// whether the voice is shrill or the mood; of a voice that was heard before, the difference tells.
#[derive(Debug, Clone)]
pub struct Manner {
    /// `[batch, 2 * channels]`: the mean of earlier pooled windows; anything where it isn't known.
    pub own: Tensor,
    /// `[batch, 1]`: 1 where it is known, 0 where it isn't.
    pub known: Tensor,
}

impl Manner {
    /// Of each caller what is known, for a network whose pooled windows have `width` values.
    ///
    /// # Errors
    /// Only if the device fails.
    pub fn of<'m>(
        callers: impl Iterator<Item = Option<&'m [f32]>>,
        width: usize,
        device: &Device,
    ) -> Result<Self> {
        let (mut own, mut known) = (Vec::new(), Vec::new());
        for manner in callers {
            own.extend_from_slice(manner.unwrap_or_default());
            known.push(if manner.is_some() { 1.0f32 } else { 0.0 });
            own.resize(known.len() * width, 0.0);
        }
        let batch = known.len();
        Ok(Self {
            own: Tensor::from_vec(own, (batch, width), device)?,
            known: Tensor::from_vec(known, (batch, 1), device)?,
        })
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
    /// `[batch, 1]`: that this is no voice, before the logistic function, if the network has a head for it.
    pub music: Option<Tensor>,
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
        if training && x.device().is_cpu() {
            x.contiguous()?.apply_op3(&self.scale, &self.shift, LayerNorm { epsilon: 1e-5 })
        } else if training {
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
    head_caller: Option<Linear>,
    head_music: Option<Linear>,
    tensors: HashMap<String, Tensor>,
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
            head_caller: if config.caller { Some(linear("head.caller")?) } else { None },
            head_music: if config.music { Some(linear("head.music")?) } else { None },
            tensors: tensors.clone(),
            device: device.clone(),
            config,
        })
    }

    /// Copies of its tensors, by name in a fixed order.
    ///
    /// # Errors
    /// Only if the device fails.
    pub fn tensors(&self) -> Result<Vec<(String, Tensor)>> {
        self.config
            .shapes()
            .into_iter()
            .map(|(name, _)| match self.tensors.get(&name) {
                Some(tensor) => Ok((name, tensor.copy()?)),
                None => candle_core::bail!("tensor {name} is missing"),
            })
            .collect()
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

    /// Encodes whole clips from a fresh state, differentiably: `[batch, steps, inputs]` with an even number of steps to
    /// `[batch, steps / 2, frame]`.
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn encode_training(&self, steps: &Tensor, dropout: &mut Dropout<'_>) -> Result<Tensor> {
        let (batch, length, _) = steps.dims3()?;
        let x = steps.broadcast_add(&self.shift)?.broadcast_mul(&self.scale)?;
        let x = convolve(&x, &self.stem, TAPS, 1)?;
        let x = self.stem_norm.forward(&x.relu()?, true)?;
        let x = x.reshape((batch, length / STEPS_PER_FRAME, STEPS_PER_FRAME * self.config.stem))?;
        let mut x = convolve(&x, &self.down, 2, 1)?;
        for block in &self.blocks {
            let y = convolve(&block.norm.forward(&x, true)?, &block.conv, TAPS, block.dilation)?;
            x = (x + block.mix.forward(&dropout.apply(&y.relu()?)?)?)?;
        }
        let x = self.final_norm.forward(&x, true)?;
        let scores = self.attention_score.forward(&self.attention_hidden.forward(&x)?.relu()?)?;
        Tensor::cat(&[&x, &scores], D::Minus1)
    }
}

/// A causal convolution over `[batch, length, channels]`; before the first step lies nothing.
fn convolve(x: &Tensor, kernel: &Linear, taps: usize, dilation: usize) -> Result<Tensor> {
    let length = x.dim(1)?;
    let padded = x.pad_with_zeros(1, (taps - 1) * dilation, 0)?;
    // Made contiguous one by one: a concatenation of strided views would go element by element.
    let shifted = (0..taps)
        .map(|tap| padded.narrow(1, tap * dilation, length)?.contiguous())
        .collect::<Result<Vec<_>>>()?;
    kernel.forward(&Tensor::cat(&shifted, 2)?)
}

#[cfg(test)]
mod tests {
    use candle_core::DType;

    use super::*;

    fn network() -> Network {
        let config = NetworkConfig {
            inputs: 6,
            stem: 8,
            channels: 12,
            dilations: vec![1, 2],
            heads: 3,
            hidden: 5,
            caller: true,
            music: false,
        };
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
        let tensors = network.pool(&frames, &mask, None, None).unwrap();
        let rows = frames.squeeze(0).unwrap().to_vec2::<f32>().unwrap();
        let pooled = network.pooled(rows.iter().map(Vec::as_slice));
        let pooled = Tensor::from_vec(pooled, (1, 24), &Device::Cpu).unwrap();
        let loops = network.conclude(&pooled, None, None).unwrap();
        assert!(largest_difference(&tensors.logits, &loops.logits) < 1e-5);
    }

    #[test]
    fn padding_changes_nothing() {
        let network = network();
        let frames = noise((1, 5, 15), 9);
        let mask = Tensor::ones((1, 5), DType::F32, &Device::Cpu).unwrap();
        let exact = network.pool(&frames, &mask, None, None).unwrap();
        let padded = Tensor::cat(&[&frames, &noise((1, 3, 15), 10)], 1).unwrap();
        let mask = Tensor::new(&[[1f32, 1., 1., 1., 1., 0., 0., 0.]], &Device::Cpu).unwrap();
        let masked = network.pool(&padded, &mask, None, None).unwrap();
        assert!(largest_difference(&exact.logits, &masked.logits) < 1e-5);
    }

    #[test]
    fn a_stranger_is_heard_as_without_a_manner_and_a_known_caller_beside_it() {
        let mut network = network();
        let width = 24;
        let layer =
            |x: Tensor| Linear { weight: x, bias: Tensor::zeros(5, DType::F32, &Device::Cpu).unwrap() };
        network.head_caller = Some(layer(noise((1, width, 5), 20).squeeze(0).unwrap()));
        let pooled = noise((1, 2, width), 21).squeeze(0).unwrap();
        let own = vec![0.5f32; width];
        let manner = Manner::of([None, Some(own.as_slice())].into_iter(), width, &Device::Cpu).unwrap();
        let alone = network.conclude(&pooled, None, None).unwrap();
        let beside = network.conclude(&pooled, Some(&manner), None).unwrap();
        let row = |outputs: &Outputs, row| outputs.logits.narrow(0, row, 1).unwrap();
        assert_eq!(largest_difference(&row(&alone, 0), &row(&beside, 0)), 0.0);
        assert!(largest_difference(&row(&alone, 1), &row(&beside, 1)) > 1e-3);
        // Whoever sounds as they always do is heard as a stranger is.
        let usual = Manner::of(
            [None, Some(&pooled.get(1).unwrap().to_vec1().unwrap()[..])].into_iter(),
            width,
            &Device::Cpu,
        );
        let usual = network.conclude(&pooled, Some(&usual.unwrap()), None).unwrap();
        assert!(largest_difference(&row(&alone, 1), &row(&usual, 1)) < 1e-6);
    }
}
