//! The second half of Moonshine, as [`layers`](super::layers) has it: rotary positions, then a gated product.

#![allow(clippy::indexing_slicing)] // pairs of heads whose sizes were checked when the weights were read

use super::attention::Heads;
use super::layers::{self, Form, Parts, Ways};
use super::shape::{HEADS, Shape, TURNED, angle};
use super::weights::{Weights, WeightsError};

/// Moonshine's decoder.
pub(super) type Decoder = layers::Decoder<Moonshine>;

/// What is Moonshine's own.
pub(super) struct Moonshine(Shape);

impl Decoder {
    pub(super) fn open(weights: &Weights, shape: Shape) -> Result<Self, WeightsError> {
        let width = shape.width;
        let form = Form {
            heads: Heads { count: HEADS, width },
            layers: shape.decoder_layers,
            tokens: shape.tokens,
            hidden: (8 * width, 4 * width),
            parts: Parts {
                norms: &["input_layernorm", "post_attention_layernorm", "final_layernorm"],
                out: "o_proj",
                products: "mlp.fc",
                shifted: false,
            },
            norm: "norm",
        };
        Self::read(weights, &form, Moonshine(shape))
    }
}

impl Ways for Moonshine {
    fn place(&self, _: &mut [f32], _: usize) {}

    /// Turns the first values of each head, pair by pair.
    fn turn(&self, vector: &mut [f32], position: usize) {
        let mut turns = [(0.0, 0.0); TURNED / 2];
        for (pair, turn) in turns.iter_mut().enumerate() {
            *turn = angle(position, pair).sin_cos();
        }
        for head in vector.chunks_exact_mut(self.0.head()) {
            for (pair, (sin, cos)) in head.chunks_exact_mut(2).zip(turns) {
                let (a, b) = (pair[0], pair[1]);
                pair[0] = a * cos - b * sin;
                pair[1] = b * cos + a * sin;
            }
        }
    }

    /// The first half, each value by what its fellow in the second half lets through.
    fn activate(&self, hidden: &mut Vec<f32>) {
        let half = hidden.len() / 2;
        let (up, gates) = hidden.split_at_mut(half);
        for (up, gate) in up.iter_mut().zip(gates) {
            *up *= *gate / (1.0 + (-*gate).exp());
        }
        hidden.truncate(half);
    }
}
