//! A blend of two models' weights: between what a network was and what further training made of it.
//!
//! Training on a new corpus teaches that corpus, and costs some of what held beyond it. The weights on the straight
//! line between before and after keep most of both, since such a line crosses no ridge (Wortsman et al. 2022, "Robust
//! fine-tuning of zero-shot models"). So the two must be of one training's line, not two of their own.

use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
};

use candle_core::Tensor;

use super::{
    TrainError, card,
    checkpoint::{read, save},
};
use crate::model::{self, Licence, Meta, Model};

/// What to blend.
#[derive(Debug, Clone)]
pub struct BlendOptions {
    /// The model before.
    pub first: PathBuf,
    /// The model that came of training it further.
    pub second: PathBuf,
    /// Share of the second, `[0, 1]`.
    pub share: f32,
    /// Where `model.safetensors` and `CARD.md` go.
    pub out: PathBuf,
}

/// Why two models can't be blended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlendError {
    /// Not a share.
    #[error("a share is between 0 and 1, not {0}")]
    Share(f32),
    /// Networks of different sizes, features or classes.
    #[error("{first} and {second} are of different shapes: blend a model with what was trained from it")]
    Shapes {
        /// The model before.
        first: PathBuf,
        /// The model after.
        second: PathBuf,
    },
    /// A file can't be read or written.
    #[error(transparent)]
    Files(#[from] TrainError),
}

/// Blends two models and writes what comes of it. Its calibration is that of the second, and holds no longer: fit
/// another by [`super::folds`]. A layer that one of them lacks counts as zeros in it, as it did when training added it.
///
/// # Errors
/// See [`BlendError`].
pub fn blend(options: &BlendOptions) -> Result<PathBuf, BlendError> {
    let BlendOptions { first, second, share, out } = options;
    if !(0.0..=1.0).contains(share) {
        return Err(BlendError::Share(*share));
    }
    let (before, after) = (open(first)?, open(second)?);
    let meta = meta(before.meta(), after.meta())
        .ok_or_else(|| BlendError::Shapes { first: first.clone(), second: second.clone() })?;
    let mut tensors: HashMap<String, Tensor> = HashMap::new();
    for (model, weight) in [(&before, 1.0 - share), (&after, *share)] {
        add(&mut tensors, model, f64::from(weight)).map_err(TrainError::Network)?;
    }
    let said = |path: &PathBuf| {
        let card = std::fs::read_to_string(path.with_file_name("CARD.md")).unwrap_or_default();
        card::training_said(&card).map_or_else(|| "Its card is not there.".to_owned(), str::to_owned)
    };
    let training = format!(
        "A blend: {:.2} of each weight of a first model and {share:.2} of that of a second, which was trained from the \
         first.\n\n### The first\n\n{}\n\n### The second\n\n{}",
        1.0 - share,
        said(first),
        said(second)
    );
    let card = card::blended(&meta, &training);
    let meta = Meta { card_sha256: model::card_checksum(&card), ..meta };
    std::fs::create_dir_all(out).map_err(|source| TrainError::Output { path: out.clone(), source })?;
    let path = out.join("model.safetensors");
    model::write(&path, &meta, &tensors).map_err(TrainError::Model)?;
    save(&out.join("CARD.md"), card.as_bytes())?;
    Model::from_bytes(&read(&path)?).map_err(TrainError::Model)?;
    Ok(path)
}

fn open(path: &std::path::Path) -> Result<std::sync::Arc<Model>, TrainError> {
    Ok(Model::open(path)?)
}

/// The header of a blend; `None` if the two don't fit each other.
fn meta(before: &Meta, after: &Meta) -> Option<Meta> {
    let mut network = after.network.clone();
    network.caller |= before.network.caller;
    // What one of them told music by is no reading of the other's windows.
    network.music = false;
    let same_as = |other: &Meta| {
        let mut theirs = other.network.clone();
        theirs.caller = network.caller;
        theirs.music = false;
        theirs == network
    };
    if !same_as(before) || before.features != after.features || before.classes != after.classes {
        return None;
    }
    let both = |of: fn(&Meta) -> &Vec<String>| -> BTreeSet<String> {
        of(before).iter().chain(of(after)).cloned().collect()
    };
    let heard = both(|meta| &meta.heard);
    let licence = match (before.licence, after.licence) {
        (Licence::Open, Licence::Open) => Licence::Open,
        _ => Licence::Research,
    };
    Some(Meta {
        licence,
        corpora: both(|meta| &meta.corpora).into_iter().collect(),
        held_out: both(|meta| &meta.held_out).difference(&heard).cloned().collect(),
        heard: heard.into_iter().collect(),
        beside_manner: after.beside_manner.clone().or_else(|| before.beside_manner.clone()),
        network,
        ..after.clone()
    })
}

/// Adds `weight` of each of a model's tensors to the sum.
fn add(sum: &mut HashMap<String, Tensor>, model: &Model, weight: f64) -> candle_core::Result<()> {
    for (name, tensor) in model.network().tensors()? {
        let part = (tensor * weight)?;
        let whole = match sum.remove(&name) {
            Some(held) => (held + part)?,
            None => part,
        };
        sum.insert(name, whole);
    }
    Ok(())
}
