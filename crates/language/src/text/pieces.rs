//! A long text in pieces of the length that the models were trained on.

use std::ops::Range;

use super::features::{Feature, features};
use super::tokens::{Kind, Token};

/// A text of so many tokens is read as one.
const SHORT: usize = 40;
/// Sentences are joined until a piece has so many.
const LEAST: usize = 8;
/// A sentence of more is cut.
const MOST: usize = 60;

/// The pieces of a text.
pub(super) fn pieces(tokens: &[Token]) -> Vec<Piece<'_>> {
    places(tokens).into_iter().filter_map(|place| tokens.get(place)).map(Piece::new).collect()
}

/// Below so many tokens a sentence says nothing by itself.
const SENTENCE: usize = 4;

/// The pieces, and each sentence of a text of several: what one of them is about drowns among the others.
pub(super) fn with_sentences(tokens: &[Token]) -> Vec<Piece<'_>> {
    let mut all = pieces(tokens);
    let sentences: Vec<&[Token]> = tokens.split_inclusive(|token| token.kind == Kind::End).collect();
    if sentences.len() > 1 {
        let long = |sentence: &&[Token]| (SENTENCE..=MOST).contains(&sentence.len());
        all.extend(
            sentences.into_iter().filter(long).map(|tokens| Piece { alone: true, ..Piece::new(tokens) }),
        );
    }
    all
}

/// A piece of a text that a model can read at once.
pub(super) struct Piece<'a> {
    pub(super) tokens: &'a [Token],
    pub(super) features: Vec<Feature>,
    /// A sentence taken out of its text.
    pub(super) alone: bool,
}

impl<'a> Piece<'a> {
    pub(super) fn new(tokens: &'a [Token]) -> Self {
        Self { tokens, features: features(tokens), alone: false }
    }

    /// How many words there are in it.
    pub(super) fn words(&self) -> usize {
        self.tokens.iter().filter(|token| token.kind == Kind::Word).count()
    }
}

/// The pieces, as places among the tokens, in order; together they are all of them.
fn places(tokens: &[Token]) -> Vec<Range<usize>> {
    if tokens.len() <= SHORT {
        return std::iter::once(0..tokens.len()).filter(|whole| !whole.is_empty()).collect();
    }
    let (mut found, mut from) = (Vec::new(), 0);
    for (at, token) in tokens.iter().enumerate() {
        let length = at + 1 - from;
        if (token.kind == Kind::End && length >= LEAST) || length >= MOST {
            found.push(from..at + 1);
            from = at + 1;
        }
    }
    match found.last_mut() {
        // A few words at the end belong to what stands before them.
        Some(last) if tokens.len() - from < LEAST && from < tokens.len() => last.end = tokens.len(),
        _ if from < tokens.len() => found.push(from..tokens.len()),
        _ => {}
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::tokens::tokens;

    proptest! {
        #[test]
        fn pieces_are_the_whole_in_order(text in "([a-z]{1,5}[ .,]{1,2}){0,300}") {
            let tokens = tokens(&text);
            let mut end = 0;
            for piece in places(&tokens) {
                prop_assert_eq!(piece.start, end);
                prop_assert!(piece.len() <= MOST + LEAST && !piece.is_empty());
                end = piece.end;
            }
            prop_assert_eq!(end, tokens.len());
        }
    }
}
