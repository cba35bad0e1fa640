//! A linear model fitted to texts: logistic regression for each output, by AdaGrad.

#![allow(clippy::indexing_slicing)] // tables of one size, made here and indexed by places that were handed out here

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::rng::Rng;
use crate::text::features::features;
use crate::text::linear::{LETTERS, Linear, TableError, logistic};
use crate::text::tokens::tokens;

/// How a model is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fitting {
    /// How often every text is seen.
    pub(crate) epochs: usize,
    /// AdaGrad's step.
    pub(crate) rate: f32,
    /// Pull of every weight that is seen toward nought.
    pub(crate) decay: f32,
    /// In how many texts an n-gram must occur.
    pub(crate) least: u32,
    /// How many n-grams are kept.
    pub(crate) keep: usize,
}

/// Texts as n-grams, with what they are labelled.
#[derive(Debug, Default)]
pub(crate) struct Set {
    /// Hash, and whether it is of letters; each once.
    pub(crate) texts: Vec<Vec<(u32, bool)>>,
    /// A bit for each output.
    pub(crate) labels: Vec<u64>,
}

impl Set {
    pub(crate) fn push(&mut self, text: &str, labels: u64) {
        let found = features(&tokens(text));
        let mut grams: Vec<(u32, bool)> =
            found.into_iter().map(|found| (found.hash, found.letters)).collect();
        grams.sort_unstable();
        grams.dedup_by_key(|(hash, _)| *hash);
        self.texts.push(grams);
        self.labels.push(labels);
    }

    /// The n-grams that occur in at least so many texts, in order.
    pub(crate) fn vocabulary(&self, least: u32) -> Vec<u32> {
        let mut counts: HashMap<u32, u32> = HashMap::new();
        for (hash, _) in self.texts.iter().flatten() {
            *counts.entry(*hash).or_default() += 1;
        }
        let mut keys: Vec<u32> =
            counts.into_iter().filter(|(_, count)| *count >= least).map(|(hash, _)| hash).collect();
        keys.sort_unstable();
        keys
    }
}

/// Weights before they are rounded.
#[derive(Debug, Clone)]
pub(crate) struct Fitted {
    keys: Vec<u32>,
    outputs: usize,
    weights: Vec<f32>,
    bias: Vec<f32>,
}

/// Texts as places in a vocabulary.
pub(crate) struct Indexed(Vec<Vec<(u32, f32)>>);

impl Indexed {
    pub(crate) fn new(set: &Set, keys: &[u32]) -> Self {
        let places: HashMap<u32, u32> =
            keys.iter().enumerate().map(|(place, key)| (*key, place as u32)).collect();
        let text = |grams: &Vec<(u32, bool)>| {
            let mut known: Vec<(u32, f32)> = grams
                .iter()
                .filter_map(|(hash, letters)| {
                    Some((*places.get(hash)?, if *letters { LETTERS } else { 1.0 }))
                })
                .collect();
            let length = known.iter().map(|(_, value)| value * value).sum::<f32>().sqrt().max(1e-6);
            known.iter_mut().for_each(|(_, value)| *value /= length);
            known
        };
        Self(set.texts.iter().map(text).collect())
    }
}

/// Fits to the texts at `picked`.
pub(crate) fn fit(
    texts: &Indexed,
    labels: &[u64],
    picked: &[usize],
    keys: &[u32],
    outputs: usize,
    fitting: Fitting,
    seed: u64,
) -> Fitted {
    let mut rng = Rng::new(seed);
    let mut order = picked.to_vec();
    let mut weights = vec![0.0f32; keys.len() * outputs];
    let mut squares = vec![1e-2f32; weights.len()];
    let (mut bias, mut bias_squares) = (vec![-3.0f32; outputs], vec![0.1f32; outputs]);
    let mut errors = vec![0.0f32; outputs];
    for epoch in 0..fitting.epochs {
        rng.shuffle(&mut order);
        let rate = fitting.rate * (1.0 - 0.9 * epoch as f32 / fitting.epochs as f32);
        for &at in &order {
            errors.copy_from_slice(&bias);
            for (place, value) in &texts.0[at] {
                let row = &weights[*place as usize * outputs..][..outputs];
                errors.iter_mut().zip(row).for_each(|(sum, weight)| *sum += value * weight);
            }
            for (output, error) in errors.iter_mut().enumerate() {
                *error = logistic(*error) - (labels[at] >> output & 1) as f32;
                bias_squares[output] += *error * *error;
                bias[output] -= rate * *error / bias_squares[output].sqrt();
            }
            for (place, value) in &texts.0[at] {
                let from = *place as usize * outputs;
                let (row, squares) = (&mut weights[from..from + outputs], &mut squares[from..from + outputs]);
                for ((weight, square), error) in row.iter_mut().zip(squares).zip(&errors) {
                    let slope = error * value + fitting.decay * *weight;
                    *square += slope * slope;
                    *weight -= rate * slope / square.sqrt();
                }
            }
        }
    }
    Fitted { keys: keys.to_vec(), outputs, weights, bias }
}

impl Fitted {
    /// The outputs for one of the texts it is indexed for, as log-odds.
    pub(crate) fn logits(&self, texts: &Indexed, at: usize) -> Vec<f32> {
        let mut sums = self.bias.clone();
        for (place, value) in &texts.0[at] {
            let row = &self.weights[*place as usize * self.outputs..][..self.outputs];
            sums.iter_mut().zip(row).for_each(|(sum, weight)| *sum += value * weight);
        }
        sums
    }

    /// The n-grams that can move an output furthest, in order.
    pub(crate) fn strongest(&self, keep: usize) -> Vec<u32> {
        let strength = |row: &[f32]| row.iter().fold(0.0f32, |most, weight| most.max(weight.abs()));
        let mut ranked: Vec<(f32, u32)> =
            self.weights.chunks(self.outputs.max(1)).map(strength).zip(self.keys.iter().copied()).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut keys: Vec<u32> = ranked.into_iter().take(keep).map(|(_, key)| key).collect();
        keys.sort_unstable();
        keys
    }

    /// Rounded to eight bits.
    pub(crate) fn rounded(&self) -> Result<Linear, TableError> {
        let mut scale = vec![1e-6f32; self.outputs];
        for row in self.weights.chunks(self.outputs.max(1)) {
            scale.iter_mut().zip(row).for_each(|(scale, weight)| *scale = scale.max(weight.abs() / 127.0));
        }
        let weights = self.weights.chunks(self.outputs.max(1)).flat_map(|row| {
            row.iter().zip(&scale).map(|(weight, scale)| (weight / scale).round().clamp(-127.0, 127.0) as i8)
        });
        Linear::new(self.keys.clone(), weights.collect(), scale.clone(), self.bias.clone())
    }
}
