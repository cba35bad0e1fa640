//! Attention of a single vector to many, on plain slices: one token at a time.

#![allow(clippy::indexing_slicing)] // heads and rows of sizes that were checked when the weights were read

/// Heads of attention, and the values of all of them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heads {
    pub(super) count: usize,
    pub(super) width: usize,
}

impl Heads {
    /// Values of a head.
    pub(super) const fn size(self) -> usize {
        self.width / self.count
    }
}

pub(super) fn add(x: &mut [f32], y: &[f32]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}

/// Weights `[heads, positions]` of the tokens so far.
pub(super) fn self_scores(
    query: &[f32],
    keys: &[f32],
    heads: Heads,
    positions: usize,
    weights: &mut Vec<f32>,
) {
    weights.clear();
    let scale = (heads.size() as f32).powf(-0.5);
    for (head, query) in query.chunks_exact(heads.size()).enumerate() {
        let keys = keys.chunks_exact(heads.width).map(|key| &key[head * heads.size()..][..heads.size()]);
        weights.extend(keys.map(|key| scale * query.iter().zip(key).map(|(q, k)| q * k).sum::<f32>()));
    }
    weights.chunks_exact_mut(positions).for_each(softmax);
}

/// Weights `[heads, rows]` of the encoder's rows.
pub(super) fn cross_scores(query: &[f32], keys: &[f32], heads: Heads, rows: usize, weights: &mut Vec<f32>) {
    weights.clear();
    weights.resize(heads.count * rows, 0.0);
    let scale = (heads.size() as f32).powf(-0.5);
    let each = weights.chunks_exact_mut(rows).zip(query.chunks_exact(heads.size()));
    let each = each.zip(keys.chunks_exact(heads.size() * rows));
    pulp::Arch::new().dispatch(|| {
        for ((weights, query), keys) in each {
            for (&query, keys) in query.iter().zip(keys.chunks_exact(rows)) {
                let query = scale * query;
                weights.iter_mut().zip(keys).for_each(|(weight, key)| *weight += query * key);
            }
        }
    });
    weights.chunks_exact_mut(rows).for_each(softmax);
}

/// The values, each head's by its weights: `[width]`.
pub(super) fn mix(weights: &[f32], values: &[f32], heads: Heads, rows: usize, out: &mut Vec<f32>) {
    out.clear();
    out.resize(heads.width, 0.0);
    pulp::Arch::new().dispatch(|| {
        for (row, values) in values.chunks_exact(heads.width).enumerate() {
            let each = out.chunks_exact_mut(heads.size()).zip(values.chunks_exact(heads.size()));
            for ((out, values), weights) in each.zip(weights.chunks_exact(rows)) {
                let weight = weights[row];
                out.iter_mut().zip(values).for_each(|(out, value)| *out += weight * value);
            }
        }
    });
}

fn softmax(x: &mut [f32]) {
    let largest = x.iter().copied().fold(f32::MIN, f32::max);
    let mut sum = 0.0;
    for x in x.iter_mut() {
        *x = (*x - largest).exp();
        sum += *x;
    }
    x.iter_mut().for_each(|x| *x /= sum);
}
