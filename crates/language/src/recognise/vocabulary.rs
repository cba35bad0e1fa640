//! Tokens to text.
//!
//! Moonshine writes with 32,768 tokens: pieces of text in which `▁` stands for a space, one token for each byte, and
//! marks that are never shown. The vocabulary is kept as one small file, the form in which the publisher's own runtime
//! has it: each token's length, one byte below 128 or two (`n % 128 + 128`, `n / 128`), and its bytes.

use std::collections::HashMap;

use serde_json::Value;
use thiserror::Error;

/// Ends a transcript.
pub const END: u32 = 2;
/// Begins one.
pub const BEGIN: u32 = 1;
/// The tokens of single bytes: `FIRST_BYTE + byte`.
const FIRST_BYTE: usize = 3;
/// Tokens that are no text: unknown, begin, end.
const MARKS: usize = 3;
/// The most tokens of a vocabulary, and the most bytes of a token.
const MOST: usize = 1 << 17;
const LONGEST: usize = 1024;
/// How a space is written within a piece.
const SPACE: &str = "\u{2581}";

/// Why a vocabulary can't be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VocabularyError {
    /// The file ends within a token.
    #[error("the vocabulary is cut short: token {0} is not whole")]
    Cut(usize),
    /// More than a network could tell apart.
    #[error("the vocabulary has more than {MOST} tokens, or one of more than {LONGEST} bytes")]
    TooMany,
    /// Too small to be one.
    #[error("the vocabulary has {0} tokens; it needs the marks and one for each byte")]
    TooFew(usize),
    /// Not the publisher's tokenizer.json.
    #[error("not a tokenizer.json: {0}")]
    Json(String),
}

/// Tokens and their bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vocabulary {
    tokens: Vec<Box<[u8]>>,
}

impl Vocabulary {
    /// Reads the file that [`bytes`](Self::bytes) makes.
    ///
    /// # Errors
    /// It is cut short, or too large or small to be one.
    pub fn read(file: &[u8]) -> Result<Self, VocabularyError> {
        let mut tokens = Vec::new();
        let mut rest = file;
        while let Some((&first, after)) = rest.split_first() {
            let cut = VocabularyError::Cut(tokens.len());
            let (length, after) = match first {
                0..128 => (usize::from(first), after),
                _ => match after.split_first() {
                    Some((&second, after)) => (usize::from(second) * 128 + usize::from(first) - 128, after),
                    None => return Err(cut),
                },
            };
            if tokens.len() == MOST || length > LONGEST {
                return Err(VocabularyError::TooMany);
            }
            let (token, after) = after.split_at_checked(length).ok_or(cut)?;
            tokens.push(token.into());
            rest = after;
        }
        Self::of(tokens)
    }

    /// Reads the publisher's `tokenizer.json`.
    ///
    /// # Errors
    /// It is no such file.
    pub fn read_json(file: &[u8]) -> Result<Self, VocabularyError> {
        let wrong = |why: &str| VocabularyError::Json(why.to_owned());
        let all: Value =
            serde_json::from_slice(file).map_err(|error| VocabularyError::Json(error.to_string()))?;
        let pieces = all.pointer("/model/vocab").and_then(Value::as_object);
        let pieces = pieces.ok_or_else(|| wrong("it has no model.vocab"))?;
        let mut tokens: HashMap<usize, Box<[u8]>> = HashMap::new();
        let added = all.get("added_tokens").and_then(Value::as_array).into_iter().flatten();
        let added = added.filter_map(|token| Some((token.get("content")?.as_str()?, token.get("id")?)));
        for (piece, id) in pieces.iter().map(|(piece, id)| (piece.as_str(), id)).chain(added) {
            let id = id
                .as_u64()
                .and_then(|id| usize::try_from(id).ok())
                .ok_or_else(|| wrong("an id is no number"))?;
            if id >= MOST || piece.len() > LONGEST {
                return Err(VocabularyError::TooMany);
            }
            tokens.insert(id, byte_of(piece).map_or_else(|| piece.as_bytes().into(), |byte| [byte].into()));
        }
        let count = tokens.keys().max().map_or(0, |last| last + 1);
        Self::of((0..count).map(|id| tokens.remove(&id).unwrap_or_default()).collect())
    }

    fn of(tokens: Vec<Box<[u8]>>) -> Result<Self, VocabularyError> {
        if tokens.len() < FIRST_BYTE + 256 {
            return Err(VocabularyError::TooFew(tokens.len()));
        }
        Ok(Self { tokens })
    }

    /// The file that [`read`](Self::read) reads.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut file = Vec::new();
        for token in &self.tokens {
            let length = token.len();
            if length < 128 {
                file.push(length as u8);
            } else {
                file.extend([(length % 128 + 128) as u8, (length / 128) as u8]);
            }
            file.extend_from_slice(token);
        }
        file
    }

    /// How many tokens there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Never: a vocabulary has tokens.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Whether a word begins with this token.
    #[must_use]
    pub fn begins_word(&self, token: u32) -> bool {
        self.piece(token).is_some_and(|piece| piece.starts_with(SPACE.as_bytes()))
    }

    /// The text of a sequence of tokens; marks are left out, and bytes that are no UTF-8 are shown as `�`.
    #[must_use]
    pub fn text(&self, tokens: &[u32]) -> String {
        let bytes: Vec<u8> =
            tokens.iter().filter_map(|&token| self.piece(token)).flatten().copied().collect();
        String::from_utf8_lossy(&bytes).replace(SPACE, " ").trim().to_owned()
    }

    /// A token's bytes, if it is text.
    fn piece(&self, token: u32) -> Option<&[u8]> {
        let token = usize::try_from(token).ok().filter(|&token| token >= MARKS)?;
        let piece = self.tokens.get(token)?;
        let mark = piece.starts_with(b"<<ST_") && piece.ends_with(b">>");
        (!mark).then_some(&**piece)
    }
}

/// The byte that a piece such as `<0x0A>` stands for.
fn byte_of(piece: &str) -> Option<u8> {
    let digits = piece.strip_prefix("<0x")?.strip_suffix('>')?;
    if digits.len() == 2 { u8::from_str_radix(digits, 16).ok() } else { None }
}
