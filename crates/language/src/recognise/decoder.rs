//! The second half of Moonshine: rows of the encoder to tokens, one after the other.
//!
//! Each layer attends to the tokens so far (with rotary positions), then to the encoder's rows, whose keys and values
//! are made once; then a gated product. The last product is with the table of tokens itself. One token at a time means
//! products with a single vector, done on plain slices: see [`matrix`](super::matrix).

#![allow(clippy::indexing_slicing)] // heads and rows of sizes that were checked when the weights were read

use candle_core::{Result, Tensor};

use super::{
    attention::{Heads, add, cross_scores, mix, self_scores},
    encoder::Linear,
    matrix::Matrix,
    shape::{HEADS, Shape, TURNED, angle},
    weights::{Weights, WeightsError},
};

const EPSILON: f32 = 1e-5;

struct Layer {
    norm1: Vec<f32>,
    query: Matrix,
    key: Matrix,
    value: Matrix,
    out: Matrix,
    norm2: Vec<f32>,
    cross_query: Matrix,
    cross_key: Linear,
    cross_value: Linear,
    cross_out: Matrix,
    norm3: Vec<f32>,
    fc1: Matrix,
    fc1_bias: Vec<f32>,
    fc2: Matrix,
    fc2_bias: Vec<f32>,
}

/// The decoder.
pub(super) struct Decoder {
    shape: Shape,
    tokens: Matrix,
    layers: Vec<Layer>,
    norm: Vec<f32>,
}

impl Decoder {
    pub(super) fn open(weights: &Weights, shape: Shape) -> std::result::Result<Self, WeightsError> {
        let width = shape.width;
        let matrix = |name: &str, outputs: usize, inputs: usize| {
            Matrix::of(&weights.get(&format!("{name}.weight"), &[outputs, inputs])?)
                .map_err(WeightsError::File)
        };
        let layer = |n: usize| {
            let at = |name: &str| format!("model.decoder.layers.{n}.{name}");
            let square = |name: &str| matrix(&at(name), width, width);
            let wide = |name: &str| Linear::open(weights, &at(name), (width, width), false);
            let vector = |name: &str, length: usize| weights.vector(&at(name), length);
            Ok(Layer {
                norm1: vector("input_layernorm.weight", width)?,
                query: square("self_attn.q_proj")?,
                key: square("self_attn.k_proj")?,
                value: square("self_attn.v_proj")?,
                out: square("self_attn.o_proj")?,
                norm2: vector("post_attention_layernorm.weight", width)?,
                cross_query: square("encoder_attn.q_proj")?,
                cross_key: wide("encoder_attn.k_proj")?,
                cross_value: wide("encoder_attn.v_proj")?,
                cross_out: square("encoder_attn.o_proj")?,
                norm3: vector("final_layernorm.weight", width)?,
                fc1: matrix(&at("mlp.fc1"), 8 * width, width)?,
                fc1_bias: vector("mlp.fc1.bias", 8 * width)?,
                fc2: matrix(&at("mlp.fc2"), width, 4 * width)?,
                fc2_bias: vector("mlp.fc2.bias", width)?,
            })
        };
        Ok(Self {
            shape,
            tokens: matrix("model.decoder.embed_tokens", shape.tokens, width)?,
            layers: (0..shape.decoder_layers).map(layer).collect::<std::result::Result<_, _>>()?,
            norm: weights.vector("model.decoder.norm.weight", width)?,
        })
    }

    /// Begins on the encoder's rows, `[rows, width]`.
    pub(super) fn begin(&self, rows: &Tensor) -> Result<Decoding<'_>> {
        let heard = |layer: &Layer| {
            Ok(Memory {
                // Turned around: a query is then added up over rows that lie side by side.
                cross_keys: layer.cross_key.forward(rows)?.t()?.contiguous()?.flatten_all()?.to_vec1()?,
                cross_values: layer.cross_value.forward(rows)?.flatten_all()?.to_vec1()?,
                keys: Vec::new(),
                values: Vec::new(),
            })
        };
        Ok(Decoding {
            decoder: self,
            memories: self.layers.iter().map(heard).collect::<Result<_>>()?,
            rows: rows.dim(0)?,
            position: 0,
            attention: Vec::new(),
            logits: Vec::new(),
            spare: Spare::default(),
        })
    }
}

/// What a layer remembers of the sound, and of the tokens so far.
struct Memory {
    /// `[width, rows]`.
    cross_keys: Vec<f32>,
    /// `[rows, width]`.
    cross_values: Vec<f32>,
    /// `[positions, width]`.
    keys: Vec<f32>,
    /// `[positions, width]`.
    values: Vec<f32>,
}

/// Vectors that are used again for each token.
#[derive(Default)]
struct Spare {
    normed: Vec<f32>,
    query: Vec<f32>,
    key: Vec<f32>,
    value: Vec<f32>,
    out: Vec<f32>,
    hidden: Vec<f32>,
    weights: Vec<f32>,
    mixed: Vec<f32>,
}

/// One sound that is being written down.
pub(super) struct Decoding<'d> {
    decoder: &'d Decoder,
    memories: Vec<Memory>,
    rows: usize,
    position: usize,
    attention: Vec<f32>,
    logits: Vec<f32>,
    spare: Spare,
}

impl Decoding<'_> {
    /// Takes the token that was chosen and gives what every token would get next, before softmax.
    pub(super) fn step(&mut self, token: u32) -> &[f32] {
        let Self { decoder, memories, rows, position, attention, logits, spare } = self;
        let (shape, s) = (decoder.shape, spare);
        let heads = Heads { count: HEADS, width: shape.width };
        let mut x = Vec::new();
        decoder.tokens.row(token as usize, &mut x);
        attention.clear();
        for (layer, memory) in decoder.layers.iter().zip(memories) {
            norm(&x, &layer.norm1, &mut s.normed);
            layer.query.product(&s.normed, &mut s.query);
            layer.key.product(&s.normed, &mut s.key);
            layer.value.product(&s.normed, &mut s.value);
            turn(&mut s.query, shape, *position);
            turn(&mut s.key, shape, *position);
            memory.keys.extend_from_slice(&s.key);
            memory.values.extend_from_slice(&s.value);
            self_scores(&s.query, &memory.keys, heads, *position + 1, &mut s.weights);
            mix(&s.weights, &memory.values, heads, *position + 1, &mut s.mixed);
            layer.out.product(&s.mixed, &mut s.out);
            add(&mut x, &s.out);

            norm(&x, &layer.norm2, &mut s.normed);
            layer.cross_query.product(&s.normed, &mut s.query);
            cross_scores(&s.query, &memory.cross_keys, heads, *rows, &mut s.weights);
            attention.extend_from_slice(&s.weights);
            mix(&s.weights, &memory.cross_values, heads, *rows, &mut s.mixed);
            layer.cross_out.product(&s.mixed, &mut s.out);
            add(&mut x, &s.out);

            norm(&x, &layer.norm3, &mut s.normed);
            layer.fc1.product(&s.normed, &mut s.hidden);
            add(&mut s.hidden, &layer.fc1_bias);
            let (up, gate) = s.hidden.split_at_mut(4 * shape.width);
            for (up, gate) in up.iter_mut().zip(gate) {
                *up *= *gate / (1.0 + (-*gate).exp());
            }
            layer.fc2.product(up, &mut s.out);
            add(&mut x, &s.out);
            add(&mut x, &layer.fc2_bias);
        }
        *position += 1;
        norm(&x, &decoder.norm, &mut s.normed);
        decoder.tokens.product(&s.normed, logits);
        logits
    }

    /// The encoder's rows.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// How the last step listened: `[layers, heads, rows]`, each head's weights summing to 1.
    pub(super) fn attention(&self) -> &[f32] {
        &self.attention
    }
}

fn norm(x: &[f32], scale: &[f32], out: &mut Vec<f32>) {
    let count = x.len() as f32;
    let mean = x.iter().sum::<f32>() / count;
    let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / count;
    let by = 1.0 / (variance + EPSILON).sqrt();
    out.clear();
    out.extend(x.iter().zip(scale).map(|(x, scale)| (x - mean) * by * scale));
}

/// Turns the first values of each head, pair by pair.
fn turn(x: &mut [f32], shape: Shape, position: usize) {
    let mut turns = [(0.0, 0.0); TURNED / 2];
    for (pair, turn) in turns.iter_mut().enumerate() {
        *turn = angle(position, pair).sin_cos();
    }
    for head in x.chunks_exact_mut(shape.head()) {
        for (pair, (sin, cos)) in head.chunks_exact_mut(2).zip(turns) {
            let (a, b) = (pair[0], pair[1]);
            pair[0] = a * cos - b * sin;
            pair[1] = b * cos + a * sin;
        }
    }
}
