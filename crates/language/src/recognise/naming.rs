//! From ONNX Runtime's files to the publisher's own names.
//!
//! The publisher's safetensors call a matrix `model.encoder.layers.0.mlp.fc1.weight`. An export to ONNX calls it
//! `onnx::MatMul_2168_quantized`, turned around, as bytes with one scale and zero point; what it is can only be told by
//! the node that takes it, whose name is the module's path: `/layers.0/mlp/fc1/MatMul_quant`.

use std::collections::BTreeMap;

use candle_core::{DType, Device};
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
    /// The publisher's file can't be read.
    #[error("not usable as safetensors: {0}")]
    Safetensors(String),
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

/// The tensors of the publisher's own file, of whatever floating type.
///
/// # Errors
/// It is no safetensors file, or is too large.
pub fn from_safetensors(file: &[u8]) -> Result<Named, NamingError> {
    let wrong = |error: candle_core::Error| NamingError::Safetensors(error.to_string());
    let tensors = candle_core::safetensors::load_buffer(file, &Device::Cpu).map_err(wrong)?;
    let mut found = Found::default();
    for (name, tensor) in tensors {
        let values = tensor.to_dtype(DType::F32).and_then(|it| it.flatten_all()?.to_vec1()).map_err(wrong)?;
        found.add(name, Floats { shape: tensor.dims().to_vec(), values })?;
    }
    // Tied to the embedding; some exports keep it twice.
    found.named.remove("proj_out.weight");
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SMALL: &[u8] = include_bytes!("fixtures/small.ort");

    #[test]
    fn matrices_get_the_publishers_names_shapes_and_values() {
        let named = from_ort(SMALL, SMALL).unwrap();
        let matrix = &named["model.encoder.layers.0.mlp.fc1.weight"];
        assert_eq!(matrix.shape, [3, 2]);
        assert_eq!(matrix.values, [0.0, 5.0, 0.5, 5.5, 1.0, 6.0]);
        let embedding = &named["model.decoder.embed_tokens.weight"];
        assert_eq!(
            (embedding.shape.as_slice(), embedding.values.as_slice()),
            (&[2, 2][..], &[0.0, 4.0, 2.0, 6.0][..])
        );
        assert_eq!(named["model.encoder.conv1.weight"].values, [0.5, -0.5]);
        assert_eq!(named["model.encoder.groupnorm.weight"].shape, [2]);
        assert_eq!(named["model.encoder.layers.0.mlp.fc1.bias"].values, [1.0, 2.0, 3.0]);
        assert!(!named.keys().any(|name| name.contains("proj_out")));
    }

    #[test]
    fn an_error_says_which_file_it_is() {
        let error = from_ort(SMALL, b"").unwrap_err();
        assert!(error.to_string().starts_with("decoder: not a file of ONNX Runtime"), "{error}");
    }

    #[test]
    fn both_sources_give_the_same_file() {
        let named = from_ort(SMALL, SMALL).unwrap();
        let file = super::super::weights::safetensors(&named).unwrap();
        let again = from_safetensors(&file).unwrap();
        assert_eq!(named, again);
        assert_eq!(super::super::weights::safetensors(&again).unwrap(), file);
    }

    proptest! {
        #[test]
        fn damage_is_an_error_or_other_numbers_but_never_a_panic(
            places in proptest::collection::vec((0..SMALL.len(), any::<u8>()), 1..8),
        ) {
            let mut file = SMALL.to_vec();
            for (place, byte) in places {
                file[place] = byte;
            }
            let _ = from_ort(&file, SMALL);
            let _ = from_ort(SMALL, &file);
        }

        #[test]
        fn any_bytes_are_no_safetensors_or_some(file in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = from_safetensors(&file);
        }
    }
}
