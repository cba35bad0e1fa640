//! Whether a corpus can be told by something that is no feeling: the length of its clips, or their level.

use std::collections::{BTreeMap, BTreeSet};

use crate::{class::CLASSES, metrics::Confusion};
use sidetone_call::Class;

/// Recall of a classifier that sees `value` alone: one normal distribution a class, fitted on all other speakers.
/// `None` with fewer than two speakers. `clips` are speaker, class and value.
pub(super) fn alone(clips: &[(&str, Class, f32)]) -> Option<f64> {
    let speakers: BTreeSet<&str> = clips.iter().map(|(speaker, ..)| *speaker).collect();
    if speakers.len() < 2 {
        return None;
    }
    let mut pairs = Vec::new();
    for left_out in speakers {
        let mut values: BTreeMap<Class, Vec<f32>> = BTreeMap::new();
        for (_, class, value) in clips.iter().filter(|(speaker, ..)| *speaker != left_out) {
            values.entry(*class).or_default().push(*value);
        }
        let fits: Vec<(Class, f32, f32)> = values
            .into_iter()
            .map(|(class, values)| {
                let count = values.len() as f32;
                let mean = values.iter().sum::<f32>() / count;
                let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / count;
                (class, mean, variance.max(1e-4))
            })
            .collect();
        for (_, class, value) in clips.iter().filter(|(speaker, ..)| *speaker == left_out) {
            let likelihood = |mean: f32, variance: f32| -(value - mean).powi(2) / variance - variance.ln();
            let best = fits.iter().max_by(|a, b| likelihood(a.1, a.2).total_cmp(&likelihood(b.1, b.2)))?;
            pairs.push((class.index(), best.0.index()));
        }
    }
    Some(Confusion::new(CLASSES, pairs.into_iter()).uar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leak_shows_and_its_absence_too() {
        let clip = |n: usize, leaking: bool| {
            let speaker = ["a", "b", "c"][n % 3];
            let class = if n.is_multiple_of(2) { Class::Anger } else { Class::Neutral };
            let noise = ((n * 7919) % 101) as f32 / 101.0;
            (speaker, class, if leaking && class == Class::Anger { 3.0 + noise } else { noise })
        };
        let leaking: Vec<_> = (0..120).map(|n| clip(n, true)).collect();
        let tight: Vec<_> = (0..120).map(|n| clip(n, false)).collect();
        assert!(alone(&leaking).unwrap() > 0.95);
        assert!(alone(&tight).unwrap() < 0.7);
        assert_eq!(alone(&leaking[..1]), None);
    }
}
