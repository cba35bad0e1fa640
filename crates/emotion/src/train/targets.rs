//! What each clip teaches, and the loss against it.

#![allow(clippy::indexing_slicing)] // vectors sized by the number of classes or labels, indexed by their places

use std::collections::BTreeMap;

use candle_core::{D, Device, Result, Tensor};
use candle_nn::ops;

use crate::{
    class::{CLASSES, affect_of_label, affect_of_shares, from_label},
    corpus::{Entry, Manifest, manifest::UNLABELLED},
    network::Outputs,
};
use sidetone_call::Class;

/// Share of the target spread over the other classes (Szegedy et al. 2016).
const SMOOTHING: f32 = 0.1;
const AFFECT_WEIGHT: f64 = 1.0;
const DISTRESS_WEIGHT: f64 = 0.5;
const LABEL_WEIGHT: f64 = 0.5;

/// What is known of each corpus, drawn from the training clips.
#[derive(Debug, Clone)]
pub(crate) struct Teaching {
    /// Corpus and label to the place of that label in the auxiliary head.
    labels: BTreeMap<(String, String), usize>,
    /// Weight of a clip by corpus and label: rarer ones count more.
    weights: BTreeMap<(String, String), f32>,
    /// The classes of each corpus: absent ones are not taught to be wrong.
    classes: BTreeMap<String, [f32; CLASSES]>,
    /// How much a corpus's mapped classes count for the class head.
    class_weight: BTreeMap<String, f32>,
    /// How much shares count beside the label.
    shares_weight: f32,
}

/// What one clip teaches.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    classes: Vec<f32>,
    class_mask: Vec<f32>,
    class_weight: f32,
    labels: Vec<f32>,
    label_mask: Vec<f32>,
    weight: f32,
    affect: [f32; 3],
}

impl Teaching {
    pub(crate) fn new(manifest: &Manifest, shares_weight: f32) -> Self {
        let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
        for entry in manifest.entries.iter().filter(|entry| entry.emotion != UNLABELLED) {
            *counts.entry((entry.corpus.clone(), entry.emotion.clone())).or_default() += 1;
        }
        let labels = counts.keys().cloned().enumerate().map(|(place, key)| (key, place)).collect();
        let mut classes = BTreeMap::new();
        let mut class_weight = BTreeMap::new();
        let mut weights = BTreeMap::new();
        for corpus in manifest.corpora() {
            let own: Vec<(&String, usize)> = counts
                .iter()
                .filter(|((other, _), _)| *other == corpus)
                .map(|((_, label), count)| (label, *count))
                .collect();
            let mean = own.iter().map(|(_, count)| count).sum::<usize>() as f32 / own.len().max(1) as f32;
            for (label, count) in &own {
                weights.insert((corpus.clone(), (*label).clone()), (mean / *count as f32).sqrt());
            }
            let mut mask = [0.0; CLASSES];
            own.iter().filter_map(|(label, _)| from_label(label)).for_each(|class| mask[class.index()] = 1.0);
            classes.insert(corpus.clone(), mask);
            // A corpus with labels of its own beyond the classes is of another kind (bursts): it guides, no more.
            let foreign = own.iter().any(|(label, _)| from_label(label).is_none());
            class_weight.insert(corpus, if foreign { 0.3 } else { 1.0 });
        }
        Self { labels, weights, classes, class_weight, shares_weight }
    }

    /// Outputs of the auxiliary head: one for each label of each corpus.
    pub(crate) fn labels(&self) -> usize {
        self.labels.len()
    }

    /// What a clip teaches; an [`UNLABELLED`] one teaches nothing but what the teacher says of it.
    pub(crate) fn target(&self, entry: &Entry) -> Option<Target> {
        if entry.emotion == UNLABELLED {
            return Some(Target {
                classes: vec![0.0; CLASSES],
                class_mask: vec![1.0; CLASSES],
                class_weight: 0.0,
                labels: vec![0.0; self.labels.len()],
                label_mask: vec![1.0; self.labels.len()],
                weight: 0.0,
                affect: [0.0; 3],
            });
        }
        let affect = affect_of_label(&entry.emotion, &entry.intensity)?;
        let key = (entry.corpus.clone(), entry.emotion.clone());
        let place = *self.labels.get(&key)?;
        let mut label_mask = vec![0.0; self.labels.len()];
        for ((corpus, _), other) in &self.labels {
            if *corpus == entry.corpus {
                label_mask[*other] = 1.0;
            }
        }
        let class_mask = self.classes.get(&entry.corpus)?.to_vec();
        let class = entry.class();
        let mut classes = smoothed(class.map(Class::index), &class_mask);
        let mut affect = [affect.0, affect.1, affect.2];
        if let Some(shares) = entry.shares.as_ref().and_then(|shares| within(shares, &class_mask)) {
            let mix = |value: &mut f32, meant: f32| *value += (meant - *value) * self.shares_weight;
            classes.iter_mut().zip(&shares).for_each(|(value, share)| mix(value, *share));
            affect.iter_mut().zip(affect_of_shares(&shares)).for_each(|(value, meant)| mix(value, meant));
        }
        Some(Target {
            classes,
            class_weight: if class.is_some() { *self.class_weight.get(&entry.corpus)? } else { 0.0 },
            class_mask,
            labels: smoothed(Some(place), &label_mask),
            label_mask,
            weight: *self.weights.get(&key)?,
            affect,
        })
    }
}

/// Shares of the classes that a corpus has, if there is anything left of them.
fn within(shares: &[f32; CLASSES], mask: &[f32]) -> Option<Vec<f32>> {
    let own: Vec<f32> = shares.iter().zip(mask).map(|(share, mask)| share * mask).collect();
    let sum: f32 = own.iter().sum();
    (sum > 0.0).then(|| own.into_iter().map(|share| share / sum).collect())
}

fn smoothed(place: Option<usize>, mask: &[f32]) -> Vec<f32> {
    let present: f32 = mask.iter().sum();
    let mut target: Vec<f32> = mask.iter().map(|x| x * SMOOTHING / present.max(1.0)).collect();
    if let Some(slot) = place.and_then(|place| target.get_mut(place)) {
        *slot += 1.0 - SMOOTHING;
    }
    target
}

/// The loss of a batch. `labels` is the auxiliary head's output.
pub(crate) fn loss(
    outputs: &Outputs,
    labels: &Tensor,
    targets: &[&Target],
    device: &Device,
) -> Result<Tensor> {
    let rows = targets.len();
    let table = |values: Vec<f32>| {
        let columns = values.len() / rows.max(1);
        Tensor::from_vec(values, (rows, columns), device)
    };
    let gather = |get: &dyn Fn(&Target) -> &[f32]| {
        table(targets.iter().flat_map(|target| get(target).iter().copied()).collect())
    };
    let weights = table(targets.iter().map(|target| target.weight).collect())?;
    let class_weights = table(targets.iter().map(|target| target.weight * target.class_weight).collect())?;

    let class = cross_entropy(&outputs.logits, &gather(&|t| &t.classes)?, &gather(&|t| &t.class_mask)?)?;
    let class = weighted(&class, &class_weights)?;
    let label = cross_entropy(labels, &gather(&|t| &t.labels)?, &gather(&|t| &t.label_mask)?)?;
    let label = weighted(&label, &weights)?;

    let affect = gather(&|t| &t.affect)?;
    let axes = (outputs.affect.narrow(1, 0, 2)?.tanh()? - affect.narrow(1, 0, 2)?)?.sqr()?.sum_keepdim(1)?;
    let axes = weighted(&axes, &weights)?;
    // Binary cross-entropy on the logit x with target t: max(x, 0) - x t + ln(1 + exp(-|x|)).
    let x = outputs.affect.narrow(1, 2, 1)?;
    let t = affect.narrow(1, 2, 1)?;
    let softplus = ((x.abs()?.neg()?.exp()? + 1.0)?).log()?;
    let distress = weighted(&((x.relu()? - (x * t)?)? + softplus)?, &weights)?;

    ((class + (label * LABEL_WEIGHT)?)? + ((axes * AFFECT_WEIGHT)? + (distress * DISTRESS_WEIGHT)?)?)?
        .sum_all()
}

/// Cross-entropy `[rows, 1]` of `logits` against `target`, over the columns that `mask` has.
fn cross_entropy(logits: &Tensor, target: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let masked = (logits + ((mask - 1.0)? * 1e4)?)?;
    let logarithm = ops::log_softmax(&masked, D::Minus1)?;
    // Absent columns have target 0 and a huge negative logarithm: finite, so the product is 0.
    (logarithm * target)?.sum_keepdim(1)?.neg()
}

fn weighted(losses: &Tensor, weights: &Tensor) -> Result<Tensor> {
    let total = (weights.sum_all()? + 1e-6)?;
    losses.mul(weights)?.sum_all()?.div(&total)?.reshape((1, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(emotion: &str, shares: Option<[f32; CLASSES]>) -> Entry {
        Entry {
            path: "a.wav".into(),
            emotion: emotion.into(),
            speaker: "s".into(),
            corpus: "c".into(),
            sex: String::new(),
            lang: String::new(),
            intensity: String::new(),
            shares,
        }
    }

    #[test]
    fn listeners_who_disagree_soften_the_target() {
        let shares = |anger, happiness, boredom| {
            let mut shares = [0.0; CLASSES];
            shares[Class::Anger.index()] = anger;
            shares[Class::Happiness.index()] = happiness;
            shares[Class::Boredom.index()] = boredom;
            Some(shares)
        };
        let known = Manifest { entries: vec![entry("anger", None), entry("happiness", None)] };
        let taught = |shares, weight| Teaching::new(&known, weight).target(&entry("anger", shares)).unwrap();
        let sum = |target: &Target| target.classes.iter().sum::<f32>();

        let alone = taught(None, 0.5);
        let torn = taught(shares(0.5, 0.5, 0.0), 0.5);
        assert!((sum(&alone) - 1.0).abs() < 1e-6 && (sum(&torn) - 1.0).abs() < 1e-6);
        assert!(torn.classes[0] < alone.classes[0] && torn.classes[1] > alone.classes[1]);
        assert!(torn.affect[0] > alone.affect[0] && torn.affect[2] < alone.affect[2]);
        // Nothing of a class that the corpus hasn't, and nothing of what has no weight.
        assert_eq!(taught(shares(0.3, 0.3, 0.4), 0.5).classes, torn.classes);
        assert_eq!(taught(shares(0.0, 0.0, 1.0), 0.5).classes, alone.classes);
        assert_eq!(taught(shares(0.5, 0.5, 0.0), 0.0).classes, alone.classes);
    }
}
