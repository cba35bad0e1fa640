//! The second half of Whisper: rows of the encoder to tokens, one after the other, on plain slices and weights in
//! bytes, as Moonshine's ([`decoder`](crate::recognise::decoder)).

use candle_core::{Result, Tensor};

use super::shape::Shape;
use crate::recognise::attention::{add, cross_scores, mix, self_scores};
use crate::recognise::encoder::Linear;
use crate::recognise::matrix::Matrix;
use crate::recognise::weights::{Weights, WeightsError};

type Opened<T> = std::result::Result<T, WeightsError>;

const EPSILON: f32 = 1e-5;

/// A product and a bias.
struct Product {
    matrix: Matrix,
    bias: Vec<f32>,
}

impl Product {
    fn open(weights: &Weights, name: &str, (from, to): (usize, usize), bias: bool) -> Opened<Self> {
        let matrix = weights.get(&format!("{name}.weight"), &[to, from])?;
        let bias = if bias { weights.vector(&format!("{name}.bias"), to)? } else { Vec::new() };
        Ok(Self { matrix: Matrix::of(&matrix).map_err(WeightsError::File)?, bias })
    }

    fn apply(&self, x: &[f32], out: &mut Vec<f32>) {
        self.matrix.product(x, out);
        add(out, &self.bias);
    }
}

struct Norm {
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl Norm {
    fn open(weights: &Weights, name: &str, width: usize) -> Opened<Self> {
        let get = |part: &str| weights.vector(&format!("{name}.{part}"), width);
        Ok(Self { scale: get("weight")?, shift: get("bias")? })
    }

    fn apply(&self, x: &[f32], out: &mut Vec<f32>) {
        let count = x.len() as f32;
        let mean = x.iter().sum::<f32>() / count;
        let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / count;
        let by = 1.0 / (variance + EPSILON).sqrt();
        out.clear();
        let parts = x.iter().zip(&self.scale).zip(&self.shift);
        out.extend(parts.map(|((x, scale), shift)| (x - mean) * by * scale + shift));
    }
}

struct Layer {
    norm1: Norm,
    query: Product,
    key: Product,
    value: Product,
    out: Product,
    norm2: Norm,
    cross_query: Product,
    cross_key: Linear,
    cross_value: Linear,
    cross_out: Product,
    norm3: Norm,
    fc1: Product,
    fc2: Product,
}

/// The decoder.
pub(super) struct Decoder {
    shape: Shape,
    tokens: Matrix,
    /// `[positions, width]`.
    positions: Vec<f32>,
    layers: Vec<Layer>,
    norm: Norm,
}

impl Decoder {
    pub(super) fn open(weights: &Weights, shape: Shape) -> Opened<Self> {
        let width = shape.width;
        let layer = |n: usize| {
            let at = |name: &str| format!("model.decoder.layers.{n}.{name}");
            let square = |name: &str, bias| Product::open(weights, &at(name), (width, width), bias);
            let wide = |name: &str, bias| Linear::open(weights, &at(name), (width, width), bias);
            let norm = |name: &str| Norm::open(weights, &at(name), width);
            Ok(Layer {
                norm1: norm("self_attn_layer_norm")?,
                query: square("self_attn.q_proj", true)?,
                key: square("self_attn.k_proj", false)?,
                value: square("self_attn.v_proj", true)?,
                out: square("self_attn.out_proj", true)?,
                norm2: norm("encoder_attn_layer_norm")?,
                cross_query: square("encoder_attn.q_proj", true)?,
                cross_key: wide("encoder_attn.k_proj", false)?,
                cross_value: wide("encoder_attn.v_proj", true)?,
                cross_out: square("encoder_attn.out_proj", true)?,
                norm3: norm("final_layer_norm")?,
                fc1: Product::open(weights, &at("fc1"), (width, 4 * width), true)?,
                fc2: Product::open(weights, &at("fc2"), (4 * width, width), true)?,
            })
        };
        let tokens = weights.get("model.decoder.embed_tokens.weight", &[shape.tokens, width])?;
        let positions = weights.get("model.decoder.embed_positions.weight", &[shape.positions, width])?;
        Ok(Self {
            shape,
            tokens: Matrix::of(&tokens).map_err(WeightsError::File)?,
            positions: positions.flatten_all().and_then(|it| it.to_vec1()).map_err(WeightsError::File)?,
            layers: (0..shape.decoder_layers).map(layer).collect::<Opened<_>>()?,
            norm: Norm::open(weights, "model.decoder.layer_norm", width)?,
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

/// One sound that is being written down.
pub(super) struct Decoding<'d> {
    decoder: &'d Decoder,
    memories: Vec<Memory>,
    rows: usize,
    position: usize,
    attention: Vec<f32>,
    logits: Vec<f32>,
}

impl Decoding<'_> {
    /// Takes a token; [`logits`](Self::logits) then gives what every token would get next, if `asked`.
    pub(super) fn step(&mut self, token: u32, asked: bool) {
        let Self { decoder, memories, rows, position, attention, logits } = self;
        let heads = decoder.shape.heads;
        let mut x = Vec::new();
        decoder.tokens.row(token as usize, &mut x);
        add(&mut x, decoder.positions.chunks_exact(heads.width).nth(*position).unwrap_or_default());
        attention.clear();
        let (mut normed, mut query, mut key) = (Vec::new(), Vec::new(), Vec::new());
        let (mut value, mut out, mut hidden) = (Vec::new(), Vec::new(), Vec::new());
        let (mut weights, mut mixed) = (Vec::new(), Vec::new());
        for (layer, memory) in decoder.layers.iter().zip(memories) {
            layer.norm1.apply(&x, &mut normed);
            layer.query.apply(&normed, &mut query);
            layer.key.apply(&normed, &mut key);
            layer.value.apply(&normed, &mut value);
            memory.keys.extend_from_slice(&key);
            memory.values.extend_from_slice(&value);
            self_scores(&query, &memory.keys, heads, *position + 1, &mut weights);
            mix(&weights, &memory.values, heads, *position + 1, &mut mixed);
            layer.out.apply(&mixed, &mut out);
            add(&mut x, &out);

            layer.norm2.apply(&x, &mut normed);
            layer.cross_query.apply(&normed, &mut query);
            cross_scores(&query, &memory.cross_keys, heads, *rows, &mut weights);
            attention.extend_from_slice(&weights);
            mix(&weights, &memory.cross_values, heads, *rows, &mut mixed);
            layer.cross_out.apply(&mixed, &mut out);
            add(&mut x, &out);

            layer.norm3.apply(&x, &mut normed);
            layer.fc1.apply(&normed, &mut hidden);
            hidden.iter_mut().for_each(|x| *x = gelu(*x));
            layer.fc2.apply(&hidden, &mut out);
            add(&mut x, &out);
        }
        *position += 1;
        if asked {
            decoder.norm.apply(&x, &mut normed);
            decoder.tokens.product(&normed, logits);
        }
    }

    /// What every token would get next, before softmax, after a step that was asked.
    pub(super) fn logits(&mut self) -> &mut [f32] {
        &mut self.logits
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

fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + candle_core::cpu::erf::erf_f32(x / std::f32::consts::SQRT_2))
}
