//! Evaluation on labelled speech: how right the model is, how sure one may be of that, and whether something else than
//! feeling explains it.
//!
//! Any corpus will do whose labels map on a subset of the classes. Speakers that the model was trained or calibrated on
//! are left out and counted.

mod clock;
mod leaks;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use serde::Serialize;

use crate::{
    class::{CLASSES, ClassSet},
    corpus::{Band, Clip, CorpusError, Entry, Manifest, audio},
    metrics::{
        Confusion, Figure, RiskPoint, auc, bootstrap, calibration_error, calibration_noise, risk_coverage,
    },
    model::{Calibration, Licence, Model},
    rng::Rng,
    train::validate::score,
};
use sidetone_call::Class;

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
    /// Corpus by corpus.
    pub corpora: Vec<CorpusReport>,
}

/// The figures on one corpus.
#[derive(Debug, Clone, Serialize)]
pub struct CorpusReport {
    /// The corpus.
    pub corpus: String,
    /// Clips.
    pub clips: usize,
    /// Speakers.
    pub speakers: usize,
    /// Class set by class set.
    pub sets: Vec<SetReport>,
    /// Anger, fear, sadness and disgust against all other clips, by the distress output: area under the curve.
    pub distress_against_rest: Option<Figure>,
    /// Anger, fear, sadness and disgust against calm and neutral.
    pub distress_against_calm: Option<Figure>,
    /// Anger and fear against calm and neutral.
    pub alarm_against_calm: Option<Figure>,
    /// Native recall by sex and by language.
    pub slices: Vec<Slice>,
    /// Native recall as recorded less through the band.
    pub wide_less_band: Option<f64>,
    /// What knowing nothing but the clip's length would give, speakers apart.
    pub length_only: Option<f64>,
    /// What knowing nothing but the clip's level would give, speakers apart.
    pub level_only: Option<f64>,
}

/// The figures over one set of classes.
#[derive(Debug, Clone, Serialize)]
pub struct SetReport {
    /// Its name.
    pub set: &'static str,
    /// The classes of it that the corpus has.
    pub classes: Vec<Class>,
    /// Clips of these classes.
    pub clips: usize,
    /// Unweighted average recall, with its interval over speakers.
    pub uar: Option<Figure>,
    /// Rows are what was meant, columns what was heard, in the order of `classes`.
    pub confusion: Confusion,
    /// Expected calibration error.
    pub calibration_error: f64,
    /// What it would be by chance, were the model perfectly calibrated: see [`calibration_noise`].
    pub calibration_noise: f64,
    /// Risk against coverage.
    pub risk_coverage: Vec<RiskPoint>,
    /// Confidence against accuracy, in tenths of confidence; empty tenths are left out.
    pub reliability: Vec<ReliabilityBin>,
}

/// The clips of a tenth of confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ReliabilityBin {
    /// Mean confidence.
    pub confidence: f64,
    /// Share that was right.
    pub accuracy: f64,
    /// Clips.
    pub clips: usize,
}

/// Recall on a part of the clips.
#[derive(Debug, Clone, Serialize)]
pub struct Slice {
    /// `sex` or `lang`.
    pub by: &'static str,
    /// Its value.
    pub value: String,
    /// Clips.
    pub clips: usize,
    /// Unweighted average recall.
    pub uar: f64,
}

/// A clip after a model has heard it.
struct Heard {
    entry: Entry,
    class: Class,
    logits: Vec<f32>,
    /// Of the model that heard it.
    calibration: Arc<Calibration>,
    distress: f32,
    /// Length in seconds and level in dB, of the recording.
    length: f32,
    level: f32,
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
    let mut hearing = Hearing { root, options, progress, done: 0, of, reading_ms: 0.0, seconds: 0.0 };
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
    let mut hearing = Hearing { root, options, progress, done: 0, of, reading_ms: 0.0, seconds: 0.0 };
    let mut heard = Vec::new();
    for Part { model, calibration, manifest } in parts {
        heard.extend(hearing.hear(model, calibration, manifest, options.band)?);
    }
    let corpora: BTreeSet<&String> = heard.iter().map(|clip| &clip.entry.corpus).collect();
    Ok(corpora.into_iter().map(|corpus| report(corpus, &heard, None, options.draws)).collect())
}

/// Hearing clips, and what it takes.
struct Hearing<'a> {
    root: &'a Path,
    options: &'a EvalOptions,
    progress: &'a mut dyn FnMut(usize, usize),
    done: usize,
    of: usize,
    /// CPU time for what is not the model's work: reading, and the line.
    reading_ms: f64,
    /// Audio heard.
    seconds: f64,
}

impl Hearing<'_> {
    fn hear(
        &mut self,
        model: &Model,
        calibration: &Calibration,
        manifest: &Manifest,
        band: Band,
    ) -> Result<Vec<Heard>, EvalError> {
        let mut rng = Rng::new(7);
        let calibration = Arc::new(calibration.clone());
        let mut all = Vec::new();
        for entry in &manifest.entries {
            let before = clock::CpuTime::start();
            let recorded = audio::read(&self.root.join(&entry.path))?;
            let pcm = band.over_line(&recorded, self.options.gain_db, self.options.loss, &mut rng);
            self.reading_ms += before.elapsed_ms().unwrap_or(0.0);
            self.seconds += pcm.len() as f64 / 8000.0;
            let clip = Clip::new(&pcm, &model.meta().features);
            let Some(class) = entry.class() else { continue };
            if clip.steps > 0 {
                let (logits, affect) = score(model.network(), &clip)?;
                let distress = calibration.read(&logits, &affect).distress;
                let power = recorded.iter().map(|x| f32::from(*x).powi(2)).sum::<f32>()
                    / recorded.len().max(1) as f32;
                let level = 10.0 * (power + 1.0).log10();
                let length = recorded.len() as f32 / 8000.0;
                let (entry, calibration) = (entry.clone(), Arc::clone(&calibration));
                all.push(Heard { entry, class, logits, calibration, distress, length, level });
            }
            self.done += 1;
            (self.progress)(self.done, self.of);
        }
        Ok(all)
    }
}

fn report(corpus: &str, heard: &[Heard], wide: Option<&[Heard]>, draws: usize) -> CorpusReport {
    let own: Vec<&Heard> = heard.iter().filter(|clip| clip.entry.corpus == corpus).collect();
    let native = native_recall(&own);
    let wide_less_band = wide.map(|wide| {
        let own: Vec<&Heard> = wide.iter().filter(|clip| clip.entry.corpus == corpus).collect();
        native_recall(&own) - native
    });
    let troubled =
        |class: Class| matches!(class, Class::Anger | Class::Fear | Class::Sadness | Class::Disgust);
    let alarmed = |class: Class| matches!(class, Class::Anger | Class::Fear);
    let quiet = |class: Class| matches!(class, Class::Calm | Class::Neutral);
    let area = |positive: &dyn Fn(Class) -> bool, negative: &dyn Fn(Class) -> bool| {
        let picked = own.iter().copied().filter(|clip| positive(clip.class) || negative(clip.class));
        bootstrap(&by_speaker(picked, |clip| (clip.distress, positive(clip.class))), draws, auc)
    };
    let classes: BTreeSet<Class> = own.iter().map(|clip| clip.class).collect();
    let mut sets: Vec<SetReport> = Vec::new();
    for set in ClassSet::ALL {
        let of: Vec<Class> = classes.iter().copied().filter(|class| set.contains(*class)).collect();
        // A set that leaves the corpus as it is would only repeat the row before.
        if of.len() >= 2 && sets.iter().all(|other| other.classes != of) {
            sets.push(set_report(set, &of, &own, draws));
        }
    }
    CorpusReport {
        corpus: corpus.to_owned(),
        clips: own.len(),
        speakers: own.iter().map(|clip| &clip.entry.speaker).collect::<BTreeSet<_>>().len(),
        sets,
        distress_against_rest: area(&troubled, &|class| !troubled(class)),
        distress_against_calm: area(&troubled, &quiet),
        alarm_against_calm: area(&alarmed, &quiet),
        slices: slices(&own),
        wide_less_band,
        length_only: leaks::alone(
            &own.iter().map(|c| (c.entry.speaker.as_str(), c.class, c.length)).collect::<Vec<_>>(),
        ),
        level_only: leaks::alone(
            &own.iter().map(|c| (c.entry.speaker.as_str(), c.class, c.level)).collect::<Vec<_>>(),
        ),
    }
}

fn set_report(set: ClassSet, classes: &[Class], own: &[&Heard], draws: usize) -> SetReport {
    let answers: Vec<(&Heard, usize, usize, f32)> =
        own.iter().filter_map(|clip| answer(clip, classes)).collect();
    let scored: Vec<(f32, bool)> =
        answers.iter().map(|(_, meant, given, confidence)| (*confidence, meant == given)).collect();
    let mut groups: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
    for (clip, meant, given, _) in &answers {
        groups.entry(clip.entry.speaker.clone()).or_default().push((*meant, *given));
    }
    let recall = |pairs: &[(usize, usize)]| Some(Confusion::new(classes.len(), pairs.iter().copied()).uar());
    let reliability = (0..10)
        .filter_map(|tenth| {
            let bin: Vec<_> = scored
                .iter()
                .filter(|(confidence, _)| ((confidence * 10.0) as usize).min(9) == tenth)
                .collect();
            let count = bin.len() as f64;
            (!bin.is_empty()).then(|| {
                let confidence =
                    bin.iter().map(|(confidence, _)| f64::from(*confidence)).sum::<f64>() / count;
                let accuracy = bin.iter().filter(|(_, right)| *right).count() as f64 / count;
                ReliabilityBin { confidence, accuracy, clips: bin.len() }
            })
        })
        .collect();
    SetReport {
        set: set.name(),
        classes: classes.to_vec(),
        clips: answers.len(),
        uar: bootstrap(&groups, draws, recall),
        confusion: Confusion::new(classes.len(), answers.iter().map(|(_, meant, given, _)| (*meant, *given))),
        calibration_error: calibration_error(&scored),
        calibration_noise: calibration_noise(&scored),
        risk_coverage: risk_coverage(&scored),
        reliability,
    }
}

/// What the model answers when only `classes` are possible: places of the meant and of the given class, and the
/// confidence. `None` for a clip of another class.
fn answer<'c>(clip: &'c Heard, classes: &[Class]) -> Option<(&'c Heard, usize, usize, f32)> {
    let meant = classes.iter().position(|class| *class == clip.class)?;
    let probabilities = clip.calibration.probabilities(&clip.logits, |class| classes.contains(&class));
    let (given, confidence) = classes
        .iter()
        .map(|class| probabilities.get(class.index()).copied().unwrap_or(0.0))
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some((clip, meant, given, confidence))
}

fn native_recall(own: &[&Heard]) -> f64 {
    let classes: Vec<Class> =
        own.iter().map(|clip| clip.class).collect::<BTreeSet<_>>().into_iter().collect();
    let pairs = own.iter().filter_map(|clip| answer(clip, &classes));
    Confusion::new(CLASSES, pairs.map(|(_, meant, given, _)| (meant, given))).uar()
}

fn slices(own: &[&Heard]) -> Vec<Slice> {
    let classes: Vec<Class> =
        own.iter().map(|clip| clip.class).collect::<BTreeSet<_>>().into_iter().collect();
    let mut slices = Vec::new();
    for (by, get) in [("sex", (|entry| &entry.sex) as fn(&Entry) -> &String), ("lang", |entry| &entry.lang)] {
        let mut parts: BTreeMap<&String, Vec<(usize, usize)>> = BTreeMap::new();
        for (clip, meant, given, _) in own.iter().filter_map(|clip| answer(clip, &classes)) {
            parts.entry(get(&clip.entry)).or_default().push((meant, given));
        }
        for (value, pairs) in parts.into_iter().filter(|(value, _)| !value.is_empty()) {
            let uar = Confusion::new(CLASSES, pairs.iter().copied()).uar();
            slices.push(Slice { by, value: value.clone(), clips: pairs.len(), uar });
        }
    }
    slices
}

fn by_speaker<'c, T>(
    clips: impl Iterator<Item = &'c Heard>,
    get: impl Fn(&Heard) -> T,
) -> BTreeMap<String, Vec<T>> {
    let mut groups: BTreeMap<String, Vec<T>> = BTreeMap::new();
    for clip in clips {
        groups.entry(clip.entry.speaker.clone()).or_default().push(get(clip));
    }
    groups
}
