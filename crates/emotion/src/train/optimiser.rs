//! AdamW (Loshchilov and Hutter 2019) whose whole state can be stored, with a running average of the weights.

use std::collections::{BTreeMap, HashMap};

use candle_core::{Result, Tensor, Var, backprop::GradStore};

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.98;
const EPSILON: f64 = 1e-8;

/// The trained variables, their moments, and their running average.
#[derive(Debug)]
pub(crate) struct Optimiser {
    variables: BTreeMap<String, Var>,
    first: BTreeMap<String, Tensor>,
    second: BTreeMap<String, Tensor>,
    average: BTreeMap<String, Tensor>,
    decay: f64,
    weight_decay: f64,
    steps: u64,
}

impl Optimiser {
    /// Starts from `initial`; the average forgets with `decay` a step.
    pub(crate) fn new(initial: &[(String, Tensor)], decay: f64, weight_decay: f64) -> Result<Self> {
        let mut this = Self {
            variables: BTreeMap::new(),
            first: BTreeMap::new(),
            second: BTreeMap::new(),
            average: BTreeMap::new(),
            decay,
            weight_decay,
            steps: 0,
        };
        for (name, tensor) in initial {
            this.variables.insert(name.clone(), Var::from_tensor(tensor)?);
            this.first.insert(name.clone(), tensor.zeros_like()?);
            this.second.insert(name.clone(), tensor.zeros_like()?);
            this.average.insert(name.clone(), tensor.copy()?);
        }
        Ok(this)
    }

    /// The variables as tensors that follow every step.
    pub(crate) fn tensors(&self) -> HashMap<String, Tensor> {
        self.variables.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect()
    }

    /// The averaged weights as they stand.
    pub(crate) fn averaged(&self) -> HashMap<String, Tensor> {
        self.average.iter().map(|(name, tensor)| (name.clone(), tensor.clone())).collect()
    }

    /// One step against `gradients`, whose norm is first cut to 1. Fixed tensors have no gradient and stay.
    pub(crate) fn step(&mut self, gradients: &GradStore, rate: f64) -> Result<()> {
        let mut norm = 0.0f64;
        for var in self.variables.values() {
            if let Some(gradient) = gradients.get(var.as_tensor()) {
                norm += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
            }
        }
        let norm = norm.sqrt();
        if !norm.is_finite() {
            return Ok(());
        }
        let cut = if norm > 1.0 { 1.0 / norm } else { 1.0 };
        self.steps += 1;
        let correction1 = 1.0 - BETA1.powf(self.steps as f64);
        let correction2 = 1.0 - BETA2.powf(self.steps as f64);
        // Early on, a long average would still remember the random start.
        let decay = self.decay.min((1.0 + self.steps as f64) / (10.0 + self.steps as f64));
        for (name, var) in &self.variables {
            let Some(gradient) = gradients.get(var.as_tensor()) else { continue };
            let gradient = (gradient.detach() * cut)?;
            let (Some(first), Some(second), Some(average)) =
                (self.first.get_mut(name), self.second.get_mut(name), self.average.get_mut(name))
            else {
                continue;
            };
            *first = ((&*first * BETA1)? + (&gradient * (1.0 - BETA1))?)?;
            *second = ((&*second * BETA2)? + (gradient.sqr()? * (1.0 - BETA2))?)?;
            let update = ((&*first / correction1)? / ((&*second / correction2)?.sqrt()? + EPSILON)?)?;
            let weights = var.as_tensor().detach();
            let decayed = if name.ends_with(".weight") {
                (&weights * (1.0 - rate * self.weight_decay))?
            } else {
                weights
            };
            var.set(&(decayed - (update * rate)?)?)?;
            *average = ((&*average * decay)? + (var.as_tensor().detach() * (1.0 - decay))?)?;
        }
        Ok(())
    }

    /// Everything that a later [`restore`](Self::restore) needs.
    pub(crate) fn stored(&self) -> Result<(u64, HashMap<String, Tensor>)> {
        let mut all = HashMap::new();
        for (name, var) in &self.variables {
            all.insert(format!("variable/{name}"), var.as_tensor().copy()?);
        }
        for (kind, tensors) in [("first", &self.first), ("second", &self.second), ("average", &self.average)]
        {
            for (name, tensor) in tensors {
                all.insert(format!("{kind}/{name}"), tensor.clone());
            }
        }
        Ok((self.steps, all))
    }

    /// Goes on from what [`stored`](Self::stored) gave.
    pub(crate) fn restore(&mut self, steps: u64, all: &HashMap<String, Tensor>) -> Result<()> {
        let find = |name: String| match all.get(&name) {
            Some(tensor) => Ok(tensor.clone()),
            None => candle_core::bail!("the checkpoint has no {name}"),
        };
        for (name, var) in &self.variables {
            var.set(&find(format!("variable/{name}"))?)?;
            self.first.insert(name.clone(), find(format!("first/{name}"))?);
            self.second.insert(name.clone(), find(format!("second/{name}"))?);
            self.average.insert(name.clone(), find(format!("average/{name}"))?);
        }
        self.steps = steps;
        Ok(())
    }
}
