//! From ONNX Runtime's files to the publisher's own names.
//!
//! The publisher's safetensors call a matrix `model.encoder.layers.0.mlp.fc1.weight`. An export to ONNX calls it
//! `onnx::MatMul_2168_quantized`, turned around, as bytes with one scale and zero point; what it is can only be told by
//! the node that takes it, whose name is the module's path: `/layers.0/mlp/fc1/MatMul_quant`.

use std::collections::BTreeMap;

use thiserror::Error;

use super::ort::{Constant, Graph, Kind, OrtError};

/// Why a network's files can't be converted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NamingError {
    /// One of the files can't be read.
    #[error("{file}: {error}")]
    File {
        /// `encoder` or `decoder`.
        file: &'static str,
        /// Why.
        error: OrtError,
    },
    /// A matrix is not what its node says.
    #[error("the tensor {0} has not the type, shape or length that its use asks for")]
    Tensor(String),
    /// More values than any such network has.
    #[error("the files claim more than {MOST} values; no such network is so large")]
    TooLarge,
}

/// The most values of a network: Moonshine's larger one has 61 million. Small files could claim one matrix many times.
const MOST: usize = 150_000_000;

/// A tensor in floats: its shape and values, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Floats {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values.
    pub values: Vec<f32>,
}

/// Tensors by the publisher's names.
pub type Named = BTreeMap<String, Floats>;

/// The tensors of a network that was exported in two files. What it misses is found when the network is built.
///
/// # Errors
/// A file is damaged, or something else.
pub fn from_ort(encoder: &[u8], decoder: &[u8]) -> Result<Named, NamingError> {
    let encoder = Graph::read(encoder).map_err(|error| NamingError::File { file: "encoder", error })?;
    let decoder = Graph::read(decoder).map_err(|error| NamingError::File { file: "decoder", error })?;
    let mut found = Found::default();
    found.collect(&encoder, "model.encoder.")?;
    found.collect(&decoder, "")?;
    Ok(found.named)
}

#[derive(Default)]
struct Found {
    named: Named,
    values: usize,
}

impl Found {
    fn add(&mut self, name: String, floats: Floats) -> Result<(), NamingError> {
        self.values += floats.values.len();
        self.named.insert(name, floats);
        if self.values > MOST { Err(NamingError::TooLarge) } else { Ok(()) }
    }

    fn collect(&mut self, graph: &Graph<'_>, prefix: &str) -> Result<(), NamingError> {
        for (name, constant) in &graph.constants {
            let name = name.strip_suffix("_merged_0").unwrap_or(name);
            let name = name.strip_suffix("_add_tensor").unwrap_or(name);
            let own = name.ends_with(".weight") || name.ends_with(".bias");
            if own && constant.kind == Kind::Float {
                self.add(format!("{prefix}{name}"), floats(name, constant)?)?;
            }
        }
        for node in &graph.nodes {
            let constants = || node.inputs.iter().filter(|&input| graph.constants.contains_key(input));
            let quantised = constants().find(|input| input.ends_with("_quantized"));
            match (node.name.rsplit_once('/'), quantised) {
                // The last layer's matrix is the embedding's, which has a name of its own.
                (Some(("/proj_out", _)), _) => {}
                (Some((path, "MatMul_quant")), Some(matrix)) => {
                    let matrix = transposed(matrix, &dequantised(graph, matrix)?)?;
                    self.add(format!("{prefix}{}.weight", dotted(path)), matrix)?;
                }
                (Some((path, "Gather")), Some(table)) => {
                    self.add(format!("{prefix}{}.weight", dotted(path)), dequantised(graph, table)?)?;
                }
                (Some(("/groupnorm", part @ ("Mul" | "Add"))), None) => {
                    let part = if part == "Mul" { "weight" } else { "bias" };
                    for (input, constant) in constants().filter_map(|it| Some((it, graph.constants.get(it)?)))
                    {
                        let values = floats(input, constant)?.values;
                        self.add(
                            format!("{prefix}groupnorm.{part}"),
                            Floats { shape: vec![values.len()], values },
                        )?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// `/layers.0/mlp/fc1` as `layers.0.mlp.fc1`.
fn dotted(path: &str) -> String {
    path.trim_matches('/').replace('/', ".")
}

/// A quantised tensor in floats: `scale * (byte - zero point)`.
fn dequantised(graph: &Graph<'_>, name: &str) -> Result<Floats, NamingError> {
    let wrong = || NamingError::Tensor(name.to_owned());
    let base = name.strip_suffix("_quantized").ok_or_else(wrong)?;
    let get = |name: &str| graph.constants.get(name).ok_or_else(wrong);
    let matrix = get(name)?;
    let zero = get(&format!("{base}_zero_point"))?;
    let scale = floats(name, get(&format!("{base}_scale"))?)?;
    let ([scale], &[zero]) = (scale.values.as_slice(), zero.bytes) else { return Err(wrong()) };
    let number: fn(u8) -> f32 = match matrix.kind {
        Kind::Unsigned8 => |byte| f32::from(byte),
        Kind::Signed8 => |byte| f32::from(byte.cast_signed()),
        _ => return Err(wrong()),
    };
    if count(&matrix.shape) != Some(matrix.bytes.len()) {
        return Err(wrong());
    }
    let values = matrix.bytes.iter().map(|&byte| scale * (number(byte) - number(zero))).collect();
    Ok(Floats { shape: matrix.shape.clone(), values })
}

fn floats(name: &str, constant: &Constant<'_>) -> Result<Floats, NamingError> {
    let length = count(&constant.shape).and_then(|count| count.checked_mul(4));
    if constant.kind != Kind::Float || length != Some(constant.bytes.len()) {
        return Err(NamingError::Tensor(name.to_owned()));
    }
    let (values, _) = constant.bytes.as_chunks::<4>();
    Ok(Floats {
        shape: constant.shape.clone(),
        values: values.iter().map(|&b| f32::from_le_bytes(b)).collect(),
    })
}

fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |count, &dimension| count.checked_mul(dimension))
}

/// ONNX multiplies from the right; the publisher keeps `[outputs, inputs]`.
fn transposed(name: &str, matrix: &Floats) -> Result<Floats, NamingError> {
    let &[rows, columns] = matrix.shape.as_slice() else { return Err(NamingError::Tensor(name.to_owned())) };
    let column = |n: usize| matrix.values.iter().skip(n).step_by(columns.max(1));
    let values = (0..columns).flat_map(column).copied().collect();
    Ok(Floats { shape: vec![columns, rows], values })
}
