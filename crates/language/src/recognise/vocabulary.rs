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
    /// A mark that the network is steered by.
    #[error("the vocabulary lacks the mark {0}")]
    Mark(String),
    /// A list in another spelling.
    #[error("token {0} is not spelled in GPT-2's way")]
    Spelling(usize),
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

    pub(super) fn of(tokens: Vec<Box<[u8]>>) -> Result<Self, VocabularyError> {
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

    /// A token's bytes, whatever it is.
    pub(super) fn bytes_of(&self, token: u32) -> Option<&[u8]> {
        self.tokens.get(usize::try_from(token).ok()?).map(|token| &**token)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn small(pieces: &[&str]) -> Vocabulary {
        let mut tokens: Vec<Box<[u8]>> = [&b"<unk>"[..], b"<s>", b"</s>"].map(Into::into).into();
        tokens.extend((0..=255u8).map(|byte| Box::from([byte])));
        tokens.extend(pieces.iter().map(|piece| piece.as_bytes().into()));
        Vocabulary::of(tokens).unwrap()
    }

    #[test]
    fn pieces_bytes_and_marks_become_text() {
        let vocabulary = small(&["\u{2581}can", "cel", "<<ST_7>>", "\u{2581}it"]);
        assert_eq!(vocabulary.text(&[BEGIN, 259, 260, 261, 262, 3 + u32::from(b'!'), END]), "cancel it!");
        // Two bytes of one character, and one of another that stays alone.
        assert_eq!(vocabulary.text(&[3 + 0xc3, 3 + 0xa9, 3 + 0xc3]), "é\u{fffd}");
        assert!(vocabulary.begins_word(259) && !vocabulary.begins_word(260));
        assert_eq!(vocabulary.text(&[99_999]), "");
    }

    #[test]
    fn the_publishers_json_gives_the_same_vocabulary() {
        let vocabulary = small(&["\u{2581}can", "cel"]);
        let mut pieces = serde_json::Map::new();
        for byte in 0..=255u8 {
            pieces.insert(format!("<0x{byte:02X}>"), json!(u32::from(byte) + 3));
        }
        pieces.extend([("\u{2581}can".to_owned(), json!(259)), ("cel".to_owned(), json!(260))]);
        let file = json!({
            "added_tokens": [{"id": 0, "content": "<unk>"}, {"id": 1, "content": "<s>"}, {"id": 2, "content": "</s>"}],
            "model": {"type": "BPE", "vocab": pieces},
        });
        assert_eq!(Vocabulary::read_json(file.to_string().as_bytes()).unwrap(), vocabulary);
        for wrong in
            [json!({}), json!({"model": {"vocab": {"a": -1}}}), json!({"model": {"vocab": {"a": 1e9}}})]
        {
            assert!(Vocabulary::read_json(wrong.to_string().as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_file_that_is_cut_short_is_told() {
        let file = small(&["\u{2581}cancel"]).bytes();
        assert_eq!(Vocabulary::read(&file[..file.len() - 1]), Err(VocabularyError::Cut(259)));
        assert_eq!(Vocabulary::read(&file[..29]), Err(VocabularyError::TooFew(10)));
        assert_eq!(Vocabulary::read(&[0x80]), Err(VocabularyError::Cut(0)));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 259..270),
        ) {
            let vocabulary = Vocabulary::of(pieces.into_iter().map(Into::into).collect()).unwrap();
            prop_assert_eq!(Vocabulary::read(&vocabulary.bytes()), Ok(vocabulary));
        }

        #[test]
        fn any_bytes_are_survived(
            file in proptest::collection::vec(any::<u8>(), 0..2000),
            tokens in proptest::collection::vec(any::<u32>(), 0..20),
        ) {
            if let Ok(vocabulary) = Vocabulary::read(&file) {
                let _ = vocabulary.text(&tokens);
            }
            let _ = Vocabulary::read_json(&file);
        }
    }
}
