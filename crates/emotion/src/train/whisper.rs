//! The stem and the first blocks of Whisper's encoder (Radford et al. 2022; MIT), in plain Candle.

#![allow(clippy::indexing_slicing)] // spectra and filters of sizes fixed here

use std::path::Path;

use candle_core::{D, Device, Module, Result, Tensor};
use candle_nn::{Conv1d, Conv1dConfig, LayerNorm, Linear, ops};
use half::f16;
use realfft::RealFftPlanner;

use crate::corpus::audio::resample;

const FFT: usize = 400;
const HOP: usize = 160;
const BANDS: usize = 80;
/// Width of an attention head, in every size of Whisper.
const HEAD: usize = 64;

struct Block {
    norm1: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    norm2: LayerNorm,
    mlp0: Linear,
    mlp1: Linear,
}

/// The encoder's first layers.
pub(super) struct Whisper {
    conv1: Conv1d,
    conv2: Conv1d,
    positions: Tensor,
    blocks: Vec<Block>,
    filters: Vec<(usize, Vec<f32>)>,
    width: usize,
    device: Device,
}

impl Whisper {
    /// Reads the weights.
    pub(super) fn open(path: &Path, device: &Device) -> Result<Self> {
        let tensors = candle_core::safetensors::load(path, device)?;
        let get = |name: &str| match tensors.get(name) {
            Some(tensor) => tensor.to_dtype(candle_core::DType::F32),
            None => candle_core::bail!("{}: no tensor {name}", path.display()),
        };
        let linear = |name: &str| {
            let bias = get(&format!("{name}.bias"))?;
            Ok::<_, candle_core::Error>(Linear::new(get(&format!("{name}.weight"))?, Some(bias)))
        };
        let norm = |name: &str| {
            let bias = get(&format!("{name}.bias"))?;
            Ok::<_, candle_core::Error>(LayerNorm::new(get(&format!("{name}.weight"))?, bias, 1e-5))
        };
        let conv = |name: &str, stride: usize| {
            let config = Conv1dConfig { padding: 1, stride, ..Default::default() };
            let bias = get(&format!("{name}.bias"))?;
            Ok::<_, candle_core::Error>(Conv1d::new(get(&format!("{name}.weight"))?, Some(bias), config))
        };
        let mut blocks = Vec::new();
        while tensors.contains_key(&format!("block{}.query.weight", blocks.len())) {
            let part = |name: &str| format!("block{}.{name}", blocks.len());
            blocks.push(Block {
                norm1: norm(&part("norm1"))?,
                query: linear(&part("query"))?,
                key: linear(&part("key"))?,
                value: linear(&part("value"))?,
                out: linear(&part("out"))?,
                norm2: norm(&part("norm2"))?,
                mlp0: linear(&part("mlp0"))?,
                mlp1: linear(&part("mlp1"))?,
            });
        }
        let positions = get("positions")?;
        let width = positions.dim(1)?;
        Ok(Self {
            conv1: conv("conv1", 1)?,
            conv2: conv("conv2", 2)?,
            positions,
            blocks,
            filters: filters(),
            width,
            device: device.clone(),
        })
    }

    /// Values in a row.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// What the last of its layers makes of 8 kHz PCM, a row of [`width`](Self::width) values every 40 ms.
    pub(super) fn encode(&self, pcm: &[i16]) -> Result<Vec<f16>> {
        let mel = log_mel(pcm, &self.filters);
        let frames = mel.len() / BANDS;
        let mel = Tensor::from_vec(mel, (1, frames, BANDS), &self.device)?.transpose(1, 2)?.contiguous()?;
        let x = self.conv1.forward(&mel)?.gelu_erf()?;
        let x = self.conv2.forward(&x)?.gelu_erf()?.transpose(1, 2)?.contiguous()?;
        let length = x.dim(1)?.min(self.positions.dim(0)?);
        let mut x =
            x.narrow(1, 0, length)?.broadcast_add(&self.positions.narrow(0, 0, length)?)?.squeeze(0)?;
        for block in &self.blocks {
            x = (&x + block.attend(&block.norm1.forward(&x)?)?)?;
            let y = block.mlp0.forward(&block.norm2.forward(&x)?)?.gelu_erf()?;
            x = (x + block.mlp1.forward(&y)?)?;
        }
        let pairs = length / 2;
        let rows = x.narrow(0, 0, pairs * 2)?.reshape((pairs, 2, self.width))?.mean(1)?;
        Ok(rows.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f16::from_f32).collect())
    }
}

impl Block {
    fn attend(&self, x: &Tensor) -> Result<Tensor> {
        let (length, width) = x.dims2()?;
        let split = |y: Tensor| y.reshape((length, width / HEAD, HEAD))?.transpose(0, 1)?.contiguous();
        let scale = (HEAD as f64).powf(-0.5);
        let query = (split(self.query.forward(x)?)? * scale)?;
        let key = split(self.key.forward(x)?)?;
        let value = split(self.value.forward(x)?)?;
        let weights = ops::softmax(&query.matmul(&key.transpose(1, 2)?.contiguous()?)?, D::Minus1)?;
        let y = weights.matmul(&value)?.transpose(0, 1)?.contiguous()?.reshape((length, width))?;
        self.out.forward(&y)
    }
}

/// Whisper's log-mel spectrogram of 8 kHz PCM, frame by frame: 16 kHz, 25 ms Hann windows every 10 ms, clamped eight
/// decades below the loudest value, then centred.
fn log_mel(pcm: &[i16], filters: &[(usize, Vec<f32>)]) -> Vec<f32> {
    let narrow: Vec<f32> = pcm.iter().map(|&x| f32::from(x) / 32768.0).collect();
    let wide = resample(&narrow, 2.0);
    let frames = wide.len() / HOP;
    let at = |n: isize| {
        // Reflected at both ends.
        let last = wide.len() as isize - 1;
        let n = n.abs();
        let n = if n > last { 2 * last - n } else { n };
        wide.get(n.max(0) as usize).copied().unwrap_or(0.0)
    };
    let plan = RealFftPlanner::<f32>::new().plan_fft_forward(FFT);
    let (mut input, mut output) = (plan.make_input_vec(), plan.make_output_vec());
    let mut mel = Vec::with_capacity(frames * BANDS);
    for frame in 0..frames {
        for (n, slot) in input.iter_mut().enumerate() {
            let hann = 0.5 - 0.5 * (std::f32::consts::TAU * n as f32 / FFT as f32).cos();
            *slot = hann * at((frame * HOP + n) as isize - (FFT / 2) as isize);
        }
        let done = plan.process(&mut input, &mut output);
        debug_assert!(done.is_ok());
        for (first, weights) in filters {
            let power: f32 = output[*first..].iter().zip(weights).map(|(x, w)| x.norm_sqr() * w).sum();
            mel.push(power.max(1e-10).log10());
        }
    }
    let loudest = mel.iter().copied().fold(f32::MIN, f32::max);
    mel.iter_mut().for_each(|x| *x = (x.max(loudest - 8.0) + 4.0) / 4.0);
    mel
}

/// The mel filters of Slaney's Auditory Toolbox, each of unit area, as Whisper uses them.
fn filters() -> Vec<(usize, Vec<f32>)> {
    let to_hz = |mel: f32| {
        if mel < 15.0 { mel * 200.0 / 3.0 } else { 1000.0 * ((mel - 15.0) * 6.4f32.ln() / 27.0).exp() }
    };
    let top = 15.0 + (8000.0f32 / 1000.0).ln() / (6.4f32.ln() / 27.0);
    let edge = |n: usize| to_hz(top * n as f32 / (BANDS + 1) as f32);
    let bin = 16000.0 / FFT as f32;
    (0..BANDS)
        .map(|band| {
            let (left, centre, right) = (edge(band), edge(band + 1), edge(band + 2));
            let first = (left / bin).ceil() as usize;
            let last = ((right / bin).floor() as usize).min(FFT / 2);
            let weights = (first..=last)
                .map(|n| {
                    let hz = n as f32 * bin;
                    let slope = ((hz - left) / (centre - left)).min((right - hz) / (right - centre));
                    slope.max(0.0) * 2.0 / (right - left)
                })
                .collect();
            (first, weights)
        })
        .collect()
}
