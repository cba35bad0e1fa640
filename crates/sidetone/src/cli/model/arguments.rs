//! Values of `sidetone model`'s arguments, and what is said of those that can't be meant.

use serde_json::{Value, json};
use sidetone_emotion::corpus::Band;
use sidetone_emotion::corpus::telephony::Augmentation;
use sidetone_emotion::model::Licence;
use sidetone_emotion::network::{NetworkConfig, ShapeError};

/// Why an argument's value can't be meant.
#[derive(Debug, thiserror::Error)]
pub(super) enum ArgumentError {
    #[error("write open or research")]
    Licence,
    #[error("write a corpus and a number of clips: crema_d=2000")]
    Clips,
    #[error("write a number from 0 to 1")]
    Share,
    #[error("write one of {}", Band::ALL.map(Band::name).join(", "))]
    Band,
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

pub(super) fn licence(text: &str) -> Result<Licence, ArgumentError> {
    serde_json::from_value(json!(text)).map_err(|_| ArgumentError::Licence)
}

pub(super) fn share(text: &str) -> Result<f32, ArgumentError> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or(ArgumentError::Share)
}

pub(super) fn clips_of(text: &str) -> Result<(String, usize), ArgumentError> {
    let (corpus, clips) = text.split_once('=').ok_or(ArgumentError::Clips)?;
    Ok((corpus.to_owned(), clips.parse().map_err(|_| ArgumentError::Clips)?))
}

pub(super) fn band(text: &str) -> Result<Band, ArgumentError> {
    Band::from_name(text).ok_or(ArgumentError::Band)
}

pub(super) fn augmentation(text: &str) -> Result<Augmentation, ArgumentError> {
    Ok(serde_json::from_str(text)?)
}

pub(super) fn network(text: &str) -> Result<NetworkConfig, ArgumentError> {
    let changes: serde_json::Map<String, Value> = serde_json::from_str(text)?;
    let mut whole = json!(NetworkConfig::default());
    if let Some(whole) = whole.as_object_mut() {
        // A key that is none makes an error below, for the shape takes no unknown ones.
        whole.extend(changes);
    }
    let network: NetworkConfig = serde_json::from_value(whole)?;
    network.check()?;
    Ok(network)
}
