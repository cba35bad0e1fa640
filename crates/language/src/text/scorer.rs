//! Reads texts with the models that training wrote.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use serde::Serialize;
use sidetone_call::Told;

use super::pieces::{Piece, pieces, with_sentences};
use super::tokens::tokens;
use super::tongue::Tongue;
use super::weights::{FILE, LARGEST, Weights, WeightsError};
use super::{affect, service, topics};

/// How many characters of a text are read.
pub const LONGEST: usize = 10_000;

/// Reads texts. Cheap to share; holds no state between texts.
#[derive(Debug, Clone)]
pub struct Scorer {
    pub(super) weights: Arc<Weights>,
}

/// What was read in a text, and how.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reading {
    /// What it tells.
    pub told: Told,
    /// The language it seems to be in.
    pub tongue: Tongue,
    /// Whether it was longer than [`LONGEST`], and the rest was not read.
    pub cut: bool,
}

impl Scorer {
    /// With the weights that this build carries.
    ///
    /// # Errors
    /// [`WeightsError::NotEmbedded`] for a build without weights.
    pub fn embedded() -> Result<Self, WeightsError> {
        static BYTES: &[u8] = include_bytes!("../../../../models/text/model.safetensors");
        static WEIGHTS: OnceLock<Arc<Weights>> = OnceLock::new();
        if BYTES.is_empty() {
            return Err(WeightsError::NotEmbedded);
        }
        if let Some(weights) = WEIGHTS.get() {
            return Ok(Self { weights: weights.clone() });
        }
        let weights = Arc::new(Weights::read(BYTES)?);
        Ok(Self { weights: WEIGHTS.get_or_init(|| weights).clone() })
    }

    /// With the weights in a folder, `model.safetensors`, as `sidetone model train-text` writes it.
    ///
    /// # Errors
    /// See [`WeightsError`].
    pub fn from_folder(folder: &Path) -> Result<Self, WeightsError> {
        let path = folder.join(FILE);
        let size = std::fs::metadata(&path)
            .map_err(|source| WeightsError::File { path: path.clone(), source })?
            .len();
        if size > LARGEST {
            return Err(WeightsError::TooLarge(size));
        }
        let bytes = std::fs::read(&path).map_err(|source| WeightsError::File { path, source })?;
        Ok(Self { weights: Arc::new(Weights::read(&bytes)?) })
    }

    /// The name of the weights, as on their card.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.weights.meta.name
    }

    /// What a text tells. Characters after the first [`LONGEST`] are not read; [`Scorer::reading`] says if there were
    /// any.
    #[must_use]
    pub fn read(&self, text: &str) -> Told {
        self.reading(text).told
    }

    /// What a text tells, and how it was read.
    #[must_use]
    pub fn reading(&self, text: &str) -> Reading {
        self.reading_in(text, None)
    }

    /// The same of a text whose language is known.
    pub(crate) fn reading_in(&self, text: &str, known: Option<Tongue>) -> Reading {
        let end = text.char_indices().nth(LONGEST).map(|(at, _)| at);
        let text = end.and_then(|end| text.get(..end)).unwrap_or(text);
        let tokens = tokens(text);
        let tongue = known.unwrap_or_else(|| Tongue::of(&tokens));
        let pieces = pieces(&tokens);
        let told = self.told(text, &pieces, &with_sentences(&tokens), tongue);
        Reading { told, tongue, cut: end.is_some() }
    }

    /// The labels of GoEmotions that pass their thresholds, a bit for each.
    pub(super) fn labels(&self, text: &str) -> u64 {
        let tokens = tokens(text);
        let pieces = [Piece::new(&tokens)];
        let probabilities = affect::feelings(&self.weights, &pieces).labels;
        let passed = probabilities.iter().zip(&self.weights.meta.affect).enumerate();
        passed.filter(|(_, (found, head))| *found >= &head.threshold).fold(0, |bits, (at, _)| bits | 1 << at)
    }

    fn told(&self, text: &str, pieces: &[Piece<'_>], sentences: &[Piece<'_>], tongue: Tongue) -> Told {
        let feelings = affect::feelings(&self.weights, pieces);
        let topics = topics::topics(&self.weights, text, sentences, tongue);
        let affect = affect::estimate(&self.weights, pieces, &feelings, tongue);
        let urgency = service::urgency(&topics);
        let satisfaction = service::satisfaction(&topics, &affect);
        let topics = topics.mentions;
        Told { affect, topics, urgency, satisfaction }
    }
}
