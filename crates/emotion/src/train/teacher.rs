//! The teacher of a distillation: what the first blocks of Whisper's encoder say of each clip.
//!
//! Most of what tells emotions apart is found there, learnt from far more speech than any emotional corpus holds. The
//! network is asked to predict it from its own causal and noisy view, beside the labels: frame by frame, and as the
//! mean and the deviation of the whole clip. Weights come from a safetensors file that `models/teacher/` makes; they
//! are used in training only.

#![allow(clippy::indexing_slicing)] // rows of a fixed width

use std::{collections::HashMap, path::Path};

use candle_core::{Device, Result};
use half::f16;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::whisper::Whisper;

/// Samples at 8 kHz between the rows that are kept: 40 ms.
const ROW: usize = 320;
/// How much later than the sound the network predicts its features: it may look so far ahead. In samples at 8 kHz.
const LATENESS: f64 = 600.0;
/// Standardised values beyond this are cut off: a few of Whisper's channels are huge at times and must not drown the
/// rest.
const MOST: f32 = 4.0;

/// The teacher's network, and what it said of each clip, by the clip's path.
pub(super) struct Teacher {
    network: Whisper,
    known: HashMap<String, Vec<f16>>,
    rows: Standard,
    summaries: Standard,
}

/// Zero mean and unit variance for each of some values.
#[derive(Default)]
struct Standard {
    mean: Vec<f32>,
    scale: Vec<f32>,
}

impl Standard {
    fn of<'a>(rows: impl Iterator<Item = &'a [f32]>, width: usize) -> Self {
        let (mut sums, mut squares, mut count) = (vec![0.0f64; width], vec![0.0f64; width], 0.0f64);
        for row in rows {
            for ((x, sum), square) in row.iter().zip(&mut sums).zip(&mut squares) {
                *sum += f64::from(*x);
                *square += f64::from(*x).powi(2);
            }
            count += 1.0;
        }
        let count = count.max(1.0);
        let mean: Vec<f32> = sums.iter().map(|sum| (sum / count) as f32).collect();
        let scale = squares
            .iter()
            .zip(&mean)
            .map(|(square, mean)| (1.0 / (square / count - f64::from(*mean).powi(2)).max(1e-4).sqrt()) as f32)
            .collect();
        Self { mean, scale }
    }

    fn apply(&self, row: &mut [f32]) {
        for ((x, mean), scale) in row.iter_mut().zip(&self.mean).zip(&self.scale) {
            *x = ((*x - mean) * scale).clamp(-MOST, MOST);
        }
    }
}

impl Teacher {
    /// Reads the weights, and what was said before from `cache` if that is there.
    pub(super) fn open(path: &Path, cache: Option<&Path>, device: &Device) -> Result<Self> {
        let network = Whisper::open(path, device)?;
        let mut known = HashMap::new();
        if let Some(bytes) = cache.and_then(|path| std::fs::read(path).ok()) {
            let file = SafeTensors::deserialize(&bytes).map_err(candle_core::Error::wrap)?;
            for (name, view) in file.tensors() {
                let fits = view.dtype() == Dtype::F16 && view.shape().get(1) == Some(&network.width());
                if !fits {
                    candle_core::bail!("the teacher's cache is of another teacher: remove it");
                }
                let values = view.data().chunks_exact(2).map(|x| f16::from_le_bytes([x[0], x[1]])).collect();
                known.insert(name, values);
            }
        }
        Ok(Self { network, known, rows: Standard::default(), summaries: Standard::default() })
    }

    /// Hears `clips` (path and PCM), which are all that it will know. Tells how many are done.
    pub(super) fn hear(&mut self, clips: &[(&str, &[i16])], done: &mut dyn FnMut(usize)) -> Result<()> {
        for (place, (name, pcm)) in clips.iter().enumerate() {
            if !self.known.contains_key(*name) {
                let said = self.network.encode(pcm)?;
                self.known.insert((*name).to_owned(), said);
            }
            done(place + 1);
        }
        let heard: std::collections::HashSet<&str> = clips.iter().map(|(name, _)| *name).collect();
        self.known.retain(|name, _| heard.contains(name.as_str()));
        let width = self.network.width();
        // In the clips' order, so that sums are the same each time; of many, a part will do.
        let stride = clips.len().div_ceil(400).max(1);
        let wide = |name: &str| -> Vec<f32> {
            self.known.get(name).map_or(Vec::new(), |said| said.iter().map(|x| x.to_f32()).collect())
        };
        let sample: Vec<Vec<f32>> = clips.iter().step_by(stride).map(|(name, _)| wide(name)).collect();
        self.rows = Standard::of(sample.iter().flat_map(|rows| rows.chunks_exact(width)), width);
        let summaries: Vec<Vec<f32>> = clips
            .iter()
            .map(|(name, _)| {
                let mut rows = wide(name);
                rows.chunks_exact_mut(width).for_each(|row| self.rows.apply(row));
                summary(&rows, width)
            })
            .collect();
        self.summaries = Standard::of(summaries.iter().map(Vec::as_slice), 2 * width);
        Ok(())
    }

    /// Writes what was said so far, for the next training.
    pub(super) fn store(&self, path: &Path) -> Result<()> {
        let data: Vec<(&String, Vec<u8>)> = self
            .known
            .iter()
            .map(|(name, said)| (name, said.iter().flat_map(|x| x.to_le_bytes()).collect()))
            .collect();
        let views = data
            .iter()
            .map(|(name, bytes)| {
                let shape = vec![bytes.len() / 2 / self.width(), self.width()];
                TensorView::new(Dtype::F16, shape, bytes).map(|view| (name.as_str(), view))
            })
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(candle_core::Error::wrap)?;
        let bytes = safetensors::serialize(views, None).map_err(candle_core::Error::wrap)?;
        Ok(std::fs::write(path, bytes)?)
    }

    /// Values in a row; a summary has twice as many.
    pub(super) fn width(&self) -> usize {
        self.network.width()
    }

    /// What is said of a clip, standardised, a row for each frame that ends at one of `ends` (samples at 8 kHz of a
    /// copy that is `speed` times as long). `None` for a clip that was not heard.
    pub(super) fn rows(&self, name: &str, ends: &[u64], speed: f32) -> Option<Vec<f32>> {
        let (known, width) = (self.known.get(name)?, self.width());
        let last = (known.len() / width).checked_sub(1)?;
        let mut rows = Vec::with_capacity(ends.len() * width);
        for end in ends {
            let time = (*end as f64 / f64::from(speed) - LATENESS).max(0.0);
            let row = ((time / ROW as f64) as usize).min(last) * width;
            rows.extend(known[row..row + width].iter().map(|x| x.to_f32()));
        }
        rows.chunks_exact_mut(width).for_each(|row| self.rows.apply(row));
        Some(rows)
    }

    /// Mean and deviation of some of [`rows`](Self::rows), standardised over the clips.
    pub(super) fn summary(&self, rows: &[f32]) -> Vec<f32> {
        let mut summary = summary(rows, self.width());
        self.summaries.apply(&mut summary);
        summary
    }
}

/// Mean and deviation over rows, side by side.
fn summary(rows: &[f32], width: usize) -> Vec<f32> {
    let (mut sums, mut squares) = (vec![0.0f32; width], vec![0.0f32; width]);
    for row in rows.chunks_exact(width) {
        for ((x, sum), square) in row.iter().zip(&mut sums).zip(&mut squares) {
            *sum += x;
            *square += x * x;
        }
    }
    let count = (rows.len() / width).max(1) as f32;
    let deviations: Vec<f32> = squares
        .iter()
        .zip(&sums)
        .map(|(square, sum)| (square / count - (sum / count).powi(2)).max(0.0).sqrt())
        .collect();
    sums.iter_mut().for_each(|sum| *sum /= count);
    sums.extend(deviations);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_mean_and_deviation() {
        assert_eq!(summary(&[1.0, 5.0, 3.0, 5.0], 2), [2.0, 5.0, 1.0, 0.0]);
        assert_eq!(summary(&[], 2), [0.0; 4]);
    }

    #[test]
    fn standardised_values_have_zero_mean_unit_variance_and_an_end() {
        let rows = [[0.0f32, 100.0], [2.0, 100.0], [4.0, 100.0]];
        let standard = Standard::of(rows.iter().map(|row| &row[..]), 2);
        let mut row = [4.0, 100.0];
        standard.apply(&mut row);
        assert!((row[0] - 1.2247).abs() < 1e-3 && row[1].abs() < 1e-3);
        let mut far = [1e6, 100.0];
        standard.apply(&mut far);
        assert_eq!(far[0], MOST);
    }
}
