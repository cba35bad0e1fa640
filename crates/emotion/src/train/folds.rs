//! Calibration by folds: a model that has heard every speaker it may, calibrated on what models trained alike make of
//! speakers that they have not heard.
//!
//! Few speakers are a poor ground for calibration, and those kept for it are lost for training. So the same training is
//! done several times, each without some speakers, and once with all (cross-fitting; Platt 1999 §2.3). The temperature
//! fits the former on those speakers and serves the latter.

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use candle_core::Tensor;

use super::{
    Progress, Split, TrainError,
    calibrate::{self, Sample},
    card,
    checkpoint::{read, save},
    evaluated,
    sounds::{Sound, evenly, hear, load},
    validate::samples,
};
use crate::{
    corpus::{Clip, Entry, Manifest},
    eval::{CorpusReport, EvalOptions, Evaluation, Part, evaluate_together},
    features::FeatureConfig,
    model::{self, Calibration, Model},
};

/// What to calibrate, by what.
#[derive(Debug, Clone)]
pub struct FoldOptions {
    /// The model that has heard all.
    pub model: PathBuf,
    /// Models trained like it but without some of its speakers.
    pub folds: Vec<PathBuf>,
    /// The manifest: see [`crate::corpus::manifest`].
    pub manifest: PathBuf,
    /// The folder that its paths are in.
    pub root: PathBuf,
    /// Where `model.safetensors` and `CARD.md` go.
    pub out: PathBuf,
    /// How what the model was trained from had been made, in Markdown: the card says it before what the model's own
    /// card says of its training.
    pub recipe: String,
    /// Most clips of one corpus that a fold is heard on.
    pub most_clips: usize,
    /// Whether the distress output keeps the scale that it has: the one by which alerts were chosen.
    pub keep_distress: bool,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct FoldReport {
    /// The calibrated model.
    pub model: PathBuf,
    /// The calibration.
    pub calibration: Calibration,
    /// Clips that it was fitted on.
    pub clips: usize,
    /// The figures on speakers that the model has not heard, if the manifest has any.
    pub evaluation: Option<Evaluation>,
    /// What each fold, calibrated by the others, makes of the speakers that it has not heard, taken together.
    pub strangers: Vec<CorpusReport>,
}

/// Calibrates a model and writes it with its card.
///
/// # Errors
/// See [`TrainError`]; a fold that holds nobody apart, or that is of another shape than the model.
pub fn calibrate_by_folds(
    options: &FoldOptions,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<FoldReport, TrainError> {
    let model = Model::open(&options.model)?;
    let heard: BTreeSet<String> = model.meta().heard.iter().cloned().collect();
    let mut asked = BTreeSet::new();
    let folds = options.folds.iter().map(|path| fold(path, &model, &heard, &mut asked));
    let folds = folds.collect::<Result<Vec<_>, _>>()?;
    let manifest =
        Manifest::read(&options.manifest)?.filtered(|entry| model.meta().corpora.contains(&entry.corpus));
    let sounds = load(&manifest.filtered(|entry| asked.contains(&entry.speaker)), &options.root, progress)?;

    let features = FeatureConfig::default();
    let mut found: Vec<Vec<Sample>> = Vec::new();
    let mut beside: Vec<Sample> = Vec::new();
    for fold in &folds {
        let own: Vec<&Sound> =
            sounds.iter().filter(|sound| fold.apart.contains(&sound.entry.speaker)).collect();
        let clips: Vec<(Entry, Clip)> =
            evenly(&own, options.most_clips).iter().map(|sound| hear(sound, &features)).collect();
        let both = samples(fold.model.network(), &clips)?;
        found.push(both.alone);
        if model.meta().network.caller {
            beside.extend(both.beside);
        }
    }
    let strangers = strangers(&folds, &found, &manifest, options, progress)?;
    let found = found.concat();
    if found.is_empty() {
        return Err(TrainError::Nothing(
            "the manifest has no clip of a speaker that a fold holds apart".into(),
        ));
    }

    let mut meta = model.meta().clone();
    meta.calibration = calibrate::calibrate(&found);
    meta.beside_manner = meta.network.caller.then(|| calibrate::calibrate(&beside));
    if options.keep_distress {
        for manner_known in [false, true] {
            let before = model.meta().calibration_for(manner_known);
            let now = if manner_known { meta.beside_manner.as_mut() } else { Some(&mut meta.calibration) };
            if let Some(now) = now {
                (now.distress_scale, now.distress_shift) = (before.distress_scale, before.distress_shift);
            }
        }
    }
    let test: BTreeSet<String> = manifest
        .entries
        .iter()
        .map(|entry| entry.speaker.clone())
        .filter(|name| !heard.contains(name))
        .collect();
    meta.held_out = test.iter().cloned().collect();
    meta.card_sha256 = String::new();
    std::fs::create_dir_all(&options.out)
        .map_err(|source| TrainError::Output { path: options.out.clone(), source })?;
    let path = options.out.join("model.safetensors");
    let tensors: HashMap<String, Tensor> = model.network().tensors()?.into_iter().collect();
    model::write(&path, &meta, &tensors)?;

    let calibrated = Model::from_bytes(&read(&path)?)?;
    let evaluation = evaluated(&calibrated, &manifest, &test, &options.root)?;
    let own = std::fs::read_to_string(options.model.with_file_name("CARD.md")).unwrap_or_default();
    let training = format!(
        "{}\n\n{}\n\nCalibrated on {} clips of {} speakers, as heard by {} trainings like this one that each left some \
         of them out.",
        options.recipe.trim(),
        card::training_said(&own).unwrap_or_default(),
        found.len(),
        found.iter().map(|sample| &sample.speaker).collect::<BTreeSet<_>>().len(),
        folds.len()
    );
    let card = card::write(&card::Card {
        name: &meta.name,
        licence: meta.licence,
        training: &training,
        manifest: &manifest,
        split: &Split { train: heard, validation: BTreeSet::new(), test },
        evaluation: evaluation.as_ref(),
        calibration: &meta.calibration,
        strangers: &strangers,
    });
    meta.card_sha256 = model::card_checksum(&card);
    model::write(&path, &meta, &tensors)?;
    save(&options.out.join("CARD.md"), card.as_bytes())?;
    Model::open(&path)?;
    Ok(FoldReport { model: path, calibration: meta.calibration, clips: found.len(), evaluation, strangers })
}

/// The figures of the folds on whom they don't know. What calibrates a fold has none of these speakers in it.
fn strangers(
    folds: &[Fold],
    found: &[Vec<Sample>],
    manifest: &Manifest,
    options: &FoldOptions,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<Vec<CorpusReport>, TrainError> {
    let parts = folds.iter().map(|fold| {
        let others = found.iter().flatten().filter(|sample| !fold.apart.contains(&sample.speaker));
        let known: Vec<Sample> = others.cloned().collect();
        Part {
            model: &fold.model,
            calibration: calibrate::calibrate(&known),
            manifest: manifest
                .filtered(|entry| fold.apart.contains(&entry.speaker) && entry.class().is_some()),
        }
    });
    let parts: Vec<Part<'_>> = parts.collect();
    let heard = evaluate_together(&parts, &options.root, &EvalOptions::default(), &mut |done, of| {
        progress(Progress::Loading { done, of });
    });
    Ok(heard?)
}

/// A model trained like the one to calibrate.
struct Fold {
    model: Arc<Model>,
    /// Speakers that the other has heard and this one has not, nor a fold named before it been asked about: each counts
    /// once. Those that neither has heard are for testing.
    apart: BTreeSet<String>,
}

fn fold(
    path: &Path,
    model: &Model,
    heard: &BTreeSet<String>,
    asked: &mut BTreeSet<String>,
) -> Result<Fold, TrainError> {
    let fold = Model::open(path)?;
    // A fold that hears the caller's manner as well says of a stranger what one without that layer says.
    let mut shape = fold.meta().network.clone();
    shape.caller &= model.meta().network.caller;
    shape.music = model.meta().network.music;
    if shape != model.meta().network {
        return Err(TrainError::Nothing(format!("{} is of another shape than the model", path.display())));
    }
    let own: BTreeSet<String> = fold.meta().heard.iter().cloned().collect();
    let mut apart: BTreeSet<String> = heard.difference(&own).cloned().collect();
    apart.retain(|speaker| asked.insert(speaker.clone()));
    if apart.is_empty() {
        return Err(TrainError::Nothing(format!(
            "{} has heard whomever the model has, but for those that a fold before it is asked about",
            path.display()
        )));
    }
    Ok(Fold { model: fold, apart })
}
