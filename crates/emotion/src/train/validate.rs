//! What the averaged weights make of the validation speakers.

use std::collections::{BTreeMap, BTreeSet};

use super::{TrainError, calibrate::Sample};
use crate::{
    corpus::{Clip, Entry},
    manner::first_calm,
    metrics::Confusion,
    model,
    network::{Network, STEPS_PER_FRAME},
    score::{pooled, read},
};
use sidetone_call::Class;

/// A clip's raw outputs beside what it is.
pub(super) struct Scored<'c> {
    entry: &'c Entry,
    logits: Vec<f32>,
    affect: Vec<f32>,
}

/// What a network makes of clips: of each alone, and beside its speaker's own manner.
pub(super) struct Both<T> {
    pub(super) alone: Vec<T>,
    /// Without the clips by which the manner is known, and without speakers of whom it isn't; nothing of a network that
    /// doesn't hear it.
    pub(super) beside: Vec<T>,
}

pub(super) fn score_all<'c>(
    network: &Network,
    clips: &'c [(Entry, Clip)],
) -> candle_core::Result<Both<Scored<'c>>> {
    let heard: Vec<(&Entry, Vec<f32>, usize)> = clips
        .iter()
        .filter(|(_, clip)| clip.steps >= STEPS_PER_FRAME)
        .map(|(entry, clip)| Ok((entry, pooled(network, clip)?, clip.steps)))
        .collect::<candle_core::Result<_>>()?;
    let scored = |entry, pooled: &[f32], own| -> candle_core::Result<Scored<'c>> {
        let (logits, affect) = read(network, pooled, own)?;
        Ok(Scored { entry, logits, affect })
    };
    let mut both = Both { alone: Vec::new(), beside: Vec::new() };
    for (entry, pooled, _) in &heard {
        both.alone.push(scored(entry, pooled, None)?);
    }
    if network.config().caller {
        let (manners, used) =
            first_calm(heard.iter().map(|(entry, pooled, steps)| (*entry, pooled.as_slice(), *steps)));
        for (_, (entry, pooled, _)) in heard.iter().enumerate().filter(|(place, _)| !used.contains(place)) {
            if let Some(own) = manners.get(&entry.speaker) {
                both.beside.push(scored(entry, pooled, Some(own))?);
            }
        }
    }
    Ok(both)
}

/// The classes that a corpus has labels for, in the network's order.
fn own_classes<'c>(entries: impl Iterator<Item = &'c Entry>) -> BTreeMap<String, BTreeSet<Class>> {
    let mut classes: BTreeMap<String, BTreeSet<Class>> = BTreeMap::new();
    for entry in entries {
        if let Some(class) = entry.class() {
            classes.entry(entry.corpus.clone()).or_default().insert(class);
        }
    }
    classes
}

/// A corpus's own classes with their logits, and the place of the meant one.
fn restricted(
    scored: &Scored<'_>,
    own: &BTreeMap<String, BTreeSet<Class>>,
) -> Option<(Vec<(Class, f32)>, usize)> {
    let class = scored.entry.class()?;
    let own = own.get(&scored.entry.corpus)?;
    let place = own.iter().position(|other| *other == class)?;
    let logit = |class: &Class| Some((*class, scored.logits.get(class.index()).copied()?));
    Some((own.iter().filter_map(logit).collect(), place))
}

/// Unweighted average recall by corpus, over its own classes.
pub(super) fn recalls(scored: &[Scored<'_>]) -> BTreeMap<String, f64> {
    let own = own_classes(scored.iter().map(|scored| scored.entry));
    let mut pairs: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
    for item in scored {
        if let Some((logits, meant)) = restricted(item, &own) {
            let heard = (0..logits.len()).max_by(|a, b| {
                let at = |n: &usize| logits.get(*n).map_or(f32::MIN, |(_, logit)| *logit);
                at(a).total_cmp(&at(b))
            });
            pairs.entry(item.entry.corpus.clone()).or_default().push((meant, heard.unwrap_or(0)));
        }
    }
    pairs
        .into_iter()
        .map(|(corpus, pairs)| (corpus, Confusion::new(Class::ALL.len(), pairs.into_iter()).uar()))
        .collect()
}

/// Mean cross-entropy over each corpus's own classes, averaged over the corpora.
pub(super) fn surprise(scored: &[Scored<'_>]) -> f64 {
    let own = own_classes(scored.iter().map(|scored| scored.entry));
    let mut sums: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for item in scored {
        if let Some((logits, meant)) = restricted(item, &own) {
            let p =
                model::softmax(logits.into_iter().map(|(_, logit)| logit)).get(meant).copied().unwrap_or(0.0);
            let sum = sums.entry(&item.entry.corpus).or_default();
            sum.0 -= f64::from(p.max(1e-9).ln());
            sum.1 += 1.0;
        }
    }
    sums.values().map(|(sum, count)| sum / count).sum::<f64>() / sums.len().max(1) as f64
}

/// What calibration is fitted on: the speech corpora's clips, each over its corpus's own classes.
pub(super) fn samples(network: &Network, checked: &[(Entry, Clip)]) -> Result<Both<Sample>, TrainError> {
    let scored = score_all(network, checked)?;
    let own = own_classes(scored.alone.iter().map(|scored| scored.entry));
    let sample = |item: &Scored<'_>| {
        let (_, _, distressed) = crate::class::affect_of_label(&item.entry.emotion, &item.entry.intensity)?;
        let distress = item.affect.get(2).copied()?;
        Some(Sample {
            speaker: item.entry.speaker.clone(),
            classes: restricted(item, &own),
            logits: item.logits.clone(),
            distress,
            distressed,
        })
    };
    Ok(Both {
        alone: scored.alone.iter().filter_map(sample).collect(),
        beside: scored.beside.iter().filter_map(sample).collect(),
    })
}
