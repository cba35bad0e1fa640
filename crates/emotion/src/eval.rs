//! Evaluation on labelled speech: how right the model is, how sure one may be of that, and whether something else than
//! feeling explains it.
//!
//! Any corpus will do whose labels map on a subset of the classes. Speakers that the model was trained or calibrated on
//! are left out and counted.

mod clock;
pub mod compare;
mod hearing;
mod leaks;
pub mod report;
pub mod strangers;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;

use crate::{
    corpus::{Band, CorpusError, Manifest},
    model::{Calibration, Licence, Model},
};
use hearing::{Heard, Hearing, beside_manner};
use report::report;
use sidetone_call::Class;

pub use report::{CorpusReport, ReliabilityBin, SetReport, Slice};

/// What to evaluate on, and how.
#[derive(Debug, Clone)]
pub struct EvalOptions {
    /// The way to the analysis.
    pub band: Band,
    /// Share of packets lost.
    pub loss: f32,
    /// Change of level in dB, before the band.
    pub gain_db: f32,
    /// Drawings of the bootstrap; 0 for none.
    pub draws: usize,
    /// Whether to hear everything again as recorded, and report the difference.
    pub against_wide: bool,
}

impl Default for EvalOptions {
    fn default() -> Self {
        Self { band: Band::G711, loss: 0.0, gain_db: 0.0, draws: 1000, against_wide: true }
    }
}

/// What an evaluation came to.
#[derive(Debug, Clone, Serialize)]
pub struct Evaluation {
    /// The model's name.
    pub model: String,
    /// Its checksum.
    pub sha256: String,
    /// What its weights may be used for.
    pub licence: Licence,
    /// Its parameters.
    pub parameters: usize,
    /// The way to the analysis.
    pub band: Band,
    /// Share of packets lost.
    pub loss: f32,
    /// Clips left out because the model was trained or calibrated on their speakers.
    pub heard_before: usize,
    /// Clips left out because their label is no class.
    pub unmapped: usize,
    /// Thread CPU time for features and network per second of audio, in ms. `None` where the system does not tell.
    pub cpu_ms_per_second: Option<f64>,
    /// Corpus by corpus, of speakers of whom nothing is known.
    pub corpora: Vec<CorpusReport>,
    /// The same beside each speaker's own manner, as known from 8 s of their first calm clips, which are left out of
    /// these figures. Empty for a network that does not hear it.
    pub manner_known: Vec<CorpusReport>,
    /// Clip by clip, of speakers of whom nothing is known.
    #[serde(skip)]
    pub answers: Vec<Answer>,
}

/// What the model makes of one clip.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// The clip, as its manifest names it.
    pub path: PathBuf,
    /// Its corpus.
    pub corpus: String,
    /// Who speaks.
    pub speaker: String,
    /// The class that was meant.
    pub meant: Class,
    /// Probability of each class.
    pub classes: BTreeMap<Class, f32>,
    /// Likelihood of anger or distress.
    pub distress: f32,
}

impl Answer {
    fn of(heard: &Heard) -> Self {
        let shares = heard.calibration.probabilities(&heard.logits, |_| true);
        Self {
            path: heard.entry.path.clone(),
            corpus: heard.entry.corpus.clone(),
            speaker: heard.entry.speaker.clone(),
            meant: heard.class,
            classes: Class::ALL.into_iter().zip(shares).collect(),
            distress: heard.distress,
        }
    }
}

/// Why an evaluation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// The speech could not be read.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// The network library failed.
    #[error("the network failed: {0}")]
    Network(#[from] candle_core::Error),
    /// Nothing is left to evaluate on.
    #[error(
        "no clip is left: {heard_before} are of speakers that the model knows, {unmapped} have a label that is no class"
    )]
    Nothing {
        /// Clips of known speakers.
        heard_before: usize,
        /// Clips of unknown labels.
        unmapped: usize,
    },
}

/// Evaluates `model` on a manifest whose audio is below `root`. `progress` is told clips done and clips in all.
///
/// # Errors
/// Unreadable speech, or nothing to evaluate on.
pub fn evaluate(
    model: &Arc<Model>,
    manifest: &Manifest,
    root: &Path,
    options: &EvalOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Evaluation, EvalError> {
    let known: BTreeSet<&String> = model.meta().heard.iter().collect();
    let fresh = manifest.filtered(|entry| !known.contains(&entry.speaker));
    let heard_before = manifest.entries.len() - fresh.entries.len();
    let usable = fresh.filtered(|entry| entry.class().is_some());
    let unmapped = fresh.entries.len() - usable.entries.len();
    if usable.entries.is_empty() {
        return Err(EvalError::Nothing { heard_before, unmapped });
    }
    let rounds = if options.against_wide && options.band != Band::Wide { 2 } else { 1 };
    let of = rounds * usable.entries.len();
    let meter = clock::CpuTime::start();
    let mut hearing = Hearing::new(root, options, of, progress);
    let calibration = &model.meta().calibration;
    let heard = hearing.hear(model, calibration, &usable, options.band)?;
    let wide = match rounds {
        2 => Some(hearing.hear(model, calibration, &usable, Band::Wide)?),
        _ => None,
    };
    let Hearing { reading_ms, seconds, .. } = hearing;
    let cpu_ms_per_second = meter.elapsed_ms().map(|ms| (ms - reading_ms) / seconds.max(1e-9));

    let corpora = usable
        .corpora()
        .into_iter()
        .map(|corpus| report(&corpus, &heard, wide.as_deref(), options.draws))
        .collect();
    let beside = beside_manner(model, model.meta().calibration_for(true), &heard)?.unwrap_or_default();
    let known: BTreeSet<&String> = beside.iter().map(|clip| &clip.entry.corpus).collect();
    let manner_known = known.into_iter().map(|corpus| report(corpus, &beside, None, options.draws)).collect();
    Ok(Evaluation {
        model: model.meta().name.clone(),
        sha256: model.sha256().to_owned(),
        licence: model.meta().licence,
        parameters: model.parameters(),
        band: options.band,
        loss: options.loss,
        heard_before,
        unmapped,
        cpu_ms_per_second,
        corpora,
        manner_known,
        answers: heard.iter().map(Answer::of).collect(),
    })
}

/// A model with clips of speakers that it does not know, and a calibration in place of its own.
pub(crate) struct Part<'m> {
    pub(crate) model: &'m Model,
    pub(crate) calibration: Calibration,
    pub(crate) manifest: Manifest,
}

/// What several models make of clips of their own, taken together.
pub(crate) fn evaluate_together(
    parts: &[Part<'_>],
    root: &Path,
    options: &EvalOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<CorpusReport>, EvalError> {
    let of = parts.iter().map(|part| part.manifest.entries.len()).sum();
    let mut hearing = Hearing::new(root, options, of, progress);
    let mut heard = Vec::new();
    for Part { model, calibration, manifest } in parts {
        heard.extend(hearing.hear(model, calibration, manifest, options.band)?);
    }
    let corpora: BTreeSet<&String> = heard.iter().map(|clip| &clip.entry.corpus).collect();
    Ok(corpora.into_iter().map(|corpus| report(corpus, &heard, None, options.draws)).collect())
}
