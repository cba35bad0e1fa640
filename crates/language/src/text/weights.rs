//! The file that training writes: tables of two linear models, and what makes probabilities of their outputs.

use std::collections::HashMap;
use std::path::PathBuf;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use sidetone_call::Topic;

use super::heads::Head;
use super::labels::LABELS;
use super::linear::{Linear, TableError};

/// The file's name in its folder.
pub(super) const FILE: &str = "model.safetensors";
/// No weights are larger, in bytes.
pub(super) const LARGEST: u64 = 64 << 20;
/// Raised when tokens, n-grams or outputs change: weights of another form would give nonsense.
const FORM: u32 = 1;
/// The metadata's key.
const META: &str = "sidetone";

/// Why weights can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file can't be read.
    #[error("{}: {source}; `sidetone model train-text` writes such a file", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The build was made without them.
    #[error("this build carries no weights for texts; name a folder that holds some")]
    NotEmbedded,
    /// Larger than any weights of this kind.
    #[error("{0} bytes are too many for weights that read texts; is it another file?")]
    TooLarge(u64),
    /// Not a file of that form.
    #[error("not a file of weights: {0}")]
    Safetensors(#[from] safetensors::SafeTensorError),
    /// The description inside can't be read.
    #[error("the weights' description can't be read: {0}")]
    Meta(#[from] serde_json::Error),
    /// Weights for another version of this code.
    #[error("the weights have form {0}, this build reads form {FORM}; train them again")]
    Form(u32),
    /// Something is missing or of another kind.
    #[error("the weights lack `{0}`, or it has another form")]
    Missing(String),
    /// A table's parts don't fit.
    #[error("the weights are damaged: {0}")]
    Table(String),
}

impl From<TableError> for WeightsError {
    fn from(error: TableError) -> Self {
        Self::Table(error.to_string())
    }
}

/// What is known of the weights beside the tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Meta {
    pub(super) form: u32,
    /// As on the card.
    pub(super) name: String,
    pub(super) seed: u64,
    /// One for each label, and one for upset.
    pub(super) affect: Vec<Head>,
    /// One for each topic.
    pub(super) topics: Vec<Head>,
    /// From the likeliest class' log-odds to the chance that it is right.
    pub(super) confidence: Head,
    /// Below it the affect abstains.
    pub(super) least_confidence: f32,
}

/// Two models and how to read them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Weights {
    pub(super) meta: Meta,
    pub(super) affect: Linear,
    pub(super) topics: Linear,
}

impl Weights {
    /// Reads a file.
    ///
    /// # Errors
    /// See [`WeightsError`].
    pub(super) fn read(bytes: &[u8]) -> Result<Self, WeightsError> {
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let missing = |name: &str| WeightsError::Missing(name.to_owned());
        let meta = header.metadata().as_ref().and_then(|all| all.get(META)).ok_or_else(|| missing(META))?;
        let form: Form = serde_json::from_str(meta)?;
        if form.form != FORM {
            return Err(WeightsError::Form(form.form));
        }
        let meta: Meta = serde_json::from_str(meta)?;
        let tensors = SafeTensors::deserialize(bytes)?;
        let (affect, topics) = (table(&tensors, "affect")?, table(&tensors, "topics")?);
        if affect.outputs() != LABELS.len() + 1 || meta.affect.len() != affect.outputs() {
            return Err(missing("affect"));
        }
        if topics.outputs() != Topic::ALL.len() || meta.topics.len() != topics.outputs() {
            return Err(missing("topics"));
        }
        let heads = meta.affect.iter().chain(&meta.topics).chain([&meta.confidence]);
        if !heads.flat_map(|head| [head.slope, head.offset, head.threshold]).all(f32::is_finite) {
            return Err(WeightsError::Table("a calibration is no number".into()));
        }
        Ok(Self { meta, affect, topics })
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// See [`WeightsError`].
    pub(super) fn write(&self) -> Result<Vec<u8>, WeightsError> {
        let mut parts: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
        for (name, model) in [("affect", &self.affect), ("topics", &self.topics)] {
            let (rows, outputs) = (model.keys.len(), model.outputs());
            let bytes_of =
                |numbers: &[f32]| numbers.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
            let keys = model.keys.iter().flat_map(|key| key.to_le_bytes()).collect();
            let weights = model.weights.iter().map(|weight| weight.to_le_bytes()[0]).collect();
            parts.push((format!("{name}.keys"), Dtype::U32, vec![rows], keys));
            parts.push((format!("{name}.weights"), Dtype::I8, vec![rows, outputs], weights));
            parts.push((format!("{name}.scale"), Dtype::F32, vec![outputs], bytes_of(&model.scale)));
            parts.push((format!("{name}.bias"), Dtype::F32, vec![outputs], bytes_of(&model.bias)));
        }
        let meta = HashMap::from([(META.to_owned(), serde_json::to_string(&self.meta)?)]);
        let views = parts
            .iter()
            .map(|(name, kind, shape, bytes)| {
                Ok((name.as_str(), TensorView::new(*kind, shape.clone(), bytes)?))
            })
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
        Ok(safetensors::serialize(views, Some(meta))?)
    }
}

#[derive(Deserialize)]
struct Form {
    form: u32,
}

/// The form that this build writes.
pub(super) const fn form() -> u32 {
    FORM
}

fn table(tensors: &SafeTensors<'_>, name: &str) -> Result<Linear, WeightsError> {
    let part = |part: &str, kind: Dtype| {
        let name = format!("{name}.{part}");
        let tensor = tensors.tensor(&name).ok().filter(|tensor| tensor.dtype() == kind);
        tensor.map(|tensor| tensor.data().to_vec()).ok_or(WeightsError::Missing(name))
    };
    let fours = |bytes: &[u8]| -> Vec<[u8; 4]> { bytes.as_chunks::<4>().0.to_vec() };
    let floats = |bytes: &[u8]| fours(bytes).into_iter().map(f32::from_le_bytes).collect();
    let keys = fours(&part("keys", Dtype::U32)?).into_iter().map(u32::from_le_bytes).collect();
    let weights = part("weights", Dtype::I8)?.into_iter().map(|byte| i8::from_le_bytes([byte])).collect();
    let (scale, bias) = (floats(&part("scale", Dtype::F32)?), floats(&part("bias", Dtype::F32)?));
    Ok(Linear::new(keys, weights, scale, bias)?)
}
