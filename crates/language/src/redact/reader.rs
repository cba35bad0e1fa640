//! What the rules read.

use std::ops::Range;

use super::kind::Kind;
use super::lexicon::Flags;
use super::token::Tokens;
use crate::tongue::Language;

/// What an utterance inherits from the one before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Before {
    /// Cues whose value has not come yet.
    pub(super) cue: Flags,
    /// Digits that were said last and nothing after them; 0 if none.
    pub(super) digits: usize,
    /// Whether those were taken out, and as what.
    pub(super) kind: Option<Kind>,
}

/// What the rules read: the tokens, and what went before them.
pub(super) struct Reader<'a> {
    pub(super) tokens: &'a Tokens,
    pub(super) language: Language,
    pub(super) before: &'a Before,
    /// Whether the text has capitals within sentences, so that a small letter says that a word is no name.
    pub(super) capitals: bool,
    /// Where the text may go on: a number that stands at the end may be half of one.
    pub(super) open: bool,
}

/// Tokens that a rule takes out, from and to.
pub(super) type Claims = Vec<(Range<usize>, Kind)>;
