//! A trained network in a file: safetensors with everything in its header that is needed to use it rightly.
//!
//! A file names its format, its front end, the shape of its network, its classes, its calibration, its licence and the
//! checksums of its weights and of its model card. What does not agree with this build, or with itself, is refused with
//! a reason.

use std::{
    collections::HashMap,
    fmt::Write as _,
    io::Read as _,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use candle_core::{DType, Device, Tensor};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    features::FeatureConfig,
    network::{Network, NetworkConfig, ShapeError},
};
use sidetone_call::Class;

/// The file format this build reads and writes.
pub const FORMAT: u32 = 1;
/// Largest file that is looked at, in bytes: 4 M parameters in single precision, with room for the header.
const LARGEST: u64 = 20 << 20;

const FORMAT_KEY: &str = "sidetone.format";
const META_KEY: &str = "sidetone.model";
const SUM_KEY: &str = "sidetone.sha256";

/// Why a model could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file could not be read.
    #[error("{path} can't be read or written: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is larger than any model of this format.
    #[error("{0} bytes are more than a model can have")]
    TooLarge(u64),
    /// Not safetensors, or cut off.
    #[error("not a complete safetensors file: {0}")]
    NotSafetensors(String),
    /// Safetensors, but not made by `sidetone model train`.
    #[error("this is safetensors, but no Sidetone model (its header has no {0})")]
    NotAModel(&'static str),
    /// Another format version.
    #[error(
        "model format {found}, but this build reads format {FORMAT}: train it anew, or use a build of its time"
    )]
    Format {
        /// What the file says.
        found: String,
    },
    /// The header contradicts itself or this build.
    #[error("the model's header is wrong: {0}")]
    Header(String),
    /// The network's sizes make no network.
    #[error("the model's header is wrong: {0}")]
    Shape(#[from] ShapeError),
    /// The front end differs from this build's.
    #[error("the model was trained with another front end ({0}): train it anew")]
    FrontEnd(String),
    /// Tensors are missing, surplus or of another shape.
    #[error("the model's tensors do not fit its header: {0}")]
    Tensors(String),
    /// The weights' checksum is wrong.
    #[error("the model is damaged: its weights have SHA-256 {found}, its header says {expected}")]
    Damaged {
        /// What the header says.
        expected: String,
        /// What the weights give.
        found: String,
    },
    /// The card beside the file is not the one that the file was made with.
    #[error("{path} is not the card of this model: SHA-256 {found}, the model's header says {expected}")]
    Card {
        /// The card.
        path: PathBuf,
        /// What the header says.
        expected: String,
        /// What the card gives.
        found: String,
    },
    /// The network library failed.
    #[error("the network could not be set up: {0}")]
    Network(#[from] candle_core::Error),
    /// This build carries no weights.
    #[error("this build embeds no model")]
    NotEmbedded,
}

/// What the weights may be used for, by the data that they were trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Licence {
    /// Any use: trained on public-domain and permissively licensed data alone.
    Open,
    /// Research and evaluation only: some of the data forbids commercial use.
    Research,
}

impl Licence {
    /// The name used in files and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Research => "research",
        }
    }
}

/// How raw outputs become probabilities; fitted on speakers apart from the training's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Divides the class logits (Guo et al. 2017).
    pub temperature: f32,
    /// Added to each class's logit before the temperature: the prior of a telephone call against the corpora's.
    pub class_bias: Vec<f32>,
    /// Scale of the distress logit (Platt 1999).
    pub distress_scale: f32,
    /// Shift of the distress logit after scaling.
    pub distress_shift: f32,
    /// Confidence below which the model abstains.
    pub least_confidence: f32,
    /// Share of wrong answers above that which is promised not to be exceeded on speakers never heard, with 95 %
    /// confidence over speakers. `None` if nothing is promised: files of earlier versions, or too few speakers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<f32>,
}

/// Raw outputs of one window, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Probability of each class, in the order of [`Class::ALL`].
    pub probabilities: Vec<f32>,
    /// Valence in `[-1, 1]`.
    pub valence: f32,
    /// Arousal in `[-1, 1]`.
    pub arousal: f32,
    /// Likelihood of anger or distress in `[0, 1]`.
    pub distress: f32,
}

impl Calibration {
    /// Reads raw outputs: a logit for each class; valence, arousal and distress before their squashing.
    pub fn read(&self, logits: &[f32], affect: &[f32]) -> Reading {
        let value = |n: usize| affect.get(n).copied().unwrap_or(0.0);
        let distress = self.distress_scale * value(2) + self.distress_shift;
        Reading {
            probabilities: self.probabilities(logits, |_| true),
            valence: value(0).tanh(),
            arousal: value(1).tanh(),
            distress: 1.0 / (1.0 + (-distress).exp()),
        }
    }

    /// Probability of each class, were only those possible for which `possible` holds; 0 for the others.
    pub fn probabilities(&self, logits: &[f32], possible: impl Fn(Class) -> bool) -> Vec<f32> {
        softmax(Class::ALL.iter().zip(logits).zip(&self.class_bias).map(|((class, x), bias)| {
            if possible(*class) { (x + bias) / self.temperature } else { f32::NEG_INFINITY }
        }))
    }
}

impl Default for Calibration {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            class_bias: vec![0.0; Class::ALL.len()],
            distress_scale: 1.0,
            distress_shift: 0.0,
            least_confidence: 0.0,
            risk: None,
        }
    }
}

/// What a model's header says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// A name for people.
    pub name: String,
    /// What the weights may be used for.
    pub licence: Licence,
    /// The corpora it was trained on.
    pub corpora: Vec<String>,
    /// Speakers kept apart for testing; evaluate on these and on no others of these corpora.
    pub held_out: Vec<String>,
    /// Speakers that it was trained or calibrated on: a figure on these would flatter it.
    pub heard: Vec<String>,
    /// The seed that it was trained with.
    pub seed: u64,
    /// Its front end.
    pub features: FeatureConfig,
    /// Its shape.
    pub network: NetworkConfig,
    /// Its classes, in the order of its outputs.
    pub classes: Vec<Class>,
    /// Its calibration.
    pub calibration: Calibration,
    /// Its calibration for windows heard beside the caller's own manner. `None` for a network that doesn't hear it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside_manner: Option<Calibration>,
    /// SHA-256 of its card, in hexadecimal; empty if it has none.
    pub card_sha256: String,
}

impl Meta {
    /// How raw outputs are read: of a window by itself, or beside the caller's own manner.
    pub fn calibration_for(&self, manner_known: bool) -> &Calibration {
        self.beside_manner.as_ref().filter(|_| manner_known).unwrap_or(&self.calibration)
    }
}

/// A network ready for use, shared by all listeners.
pub struct Model {
    meta: Meta,
    network: Network,
    sha256: String,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("name", &self.meta.name)
            .field("sha256", &self.sha256)
            .finish_non_exhaustive()
    }
}

impl Model {
    /// Reads a model: a safetensors file, or a folder that holds `model.safetensors`. Checks the `CARD.md` beside it if
    /// there is one.
    ///
    /// # Errors
    /// See [`ModelError`]; each says what is wrong with the file.
    pub fn open(path: &Path) -> Result<Arc<Self>, ModelError> {
        // The size that the system states is no bound: a device such as /dev/zero states none, and never ends.
        let read = |path: &Path| -> Result<Vec<u8>, ModelError> {
            let failed = |source| ModelError::Read { path: path.to_owned(), source };
            let file = std::fs::File::open(path).map_err(failed)?;
            let size = file.metadata().map_err(failed)?.len();
            if size > LARGEST {
                return Err(ModelError::TooLarge(size));
            }
            let mut bytes = Vec::new();
            file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
            let size = bytes.len() as u64;
            if size > LARGEST { Err(ModelError::TooLarge(size)) } else { Ok(bytes) }
        };
        if std::fs::metadata(path).is_ok_and(|there| there.is_dir()) {
            return Self::open(&path.join("model.safetensors"));
        }
        let model = Self::from_bytes(&read(path)?)?;
        let card = path.with_file_name("CARD.md");
        if !model.meta.card_sha256.is_empty() && card.exists() {
            let found = hexadecimal(&Sha256::digest(read(&card)?));
            if found != model.meta.card_sha256 {
                return Err(ModelError::Card { path: card, expected: model.meta.card_sha256.clone(), found });
            }
        }
        Ok(model)
    }

    /// The open weights that this build carries.
    ///
    /// # Errors
    /// [`ModelError::NotEmbedded`] for a build without weights.
    pub fn embedded() -> Result<Arc<Self>, ModelError> {
        static BYTES: &[u8] = include_bytes!("../../../models/open/model.safetensors");
        static MODEL: OnceLock<Arc<Model>> = OnceLock::new();
        if BYTES.is_empty() {
            return Err(ModelError::NotEmbedded);
        }
        if let Some(model) = MODEL.get() {
            return Ok(model.clone());
        }
        let model = Self::from_bytes(BYTES)?;
        Ok(MODEL.get_or_init(|| model).clone())
    }

    /// Reads a model from the bytes of its file.
    ///
    /// # Errors
    /// See [`ModelError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Arc<Self>, ModelError> {
        if bytes.len() as u64 > LARGEST {
            return Err(ModelError::TooLarge(bytes.len() as u64));
        }
        let not = |error: safetensors::SafeTensorError| ModelError::NotSafetensors(error.to_string());
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(not)?;
        let file = SafeTensors::deserialize(bytes).map_err(not)?;
        let entries = header.metadata().as_ref().ok_or(ModelError::NotAModel(FORMAT_KEY))?;
        let entry = |key: &'static str| entries.get(key).ok_or(ModelError::NotAModel(key));
        let format = entry(FORMAT_KEY)?;
        if *format != FORMAT.to_string() {
            return Err(ModelError::Format { found: format.clone() });
        }
        let meta: Meta =
            serde_json::from_str(entry(META_KEY)?).map_err(|error| ModelError::Header(error.to_string()))?;
        check(&meta)?;

        let expected = entry(SUM_KEY)?.clone();
        let found = checksum(entry(META_KEY)?, &file);
        if expected != found {
            return Err(ModelError::Damaged { expected, found });
        }
        let shapes = meta.network.shapes();
        if file.len() != shapes.len() {
            return Err(ModelError::Tensors(format!("{} tensors, not {}", file.len(), shapes.len())));
        }
        let mut tensors = HashMap::new();
        for (name, shape) in shapes {
            let view = file.tensor(&name).map_err(|_| ModelError::Tensors(format!("{name} is missing")))?;
            if view.shape() != shape {
                return Err(ModelError::Tensors(format!("{name} is {:?}, not {shape:?}", view.shape())));
            }
            tensors.insert(name.clone(), tensor(&name, &view)?);
        }
        let network = Network::new(meta.network.clone(), &tensors, &Device::Cpu)?;
        Ok(Arc::new(Self { meta, network, sha256: found }))
    }

    /// Its header.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Its network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// SHA-256 of header and weights, in hexadecimal: what this model is called in records.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        self.meta.network.parameters()
    }
}

/// Writes a model file: half precision, checksummed.
///
/// # Errors
/// A header that this build would refuse, tensors that do not fit it, or a write that fails.
pub fn write(path: &Path, meta: &Meta, tensors: &HashMap<String, Tensor>) -> Result<(), ModelError> {
    check(meta)?;
    let text = serde_json::to_string(meta).map_err(|error| ModelError::Header(error.to_string()))?;
    let mut data = Vec::new();
    for (name, shape) in meta.network.shapes() {
        let tensor = tensors.get(&name).ok_or_else(|| ModelError::Tensors(format!("{name} is missing")))?;
        let mut bytes = Vec::new();
        for value in tensor.flatten_all()?.to_dtype(DType::F16)?.to_vec1::<half::f16>()? {
            if !value.is_finite() {
                return Err(ModelError::Tensors(format!("{name} holds {value}")));
            }
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        data.push((name, shape, bytes));
    }
    let views = data
        .iter()
        .map(|(name, shape, bytes)| {
            TensorView::new(Dtype::F16, shape.clone(), bytes)
                .map(|view| (name.clone(), view))
                .map_err(|error| ModelError::Tensors(error.to_string()))
        })
        .collect::<Result<Vec<_>, _>>()?;
    // The checksum is over the tensors as they will be read back.
    let plain = safetensors::serialize(views.clone(), None)
        .map_err(|error| ModelError::Tensors(error.to_string()))?;
    let file =
        SafeTensors::deserialize(&plain).map_err(|error| ModelError::NotSafetensors(error.to_string()))?;
    let entries = HashMap::from([
        (FORMAT_KEY.to_owned(), FORMAT.to_string()),
        (SUM_KEY.to_owned(), checksum(&text, &file)),
        (META_KEY.to_owned(), text),
    ]);
    let bytes = safetensors::serialize(views, Some(entries))
        .map_err(|error| ModelError::Tensors(error.to_string()))?;
    std::fs::write(path, bytes).map_err(|source| ModelError::Read { path: path.to_owned(), source })
}

/// Softmax over a few values.
pub(crate) fn softmax(values: impl Iterator<Item = f32>) -> Vec<f32> {
    let values: Vec<f32> = values.collect();
    let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = values.iter().map(|x| (x - largest).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.into_iter().map(|x| x / sum).collect()
}

/// SHA-256 of a card's text, as it is put into a header.
pub fn card_checksum(card: &str) -> String {
    hexadecimal(&Sha256::digest(card.as_bytes()))
}

fn check(meta: &Meta) -> Result<(), ModelError> {
    let ours = FeatureConfig::default();
    if meta.features != ours {
        return Err(ModelError::FrontEnd(format!("{:?}, not {ours:?}", meta.features)));
    }
    if meta.classes != Class::ALL {
        return Err(ModelError::Header(format!("classes {:?}, not {:?}", meta.classes, Class::ALL)));
    }
    meta.network.check()?;
    if meta.network.inputs != ours.dimensions() {
        return Err(ModelError::Header(format!(
            "{} inputs for {} features",
            meta.network.inputs,
            ours.dimensions()
        )));
    }
    for calibration in std::iter::once(&meta.calibration).chain(&meta.beside_manner) {
        let numbers = [calibration.temperature, calibration.distress_scale, calibration.distress_shift];
        if numbers.iter().chain(&calibration.class_bias).any(|x| !x.is_finite())
            || calibration.temperature <= 0.0
            || calibration.class_bias.len() != Class::ALL.len()
            || !(0.0..=1.0).contains(&calibration.least_confidence)
        {
            return Err(ModelError::Header(format!("calibration out of range: {calibration:?}")));
        }
    }
    Ok(())
}

fn tensor(name: &str, view: &TensorView<'_>) -> Result<Tensor, ModelError> {
    let dtype = match view.dtype() {
        Dtype::F16 => DType::F16,
        Dtype::F32 => DType::F32,
        other => return Err(ModelError::Tensors(format!("{name} is of type {other:?}"))),
    };
    Ok(Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu)?.to_dtype(DType::F32)?)
}

/// SHA-256 over the header's text and every tensor's name, type, shape and data, by name.
fn checksum(meta: &str, file: &SafeTensors<'_>) -> String {
    let mut tensors = file.tensors();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let mut hash = Sha256::new();
    hash.update(meta.as_bytes());
    for (name, view) in tensors {
        hash.update(format!("\n{name} {:?} {:?}\n", view.dtype(), view.shape()).as_bytes());
        hash.update(view.data());
    }
    hexadecimal(&hash.finalize())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
