//! Whisper's tokens: pieces of text as bytes, in which a word begins with a space, and behind them marks such as
//! `<|de|>` that are no text.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use crate::recognise::vocabulary::{Vocabulary, VocabularyError};

/// What is never said: a token of nothing but these is subtitlers' ornament. Whisper's own program leaves out nearly
/// the same ones.
const ORNAMENTS: &str = "\"#()*+/:;<=>@[\\]^_`{|}~\u{ab}\u{bb}\u{300c}\u{300d}\u{300e}\u{300f}\u{2669}\u{266a}\u{266b}\u{266c}\u{266d}\u{266e}\u{266f}";

/// The tokens of a network that knows many languages.
pub(super) struct Tokens {
    vocabulary: Vocabulary,
    /// Ends a transcript. All tokens from here on are marks.
    pub(super) end: u32,
    /// Begins one.
    pub(super) begin: u32,
    pub(super) transcribe: u32,
    /// Stands where nobody speaks.
    pub(super) no_speech: u32,
    /// Behind it come the times, 20 ms apart.
    no_times: u32,
    /// What is never chosen.
    ornaments: HashSet<u32>,
}

impl Tokens {
    /// The tokens in `file`, as [`Vocabulary::bytes`] writes them.
    ///
    /// # Errors
    /// It is damaged, or a mark is missing.
    pub(super) fn read(file: &[u8]) -> Result<Self, VocabularyError> {
        let vocabulary = Vocabulary::read(file)?;
        let mark = |names: &[&str]| {
            let found = names.iter().find_map(|name| find(&vocabulary, name));
            found.ok_or_else(|| VocabularyError::Mark(names.join(" or ")))
        };
        let (end, begin) = (mark(&["<|endoftext|>"])?, mark(&["<|startoftranscript|>"])?);
        let (transcribe, no_times) = (mark(&["<|transcribe|>"])?, mark(&["<|notimestamps|>"])?);
        let no_speech = mark(&["<|nospeech|>", "<|nocaptions|>"])?;
        let ornamental = |piece: &[u8]| {
            let text = std::str::from_utf8(piece).unwrap_or_default().trim();
            // A space and a stroke or an apostrophe is how subtitles change speakers.
            let changes = matches!(piece, b" -" | b" '");
            changes || !text.is_empty() && text.chars().all(|c| ORNAMENTS.contains(c))
        };
        let pieces = (0..end).filter_map(|token| Some((token, vocabulary.bytes_of(token)?)));
        let ornaments = pieces.filter(|(_, piece)| ornamental(piece)).map(|(token, _)| token).collect();
        Ok(Self { end, begin, transcribe, no_speech, no_times, ornaments, vocabulary })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.vocabulary.len()
    }

    /// The mark of a language, by a tag as in BCP 47.
    pub(super) fn language(&self, tag: &str) -> Option<u32> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        let is_one = matches!(primary.len(), 2 | 3) && primary.bytes().all(|b| b.is_ascii_lowercase());
        is_one.then(|| find(&self.vocabulary, &format!("<|{primary}|>"))).flatten()
    }

    /// Whether a token is a piece of text.
    pub(super) fn is_text(&self, token: u32) -> bool {
        token < self.end
    }

    /// The mark of a time, in steps of 20 ms.
    pub(super) fn time(&self, steps: u32) -> u32 {
        self.no_times + 1 + steps
    }

    /// The time that a mark stands for, in steps of 20 ms.
    pub(super) fn steps(&self, token: u32) -> Option<u32> {
        token.checked_sub(self.no_times + 1)
    }

    /// Whether a piece of text may be chosen. The first must say something.
    pub(super) fn may_stand(&self, token: u32, first: bool) -> bool {
        if !self.is_text(token) {
            return false;
        }
        let blank = || self.vocabulary.bytes_of(token).is_some_and(|piece| piece == b" ");
        !(self.ornaments.contains(&token) || first && blank())
    }

    /// Whether a word begins with this token.
    pub(super) fn begins_word(&self, token: u32) -> bool {
        self.piece(token).starts_with(b" ")
    }

    /// The text of a sequence of tokens; marks are left out, and bytes that are no UTF-8 are shown as `�`.
    pub(super) fn text(&self, tokens: &[u32]) -> String {
        let bytes: Vec<u8> = tokens.iter().flat_map(|&token| self.piece(token)).copied().collect();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }

    fn piece(&self, token: u32) -> &[u8] {
        if token < self.end { self.vocabulary.bytes_of(token).unwrap_or_default() } else { &[] }
    }
}

/// Marks stand behind all the text, so they are looked for from the end.
fn find(vocabulary: &Vocabulary, name: &str) -> Option<u32> {
    let last = u32::try_from(vocabulary.len()).ok()?;
    (0..last).rev().find(|&token| vocabulary.bytes_of(token) == Some(name.as_bytes()))
}

/// The list of tokens that comes with the weights, one a line in GPT-2's spelling of bytes (Radford et al. 2019), in
/// the order of their numbers.
///
/// # Errors
/// A character stands for no byte.
pub fn from_list(file: &[u8]) -> Result<Vocabulary, VocabularyError> {
    let text = std::str::from_utf8(file).map_err(|_| VocabularyError::Spelling(0))?;
    let lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
    let tokens = lines.enumerate().map(|(number, line)| bytes_of(number, line)).collect::<Result<_, _>>()?;
    Vocabulary::of(tokens)
}

/// The publisher's `tokenizer.json`, in the same spelling.
///
/// # Errors
/// It is no such file, or has another spelling.
pub fn from_json(file: &[u8]) -> Result<Vocabulary, VocabularyError> {
    let wrong = |why: &str| VocabularyError::Json(why.to_owned());
    let all: Value = serde_json::from_slice(file).map_err(|error| wrong(&error.to_string()))?;
    let pieces = all.pointer("/model/vocab").and_then(Value::as_object);
    let pieces = pieces.ok_or_else(|| wrong("it has no model.vocab"))?;
    let added = all.get("added_tokens").and_then(Value::as_array).into_iter().flatten();
    let added = added.filter_map(|token| Some((token.get("content")?.as_str()?, token.get("id")?)));
    let mut tokens: BTreeMap<usize, Box<[u8]>> = BTreeMap::new();
    for (piece, id) in pieces.iter().map(|(piece, id)| (piece.as_str(), id)).chain(added) {
        let number = id.as_u64().and_then(|id| usize::try_from(id).ok()).filter(|&id| id < MOST);
        let number = number.ok_or_else(|| wrong("an id is none"))?;
        tokens.insert(number, bytes_of(number, piece)?);
    }
    let count = tokens.keys().next_back().map_or(0, |last| last + 1);
    Vocabulary::of((0..count).map(|number| tokens.remove(&number).unwrap_or_default()).collect())
}

/// No vocabulary has more tokens.
const MOST: usize = 1 << 17;

/// A token's bytes, from their spelling; a mark stands as it is.
fn bytes_of(number: usize, spelled: &str) -> Result<Box<[u8]>, VocabularyError> {
    if spelled.starts_with("<|") && spelled.ends_with("|>") {
        return Ok(spelled.as_bytes().into());
    }
    spelled.chars().map(|c| byte_of(c).ok_or(VocabularyError::Spelling(number))).collect()
}

/// GPT-2 writes each byte as a character that can be seen: itself, or for those that can't, one from 256 on, in order.
fn byte_of(c: char) -> Option<u8> {
    let seen = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let code = u32::from(c);
    match u8::try_from(code) {
        Ok(byte) => seen(byte).then_some(byte),
        Err(_) => (0..=u8::MAX).filter(|&byte| !seen(byte)).nth(usize::try_from(code - 256).ok()?),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Every byte, some words, and the marks.
    fn list() -> String {
        let mut lines: Vec<String> = (0..=u8::MAX)
            .map(|byte| {
                char::from_u32(
                    (0..0x200).find(|&c| byte_of(char::from_u32(c).unwrap()) == Some(byte)).unwrap(),
                )
            })
            .map(|c| c.unwrap().to_string())
            .collect();
        lines.extend(["ĠGr", "Ã¼", "ÃŁe", "Ġâ", "Ļª", "Ġ-", "-"].map(str::to_owned));
        let marks = [
            "endoftext",
            "startoftranscript",
            "en",
            "de",
            "transcribe",
            "nocaptions",
            "notimestamps",
            "0.00",
        ];
        lines.extend(marks.map(|mark| format!("<|{mark}|>")));
        lines.extend((1..40).map(|steps| format!("<|0.{:02}|>", 2 * steps)));
        lines.join("\n") + "\n"
    }

    /// A small vocabulary: a word is 256.
    pub(in super::super) fn tokens() -> Tokens {
        Tokens::read(&from_list(list().as_bytes()).unwrap().bytes()).unwrap()
    }

    #[test]
    fn pieces_of_letters_become_words() {
        let tokens = tokens();
        assert_eq!(tokens.text(&[256, 257, 258]), "Grüße");
        assert!(tokens.begins_word(256) && !tokens.begins_word(257));
        assert_eq!(tokens.text(&[tokens.begin, 256, tokens.end]), "Gr", "marks are no text");
    }

    #[test]
    fn languages_are_found_by_their_tags() {
        let tokens = tokens();
        assert_eq!(tokens.language("de-AT"), Some(tokens.begin + 2));
        assert_eq!(tokens.language("DE"), tokens.language("de"));
        for none in ["fr", "", "endoftext", "transcribe", "|d", "0.00"] {
            assert_eq!(tokens.language(none), None, "{none}");
        }
    }

    #[test]
    fn marks_and_ornaments_are_never_chosen_and_a_stroke_within_a_word_is() {
        let tokens = tokens();
        assert!(!tokens.may_stand(tokens.end, false) && !tokens.may_stand(tokens.no_times, false));
        assert_eq!((tokens.steps(tokens.time(7)), tokens.steps(tokens.end)), (Some(7), None));
        assert!(!tokens.may_stand(261, false) && tokens.may_stand(262, false));
        assert!(!tokens.may_stand(u32::from(b'['), false));
        assert!(tokens.may_stand(256, true) && !tokens.may_stand(u32::from(b' '), true));
    }

    #[test]
    fn a_list_without_marks_or_in_another_spelling_is_refused() {
        let short = list().replace("<|transcribe|>\n", "");
        let error = Tokens::read(&from_list(short.as_bytes()).unwrap().bytes()).err().unwrap();
        assert!(error.to_string().contains("transcribe"), "{error}");
        assert_eq!(from_list("a\n漢\n".as_bytes()), Err(VocabularyError::Spelling(1)));
        assert_eq!(from_list(&[0xff]), Err(VocabularyError::Spelling(0)));
    }
}
