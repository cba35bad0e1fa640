//! What a training is asked for, and what it came to.

use std::path::PathBuf;

use serde::Serialize;

use super::grammar::GrammarError;
use super::judge::Figure;
use crate::text::weights::WeightsError;

/// Why a training ends early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A file can't be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A line that is not of its file's form.
    #[error("{}, line {line}: not of the form that this file has; crates/language/corpus/README.md tells it", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// A grammar that can't be read.
    #[error("{}: {source}", path.display())]
    Grammar {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: GrammarError,
    },
    /// Nothing to train on.
    #[error("{} holds no {wanted}", path.display())]
    Empty {
        /// The file or folder.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
    },
    /// The weights can't be written, or not read back.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Whoever watched has had enough.
    #[error("stopped")]
    Stopped,
}

/// What to train on, and where the weights go.
#[derive(Debug, Clone, Serialize)]
pub struct TrainOptions {
    /// The name on the card.
    pub name: String,
    /// The folder of GoEmotions: `train.tsv`, `dev.tsv`.
    #[serde(skip)]
    pub goemotions: PathBuf,
    /// The folder of grammars (`topics.*.toml`) and held-out sentences (`heldout.*.tsv`).
    #[serde(skip)]
    pub corpus: PathBuf,
    /// Where weights and card go.
    #[serde(skip)]
    pub out: PathBuf,
    /// Of everything that is drawn.
    pub seed: u64,
    /// How many utterances the grammars make.
    pub utterances: usize,
    /// How many comments of GoEmotions stand beside them, as talk that is about no topic.
    pub comments: usize,
    /// Whether the test half of the held-out sentences is looked at: once, at the end.
    pub test: bool,
}

impl TrainOptions {
    /// The options that the shipped weights were made with.
    #[must_use]
    pub fn new(goemotions: PathBuf, corpus: PathBuf, out: PathBuf) -> Self {
        Self {
            name: "sidetone-text".into(),
            goemotions,
            corpus,
            out,
            seed: 1,
            utterances: 320_000,
            comments: 12_000,
            test: false,
        }
    }
}

/// How far a training is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// What is being done.
    pub doing: &'static str,
    /// Steps done.
    pub done: usize,
    /// Of how many.
    pub of: usize,
}

/// What a training came to.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The weights' file.
    pub model: PathBuf,
    /// Its size in bytes.
    pub bytes: usize,
    /// How much there was of everything.
    pub data: Data,
    /// Macro-F1 over the 28 labels on GoEmotions' dev part, which had no say in anything.
    pub affect: Figure,
    /// F1 of each label there.
    pub labels: Vec<(String, f64)>,
    /// On the voice's classes there.
    pub classes: ClassFigures,
    /// Macro-F1 over the topics, on each held-out set.
    pub topics: Vec<TopicFigures>,
}

/// How much there was to train and test on.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Data {
    /// Comments in GoEmotions' train part.
    pub comments: usize,
    /// Comments in its dev part.
    pub dev: usize,
    /// Lines of all grammars.
    pub lines: usize,
    /// Held-out sentences of the dev half.
    pub looked_at: usize,
    /// Of the test half.
    pub kept: usize,
    /// Sentences of the second set, which is not looked at.
    pub fresh: usize,
    /// German sentences, which are not looked at.
    pub german: usize,
}

/// Figures on the voice's classes, on GoEmotions' dev part.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ClassFigures {
    /// Share of comments for which an estimate was not withheld.
    pub answered: f64,
    /// Share of those whose likeliest class one of their labels has.
    pub right: f64,
    /// Expected calibration error of the confidence, all comments.
    pub calibration_error: f64,
    /// Area under the ROC of distress: upset labels against the rest.
    pub distress_auc: f64,
    /// Correlation of valence with that of the labels.
    pub valence_correlation: f64,
}

/// Figures on one held-out set of topics.
#[derive(Debug, Clone, Serialize)]
pub struct TopicFigures {
    /// Which.
    pub set: String,
    /// How many sentences.
    pub sentences: usize,
    /// Macro-F1.
    pub f1: Figure,
    /// Precision, recall and F1 of each topic.
    pub topics: Vec<(&'static str, f64, f64, f64)>,
    /// Share of the sentences about nothing in which nothing was found.
    pub quiet: f64,
}
