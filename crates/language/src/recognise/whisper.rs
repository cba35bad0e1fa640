//! Whisper (Radford et al. 2022, arXiv 2212.04356; MIT): speech of many languages to text.
//!
//! | module | subject |
//! | --- | --- |
//! | `mel`, `encoder`, `decoder`, `shape` | the network |
//! | `tokens` | tokens to text, and the marks among them |
//! | `writing` | which token comes next, and when it is enough |
//! | `ctranslate2` | the same weights as CTranslate2's file holds them |
//!
//! Its own program hears thirty seconds at a time, however short the sound. Here it hears the sound and a little
//! silence: an utterance of three seconds then costs a seventh, and docs/LANGUAGE.md says what that does to its words.

mod ctranslate2;
mod decoder;
mod encoder;
mod mel;
mod shape;
mod tokens;
mod writing;

use std::fs;
use std::path::Path;
use std::sync::Arc;

pub use ctranslate2::{ConversionError, from_ctranslate2};
pub use tokens::{from_json, from_list};

use self::decoder::Decoder;
use self::encoder::Encoder;
use self::shape::Shape;
use self::tokens::Tokens;
use self::writing::Writing;
use super::alignment::{Grid, Listening};
use super::guards::{Limits, Written, circling};
use super::recogniser::{LONGEST, OpenError, OpenReason, TOKENS, WEIGHTS, failed};
use super::sound::{RATE, widen};
use super::weights::Weights;
use super::{NotRecognised, Recognise, Transcript};

/// Samples from one row of the encoder to the next.
const HOP: usize = 320;
/// Silence behind the sound, in samples: three seconds. Of 24 German clips at 8 kHz 25.7 % of the words were
/// wrong with one second, 19.1 % with three, 20.9 % with all of the thirty.
const SILENCE: usize = 3 * RATE as usize;
/// Tokens that a second of speech has at most. German has more of them than English: they are cut shorter.
const TOKENS_A_SECOND: f32 = 12.0;
const FEWEST_TOKENS: f32 = 12.0;
/// The shortest sound that is taken, in samples: a tenth of a second.
const SHORTEST: usize = RATE as usize / 10;
/// What guards its words: see `guards`. It is surer of what it makes up than Moonshine, and says itself whether
/// anybody speaks.
const LIMITS: Limits = Limits { sure: 0.45, sure_of_few: 0.55, followed: 0.3, nobody: 0.6 };

struct Model {
    shape: Shape,
    encoder: Encoder,
    decoder: Decoder,
    tokens: Tokens,
    following: Vec<(usize, usize)>,
}

/// A recogniser of one language. Clones share the weights; each may be used by a thread of its own.
#[derive(Clone)]
pub struct Whisper {
    model: Arc<Model>,
    language: Arc<str>,
    mark: u32,
}

impl std::fmt::Debug for Whisper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Whisper").field("language", &self.language).finish_non_exhaustive()
    }
}

impl Whisper {
    /// Reads the model in `folder`, for speech in `language` (BCP 47).
    ///
    /// # Errors
    /// A file is missing, damaged, or no such model; it does not know the language.
    pub fn open(folder: &Path, language: &str) -> Result<Self, OpenError> {
        let path = folder.join(TOKENS);
        let at_tokens = |reason| OpenError { path: path.clone(), reason };
        let file = fs::read(&path).map_err(|error| at_tokens(OpenReason::Read(error)))?;
        let tokens = Tokens::read(&file).map_err(|error| at_tokens(OpenReason::Vocabulary(error)))?;

        let path = folder.join(WEIGHTS);
        let at_weights = |error| OpenError { path: path.clone(), reason: OpenReason::Weights(error) };
        fs::metadata(&path)
            .map_err(|error| OpenError { path: path.clone(), reason: OpenReason::Read(error) })?;
        let weights = Weights::open(&path).map_err(at_weights)?;
        let shape = Shape::of(&weights).map_err(at_weights)?;
        if tokens.len() != shape.tokens {
            let (tokens, network) = (tokens.len(), shape.tokens);
            return Err(at_tokens(OpenReason::Tokens { tokens, network }));
        }
        let encoder = Encoder::open(&weights, shape).map_err(at_weights)?;
        let decoder = Decoder::open(&weights, shape).map_err(at_weights)?;
        let following = shape.following();
        let model = Arc::new(Model { shape, encoder, decoder, tokens, following });
        Self::of(model, language).map_err(at_tokens)
    }

    /// The same network for another language.
    ///
    /// # Errors
    /// It does not know the language.
    pub fn in_language(&self, language: &str) -> Result<Self, OpenReason> {
        Self::of(Arc::clone(&self.model), language)
    }

    fn of(model: Arc<Model>, language: &str) -> Result<Self, OpenReason> {
        let mark =
            model.tokens.language(language).ok_or_else(|| OpenReason::Language(language.to_owned()))?;
        Ok(Self { model, language: language.into(), mark })
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
        if pcm.len() < SHORTEST {
            return Ok(Transcript::default());
        }
        let Model { shape, encoder, decoder, tokens: names, following } = &*self.model;
        let rows = (pcm.len() + SILENCE).div_ceil(HOP).min(shape.rows);
        let rows = encoder
            .forward(pcm, rows, &|| !abandoned())
            .map_err(|error| failed(&error))?
            .ok_or(NotRecognised::Abandoned)?;
        let mut decoding = decoder.begin(&rows).map_err(|error| failed(&error))?;

        decoding.step(names.begin, true);
        let nobody = probability(decoding.logits(), names.no_speech);
        decoding.step(self.mark, false);
        decoding.step(names.transcribe, false);
        let seconds = pcm.len() as f32 / RATE as f32;
        let most = (TOKENS_A_SECOND * seconds + FEWEST_TOKENS) as usize;
        let most = most.min(shape.positions / 2);
        let mut listening = Listening::new(following.clone(), shape.heads.count);
        let (mut tokens, mut sure) = (Vec::new(), 0.0);
        let mut writing = Writing::new(names, seconds);
        let mut token = names.time(0);
        let ended = loop {
            if abandoned() {
                return Err(NotRecognised::Abandoned);
            }
            if tokens.len() >= most || circling(&tokens) {
                break false;
            }
            decoding.step(token, true);
            let (best, probability) = writing.choose(decoding.logits());
            token = best;
            if names.is_text(token) {
                listening.push(decoding.attention(), decoding.rows());
                tokens.push(token);
                sure += probability;
            } else if writing.ends(token) {
                listening.push(decoding.attention(), decoding.rows());
                break true;
            }
        };
        let confidence = sure / tokens.len().max(1) as f32;
        let text = names.text(&tokens);
        let followed = listening.followed(tokens.len());
        let written = Written { pcm, tokens: &tokens, text: &text, ended, confidence, followed, nobody };
        let doubt = written.doubt(LIMITS);
        let grid =
            Grid { hop: HOP, begins_word: &|token| names.begins_word(token), text: &|some| names.text(some) };
        Ok(Transcript { words: listening.words(&tokens, &grid, pcm), text, confidence, doubt })
    }
}

impl Recognise for Whisper {
    fn language(&self) -> &str {
        &self.language
    }

    fn transcribe(
        &mut self,
        sound: &[i16],
        abandoned: &dyn Fn() -> bool,
    ) -> Result<Transcript, NotRecognised> {
        self.transcribe_wide(&widen(sound), abandoned)
    }
}

/// The probability of one token.
fn probability(logits: &[f32], token: u32) -> f32 {
    let largest = logits.iter().copied().fold(f32::MIN, f32::max);
    let all: f32 = logits.iter().map(|logit| (logit - largest).exp()).sum();
    let own = usize::try_from(token).ok().and_then(|token| logits.get(token));
    own.map_or(0.0, |logit| (logit - largest).exp() / all)
}
