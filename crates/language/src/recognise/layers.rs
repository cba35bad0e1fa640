//! The layers that Moonshine and Whisper have in common, for many rows at once and for one token after the other.
//!
//! A layer of an encoder attends from each row to all, then goes through a product with GELU. A layer of a decoder
//! attends to the tokens so far, then to the encoder's rows, whose keys and values are made once, then goes through a
//! product of its own. The networks differ in what their parts are called and which have a bias ([`Parts`]), in how a
//! row knows its position, and in the decoder's last product ([`Ways`]). One token at a time means products with a
//! single vector, done on plain slices: see [`matrix`](super::matrix).

use candle_core::{D, Result, Tensor};
use candle_nn::{ops, rotary_emb::rope_i};

use super::attention::{Heads, add, cross_scores, mix, self_scores};
use super::linear::{EPSILON, Linear, Norm};
use super::matrix::Matrix;
use super::weights::{Weights, WeightsError};

type Opened<T> = std::result::Result<T, WeightsError>;

/// What a network calls the parts of a layer, and which of them have a bias.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts {
    /// The norms, in the order in which a row meets them: two in an encoder, three in a decoder.
    pub(super) norms: &'static [&'static str],
    /// An attention's last product.
    pub(super) out: &'static str,
    /// The two products behind attention, without their number.
    pub(super) products: &'static str,
    /// Whether norms have a shift, and attention's products a bias, all but the keys'.
    pub(super) shifted: bool,
}

impl Parts {
    fn norm(&self, n: usize) -> &'static str {
        self.norms.get(n).copied().unwrap_or_default()
    }
}

/// A layer of an encoder.
pub(super) struct EncoderLayer {
    heads: Heads,
    norm1: Norm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    norm2: Norm,
    fc1: Linear,
    fc2: Linear,
}

impl EncoderLayer {
    /// The layer whose tensors begin with `prefix`.
    pub(super) fn open(weights: &Weights, prefix: &str, parts: Parts, heads: Heads) -> Opened<Self> {
        let width = heads.width;
        let Parts { out, products, shifted, .. } = parts;
        let at = |name: &str| format!("{prefix}.{name}");
        let square =
            |name: &str, bias| Linear::open(weights, &at(&format!("self_attn.{name}")), (width, width), bias);
        let product = |n: u8, sizes| Linear::open(weights, &at(&format!("{products}{n}")), sizes, true);
        Ok(Self {
            heads,
            norm1: Norm::open(weights, &at(parts.norm(0)), width, shifted)?,
            query: square("q_proj", shifted)?,
            key: square("k_proj", false)?,
            value: square("v_proj", shifted)?,
            out: square(out, shifted)?,
            norm2: Norm::open(weights, &at(parts.norm(1)), width, shifted)?,
            fc1: product(1, (width, 4 * width))?,
            fc2: product(2, (4 * width, width))?,
        })
    }

    /// `[rows, width]` to the same; `turns` are cosines and sines of the rows' positions, where these turn queries and
    /// keys.
    pub(super) fn forward(&self, x: &Tensor, turns: Option<(&Tensor, &Tensor)>) -> Result<Tensor> {
        let x = (x + self.attend(&self.norm1.forward(x)?, turns)?)?;
        let y = self.fc1.forward(&self.norm2.forward(&x)?)?.gelu_erf()?;
        x + self.fc2.forward(&y)?
    }

    fn attend(&self, x: &Tensor, turns: Option<(&Tensor, &Tensor)>) -> Result<Tensor> {
        let (length, width) = x.dims2()?;
        let (count, size) = (self.heads.count, self.heads.size());
        let heads = |x: Tensor| x.reshape((1, length, count, size))?.transpose(1, 2)?.contiguous();
        let turned = |x: Tensor| match turns {
            Some((cos, sin)) => rope_i(&x, cos, sin),
            None => Ok(x),
        };
        let query = turned(heads(self.query.forward(x)?)?)?;
        let key = turned(heads(self.key.forward(x)?)?)?;
        let value = heads(self.value.forward(x)?)?;
        let scores = (query.matmul(&key.t()?)? * (size as f64).powf(-0.5))?;
        let y = ops::softmax(&scores, D::Minus1)?.matmul(&value)?;
        self.out.forward(&y.transpose(1, 2)?.reshape((length, width))?)
    }
}

/// What is a decoder's own.
pub(super) trait Ways {
    /// What its position adds to a token's row.
    fn place(&self, row: &mut [f32], position: usize);
    /// Turns a query, or a key, by its position.
    fn turn(&self, vector: &mut [f32], position: usize);
    /// What stands between the last two products: changes the values, and may leave fewer of them.
    fn activate(&self, hidden: &mut Vec<f32>);
}

/// A product with single vectors, and a bias.
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

/// A norm of a single vector.
struct VectorNorm {
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl VectorNorm {
    fn open(weights: &Weights, name: &str, width: usize, shifted: bool) -> Opened<Self> {
        let get = |part: &str| weights.vector(&format!("{name}.{part}"), width);
        let shift = if shifted { get("bias")? } else { vec![0.0; width] };
        Ok(Self { scale: get("weight")?, shift })
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
    norm1: VectorNorm,
    query: Product,
    key: Product,
    value: Product,
    out: Product,
    norm2: VectorNorm,
    cross_query: Product,
    cross_key: Linear,
    cross_value: Linear,
    cross_out: Product,
    norm3: VectorNorm,
    fc1: Product,
    fc2: Product,
}

impl Layer {
    fn open(
        weights: &Weights,
        prefix: &str,
        parts: Parts,
        width: usize,
        hidden: (usize, usize),
    ) -> Opened<Self> {
        let Parts { out, products, shifted, .. } = parts;
        let at = |name: &str| format!("{prefix}.{name}");
        let norm = |n: usize| VectorNorm::open(weights, &at(parts.norm(n)), width, shifted);
        let square = |name: &str, bias| Product::open(weights, &at(name), (width, width), bias);
        let wide = |name: &str, bias| Linear::open(weights, &at(name), (width, width), bias);
        let product = |n: u8, sizes| Product::open(weights, &at(&format!("{products}{n}")), sizes, true);
        Ok(Self {
            norm1: norm(0)?,
            query: square("self_attn.q_proj", shifted)?,
            key: square("self_attn.k_proj", false)?,
            value: square("self_attn.v_proj", shifted)?,
            out: square(&format!("self_attn.{out}"), shifted)?,
            norm2: norm(1)?,
            cross_query: square("encoder_attn.q_proj", shifted)?,
            cross_key: wide("encoder_attn.k_proj", false)?,
            cross_value: wide("encoder_attn.v_proj", shifted)?,
            cross_out: square(&format!("encoder_attn.{out}"), shifted)?,
            norm3: norm(2)?,
            fc1: product(1, (width, hidden.0))?,
            fc2: product(2, (hidden.1, width))?,
        })
    }

    fn memory(&self, rows: &Tensor) -> Result<Memory> {
        Ok(Memory {
            // Turned around: a query is then added up over rows that lie side by side.
            cross_keys: self.cross_key.forward(rows)?.t()?.contiguous()?.flatten_all()?.to_vec1()?,
            cross_values: self.cross_value.forward(rows)?.flatten_all()?.to_vec1()?,
            keys: Vec::new(),
            values: Vec::new(),
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
    x: Vec<f32>,
    normed: Vec<f32>,
    query: Vec<f32>,
    key: Vec<f32>,
    value: Vec<f32>,
    out: Vec<f32>,
    hidden: Vec<f32>,
    weights: Vec<f32>,
    mixed: Vec<f32>,
}

/// A decoder's form.
pub(super) struct Form {
    pub(super) heads: Heads,
    pub(super) layers: usize,
    pub(super) tokens: usize,
    /// Values that come out of a layer's last product but one, and that go into the last.
    pub(super) hidden: (usize, usize),
    pub(super) parts: Parts,
    /// The norm behind all layers.
    pub(super) norm: &'static str,
}

/// A decoder: the encoder's rows to tokens, one after the other. The last product is with the table of tokens itself.
pub(super) struct Decoder<W> {
    ways: W,
    heads: Heads,
    tokens: Matrix,
    layers: Vec<Layer>,
    norm: VectorNorm,
}

impl<W: Ways> Decoder<W> {
    pub(super) fn read(weights: &Weights, form: &Form, ways: W) -> Opened<Self> {
        let Form { heads, parts, hidden, .. } = *form;
        let width = heads.width;
        let layer = |n: usize| {
            let prefix = format!("model.decoder.layers.{n}");
            Layer::open(weights, &prefix, parts, width, hidden)
        };
        let tokens = weights.get("model.decoder.embed_tokens.weight", &[form.tokens, width])?;
        Ok(Self {
            ways,
            heads,
            tokens: Matrix::of(&tokens).map_err(WeightsError::File)?,
            layers: (0..form.layers).map(layer).collect::<Opened<_>>()?,
            norm: VectorNorm::open(weights, &format!("model.decoder.{}", form.norm), width, parts.shifted)?,
        })
    }

    /// Begins on the encoder's rows, `[rows, width]`.
    pub(super) fn begin(&self, rows: &Tensor) -> Result<Decoding<'_, W>> {
        Ok(Decoding {
            decoder: self,
            memories: self.layers.iter().map(|layer| layer.memory(rows)).collect::<Result<_>>()?,
            rows: rows.dim(0)?,
            position: 0,
            attention: Vec::new(),
            logits: Vec::new(),
            spare: Spare::default(),
        })
    }
}

/// One sound that is being written down.
pub(super) struct Decoding<'d, W> {
    decoder: &'d Decoder<W>,
    memories: Vec<Memory>,
    rows: usize,
    position: usize,
    attention: Vec<f32>,
    logits: Vec<f32>,
    spare: Spare,
}

impl<W: Ways> Decoding<'_, W> {
    /// Takes a token; [`logits`](Self::logits) then gives what every token would get next, if `asked`.
    pub(super) fn step(&mut self, token: u32, asked: bool) {
        let Self { decoder, memories, rows, position, attention, logits, spare: s } = self;
        let (heads, ways) = (decoder.heads, &decoder.ways);
        decoder.tokens.row(token as usize, &mut s.x);
        ways.place(&mut s.x, *position);
        attention.clear();
        for (layer, memory) in decoder.layers.iter().zip(memories) {
            layer.norm1.apply(&s.x, &mut s.normed);
            layer.query.apply(&s.normed, &mut s.query);
            layer.key.apply(&s.normed, &mut s.key);
            layer.value.apply(&s.normed, &mut s.value);
            ways.turn(&mut s.query, *position);
            ways.turn(&mut s.key, *position);
            memory.keys.extend_from_slice(&s.key);
            memory.values.extend_from_slice(&s.value);
            self_scores(&s.query, &memory.keys, heads, *position + 1, &mut s.weights);
            mix(&s.weights, &memory.values, heads, *position + 1, &mut s.mixed);
            layer.out.apply(&s.mixed, &mut s.out);
            add(&mut s.x, &s.out);

            layer.norm2.apply(&s.x, &mut s.normed);
            layer.cross_query.apply(&s.normed, &mut s.query);
            cross_scores(&s.query, &memory.cross_keys, heads, *rows, &mut s.weights);
            attention.extend_from_slice(&s.weights);
            mix(&s.weights, &memory.cross_values, heads, *rows, &mut s.mixed);
            layer.cross_out.apply(&s.mixed, &mut s.out);
            add(&mut s.x, &s.out);

            layer.norm3.apply(&s.x, &mut s.normed);
            layer.fc1.apply(&s.normed, &mut s.hidden);
            ways.activate(&mut s.hidden);
            layer.fc2.apply(&s.hidden, &mut s.out);
            add(&mut s.x, &s.out);
        }
        *position += 1;
        if asked {
            decoder.norm.apply(&s.x, &mut s.normed);
            decoder.tokens.product(&s.normed, logits);
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
