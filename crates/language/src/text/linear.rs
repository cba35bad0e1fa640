//! A linear model over hashed n-grams: a table from the n-grams that training kept to eight-bit weights.

use super::features::Feature;

/// What letters count beside words: there are ten times as many of them.
pub(crate) const LETTERS: f32 = 0.5;

/// A linear model with several outputs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Linear {
    /// The n-grams' hashes, ascending.
    pub(crate) keys: Vec<u32>,
    /// A row of weights for each key.
    pub(crate) weights: Vec<i8>,
    /// What a step of a weight is worth, for each output.
    pub(crate) scale: Vec<f32>,
    /// What each output says of a text in which nothing is known.
    pub(crate) bias: Vec<f32>,
    /// Places of keys by their upper bits, so that a look-up is a step or two.
    index: Vec<u32>,
}

/// Upper bits by which keys are looked up.
const INDEX_BITS: u32 = 16;

/// A table whose parts don't fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TableError {
    /// Another number of weights than keys times outputs.
    #[error("the table's parts differ in length")]
    Length,
    /// Keys are looked up by halving.
    #[error("the table's keys are not in order")]
    Order,
    /// A scale or bias that is no number.
    #[error("the table holds something that is no number")]
    Number,
}

impl Linear {
    /// A model of these parts.
    ///
    /// # Errors
    /// See [`TableError`].
    pub(crate) fn new(
        keys: Vec<u32>,
        weights: Vec<i8>,
        scale: Vec<f32>,
        bias: Vec<f32>,
    ) -> Result<Self, TableError> {
        if scale.len() != bias.len() || keys.len().checked_mul(scale.len()) != Some(weights.len()) {
            return Err(TableError::Length);
        }
        if !keys.windows(2).all(|pair| matches!(pair, [a, b] if a < b)) {
            return Err(TableError::Order);
        }
        if !scale.iter().chain(&bias).all(|x| x.is_finite()) {
            return Err(TableError::Number);
        }
        let mut index = Vec::with_capacity((1 << INDEX_BITS) + 1);
        let mut at = 0;
        for prefix in 0..=(1u32 << INDEX_BITS) {
            let below = |key: &u32| (key >> (32 - INDEX_BITS)) < prefix;
            while keys.get(at).is_some_and(below) {
                at += 1;
            }
            index.push(at as u32);
        }
        Ok(Self { keys, weights, scale, bias, index })
    }

    /// How many outputs there are.
    pub(crate) fn outputs(&self) -> usize {
        self.bias.len()
    }

    fn row(&self, hash: u32) -> Option<&[i8]> {
        let prefix = (hash >> (32 - INDEX_BITS)) as usize;
        let (from, to) = (*self.index.get(prefix)? as usize, *self.index.get(prefix + 1)? as usize);
        let place = from + self.keys.get(from..to)?.iter().position(|key| *key == hash)?;
        self.weights.get(place * self.outputs()..(place + 1) * self.outputs())
    }

    /// The known n-grams among these, each once, with what each counts. Their squares sum to one.
    fn known<'a>(&'a self, features: &'a [Feature]) -> Vec<(&'a Feature, &'a [i8], f32)> {
        let mut known: Vec<(&Feature, &[i8], f32)> = features
            .iter()
            .filter_map(|feature| {
                let weight = if feature.letters { LETTERS } else { 1.0 };
                self.row(feature.hash).map(|row| (feature, row, weight))
            })
            .collect();
        known.sort_by_key(|(feature, _, _)| feature.hash);
        known.dedup_by_key(|(feature, _, _)| feature.hash);
        let length = known.iter().map(|(_, _, value)| value * value).sum::<f32>().sqrt().max(1e-6);
        known.iter_mut().for_each(|(_, _, value)| *value /= length);
        known
    }

    /// The outputs for a text, as log-odds.
    pub(crate) fn logits(&self, features: &[Feature]) -> Vec<f32> {
        let mut sums = vec![0.0f32; self.outputs()];
        for (_, row, value) in self.known(features) {
            for (sum, weight) in sums.iter_mut().zip(row) {
                *sum += value * f32::from(*weight);
            }
        }
        let parts = sums.into_iter().zip(&self.scale).zip(&self.bias);
        parts.map(|((sum, scale), bias)| sum * scale + bias).collect()
    }

    /// What each token adds to one output. An n-gram's part is shared by its tokens.
    pub(crate) fn shares(&self, features: &[Feature], tokens: usize, output: usize) -> Vec<f32> {
        let mut shares = vec![0.0f32; tokens];
        for feature in features {
            let Some(weight) = self.row(feature.hash).and_then(|row| row.get(output)) else { continue };
            let value = if feature.letters { LETTERS } else { 1.0 };
            let share = value * f32::from(*weight) / feature.tokens.len().max(1) as f32;
            for token in shares.get_mut(feature.tokens.clone()).into_iter().flatten() {
                *token += share;
            }
        }
        shares
    }
}

/// Log-odds to a probability.
pub(crate) fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::features::features;
    use crate::text::tokens::tokens;

    #[test]
    fn a_known_word_moves_its_output_alone() {
        let found = features(&tokens("cancel it"));
        let key = found.first().unwrap().hash;
        let model = Linear::new(vec![key], vec![100, 0], vec![0.1, 0.1], vec![-1.0, -2.0]).unwrap();
        assert_eq!(model.logits(&found), [9.0, -2.0]);
        assert_eq!(model.shares(&found, 2, 0), [100.0, 0.0]);
        assert_eq!(model.logits(&[]), [-1.0, -2.0]);
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        assert_eq!(Linear::new(vec![1], vec![1], vec![1.0; 2], vec![0.0; 2]), Err(TableError::Length));
        assert_eq!(Linear::new(vec![2, 1], vec![1, 1], vec![1.0], vec![0.0]), Err(TableError::Order));
        assert_eq!(Linear::new(vec![], vec![], vec![f32::NAN], vec![0.0]), Err(TableError::Number));
    }
}
