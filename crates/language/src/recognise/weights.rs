//! The network's weights: one safetensors file, in the publisher's names.

use std::{collections::HashMap, path::Path};

use candle_core::{DType, Device, Tensor};
use half::f16;
use safetensors::tensor::{Dtype, TensorView};
use thiserror::Error;

use super::naming::Named;

/// Why weights can't be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file can't be read as safetensors.
    #[error("not usable as safetensors: {0}")]
    File(candle_core::Error),
    /// A tensor is missing.
    #[error("the tensor {0} is missing")]
    Missing(String),
    /// A tensor has another shape than the rest asks for.
    #[error("the tensor {name} has shape {found:?}, not {wanted:?}")]
    Shape {
        /// Its name.
        name: String,
        /// The shape it has.
        found: Vec<usize>,
        /// The shape it should have.
        wanted: Vec<usize>,
    },
    /// Something is no network of this kind.
    #[error("not a network of this kind: {0}")]
    Kind(&'static str),
    /// A file can't be made.
    #[error("cannot be written: {0}")]
    Write(String),
}

/// Tensors of a file, in 32-bit floats.
pub(super) struct Weights(HashMap<String, Tensor>);

impl Weights {
    /// Reads a file of any floating type.
    pub(super) fn open(path: &Path) -> Result<Self, WeightsError> {
        candle_core::safetensors::load(path, &Device::Cpu).map(Self).map_err(WeightsError::File)
    }

    /// A tensor whose shape isn't known yet.
    pub(super) fn any(&self, name: &str) -> Result<Tensor, WeightsError> {
        let tensor = self.0.get(name).ok_or_else(|| WeightsError::Missing(name.to_owned()))?;
        tensor.to_dtype(DType::F32).map_err(WeightsError::File)
    }

    /// A tensor of a known shape.
    pub(super) fn get(&self, name: &str, shape: &[usize]) -> Result<Tensor, WeightsError> {
        let tensor = self.any(name)?;
        if tensor.dims() == shape {
            return Ok(tensor);
        }
        Err(WeightsError::Shape {
            name: name.to_owned(),
            found: tensor.dims().to_vec(),
            wanted: shape.to_vec(),
        })
    }

    /// The values of a vector of a known length.
    pub(super) fn vector(&self, name: &str, length: usize) -> Result<Vec<f32>, WeightsError> {
        self.get(name, &[length])?.to_vec1().map_err(WeightsError::File)
    }

    /// How many layers there are with names such as `{prefix}.0.{tensor}`.
    pub(super) fn layers(&self, prefix: &str, tensor: &str) -> usize {
        (0..64).take_while(|n| self.0.contains_key(&format!("{prefix}.{n}.{tensor}"))).count()
    }
}

/// The bytes of a safetensors file with `named` in 16-bit floats.
///
/// # Errors
/// Shapes and values don't agree.
pub fn safetensors(named: &Named) -> Result<Vec<u8>, WeightsError> {
    let narrow: Vec<(&String, &[usize], Vec<u8>)> = named
        .iter()
        .map(|(name, tensor)| {
            let bytes = tensor.values.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect();
            (name, tensor.shape.as_slice(), bytes)
        })
        .collect();
    let write = |error: safetensors::SafeTensorError| WeightsError::Write(error.to_string());
    let views = narrow
        .iter()
        .map(|(name, shape, bytes)| Ok((*name, TensorView::new(Dtype::F16, shape.to_vec(), bytes)?)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(write)?;
    safetensors::serialize(views, None).map_err(write)
}
