//! Products of a matrix with one vector, which is nearly all that a decoder does.
//!
//! A token reads every weight once, so the time goes into fetching them: as bytes they are a quarter of the size. Each
//! row has a scale of its own; the vector stays in floats. Candle's quantised products are not used here, since they
//! round the vector as well, and share one pool of threads over the whole process.

use candle_core::{Result, Tensor};

/// Sums that are formed side by side, so that the compiler can use the machine's vectors.
const LANES: usize = 32;

/// A matrix `[outputs, inputs]`, each row in bytes with a scale.
pub(super) struct Matrix {
    inputs: usize,
    bytes: Vec<i8>,
    scales: Vec<f32>,
}

impl Matrix {
    /// Rounds a tensor `[outputs, inputs]`; an element is off by at most 1/254 of its row's largest.
    pub(super) fn of(tensor: &Tensor) -> Result<Self> {
        let (outputs, inputs) = tensor.dims2()?;
        let values = tensor.flatten_all()?.to_vec1::<f32>()?;
        let mut bytes = Vec::with_capacity(values.len());
        let mut scales = Vec::with_capacity(outputs);
        for row in values.chunks_exact(inputs.max(1)) {
            let largest = row.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
            let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
            bytes.extend(row.iter().map(|x| (x / scale).round() as i8));
            scales.push(scale);
        }
        Ok(Self { inputs, bytes, scales })
    }

    /// Each row's product with `x`, into `out`.
    pub(super) fn product(&self, x: &[f32], out: &mut Vec<f32>) {
        out.clear();
        let rows = self.bytes.chunks_exact(self.inputs.max(1)).zip(&self.scales);
        pulp::Arch::new().dispatch(|| out.extend(rows.map(|(row, scale)| scale * dot(row, x))));
    }

    /// A row in floats, into `out`.
    pub(super) fn row(&self, n: usize, out: &mut Vec<f32>) {
        out.clear();
        let row = self.bytes.get(n * self.inputs..(n + 1) * self.inputs).unwrap_or_default();
        let scale = self.scales.get(n).copied().unwrap_or_default();
        out.extend(row.iter().map(|&x| scale * f32::from(x)));
        out.resize(self.inputs, 0.0);
    }
}

#[inline(always)]
fn dot(row: &[i8], x: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (rows, row_rest) = row.as_chunks::<LANES>();
    let (xs, x_rest) = x.as_chunks::<LANES>();
    for (row, x) in rows.iter().zip(xs) {
        for ((sum, &w), &x) in sums.iter_mut().zip(row).zip(x) {
            *sum += f32::from(w) * x;
        }
    }
    let rest: f32 = row_rest.iter().zip(x_rest).map(|(&w, x)| f32::from(w) * x).sum();
    sums.iter().sum::<f32>() + rest
}
