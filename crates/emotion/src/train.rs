//! Training: from a manifest and a folder of speech to a model file and its card, by one seeded command.
//!
//! Each epoch hears every clip of the speech corpora anew (another speed, line, level, noise, codec, loss) and a share
//! of the larger ones. After each epoch the running average of the weights is tried on the validation speakers; the
//! best average is kept, calibrated on those same speakers, and tried once on the test speakers for the card.
mod batch;
pub mod blend;
pub(crate) mod calibrate;
mod callers;
mod card;
mod checkpoint;
mod command;
mod device;
mod epoch;
pub mod folds;
pub mod music;
pub(crate) mod optimiser;
mod options;
mod sounds;
pub mod split;
mod targets;
mod teacher;
mod trainer;
mod validate;
mod warp;
mod whisper;

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    sync::Arc,
};

use candle_core::{Device, Tensor};

pub use options::{Epoch, Processor, Progress, Report, TrainError, TrainOptions};
pub use split::Split;

use crate::{
    corpus::{Clip, Entry, Manifest},
    eval::{CorpusReport, EvalError, EvalOptions, Evaluation, evaluate},
    model::{self, Meta, Model},
    network::Network,
};
use checkpoint::{read, save};
use sidetone_call::Class;
use sounds::{Sound, hear, load};
use trainer::Trainer;
use validate::samples;

/// Trains a model. Goes on from the checkpoint in the output folder if there is one; the result is the same as without
/// the interruption.
///
/// # Errors
/// See [`TrainError`].
pub fn train(
    options: &TrainOptions,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<Report, TrainError> {
    options.network.check()?;
    if options.frozen && options.start.is_none() {
        return Err(TrainError::Nothing(
            "only the encoder of a model to start from can stay as it is".into(),
        ));
    }
    std::fs::create_dir_all(&options.out)
        .map_err(|source| TrainError::Output { path: options.out.clone(), source })?;
    let manifest = Manifest::read(&options.manifest)?
        .filtered(|entry| options.corpora.is_empty() || options.corpora.contains(&entry.corpus));
    let split = Split::new(&manifest, &options.test, &options.validation, options.seed);
    // Only what is drawn is read: of a large corpus that is a part.
    let drawn =
        |side: &BTreeSet<String>, most| manifest.filtered(|entry| side.contains(&entry.speaker)).evenly(most);
    let drawn = [drawn(&split.train, options.pool), drawn(&split.validation, options.most_clips / 3)];
    let drawn = Manifest { entries: drawn.into_iter().flat_map(|part| part.entries).collect() };
    let sounds = load(&drawn, &options.root, progress)?;
    let on = |side: &BTreeSet<String>| -> Vec<&Sound> {
        sounds.iter().filter(|sound| side.contains(&sound.entry.speaker)).collect()
    };
    let (training, validation) = (on(&split.train), on(&split.validation));
    let unchecked = options.validation.iter().any(|name| name == split::NOBODY);
    if training.is_empty() || (validation.is_empty() && !unchecked) {
        return Err(TrainError::Nothing(format!(
            "{} training and {} validation clips: name at least three speakers",
            training.len(),
            validation.len()
        )));
    }
    // Who was heard before is heard still, whatever the manifest says of them.
    let (mut heard, mut corpora) = (BTreeSet::new(), BTreeSet::from_iter(manifest.corpora()));
    heard.extend(split.train.union(&split.validation).cloned());
    if let Some(path) = &options.start {
        let before = Model::open(path)?;
        heard.extend(before.meta().heard.iter().cloned());
        corpora.extend(before.meta().corpora.iter().cloned());
    }
    let mut trainer = Trainer::new(options, &training, progress)?;
    // Validation hears a fixed G.711 line.
    let checked: Vec<(Entry, Clip)> = validation.iter().map(|sound| hear(sound, &trainer.features)).collect();

    trainer.restore()?;
    while !trainer.finished() {
        let epoch = trainer.epoch(&training, &checked, progress)?;
        trainer.store()?;
        if !progress(Progress::Epoch(epoch)) {
            break;
        }
    }

    let best: HashMap<String, Tensor> = trainer.best_tensors()?;
    let network = Network::new(trainer.shape().clone(), &best, &Device::Cpu)?;
    let samples = samples(&network, &checked)?;
    let calibration = calibrate::calibrate(&samples.alone);
    let beside_manner = network.config().caller.then(|| calibrate::calibrate(&samples.beside));
    let mut meta = Meta {
        name: options.name.clone(),
        licence: options.licence,
        corpora: corpora.into_iter().collect(),
        held_out: split.test.difference(&heard).cloned().collect(),
        heard: heard.into_iter().collect(),
        seed: options.seed,
        features: trainer.features.clone(),
        network: trainer.shape().clone(),
        classes: Class::ALL.to_vec(),
        calibration,
        beside_manner,
        card_sha256: String::new(),
    };
    let path = options.out.join("model.safetensors");
    // Tried as it will be read: in half precision, through the very code of `sidetone model eval`.
    model::write(&path, &meta, &best)?;
    let model = Model::from_bytes(&read(&path)?)?;
    let evaluation = evaluated(&model, &manifest, &split.test, &options.root)?;
    let report = Report {
        model: path,
        card: options.out.join("CARD.md"),
        parameters: model.parameters(),
        processor: Processor::from(&trainer.device),
        history: trainer.history.clone(),
        best: trainer.best,
        test: evaluation
            .iter()
            .flat_map(|evaluation| &evaluation.corpora)
            .filter_map(native_recall)
            .collect(),
        evaluation,
        split,
    };
    let card = card::write(&card::Card {
        name: &options.name,
        licence: options.licence,
        training: &card::training(options, &report),
        manifest: &manifest,
        split: &report.split,
        evaluation: report.evaluation.as_ref(),
        calibration: &meta.calibration,
        strangers: &[],
    });
    meta.card_sha256 = model::card_checksum(&card);
    model::write(&report.model, &meta, &best)?;
    save(&report.card, card.as_bytes())?;
    let json = serde_json::to_vec_pretty(&serde_json::json!({ "options": options, "report": report }));
    save(&options.out.join("training.json"), &json.unwrap_or_default())?;
    Model::open(&report.model)?;
    Ok(report)
}

/// The figures on the test speakers, if there are any.
fn evaluated(
    model: &Arc<Model>,
    manifest: &Manifest,
    test: &BTreeSet<String>,
    root: &Path,
) -> Result<Option<Evaluation>, TrainError> {
    let tested = manifest.filtered(|entry| test.contains(&entry.speaker));
    let figures = EvalOptions { against_wide: false, ..EvalOptions::default() };
    match evaluate(model, &tested, root, &figures, &mut |_, _| {}) {
        Ok(evaluation) => Ok(Some(evaluation)),
        Err(EvalError::Nothing { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn native_recall(report: &CorpusReport) -> Option<(String, f64)> {
    Some((report.corpus.clone(), report.sets.first()?.uar?.value))
}
