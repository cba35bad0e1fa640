//! Layer normalisation (Ba et al. 2016) that differentiates in two passes over plain slices. The form made of tensor
//! operations, which any device runs, takes a third of a training step on a CPU.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

/// Normalises rows of the last dimension, then scales and shifts them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LayerNorm {
    /// Added to the variance.
    pub(crate) epsilon: f32,
}

impl LayerNorm {
    /// Mean and inverse deviation of a row.
    fn moments(self, row: &[f32]) -> (f32, f32) {
        let count = row.len() as f32;
        let mean = row.iter().sum::<f32>() / count;
        let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / count;
        (mean, 1.0 / (variance + self.epsilon).sqrt())
    }
}

fn slice<'s>(storage: &'s CpuStorage, layout: &Layout) -> Result<&'s [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => match storage.as_slice::<f32>()?.get(start..end) {
            Some(values) => Ok(values),
            None => candle_core::bail!("a layout reaches beyond its storage"),
        },
        None => candle_core::bail!("layer norm needs contiguous values"),
    }
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        scale: &CpuStorage,
        scale_layout: &Layout,
        shift: &CpuStorage,
        shift_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (scale, shift) = (slice(scale, scale_layout)?, slice(shift, shift_layout)?);
        let x = slice(x, x_layout)?;
        let mut out = Vec::with_capacity(x.len());
        for row in x.chunks_exact(scale.len().max(1)) {
            let (mean, inverse) = self.moments(row);
            let parts = row.iter().zip(scale).zip(shift);
            out.extend(parts.map(|((x, scale), shift)| (x - mean) * inverse * scale + shift));
        }
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        scale: &Tensor,
        shift: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let values = x.flatten_all()?.to_vec1::<f32>()?;
        let slopes = gradient.flatten_all()?.to_vec1::<f32>()?;
        let weights = scale.to_vec1::<f32>()?;
        let width = weights.len().max(1);
        let mut by_x = Vec::with_capacity(values.len());
        let (mut by_scale, mut by_shift) = (vec![0.0f32; width], vec![0.0f32; width]);
        for (row, slope) in values.chunks_exact(width).zip(slopes.chunks_exact(width)) {
            let (mean, inverse) = self.moments(row);
            let (mut sum, mut along) = (0.0f32, 0.0f32);
            for ((x, slope), weight) in row.iter().zip(slope).zip(&weights) {
                sum += slope * weight;
                along += slope * weight * (x - mean) * inverse;
            }
            let (sum, along) = (sum / width as f32, along / width as f32);
            for ((x, slope), weight) in row.iter().zip(slope).zip(&weights) {
                by_x.push(inverse * (slope * weight - sum - (x - mean) * inverse * along));
            }
            for ((x, slope), (scale, shift)) in
                row.iter().zip(slope).zip(by_scale.iter_mut().zip(&mut by_shift))
            {
                *scale += slope * (x - mean) * inverse;
                *shift += slope;
            }
        }
        Ok((
            Some(Tensor::from_vec(by_x, x.shape(), x.device())?),
            Some(Tensor::from_vec(by_scale, scale.shape(), x.device())?),
            Some(Tensor::from_vec(by_shift, shift.shape(), x.device())?),
        ))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};
    use candle_nn::ops::layer_norm_slow;

    use super::*;
    use crate::rng::Rng;

    #[test]
    fn values_and_slopes_are_those_of_the_tensor_form() {
        let mut rng = Rng::new(2);
        let mut noise = |shape: &[usize], around: f32| {
            let values: Vec<f32> = (0..shape.iter().product()).map(|_| around + 0.5 * rng.normal()).collect();
            Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu).unwrap()).unwrap()
        };
        let (x, scale, shift) = (noise(&[2, 3, 8], 1.0), noise(&[8], 1.0), noise(&[8], 0.0));
        let pull = noise(&[2, 3, 8], 0.0);
        let ours = x.apply_op3(&scale, &shift, LayerNorm { epsilon: 1e-5 }).unwrap();
        let theirs = layer_norm_slow(&x, &scale, &shift, 1e-5).unwrap();
        let far = |a: &Tensor, b: &Tensor| {
            (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap()
        };
        assert!(far(&ours, &theirs) < 1e-5);
        let slopes = |y: &Tensor| (y * pull.as_tensor()).unwrap().sum_all().unwrap().backward().unwrap();
        let (ours, theirs) = (slopes(&ours), slopes(&theirs));
        for var in [&x, &scale, &shift] {
            assert!(far(ours.get(var).unwrap(), theirs.get(var).unwrap()) < 1e-4);
        }
    }
}
