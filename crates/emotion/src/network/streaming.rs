//! The encoder in use: half a second of speech at a time, with the context of each convolution carried.
//!
//! A call alone brings ten frames at a time. At that size what tensors cost (allocating, padding, joining, normalising,
//! an operation at a time) is as much as the products themselves; so all but the products are plain loops over rows.

use candle_core::{Result, Tensor};

use super::{Linear, Network, Norm, STEPS_PER_FRAME, State, TAPS};

/// Rows of equal width, those of one call after those of another.
struct Rows {
    values: Vec<f32>,
    width: usize,
}

impl Rows {
    fn iter_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        self.values.chunks_exact_mut(self.width)
    }

    fn relu(&mut self) {
        self.values.iter_mut().for_each(|x| *x = x.max(0.0));
    }

    fn add(&mut self, other: &Self) {
        self.values.iter_mut().zip(&other.values).for_each(|(x, y)| *x += y);
    }
}

impl Linear {
    fn over(&self, rows: &Rows) -> Result<Rows> {
        let (from, to) = self.weight.dims2()?;
        let x = Tensor::from_slice(&rows.values, (rows.values.len() / from, from), self.weight.device())?;
        let mut y = Rows { values: x.matmul(&self.weight)?.flatten_all()?.to_vec1()?, width: to };
        let bias = self.bias.to_vec1::<f32>()?;
        for row in y.iter_mut() {
            row.iter_mut().zip(&bias).for_each(|(x, bias)| *x += bias);
        }
        Ok(y)
    }
}

impl Norm {
    fn over(&self, rows: &mut Rows) -> Result<()> {
        let (scale, shift) = (self.scale.to_vec1::<f32>()?, self.shift.to_vec1::<f32>()?);
        for row in rows.iter_mut() {
            let count = row.len() as f32;
            let mean = row.iter().sum::<f32>() / count;
            let variance = row.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / count;
            let inverse = 1.0 / (variance + 1e-5).sqrt();
            for ((x, scale), shift) in row.iter_mut().zip(&scale).zip(&shift) {
                *x = (*x - mean) * inverse * scale + shift;
            }
        }
        Ok(())
    }
}

impl Network {
    /// Encodes a chunk of a batch of calls: `steps` is `[batch, steps, inputs]` with an even number of steps, `states`
    /// one a row, which move on. Returns `[batch, steps / 2, frame]`.
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn encode(&self, steps: &Tensor, states: &mut [&mut State]) -> Result<Tensor> {
        let (batch, length, width) = steps.dims3()?;
        let frames = length / STEPS_PER_FRAME;
        if batch != states.len()
            || width != self.config.inputs
            || length == 0
            || length % STEPS_PER_FRAME != 0
        {
            candle_core::bail!("{batch} calls of {length} steps for {} states", states.len());
        }
        let mut layers = 0..;
        let mut convolve = |x: &Rows, kernel: &Linear, taps: usize, dilation: usize| {
            let layer = layers.next().unwrap_or_default();
            kernel.over(&unfold(x, batch, taps, dilation, layer, states)?)
        };

        let mut x = Rows { values: steps.flatten_all()?.to_vec1()?, width };
        let (shift, scale) = (self.shift.to_vec1::<f32>()?, self.scale.to_vec1::<f32>()?);
        for row in x.iter_mut() {
            row.iter_mut().zip(&shift).zip(&scale).for_each(|((x, shift), scale)| *x = (*x + shift) * scale);
        }
        let mut x = convolve(&x, &self.stem, TAPS, 1)?;
        x.relu();
        self.stem_norm.over(&mut x)?;
        // Steps lie one after the other: a frame is just as many of them read as one row.
        x.width *= STEPS_PER_FRAME;
        let mut x = convolve(&x, &self.down, 2, 1)?;
        for block in &self.blocks {
            let mut y = Rows { values: x.values.clone(), width: x.width };
            block.norm.over(&mut y)?;
            let mut y = convolve(&y, &block.conv, TAPS, block.dilation)?;
            y.relu();
            x.add(&block.mix.over(&y)?);
        }
        self.final_norm.over(&mut x)?;
        let mut y = self.attention_hidden.over(&x)?;
        y.relu();
        let scores = self.attention_score.over(&y)?;
        let mut values = Vec::with_capacity(batch * frames * self.config.frame());
        for (channels, scores) in
            x.values.chunks_exact(x.width).zip(scores.values.chunks_exact(self.config.heads))
        {
            values.extend_from_slice(channels);
            values.extend_from_slice(scores);
        }
        Tensor::from_vec(values, (batch, frames, self.config.frame()), &self.device)
    }
}

/// For each row, what a causal convolution sees of it and of earlier ones, oldest first; those before the chunk are in
/// the layer's context, which moves on.
fn unfold(
    x: &Rows,
    batch: usize,
    taps: usize,
    dilation: usize,
    layer: usize,
    states: &mut [&mut State],
) -> Result<Rows> {
    let width = x.width;
    let length = x.values.len() / width / batch;
    let reach = (taps - 1) * dilation * width;
    let mut values = Vec::with_capacity(x.values.len() * taps);
    let mut padded = Vec::with_capacity(reach + length * width);
    for (call, state) in x.values.chunks_exact(length * width).zip(states.iter_mut()) {
        let Some(context) = state.0.get_mut(layer).filter(|context| context.len() == reach) else {
            candle_core::bail!("a state belongs to another network");
        };
        padded.clear();
        padded.extend_from_slice(context);
        padded.extend_from_slice(call);
        for row in 0..length {
            for tap in 0..taps {
                let from = (row + tap * dilation) * width;
                values.extend_from_slice(padded.get(from..from + width).unwrap_or_default());
            }
        }
        context.copy_from_slice(padded.get(length * width..).unwrap_or_default());
    }
    Ok(Rows { values, width: taps * width })
}
