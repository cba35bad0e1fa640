//! The training under way: epochs of varied clips, the loss against labels and teacher, the average that is kept.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use candle_core::{DType, Device, Tensor};

use super::{
    Epoch, Processor, Progress, TrainError, TrainOptions,
    callers::Caller,
    device::{device, moved},
    epoch::Heard,
    optimiser::Optimiser,
    sounds::{Sound, standardise},
    targets::{self, Target, Teaching},
    teacher::Teacher,
    validate::{recalls, score_all, surprise},
};
use crate::{
    corpus::{Clip, Entry, Manifest},
    features::FeatureConfig,
    model::Model,
    network::{Dropout, Manner, Network, NetworkConfig},
    rng::Rng,
    score::stack,
};

/// Epochs that a score is averaged over.
const SMOOTHED: usize = 5;

/// Steps for which a caller's manner is not asked of the network anew, though the network changes meanwhile.
const MANNERS_KEPT: usize = 24;
/// A linear reading of the network's inner values that training alone needs.
type Head = (Tensor, Tensor);

/// The teacher with the heads that predict it.
pub(super) struct Taught {
    pub(super) teacher: Teacher,
    frames: Head,
    summary: Head,
}

/// Everything that an epoch changes or needs.
pub(super) struct Trainer<'a> {
    pub(super) options: &'a TrainOptions,
    pub(super) features: FeatureConfig,
    pub(super) device: Device,
    pub(super) teaching: Teaching,
    fixed: HashMap<String, Tensor>,
    pub(super) optimiser: Optimiser,
    network: Network,
    labels: Head,
    pub(super) taught: Option<Taught>,
    /// A number for each speaker, whose lines are drawn by it.
    pub(super) speakers: BTreeMap<String, usize>,
    /// Variations made so far, by clip and number.
    pub(super) varied: HashMap<(usize, usize), (Clip, f32)>,
    /// The mean of each input: what a masked value is set to.
    pub(super) blank: Vec<f32>,
    pub(super) history: Vec<Epoch>,
    pub(super) best: usize,
    pub(super) best_weights: HashMap<String, Tensor>,
}

impl<'a> Trainer<'a> {
    pub(super) fn new(
        options: &'a TrainOptions,
        training: &[&Sound],
        progress: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Self, TrainError> {
        let device = device()?;
        progress(Progress::Begun(Processor::from(&device)));
        let features = FeatureConfig::default();
        let entries = training.iter().map(|sound| sound.entry.clone()).collect();
        let teaching = Teaching::new(&Manifest { entries }, options.shares_weight);
        let teacher = match &options.teacher {
            Some(path) => Some(teach(options, path, training, &device, progress)?),
            None => None,
        };

        let mut rng = Rng::derive(options.seed, 0);
        let start = options.start.as_deref().map(Model::open).transpose()?;
        let mut shape = start.as_ref().map_or(&options.network, |model| model.network().config()).clone();
        shape.caller |= options.caller;
        // Fitted when all else is: `train::music`.
        shape.music = false;
        let mut initial = match &start {
            Some(model) => {
                // What an older network lacks starts from nothing.
                let known: HashMap<String, Tensor> = moved(model.network().tensors()?, &device)?;
                let fresh = shape.initial(&mut Rng::derive(options.seed, 1 << 42), &device)?;
                fresh
                    .into_iter()
                    .map(|(name, tensor)| {
                        let tensor = known.get(&name).cloned().unwrap_or(tensor);
                        (name, tensor)
                    })
                    .collect()
            }
            None => shape.initial(&mut rng, &device)?,
        };
        // The inputs' map is never learnt; of a frozen network the heads alone are.
        let stays = |name: &str| name.starts_with("input.") || (options.frozen && !name.starts_with("head."));
        let mut fixed: HashMap<String, Tensor> =
            initial.iter().filter(|(name, _)| stays(name)).cloned().collect();
        if start.is_none() {
            fixed.extend(standardise(training, &features, &device)?);
        }
        initial.retain(|(name, _)| !stays(name));
        let mut head = |name: &str, from: usize, to: usize, gain: f32| -> Result<(), TrainError> {
            let deviation = gain / (from as f32).sqrt();
            let values: Vec<f32> = (0..from * to).map(|_| deviation * rng.normal()).collect();
            initial.push((format!("{name}.weight"), Tensor::from_vec(values, (from, to), &device)?));
            initial.push((format!("{name}.bias"), Tensor::zeros(to, DType::F32, &device)?));
            Ok(())
        };
        let (channels, hidden) = (shape.channels, shape.hidden);
        head("labels", hidden, teaching.labels(), 0.3)?;
        if let Some(teacher) = &teacher {
            head("teacher", channels, teacher.width(), 1.0)?;
            head("summary", hidden, 2 * teacher.width(), 1.0)?;
        }
        let optimiser = Optimiser::new(&initial, options.averaging, options.weight_decay)?;
        let mut tensors = optimiser.tensors();
        tensors.extend(fixed.clone());
        let network = Network::new(shape, &tensors, &device)?;
        let head = |name: &str| -> Result<Head, TrainError> {
            let get = |part: &str| {
                let name = format!("{name}.{part}");
                tensors.get(&name).cloned().ok_or_else(|| TrainError::Nothing(format!("{name} is missing")))
            };
            Ok((get("weight")?, get("bias")?))
        };
        let taught = match teacher {
            Some(teacher) => Some(Taught { teacher, frames: head("teacher")?, summary: head("summary")? }),
            None => None,
        };
        let blank = match fixed.get("input.shift") {
            Some(shift) => shift.neg()?.to_vec1()?,
            None => Vec::new(),
        };
        let speakers: BTreeSet<&String> = training.iter().map(|sound| &sound.entry.speaker).collect();
        Ok(Self {
            speakers: speakers.into_iter().cloned().zip(0..).collect(),
            taught,
            blank,
            varied: HashMap::new(),
            labels: head("labels")?,
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

    pub(super) fn finished(&self) -> bool {
        let epoch = self.history.len();
        epoch >= self.options.epochs || (self.best > 0 && epoch >= self.best + self.options.patience)
    }

    /// The network's shape.
    pub(super) fn shape(&self) -> &NetworkConfig {
        self.network.config()
    }

    /// The weights to keep, on the CPU.
    pub(super) fn best_tensors(&self) -> candle_core::Result<HashMap<String, Tensor>> {
        if self.best_weights.is_empty() { self.averaged() } else { self.whole(self.best_weights.clone()) }
    }

    /// The averaged weights as they stand, on the CPU.
    fn averaged(&self) -> candle_core::Result<HashMap<String, Tensor>> {
        self.whole(self.optimiser.averaged())
    }

    fn whole(&self, mut tensors: HashMap<String, Tensor>) -> candle_core::Result<HashMap<String, Tensor>> {
        tensors.extend(self.fixed.clone());
        moved(tensors, &Device::Cpu)
    }

    pub(super) fn epoch(
        &mut self,
        training: &[&Sound],
        checked: &[(Entry, Clip)],
        progress: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Epoch, TrainError> {
        let epoch = self.history.len() + 1;
        let mut rng = Rng::derive(self.options.seed, epoch as u64);
        let (mut heard, mut callers) = self.vary(training, &mut rng)?;
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
            if done % MANNERS_KEPT == 0 {
                callers.iter_mut().for_each(Caller::forget);
            }
            let loss =
                self.step(batch, &mut callers, self.options.rate * warm * (0.02 + 0.98 * fall), &mut rng)?;
            total += loss;
            progress(Progress::Step { epoch, done: done + 1, of, loss });
        }

        // Asked as it will be in use: clip by clip, on the CPU.
        let network = Network::new(self.shape().clone(), &self.averaged()?, &Device::Cpu)?;
        let scored = score_all(&network, checked)?;
        let mut validation = recalls(&scored.alone);
        let mut surprise = surprise(&scored.alone);
        if self.shape().caller {
            let beside = recalls(&scored.beside).into_iter();
            validation.extend(beside.map(|(corpus, recall)| (format!("{corpus}, manner known"), recall)));
            surprise = 0.5 * (surprise + super::validate::surprise(&scored.beside));
        }
        let mean = validation.values().sum::<f64>() / validation.len().max(1) as f64;
        let bare = mean - 0.05 * surprise;
        let last: Vec<f64> =
            self.history.iter().rev().map(|epoch| epoch.bare).take(SMOOTHED - 1).chain([bare]).collect();
        let result = Epoch {
            epoch,
            loss: total / of.max(1) as f32,
            bare,
            score: last.iter().sum::<f64>() / last.len() as f64,
            validation,
        };
        // With nobody to ask, the last epoch is the one to keep.
        if checked.is_empty() || self.history.iter().all(|earlier| earlier.score < result.score) {
            self.best = epoch;
            self.best_weights = self.optimiser.averaged();
        }
        self.history.push(result.clone());
        Ok(result)
    }

    /// The manners of a batch's callers, as the network now hears them.
    fn manners(&self, batch: &[Heard], callers: &mut [Caller]) -> Result<Manner, TrainError> {
        for place in batch.iter().filter_map(|heard| heard.caller) {
            if let Some(caller) = callers.get_mut(place) {
                caller.listen(&self.network)?;
            }
        }
        let own = batch.iter().map(|heard| callers.get(heard.caller?)?.manner());
        Ok(Manner::of(own, 2 * self.shape().channels, &self.device)?)
    }

    fn step(
        &mut self,
        batch: &[Heard],
        callers: &mut [Caller],
        rate: f64,
        rng: &mut Rng,
    ) -> Result<f32, TrainError> {
        let clips = batch.iter().map(|heard| &heard.clip);
        let (steps, mask) = stack(clips, self.features.dimensions(), &self.device)?;
        let manner = if self.shape().caller { Some(self.manners(batch, callers)?) } else { None };
        let mut dropout = Dropout { rng, rate: self.options.dropout };
        let frames = self.network.encode_training(&steps, &mut dropout)?;
        let outputs = self.network.pool(&frames, &mask, manner.as_ref(), Some(&mut dropout))?;
        let labels = read(&outputs.hidden, &self.labels)?;
        let targets: Vec<&Target> = batch.iter().map(|heard| &heard.target).collect();
        let mut loss = targets::loss(&outputs, &labels, &targets, &self.device)?;
        if let Some(taught) = &self.taught {
            let (rows, length, _) = frames.dims3()?;
            let channels = self.shape().channels;
            let said =
                read(&frames.narrow(2, 0, channels)?.reshape((rows * length, channels))?, &taught.frames)?;
            let width = said.dim(1)?;
            let mut values = Vec::with_capacity(rows * length * width);
            let mut summaries = Vec::with_capacity(rows * 2 * width);
            let mut known = Vec::with_capacity(rows);
            for (row, heard) in batch.iter().enumerate() {
                values.extend_from_slice(&heard.taught);
                values.resize((row + 1) * length * width, 0.0);
                summaries.extend_from_slice(&heard.summary);
                summaries.resize((row + 1) * 2 * width, 0.0);
                known.push(if heard.taught.is_empty() { 0.0f32 } else { 1.0 });
            }
            let values = Tensor::from_vec(values, (rows * length, width), &self.device)?;
            let known = Tensor::from_vec(known, (rows, 1), &self.device)?;
            let present = mask.broadcast_mul(&known)?.reshape((rows * length, 1))?;
            let frames_off = off(&said, &values, &present)?;
            let summaries = Tensor::from_vec(summaries, (rows, 2 * width), &self.device)?;
            let summary_off = off(&read(&outputs.hidden, &taught.summary)?, &summaries, &known)?;
            let taught = (frames_off * self.options.teacher_weight)?;
            loss = ((loss + taught)? + (summary_off * self.options.summary_weight)?)?;
        }
        self.optimiser.step(&loss.backward()?, rate)?;
        Ok(loss.to_scalar()?)
    }
}

fn read(x: &Tensor, (weight, bias): &Head) -> candle_core::Result<Tensor> {
    x.matmul(weight)?.broadcast_add(bias)
}

/// Mean square error over the rows that `present` has.
fn off(said: &Tensor, meant: &Tensor, present: &Tensor) -> candle_core::Result<Tensor> {
    let error = (said - meant)?.sqr()?.mean_keepdim(1)?.mul(present)?.sum_all()?;
    error.div(&(present.sum_all()? + 1e-6)?)
}

/// Lets the teacher hear the clips.
fn teach(
    options: &TrainOptions,
    path: &std::path::Path,
    training: &[&Sound],
    device: &Device,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<Teacher, TrainError> {
    let cache = options.teacher_cache.as_deref();
    let mut teacher = Teacher::open(path, cache, device)?;
    let names: Vec<String> = training.iter().map(|sound| sound.name()).collect();
    let clips: Vec<(&str, &[i16])> =
        names.iter().map(String::as_str).zip(training.iter().map(|sound| sound.pcm.as_slice())).collect();
    let of = clips.len();
    teacher.hear(&clips, &mut |done| {
        if done % 16 == 0 || done == of {
            progress(Progress::Teaching { done, of });
        }
    })?;
    if let Some(cache) = cache {
        teacher.store(cache)?;
    }
    Ok(teacher)
}
