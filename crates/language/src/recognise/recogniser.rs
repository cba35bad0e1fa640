//! A folder with a network and its vocabulary, to transcripts.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use thiserror::Error;

use super::{
    NotRecognised, Recognise, Transcript,
    alignment::{self, Grid, Listening},
    decoder::Decoder,
    encoder::{Encoder, HOP},
    guards::{self, Written, circling},
    shape::{HEADS, Shape},
    sound::{RATE, widen},
    vocabulary::{BEGIN, END, Vocabulary, VocabularyError},
    weights::{Weights, WeightsError},
};

/// The longest sound that is taken, in samples: what the network was trained on.
pub const LONGEST: usize = 30 * RATE as usize;
/// The file with the weights.
pub const WEIGHTS: &str = "model.safetensors";
/// The file with the tokens.
pub const TOKENS: &str = "tokens.bin";
/// Tokens that a second of speech has at most: the publisher's bound is 6.5 over a long piece, and in a short one
/// people speak faster than that.
const TOKENS_A_SECOND: f32 = 6.5;
const FEWEST_TOKENS: f32 = 10.0;

/// Why a model can't be used.
#[derive(Debug, Error)]
#[error("{}: {reason}", path.display())]
pub struct OpenError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub reason: OpenReason,
}

/// What is wrong with a model's file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenReason {
    /// It can't be read.
    #[error(transparent)]
    Read(std::io::Error),
    /// Its weights are no such network.
    #[error(transparent)]
    Weights(WeightsError),
    /// Its tokens are none.
    #[error(transparent)]
    Vocabulary(VocabularyError),
    /// Weights and tokens don't belong together.
    #[error("it has {tokens} tokens, and the network {network}")]
    Tokens {
        /// Tokens in the file.
        tokens: usize,
        /// Tokens that the network knows.
        network: usize,
    },
    /// A language that the network was not taught.
    #[error("it does not know the language {0:?}; a tag such as \"de\" names one")]
    Language(String),
    /// Neither of the networks that are known.
    #[error("it is neither Moonshine nor Whisper")]
    Kind,
}

struct Model {
    encoder: Encoder,
    decoder: Decoder,
    vocabulary: Vocabulary,
}

/// A recogniser. Clones share its weights; each may be used by a thread of its own.
#[derive(Clone)]
pub struct Recogniser {
    model: Arc<Model>,
}

impl std::fmt::Debug for Recogniser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recogniser").finish_non_exhaustive()
    }
}

impl Recogniser {
    /// Reads the model in `folder`: [`WEIGHTS`] and [`TOKENS`].
    ///
    /// # Errors
    /// A file is missing, damaged, or no such model.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let tokens = folder.join(TOKENS);
        let at_tokens = |reason| OpenError { path: tokens.clone(), reason };
        let file = fs::read(&tokens).map_err(|error| at_tokens(OpenReason::Read(error)))?;
        let vocabulary = Vocabulary::read(&file).map_err(|error| at_tokens(OpenReason::Vocabulary(error)))?;

        let path = folder.join(WEIGHTS);
        let at_weights = |error| OpenError { path: path.clone(), reason: OpenReason::Weights(error) };
        fs::metadata(&path)
            .map_err(|error| OpenError { path: path.clone(), reason: OpenReason::Read(error) })?;
        let weights = Weights::open(&path).map_err(at_weights)?;
        let shape = Shape::of(&weights).map_err(at_weights)?;
        if vocabulary.len() != shape.tokens {
            let (tokens, network) = (vocabulary.len(), shape.tokens);
            return Err(at_tokens(OpenReason::Tokens { tokens, network }));
        }
        let encoder = Encoder::open(&weights, shape).map_err(at_weights)?;
        let decoder = Decoder::open(&weights, shape).map_err(at_weights)?;
        Ok(Self { model: Arc::new(Model { encoder, decoder, vocabulary }) })
    }

    /// Writes down what is said in `pcm`, 16 kHz mono in `[-1, 1]`; nothing if it is too short for a word.
    /// `abandoned` is asked before each layer and each token, some milliseconds apart.
    ///
    /// # Errors
    /// [`NotRecognised::Abandoned`] if it said so; more than [`LONGEST`] samples.
    pub fn transcribe_wide(
        &self,
        pcm: &[f32],
        abandoned: &dyn Fn() -> bool,
    ) -> Result<Transcript, NotRecognised> {
        if pcm.len() > LONGEST {
            return Err(NotRecognised::Failed(format!(
                "{} samples are more than the 30 s that it takes",
                pcm.len()
            )));
        }
        if Encoder::rows(pcm.len()) == 0 {
            return Ok(Transcript::default());
        }
        let Model { encoder, decoder, vocabulary } = &*self.model;
        let rows = encoder
            .forward(pcm, &|| !abandoned())
            .map_err(|error| failed(&error))?
            .ok_or(NotRecognised::Abandoned)?;
        let mut decoding = decoder.begin(&rows).map_err(|error| failed(&error))?;
        let seconds = pcm.len() as f32 / RATE as f32;
        let most = (TOKENS_A_SECOND * seconds + FEWEST_TOKENS) as usize;
        let mut listening = Listening::new(alignment::MOONSHINE.to_vec(), HEADS);
        let (mut tokens, mut sure) = (Vec::new(), 0.0);
        let mut token = BEGIN;
        while token != END && tokens.len() < most && !circling(&tokens) {
            if abandoned() {
                return Err(NotRecognised::Abandoned);
            }
            decoding.step(token, true);
            let (best, probability) = likeliest(decoding.logits());
            listening.push(decoding.attention(), decoding.rows());
            token = best;
            sure += probability;
            if token != END {
                tokens.push(token);
            }
        }
        let ended = token == END;
        let confidence = sure / (tokens.len() + usize::from(ended)).max(1) as f32;
        let text = vocabulary.text(&tokens);
        let followed = listening.followed(tokens.len());
        let written = Written { pcm, tokens: &tokens, text: &text, ended, confidence, followed, nobody: 0.0 };
        let doubt = written.doubt(guards::MOONSHINE);
        let begins_word = |token| vocabulary.begins_word(token);
        let grid = Grid { hop: HOP, begins_word: &begins_word, text: &|some| vocabulary.text(some) };
        Ok(Transcript { words: listening.words(&tokens, &grid, pcm), text, confidence, doubt })
    }
}

impl Recognise for Recogniser {
    fn language(&self) -> &str {
        "en"
    }

    fn transcribe(
        &mut self,
        sound: &[i16],
        abandoned: &dyn Fn() -> bool,
    ) -> Result<Transcript, NotRecognised> {
        self.transcribe_wide(&widen(sound), abandoned)
    }
}

pub(super) fn failed(error: &candle_core::Error) -> NotRecognised {
    NotRecognised::Failed(error.to_string())
}

/// The likeliest token, and its probability.
pub(super) fn likeliest(logits: &[f32]) -> (u32, f32) {
    let mut best = (0, f32::MIN);
    for (n, &logit) in (0u32..).zip(logits) {
        if logit > best.1 {
            best = (n, logit);
        }
    }
    // What lies far below adds nothing that a float could hold.
    let near = logits.iter().map(|logit| logit - best.1).filter(|&below| below > -20.0);
    (best.0, 1.0 / near.map(f32::exp).sum::<f32>())
}
