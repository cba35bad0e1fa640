//! What a linear model sees of a text: its word and letter n-grams, as hashes.

use std::ops::Range;

use super::tokens::{Kind, Token};

/// An n-gram that occurs in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Feature {
    /// The n-gram's hash.
    pub(crate) hash: u32,
    /// The tokens it stands on, which a phrase is made of.
    pub(crate) tokens: Range<usize>,
    /// Whether it is of letters rather than words.
    pub(crate) letters: bool,
}

/// The n-grams of these tokens: one to three words, two words around a third, one or two words under a negation, and
/// three to five letters of a word with its edges.
pub(crate) fn features(tokens: &[Token]) -> Vec<Feature> {
    let mut found = Vec::with_capacity(tokens.len() * 16);
    let mut add =
        |hash: u32, tokens: Range<usize>, letters: bool| found.push(Feature { hash, tokens, letters });
    let text = |at: usize| tokens.get(at).map_or("$", |token| token.text.as_str());
    let count = tokens.len();
    for (at, token) in tokens.iter().enumerate() {
        let one = at..at + 1;
        add(Hash::of(Sort::One).word(&token.text).end(), one.clone(), false);
        if token.negated {
            add(Hash::of(Sort::Negated).word(&token.text).end(), one.clone(), false);
        }
        if let Some(next) = tokens.get(at + 1).filter(|next| token.negated && next.kind == Kind::Word) {
            let both = Hash::of(Sort::Negated).word(&token.text).word(&next.text).end();
            add(both, at..at + 2, false);
        }
        if token.stressed {
            add(Hash::of(Sort::Stressed).word(&token.text).end(), one.clone(), false);
        }
        if at == 0 {
            add(Hash::of(Sort::Two).word("^").word(&token.text).end(), one.clone(), false);
        }
        let (second, third) = (text(at + 1), text(at + 2));
        add(Hash::of(Sort::Two).word(&token.text).word(second).end(), at..(at + 2).min(count), false);
        if at + 2 < count {
            add(Hash::of(Sort::Three).word(&token.text).word(second).word(third).end(), at..at + 3, false);
            add(Hash::of(Sort::Around).word(&token.text).word(third).end(), at..at + 3, false);
        }
        if token.kind == Kind::Word {
            letters(&token.text, |hash| add(hash, one.clone(), true));
        }
    }
    found
}

fn letters(word: &str, mut add: impl FnMut(u32)) {
    let edged: Vec<char> =
        std::iter::once('<').chain(word.chars().take(24)).chain(std::iter::once('>')).collect();
    for length in 3..=5 {
        for window in edged.windows(length) {
            let mut hash = Hash::of(Sort::Letters);
            for c in window {
                hash = hash.number(u32::from(*c));
            }
            add(hash.end());
        }
    }
}

/// What an n-gram is of: the same words mean another feature in another sort.
#[derive(Debug, Clone, Copy)]
enum Sort {
    One = 1,
    Two,
    Three,
    Around,
    Negated,
    Stressed,
    Letters,
}

/// FNV-1a over 64 bits, stirred at its end (Fowler, Noll, Vo 1991; Steele, Lea, Flood 2014). Fixed for ever: the
/// weights are stored under these numbers.
struct Hash(u64);

impl Hash {
    fn of(sort: Sort) -> Self {
        Self(0xcbf2_9ce4_8422_2325).byte(sort as u8)
    }

    fn byte(self, byte: u8) -> Self {
        Self((self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
    }

    fn word(self, word: &str) -> Self {
        word.bytes().fold(self, Self::byte).byte(0xff)
    }

    fn number(self, number: u32) -> Self {
        number.to_le_bytes().into_iter().fold(self, Self::byte)
    }

    fn end(self) -> u32 {
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 32) as u32
    }
}
