//! What a training is asked to do, how far it is, what it leaves behind, and why it may fail.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::Split;
use crate::{
    corpus::{CorpusError, telephony::Augmentation},
    eval::{EvalError, Evaluation},
    model::{Licence, ModelError},
    network::{NetworkConfig, ShapeError},
};

/// What to train, on what, for how long.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TrainOptions {
    /// The manifest: see [`crate::corpus::manifest`].
    pub manifest: PathBuf,
    /// The folder that its paths are in.
    pub root: PathBuf,
    /// Where `model.safetensors`, `CARD.md`, `training.json` and the checkpoint go.
    pub out: PathBuf,
    /// The model's name.
    pub name: String,
    /// What the weights may be used for; the caller vouches that the corpora allow it.
    pub licence: Licence,
    /// Only these corpora; all if empty.
    pub corpora: Vec<String>,
    /// Speakers kept for testing; drawn where none of a corpus is named.
    pub test: Vec<String>,
    /// Speakers kept for validation; drawn where none of a corpus is named.
    pub validation: Vec<String>,
    /// Everything random comes from this.
    pub seed: u64,
    /// Most epochs.
    pub epochs: usize,
    /// Epochs without a better validation after which training stops.
    pub patience: usize,
    /// Clips in a step.
    pub batch: usize,
    /// Highest learning rate; it warms up over one epoch and falls along a cosine.
    pub rate: f64,
    /// How much of the average of the weights is kept at each step.
    pub averaging: f64,
    /// How fast weights decay, in units of the learning rate.
    pub weight_decay: f64,
    /// Share of activations dropped.
    pub dropout: f32,
    /// Most clips of one corpus in an epoch.
    pub most_clips: usize,
    /// The same for corpora by name, in place of `most_clips`.
    #[serde(default)]
    pub most_of: BTreeMap<String, usize>,
    /// Fewest clips of one labelled corpus in an epoch: those of a smaller one are heard again, varied otherwise.
    pub least_clips: usize,
    /// Most clips of one corpus that are drawn from at all, evenly spaced over its speakers.
    pub pool: usize,
    /// A model to start from instead of from nothing: its shape and its weights are taken over, its calibration is not.
    pub start: Option<PathBuf>,
    /// Whether the heads hear a window beside its caller's own manner as well ([`crate::network::Manner`]): with it, a
    /// caller's clips of one epoch share a line and a voice, and some others of theirs go before.
    #[serde(default)]
    pub caller: bool,
    /// Whether the encoder and its attention stay as they are in `start`, so that the heads alone learn: a third of the
    /// time, and what the encoder was taught by other corpora is kept.
    #[serde(default)]
    pub frozen: bool,
    /// The network's shape, unless there is a model to start from.
    pub network: NetworkConfig,
    /// How clips are varied.
    pub augmentation: Augmentation,
    /// Variations of a clip that are made once and heard in turn; 0 to make every one anew, which costs about as much
    /// time again as the network's own work.
    pub variants: usize,
    /// How much the manifest's shares count beside its label, 0 to 1, where it has any.
    pub shares_weight: f32,
    /// Whisper's first blocks, to distil from: see `models/teacher/`.
    pub teacher: Option<PathBuf>,
    /// Where what the teacher said is kept for the next training. Changes nothing but the time.
    pub teacher_cache: Option<PathBuf>,
    /// How much the teacher's frames count beside the labels.
    pub teacher_weight: f64,
    /// How much its summary of a clip counts beside the labels.
    pub summary_weight: f64,
}

impl TrainOptions {
    /// Defaults for a manifest, a root and an output folder.
    pub fn new(manifest: PathBuf, root: PathBuf, out: PathBuf) -> Self {
        Self {
            manifest,
            root,
            out,
            name: "sidetone".into(),
            licence: Licence::Research,
            corpora: Vec::new(),
            test: Vec::new(),
            validation: Vec::new(),
            seed: 1,
            epochs: 40,
            patience: 12,
            batch: 32,
            rate: 2e-3,
            averaging: 0.995,
            weight_decay: 0.05,
            dropout: 0.15,
            most_clips: 1200,
            most_of: BTreeMap::new(),
            least_clips: 0,
            pool: 3000,
            start: None,
            caller: false,
            frozen: false,
            network: NetworkConfig::default(),
            augmentation: Augmentation::default(),
            variants: 0,
            shares_weight: 0.5,
            teacher: None,
            teacher_cache: None,
            teacher_weight: 0.5,
            summary_weight: 1.0,
        }
    }
}

/// How far training is. Handed to the caller as it goes; return `false` to stop after the current epoch's checkpoint.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case", tag = "phase")]
pub enum Progress {
    /// Training begins.
    Begun(Processor),
    /// Reading audio.
    Loading {
        /// Clips read.
        done: usize,
        /// Clips in all.
        of: usize,
    },
    /// The teacher hears the clips.
    Teaching {
        /// Clips heard.
        done: usize,
        /// Clips in all.
        of: usize,
    },
    /// Within an epoch.
    Step {
        /// The epoch, from 1.
        epoch: usize,
        /// Batches done.
        done: usize,
        /// Batches in all.
        of: usize,
        /// Loss of this batch.
        loss: f32,
    },
    /// An epoch is over.
    Epoch(Epoch),
}

/// What training computes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Processor {
    /// The CPU: the same seed gives the same weights to the bit.
    Cpu,
    /// A GPU, which adds up in an order of its own.
    Gpu,
}

impl std::fmt::Display for Processor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cpu => "CPU",
            Self::Gpu => "GPU",
        })
    }
}

/// What an epoch came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Epoch {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Mean training loss.
    pub loss: f32,
    /// Unweighted average recall on the validation speakers, by corpus.
    pub validation: BTreeMap<String, f64>,
    /// The mean of those, less a part of the cross-entropy.
    pub bare: f64,
    /// What the best epoch is chosen by: [`bare`](Self::bare) averaged over five epochs, for validation speakers are
    /// few.
    pub score: f64,
}

/// What training left behind.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The model file.
    pub model: PathBuf,
    /// Its card.
    pub card: PathBuf,
    /// Who was on which side.
    pub split: Split,
    /// Parameters of the network.
    pub parameters: usize,
    /// What it was computed on.
    pub processor: Processor,
    /// Every epoch.
    pub history: Vec<Epoch>,
    /// The epoch whose weights were kept.
    pub best: usize,
    /// Unweighted average recall on the test speakers through G.711 µ-law, by corpus, over each corpus's own classes.
    pub test: BTreeMap<String, f64>,
    /// Everything else about the test speakers. `None` without any.
    pub evaluation: Option<Evaluation>,
}

/// Why training failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The speech could not be read.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// The model could not be written or read back.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The network library failed.
    #[error("the network failed: {0}")]
    Network(#[from] candle_core::Error),
    /// The network's sizes make no network.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// There is nothing to learn from.
    #[error("{0}")]
    Nothing(String),
    /// A file in the output folder could not be written or read.
    #[error("{path} can't be written or read")]
    Output {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The checkpoint in the output folder belongs to another training.
    #[error("{path} belongs to a training with other options: remove it, or choose another folder")]
    OtherCheckpoint {
        /// The checkpoint.
        path: PathBuf,
    },
}

impl From<EvalError> for TrainError {
    fn from(error: EvalError) -> Self {
        match error {
            EvalError::Corpus(error) => Self::Corpus(error),
            EvalError::Network(error) => Self::Network(error),
            EvalError::Nothing { .. } => Self::Nothing(error.to_string()),
        }
    }
}
