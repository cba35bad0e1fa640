//! The clips of a training, read once.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use candle_core::{Device, Tensor};

use super::{Progress, TrainError};
use crate::{
    corpus::{Band, Clip, Entry, Manifest, audio},
    features::FeatureConfig,
};

/// A clip with its label and its PCM.
pub(super) struct Sound {
    /// Its place in the manifest.
    pub(super) key: usize,
    pub(super) entry: Entry,
    pub(super) pcm: Vec<i16>,
}

impl Sound {
    /// What it is called in the teacher's cache.
    pub(super) fn name(&self) -> String {
        self.entry.path.to_string_lossy().into_owned()
    }
}

/// Reads every clip of a manifest.
pub(super) fn load(
    manifest: &Manifest,
    root: &Path,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<Vec<Sound>, TrainError> {
    let of = manifest.entries.len();
    let mut sounds = Vec::with_capacity(of);
    for (done, entry) in manifest.entries.iter().enumerate() {
        sounds.push(Sound { key: done, pcm: audio::read(&root.join(&entry.path))?, entry: entry.clone() });
        if done % 64 == 63 || done + 1 == of {
            progress(Progress::Loading { done: done + 1, of });
        }
    }
    Ok(sounds)
}

/// At most `most` clips of each corpus, evenly spaced.
pub(super) fn evenly<'a>(sounds: &[&'a Sound], most: usize) -> Vec<&'a Sound> {
    let mut by_corpus: BTreeMap<&str, Vec<&'a Sound>> = BTreeMap::new();
    for sound in sounds {
        by_corpus.entry(&sound.entry.corpus).or_default().push(sound);
    }
    by_corpus
        .into_values()
        .flat_map(|of| {
            let stride = of.len().div_ceil(most.max(1)).max(1);
            of.into_iter().step_by(stride)
        })
        .collect()
}

/// A clip through a fixed G.711 line.
pub(super) fn hear(sound: &Sound, features: &FeatureConfig) -> (Entry, Clip) {
    (sound.entry.clone(), Clip::new(&Band::G711.through(&sound.pcm), features))
}

/// The affine map that gives the training clips' features zero mean and unit variance.
pub(super) fn standardise(
    training: &[&Sound],
    features: &FeatureConfig,
    device: &Device,
) -> Result<HashMap<String, Tensor>, TrainError> {
    let size = features.dimensions();
    let (mut sums, mut squares, mut count) = (vec![0.0f64; size], vec![0.0f64; size], 0.0f64);
    for sound in evenly(training, 200) {
        let (_, clip) = hear(sound, features);
        for step in clip.values.chunks_exact(size) {
            for ((x, sum), square) in step.iter().zip(&mut sums).zip(&mut squares) {
                *sum += f64::from(*x);
                *square += f64::from(*x) * f64::from(*x);
            }
            count += 1.0;
        }
    }
    if count == 0.0 {
        return Err(TrainError::Nothing("no speech in the training clips".into()));
    }
    let means: Vec<f64> = sums.iter().map(|sum| sum / count).collect();
    let scales: Vec<f32> = squares
        .iter()
        .zip(&means)
        .map(|(square, mean)| (1.0 / (square / count - mean * mean).max(1e-4).sqrt()) as f32)
        .collect();
    let shifts: Vec<f32> = means.iter().map(|mean| -*mean as f32).collect();
    Ok(HashMap::from([
        ("input.shift".to_owned(), Tensor::from_vec(shifts, size, device)?),
        ("input.scale".to_owned(), Tensor::from_vec(scales, size, device)?),
    ]))
}
