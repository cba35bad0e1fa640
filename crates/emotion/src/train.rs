//! Training: from a manifest and a folder of speech to a model file and its card, by one seeded command.
//!
//! Each epoch hears every clip of the speech corpora anew (another speed, line, level, noise, codec, loss) and a share
//! of the larger ones. After each epoch the running average of the weights is tried on the validation speakers; the
//! best average is kept, calibrated on those same speakers, and tried once on the test speakers for the card.

pub(crate) mod calibrate;
mod card;
pub(crate) mod optimiser;
pub mod split;
mod targets;
mod teacher;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
};

use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

pub use split::Split;

use crate::{
    class::Class,
    corpus::{Band, Clip, CorpusError, Entry, Manifest, audio, telephony::Augmentation},
    eval::{CorpusReport, EvalError, EvalOptions, Evaluation, evaluate},
    features::FeatureConfig,
    metrics::Confusion,
    model::{self, Licence, Meta, Model, ModelError},
    network::{Dropout, Network, NetworkConfig, Outputs, STEPS_PER_FRAME},
    rng::Rng,
};
use calibrate::Sample;
use optimiser::Optimiser;
use targets::{Target, Teaching};
use teacher::Teacher;

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
    /// Share of activations dropped.
    pub dropout: f32,
    /// Most clips of one corpus in an epoch.
    pub most_clips: usize,
    /// The network's shape.
    pub network: NetworkConfig,
    /// How clips are varied.
    pub augmentation: Augmentation,
    /// Variations of a clip that are made once and heard in turn; 0 to make every one anew, which costs about as much
    /// time again as the network's own work.
    pub variants: usize,
    /// Whisper's first blocks, to distil from: see `models/teacher/`.
    pub teacher: Option<PathBuf>,
    /// How much the teacher counts beside the labels.
    pub teacher_weight: f64,
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
            dropout: 0.15,
            most_clips: 1200,
            network: NetworkConfig::default(),
            augmentation: Augmentation::default(),
            variants: 0,
            teacher: None,
            teacher_weight: 1.0,
        }
    }
}

/// How far training is. Handed to the caller as it goes; return `false` to stop after the current epoch's checkpoint.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case", tag = "phase")]
pub enum Progress {
    /// Reading audio.
    Loading {
        /// Clips read.
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

/// What an epoch came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Epoch {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Mean training loss.
    pub loss: f32,
    /// Unweighted average recall on the validation speakers, by corpus.
    pub validation: BTreeMap<String, f64>,
    /// What the best epoch is chosen by: the mean of those, less a part of the cross-entropy.
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
    /// There is nothing to learn from.
    #[error("{0}")]
    Nothing(String),
    /// A file in the output folder could not be written or read.
    #[error("{path}: {source}")]
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

/// A clip with its label and its PCM.
struct Sound {
    /// Its place in the manifest.
    key: usize,
    entry: Entry,
    pcm: Vec<i16>,
}

/// A clip of an epoch, varied.
struct Heard {
    clip: Clip,
    target: Target,
    /// What the teacher says, a row a frame.
    taught: Vec<f32>,
}

/// Trains a model. Goes on from the checkpoint in the output folder if there is one; the result is the same as without
/// the interruption.
///
/// # Errors
/// See [`TrainError`].
pub fn train(
    options: &TrainOptions,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<Report, TrainError> {
    options.network.check().map_err(TrainError::Nothing)?;
    std::fs::create_dir_all(&options.out)
        .map_err(|source| TrainError::Output { path: options.out.clone(), source })?;
    let manifest = Manifest::read(&options.manifest)?
        .filtered(|entry| options.corpora.is_empty() || options.corpora.contains(&entry.corpus));
    let split = Split::new(&manifest, &options.test, &options.validation, options.seed);
    let sounds = load(&manifest, &options.root, progress)?;
    let on = |side: &BTreeSet<String>| -> Vec<&Sound> {
        sounds.iter().filter(|sound| side.contains(&sound.entry.speaker)).collect()
    };
    let (training, validation) = (on(&split.train), on(&split.validation));
    if training.is_empty() || validation.is_empty() {
        return Err(TrainError::Nothing(format!(
            "{} training and {} validation clips: name at least three speakers",
            training.len(),
            validation.len()
        )));
    }
    let mut trainer = Trainer::new(options, &training)?;
    // Validation hears a fixed G.711 line, and of a large corpus only a part.
    let heard = evenly(&validation, options.most_clips / 3);
    let checked: Vec<(Entry, Clip)> = heard.iter().map(|sound| hear(sound, &trainer.features)).collect();

    trainer.restore()?;
    while !trainer.finished() {
        let epoch = trainer.epoch(&training, &checked, progress)?;
        trainer.store()?;
        if !progress(Progress::Epoch(epoch)) {
            break;
        }
    }

    let best: HashMap<String, Tensor> = trainer.best_tensors();
    let network = Network::new(options.network.clone(), &best, &trainer.device)?;
    let samples = samples(&network, &checked)?;
    let calibration = calibrate::calibrate(&samples);
    let mut meta = Meta {
        name: options.name.clone(),
        licence: options.licence,
        corpora: manifest.corpora(),
        held_out: split.test.iter().cloned().collect(),
        heard: split.train.union(&split.validation).cloned().collect(),
        seed: options.seed,
        features: trainer.features.clone(),
        network: options.network.clone(),
        classes: Class::ALL.to_vec(),
        calibration,
        card_sha256: String::new(),
    };
    let path = options.out.join("model.safetensors");
    // Tried as it will be read: in half precision, through the very code of `sidetone model eval`.
    model::write(&path, &meta, &best)?;
    let model = Model::from_bytes(&read(&path)?)?;
    let tested = manifest.filtered(|entry| split.test.contains(&entry.speaker));
    let figures = EvalOptions { against_wide: false, ..EvalOptions::default() };
    let evaluation = match evaluate(&model, &tested, &options.root, &figures, &mut |_, _| {}) {
        Ok(evaluation) => Some(evaluation),
        Err(EvalError::Nothing { .. }) => None,
        Err(EvalError::Corpus(error)) => return Err(error.into()),
        Err(EvalError::Network(error)) => return Err(error.into()),
    };
    let report = Report {
        model: path,
        card: options.out.join("CARD.md"),
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
    let card = card::write(options, &manifest, &report);
    meta.card_sha256 = model::card_checksum(&card);
    model::write(&report.model, &meta, &best)?;
    save(&report.card, card.as_bytes())?;
    let json = serde_json::to_vec_pretty(&serde_json::json!({ "options": options, "report": report }));
    save(&options.out.join("training.json"), &json.unwrap_or_default())?;
    Model::open(&report.model)?;
    Ok(report)
}

fn native_recall(report: &CorpusReport) -> Option<(String, f64)> {
    Some((report.corpus.clone(), report.sets.first()?.uar?.value))
}

fn read(path: &Path) -> Result<Vec<u8>, TrainError> {
    std::fs::read(path).map_err(|source| TrainError::Output { path: path.to_owned(), source })
}

fn save(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    std::fs::write(path, bytes).map_err(|source| TrainError::Output { path: path.to_owned(), source })
}

fn load(
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
fn evenly<'a>(sounds: &[&'a Sound], most: usize) -> Vec<&'a Sound> {
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

fn hear(sound: &Sound, features: &FeatureConfig) -> (Entry, Clip) {
    (sound.entry.clone(), Clip::new(&Band::G711.through(&sound.pcm), features))
}

/// The training under way.
struct Trainer<'a> {
    options: &'a TrainOptions,
    features: FeatureConfig,
    device: Device,
    teaching: Teaching,
    fixed: HashMap<String, Tensor>,
    optimiser: Optimiser,
    network: Network,
    label_head: (Tensor, Tensor),
    teacher: Option<Teacher>,
    teacher_head: Option<(Tensor, Tensor)>,
    /// Variations made so far, by clip and number.
    varied: HashMap<(usize, usize), (Clip, f32)>,
    /// The mean of each input: what a masked value is set to.
    blank: Vec<f32>,
    history: Vec<Epoch>,
    best: usize,
    best_weights: HashMap<String, Tensor>,
}

impl<'a> Trainer<'a> {
    fn new(options: &'a TrainOptions, training: &[&Sound]) -> Result<Self, TrainError> {
        let device = device();
        let features = FeatureConfig::default();
        let entries = training.iter().map(|sound| sound.entry.clone()).collect();
        let teaching = Teaching::new(&Manifest { entries });
        let mut rng = Rng::derive(options.seed, 0);
        let mut initial = options.network.initial(&mut rng, &device)?;
        initial.retain(|(name, _)| !name.starts_with("input."));
        let labels = teaching.labels();
        let hidden = options.network.hidden;
        let values: Vec<f32> =
            (0..hidden * labels).map(|_| 0.3 * rng.normal() / (hidden as f32).sqrt()).collect();
        initial.push(("labels.weight".into(), Tensor::from_vec(values, (hidden, labels), &device)?));
        initial.push(("labels.bias".into(), Tensor::zeros(labels, DType::F32, &device)?));
        let mut teacher = options.teacher.as_deref().map(|path| Teacher::open(path, &device)).transpose()?;
        if let Some(teacher) = &mut teacher {
            let channels = options.network.channels;
            let deviation = 1.0 / (channels as f32).sqrt();
            let values: Vec<f32> =
                (0..channels * teacher.width()).map(|_| deviation * rng.normal()).collect();
            initial.push((
                "teacher.weight".into(),
                Tensor::from_vec(values, (channels, teacher.width()), &device)?,
            ));
            initial.push(("teacher.bias".into(), Tensor::zeros(teacher.width(), DType::F32, &device)?));
            let clips = evenly(training, 60);
            teacher.standardise(clips.iter().map(|sound| (sound.key, sound.pcm.as_slice())))?;
        }
        let optimiser = Optimiser::new(&initial, 0.995, 0.05)?;
        let fixed = standardise(training, &features, &device)?;
        let mut tensors = optimiser.tensors();
        tensors.extend(fixed.clone());
        let network = Network::new(options.network.clone(), &tensors, &device)?;
        let head = |name: &str| {
            tensors.get(name).cloned().ok_or_else(|| TrainError::Nothing(format!("{name} is missing")))
        };
        let teacher_head = match teacher {
            Some(_) => Some((head("teacher.weight")?, head("teacher.bias")?)),
            None => None,
        };
        let blank = match fixed.get("input.shift") {
            Some(shift) => shift.neg()?.to_vec1()?,
            None => Vec::new(),
        };
        Ok(Self {
            teacher,
            teacher_head,
            blank,
            varied: HashMap::new(),
            label_head: (head("labels.weight")?, head("labels.bias")?),
            options,
            features,
            device,
            teaching,
            fixed,
            optimiser,
            network,
            history: Vec::new(),
            best: 0,
            best_weights: HashMap::new(),
        })
    }

    fn finished(&self) -> bool {
        let epoch = self.history.len();
        epoch >= self.options.epochs || (self.best > 0 && epoch >= self.best + self.options.patience)
    }

    fn best_tensors(&self) -> HashMap<String, Tensor> {
        let mut tensors =
            if self.best_weights.is_empty() { self.optimiser.averaged() } else { self.best_weights.clone() };
        tensors.extend(self.fixed.clone());
        tensors
    }

    fn epoch(
        &mut self,
        training: &[&Sound],
        checked: &[(Entry, Clip)],
        progress: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Epoch, TrainError> {
        let epoch = self.history.len() + 1;
        let mut rng = Rng::derive(self.options.seed, epoch as u64);
        let mut heard = self.vary(training, &mut rng)?;
        // Clips of like length go together, or padding would be most of the work; the batches come in random order.
        heard.sort_by_key(|heard| heard.clip.steps);
        let mut batches: Vec<&[Heard]> = heard.chunks(self.options.batch.max(1)).collect();
        rng.shuffle(&mut batches);
        let of = batches.len();
        let mut total = 0.0;
        for (done, batch) in batches.into_iter().enumerate() {
            let at = (epoch - 1) as f64 + done as f64 / of as f64;
            let warm = (at + 1.0 / of as f64).min(1.0);
            let fall = 0.5 + 0.5 * (std::f64::consts::PI * at / self.options.epochs as f64).cos();
            let loss = self.step(batch, self.options.rate * warm * (0.02 + 0.98 * fall), &mut rng)?;
            total += loss;
            progress(Progress::Step { epoch, done: done + 1, of, loss });
        }

        let mut averaged = self.optimiser.averaged();
        averaged.extend(self.fixed.clone());
        let network = Network::new(self.options.network.clone(), &averaged, &self.device)?;
        let scored = score_all(&network, checked)?;
        let validation = recalls(&scored);
        let mean = validation.values().sum::<f64>() / validation.len().max(1) as f64;
        let result = Epoch {
            epoch,
            loss: total / of.max(1) as f32,
            score: mean - 0.05 * surprise(&scored),
            validation,
        };
        if self.history.iter().all(|earlier| earlier.score < result.score) {
            self.best = epoch;
            self.best_weights = self.optimiser.averaged();
        }
        self.history.push(result.clone());
        Ok(result)
    }

    /// The epoch's clips, each varied anew.
    fn vary(&mut self, training: &[&Sound], rng: &mut Rng) -> Result<Vec<Heard>, TrainError> {
        let mut by_corpus: BTreeMap<&str, Vec<&Sound>> = BTreeMap::new();
        for sound in training {
            by_corpus.entry(&sound.entry.corpus).or_default().push(sound);
        }
        let mut heard = Vec::new();
        for mut sounds in by_corpus.into_values() {
            rng.shuffle(&mut sounds);
            for sound in sounds.into_iter().take(self.options.most_clips) {
                let Some(target) = self.teaching.target(&sound.entry) else { continue };
                let (whole, speed) = self.variation(sound, rng);
                let mut clip = crop(&whole, self.features.dimensions(), rng);
                if clip.steps < STEPS_PER_FRAME {
                    continue;
                }
                let taught = match &mut self.teacher {
                    Some(teacher) => {
                        let ends: Vec<u64> = clip
                            .ends
                            .iter()
                            .skip(STEPS_PER_FRAME - 1)
                            .step_by(STEPS_PER_FRAME)
                            .copied()
                            .collect();
                        teacher.rows(sound.key, &sound.pcm, &ends, speed)?
                    }
                    None => Vec::new(),
                };
                mask(&mut clip, &self.features, &self.blank, rng);
                heard.push(Heard { clip, target, taught });
            }
        }
        Ok(heard)
    }

    /// A clip as another caller might have sounded, and how many times as long it is.
    fn variation(&mut self, sound: &Sound, rng: &mut Rng) -> (Clip, f32) {
        let make = |rng: &mut Rng| {
            let (pcm, speed) = self.options.augmentation.apply(&sound.pcm, rng);
            (Clip::new(&pcm, &self.features), speed)
        };
        if self.options.variants == 0 {
            return make(rng);
        }
        // Each from its own seed, so that a resumed training makes the same ones.
        let key = (sound.key, rng.below(self.options.variants));
        let part = (key.0 * self.options.variants + key.1) as u64 | 1 << 40;
        let mut own = Rng::derive(self.options.seed, part);
        self.varied.entry(key).or_insert_with(|| make(&mut own)).clone()
    }

    fn step(&mut self, batch: &[Heard], rate: f64, rng: &mut Rng) -> Result<f32, TrainError> {
        let clips = batch.iter().map(|heard| &heard.clip);
        let (steps, mask) = stack(clips, self.features.dimensions(), &self.device)?;
        let mut dropout = Dropout { rng, rate: self.options.dropout };
        let frames = self.network.encode_training(&steps, &mut dropout)?;
        let outputs = self.network.pool(&frames, &mask, Some(&mut dropout))?;
        let labels = outputs.hidden.matmul(&self.label_head.0)?.broadcast_add(&self.label_head.1)?;
        let targets: Vec<&Target> = batch.iter().map(|heard| &heard.target).collect();
        let mut loss = targets::loss(&outputs, &labels, &targets, &self.device)?;
        if let Some((weight, bias)) = &self.teacher_head {
            let (rows, length, _) = frames.dims3()?;
            let channels = self.options.network.channels;
            let said = frames.narrow(2, 0, channels)?.reshape((rows * length, channels))?;
            let said = said.matmul(weight)?.broadcast_add(bias)?;
            let width = weight.dim(1)?;
            let mut taught = Vec::with_capacity(rows * length * width);
            for (row, heard) in batch.iter().enumerate() {
                taught.extend_from_slice(&heard.taught);
                taught.resize((row + 1) * length * width, 0.0);
            }
            let taught = Tensor::from_vec(taught, (rows * length, width), &self.device)?;
            let present = mask.reshape((rows * length, 1))?;
            let error = (said - taught)?.sqr()?.mean_keepdim(1)?.mul(&present)?.sum_all()?;
            loss = (loss + (error.div(&present.sum_all()?)? * self.options.teacher_weight)?)?;
        }
        self.optimiser.step(&loss.backward()?, rate)?;
        Ok(loss.to_scalar()?)
    }

    fn checkpoint(&self) -> PathBuf {
        self.options.out.join("checkpoint.safetensors")
    }

    /// What must agree for a checkpoint to be this training's.
    fn fingerprint(&self) -> String {
        // Where things lie does not matter, nor when to stop: a finished training may be taken up for more epochs, though
        // its learning rate then fell earlier than in one that knew from the start.
        let mut options = self.options.clone();
        (options.epochs, options.patience) = (0, 0);
        options.name = String::new();
        (options.manifest, options.root, options.out) = Default::default();
        options.teacher = options.teacher.map(|_| PathBuf::new());
        serde_json::to_string(&options).unwrap_or_default()
    }

    fn store(&self) -> Result<(), TrainError> {
        let (steps, mut tensors) = self.optimiser.stored()?;
        tensors
            .extend(self.best_weights.iter().map(|(name, tensor)| (format!("best/{name}"), tensor.clone())));
        let state = serde_json::json!({ "steps": steps, "best": self.best, "history": self.history });
        let entries = HashMap::from([
            ("options".to_owned(), self.fingerprint()),
            ("state".to_owned(), state.to_string()),
        ]);
        let path = self.checkpoint();
        let partial = path.with_extension("partial");
        let bytes = safetensors::serialize(&tensors, Some(entries))
            .map_err(|error| TrainError::Nothing(format!("checkpoint: {error}")))?;
        save(&partial, &bytes)?;
        std::fs::rename(&partial, &path).map_err(|source| TrainError::Output { path, source })
    }

    fn restore(&mut self) -> Result<(), TrainError> {
        #[derive(Deserialize)]
        struct Stored {
            steps: u64,
            best: usize,
            history: Vec<Epoch>,
        }
        let path = self.checkpoint();
        if !path.exists() {
            return Ok(());
        }
        let bytes = read(&path)?;
        let broken = |reason: String| TrainError::Nothing(format!("{}: {reason}", path.display()));
        let (_, header) =
            safetensors::SafeTensors::read_metadata(&bytes).map_err(|error| broken(error.to_string()))?;
        let entries = header.metadata().clone().unwrap_or_default();
        if entries.get("options") != Some(&self.fingerprint()) {
            return Err(TrainError::OtherCheckpoint { path });
        }
        let state = entries.get("state").map(String::as_str).unwrap_or_default();
        let stored: Stored = serde_json::from_str(state).map_err(|error| broken(error.to_string()))?;
        let tensors = candle_core::safetensors::load_buffer(&bytes, &self.device)?;
        self.optimiser.restore(stored.steps, &tensors)?;
        self.best_weights = tensors
            .into_iter()
            .filter_map(|(name, tensor)| Some((name.strip_prefix("best/")?.to_owned(), tensor)))
            .collect();
        self.best = stored.best;
        self.history = stored.history;
        Ok(())
    }
}

/// The first GPU in a build for one, the CPU otherwise.
fn device() -> Device {
    Device::cuda_if_available(0).unwrap_or(Device::Cpu)
}

/// The affine map that gives the training clips' features zero mean and unit variance.
fn standardise(
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

/// Half of the time a part of the clip, from 1 s up; at most 5 s.
fn crop(clip: &Clip, size: usize, rng: &mut Rng) -> Clip {
    const LEAST: usize = 40;
    const MOST: usize = 200;
    let mut steps = clip.steps.min(MOST);
    if steps > LEAST && rng.chance(0.5) {
        steps = LEAST + rng.below(steps - LEAST);
    }
    steps -= steps % STEPS_PER_FRAME;
    let from = rng.below(clip.steps - steps + 1);
    Clip {
        values: clip.values.get(from * size..(from + steps) * size).unwrap_or_default().to_vec(),
        ends: clip.ends.get(from..from + steps).unwrap_or_default().to_vec(),
        steps,
    }
}

/// Blanks a few bands, a stretch of time and at times the pitch image (Park et al. 2019, SpecAugment).
fn mask(clip: &mut Clip, features: &FeatureConfig, blank: &[f32], rng: &mut Rng) {
    let (size, bands) = (features.dimensions(), features.mel_bands);
    let mut hidden = vec![false; size];
    for _ in 0..rng.below(3) {
        let width = 1 + rng.below(6);
        let first = rng.below(bands - width);
        for band in first..first + width {
            for column in [band, bands + band] {
                if let Some(slot) = hidden.get_mut(column) {
                    *slot = true;
                }
            }
        }
    }
    if rng.chance(0.1) {
        hidden.iter_mut().skip(2 * bands).for_each(|slot| *slot = true);
    }
    let gap = if rng.chance(0.5) { rng.below(clip.steps / 6 + 1) } else { 0 };
    let start = rng.below(clip.steps - gap + 1);
    for (place, step) in clip.values.chunks_exact_mut(size).enumerate() {
        let gone = (start..start + gap).contains(&place);
        for ((x, hidden), blank) in step.iter_mut().zip(&hidden).zip(blank) {
            if gone || *hidden {
                *x = *blank;
            }
        }
    }
}

/// Clips side by side, padded at the end, with the mask of their frames.
fn stack<'c>(
    clips: impl Iterator<Item = &'c Clip> + Clone,
    size: usize,
    device: &Device,
) -> candle_core::Result<(Tensor, Tensor)> {
    let rows = clips.clone().count();
    let longest = clips.clone().map(|clip| clip.steps).max().unwrap_or(0);
    let frames = longest / STEPS_PER_FRAME;
    let mut values = Vec::with_capacity(rows * longest * size);
    let mut mask = Vec::with_capacity(rows * frames);
    for (row, clip) in clips.enumerate() {
        values.extend_from_slice(&clip.values);
        values.resize((row + 1) * longest * size, 0.0);
        mask.resize(mask.len() + clip.steps / STEPS_PER_FRAME, 1.0f32);
        mask.resize((row + 1) * frames, 0.0);
    }
    Ok((
        Tensor::from_vec(values, (rows, longest, size), device)?,
        Tensor::from_vec(mask, (rows, frames), device)?,
    ))
}

/// Raw outputs of whole clips, one after the other.
pub(crate) fn score(network: &Network, clip: &Clip) -> candle_core::Result<(Vec<f32>, Vec<f32>)> {
    let size = network.config().inputs;
    let (steps, mask) = stack(std::iter::once(clip), size, network.device())?;
    let frames = network.encode(&steps, &mut [&mut network.fresh_state()])?;
    let Outputs { logits, affect, .. } = network.pool(&frames, &mask, None)?;
    Ok((logits.flatten_all()?.to_vec1()?, affect.flatten_all()?.to_vec1()?))
}

/// A clip's raw outputs beside what it is.
struct Scored<'c> {
    entry: &'c Entry,
    logits: Vec<f32>,
    affect: Vec<f32>,
}

fn score_all<'c>(network: &Network, clips: &'c [(Entry, Clip)]) -> candle_core::Result<Vec<Scored<'c>>> {
    clips
        .iter()
        .filter(|(_, clip)| clip.steps >= STEPS_PER_FRAME)
        .map(|(entry, clip)| {
            let (logits, affect) = score(network, clip)?;
            Ok(Scored { entry, logits, affect })
        })
        .collect()
}

/// The classes that a corpus has labels for, in the network's order.
fn own_classes<'c>(entries: impl Iterator<Item = &'c Entry>) -> BTreeMap<String, BTreeSet<Class>> {
    let mut classes: BTreeMap<String, BTreeSet<Class>> = BTreeMap::new();
    for entry in entries {
        if let Some(class) = entry.class() {
            classes.entry(entry.corpus.clone()).or_default().insert(class);
        }
    }
    classes
}

/// Logits of a corpus's own classes, and the place of the meant one.
fn restricted(scored: &Scored<'_>, own: &BTreeMap<String, BTreeSet<Class>>) -> Option<(Vec<f32>, usize)> {
    let class = scored.entry.class()?;
    let own = own.get(&scored.entry.corpus)?;
    let place = own.iter().position(|other| *other == class)?;
    Some((own.iter().filter_map(|class| scored.logits.get(class.index()).copied()).collect(), place))
}

/// Unweighted average recall by corpus, over its own classes.
fn recalls(scored: &[Scored<'_>]) -> BTreeMap<String, f64> {
    let own = own_classes(scored.iter().map(|scored| scored.entry));
    let mut pairs: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
    for item in scored {
        if let Some((logits, meant)) = restricted(item, &own) {
            let heard = (0..logits.len()).max_by(|a, b| {
                let at = |n: &usize| logits.get(*n).copied().unwrap_or(f32::MIN);
                at(a).total_cmp(&at(b))
            });
            pairs.entry(item.entry.corpus.clone()).or_default().push((meant, heard.unwrap_or(0)));
        }
    }
    pairs
        .into_iter()
        .map(|(corpus, pairs)| (corpus, Confusion::new(Class::ALL.len(), pairs.into_iter()).uar()))
        .collect()
}

/// Mean cross-entropy over each corpus's own classes, averaged over the corpora.
fn surprise(scored: &[Scored<'_>]) -> f64 {
    let own = own_classes(scored.iter().map(|scored| scored.entry));
    let mut sums: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for item in scored {
        if let Some((logits, meant)) = restricted(item, &own) {
            let p = model::softmax(logits.into_iter()).get(meant).copied().unwrap_or(0.0);
            let sum = sums.entry(&item.entry.corpus).or_default();
            sum.0 -= f64::from(p.max(1e-9).ln());
            sum.1 += 1.0;
        }
    }
    sums.values().map(|(sum, count)| sum / count).sum::<f64>() / sums.len().max(1) as f64
}

/// What calibration is fitted on: the speech corpora's clips, each over its corpus's own classes.
fn samples(network: &Network, checked: &[(Entry, Clip)]) -> Result<Vec<Sample>, TrainError> {
    let scored = score_all(network, checked)?;
    let own = own_classes(scored.iter().map(|scored| scored.entry));
    Ok(scored
        .iter()
        .filter_map(|item| {
            let (_, _, distressed) =
                crate::class::affect_of_label(&item.entry.emotion, &item.entry.intensity)?;
            let distress = item.affect.get(2).copied()?;
            Some(Sample {
                classes: restricted(item, &own),
                logits: item.logits.clone(),
                distress,
                distressed,
            })
        })
        .collect())
}
