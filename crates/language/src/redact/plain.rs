//! A text's plain words, for other rules than those of redaction.

use std::ops::Range;

use super::token::{Shape, Tokens};
use crate::tongue::Language;

/// A word in small letters without accents, ä as ae.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plain {
    pub(crate) word: String,
    /// Bytes of the text.
    pub(crate) range: Range<usize>,
    /// The sign that follows it, if any: `,` `.` `?` and so on.
    pub(crate) sign: Option<char>,
}

/// The words and numbers of `text`.
pub(crate) fn plain(text: &str) -> Vec<Plain> {
    let mut words: Vec<Plain> = Vec::new();
    for token in Tokens::of(text, Language::Any).iter() {
        match token.shape {
            Shape::Word | Shape::Digits | Shape::Placeholder(_) => {
                words.push(Plain { word: token.plain.clone(), range: token.range.clone(), sign: None });
            }
            Shape::Sign(sign) => {
                if let Some(last) = words.last_mut() {
                    last.sign = last.sign.or(Some(sign));
                }
            }
        }
    }
    words
}
