//! The second half of Whisper, as [`layers`](crate::recognise::layers) has it: learnt positions, then GELU.

use super::shape::Shape;
use crate::recognise::attention::add;
use crate::recognise::layers::{self, Form, Parts, Ways};
use crate::recognise::weights::{Weights, WeightsError};

/// Whisper's decoder.
pub(super) type Decoder = layers::Decoder<Whisper>;

/// What is Whisper's own.
pub(super) struct Whisper {
    width: usize,
    /// `[positions, width]`.
    positions: Vec<f32>,
}

impl Decoder {
    pub(super) fn open(weights: &Weights, shape: Shape) -> Result<Self, WeightsError> {
        let width = shape.width;
        let form = Form {
            heads: shape.heads,
            layers: shape.decoder_layers,
            tokens: shape.tokens,
            hidden: (4 * width, 4 * width),
            parts: Parts {
                norms: &["self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm"],
                out: "out_proj",
                products: "fc",
                shifted: true,
            },
            norm: "layer_norm",
        };
        let positions = weights.get("model.decoder.embed_positions.weight", &[shape.positions, width])?;
        let positions = positions.flatten_all().and_then(|it| it.to_vec1()).map_err(WeightsError::File)?;
        Self::read(weights, &form, Whisper { width, positions })
    }
}

impl Ways for Whisper {
    fn place(&self, row: &mut [f32], position: usize) {
        add(row, self.positions.chunks_exact(self.width).nth(position).unwrap_or_default());
    }

    fn turn(&self, _: &mut [f32], _: usize) {}

    fn activate(&self, hidden: &mut Vec<f32>) {
        hidden.iter_mut().for_each(|x| *x = gelu(*x));
    }
}

fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + candle_core::cpu::erf::erf_f32(x / std::f32::consts::SQRT_2))
}
