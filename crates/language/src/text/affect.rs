//! How a writer or speaker feels by the words, on the voice's scale.

use std::time::Duration;

use sidetone_call::{Abstention, Class, Estimate, Evidence, Modality};

use super::heads::log_odds;
use super::labels::LABELS;
use super::pieces::Piece;
use super::tongue::Tongue;
use super::weights::Weights;

/// The probability of each label of GoEmotions and, after them, that the writer is upset.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Feelings {
    pub(super) labels: Vec<f32>,
    pub(super) upset: f32,
}

/// Over the pieces of a text: each label as the mean by words, but upset halfway to its strongest piece. A page of
/// courtesies does not make a threat in the midst of it calm.
pub(super) fn feelings(weights: &Weights, pieces: &[Piece<'_>]) -> Feelings {
    let mut labels = vec![0.0f32; LABELS.len()];
    let (mut mean, mut most, mut words) = (0.0f32, 0.0f32, 0.0f32);
    for piece in pieces {
        let logits = weights.affect.logits(&piece.features);
        let weight = piece.words().max(1) as f32;
        let mut probabilities =
            logits.iter().zip(&weights.meta.affect).map(|(logit, head)| head.probability(*logit));
        for (sum, probability) in labels.iter_mut().zip(probabilities.by_ref()) {
            *sum += weight * probability;
        }
        let upset = probabilities.next().unwrap_or(0.0);
        mean += weight * upset;
        most = most.max(upset);
        words += weight;
    }
    let words = words.max(1.0);
    labels.iter_mut().for_each(|sum| *sum /= words);
    Feelings { labels, upset: f32::midpoint(mean / words, most) }
}

/// The probability of each of the voice's classes, in their order.
pub(super) fn classes(labels: &[f32]) -> [f32; Class::ALL.len()] {
    let mut sums = [0.0f32; Class::ALL.len()];
    for (label, probability) in LABELS.iter().zip(labels) {
        if let Some(sum) = sums.get_mut(label.class.index()) {
            *sum += probability;
        }
    }
    let all = sums.iter().sum::<f32>();
    if all > 1e-6 {
        sums.iter_mut().for_each(|sum| *sum /= all);
    } else if let Some(neutral) = sums.get_mut(Class::Neutral.index()) {
        *neutral = 1.0;
    }
    sums
}

/// Valence and arousal: the labels' places, by their probabilities.
pub(super) fn place(labels: &[f32]) -> (f32, f32) {
    let all = labels.iter().sum::<f32>().max(1e-6);
    let sum = |of: fn(&super::labels::Label) -> f32| {
        LABELS.iter().zip(labels).map(|(label, probability)| of(label) * probability).sum::<f32>() / all
    };
    (sum(|label| label.valence).clamp(-1.0, 1.0), sum(|label| label.arousal).clamp(-1.0, 1.0))
}

/// Below so many words only a confident answer stands, and none that nothing is felt: "the invoice" tells too little.
const FEW_WORDS: usize = 3;
/// How confident the answer on few words must be.
const SURE: f32 = 0.6;

/// The estimate, on the voice's scale.
pub(super) fn estimate(
    weights: &Weights,
    pieces: &[Piece<'_>],
    feelings: &Feelings,
    tongue: Tongue,
) -> Estimate {
    let (valence, arousal) = place(&feelings.labels);
    let probabilities = classes(&feelings.labels);
    let mut classes: Vec<(Class, f32)> = Class::ALL.into_iter().zip(probabilities).collect();
    // Ties keep the classes' order: the same text, the same answer.
    classes.sort_by(|a, b| b.1.total_cmp(&a.1));
    let likeliest = classes.first().map_or(0.0, |(_, probability)| *probability);
    let confidence = weights.meta.confidence.probability(log_odds(likeliest));
    let words: usize = pieces.iter().map(Piece::words).sum();
    let signs = pieces.iter().any(|piece| !piece.tokens.is_empty());
    let vague = confidence < SURE || classes.first().is_none_or(|(class, _)| *class == Class::Neutral);
    let abstained = if !signs || (words < FEW_WORDS && vague) {
        Some(Abstention::TooLittleSpeech)
    } else if tongue != Tongue::English || confidence < weights.meta.least_confidence {
        Some(Abstention::Unsure)
    } else {
        None
    };
    Estimate {
        modality: Modality::Words,
        at: Duration::ZERO,
        valence,
        arousal,
        distress: feelings.upset,
        classes,
        confidence,
        evidence: Evidence::default(),
        abstained,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_but_boredom_has_a_label() {
        let sums = classes(&[1.0; 28]);
        for class in Class::ALL {
            let there = sums.get(class.index()).is_some_and(|sum| *sum > 0.0);
            assert_eq!(there, class != Class::Boredom, "{}", class.name());
        }
        assert!((sums.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }

    #[test]
    fn nothing_known_is_neutral() {
        assert_eq!(classes(&[0.0; 28]).get(Class::Neutral.index()), Some(&1.0));
        assert_eq!(place(&[0.0; 28]), (0.0, 0.0));
    }
}
